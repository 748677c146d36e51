// What a tick takes over from other nodes: rows and flush stamps, merged into what is stored.
#include <algorithm>
#include <cassert>

#include "storage/base/hlc.h"
#include "storage/counter.h"
#include "storage/merge.h"
#include "storage/tick.h"
#include "storage/tick_scan.h"

namespace syntropy {
namespace {

// Kinds have their place (docs/row-format.md), and a counter must be one.
Status check_row(const RowKeyView& key, const RowView& row) {
  const bool element = !key.subkey.empty();
  switch (row.kind) {
    case RowKind::kTombstone:
      break;
    case RowKind::kCounter: {
      const Result<Counter> counter = parse_counter(row);
      if (!counter.ok()) return counter.status();
      break;
    }
    case RowKind::kElement:
      if (!element) return Status::corruption("row: an element without a subkey");
      break;
    default:
      if (element) return Status::corruption("row: a first row with a subkey");
  }
  // Nothing could ever be written over it.
  if (row.version.stamp == UINT64_MAX) return Status::corruption("row: the stamp is no time");
  return {};
}

}  // namespace

Status Tick::check_database(uint16_t physical_db) const {
  if (physical_db < keyspace_.databases_) return {};
  return Status::invalid_argument("a row of database " + std::to_string(physical_db) +
                                  ", of which this node has " +
                                  std::to_string(keyspace_.databases_));
}

Result<bool> Tick::merge_row(std::string_view row_key, std::string_view row_value,
                             Deletions deletions) {
  assert(lock_ == Lock::kExclusive);
  Result<RowKeyView> key = decode_row_key(row_key);
  if (!key.ok()) return key.status();
  Result<RowView> row = decode_row(row_value);
  if (!row.ok()) return row.status();
  const Status checked = check_row(*key, *row);
  if (!checked.ok()) return checked;
  const Status ours = check_database(key->db);
  if (!ours.ok()) return ours;
  // Rows that a flush has killed are gone for good wherever its stamp is known.
  if (row->version.stamp <= flush_stamp(key->db)) return false;

  Located& at = locate_row(key->db, row_key);
  if (!at.known) {
    return error_.ok() ? Status::incomplete("the row to merge with is not in memory") : error_;
  }
  std::string_view merged = row_value;
  if (at.row) {
    Result<RowView> present = decode_row(at.row->value());
    if (!present.ok()) return present.status();
    const bool forgotten = deletions == Deletions::kForgotten &&
                           present->kind == RowKind::kTombstone && row->kind != RowKind::kTombstone;
    if (!forgotten) {
      scratch_.clear();
      merge(*present, *row, &scratch_);
      if (scratch_ == at.row->value()) return false;
      merged = scratch_;
    }
  }
  follow_clocks_of(*row);
  write_encoded(at, merged);
  return true;
}

void Tick::follow_clocks_of(const RowView& row) {
  follow_clock(row.version.stamp);
  if (row.kind != RowKind::kCounter) return;
  const Result<Counter> counter = parse_counter(row);
  assert(counter.ok());
  follow_clock(counter->expiry_version.stamp);
  for (const CounterEntry& entry : counter->entries) follow_clock(entry.stamp);
}

void Tick::outrun_last_writer() {
  if (keyspace_.newest_remote_ != 0) {
    const uint64_t passed_us = keyspace_.clock_.monotonic_us() - keyspace_.newest_remote_at_us_;
    const uint64_t by_now_ms = hlc_ms(keyspace_.newest_remote_) + passed_us / 1000 + 2;
    follow_clock(hlc_stamp(std::min(by_now_ms, kHlcMaxMs), 0));
  }
  keyspace_.reign_floor_ = keyspace_.ahead_stamp_;
}

void Tick::follow_clock(HlcStamp remote) {
  if (remote > keyspace_.newest_remote_) {
    keyspace_.newest_remote_ = remote;
    keyspace_.newest_remote_at_us_ = keyspace_.clock_.monotonic_us();
  }
  Hlc& hlc = keyspace_.hlc_;
  if (remote <= hlc.last()) return;
  const uint64_t wall_ms = keyspace_.clock_.wall_ms();
  if (!hlc.observe(remote, wall_ms)) {
    keyspace_.clock_refusals_.store(hlc.refusals(), std::memory_order_relaxed);
    keyspace_.clock_worst_drift_ms_.store(hlc.worst_drift_ms(), std::memory_order_relaxed);
    note_ahead(remote);
    return;
  }
  // After a restart, too, no stored row may be above the clock (flush_db() counts on it).
  if (hlc.last() <= hlc.bound()) return;
  keyspace_.unsaved_clock_bound_ = hlc.bound_to_persist(wall_ms);
  hlc.bound_persisted(keyspace_.unsaved_clock_bound_);
}

void Tick::note_ahead(HlcStamp stamp) {
  if (stamp <= keyspace_.ahead_stamp_) return;
  keyspace_.ahead_stamp_ = stamp;
  keyspace_.ahead_unsaved_ = true;
}

Result<bool> Tick::merge_flush(uint16_t physical_db, HlcStamp stamp) {
  assert(lock_ == Lock::kExclusive && drained_.empty());
  if (physical_db >= keyspace_.databases_) {
    return Status::invalid_argument("a flush of database " + std::to_string(physical_db) +
                                    ", of which this node has " +
                                    std::to_string(keyspace_.databases_));
  }
  if (stamp == UINT64_MAX) return Status::corruption("flush: the stamp is no time");
  if (stamp <= flush_stamp(physical_db)) return false;
  save_changes();
  StoreChanges before = changes_;
  if (changes_.flush_stamp.empty()) changes_.flush_stamp.assign(keyspace_.databases_, 0);
  if (changes_.survivors.empty()) changes_.survivors.resize(keyspace_.databases_);
  changes_.flush_stamp[physical_db] = stamp;
  changes_.survivors[physical_db] = {};
  located_.known = false;
  touched_uncommitted_ = true;
  // No row is stamped above the clock or above what it didn't follow.
  if (stamp < std::max(keyspace_.hlc_.last(), keyspace_.ahead_stamp_)) {
    Result<DatabaseCounts> survivors = count_survivors(physical_db);
    if (!survivors.ok()) {
      changes_ = std::move(before);
      return survivors.status();
    }
    changes_.survivors[physical_db] = *survivors;
  }
  follow_clock(stamp);
  return true;
}

// The committed keys that the flush stamp of this tick leaves.
Result<DatabaseCounts> Tick::count_survivors(uint16_t physical_db) {
  DatabaseCounts survivors;
  Overlay none;
  std::string lower;
  encode_row_position(0, physical_db, 0, &lower);
  TickScan rows(keyspace_.engine_, none, physical_db, std::move(lower));
  std::string row_key;
  for (; rows.valid(); rows.next()) {
    if (!rows.key().subkey.empty()) continue;
    Result<RowView> row = decode_row(rows.value());
    if (!row.ok()) return row.status();
    row_key.clear();
    encode_row_key(physical_db, rows.key().key, {}, &row_key);
    if (!counts(*row, physical_db, row_key)) continue;
    ++survivors.keys;
    survivors.expiring += row->expires_at_ms != 0;
  }
  if (!rows.status().ok()) return rows.status();
  return survivors;
}

}  // namespace syntropy
