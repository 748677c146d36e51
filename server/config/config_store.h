// ConfigStore: the node's configuration while it runs. Publishes immutable snapshots and serves
// CONFIG GET, SET and REWRITE.
//
// A reader on a hot path keeps its snapshot and compares generation(), one relaxed-cost atomic
// load, once per tick; only when it differs does it call current() again.
//
// Invariants: a snapshot is never changed after it was published; generation() grows by one with
// each published snapshot and is raised after current() returns the new one, so whoever sees a new
// generation gets at least that snapshot; set() publishes all of its pairs or none.
//
// Thread safety: all functions may be called from any thread. set(), rewrite() and on_change() take
// turns on one mutex; listeners run under it, so a listener must not call them.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "server/config/config.h"
#include "storage/base/status.h"

namespace syntropy {

class ConfigStore {
 public:
  using Pair = std::pair<std::string, std::string>;
  using Snapshot = std::shared_ptr<const Config>;
  /// Called by set() before `next` is published, to apply it to what does not read snapshots (a
  /// logger, a cache) or to refuse it: a failed Status fails the whole set() with its message, and
  /// listeners called before are called again with the two swapped, to undo.
  using Listener = std::function<Status(const Config& previous, const Config& next)>;

  /// `file` is the configuration file that rewrite() writes; empty when there is none.
  explicit ConfigStore(Config config, std::string file = {});

  Snapshot current() const;
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }
  const std::string& file() const { return file_; }

  /// (name, value) of each option whose name or alias matches one of the glob patterns, ignoring
  /// case; each name once, in the order of the table. Empty when nothing matches.
  std::vector<Pair> get(const std::vector<std::string>& patterns) const;

  /// Sets all pairs or none. The message of a failure is the complete error text that CONFIG SET
  /// answers, without its `ERR ` prefix.
  Status set(const std::vector<Pair>& pairs);

  /// Writes the current values into the configuration file: see server/config/rewrite.h. The
  /// message of a failure is the complete error text without its `ERR ` prefix.
  Status rewrite();

  /// Adds a listener for the life of the store; the owner of what it captures outlives the store.
  void on_change(Listener listener);

 private:
  const std::string file_;
  std::mutex write_mutex_;  // serialises set, rewrite and on_change
  std::vector<Listener> listeners_;
  mutable std::mutex snapshot_mutex_;  // held only to copy or swap the pointer
  Snapshot snapshot_;
  std::atomic<std::uint64_t> generation_{1};
};

}  // namespace syntropy
