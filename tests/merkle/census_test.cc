#include "merkle/census.h"

#include <gtest/gtest.h>

#include "storage/base/random.h"

namespace syntropy {
namespace {

RowMark random_mark(Random& random) { return {random.next() | 1, random.next()}; }

TEST(Census, GuessIsNear) {
  SeededRandom random(1);
  for (const uint64_t elements : {1u, 10u, 60u, 1000u, 8000u}) {
    Tree mine;
    Tree theirs;
    for (int i = 0; i < 2000; ++i) {
      const RowMark row = random_mark(random);
      mine.add(row);
      theirs.add(row);
    }
    for (uint64_t i = 0; i < elements; ++i) (i % 2 == 0 ? mine : theirs).add(random_mark(random));
    const unsigned level = elements < 100 ? kOpeningCensusLevel : kDeepestCensusLevel;
    const auto a = take_census(mine, level, SlotRanges::all());
    const auto b = take_census(theirs, level, SlotRanges::all());
    const auto guess = estimate_elements(count_differing(a, b), a.size());
    ASSERT_TRUE(guess) << elements;
    EXPECT_GE(*guess + 2, elements * 2 / 3);
    EXPECT_LE(*guess, elements * 3 / 2 + 2);
  }
}

TEST(Census, SaysWhenItCannotTell) {
  EXPECT_FALSE(estimate_elements(64, 64));
  EXPECT_FALSE(estimate_elements(60, 64));
  EXPECT_TRUE(estimate_elements(50, 64));
  EXPECT_EQ(estimate_elements(0, 64), 0u);
}

TEST(Census, LevelHasAboutAnElementANode) {
  EXPECT_EQ(level_for(1), 0u);
  EXPECT_EQ(level_for(2), 1u);
  EXPECT_EQ(level_for(133), 4u);
  EXPECT_EQ(level_for(13333), 7u);
  EXPECT_EQ(level_for(UINT64_MAX), kDeepestLevel);
}

}  // namespace
}  // namespace syntropy
