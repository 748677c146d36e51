// RecoverableFileSystem: a layer under RocksDB that makes every failed write survivable, and syncs
// the write-ahead logs in RocksDB's place.
//
// RocksDB stops for good at most write errors: it can't know whether the disk will be well again.
// Our engine decides that itself (Engine::recover), so this layer
//   1. makes every error of writing, syncing, creating or renaming a plain one. At those of a full
//      disk RocksDB would start to poll the disk by itself, so they are told by their text
//      (no_space_text()); of those marked as retryable it would remember the severity when
//      RocksWatch keeps them from it, and then take no notice of a failed flush, for which somebody
//      waits;
//   2. keeps it from RocksDB that an append to a log failed. RocksDB asserts that nobody touches a
//      log after that, does so itself (in DB::Resume() when its memtable is empty), and is built
//      with assertions on by distributions. So the log is *torn*: RocksDB is told that all went
//      well and applies the batch, what it appends to that log from then on is swallowed (behind
//      half a record it could not be read back), and whoever writes asks log_torn() afterwards.
//      Logs begun later may hold records that come after the lost ones: see storage/wal_audit.h;
//   3. never lets a log that failed be taken for good again. A log whose sync failed is not synced
//      again: the kernel may have dropped the pages and report success next time;
//   4. drops what RocksDB's diary (the file LOG) has no room for. RocksDB would write on to it, and
//      has the same assertion there.
//
// RocksEngine::recover() makes RocksDB begin a new log, and calls abandon_logs_below() with its
// number. DB::SyncWAL is not used: RocksDB would hear of failed syncs.
//
// For files of storage/ and tests only: RocksDB stays out of other headers.
//
// Thread safety: all functions may be called from any thread at any time.
#pragma once

#include <rocksdb/file_system.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace syntropy {

/// The text by which an error of the layer says that the disk is full.
std::string_view no_space_text();

class RecoverableFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  /// `dir` is the store's: logs elsewhere belong to checkpoints and are files like others.
  RecoverableFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, std::string_view dir);
  ~RecoverableFileSystem() override;

  /// Makes durable what was appended to any log before this call. Concurrent calls share one sync
  /// of the disk where it covers them all. An error stays until the log is abandoned.
  rocksdb::IOStatus sync_logs();

  /// Whether an append to a log that isn't abandoned has failed. Costs one load. A thread that
  /// comes from DB::Write() sees what happened to its batch.
  bool log_torn() const { return log_torn_.load(std::memory_order_acquire); }
  /// The first such failure; ok when there is none.
  rocksdb::IOStatus log_failure();

  /// Logs with a smaller number have nothing that matters any more: sync_logs() passes them over.
  void abandon_logs_below(uint64_t number);

  const char* Name() const override { return "SyntropyRecoverable"; }
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus NewLogger(const std::string& path, const rocksdb::IOOptions& options,
                              std::shared_ptr<rocksdb::Logger>* logger,
                              rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* directory,
                                 rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus Truncate(const std::string& path, size_t size,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* dbg) override;

 private:
  class File;
  class Log;
  class Diary;
  class Directory;

  rocksdb::IOStatus wrap(rocksdb::IOStatus status, const std::string& path,
                         std::unique_ptr<rocksdb::FSWritableFile>* file);
  std::string_view name_in_store(std::string_view path) const;
  rocksdb::IOStatus sync_name(const std::string& path);
  void note_torn(const rocksdb::IOStatus& failure);

  const std::string dir_;  // without a slash at its end
  std::atomic<bool> has_diary_{false};
  std::mutex sync_mutex_;  // one sync at a time; taken before mutex_
  std::mutex mutex_;       // guards all below; taken before those of the logs
  std::vector<std::shared_ptr<struct LogState>> logs_;
  rocksdb::IOStatus log_failure_;
  std::atomic<bool> log_torn_{false};
};

}  // namespace syntropy
