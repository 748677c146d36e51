#include "storage/keyspace.h"

#include <xxhash.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "storage/local_keys.h"
#include "storage/tick.h"

namespace syntropy {
namespace {

/// The value of a local record; nullopt when there is none.
Result<std::optional<std::string>> read_record(Engine& engine, const std::string& key) {
  std::string value;
  const Status read = engine.get(key, ReadTier::kDisk, &value);
  if (read.ok()) return std::optional(std::move(value));
  if (read.is(StatusCode::kNotFound)) return std::optional<std::string>();
  return read;
}

Result<uint64_t> read_number(Engine& engine, const std::string& key) {
  Result<std::optional<std::string>> value = read_record(engine, key);
  if (!value.ok()) return value.status();
  if (!*value) return uint64_t{0};
  return decode_u64(**value);
}

Result<WriterId> writer_id_of(Engine& engine, WriterId new_id, bool replicated) {
  Result<uint64_t> stored = read_number(engine, writer_record_key());
  if (!stored.ok()) return stored;
  Result<std::optional<std::string>> clean = read_record(engine, clean_record_key());
  if (!clean.ok()) return clean.status();
  const bool keep = *stored != 0 && (clean->has_value() || !replicated);
  if (keep && !clean->has_value()) return stored;
  std::unique_ptr<EngineBatch> batch = engine.new_batch();
  if (!keep) batch->put(writer_record_key(), encode_u64(new_id));
  if (clean->has_value()) batch->erase(clean_record_key());
  Status written = engine.write(*batch);
  // No row may be stamped with an id that the loss of power could take back.
  if (written.ok()) written = engine.sync();
  if (!written.ok()) return written;
  return keep ? *stored : new_id;
}

std::string end_of(std::string prefix) {
  prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

}  // namespace

KeyspaceLock::KeyspaceLock() {
  pthread_rwlockattr_t attributes;
  pthread_rwlockattr_init(&attributes);
  pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  pthread_rwlock_init(&lock_, &attributes);
  pthread_rwlockattr_destroy(&attributes);
}

Keyspace::Keyspace(Engine& engine, Clock& clock, PurgePolicy& purge, const KeyspaceOptions& options,
                   HlcStamp clock_bound)
    : engine_(engine),
      clock_(clock),
      purge_(purge),
      databases_(options.databases),
      cache_(options.row_cache_bytes),
      database_(std::make_unique<Database[]>(options.databases)),
      physical_(std::make_unique<std::atomic<uint16_t>[]>(options.databases)),
      hlc_(clock_bound, HlcOptions{.max_drift_ms = options.max_clock_drift_ms}) {}

Result<std::unique_ptr<Keyspace>> Keyspace::open(Engine& engine, Clock& clock, PurgePolicy& purge,
                                                 const KeyspaceOptions& options) {
  Result<bool> was_replicated = ReplicationLog::exists(engine);
  if (!was_replicated.ok()) return was_replicated.status();
  const bool replicated = options.replicated || *was_replicated;
  Result<WriterId> writer = writer_id_of(engine, options.new_writer_id, replicated);
  if (!writer.ok()) return writer.status();
  Result<uint64_t> clock_bound = read_number(engine, clock_record_key());
  if (!clock_bound.ok()) return clock_bound.status();
  Result<uint64_t> ahead = read_number(engine, ahead_record_key());
  if (!ahead.ok()) return ahead.status();
  Result<uint64_t> purged = read_number(engine, purged_record_key());
  if (!purged.ok()) return purged.status();
  std::unique_ptr<Keyspace> keyspace(new Keyspace(engine, clock, purge, options, *clock_bound));
  keyspace->writer_id_ = *writer;
  keyspace->ahead_stamp_ = *ahead;
  keyspace->purged_up_to_ = *purged;
  keyspace->latest_stamp_ = std::max(keyspace->hlc_.last(), *ahead);
  if (replicated) {
    Result<std::unique_ptr<ReplicationLog>> log = ReplicationLog::open(engine, options.log);
    if (!log.ok()) return log.status();
    keyspace->log_ = std::move(*log);
    keyspace->log_view_ = keyspace->log_.get();
  }
  Status loaded = keyspace->load_databases();
  if (loaded.ok()) loaded = keyspace->load_watermark();
  if (!loaded.ok()) return loaded;
  return keyspace;
}

Status Keyspace::load_databases() {
  const auto each_record = [&](const std::string& begin, auto&& take) -> Status {
    auto records = engine_.iterate(begin, end_of(begin), nullptr);
    for (records->seek(begin); records->valid(); records->next()) {
      Result<uint16_t> db = database_of_record(records->key());
      if (!db.ok()) return db.status();
      const Status taken = take(*db, records->value());
      if (!taken.ok()) return taken;
    }
    return records->status();
  };
  const Status counted =
      each_record(count_records_begin(), [&](uint16_t db, std::string_view value) -> Status {
        Result<DatabaseCounts> counts = decode_counts(value);
        if (!counts.ok()) return counts.status();
        if (db >= databases_) {
          if (counts->keys == 0) return Status();
          return Status::invalid_argument(
              "database " + std::to_string(db) + " holds " + std::to_string(counts->keys) +
              " keys: start with 'databases' at least " + std::to_string(db + 1));
        }
        database_[db].keys = static_cast<int64_t>(counts->keys);
        database_[db].expiring = static_cast<int64_t>(counts->expiring);
        return Status();
      });
  if (!counted.ok()) return counted;
  const Status flushed =
      each_record(flush_records_begin(), [&](uint16_t db, std::string_view value) -> Status {
        Result<uint64_t> stamp = decode_u64(value);
        if (!stamp.ok()) return stamp.status();
        purge_.set_flush_stamp(db, *stamp);
        if (db < databases_) database_[db].flush_stamp = *stamp;
        return Status();
      });
  if (!flushed.ok()) return flushed;
  return load_database_map();
}

Status Keyspace::load_database_map() {
  std::vector<uint16_t> physical(databases_);
  std::iota(physical.begin(), physical.end(), uint16_t{0});
  Result<std::optional<std::string>> record = read_record(engine_, databases_record_key());
  if (!record.ok()) return record.status();
  if (*record) {
    Result<std::vector<uint16_t>> stored = decode_database_map(**record);
    if (!stored.ok()) return stored.status();
    // Databases added since keep their own numbers; one less than was swapped can't be mapped.
    for (size_t db = 0; db < stored->size(); ++db) {
      if (db < databases_ && (*stored)[db] < databases_) {
        physical[db] = (*stored)[db];
      } else if ((*stored)[db] != db) {
        return Status::invalid_argument("SWAPDB has exchanged database " + std::to_string(db) +
                                        ": start with 'databases' at least " +
                                        std::to_string(stored->size()));
      }
    }
  }
  for (uint32_t db = 0; db < databases_; ++db) physical_[db] = physical[db];
  return Status();
}

Status Keyspace::load_watermark() {
  Result<std::optional<std::string>> record = read_record(engine_, watermark_record_key());
  if (!record.ok()) return record.status();
  if (!*record) return Status();
  Result<ExpiryWatermark> watermark = decode_watermark(**record);
  if (!watermark.ok()) return watermark.status();
  watermark_ = *watermark;
  publish_watermark();
  return Status();
}

void Keyspace::publish_watermark() {
  watermark_ms_.store(watermark_.expires_at_ms, std::memory_order_relaxed);
  // Of the last millisecond some may still have to be drained.
  std::lock_guard lock(purge_mutex_);
  if (watermark_.expires_at_ms > 0) unsettled_watermark_ms_ = watermark_.expires_at_ms - 1;
}

void Keyspace::publish_flush_stamp(uint16_t db, HlcStamp stamp) {
  database_[db].flush_stamp.store(stamp);
  std::lock_guard lock(purge_mutex_);
  unsettled_flush_stamps_.emplace_back(db, stamp);
}

Result<bool> Keyspace::settle_purge() {
  uint64_t watermark_ms = 0;
  std::vector<std::pair<uint16_t, HlcStamp>> flushed;
  uint64_t discards = 0;
  {
    std::lock_guard lock(purge_mutex_);
    discards = discards_;
    watermark_ms = unsettled_watermark_ms_;
    flushed = unsettled_flush_stamps_;
  }
  if (watermark_ms == 0 && flushed.empty()) return false;
  const Status synced = engine_.sync();
  if (!synced.ok()) return synced;
  std::lock_guard lock(purge_mutex_);
  purge_.set_drained_watermark(watermark_ms);
  if (discards != discards_) return false;
  for (const auto& [db, stamp] : flushed) purge_.set_flush_stamp(db, stamp);
  if (unsettled_watermark_ms_ == watermark_ms) unsettled_watermark_ms_ = 0;
  unsettled_flush_stamps_.erase(
      unsettled_flush_stamps_.begin(),
      unsettled_flush_stamps_.begin() + static_cast<std::ptrdiff_t>(flushed.size()));
  return !flushed.empty();
}

uint64_t Keyspace::key_count(uint16_t db) const {
  const int64_t keys = database_[physical_[db].load()].keys.load();
  return keys < 0 ? 0 : static_cast<uint64_t>(keys);
}

uint64_t Keyspace::expiring_count(uint16_t db) const {
  const int64_t keys = database_[physical_[db].load()].expiring.load();
  return keys < 0 ? 0 : static_cast<uint64_t>(keys);
}

Status Keyspace::fetch(const std::vector<std::string>& row_keys) {
  std::string value;
  for (const std::string& row_key : row_keys) {
    const uint64_t hash = XXH3_64bits(row_key.data(), row_key.size());
    const RowCache::Lookup cached = cache_.lookup(hash, row_key);
    if (cached.row) continue;
    const Status read = engine_.get(row_key, ReadTier::kDisk, &value);
    if (read.ok()) {
      cache_.fill(RowBlock::make(hash, row_key, value), cached.generation);
    } else if (!read.is(StatusCode::kNotFound)) {
      return read;
    }
  }
  return Status();
}

Result<uint64_t> Keyspace::expire_due(uint64_t now_ms, uint64_t limit) {
  Tick tick(*this);
  tick.begin_command(now_ms, ReadTier::kDisk);
  tick.begin_write();
  const uint64_t drained = tick.drain_expired(limit);
  if (!tick.error().ok()) return tick.error();
  const Status committed = tick.commit();
  if (!committed.ok()) return committed;
  return drained;
}

Status Keyspace::start_replication(const ReplicationLogOptions& options, const LineageId& first) {
  const std::lock_guard lock(lock_);
  if (log_) return {};
  Result<std::unique_ptr<ReplicationLog>> log = ReplicationLog::open(engine_, options);
  if (!log.ok()) return log.status();
  LogChange change;
  change.kind = LogChange::Kind::kMove;
  change.position.begin_lineage(first);
  change.writer = true;
  std::unique_ptr<EngineBatch> batch = engine_.new_batch();
  Status written = (*log)->stage(&change, UINT64_MAX, *batch);
  if (written.ok()) written = engine_.write(*batch);
  if (!written.ok()) return written;
  (*log)->publish();
  log_ = std::move(*log);
  log_view_.store(log_.get(), std::memory_order_release);
  if (row_listener_ != nullptr) row_listener_->recount();
  return {};
}

Status Keyspace::set_row_listener(RowChangeListener* listener, uint64_t* stored) {
  const std::lock_guard lock(lock_);
  Result<std::optional<std::string>> record = read_record(engine_, commits_record_key());
  if (!record.ok()) return record.status();
  commits_ = 0;
  if (*record) {
    const Result<uint64_t> commits = decode_u64(**record);
    if (!commits.ok()) return commits.status();
    commits_ = *commits;
  }
  if (stored != nullptr) *stored = commits_;
  row_listener_ = listener;
  if (listener != nullptr || !*record) return {};
  const std::unique_ptr<EngineBatch> batch = engine_.new_batch();
  batch->erase(commits_record_key());
  return engine_.write(*batch);
}

Status Keyspace::mend_row(const std::string& row_key, const std::optional<std::string>& present,
                          std::string_view value) {
  const std::lock_guard lock(lock_);
  Result<std::optional<std::string>> now = read_record(engine_, row_key);
  if (!now.ok()) return now.status();
  if (*now != present) return Status::unavailable("the row was written to meanwhile");
  const std::unique_ptr<EngineBatch> batch = engine_.new_batch();
  batch->put(row_key, value);
  const uint64_t hash = XXH3_64bits(row_key.data(), row_key.size());
  cache_.begin_commit(hash, row_key);
  const Status written = engine_.write(*batch);
  if (written.ok()) {
    cache_.end_commit(RowBlock::make(hash, row_key, value), /*fresh=*/true);
  } else {
    cache_.abort_commit(hash, row_key);
  }
  return written;
}

RowCoverage Keyspace::coverage_locked() const {
  RowCoverage coverage;
  coverage.dead_rows = covers_dead_rows();
  for (uint32_t db = 0; db < databases_; ++db) {
    coverage.flush_stamps.push_back(database_[db].flush_stamp.load());
  }
  coverage.watermark = watermark_;
  return coverage;
}

RowCoverage Keyspace::coverage() {
  lock_.lock_shared();
  RowCoverage coverage = coverage_locked();
  lock_.unlock_shared();
  return coverage;
}

FrozenRows Keyspace::freeze(const std::function<void(uint64_t commit)>& frozen) {
  FrozenRows rows;
  lock_.lock_shared();
  rows.snapshot = engine_.snapshot();
  rows.commit = commits_;
  rows.coverage = coverage_locked();
  rows.clock = hlc_.last();
  if (frozen) frozen(rows.commit);
  lock_.unlock_shared();
  return rows;
}

Status Keyspace::mark_clean() {
  std::unique_ptr<EngineBatch> batch = engine_.new_batch();
  batch->put(clean_record_key(), {});
  // In one log with the rest, so it is durable only if all before it is.
  const Status written = engine_.write(*batch);
  return written.ok() ? engine_.sync() : written;
}

KeyspaceStats Keyspace::stats() const {
  KeyspaceStats stats;
  stats.row_cache = cache_.stats();
  stats.expired_keys = expired_keys_.load(std::memory_order_relaxed);
  stats.writer_id = writer_id_;
  stats.clock_refusals = clock_refusals_.load(std::memory_order_relaxed);
  stats.clock_worst_drift_ms = clock_worst_drift_ms_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace syntropy
