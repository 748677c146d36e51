// Engine: an ordered, durable byte map. What Syntropy needs from RocksDB, and no more, so that the
// same code runs on RocksEngine (storage/rocks_engine.h) in a server and on MemoryEngine
// (storage/memory_engine.h) in tests and simulations.
//
// Order of durability: write() makes a batch visible to all readers at once and survives the end of
// the process, if health() is ok after it; sync() makes everything written before its call survive
// the loss of power.
//
// Failure: when the disk doesn't take what write() or sync() gave it, the engine is *degraded*:
// from then on every write() and sync() returns an error at once and reads go on, until recover()
// succeeds. A batch that was applied and could not be stored is not an error of write(): it stays
// visible, as what a failed sync() covered does, and is durable once recover() has succeeded;
// without that it may be gone or there after a restart, and no later one is there without it. So
// whoever acknowledges a write asks health() after it. A failed sync is never retried in place:
// recover() rewrites what was not durable into new files.
//
// Thread safety: all functions may be called from any thread at any time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/status.h"

namespace syntropy {

/// How far a read may go.
enum class ReadTier {
  kMemory,  // never waits for the disk; kIncomplete when the answer isn't in memory, ours or the
            // kernel's page cache
  kDisk,    // wherever it is
};

/// Changes that become visible together. Filled by one thread; reusable after clear().
class EngineBatch {
 public:
  virtual ~EngineBatch() = default;
  virtual void put(std::string_view key, std::string_view value) = 0;
  virtual void erase(std::string_view key) = 0;
  virtual void clear() = 0;
  virtual bool empty() const = 0;
  /// About the bytes that this batch adds to the log.
  virtual size_t bytes() const = 0;
};

/// The store as it was when the snapshot was taken. Must be gone before its engine.
class EngineSnapshot {
 public:
  virtual ~EngineSnapshot() = default;
};

/// Walks keys in ascending byte order. One thread at a time. Views live until the next move.
class EngineIterator {
 public:
  virtual ~EngineIterator() = default;
  virtual void seek(std::string_view key) = 0;  // first key >= `key`
  virtual void next() = 0;
  /// False at the end of the range and after an error: ask status().
  virtual bool valid() const = 0;
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
  virtual Status status() const = 0;
};

struct EngineStats {
  uint64_t live_bytes = 0;  // estimate of the live data on disk
  uint64_t disk_bytes = 0;  // all table files
  uint64_t memtable_bytes = 0;
  uint64_t block_cache_bytes = 0;
  uint64_t block_cache_capacity = 0;
  uint64_t table_reader_bytes = 0;
  uint64_t pending_compaction_bytes = 0;
  uint64_t files = 0;
  bool write_stalled = false;
  /// Further figures by name, for INFO; names in snake_case without ':' or blanks.
  std::vector<std::pair<std::string, std::string>> more;
};

class Engine {
 public:
  virtual ~Engine() = default;

  /// kNotFound when absent; kIncomplete as ReadTier says; kCorruption and kIoError name the file
  /// where that is known. `value` is replaced.
  virtual Status get(std::string_view key, ReadTier tier, std::string* value) = 0;

  virtual std::unique_ptr<EngineBatch> new_batch() = 0;
  /// Applies `batch` atomically. Batches are applied in the order of the calls. Ok: it is visible,
  /// and stored if health() is ok now. An error: it is not visible.
  virtual Status write(EngineBatch& batch) = 0;
  /// Everything whose write() returned before this call is durable when it returns ok.
  virtual Status sync() = 0;

  /// Ok, or why the engine is degraded. Cheap when ok.
  virtual Status health() const = 0;
  /// Tries to leave the degraded state; ok at once when healthy.
  virtual Status recover() = 0;

  virtual std::unique_ptr<EngineSnapshot> snapshot() = 0;
  /// Iterates lower <= key < upper (empty upper: no bound). `snapshot` null: the store as of now.
  virtual std::unique_ptr<EngineIterator> iterate(std::string lower, std::string upper,
                                                  const EngineSnapshot* snapshot) = 0;

  /// Makes a directory that is a complete store of its own, hard-linked where possible.
  /// `dir` must not exist; its parent must.
  virtual Status checkpoint(const std::string& dir) = 0;
  /// Writes the memtables to table files.
  virtual Status flush() = 0;
  /// Compacts lower <= key < upper (both empty: all), so that dead rows are removed.
  virtual Status compact(std::string_view lower, std::string_view upper) = 0;

  virtual EngineStats stats() const = 0;
  /// How many bytes there are between each two of `bounds`, which ascend, as they are stored:
  /// about, and one fewer than bounds.
  virtual std::vector<uint64_t> sizes(const std::vector<std::string>& bounds) const = 0;
};

/// Decides during compaction which records may be dropped. Called from the engine's own threads.
/// Must be pure in its own state, thread-safe and fast.
class PurgeFilter {
 public:
  virtual ~PurgeFilter() = default;
  virtual bool may_drop(std::string_view key, std::string_view value) const = 0;
};

}  // namespace syntropy
