// FrozenTreeRows: a store and its trees as of one moment, as a reconcile session sees them. What
// the session, or anybody else, writes meanwhile isn't seen: so nothing that is in flight looks
// like a difference, and a session proves in one pass that it has found all of them.
//
// Thread safety: one thread at a time.
#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "merkle/reconcile_store.h"
#include "server/trees/covered_rows.h"
#include "server/trees/row_trees.h"
#include "storage/keyspace.h"

namespace syntropy {

class FrozenTreeRows final : public ReconcileStore {
 public:
  using Merge = std::function<Status(std::span<const ReconcileRow> rows)>;

  /// `merge` takes in rows of the other side. All but `frozen` outlive this.
  FrozenTreeRows(Keyspace& keyspace, RowTrees& trees, RowTrees::Frozen frozen, Merge merge)
      : trees_(trees),
        frozen_(std::move(frozen)),
        rows_(keyspace.engine(), frozen_.rows.snapshot.get(), frozen_.rows.coverage,
              frozen_.databases),
        merge_(std::move(merge)) {}
  ~FrozenTreeRows() override { trees_.note_session_reads(rows_.take_rows_read()); }

  const RowTrees::Frozen& frozen() const { return frozen_; }
  uint64_t rows_read() const { return rows_.rows_read(); }
  /// To be called when nothing is asked for a while: see CoveredRows.
  void rest() { rows_.rest(); }

  const Tree& tree() const override { return *frozen_.tree; }
  Status visit(uint64_t first, uint64_t end, const Visitor& visitor) const override {
    return rows_.visit(first, end, visitor);
  }
  Result<RowMark> mark(std::string_view key, std::string_view value) const override {
    return mark_of_row(key, value);
  }
  Status merge(std::span<const ReconcileRow> rows) override { return merge_(rows); }

 private:
  RowTrees& trees_;
  const RowTrees::Frozen frozen_;
  const CoveredRows rows_;
  const Merge merge_;
};

}  // namespace syntropy
