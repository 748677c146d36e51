// The reading half of a tick and the life of a command; tick_write.cc has the writing half,
// tick_commit.cc the end.
#include "storage/tick.h"

#include <xxhash.h>

#include <algorithm>
#include <cassert>

#include "storage/counter.h"
#include "storage/tick_scan.h"

namespace syntropy {

Tick::Tick(Keyspace& keyspace) : keyspace_(keyspace), batch_(keyspace.engine().new_batch()) {}

Tick::~Tick() { unlock(); }

void Tick::begin_command(uint64_t now_ms, ReadTier tier) {
  // A key that was drained must not come to life again when the wall clock steps back.
  now_ms_ = std::max(now_ms, keyspace_.watermark_ms_.load(std::memory_order_relaxed));
  if (has_watermark_) now_ms_ = std::max(now_ms_, watermark_.expires_at_ms);
  tier_ = tier;
  located_.known = false;
  pinned_.clear();
  misses_.clear();
  if (!error_.ok()) error_ = Status();
  touched_uncommitted_ = false;
  lookups_ = {};
  overlay_mark_ = overlay_.mark();
  saved_changes_.reset();
}

void Tick::begin_write() {
  if (lock_ == Lock::kExclusive) return;
  assert(lock_ == Lock::kNone);
  keyspace_.lock_.lock();
  lock_ = Lock::kExclusive;
  located_.known = false;  // what was read without the lock may be old by now
}

void Tick::begin_shared() {
  if (lock_ != Lock::kNone) return;
  keyspace_.lock_.lock_shared();
  lock_ = Lock::kShared;
}

void Tick::end_shared() {
  if (lock_ != Lock::kShared) return;
  unlock();
}

void Tick::unlock() {
  if (lock_ == Lock::kExclusive) keyspace_.lock_.unlock();
  if (lock_ == Lock::kShared) keyspace_.lock_.unlock_shared();
  lock_ = Lock::kNone;
}

void Tick::rollback_command() {
  overlay_.undo_to(overlay_mark_);
  if (saved_changes_) {
    changes_ = std::move(*saved_changes_);
    saved_changes_.reset();
  }
  located_.known = false;
}

uint16_t Tick::physical(uint16_t db) const {
  assert(db < keyspace_.databases_);
  if (!changes_.physical.empty()) return changes_.physical[db];
  return keyspace_.physical_[db].load(std::memory_order_relaxed);
}

HlcStamp Tick::committed_flush_stamp(uint16_t physical_db) const {
  return keyspace_.database_[physical_db].flush_stamp.load(std::memory_order_relaxed);
}

HlcStamp Tick::flush_stamp(uint16_t physical_db) const {
  if (!changes_.flush_stamp.empty() && changes_.flush_stamp[physical_db] != 0) {
    return changes_.flush_stamp[physical_db];
  }
  return committed_flush_stamp(physical_db);
}

bool Tick::live(const RowView& row, uint16_t physical_db) const {
  return row.kind != RowKind::kTombstone && !row.expired(now_ms_) &&
         row.version.stamp > flush_stamp(physical_db);
}

bool Tick::counts(const RowView& row, uint16_t physical_db, std::string_view row_key) const {
  if (row.kind == RowKind::kTombstone || row.version.stamp <= flush_stamp(physical_db)) {
    return false;
  }
  if (has_subkey(row_key)) return false;  // keys are counted, elements are not
  const ExpiryWatermark& watermark = has_watermark_ ? watermark_ : keyspace_.watermark_;
  return row.expires_at_ms == 0 || !watermark.covers(row.expires_at_ms, row_key);
}

RowRef Tick::load(uint64_t hash, std::string_view row_key, bool* known) {
  RowCache::Lookup cached = keyspace_.cache_.lookup(hash, row_key);
  *known = true;
  if (cached.row) return cached.row;
  const Status read = keyspace_.engine_.get(row_key, tier_, &scratch_);
  if (read.ok()) {
    RowRef row = RowBlock::make(hash, row_key, scratch_);
    keyspace_.cache_.fill(row, cached.generation);
    return row;
  }
  if (read.is(StatusCode::kNotFound)) return RowRef();
  *known = false;
  if (read.is(StatusCode::kIncomplete)) {
    misses_.emplace_back(row_key);
  } else {
    error_ = read;
  }
  return RowRef();
}

void Tick::warm(uint16_t db, std::string_view key) {
  thread_local std::string row_key;
  row_key.clear();
  encode_row_key(physical(db), key, {}, &row_key);
  warm_.push_back(XXH3_64bits(row_key.data(), row_key.size()));
}

void Tick::prefetch() {
  keyspace_.cache_.prefetch(warm_);
  warm_.clear();
}

Tick::Located& Tick::locate(uint16_t db, std::string_view key) {
  // A handler reads a key and then writes it: the second call finds what the first one did.
  const uint16_t physical_db = physical(db);
  thread_local std::string row_key;
  row_key.clear();
  encode_row_key(physical_db, key, {}, &row_key);
  return locate_row(physical_db, row_key);
}

Tick::Located& Tick::locate_row(uint16_t physical_db, std::string_view row_key) {
  if (located_.known && located_.row_key == row_key) return located_;
  located_.row_key = row_key;
  located_.hash = XXH3_64bits(located_.row_key.data(), located_.row_key.size());
  located_.db = physical_db;
  located_.entry = overlay_.find(located_.hash, located_.row_key);
  if (located_.entry != nullptr) {
    located_.row = located_.entry->removed() ? RowRef() : located_.entry->current;
    located_.known = true;
  } else {
    located_.row = load(located_.hash, located_.row_key, &located_.known);
  }
  return located_;
}

std::optional<RowView> Tick::get(uint16_t db, std::string_view key) {
  if (lock_ != Lock::kNone) return get_once(db, key);
  // Without the lock, the row, the mapping and the flush stamps must be of one moment.
  while (true) {
    const uint64_t epoch = keyspace_.database_epoch_.load();
    if (epoch % 2 == 0) {
      std::optional<RowView> row = get_once(db, key);
      if (keyspace_.database_epoch_.load() == epoch) return row;
      located_.known = false;
      misses_.clear();
    }
    begin_shared();  // until that commit has ended
    end_shared();
  }
}

std::optional<RowView> Tick::get_once(uint16_t db, std::string_view key) {
  Located& at = locate(db, key);
  const bool databases_changed = !changes_.flush_stamp.empty() || !changes_.physical.empty();
  if (at.entry != nullptr || databases_changed) touched_uncommitted_ = true;
  if (!at.row) {
    ++lookups_.absent;
    return std::nullopt;
  }
  Result<RowView> row = decode_row(at.row->value());
  if (!row.ok()) {
    error_ = row.status();
    return std::nullopt;
  }
  // Handlers take a counter's payload for well-formed.
  if (row->kind == RowKind::kCounter) {
    if (const Result<int64_t> value = counter_value_saturated(*row); !value.ok()) {
      error_ = value.status();
      return std::nullopt;
    }
  }
  if (!live(*row, at.db)) {
    ++lookups_.absent;
    return std::nullopt;
  }
  ++lookups_.found;
  pinned_.push_back(at.row);
  return *row;
}

HlcStamp Tick::latest_stamp() const {
  // Holding the lock exclusively, the tick's own uncommitted rows count as well.
  return lock_ == Lock::kExclusive ? std::max(keyspace_.hlc_.last(), keyspace_.ahead_stamp_)
                                   : keyspace_.latest_stamp_.load();
}

uint64_t Tick::fingerprint(uint16_t db, std::string_view key, HlcStamp since) {
  if (get(db, key)) {
    const std::string_view bytes = located_.row->value();
    return XXH3_64bits(bytes.data(), bytes.size()) | 2;
  }
  // Of what was purged since, nobody knows any more whether it had come and gone.
  if (!located_.row) return purged_up_to() > since ? 1 : 0;
  const Result<RowView> dead = decode_row(located_.row->value());
  return dead.ok() && dead->version.stamp > since ? 1 : 0;
}

Result<std::optional<ScanPosition>> Tick::scan(uint16_t db, ScanPosition from, uint64_t budget,
                                               const Visitor& visit) {
  if (has_writes()) touched_uncommitted_ = true;
  const uint16_t physical_db = physical(db);
  std::string lower;
  encode_row_position(from.slot, physical_db, from.hash, &lower);
  TickScan walk(keyspace_.engine_, overlay_, physical_db, std::move(lower));
  std::optional<ScanPosition> group;
  bool stop = false;
  for (uint64_t visited = 0; walk.valid(); walk.next(), ++visited) {
    const RowKeyView& at = walk.key();
    const bool same_group = group && group->slot == at.slot && group->hash == at.hash;
    if (!same_group && (stop || visited >= budget))
      return std::optional(ScanPosition{at.slot, at.hash});
    group = ScanPosition{at.slot, at.hash};
    if (!at.subkey.empty() || stop) continue;
    Result<RowView> row = decode_row(walk.value());
    if (!row.ok()) return row.status();
    if (live(*row, physical_db) && !visit(at.key, *row)) stop = true;
  }
  if (!walk.status().ok()) return walk.status();
  return std::optional<ScanPosition>();
}

}  // namespace syntropy
