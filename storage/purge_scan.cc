#include "storage/purge_scan.h"

#include <cassert>

#include "storage/base/hlc.h"
#include "storage/counter.h"
#include "storage/keyspace.h"
#include "storage/row.h"

namespace syntropy {
namespace {

std::string position_of_slot(uint32_t slot) {
  std::string key;
  encode_row_position(static_cast<uint16_t>(slot), 0, 0, &key);
  return key;
}

bool flushed(const RowCoverage& coverage, uint16_t db, const RowView& row) {
  return db < coverage.flush_stamps.size() && row.version.stamp <= coverage.flush_stamps[db];
}

/// `newest` is the newest stamp in the row.
bool died_by(HlcStamp watermark, const RowCoverage& coverage, std::string_view row_key,
             const RowView& row, HlcStamp newest) {
  if (newest > watermark) return false;
  if (row.kind == RowKind::kTombstone) return true;
  return row.expires_at_ms != 0 && row.expires_at_ms < hlc_ms(watermark) &&
         coverage.watermark.covers(row.expires_at_ms, row_key);
}

/// `wanted` judges a row with its newest stamp.
template <class Wanted>
Result<PurgeScan> scan(Keyspace& keyspace, uint16_t first_slot, uint16_t last_slot,
                       std::string_view from, uint64_t max_rows, const FrozenRows& frozen,
                       const Wanted& wanted) {
  assert(max_rows > 0);
  const std::string begin = from.empty() ? position_of_slot(first_slot) : std::string(from);
  const std::unique_ptr<EngineIterator> at = keyspace.engine().iterate(
      begin, position_of_slot(uint32_t{last_slot} + 1), frozen.snapshot.get());
  PurgeScan scan;
  uint64_t looked_at = 0;
  for (at->seek(begin); at->valid(); at->next()) {
    if (looked_at++ == max_rows) {
      scan.next = at->key();
      break;
    }
    const Result<RowKeyView> key = decode_row_key(at->key());
    if (!key.ok()) return key.status();
    const Result<RowView> row = decode_row(at->value());
    if (!row.ok()) return row.status();
    const Result<HlcStamp> newest = newest_stamp_of(*row);
    if (!newest.ok()) return newest.status();
    if (wanted(*key, at->key(), *row, *newest)) {
      scan.rows.push_back({std::string(at->key()), *newest});
    }
  }
  if (!at->status().ok()) return at->status();
  return scan;
}

}  // namespace

Result<PurgeScan> scan_purgeable(Keyspace& keyspace, uint16_t first_slot, uint16_t last_slot,
                                 HlcStamp watermark, std::string_view from, uint64_t max_rows) {
  const FrozenRows frozen = keyspace.freeze({});
  const auto purgeable = [&](const RowKeyView& key, std::string_view row_key, const RowView& row,
                             HlcStamp newest) {
    return flushed(frozen.coverage, key.db, row) ||
           died_by(watermark, frozen.coverage, row_key, row, newest);
  };
  return scan(keyspace, first_slot, last_slot, from, max_rows, frozen, purgeable);
}

Result<PurgeScan> scan_rows(Keyspace& keyspace, uint16_t first_slot, uint16_t last_slot,
                            HlcStamp newest_version, std::string_view from, uint64_t max_rows) {
  const auto wanted = [&](const RowKeyView&, std::string_view, const RowView& row, HlcStamp) {
    return row.version.stamp <= newest_version;
  };
  return scan(keyspace, first_slot, last_slot, from, max_rows, keyspace.freeze({}), wanted);
}

}  // namespace syntropy
