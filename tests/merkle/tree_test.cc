#include "merkle/tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "storage/base/random.h"
#include "tests/merkle/memory_rows.h"

namespace syntropy {
namespace {

using testing::MemoryRows;

RowMark random_mark(Random& random) { return {random.next() | 1, random.next()}; }

Summary sum_of(const std::vector<RowMark>& rows, unsigned level, uint64_t index) {
  Summary sum;
  for (const RowMark& row : rows) {
    if (node_of(level, position_of(row.element)) == index) sum.add(row);
  }
  return sum;
}

TEST(Tree, EveryNodeIsTheSumOfItsRows) {
  SeededRandom random(1);
  Tree tree;
  std::vector<RowMark> rows;
  for (int i = 0; i < 3000; ++i) {
    RowMark row = random_mark(random);
    if (i % 2 == 0) row.element >>= 12;  // four slots get most of them
    rows.push_back(row);
    tree.add(row);
  }
  for (int i = 0; i < 500; ++i) {
    tree.remove(rows.back());
    rows.pop_back();
  }
  for (uint16_t slot = 0; slot < 4; ++slot) {
    EXPECT_TRUE(tree.wants_rebuild(slot));
    std::vector<RowMark> of_slot;
    for (const RowMark& row : rows) {
      if (slot_of_position(position_of(row.element)) == slot) of_slot.push_back(row);
    }
    tree.rebuild(slot, of_slot);
    EXPECT_FALSE(tree.wants_rebuild(slot));
    EXPECT_GE(tree.depth(slot), 4u);
  }
  rows.push_back({(uint64_t{1} << (kContentBits + 22)) | 5, 77});  // below a slot that has depth
  tree.add(rows.back());
  EXPECT_EQ(tree.rows(), rows.size());
  tree.settle();
  for (unsigned level = 0; level <= kSlotLevel + 4; ++level) {
    // The first four slots, and what lies below and above them.
    const uint64_t nodes = level <= kSlotLevel ? 4 : 4 * nodes_of_level(level - kSlotLevel);
    for (uint64_t index = 0; index < std::min(nodes_of_level(level), nodes); ++index) {
      ASSERT_EQ(tree.node(level, index), sum_of(rows, level, index)) << level << "/" << index;
    }
  }
}

TEST(Tree, WithinCountsChosenSlotsOnly) {
  SeededRandom random(2);
  Tree tree;
  Summary expected;
  const SlotRanges slots{{3, 700}, {900, 900}, {16000, 16383}};
  for (int i = 0; i < 20000; ++i) {
    const RowMark row = random_mark(random);
    tree.add(row);
    if (slots.contains(slot_of_position(position_of(row.element)))) expected.add(row);
  }
  tree.settle();
  EXPECT_EQ(tree.root(slots), expected);
  Summary parts;
  for (uint64_t index = 0; index < 64; ++index) parts += tree.within(6, index, slots);
  EXPECT_EQ(parts, expected);
  EXPECT_EQ(tree.root(SlotRanges()), Summary());
}

TEST(Tree, DepthFollowsTheRows) {
  EXPECT_EQ(depth_for(0), 0u);
  EXPECT_EQ(depth_for(kMostLeafRows), 0u);
  EXPECT_EQ(depth_for(kMostLeafRows + 1), 2u);
  EXPECT_EQ(depth_for(4 * kMostLeafRows), 2u);
  EXPECT_EQ(depth_for(10'000'000), 20u);
  // A slot that shrinks is rebuilt as well, but not at the boundary where it grew.
  MemoryRows rows;
  for (uint64_t i = 0; i < 300; ++i) rows.put(i << 13, "k", "v");
  const unsigned depth = rows.tree().depth(0);
  EXPECT_EQ(depth, depth_for(300));
  for (uint64_t i = 0; i < 100; ++i) rows.erase(i << 13, "k");
  EXPECT_FALSE(rows.tree().wants_rebuild(0));
  for (uint64_t i = 100; i < 295; ++i) rows.erase(i << 13, "k");
  EXPECT_TRUE(rows.tree().wants_rebuild(0));
}

TEST(Tree, RebuildMendsWhatWasWrong) {
  SeededRandom random(3);
  Tree tree;
  Tree right;
  std::vector<RowMark> rows;
  for (int i = 0; i < 200; ++i) {
    RowMark row = random_mark(random);
    row.element >>= kSlotBits;  // slot 0
    rows.push_back(row);
    right.add(row);
    tree.add(random_mark(random));
  }
  const RowMark elsewhere{UINT64_MAX, 1};
  right.add(elsewhere);
  Tree other;
  other.add({5, 5});  // slot 0, wrong
  other.add(elsewhere);
  other.rebuild(0, rows);
  EXPECT_EQ(other.rows(), right.rows());
  other.settle();
  right.settle();
  for (unsigned level = 0; level <= kSlotLevel; ++level) {
    EXPECT_EQ(other.node(level, 0), right.node(level, 0)) << level;
  }
  EXPECT_EQ(other.node(kSlotLevel, kSlotCount - 1), right.node(kSlotLevel, kSlotCount - 1));
}

// However changes are spread over the times at which it is settled, the nodes are the same.
TEST(Tree, SettlesWhatChangedSinceTheLastTime) {
  SeededRandom random(5);
  std::vector<RowMark> rows;
  for (int i = 0; i < 2000; ++i) {
    RowMark row = random_mark(random);
    row.element >>= kSlotBits - 2;  // slots 0 to 3
    rows.push_back(row);
  }
  const auto deepen = [&](Tree* tree) {
    for (uint16_t slot = 0; slot < 4; ++slot) {
      std::vector<RowMark> of_slot;
      for (const RowMark& row : rows) {
        if (slot_of_position(position_of(row.element)) == slot) of_slot.push_back(row);
      }
      tree->rebuild(slot, of_slot);
    }
  };
  Tree often;
  Tree once;
  deepen(&often);
  deepen(&once);
  ASSERT_GT(often.depth(0), 2u);
  for (int i = 0; i < 1000; ++i) {
    RowMark row = random_mark(random);
    if (i % 2 == 0) row.element >>= kSlotBits - 2;
    if (i % 3 == 0) {
      row = rows[static_cast<size_t>(i)];
      often.remove(row);
      once.remove(row);
    } else {
      often.add(row);
      once.add(row);
    }
    if (random.below(10) == 0) often.settle();
  }
  often.settle();
  once.settle();
  for (unsigned level = 0; level <= kSlotLevel + 4; ++level) {
    for (uint64_t index = 0; index < std::min<uint64_t>(nodes_of_level(level), 64); ++index) {
      if (!once.reaches(level, index)) continue;
      ASSERT_EQ(often.node(level, index), once.node(level, index)) << level << "/" << index;
    }
  }
  EXPECT_EQ(often.node(0, 0).rows, often.rows());
}

TEST(Tree, CopyIsTheTreeOfThatMoment) {
  SeededRandom random(4);
  Tree tree;
  std::vector<RowMark> rows;
  for (int i = 0; i < 400; ++i) {
    RowMark row = random_mark(random);
    row.element >>= 14;  // all in slot 0
    rows.push_back(row);
  }
  tree.rebuild(0, rows);
  tree.settle();
  ASSERT_GT(tree.depth(0), 0u);
  const auto same = [](Tree& a, Tree& b) {
    a.settle();
    b.settle();
    if (a.depth(0) != b.depth(0) || a.node(0, 0) != b.node(0, 0)) return false;
    const auto mine = a.leaves(0);
    const auto theirs = b.leaves(0);
    return std::equal(mine.begin(), mine.end(), theirs.begin(), theirs.end());
  };
  // Changes of the one, of the other, and of a copy of a copy, in place and anew.
  const std::vector<RowMark> half(rows.begin(), rows.begin() + 200);
  Tree reference;
  reference.rebuild(0, rows);
  Tree copy = tree;
  Tree second = copy;
  EXPECT_TRUE(same(copy, reference));
  tree.remove(rows.back());
  EXPECT_TRUE(same(copy, reference));
  EXPECT_TRUE(same(second, reference));
  copy.rebuild(0, half);
  EXPECT_TRUE(same(second, reference));
  tree.add(rows.back());
  EXPECT_TRUE(same(tree, reference));
  second.remove(rows.front());
  EXPECT_TRUE(same(tree, reference));
  EXPECT_FALSE(same(second, reference));
  second.add(rows.front());
  Tree third = tree;
  tree.update(rows.back(), {rows.back().element, rows.back().check + 1});
  EXPECT_TRUE(same(third, reference));
  EXPECT_FALSE(same(tree, reference));
}

}  // namespace
}  // namespace syntropy
