#include "merkle/census.h"

#include <gtest/gtest.h>

#include "storage/base/random.h"

namespace syntropy {
namespace {

RowMark random_mark(Random& random) { return {random.next() | 1, random.next()}; }

TEST(Census, GuessIsNear) {
  SeededRandom random(1);
  for (const uint64_t rows : {1u, 10u, 60u, 1000u, 8000u, 30000u}) {
    Tree mine;
    Tree theirs;
    for (int i = 0; i < 2000; ++i) {
      const RowMark row = random_mark(random);
      mine.add(row);
      theirs.add(row);
    }
    for (uint64_t i = 0; i < rows; ++i) (i % 2 == 0 ? mine : theirs).add(random_mark(random));
    mine.settle();
    theirs.settle();
    const bool few = rows < 100;
    const unsigned level = few ? kOpeningCensusLevel : kFullCensusLevel;
    const unsigned bits = few ? kOpeningCensusBits : kFullCensusBits;
    const Census a(mine, level, bits, SlotRanges::all());
    const Census b(theirs, level, bits, SlotRanges::all());
    size_t differing = 0;
    for (uint64_t i = 0; i < nodes_of_level(level); ++i) {
      const bool differs = mine.node(level, i) != theirs.node(level, i);
      if (a.cell(i) != b.cell(i)) {
        EXPECT_TRUE(differs);
        ++differing;
      }
    }
    const auto guess = estimate_differences(differing, nodes_of_level(level));
    ASSERT_TRUE(guess) << rows;
    EXPECT_GE(*guess + 2, rows * 3 / 4);
    EXPECT_LE(*guess, rows * 4 / 3 + 2);
  }
}

TEST(Census, SaysWhenItCannotTell) {
  EXPECT_FALSE(estimate_differences(64, 64));
  EXPECT_FALSE(estimate_differences(58, 64));
  EXPECT_TRUE(estimate_differences(57, 64));
  EXPECT_EQ(estimate_differences(0, 64), 0u);
}

TEST(Census, BytesAreThoseOfTheHeader) {
  const std::string bytes("\x81\x30\x00", 3);
  const Census census = Census::from_bytes(bytes, 6);
  EXPECT_EQ(census.cell(0), 1u);
  EXPECT_EQ(census.cell(1), 2u);
  EXPECT_EQ(census.cell(2), 3u);
  EXPECT_EQ(census.cell(3), 0u);
  Tree tree;
  for (uint64_t i = 0; i < 3; ++i) {
    tree.add({first_position(kOpeningCensusLevel, i) << kContentBits | 1, i + 1});
  }
  tree.settle();
  const Census taken(tree, kOpeningCensusLevel, kOpeningCensusBits, SlotRanges::all());
  EXPECT_EQ(taken.bytes().substr(0, 3), bytes);
  EXPECT_EQ(taken.bytes().size(), Census::bytes_for(64, 6));
}

}  // namespace
}  // namespace syntropy
