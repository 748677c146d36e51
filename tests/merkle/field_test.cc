#include "merkle/field.h"

#include <gtest/gtest.h>

#include "storage/base/random.h"

namespace syntropy::field {
namespace {

// By the definition: shift, and subtract the polynomial when a bit leaves.
uint64_t multiply_by_definition(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  for (; b != 0; b >>= 1) {
    if ((b & 1) != 0) product ^= a;
    a = (a << 1) ^ ((a >> 63) != 0 ? 0x1B : 0);
  }
  return product;
}

TEST(Field, CheckValues) {
  EXPECT_EQ(multiply(2, uint64_t{1} << 63), 0x1Bu);
  EXPECT_EQ(multiply(UINT64_MAX, UINT64_MAX), 0x5555555555555513u);
  EXPECT_EQ(multiply(0x123456789ABCDEF0, 0xFEDCBA9876543210), 0x8827AB55D976FA6Cu);
}

TEST(Field, BothWaysToMultiplyFollowTheDefinition) {
  SeededRandom random(1);
  for (int i = 0; i < 2000; ++i) {
    const uint64_t a = random.next();
    const uint64_t b = random.next() >> random.below(64);
    ASSERT_EQ(multiply(a, b), multiply_by_definition(a, b)) << a << " " << b;
    ASSERT_EQ(multiply_portably(a, b), multiply_by_definition(a, b)) << a << " " << b;
  }
}

TEST(Field, InverseTimesNumberIsOne) {
  SeededRandom random(2);
  for (const uint64_t a : {uint64_t{1}, uint64_t{2}, UINT64_MAX, random.next()}) {
    EXPECT_EQ(multiply(a, invert(a)), 1u) << a;
  }
}

TEST(Field, RootsMakeTheirPowers) {
  SeededRandom random(5);
  int none = 0;
  for (int i = 0; i < 999; ++i) {
    const uint64_t a = i == 0 ? 1 : random.next();
    const uint64_t root = square_root(a);
    ASSERT_EQ(multiply(root, root), a);
    const uint64_t cube = multiply(a, multiply(a, a));
    const auto cubed = cube_root(cube);
    ASSERT_TRUE(cubed) << a;
    ASSERT_EQ(multiply(*cubed, multiply(*cubed, *cubed)), cube);
    if (!cube_root(a)) ++none;
  }
  EXPECT_NEAR(none, 666, 100);
}

TEST(Field, ArtinSchreierFindsWhatThereIs) {
  SeededRandom random(4);
  int none = 0;
  for (int i = 0; i < 1000; ++i) {
    const uint64_t c = i == 0 ? 0 : random.next();
    const auto y = artin_schreier(c);
    if (!y) {
      ++none;
      continue;
    }
    ASSERT_EQ(multiply(*y, *y) ^ *y, c);
  }
  EXPECT_NEAR(none, 500, 100);
  // Where it says that there is none: what isn't an image of a number is one plus such an image.
  uint64_t without = 1;
  while (without != 0 && artin_schreier(without)) without <<= 1;
  ASSERT_NE(without, 0u);
  for (int i = 0; i < 1000; ++i) {
    const uint64_t y = random.next();
    const uint64_t image = multiply(y, y) ^ y;
    EXPECT_TRUE(artin_schreier(image));
    EXPECT_FALSE(artin_schreier(image ^ without));
  }
}

TEST(Field, OddPowersAreProducts) {
  SeededRandom random(3);
  const uint64_t a = random.next();
  std::array<uint64_t, 4> powers{};
  odd_powers(a, powers);
  uint64_t expected = a;
  for (const uint64_t power : powers) {
    EXPECT_EQ(power, expected);
    expected = multiply(expected, multiply(a, a));
  }
}

}  // namespace
}  // namespace syntropy::field
