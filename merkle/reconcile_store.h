// ReconcileStore: what a reconcile session (merkle/reconciler.h) reads and writes of a node.
//
// Thread safety: as the implementation says; one session calls it from one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "merkle/reconcile_message.h"
#include "merkle/row_mark.h"
#include "merkle/tree.h"
#include "storage/base/status.h"

namespace syntropy {

class ReconcileStore {
 public:
  virtual ~ReconcileStore() = default;

  /// The sums over the rows that visit() shows, no more and no fewer.
  virtual const Tree& tree() const = 0;

  /// Returns false to see no more rows. The views live until it returns.
  using Visitor =
      std::function<bool(const RowMark& mark, std::string_view key, std::string_view value)>;
  /// Shows the rows at the positions first..end-1, ascending by position.
  virtual Status visit(uint64_t first, uint64_t end, const Visitor& visitor) const = 0;

  /// The mark of a row of the other node. kCorruption when it isn't a row.
  virtual Result<RowMark> mark(std::string_view key, std::string_view value) const = 0;

  /// Merges rows of the other node into its own (storage/merge.h). Tree and rows show the result
  /// when it returns; or, of a store as of one moment, never.
  virtual Status merge(std::span<const ReconcileRow> rows) = 0;
};

}  // namespace syntropy
