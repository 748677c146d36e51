#include "merkle/sketch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "storage/base/random.h"

namespace syntropy {
namespace {

std::set<uint64_t> to_set(const Elements& elements) { return {elements.begin(), elements.end()}; }

TEST(Sketch, DecodesAsManyElementsAsItHasSums) {
  SeededRandom random(1);
  for (int round = 0; round < 300; ++round) {
    for (size_t count = 0; count <= kSketchSums; ++count) {
      Sketch sketch;
      std::set<uint64_t> elements;
      while (elements.size() < count) elements.insert(random.next() | 1);
      for (const uint64_t element : elements) sketch.toggle(element);
      for (size_t sums = std::max<size_t>(count, 1); sums <= kSketchSums; ++sums) {
        const auto decoded = decode_sketch({sketch.sums.data(), sums});
        ASSERT_TRUE(decoded) << count << " elements from " << sums << " sums";
        ASSERT_EQ(to_set(*decoded), elements) << count << " elements from " << sums << " sums";
      }
    }
  }
}

TEST(Sketch, SmallAndNeighbouringElementsAreToldApart) {
  for (uint64_t first = 1; first < 40; ++first) {
    Sketch sketch;
    std::set<uint64_t> elements;
    for (uint64_t i = 0; i < kSketchSums; ++i) elements.insert(first + i);
    for (const uint64_t element : elements) sketch.toggle(element);
    const auto decoded = decode_sketch(sketch.sums);
    ASSERT_TRUE(decoded) << first;
    EXPECT_EQ(to_set(*decoded), elements);
  }
}

TEST(Sketch, WhatIsInBothSetsIsGone) {
  SeededRandom random(2);
  Sketch mine;
  Sketch theirs;
  for (int i = 0; i < 1000; ++i) {
    const uint64_t element = random.next() | 1;
    mine.toggle(element);
    theirs.toggle(element);
  }
  mine.toggle(7);
  theirs.toggle(9);
  mine ^= theirs;
  const auto decoded = decode_sketch(mine.sums);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(to_set(*decoded), (std::set<uint64_t>{7, 9}));
}

// Chance numbers decode with a probability of 1/t!: one in 24 with four sums.
TEST(Sketch, TooManyElementsRarelyDecode) {
  SeededRandom random(3);
  int decoded = 0;
  constexpr int kRounds = 2000;
  for (int round = 0; round < kRounds; ++round) {
    Sketch sketch;
    for (int i = 0; i < 9; ++i) sketch.toggle(random.next() | 1);
    if (decode_sketch(sketch.sums)) ++decoded;
  }
  EXPECT_GT(decoded, kRounds / 24 / 3);
  EXPECT_LT(decoded, kRounds / 24 * 3);
}

}  // namespace
}  // namespace syntropy
