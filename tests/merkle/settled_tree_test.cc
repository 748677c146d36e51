#include "merkle/settled_tree.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "storage/base/random.h"

namespace syntropy {
namespace {

constexpr size_t kPlenty = 1 << 20;

RowMark mark_of(uint64_t row, uint64_t version) {
  const uint64_t position = (row * 0x9E3779B97F4A7C15) >> (64 - kPositionBits);
  const uint64_t content = scramble(row * 1000003 + version);
  return {(position << kContentBits) | (content >> kPositionBits) | 1, scramble(content)};
}

// A node: rows by version, and its tree, fed with writes in any order.
class Node {
 public:
  explicit Node(size_t most_waiting = kPlenty) : tree(most_waiting) {}

  void write(uint64_t row, uint64_t version) {
    uint64_t& current = rows_[row];
    if (version <= current) return;  // merge keeps the greater version
    const auto before = current == 0 ? std::nullopt : std::optional(mark_of(row, current));
    tree.note(version, before, mark_of(row, version));
    current = version;
  }

  SettledTree tree;

 private:
  std::map<uint64_t, uint64_t> rows_;
};

Summary root(const SettledTree& tree) { return tree.tree().root(SlotRanges::all()); }

TEST(SettledTree, ShowsTheRowsAsOfTheCut) {
  Node node;
  for (uint64_t version = 1; version <= 10; ++version) node.write(version % 3, version);
  EXPECT_EQ(root(node.tree), Summary());
  node.tree.settle(5);  // row 0 at version 3, 1 at 4, 2 at 5
  Summary expected;
  for (const auto& [row, version] : {std::pair{0, 3}, {1, 4}, {2, 5}}) {
    expected.add(mark_of(row, version));
  }
  EXPECT_EQ(root(node.tree), expected);
  EXPECT_EQ(node.tree.waiting(), 5u);
  node.tree.settle(4);  // the cut doesn't go back
  EXPECT_EQ(node.tree.cut(), 5u);
  EXPECT_EQ(root(node.tree), expected);
}

TEST(SettledTree, DeletionsTakeRowsAway) {
  SettledTree tree(kPlenty);
  tree.note(1, std::nullopt, mark_of(7, 1));
  tree.note(2, mark_of(7, 1), std::nullopt);
  tree.settle(1);
  EXPECT_EQ(root(tree).rows, 1u);
  tree.settle(2);
  EXPECT_EQ(root(tree), Summary());
}

TEST(SettledTree, WhatLiesBelowTheCutIsAddedAtOnce) {
  Node early;
  Node late;
  for (Node* node : {&early, &late}) node->write(1, 5);
  early.write(2, 3);
  for (Node* node : {&early, &late}) node->tree.settle(10);
  EXPECT_NE(root(early.tree), root(late.tree));
  late.write(2, 3);  // a repair
  EXPECT_EQ(root(early.tree), root(late.tree));
}

// Two nodes get the same writes in the same order, each with delays of its own. Once all writes up
// to a cut have arrived at both, their trees are equal at that cut, whatever else is on its way.
TEST(SettledTree, EqualAtACutWhileWritesAreOnTheirWay) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SeededRandom random(seed);
    Node nodes[2];
    std::multimap<uint64_t, std::pair<uint64_t, uint64_t>> arriving[2];  // when: row, version
    constexpr uint64_t kMostDelay = 50;
    uint64_t compared_in_flight = 0;
    for (uint64_t now = 1; now <= 2000; ++now) {
      if (now <= 1900) {
        const uint64_t row = random.below(40);
        for (auto& queue : arriving) {
          const uint64_t last = queue.empty() ? 0 : queue.rbegin()->first;
          queue.emplace(std::max(last, now + random.below(kMostDelay)), std::pair(row, now));
        }
      }
      for (int i = 0; i < 2; ++i) {
        while (!arriving[i].empty() && arriving[i].begin()->first <= now) {
          const auto [row, version] = arriving[i].begin()->second;
          nodes[i].write(row, version);
          arriving[i].erase(arriving[i].begin());
        }
      }
      if (now < kMostDelay || !random.one_in(10)) continue;
      const uint64_t cut = now - kMostDelay;
      for (Node& node : nodes) node.tree.settle(cut);
      ASSERT_EQ(root(nodes[0].tree), root(nodes[1].tree)) << "seed " << seed << " at " << now;
      if (nodes[0].tree.waiting() > 0) ++compared_in_flight;
    }
    EXPECT_GT(compared_in_flight, 50u);
  }
}

TEST(SettledTree, TooManyWaitingMoveTheCut) {
  Node node(10);
  for (uint64_t version = 1; version <= 25; ++version) node.write(version, version);
  EXPECT_EQ(node.tree.waiting(), 10u);
  EXPECT_EQ(node.tree.cut(), 15u);
  EXPECT_EQ(node.tree.forced(), 15u);
  EXPECT_EQ(root(node.tree).rows, 15u);
}

}  // namespace
}  // namespace syntropy
