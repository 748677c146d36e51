#include "server/trees/tree_file.h"

#include <gtest/gtest.h>

#include "storage/base/random.h"
#include "tests/support/temp_dir.h"

namespace syntropy::testing {
namespace {

Tree tree_of(uint64_t rows) {
  Tree tree;
  SeededRandom random(7);
  std::vector<RowMark> crowded;
  for (uint64_t i = 0; i < rows; ++i) {
    const auto slot = static_cast<uint16_t>(i % 3 == 0 ? 5 : random.below(kSlotCount));
    const auto hash = static_cast<uint32_t>(random.next());
    const RowMark mark = mark_row(slot, hash, std::to_string(i), "value");
    if (slot == 5) {
      crowded.push_back(mark);
    } else {
      tree.add(mark);
    }
  }
  tree.rebuild(5, crowded);
  tree.settle();
  return tree;
}

TEST(TreeFile, GivesTheSameTreeBack) {
  const Tree tree = tree_of(1000);
  std::vector<bool> stale(kSlotCount);
  stale[9] = true;
  std::vector<int64_t> keys(kSlotCount);
  keys[7] = 12;
  Result<StoredTree> stored = decode_tree(encode_tree(42, 5, tree, keys, stale));
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(stored->commit, 42u);
  EXPECT_EQ(stored->databases, 5u);
  EXPECT_EQ(stored->stale, stale);
  EXPECT_EQ(stored->keys, keys);
  stored->tree->settle();
  EXPECT_EQ(stored->tree->depth(5), tree.depth(5));
  EXPECT_GT(tree.depth(5), 0u);
  for (uint64_t i = 0; i < nodes_of_level(kSlotLevel + 2); ++i) {
    if (i >> 2 == 9 || !tree.reaches(kSlotLevel + 2, i)) continue;
    ASSERT_EQ(stored->tree->node(kSlotLevel + 2, i), tree.node(kSlotLevel + 2, i)) << i;
  }
  const SlotRanges all = SlotRanges::all().difference(SlotRanges{{9, 9}});
  EXPECT_EQ(stored->tree->root(all), tree.root(all));
}

TEST(TreeFile, RefusesWhatIsNotOne) {
  const std::string bytes = encode_tree(1, 1, tree_of(50), std::vector<int64_t>(kSlotCount),
                                        std::vector<bool>(kSlotCount));
  SeededRandom random(3);
  for (int i = 0; i < 200; ++i) {
    std::string damaged = bytes;
    damaged[random.below(damaged.size())] ^= static_cast<char>(1 << random.below(8));
    EXPECT_TRUE(decode_tree(damaged).status().is(StatusCode::kCorruption));
    EXPECT_FALSE(decode_tree(bytes.substr(0, random.below(bytes.size()))).ok());
  }
  EXPECT_FALSE(decode_tree("").ok());
  EXPECT_FALSE(decode_tree(bytes + "x").ok());
}

TEST(TreeFile, ReplacesTheOneBefore) {
  const TempDir dir;
  const std::string path = dir / "sums";
  EXPECT_TRUE(read_tree_file(path).status().is(StatusCode::kNotFound));
  ASSERT_TRUE(write_tree_file(path, "first").ok());
  ASSERT_TRUE(write_tree_file(path, "second").ok());
  EXPECT_EQ(*read_tree_file(path), "second");
  EXPECT_FALSE(write_tree_file(dir / "absent/sums", "x").ok());
}

}  // namespace
}  // namespace syntropy::testing
