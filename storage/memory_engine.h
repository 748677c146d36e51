// MemoryEngine: an Engine in memory, for tests and simulations of what runs on one.
//
// It keeps two stores: what readers see, and what would be left after the loss of power. write()
// changes the first, sync() brings the second up to date, lose_unsynced() goes back to it. Faults
// are injected by the caller, one at a time.
//
// Invariants: the same as of every Engine (engine.h); the same tests run on both.
//
// Thread safety: all functions may be called from any thread at any time, lose_unsynced() only
// while no iterator or snapshot is open.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "storage/engine.h"

namespace syntropy {

class MemoryEngine final : public Engine {
 public:
  /// An empty store. `purge` may be null (nothing is dropped); it must outlive the engine.
  explicit MemoryEngine(const PurgeFilter* purge = nullptr);

  /// Reads what checkpoint() wrote. kNotFound when there is nothing, kCorruption.
  static Result<std::unique_ptr<MemoryEngine>> open_checkpoint(const std::string& dir,
                                                               const PurgeFilter* purge = nullptr);

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

  // --- for tests ---------------------------------------------------------------------------------

  /// The loss of power: forgets everything that was not synced, and the degraded state with it.
  void lose_unsynced();

  /// The next write() (sync(), get(), recover()) fails with `status`, which must not be ok. The
  /// first two degrade the engine.
  void fail_next_write(Status status);
  /// The next write() is applied and not stored: it degrades the engine with `status`.
  void fail_next_store(Status status);
  void fail_next_sync(Status status);
  void fail_next_read(Status status);
  void fail_next_recover(Status status);

  /// While true, get() with ReadTier::kMemory answers kIncomplete whatever the key.
  void set_cold(bool cold);

  /// What get() would say after lose_unsynced().
  Status get_durable(std::string_view key, std::string* value) const;

  uint64_t syncs() const;
  uint64_t writes() const;

 private:
  class Batch;
  class Snapshot;
  class Iterator;

  using Sequence = uint64_t;
  struct Change {
    std::string key;
    std::optional<std::string> value;  // nullopt: erased
  };
  struct Entry {
    Sequence sequence;
    std::optional<std::string> value;
  };
  // Entries of one key ascend by sequence; those that no reader can see any more are dropped.
  using Versions = std::vector<Entry>;

  void apply(const Change& change);
  void drop_unseen(Versions& versions) const;
  const std::string* find(std::string_view key, Sequence at) const;
  void make_durable();
  Sequence pin();
  void unpin(Sequence sequence);

  const PurgeFilter* const purge_;
  mutable std::mutex mutex_;  // guards all below
  std::map<std::string, Versions, std::less<>> live_;
  std::map<std::string, std::string, std::less<>> durable_;
  std::vector<Change> unsynced_;
  std::multiset<Sequence> pinned_;  // what snapshots and iterators look at
  Sequence sequence_ = 0;
  Status degraded_;
  Status next_write_;
  Status next_store_;
  Status next_sync_;
  Status next_read_;
  Status next_recover_;
  bool cold_ = false;
  uint64_t syncs_ = 0;
  uint64_t writes_ = 0;
};

}  // namespace syntropy
