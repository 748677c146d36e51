#include "tests/trees/tree_node.h"

#include <gtest/gtest.h>

#include <numeric>

#include "storage/base/random.h"
#include "storage/log_applier.h"

namespace syntropy::testing {

TreeNode::TreeNode(bool replicated, bool background)
    : replicated_(replicated), background_(background) {
  open();
}

void TreeNode::open_keyspace() {
  KeyspaceOptions options;
  options.databases = 4;
  options.new_writer_id = next_writer_++;
  options.replicated = replicated_;
  purge_ = std::make_unique<PurgePolicy>(replicated_ ? PurgePolicy::Mode::kNever
                                                     : PurgePolicy::Mode::kImmediate);
  keyspace_ = std::move(*Keyspace::open(engine_, clock_, *purge_, options));
  if (replicated_) {
    SeededRandom random(next_writer_);
    ASSERT_TRUE(LogApplier(*keyspace_).begin_lineage(LineageId::random(random)).ok());
  }
}

void TreeNode::open() {
  open_keyspace();
  RowTreesOptions trees;
  trees.dir = dir();
  trees.background = background_;
  Result<std::unique_ptr<RowTrees>> opened = RowTrees::open(*keyspace_, trees);
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  trees_ = std::move(*opened);
}

void TreeNode::close() {
  trees_.reset();
  keyspace_.reset();
}

void TreeNode::crash() {
  close();
  open();
}

void TreeNode::lose_power() {
  close();
  engine_.lose_unsynced();
  open();
}

void TreeNode::restart() {
  ASSERT_TRUE(trees_->save().ok());
  close();
  open();
}

bool TreeNode::run(const std::function<void(Tick&)>& body) {
  Tick tick(*keyspace_);
  tick.begin_command(clock_.wall_ms(), ReadTier::kDisk);
  tick.begin_write();
  body(tick);
  return tick.commit().ok();
}

void TreeNode::run_without_trees(const std::function<void(Tick&)>& body) {
  restart();
  close();
  open_keyspace();
  ASSERT_TRUE(keyspace_->set_row_listener(nullptr, nullptr).ok());
  EXPECT_TRUE(run(body));
  close();
  open();
}

void TreeNode::put(const std::string& key, const std::string& value) {
  EXPECT_TRUE(run([&](Tick& tick) { tick.put(0, key, RowKind::kString, value, 0); }));
}

uint64_t TreeNode::expect_right() {
  EXPECT_TRUE(trees_->make_ready().ok());
  uint64_t rows = 0;
  for (unsigned slot = 0; slot < kSlotCount; slot += 256) {
    const auto verdict =
        trees_->verify(SlotRange{static_cast<uint16_t>(slot), static_cast<uint16_t>(slot + 255)});
    EXPECT_TRUE(verdict.ok()) << verdict.status().message();
    if (!verdict.ok()) return 0;
    EXPECT_TRUE(verdict->wrong_slots.empty()) << "slot " << verdict->wrong_slots.front();
    rows += verdict->rows;
  }
  EXPECT_EQ(trees_->stats().rows, rows);
  const auto counts = trees_->key_counts(SlotRanges::all());
  EXPECT_TRUE(counts.ok());
  uint64_t keys = 0;
  for (uint16_t db = 0; db < keyspace_->databases(); ++db) keys += keyspace_->key_count(db);
  EXPECT_EQ(std::accumulate(counts->begin(), counts->end(), uint64_t{0}), keys);
  return rows;
}

Summary TreeNode::root() {
  const Result<RowTrees::Access> access = trees_->access(SlotRanges::all());
  EXPECT_TRUE(access.ok());
  return access.ok() ? access->tree().root(SlotRanges::all()) : Summary{};
}

}  // namespace syntropy::testing
