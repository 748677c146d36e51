// The writing half of a tick: every function here works on the overlay, under the keyspace's lock.
#include <algorithm>
#include <cassert>

#include "storage/base/hlc.h"
#include "storage/counter.h"
#include "storage/tick.h"

namespace syntropy {
namespace {

// An expiry is a deletion at the time of the expiry, the same on every replica (storage/merge.h).
constexpr HlcStamp stamp_of_expiry(uint64_t expires_at_ms) { return expires_at_ms << 16; }

}  // namespace

HlcStamp Tick::stamp_above(HlcStamp floor) {
  const uint64_t wall_ms = keyspace_.clock_.wall_ms();
  Hlc& hlc = keyspace_.hlc_;
  while (true) {
    if (!hlc.wants_bound(wall_ms)) {
      if (std::optional<HlcStamp> stamp = hlc.next_above(floor, wall_ms)) {
        if (*stamp > hlc.last()) note_ahead(*stamp);
        return *stamp;
      }
    }
    // The bound goes into the same batch as the rows stamped below it: after a crash the store has
    // both or neither.
    keyspace_.unsaved_clock_bound_ = hlc.bound_to_persist(wall_ms);
    hlc.bound_persisted(keyspace_.unsaved_clock_bound_);
  }
}

// What is written at the place is stamped above it, whatever the clock says.
HlcStamp Tick::write_floor(const Located& at) const {
  return std::max({flush_stamp(at.db), keyspace_.reign_floor_, purge_floor(at)});
}

Version Tick::next_version(const Located& replaced) {
  // Stamps that came from elsewhere may be ahead of our clock, and our write must win.
  HlcStamp floor = write_floor(replaced);
  if (replaced.row) {
    Result<RowView> row = decode_row(replaced.row->value());
    if (row.ok()) floor = std::max(floor, expiry_version_of(*row).stamp);
  }
  return Version{stamp_above(floor), keyspace_.writer_id_};
}

void Tick::write_row(Located& at, const RowView& row) {
  payload_.clear();
  encode_row(row, &payload_);
  write_encoded(at, payload_);
}

void Tick::write_encoded(Located& at, std::string_view row) {
  assert(lock_ == Lock::kExclusive);
  Overlay::Entry fresh;
  if (at.entry == nullptr) fresh = entry_over(at);
  at.row = RowBlock::make(at.hash, at.row_key, row);
  at.entry = &overlay_.set(at.entry != nullptr ? *at.entry : fresh, at.row);
  touched_uncommitted_ = true;
}

// The overlay's entry of what the tick is about to put into the place of a committed row.
Overlay::Entry Tick::entry_over(const Located& replaced) const {
  Overlay::Entry fresh;
  fresh.base = replaced.row;
  fresh.db = replaced.db;
  if (!replaced.row) return fresh;
  Result<RowView> base = decode_row(replaced.row->value());
  fresh.base_counted = base.ok() && counts(*base, replaced.db, replaced.row_key);
  fresh.base_expires_at_ms = base.ok() ? base->expires_at_ms : 0;
  fresh.base_expiring = fresh.base_counted && fresh.base_expires_at_ms != 0;
  return fresh;
}

void Tick::put(uint16_t db, std::string_view key, RowKind kind, std::string_view payload,
               uint64_t expires_at_ms) {
  if (expires_at_ms != 0 && expires_at_ms <= now_ms_) {
    erase(db, key);
    return;
  }
  Located& at = locate(db, key);
  if (!at.known) return;  // the command will be run again, or fail
  write_row(at, RowView{kind, next_version(at), expires_at_ms, payload});
}

bool Tick::erase(uint16_t db, std::string_view key) {
  if (!get(db, key)) return false;
  write_row(located_, RowView{RowKind::kTombstone, next_version(located_), 0, {}});
  return true;
}

bool Tick::set_expiry(uint16_t db, std::string_view key, uint64_t expires_at_ms) {
  std::optional<RowView> row = get(db, key);
  if (!row) return false;
  if (expires_at_ms != 0 && expires_at_ms <= now_ms_) return erase(db, key);
  row->expires_at_ms = expires_at_ms;
  std::string payload;
  const Version version = next_version(located_);
  if (row->kind == RowKind::kCounter) {
    // Keeps the base version, so that increments made elsewhere meanwhile still add up.
    const Status set = counter_set_expiry(*row, version, &payload);
    if (!set.ok()) {
      error_ = set;
      return false;
    }
    row->payload = payload;
  } else {
    row->version = version;
  }
  write_row(located_, *row);
  return true;
}

Result<int64_t> Tick::increment(uint16_t db, std::string_view key, int64_t delta) {
  std::optional<RowView> row = get(db, key);
  if (!located_.known) return int64_t{0};
  RowView counter{RowKind::kCounter, {}, 0, {}};
  if (row) {
    counter.version = row->version;
    counter.expires_at_ms = row->expires_at_ms;
  } else {
    counter.version = origin_version();
  }
  const RowView zero{RowKind::kString, counter.version, 0, "0"};
  std::string payload;
  const HlcStamp stamp = stamp_above(std::max(write_floor(located_), counter.version.stamp));
  Result<int64_t> sum =
      counter_add(row ? *row : zero, keyspace_.writer_id_, stamp, delta, &payload);
  if (sum.ok()) {
    counter.payload = payload;
    write_row(located_, counter);
    return sum;
  }
  if (!sum.status().is(StatusCode::kIncomplete)) return sum;
  // This writer's running total is full: begins again from the sum.
  Result<int64_t> value = counter_value(*row);
  if (!value.ok()) return value;
  payload = std::to_string(*value + delta);
  write_row(located_,
            RowView{RowKind::kString, next_version(located_), row->expires_at_ms, payload});
  return *value + delta;
}

// A counter that begins where no live row was gets a version that every replica would choose, so
// that two that begin it apart from each other hold one counter, and not two of which one is lost.
// It is above what was purged, or an old row that comes back with another node would replace it.
Version Tick::origin_version() const {
  const HlcStamp flushed = flush_stamp(located_.db);
  const Version origin{std::max(flushed, purge_floor(located_)) + 1, 0};
  if (!located_.row) return origin;
  Result<RowView> dead = decode_row(located_.row->value());
  if (!dead.ok() || dead->version.stamp <= flushed) return origin;
  Version death = dead->version;
  if (dead->kind != RowKind::kTombstone && dead->expired(now_ms_)) {
    death = std::max(Version{stamp_of_expiry(dead->expires_at_ms), 0},
                     Version{dead->version.stamp + 1, 0});
  }
  return std::max(origin, death);
}

void Tick::save_changes() {
  if (!saved_changes_) saved_changes_ = changes_;
}

void Tick::flush_db(uint16_t db) {
  assert(lock_ == Lock::kExclusive);
  save_changes();
  if (changes_.flush_stamp.empty()) changes_.flush_stamp.assign(keyspace_.databases_, 0);
  // Above the rows, too, that a clock far ahead of ours has stamped.
  changes_.flush_stamp[physical(db)] = stamp_above(keyspace_.ahead_stamp_);
  if (!changes_.survivors.empty()) changes_.survivors[physical(db)] = {};
  located_.known = false;
  touched_uncommitted_ = true;
}

void Tick::swap_dbs(uint16_t a, uint16_t b) {
  assert(lock_ == Lock::kExclusive);
  save_changes();
  if (changes_.physical.empty()) {
    for (uint32_t db = 0; db < keyspace_.databases_; ++db) {
      changes_.physical.push_back(keyspace_.physical_[db].load(std::memory_order_relaxed));
    }
  }
  std::swap(changes_.physical[a], changes_.physical[b]);
  located_.known = false;
  touched_uncommitted_ = true;
}

}  // namespace syntropy
