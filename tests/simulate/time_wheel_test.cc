#include "tools/simulate/time_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "storage/base/random.h"

namespace syntropy {
namespace {

TEST(TimeWheel, GivesEventsOfOneMillisecondInTheirOrder) {
  TimeWheel<int> wheel;
  wheel.add(5, 1);
  wheel.add(3, 2);
  wheel.add(5, 3);
  EXPECT_EQ(wheel.take(10), 2);
  EXPECT_EQ(wheel.now_ms(), 3u);
  EXPECT_EQ(wheel.take(10), 1);
  EXPECT_EQ(wheel.take(10), 3);
  EXPECT_EQ(wheel.take(10), std::nullopt);
  EXPECT_EQ(wheel.now_ms(), 10u);
  EXPECT_TRUE(wheel.empty());
}

TEST(TimeWheel, HoldsBackWhatIsLaterThanAskedFor) {
  TimeWheel<int> wheel;
  wheel.add(5, 1);
  EXPECT_EQ(wheel.take(4), std::nullopt);
  EXPECT_EQ(wheel.now_ms(), 4u);
  EXPECT_EQ(wheel.take(5), 1);
}

TEST(TimeWheel, TakesWhatIsPastAsNow) {
  TimeWheel<int> wheel;
  EXPECT_EQ(wheel.take(100), std::nullopt);
  wheel.add(7, 1);
  EXPECT_EQ(wheel.take(100), 1);
  EXPECT_EQ(wheel.now_ms(), 100u);
}

TEST(TimeWheel, OrdersEventsNearAndFarAsAStableSortDoes) {
  SeededRandom random(11);
  for (int round = 0; round < 20; ++round) {
    TimeWheel<size_t> wheel;
    std::vector<std::pair<uint64_t, size_t>> expected;
    std::vector<std::pair<uint64_t, size_t>> taken;
    size_t next = 0;
    for (int i = 0; i < 300; ++i) {
      const uint64_t reach = random.one_in(3) ? 500'000 : 40;
      const uint64_t at = wheel.now_ms() + random.below(reach);
      expected.emplace_back(at, next);
      wheel.add(at, next++);
      if (!random.one_in(3)) continue;
      if (const auto event = wheel.take(wheel.now_ms() + random.below(100))) {
        taken.emplace_back(wheel.now_ms(), *event);
      }
    }
    while (const auto event = wheel.take(10'000'000)) taken.emplace_back(wheel.now_ms(), *event);
    std::stable_sort(expected.begin(), expected.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    EXPECT_EQ(taken, expected);
  }
}

}  // namespace
}  // namespace syntropy
