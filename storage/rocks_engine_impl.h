// The class behind open_rocks_engine(): see storage/rocks_engine.h.
//
// For files of storage/ only: RocksDB stays out of other headers.
//
// Locks, in the order in which they are taken:
//   recovery_mutex_  one recovery at a time
//   gate_            writes and syncs hold it shared; a recovery takes it exclusively once, to wait
//                    for those that began before the engine was degraded
//   health_mutex_    guards health_ and failures_; RocksDB's listener takes it under RocksDB's own
//                    mutex
#pragma once

#include <rocksdb/compaction_filter.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/listener.h>
#include <rocksdb/transaction_log.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "storage/engine.h"
#include "storage/rocks_file_system.h"

namespace syntropy {

/// Lets RocksDB ask a PurgeFilter. A dropped row becomes a deletion at its own sequence number, so
/// that older versions in deeper levels stay hidden; the deletion itself goes at the last level.
/// RocksDB asks about rows that open snapshots can see, too; see storage/purge.h.
class PurgeAdapter final : public rocksdb::CompactionFilter {
 public:
  explicit PurgeAdapter(const PurgeFilter* purge) : purge_(purge) {}
  const char* Name() const override { return "SyntropyPurge"; }
  Decision FilterV2(int level, const rocksdb::Slice& key, ValueType type,
                    const rocksdb::Slice& value, std::string* new_value,
                    std::string* skip_until) const override;

 private:
  const PurgeFilter* const purge_;
};

class RocksEngine final : public Engine {
 public:
  /// What a database needs and must not outlive. Made first, filled while opening.
  struct Parts {
    std::shared_ptr<RecoverableFileSystem> files;
    std::unique_ptr<rocksdb::Env> env;    // over `files`
    std::unique_ptr<PurgeAdapter> purge;  // null: nothing is dropped
    std::shared_ptr<class RocksWatch> watch;
    bool dropped_tail = false;  // the log had lost an unsynced tail
  };

  RocksEngine(Parts parts, std::unique_ptr<rocksdb::DB> db);
  ~RocksEngine() override;

  Status get(std::string_view key, ReadTier tier, std::string* value) override;
  std::unique_ptr<EngineBatch> new_batch() override;
  Status write(EngineBatch& batch) override;
  Status sync() override;
  Status health() const override;
  Status recover() override;
  std::unique_ptr<EngineSnapshot> snapshot() override;
  std::unique_ptr<EngineIterator> iterate(std::string lower, std::string upper,
                                          const EngineSnapshot* snapshot) override;
  Status checkpoint(const std::string& dir) override;
  Status flush() override;
  Status compact(std::string_view lower, std::string_view upper) override;
  EngineStats stats() const override;
  std::vector<uint64_t> sizes(const std::vector<std::string>& bounds) const override;

  /// Makes the engine degraded, unless it is already.
  void degrade(const rocksdb::Status& cause);

 private:
  bool degraded() const { return degraded_.load(std::memory_order_acquire); }
  /// Lets RocksDB go on after an error that stopped it.
  rocksdb::Status resume();
  /// One attempt to recover.
  rocksdb::Status move_to_new_files();
  rocksdb::Status leave_log_behind(const rocksdb::LogFile& failed);
  rocksdb::Status flush_memtables();
  uint64_t failures_so_far() const;
  uint64_t property(const std::string& name) const;

  Parts parts_;
  const rocksdb::ReadOptions read_options_;
  const rocksdb::WriteOptions write_options_;

  std::mutex recovery_mutex_;
  std::shared_mutex gate_;
  std::atomic<bool> degraded_{false};
  mutable std::mutex health_mutex_;
  Status health_;
  uint64_t failures_ = 0;                     // calls of degrade(); guarded by health_mutex_
  std::atomic<uint64_t> durable_through_{0};  // sequence number
  std::atomic<uint64_t> recoveries_{0};

  std::unique_ptr<rocksdb::DB> db_;  // goes first
};

/// Hears of RocksDB's background errors and degrades the engine.
///
/// Lost flushes. RocksDB 7.8 forgets a flush that was scheduled and had not begun when an error of
/// another thread stopped background work; DB::Resume() then waits for it forever. So no other
/// thread's error reaches RocksDB: there is one flushing thread (rocks_setup.cc), errors of
/// compactions are kept from it here, and those of the log below it (RecoverableFileSystem). Ours
/// stop the writes all the same.
class RocksWatch final : public rocksdb::EventListener {
 public:
  const char* Name() const override { return "SyntropyWatch"; }
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override;
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason reason, rocksdb::Status error,
                            bool* auto_recovery) override;
  void OnCompactionBegin(rocksdb::DB* db, const rocksdb::CompactionJobInfo& job) override;
  void OnFlushBegin(rocksdb::DB* db, const rocksdb::FlushJobInfo& job) override;
  void OnFlushCompleted(rocksdb::DB* db, const rocksdb::FlushJobInfo& job) override;

  /// Null: nobody is told. An error heard before an engine is attached is told then.
  void attach(RocksEngine* engine);
  /// Everything up to this sequence number is in table files.
  void note_flushed(uint64_t sequence);
  /// Waits for that, until an error after which `gives_up` is true, or for some time.
  bool wait_flushed(uint64_t sequence, const std::function<bool()>& gives_up);
  uint64_t background_errors() const { return errors_.load(std::memory_order_relaxed); }
  /// An error has stopped RocksDB's background work, or is about to.
  bool stopped() const { return stopped_.load(std::memory_order_acquire); }
  void note_resumption() { stopped_.store(false, std::memory_order_release); }

 private:
  std::mutex mutex_;  // guards all below but the atomic ones
  std::condition_variable changed_;
  uint64_t flushed_through_ = 0;  // sequence number
  RocksEngine* engine_ = nullptr;
  rocksdb::Status early_;
  std::atomic<uint64_t> errors_{0};
  std::atomic<bool> stopped_{false};
};

}  // namespace syntropy
