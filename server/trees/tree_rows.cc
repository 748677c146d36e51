#include "server/trees/tree_rows.h"

#include <utility>

#include "storage/tick.h"

namespace syntropy {

Status TreeRows::begin(const SlotRanges& slots) {
  slots_ = slots;
  // Before the tree: its holder must not wait for the keyspace's lock.
  RowCoverage coverage = keyspace_.coverage();
  Result<RowTrees::Access> access = trees_.access(slots);
  if (!access.ok()) return access.status();
  access_ = std::move(*access);
  rows_.emplace(keyspace_.engine(), nullptr, std::move(coverage), trees_.databases());
  return {};
}

void TreeRows::end() {
  access_.reset();
  if (!rows_) return;
  trees_.note_session_reads(rows_->take_rows_read());
  rows_->rest();
}

Status TreeRows::merge(std::span<const ReconcileRow> rows) {
  if (access_) access_->release();
  // What isn't covered isn't there: a session that has told of a row as missing must bring it.
  const auto deletions =
      keyspace_.covers_dead_rows() ? Tick::Deletions::kCount : Tick::Deletions::kForgotten;
  Status merged;
  {
    Tick tick(keyspace_);
    tick.begin_command(0, ReadTier::kDisk);  // merging doesn't ask for the time
    tick.begin_write();
    for (const ReconcileRow& row : rows) {
      const Result<RowKeyView> key = decode_row_key(row.key);
      if (!key.ok()) {
        merged = key.status();
      } else if (!slots_.contains(key->slot)) {
        merged = Status::invalid_argument("a row of a slot that the session isn't about");
      } else {
        merged = tick.merge_row(row.key, row.value, deletions).status();
      }
      if (!merged.ok()) break;
    }
    if (merged.ok()) merged = tick.commit();
  }
  if (merged.ok()) merged = merged_();
  if (!access_) return merged;
  rows_->set_coverage(keyspace_.coverage());
  access_->acquire();
  return merged;
}

}  // namespace syntropy
