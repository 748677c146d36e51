// The tree and the rows of one moment: they belong together, and stand still, whatever is written.
#include "server/trees/frozen_tree_rows.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "storage/base/random.h"
#include "tests/trees/tree_node.h"

namespace syntropy::testing {
namespace {

Status merges_nothing(std::span<const ReconcileRow>) { return {}; }

// The sum over the rows that it shows.
Summary sum_of(const ReconcileStore& rows) {
  Summary sum;
  const Status read = rows.visit(0, kPositions, [&](const RowMark& mark, auto, auto) {
    sum.add(mark);
    return true;
  });
  EXPECT_TRUE(read.ok()) << read.message();
  return sum;
}

FrozenTreeRows freeze(TreeNode& node) {
  Result<RowTrees::Frozen> frozen = node.trees().freeze(SlotRanges::all(), {});
  EXPECT_TRUE(frozen.ok());
  return {node.keyspace(), node.trees(), *std::move(frozen), merges_nothing};
}

TEST(FrozenTreeRows, StayWhatTheyWere) {
  TreeNode node(/*replicated=*/true);
  for (int i = 0; i < 300; ++i) node.put("{a}" + std::to_string(i), "before");
  const FrozenTreeRows frozen = freeze(node);
  const Summary before = frozen.tree().node(0, 0);
  EXPECT_EQ(before.rows, 300u);
  for (int i = 100; i < 400; ++i) node.put("{a}" + std::to_string(i), "after");
  EXPECT_EQ(node.root().rows, 400u);
  EXPECT_EQ(frozen.tree().node(0, 0), before);
  EXPECT_EQ(sum_of(frozen), before);
  EXPECT_EQ(node.expect_right(), 400u);
}

TEST(FrozenTreeRows, NameTheClockOfTheirMoment) {
  TreeNode node(/*replicated=*/true);
  node.put("a", "1");
  const HlcStamp clock = freeze(node).frozen().rows.clock;
  HlcStamp stamp = 0;
  node.run([&](Tick& tick) { stamp = tick.get(0, "a")->version.stamp; });
  EXPECT_LE(stamp, clock);
  node.put("a", "2");
  node.run([&](Tick& tick) { stamp = tick.get(0, "a")->version.stamp; });
  EXPECT_GT(stamp, clock);
}

// Writers, the trees' own upkeep, and several who freeze, all at once.
TEST(FrozenTreeRows, BelongTogetherWhileOthersWrite) {
  TreeNode node(/*replicated=*/true, /*background=*/true);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    SeededRandom random(9);
    while (!done) {
      node.run([&](Tick& tick) {
        for (int i = 0; i < 8; ++i) {
          const std::string key = "{b}" + std::to_string(random.below(500));
          if (random.one_in(5)) {
            tick.erase(0, key);
          } else {
            tick.put(0, key, RowKind::kString, std::to_string(random.next()), 0);
          }
        }
      });
    }
  });
  const auto freeze_often = [&] {
    for (int i = 0; i < 40; ++i) {
      const FrozenTreeRows frozen = freeze(node);
      const Summary root = frozen.tree().node(0, 0);
      EXPECT_EQ(sum_of(frozen), root);
      EXPECT_EQ(frozen.tree().node(0, 0), root);
    }
  };
  std::thread other(freeze_often);
  freeze_often();
  other.join();
  done = true;
  writer.join();
  EXPECT_GT(node.expect_right(), 0u);
}

}  // namespace
}  // namespace syntropy::testing
