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

// Elements that add up to nothing, alone or in part, are special cases of the formulas for roots.
TEST(Sketch, ElementsThatAddUpToNothingAreToldApart) {
  SeededRandom random(4);
  for (int round = 0; round < 300; ++round) {
    const uint64_t a = random.next() | 1;
    const uint64_t b = random.next() & ~uint64_t{1};
    const uint64_t c = random.next() | 1;
    for (const std::set<uint64_t>& elements :
         {std::set<uint64_t>{a, b, a ^ b}, {a, b, a ^ b, c}, {a, b, c, a ^ b ^ c}}) {
      Sketch sketch;
      for (const uint64_t element : elements) sketch.toggle(element);
      const auto decoded = decode_sketch(sketch.sums);
      ASSERT_TRUE(decoded) << round;
      ASSERT_EQ(to_set(*decoded), elements);
    }
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

// Chance numbers decode with a probability of 1/t!, one in 24 with four sums; then to other elements
// that have these sums.
TEST(Sketch, TooManyElementsRarelyDecode) {
  SeededRandom random(3);
  int decoded = 0;
  constexpr int kRounds = 2000;
  for (int round = 0; round < kRounds; ++round) {
    Sketch sketch;
    for (int i = 0; i < 9; ++i) sketch.toggle(random.next() | 1);
    const auto elements = decode_sketch(sketch.sums);
    if (!elements) continue;
    ++decoded;
    Sketch again;
    for (const uint64_t element : *elements) again.toggle(element);
    EXPECT_EQ(again, sketch);
  }
  EXPECT_GT(decoded, kRounds / 24 / 3);
  EXPECT_LT(decoded, kRounds / 24 * 3);
}

}  // namespace
}  // namespace syntropy
