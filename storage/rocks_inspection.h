// RocksInspection: a RocksDB store opened to be looked at, and for nothing else. What
// `syntropy verify` reads a data directory or a snapshot through.
//
// Nothing in the directory is changed: the log is replayed into memory alone, no file is made or
// written. While the inspection lives it holds the store's lock, so that no node can start on it;
// a snapshot has no lock file, and none is needed, because nobody writes to it.
//
// Memory: what the log holds, plus a small cache.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "storage/base/status.h"
#include "storage/engine.h"

namespace syntropy {

class RocksInspection {
 public:
  /// Opens the store in `dir`. Errors:
  ///   kNotFound      there is no store
  ///   kUnavailable   another process has it open
  ///   kCorruption    a file without which nothing can be read is damaged; the message names it
  ///   kIoError
  static Result<std::unique_ptr<RocksInspection>> open(const std::string& dir);
  ~RocksInspection();
  RocksInspection(const RocksInspection&) = delete;
  RocksInspection& operator=(const RocksInspection&) = delete;

  /// The store as a node would find it after its start. It cannot be written to.
  Engine& engine() { return *engine_; }

  struct File {
    std::string path;
    uint64_t bytes = 0;
  };
  /// The table files that belong to the store, in the order of their names.
  const std::vector<File>& table_files() const { return table_files_; }
  /// Reads every block of a table file and compares it with its checksum. kCorruption, kIoError.
  Status verify(const File& table_file) const;

  /// The state of the write-ahead log.
  struct Log {
    uint64_t files = 0;
    uint64_t records = 0;    // readable ones
    bool lost_tail = false;  // what was lost at its end had never been synced: no damage
    Status damage;           // ok, or which file has lost records that had been synced
  };
  const Log& log() const { return log_; }

 private:
  class Lock;
  RocksInspection();
  Status judge_log(const std::string& dir, uint64_t first_log);

  std::unique_ptr<Lock> lock_;
  std::vector<File> table_files_;
  Log log_;
  std::unique_ptr<Engine> engine_;  // goes first
};

}  // namespace syntropy
