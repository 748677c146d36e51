// TreeRows: a store and its trees as a reconcile session sees them (merkle/reconcile_store.h).
//
// Between begin() and end() it has the tree (RowTrees::Access); merge() lets go of it meanwhile.
// The rows that it shows are those of the moment at which it is asked.
//
// Thread safety: one thread at a time.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "merkle/reconcile_store.h"
#include "server/trees/covered_rows.h"
#include "server/trees/row_trees.h"
#include "storage/keyspace.h"

namespace syntropy {

class TreeRows final : public ReconcileStore {
 public:
  /// `merged`: makes durable what was merged, as far as the node's policy asks for it. All outlive
  /// this.
  TreeRows(Keyspace& keyspace, RowTrees& trees, std::function<Status()> merged)
      : keyspace_(keyspace), trees_(trees), merged_(std::move(merged)) {}

  /// `slots`: those that the tree must be ready for, and the only ones whose rows are merged.
  /// kUnavailable as RowTrees::access().
  Status begin(const SlotRanges& slots);
  void end();

  const Tree& tree() const override { return access_->tree(); }
  Status visit(uint64_t first, uint64_t end, const Visitor& visitor) const override {
    return rows_->visit(first, end, visitor);
  }
  Result<RowMark> mark(std::string_view key, std::string_view value) const override {
    return mark_of_row(key, value);
  }
  /// kUnavailable when the node follows another one.
  Status merge(std::span<const ReconcileRow> rows) override;

 private:
  Keyspace& keyspace_;
  RowTrees& trees_;
  const std::function<Status()> merged_;
  SlotRanges slots_;
  std::optional<RowTrees::Access> access_;
  std::optional<CoveredRows> rows_;
};

}  // namespace syntropy
