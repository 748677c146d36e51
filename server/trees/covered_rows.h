// CoveredRows: the rows of a store that its trees cover, by position, as a reconcile session wants
// to see them (merkle/reconcile_store.h).
//
// Rows of one position lie in the store by database; they are shown together.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "merkle/reconcile_store.h"
#include "storage/engine.h"
#include "storage/row_changes.h"

namespace syntropy {

class CoveredRows {
 public:
  /// `databases`: physical numbers that may have rows, ascending (RowTrees::databases()).
  /// `snapshot` null: the rows at the time of the first call, and again after rest(). All outlive
  /// this.
  CoveredRows(Engine& engine, const EngineSnapshot* snapshot, RowCoverage coverage,
              std::vector<uint16_t> databases)
      : engine_(engine),
        snapshot_(snapshot),
        coverage_(std::move(coverage)),
        databases_(std::move(databases)) {}

  /// As ReconcileStore::visit(). A row that can't be read isn't there; `verify` names it.
  Status visit(uint64_t first, uint64_t end, const ReconcileStore::Visitor& visitor) const;

  /// For the calls to come, which show the rows as they are by then.
  void set_coverage(RowCoverage coverage) {
    coverage_ = std::move(coverage);
    rest();
  }
  /// Lets go of what visit() keeps from call to call. It holds files on the disk that the engine
  /// would remove, so it shouldn't be kept while nothing is asked.
  void rest() const { rows_.reset(); }

  /// Rows shown since the last call.
  uint64_t take_rows_read() const { return std::exchange(rows_read_, 0); }
  uint64_t rows_read() const { return rows_read_; }

 private:
  struct Shown {
    RowMark mark;
    std::string key;
    std::string value;
  };
  using Show = std::function<bool(const RowMark&, std::string_view, std::string_view)>;

  Status visit_database(uint16_t db, uint64_t first, uint64_t end, const Show& show) const;
  Status visit_slot(uint64_t first, uint64_t end, const ReconcileStore::Visitor& visitor,
                    bool* stop) const;

  Engine& engine_;
  const EngineSnapshot* const snapshot_;
  RowCoverage coverage_;
  const std::vector<uint16_t> databases_;
  mutable std::unique_ptr<EngineIterator> rows_;  // all; made by the first visit()
  mutable uint64_t rows_read_ = 0;
};

/// As ReconcileStore::mark().
Result<RowMark> mark_of_row(std::string_view row_key, std::string_view row_value);

}  // namespace syntropy
