// Keyspace: databases of keys over an engine. Rows go in and out through ticks (storage/tick.h);
// the keyspace holds what all ticks share: the clock that stamps rows, the row cache, the exact
// number of keys per database, the expiry index, and the writers' lock.
//
// Databases. Clients name them 0..n-1; rows carry physical numbers. SWAPDB exchanges two entries
// of the mapping. FLUSHDB writes a flush stamp: rows of the database with a version not above it
// are dead, whatever else they say, and are removed by compaction.
//
// Counting. A key counts from the moment its first row is live until it is deleted, flushed or
// drained. A row whose expiry has come reads as absent at once; it leaves the counts when the
// expiry index is drained up to it, which a timer and every count do. The drained position is a
// watermark (time, row key), persisted with the counts in the same write as the rows.
//
// Purging. Where other nodes hold copies, dead rows stay until the layer above has proved that all
// replicas hold them; then Tick::purge_row() removes them for good. The *purge watermark* is a
// stamp: rows that died at or before it may have been removed, here and by whoever holds the same
// one.
//
// Invariants
//   1. The counts equal the live rows plus the expired ones behind the watermark, after any crash.
//   2. The expiry index holds one record for each counted row that has an expiry.
//   3. A row written here has a greater version than the one that it replaces.
//
// Thread safety: any thread.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/hlc.h"
#include "storage/base/status.h"
#include "storage/engine.h"
#include "storage/local_records.h"
#include "storage/purge.h"
#include "storage/replication_log.h"
#include "storage/row_cache.h"
#include "storage/row_changes.h"

namespace syntropy {

struct KeyspaceOptions {
  uint32_t databases = 16;                     // 1..65536
  size_t row_cache_bytes = size_t{128} << 20;  // 0: none
  uint64_t max_clock_drift_ms = 60'000;        // storage/base/hlc.h
  /// For a directory that has none yet, and see `replicated`. Random; not 0.
  WriterId new_writer_id = 0;
  /// Other nodes hold copies of the rows: the keyspace keeps a replication log. A store that once
  /// was replicated is so for good, whatever this says. A start that wasn't preceded by
  /// mark_clean() then takes the new writer id: what the loss of power took from this node may live
  /// on elsewhere, and a counter's total that goes on from an older one in the same name would
  /// replace the newer.
  bool replicated = false;
  ReplicationLogOptions log;
};

struct KeyspaceStats {
  RowCacheStats row_cache;
  uint64_t clock_refusals = 0;  // remote stamps too far ahead to be followed
  uint64_t clock_worst_drift_ms = 0;
  uint64_t expired_keys = 0;  // drained since the start
  WriterId writer_id = 0;
};

/// A reader-writer lock that doesn't let a stream of readers keep a writer out.
class KeyspaceLock {
 public:
  KeyspaceLock();
  ~KeyspaceLock() { pthread_rwlock_destroy(&lock_); }
  KeyspaceLock(const KeyspaceLock&) = delete;
  KeyspaceLock& operator=(const KeyspaceLock&) = delete;
  void lock() { pthread_rwlock_wrlock(&lock_); }
  void unlock() { pthread_rwlock_unlock(&lock_); }
  void lock_shared() { pthread_rwlock_rdlock(&lock_); }
  void unlock_shared() { pthread_rwlock_unlock(&lock_); }

 private:
  pthread_rwlock_t lock_;
};

class Keyspace {
 public:
  /// Reads the node-local records and makes those that are missing. `engine`, `clock` and `purge`
  /// must outlive the keyspace. kInvalidArgument when a database above `databases` holds keys.
  static Result<std::unique_ptr<Keyspace>> open(Engine& engine, Clock& clock, PurgePolicy& purge,
                                                const KeyspaceOptions& options);

  uint32_t databases() const { return databases_; }
  /// Puts `value` into the place of `present` (nullopt: nothing), which a rotten disk has made of
  /// it: the row as it was written. Counts, index and log account for it already. kUnavailable when
  /// something else lies there by now.
  Status mend_row(const std::string& row_key, const std::optional<std::string>& present,
                  std::string_view value);
  /// Which rows listeners are told of, as of now.
  RowCoverage coverage();
  /// Keys of the database, with those expired that aren't drained yet. For INFO; a tick's
  /// key_count() is exact.
  uint64_t key_count(uint16_t db) const;
  uint64_t expiring_count(uint16_t db) const;

  /// Reads rows, by their encoded keys, from the disk into the caches, so that a tick finds them in
  /// memory. The first error ends it.
  Status fetch(const std::vector<std::string>& row_keys);

  /// One step of active expiry: drains at most `limit` due keys in a tick of its own.
  Result<uint64_t> expire_due(uint64_t now_ms, uint64_t limit);

  /// Lets compaction remove what was flushed or drained: makes durable first what says so, because
  /// a removal is for good. Called once in a while by a timer, from one thread. Returns whether a
  /// database was flushed, so that a compaction would free much.
  Result<bool> settle_purge();

  /// The purge watermark: 0 when nothing was ever purged. Stored in the same write as the removals
  /// that it allows; never goes back but by discard_rows().
  HlcStamp purged_up_to() const { return purged_up_to_.load(); }

  /// Null when the store isn't replicated. Until LogApplier::begin_lineage() makes it the writer, a
  /// replicated keyspace refuses to commit changes of rows.
  ReplicationLog* replication_log() const { return log_view_.load(std::memory_order_acquire); }
  /// Makes a store that isn't replicated one that is, and the writer of a first lineage; nothing if
  /// it is one. On an error it isn't.
  Status start_replication(const ReplicationLogOptions& options, const LineageId& first);

  /// Removes all rows for good, with their flush stamps, purge watermark, counts and expiry, as if
  /// they had never been here: not a deletion, of which other nodes would hear. For a node that is
  /// about to follow a primary whose data it has nothing to do with; nobody may read or write
  /// meanwhile. Durable as any write. After an error, or a crash, some are left: call it again.
  Status discard_rows();

  /// From here on tells `listener`, which outlives the keyspace's last commit, of all changes of
  /// rows. `stored`: the number of the last commit so far, if each since it began to be counted was
  /// told to a listener; else 0. Before the first tick. Null: nobody is told, and what a former
  /// listener has noted is worth nothing from now on.
  Status set_row_listener(RowChangeListener* listener, uint64_t* stored);
  /// All rows as of now, and what listeners are told of. `frozen` is called at that very moment,
  /// while nothing is committed.
  FrozenRows freeze(const std::function<void(uint64_t commit)>& frozen);
  /// Whose rows the database's are: SWAPDB exchanges these numbers.
  uint16_t physical_database(uint16_t db) const {
    return physical_[db].load(std::memory_order_relaxed);
  }
  /// What is covered (storage/row_changes.h).
  bool covers_dead_rows() const { return replication_log() != nullptr; }

  /// The last call before a shutdown: makes everything durable and notes that nothing was lost.
  Status mark_clean();

  KeyspaceStats stats() const;
  void set_row_cache_bytes(size_t bytes) { cache_.set_capacity(bytes); }
  Engine& engine() { return engine_; }

 private:
  friend class Tick;

  // One per physical database. Written under the lock held exclusively.
  struct Database {
    std::atomic<int64_t> keys{0};
    std::atomic<int64_t> expiring{0};
    std::atomic<HlcStamp> flush_stamp{0};
  };

  Keyspace(Engine& engine, Clock& clock, PurgePolicy& purge, const KeyspaceOptions& options,
           HlcStamp clock_bound);

  RowCoverage coverage_locked() const;
  Status load_databases();
  Status discard(std::string begin, std::string end);
  Status load_database_map();
  Status load_watermark();
  void publish_watermark();
  void publish_flush_stamp(uint16_t db, HlcStamp stamp);

  Engine& engine_;
  Clock& clock_;
  PurgePolicy& purge_;
  std::unique_ptr<ReplicationLog> log_;  // changed under lock_ held exclusively
  std::atomic<ReplicationLog*> log_view_{nullptr};
  const uint32_t databases_;
  WriterId writer_id_ = 0;
  RowCache cache_;
  KeyspaceLock lock_;

  std::unique_ptr<Database[]> database_;               // by physical number
  std::unique_ptr<std::atomic<uint16_t>[]> physical_;  // by logical number
  /// Odd while a commit that changes flush stamps or the mapping is on its way (Tick::get).
  std::atomic<uint64_t> database_epoch_{0};
  std::atomic<HlcStamp> latest_stamp_{0};  // of the clock, when the last commit ended
  std::atomic<uint64_t> watermark_ms_{0};  // watermark_.expires_at_ms, without the lock
  std::atomic<uint64_t> expired_keys_{0};
  std::atomic<HlcStamp> purged_up_to_{0};  // written under lock_ held exclusively

  // Guarded by lock_ held exclusively.
  RowChangeListener* row_listener_ = nullptr;
  uint64_t commits_ = 0;  // that row_listener_ was told of; over restarts
  Hlc hlc_;
  HlcStamp unsaved_clock_bound_ =
      0;  // the clock counts on it; the next batch must carry it. 0: none
  /// Not below any row's stamp that the clock did not follow, because it was too far ahead. 0:
  /// none.
  HlcStamp ahead_stamp_ = 0;
  bool ahead_unsaved_ = false;  // the next batch must carry it
  HlcStamp newest_remote_ = 0;  // the greatest stamp of another node that came since the start
  uint64_t newest_remote_at_us_ = 0;  // and when: monotonic
  /// Writes are stamped above it as well: ahead_stamp_ when this node became the writer.
  HlcStamp reign_floor_ = 0;
  ExpiryWatermark watermark_;

  // What the purge policy may learn once it is durable.
  std::mutex purge_mutex_;
  uint64_t unsettled_watermark_ms_ = 0;  // 0: nothing new
  std::vector<std::pair<uint16_t, HlcStamp>> unsettled_flush_stamps_;
  uint64_t discards_ = 0;  // what was unsettled before one is void

  std::atomic<uint64_t> clock_refusals_{0};
  std::atomic<uint64_t> clock_worst_drift_ms_{0};
};

}  // namespace syntropy
