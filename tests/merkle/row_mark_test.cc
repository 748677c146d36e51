#include "merkle/row_mark.h"

#include <gtest/gtest.h>

#include "storage/base/random.h"

namespace syntropy {
namespace {

TEST(RowMark, PositionIsThatOfTheKey) {
  const RowMark mark = mark_row(0x2ABC, 0x12345678, "key", "value");
  EXPECT_EQ(position_of(mark.element), row_position(0x2ABC, 0x12345678));
  EXPECT_EQ(slot_of_position(position_of(mark.element)), 0x2ABC);
  EXPECT_LT(row_position(kSlotCount - 1, UINT32_MAX), kPositions);
  EXPECT_EQ(row_position(kSlotCount - 1, UINT32_MAX), kPositions - 1);
}

TEST(RowMark, KeyAndValueBothCount) {
  const RowMark mark = mark_row(1, 2, "key", "value");
  EXPECT_EQ(mark, mark_row(1, 2, "key", "value"));
  for (const RowMark& other : {mark_row(1, 2, "kez", "value"), mark_row(1, 2, "key", "valuf"),
                               mark_row(1, 2, "keyv", "alue")}) {
    EXPECT_NE(mark.element, other.element);
    EXPECT_NE(mark.check, other.check);
  }
}

TEST(RowMark, UnscrambleUndoesScramble) {
  SeededRandom random(1);
  EXPECT_EQ(scramble(0), 0u);
  for (int i = 0; i < 1000; ++i) {
    const uint64_t element = random.next();
    ASSERT_EQ(unscramble(scramble(element)), element);
  }
}

// Three elements of a slot add up to something in that slot; scrambled ones don't.
TEST(RowMark, ScrambledSumsDoNotLookLikeElements) {
  SeededRandom random(2);
  int looks_right = 0;
  for (int i = 0; i < 10000; ++i) {
    uint64_t sum = 0;
    for (int k = 0; k < 3; ++k) sum ^= scramble(random.next() >> kSlotBits);  // slot 0
    if (slot_of_position(position_of(unscramble(sum))) == 0) ++looks_right;
  }
  EXPECT_LE(looks_right, 5);
}

}  // namespace
}  // namespace syntropy
