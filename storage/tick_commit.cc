// The end of a tick: one batch with the rows, the expiry index, and the records of the databases.
#include <xxhash.h>

#include <algorithm>
#include <cassert>

#include "storage/base/coding.h"
#include "storage/local_keys.h"
#include "storage/local_records.h"
#include "storage/tick.h"

namespace syntropy {
namespace {

std::string expiry_key(uint64_t expires_at_ms, std::string_view row_key) {
  std::string key;
  encode_expiry_key(expires_at_ms, row_key, &key);
  return key;
}

}  // namespace

bool Tick::has_writes() const {
  return !overlay_.empty() || !changes_.physical.empty() || !changes_.flush_stamp.empty() ||
         changes_.purged_up_to != 0 || has_watermark_ || log_change_.has_value();
}

size_t Tick::pending_bytes() const { return overlay_.bytes(); }

uint64_t Tick::key_count(uint16_t db) { return count(db, &Keyspace::Database::keys, false); }

uint64_t Tick::expiring_count(uint16_t db) {
  return count(db, &Keyspace::Database::expiring, true);
}

uint64_t Tick::count(uint16_t db, std::atomic<int64_t> Keyspace::Database::*counter,
                     bool expiring) {
  const uint16_t physical_db = physical(db);
  const int64_t committed = (keyspace_.database_[physical_db].*counter).load();
  if (!has_writes()) return static_cast<uint64_t>(std::max<int64_t>(committed, 0));
  touched_uncommitted_ = true;
  measure_deltas();
  const bool flushed = flushed_here(physical_db);
  const CountDelta& change = delta_of(physical_db);
  const int64_t delta = expiring ? change.expiring : change.keys;
  const DatabaseCounts left = survivors(physical_db);
  const auto base = static_cast<int64_t>(expiring ? left.expiring : left.keys);
  return static_cast<uint64_t>(std::max<int64_t>((flushed ? base : committed) + delta, 0));
}

bool Tick::flushed_here(uint16_t physical_db) const {
  return !changes_.flush_stamp.empty() && changes_.flush_stamp[physical_db] != 0;
}

// What a flush of this tick leaves of the committed keys.
DatabaseCounts Tick::survivors(uint16_t physical_db) const {
  return changes_.survivors.empty() ? DatabaseCounts{} : changes_.survivors[physical_db];
}

bool Tick::base_survives(const Overlay::Entry& entry) const {
  if (!flushed_here(entry.db)) return true;
  if (!entry.base) return false;
  Result<RowView> base = decode_row(entry.base->value());
  return base.ok() && base->version.stamp > flush_stamp(entry.db);
}

// What the tick changes of the counts. A database that it flushes starts from what survives that
// (nothing, if the flush is our own), so there only what is live after the flush adds to it.
void Tick::measure_deltas() {
  for (const uint16_t db : counted_) count_delta_[db] = {};
  counted_.clear();
  for (uint32_t db = 0; db < changes_.flush_stamp.size(); ++db) {
    if (changes_.flush_stamp[db] != 0) delta_of(static_cast<uint16_t>(db));
  }
  overlay_.for_each([&](Overlay::Entry& entry) {
    CountDelta& delta = delta_of(entry.db);
    entry.keys_delta = 0;
    if (base_survives(entry)) {
      entry.keys_delta = entry.base_counted ? -1 : 0;
      delta.expiring -= entry.base_expiring;
    }
    if (!entry.removed()) {
      Result<RowView> row = decode_row(entry.current->value());
      assert(row.ok());
      if (counts(*row, entry.db, entry.current->key())) {
        ++entry.keys_delta;
        delta.expiring += row->expires_at_ms != 0;
      }
    }
    delta.keys += entry.keys_delta;
  });
  for (Due& due : drained_) {
    due.leaves_count = false;
    if (due.stamp <= flush_stamp(due.db)) continue;
    // A row that the tick wrote before it was drained is accounted for by its entry.
    const Overlay::Entry* entry = overlay_.find(due.hash, due.row_key);
    if (entry != nullptr && entry->base_counted) continue;
    due.leaves_count = true;
    --delta_of(due.db).keys;
    --delta_of(due.db).expiring;
  }
}

Tick::CountDelta& Tick::delta_of(uint16_t physical_db) {
  if (count_delta_.empty()) count_delta_.resize(keyspace_.databases_);
  CountDelta& delta = count_delta_[physical_db];
  if (!delta.measured) counted_.push_back(physical_db);
  delta.measured = true;
  return delta;
}

uint64_t Tick::drain_expired(uint64_t limit) {
  assert(lock_ == Lock::kExclusive);
  const size_t before = drained_.size();
  const Status collected = collect_due(limit);
  if (!collected.ok()) error_ = collected;
  touched_uncommitted_ = touched_uncommitted_ || drained_.size() > before;
  return drained_.size() - before;
}

Status Tick::collect_due(uint64_t limit) {
  const ExpiryWatermark from = has_watermark_ ? watermark_ : keyspace_.watermark_;
  const std::string begin = expiry_key(from.expires_at_ms, from.row_key);
  auto index = keyspace_.engine_.iterate(begin, expiry_position(now_ms_ + 1), nullptr);
  index->seek(begin);
  for (; index->valid() && limit > 0; index->next()) {
    const std::optional<ExpiryKeyView> record = decode_expiry_key(index->key());
    Result<uint64_t> stamp = decode_u64(index->value());
    if (!record || !stamp.ok())
      return Status::corruption("a record of the expiry index is ill-formed");
    if (from.covers(record->expires_at_ms, record->row_key)) continue;
    Result<RowKeyView> key = decode_row_key(record->row_key);
    if (!key.ok()) return key.status();
    if (key->db >= keyspace_.databases_) continue;
    drained_.push_back({record->expires_at_ms, *stamp, key->db,
                        XXH3_64bits(record->row_key.data(), record->row_key.size()),
                        std::string(record->row_key)});
    watermark_ = {record->expires_at_ms, std::string(record->row_key)};
    has_watermark_ = true;
    --limit;
  }
  return index->status();
}

Status Tick::commit() {
  if (lock_ != Lock::kExclusive) return Status();
  if (!has_writes()) {
    unlock();
    return Status();
  }
  measure_deltas();
  batch_->clear();
  fill_batch(*batch_);
  if (ReplicationLog* log = keyspace_.log_.get(); log != nullptr) {
    const Status staged = stage_log();
    if (!staged.ok()) {
      forget_writes();
      unlock();
      return staged;
    }
  }
  // Swapped databases and the like change no row.
  const bool tells = keyspace_.row_listener_ != nullptr &&
                     (!overlay_.empty() || !drained_.empty() || !changes_.flush_stamp.empty());
  const uint64_t commit_number = keyspace_.commits_ + 1;
  if (tells) {
    batch_->put(commits_record_key(), encode_u64(commit_number));
    tell_changes(commit_number);
  }
  overlay_.for_each([&](Overlay::Entry& entry) {
    keyspace_.cache_.begin_commit(entry.current->hash(), entry.current->key());
  });
  // Readers without the lock wait for such a commit to end; of all others each row stands alone.
  const bool changes_databases = !changes_.physical.empty() || !changes_.flush_stamp.empty();
  if (changes_databases) keyspace_.database_epoch_.fetch_add(1);
  const Status written = keyspace_.engine_.write(*batch_);
  if (written.ok()) {
    publish();
  } else {
    overlay_.for_each([&](Overlay::Entry& entry) {
      keyspace_.cache_.abort_commit(entry.current->hash(), entry.current->key());
    });
  }
  if (changes_databases) keyspace_.database_epoch_.fetch_add(1);
  if (tells) {
    if (written.ok()) keyspace_.commits_ = commit_number;
    keyspace_.row_listener_->changed(commit_number, written.ok());
  }
  const bool logged = log_staged_ && written.ok();
  forget_writes();
  unlock();
  if (logged) keyspace_.log_->notify();
  return written;
}

Status Tick::stage_log() {
  ReplicationLog& log = *keyspace_.log_;
  if (!changes_.physical.empty()) {
    return Status::unavailable("databases of a replicated store can't be exchanged");
  }
  if (!log_change_) {
    LogRecordBuilder& record = log.builder();
    record.clear();
    record.reserve(overlay_.bytes());
    for (uint32_t db = 0; db < changes_.flush_stamp.size(); ++db) {
      const HlcStamp stamp = changes_.flush_stamp[db];
      if (stamp != 0) record.add_flush(static_cast<uint16_t>(db), stamp);
    }
    if (changes_.purged_up_to != 0) record.add_purge_watermark(changes_.purged_up_to);
    for (const auto& [position, entry] : sorted_) {
      if (entry->removed()) {
        record.add_purge(entry->removed_up_to, entry->current->key());
      } else {
        record.add_row(entry->current->key(), entry->current->value());
      }
    }
    if (record.empty()) return {};  // local records alone
  }
  const Status staged = log.stage(log_change_ ? &*log_change_ : nullptr, generation_, *batch_);
  log_staged_ = staged.ok();
  return staged;
}

void Tick::fill_batch(EngineBatch& batch) {
  // In the order of keys: the memtable finds each place next to the last one. Their first eight
  // bytes (slot, database, hash) nearly always tell them apart.
  sorted_.clear();
  overlay_.for_each([&](Overlay::Entry& entry) {
    sorted_.emplace_back(load_be<uint64_t>(entry.current->key().data()), &entry);
  });
  std::sort(sorted_.begin(), sorted_.end(), [](const auto& a, const auto& b) {
    if (a.first != b.first) return a.first < b.first;
    return a.second->current->key() < b.second->current->key();
  });
  for (const auto& [position, entry] : sorted_) fill_row(batch, *entry);
  for (const Due& due : drained_) {
    batch.erase(expiry_key(due.expires_at_ms, due.row_key));
  }
  if (has_watermark_) {
    batch.put(watermark_record_key(), encode_watermark(watermark_));
  }
  fill_database_changes(batch);
  if (changes_.purged_up_to != 0) {
    batch.put(purged_record_key(), encode_u64(changes_.purged_up_to));
  }
  if (keyspace_.unsaved_clock_bound_ != 0) {
    batch.put(clock_record_key(), encode_u64(keyspace_.unsaved_clock_bound_));
  }
  if (keyspace_.ahead_unsaved_) batch.put(ahead_record_key(), encode_u64(keyspace_.ahead_stamp_));
}

void Tick::fill_row(EngineBatch& batch, Overlay::Entry& entry) {
  const std::string_view row_key = entry.current->key();
  const uint64_t old_expiry = entry.base_expires_at_ms;
  if (entry.removed()) {
    batch.erase(row_key);
    if (old_expiry != 0) batch.erase(expiry_key(old_expiry, row_key));
    return;
  }
  batch.put(row_key, entry.current->value());
  Result<RowView> row = decode_row(entry.current->value());
  assert(row.ok());
  const bool indexed = row->expires_at_ms != 0 && counts(*row, entry.db, row_key);
  if (old_expiry != 0 && !(indexed && old_expiry == row->expires_at_ms)) {
    batch.erase(expiry_key(old_expiry, row_key));
  }
  if (indexed) {
    batch.put(expiry_key(row->expires_at_ms, row_key), encode_u64(row->version.stamp));
  }
}

void Tick::fill_database_changes(EngineBatch& batch) {
  for (const uint16_t db : counted_) {
    const CountDelta& delta = count_delta_[db];
    const bool flushed = flushed_here(db);
    if (flushed) batch.put(flush_record_key(db), encode_u64(changes_.flush_stamp[db]));
    if (!flushed && delta.keys == 0 && delta.expiring == 0) continue;
    const Keyspace::Database& database = keyspace_.database_[db];
    const DatabaseCounts left = survivors(db);
    const int64_t keys =
        (flushed ? static_cast<int64_t>(left.keys) : database.keys.load()) + delta.keys;
    const int64_t expiring =
        (flushed ? static_cast<int64_t>(left.expiring) : database.expiring.load()) + delta.expiring;
    batch.put(count_record_key(db),
              encode_counts({static_cast<uint64_t>(std::max<int64_t>(keys, 0)),
                             static_cast<uint64_t>(std::max<int64_t>(expiring, 0))}));
  }
  if (!changes_.physical.empty()) {
    batch.put(databases_record_key(), encode_database_map(changes_.physical));
  }
}

// The engine has applied the batch: makes the shared state follow, even if the batch could not be
// stored, because the counts in the batches to come build on this one.
void Tick::publish() {
  for (const uint16_t db : counted_) {
    Keyspace::Database& database = keyspace_.database_[db];
    if (flushed_here(db)) {
      keyspace_.publish_flush_stamp(db, changes_.flush_stamp[db]);
      database.keys.store(static_cast<int64_t>(survivors(db).keys));
      database.expiring.store(static_cast<int64_t>(survivors(db).expiring));
    }
    const CountDelta& delta = count_delta_[db];
    if (delta.keys != 0) database.keys.fetch_add(delta.keys);
    if (delta.expiring != 0) database.expiring.fetch_add(delta.expiring);
  }
  for (uint32_t db = 0; db < changes_.physical.size(); ++db) {
    keyspace_.physical_[db].store(changes_.physical[db]);
  }
  if (has_watermark_) {
    keyspace_.watermark_ = watermark_;
    keyspace_.publish_watermark();
    keyspace_.expired_keys_.fetch_add(drained_.size(), std::memory_order_relaxed);
  }
  keyspace_.unsaved_clock_bound_ = 0;
  keyspace_.ahead_unsaved_ = false;
  keyspace_.latest_stamp_.store(std::max(keyspace_.hlc_.last(), keyspace_.ahead_stamp_));
  if (log_staged_) keyspace_.log_->publish();
  if (changes_.purged_up_to != 0) keyspace_.purged_up_to_.store(changes_.purged_up_to);
  overlay_.for_each([&](Overlay::Entry& entry) {
    if (entry.removed()) {
      keyspace_.cache_.end_removal(entry.current->hash(), entry.current->key());
    } else {
      keyspace_.cache_.end_commit(entry.current, !entry.base);
    }
  });
}

void Tick::forget_writes() {
  overlay_.clear();
  changes_ = {};
  drained_.clear();
  has_watermark_ = false;
  log_change_.reset();
  log_staged_ = false;
  located_ = {};
  overlay_mark_ = 0;
  saved_changes_.reset();
}

}  // namespace syntropy
