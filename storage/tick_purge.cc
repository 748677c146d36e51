// What a tick removes for good, once it is proved that nobody needs it any more.
//
// Every replica of a range has held a dead row, at one position of the log, before the writer
// purges it. So nobody brings the row that it deleted, except who was away since; and he is told by
// the stamps:
//
//   1. Rows go by the newest stamp in them, not by their version, which in a counter that was
//      incremented is that of its base. What was written after the proof is above the watermark
//      and stays.
//   2. The writer doesn't purge what is alive: between the proof and the purge a dead counter can
//      have come to life by a merge that brought nothing newer. Followers do as the log says.
//   3. What is written from then on, counters that begin anew included, is above the watermark
//      (purge_floor()). So whatever comes back with another node loses against it.
//   4. A row of which nothing is above the watermark, and of which this node knows nothing, was
//      purged here, and is no news (was_purged()). The other way round, a writer that has come back
//      with an older disk hears from a follower with a greater watermark what was purged meanwhile,
//      and removes it, alive or not; but nothing that it wrote itself since: with its disk it may
//      have lost how far its clock was ahead.
#include <algorithm>
#include <cassert>

#include "storage/counter.h"
#include "storage/tick.h"

namespace syntropy {

// The row of a key that another node, or the caller, names.
Result<Tick::Located*> Tick::locate_given(std::string_view row_key) {
  assert(lock_ == Lock::kExclusive);
  const Result<RowKeyView> key = decode_row_key(row_key);
  if (!key.ok()) return key.status();
  const Status ours = check_database(key->db);
  if (!ours.ok()) return ours;
  Located& at = locate_row(key->db, row_key);
  if (at.known) return &at;
  return error_.ok() ? Status::incomplete("the row to purge is not in memory") : error_;
}

// Whether something in the row was written by this writer: since the last start that was not clean.
bool Tick::is_ours(const RowView& row) const {
  if (row.version.writer == keyspace_.writer_id_) return true;
  if (row.kind != RowKind::kCounter) return false;
  const Result<Counter> counter = parse_counter(row);
  return !counter.ok() || std::any_of(counter->entries.begin(), counter->entries.end(),
                                      [&](const CounterEntry& entry) {
                                        return entry.writer == keyspace_.writer_id_;
                                      });
}

Result<bool> Tick::purge_row(std::string_view row_key, HlcStamp stamp, Alive alive) {
  if (stamp == UINT64_MAX) return Status::corruption("purge: the stamp is no time");
  const Result<Located*> at = locate_given(row_key);
  if (!at.ok()) return at.status();
  if (!(*at)->row || stamp == 0) return false;
  const Result<RowView> row = decode_row((*at)->row->value());
  if (!row.ok()) return row.status();
  const Result<HlcStamp> newest = newest_stamp_of(*row);
  if (!newest.ok()) return newest.status();
  if (*newest > stamp) return false;
  const bool may_live =
      !log_change_ && (alive == Alive::kStays || (alive == Alive::kGoesIfNotOurs && is_ours(*row)));
  if (may_live && live(*row, (*at)->db)) return false;
  remove_row(**at, stamp);
  return true;
}

Result<bool> Tick::restamp_row(std::string_view row_key, HlcStamp floor) {
  const Result<Located*> at = locate_given(row_key);
  if (!at.ok()) return at.status();
  if (!(*at)->row) return false;
  const Result<RowView> row = decode_row((*at)->row->value());
  if (!row.ok()) return row.status();
  if (!live(*row, (*at)->db)) return false;
  RowView anew = *row;
  std::string sum;
  if (row->kind == RowKind::kCounter) {
    const Result<int64_t> value = counter_value_saturated(*row);
    if (!value.ok()) return value.status();
    sum = std::to_string(*value);
    anew.kind = RowKind::kString;
    anew.payload = sum;
  }
  const HlcStamp above = std::max({floor, write_floor(**at), expiry_version_of(*row).stamp});
  anew.version = Version{stamp_above(above), keyspace_.writer_id_};
  std::string encoded;
  encode_row(anew, &encoded);
  write_encoded(**at, encoded);
  return true;
}

void Tick::remove_row(Located& at, HlcStamp up_to) {
  Overlay::Entry fresh;
  if (at.entry == nullptr) fresh = entry_over(at);
  at.entry = &overlay_.set(at.entry != nullptr ? *at.entry : fresh,
                           RowBlock::make(at.hash, at.row_key, {}), up_to);
  at.row = RowRef();
  touched_uncommitted_ = true;
}

void Tick::raise_purge_watermark(HlcStamp stamp) {
  assert(lock_ == Lock::kExclusive && stamp != UINT64_MAX);
  if (stamp <= purged_up_to()) return;
  save_changes();
  changes_.purged_up_to = stamp;
  touched_uncommitted_ = true;
  follow_clock(stamp);
}

Result<bool> Tick::was_purged(std::string_view row_key, std::string_view row_value) {
  const Result<RowView> row = decode_row(row_value);
  if (!row.ok()) return row.status();
  const Result<HlcStamp> newest = newest_stamp_of(*row);
  if (!newest.ok()) return newest.status();
  if (*newest > purged_up_to()) return false;
  const Result<Located*> at = locate_given(row_key);
  if (!at.ok()) return at.status();
  return !(*at)->row;
}

HlcStamp Tick::purged_up_to() const {
  return std::max(changes_.purged_up_to, keyspace_.purged_up_to());
}

HlcStamp Tick::purge_floor(const Located& at) const {
  const HlcStamp removed = at.entry != nullptr ? at.entry->removed_up_to : 0;
  return std::max(purged_up_to(), removed);
}

}  // namespace syntropy
