// The bit functions against the obvious implementation, bit by bit.
#include "server/commands/bits.h"

#include <gtest/gtest.h>

#include <random>

namespace syntropy {
namespace {

std::string random_bytes(std::mt19937_64& random, size_t size) {
  // Long runs of equal bits are what word-wise code gets wrong.
  std::string bytes(size, '\0');
  for (char& c : bytes) {
    const uint64_t draw = random();
    c = static_cast<char>(draw % 4 == 0 ? 0 : draw % 4 == 1 ? 0xff : draw >> 8);
  }
  return bytes;
}

TEST(BitsTest, CheckVectors) {
  const std::string bytes = "\x80\x01";
  EXPECT_TRUE(get_bit(bytes, 0));
  EXPECT_TRUE(get_bit(bytes, 15));
  EXPECT_FALSE(get_bit(bytes, 1));
  EXPECT_FALSE(get_bit(bytes, 16));
  EXPECT_EQ(count_bits(bytes, 0, 15), 2u);
  EXPECT_EQ(count_bits(bytes, 1, 14), 0u);
  EXPECT_EQ(find_bit(bytes, true, 1, 15), 15u);
  EXPECT_EQ(find_bit(bytes, true, 1, 14), std::nullopt);
  EXPECT_EQ(read_bits(bytes, 0, 16), 0x8001u);
  EXPECT_EQ(read_bits(bytes, 12, 8), 0x10u);
}

TEST(BitsTest, CountAndFindAgreeWithALoop) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 3000; ++round) {
    const std::string bytes = random_bytes(random, 1 + random() % 70);
    uint64_t first = random() % (8 * bytes.size());
    uint64_t last = random() % (8 * bytes.size());
    if (first > last) std::swap(first, last);
    uint64_t count = 0;
    std::optional<uint64_t> first_set, first_clear;
    for (uint64_t i = first; i <= last; ++i) {
      const bool bit = get_bit(bytes, i);
      count += bit ? 1 : 0;
      std::optional<uint64_t>& found = bit ? first_set : first_clear;
      if (!found) found = i;
    }
    ASSERT_EQ(count_bits(bytes, first, last), count);
    ASSERT_EQ(find_bit(bytes, true, first, last), first_set);
    ASSERT_EQ(find_bit(bytes, false, first, last), first_clear);
  }
}

TEST(BitsTest, CombineAgreesWithALoop) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 1000; ++round) {
    const std::string a = random_bytes(random, random() % 40);
    const std::string b = random_bytes(random, random() % 40);
    for (const BitOperation operation :
         {BitOperation::kAnd, BitOperation::kOr, BitOperation::kXor}) {
      std::string expected(std::max(a.size(), b.size()), '\0');
      for (uint64_t i = 0; i < 8 * expected.size(); ++i) {
        const bool x = get_bit(a, i);
        const bool y = get_bit(b, i);
        const bool bit = operation == BitOperation::kAnd  ? x && y
                         : operation == BitOperation::kOr ? x || y
                                                          : x != y;
        set_bit(&expected, i, bit);
      }
      std::string target = a;
      combine_bits(operation, b, &target);
      ASSERT_EQ(target, expected);
    }
    std::string inverted = a;
    invert_bits(&inverted);
    for (uint64_t i = 0; i < 8 * a.size(); ++i) ASSERT_NE(get_bit(inverted, i), get_bit(a, i));
  }
}

TEST(BitsTest, WrittenFieldsReadBackAndLeaveTheirNeighbours) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 5000; ++round) {
    const std::string before = random_bytes(random, 20);
    const unsigned width = 1 + static_cast<unsigned>(random() % 64);
    const uint64_t position = random() % (8 * before.size() - width + 1);
    const uint64_t value = random();
    std::string after = before;
    write_bits(&after, position, width, value);
    for (uint64_t i = 0; i < 8 * before.size(); ++i) {
      const bool inside = i >= position && i < position + width;
      const bool expected = inside ? (value >> (position + width - 1 - i)) & 1 : get_bit(before, i);
      ASSERT_EQ(get_bit(after, i), expected);
    }
    const uint64_t mask = width == 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1;
    ASSERT_EQ(read_bits(after, position, width), value & mask);
  }
}

TEST(BitsTest, ReadingBeyondTheEndGivesZeros) {
  EXPECT_EQ(read_bits("", 0, 64), 0u);
  EXPECT_EQ(read_bits("\xff", 4, 8), 0xf0u);
  EXPECT_EQ(read_bits("\xff", 1000, 8), 0u);
}

}  // namespace
}  // namespace syntropy
