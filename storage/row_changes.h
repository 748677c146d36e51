// RowChanges: what each commit does to rows, told to whoever keeps something of all rows up to date
// (the trees of sums that find differences between nodes, docs/merkle.md).
//
// A commit that changes rows has a number, one more than the one before, which is stored in the
// same write as the rows (record `commits`). So a listener that keeps notes of its own knows after
// a crash up to which of them the store has come.
//
// Covered rows. Rows of flushed databases are nobody's. Dead rows of other kinds (tombstones, and
// rows whose expiry was drained) are covered where other nodes may have to hear of them, which is
// in a replicated store; where they may be purged at once, they aren't.
//
// Thread safety: the calls come under the keyspace's lock, held exclusively.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "storage/base/hlc.h"
#include "storage/engine.h"
#include "storage/local_records.h"
#include "storage/row.h"

namespace syntropy {

/// A covered row, encoded, before and after; empty: there was, or is, none. Not both.
struct RowChange {
  std::string_view row_key;
  std::string_view before;
  std::string_view after;
  uint64_t key_hash = 0;  // XXH3, 64 bits, of row_key
};

/// By how much a commit changes the number of a slot's keys, as Keyspace::key_count() counts them.
struct SlotKeys {
  uint16_t slot = 0;
  int64_t delta = 0;
};

class RowChangeListener {
 public:
  virtual ~RowChangeListener() = default;

  /// Rows that a commit kills without naming them, before it makes its changes.
  enum class Killed { kNone, kSome, kAll };

  /// The commit of that number is about to be written. The views live until it returns. `keys` may
  /// name a slot more than once.
  virtual void changing(uint64_t commit, Killed killed, std::span<const RowChange> changes,
                        std::span<const SlotKeys> keys) = 0;
  /// It is visible; or, if not `stored`, it came to nothing, and its number is that of the next
  /// one.
  virtual void changed(uint64_t commit, bool stored) = 0;
  /// Other rows are covered from now on, and which isn't told: all have to be read.
  virtual void recount() = 0;
  /// There is no row, and nothing of a row will be told that came before.
  virtual void emptied() = 0;
};

/// Which rows of a store are covered, as of a moment.
struct RowCoverage {
  bool dead_rows = false;
  std::vector<HlcStamp> flush_stamps;  // by physical database
  ExpiryWatermark watermark;

  bool covers(const RowKeyView& key, const RowView& row, std::string_view row_key) const;
  /// Whether a covered row is counted as a key.
  bool counts(const RowView& row, std::string_view row_key) const;
};

/// The rows of a store as of a moment.
struct FrozenRows {
  std::unique_ptr<EngineSnapshot> snapshot;
  RowCoverage coverage;
  uint64_t commit = 0;  // the last one that they include
  /// Not below the stamp of any of them that this node's clock has followed, and below all that it
  /// gives from then on.
  HlcStamp clock = 0;
};

}  // namespace syntropy
