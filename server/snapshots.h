// Snapshots: SAVE and BGSAVE. A snapshot is a directory that is a complete store by itself, made by
// a checkpoint of the engine (hard links where possible): start a node on a copy of it to restore.
//
//   <dir>/snapshots/20260131T235959Z-000001   UTC time and a number that only grows
//   <dir>/snapshots/tmp-...                   being made or being removed; removed at the next
//   start
//
// Invariants: a name without "tmp-" is a complete snapshot, also after a loss of power; at most one
// save runs at a time; an older snapshot is removed only after a newer one is complete.
//
// Thread safety: any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/engine.h"

namespace syntropy {

struct SnapshotsOptions {
  std::string dir;  // the node's data directory; snapshots lie in its folder "snapshots"
  size_t keep = 2;  // complete snapshots that stay; 0: all
  /// Changes of the data since the start, for rdb_changes_since_last_save. May be empty.
  std::function<uint64_t()> changes;
};

class Snapshots {
 public:
  /// `engine` and `clock` must outlive the snapshots.
  Snapshots(Engine& engine, const Clock& clock, SnapshotsOptions options);
  /// Waits for the background save; no save() may be running.
  ~Snapshots();
  Snapshots(const Snapshots&) = delete;
  Snapshots& operator=(const Snapshots&) = delete;

  /// Makes the folder and removes what an interrupted save or removal left. Before the first save.
  Status start();

  /// Makes a snapshot and returns when it is durable. kUnavailable when a save is in progress.
  Status save();
  /// Starts to make one on a thread of its own. kUnavailable when a save is in progress.
  Status save_in_background();
  /// Returns when no background save is in progress.
  void wait();

  void set_keep(size_t keep);

  /// Names of the complete snapshots, oldest first.
  std::vector<std::string> list() const;

  struct Info {
    bool in_progress = false;
    uint64_t saves = 0;               // completed since the start
    uint64_t last_save_s = 0;         // Unix time of the last completed one; at first, of the start
    bool last_ok = true;              // how the last save ended
    std::string last_error;           // empty when last_ok
    int64_t last_duration_s = -1;     // -1: none has ended yet
    int64_t current_duration_s = -1;  // -1: none is in progress
    uint64_t changes_since_save = 0;
  };
  Info info() const;

 private:
  Status begin();
  Status run();
  Status make_one();
  void prune();
  std::string next_name();

  Engine& engine_;
  const Clock& clock_;
  const std::filesystem::path folder_;
  const std::function<uint64_t()> changes_;

  mutable std::mutex mutex_;  // guards what follows; not held while a snapshot is made
  size_t keep_;
  bool running_ = false;
  uint64_t begun_us_ = 0;  // monotonic
  uint64_t changes_at_begin_ = 0;
  uint64_t changes_at_save_ = 0;
  uint64_t next_number_ = 1;
  Info info_;
  std::thread thread_;
};

}  // namespace syntropy
