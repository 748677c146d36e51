// PurgeScan: finds the rows that may be removed for good once it is proved that every replica of a
// store holds what died at or before a purge watermark (Keyspace::purged_up_to()).
//
// These are the rows of some slots of which nothing is newer than the watermark, and which are
//   1. tombstones;
//   2. rows that expired before the watermark's millisecond and are drained (storage/keyspace.h);
// and, whatever the watermark,
//   3. rows that a flush has killed: nobody takes them in where its stamp is known.
//
// The same walk finds the rows of slots that this node is to be rid of, or that another node's flush
// would kill (scan_rows()).
//
// Each call looks at the store as of then; between two of them it goes on without a snapshot.
//
// Thread safety: any thread. Reads the disk, so it belongs on a thread that may wait.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "storage/version.h"

namespace syntropy {

class Keyspace;

/// A dead row, to be removed unless something newer than `stamp` is in its place by then.
struct PurgedRow {
  std::string row_key;  // encoded
  HlcStamp stamp = 0;   // the newest in the row

  bool operator==(const PurgedRow&) const = default;
};

struct PurgeScan {
  std::vector<PurgedRow> rows;
  std::string next;  // where to go on; empty: all slots are scanned
};

/// Looks at no more than `max_rows` (at least 1) rows, dead or alive, of the slots from
/// `first_slot` to `last_slot`. `from` is empty to begin with, then PurgeScan::next. kCorruption
/// when a row can't be read for what it is, or what the engine met.
Result<PurgeScan> scan_purgeable(Keyspace& keyspace, uint16_t first_slot, uint16_t last_slot,
                                 HlcStamp watermark, std::string_view from, uint64_t max_rows);

/// As scan_purgeable(), of all rows with a version up to `newest_version`, dead or alive. `stamp` is
/// the newest in the row.
Result<PurgeScan> scan_rows(Keyspace& keyspace, uint16_t first_slot, uint16_t last_slot,
                            HlcStamp newest_version, std::string_view from, uint64_t max_rows);

}  // namespace syntropy
