#include "storage/base/random.h"

#include <gtest/gtest.h>

#include <array>

#include "storage/base/clock.h"

namespace syntropy {
namespace {

TEST(Random, SeedZeroBeginsWithTheCheckValue) {
  EXPECT_EQ(SeededRandom(0).next(), 0xE220A8397B1DCDAFu);
}

TEST(Random, SameSeedSameNumbers) {
  SeededRandom a(77);
  SeededRandom b(77);
  SeededRandom other(78);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const uint64_t number = a.next();
    EXPECT_EQ(number, b.next());
    differs |= number != other.next();
  }
  EXPECT_TRUE(differs);
}

TEST(Random, BelowStaysBelowAndReachesEverything) {
  SeededRandom random(3);
  std::array<int, 10> hits{};
  for (int i = 0; i < 10'000; ++i) ++hits[random.below(10)];
  for (const int count : hits) {
    EXPECT_GT(count, 850);
    EXPECT_LT(count, 1150);
  }
  EXPECT_EQ(random.below(1), 0u);
}

// Every second number is in the uneven part of the range and has to be drawn again.
TEST(Random, BelowIsEvenForBoundsThatDontDivideTheRange) {
  constexpr uint64_t kBound = (uint64_t{1} << 63) + 1;
  SeededRandom random(4);
  int low = 0;
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t number = random.below(kBound);
    ASSERT_LT(number, kBound);
    low += number < kBound / 2 ? 1 : 0;
  }
  EXPECT_NEAR(low, 5000, 250);
}

TEST(Random, SystemSeedsDiffer) { EXPECT_NE(system_seed(), system_seed()); }

TEST(SystemClock, KnowsTheCenturyAndNeverRunsBackwards) {
  const SystemClock clock;
  EXPECT_GT(clock.wall_ms(), 1'700'000'000'000u);  // November 2023
  EXPECT_LT(clock.wall_ms(), 4'102'444'800'000u);  // the year 2100
  uint64_t last = clock.monotonic_us();
  for (int i = 0; i < 1000; ++i) {
    const uint64_t now = clock.monotonic_us();
    EXPECT_GE(now, last);
    last = now;
  }
}

}  // namespace
}  // namespace syntropy
