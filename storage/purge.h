// PurgePolicy: which dead rows may be removed for good when the engine compacts.
//
// A tombstone has to stay as long as another replica may still hold the row that it deletes. A node
// without peers has nobody to tell, so its dead rows may go at once (kImmediate). Of one with peers
// (kNever) those rows alone may go that a flush has killed: no merge takes them in where the stamp
// is known, and before it comes they are as good as any. The rest is removed by proof, through the
// log (Tick::purge_row()). describe() says which, for the log and for INFO.
//
// What counts as dead:
//   1. tombstones;
//   2. rows that expired at or before the drained watermark: the keyspace has already taken them
//      out of its counts and indexes, so nobody needs to see them go;
//   3. rows of a database that was flushed at or after their version.
// Local records (storage/local_keys.h), and rows that cannot be decoded, are never dropped.
//
// Whoever raises the watermark or a flush stamp does so only once the record that says so is
// durable: a compaction acts on it for good, and must not run ahead of what a restart remembers.
//
// Dropping a dead row never brings an older version of it back, and readers with an open snapshot
// don't miss it, because they skip dead rows themselves (storage/rocks_engine.cc, PurgeAdapter).
//
// Thread safety: all functions may be called from any thread at any time.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "storage/engine.h"
#include "storage/version.h"

namespace syntropy {

class PurgePolicy final : public PurgeFilter {
 public:
  enum class Mode {
    kNever,      // dead rows stay, but for flushed ones; nodes with peers
    kImmediate,  // dead rows go with the next compaction that meets them; nodes without peers
  };

  explicit PurgePolicy(Mode mode);

  bool may_drop(std::string_view key, std::string_view value) const override;

  /// Rows with an expiry at or before `expires_at_ms` (Unix time) may go. Never moves back.
  void set_drained_watermark(uint64_t expires_at_ms);
  /// Rows of the physical database `db` with a stamp not above `stamp` may go. Moves back by
  /// forget_flush_stamps() alone.
  void set_flush_stamp(uint16_t db, HlcStamp stamp);

  /// The store has forgotten all flushes, with its rows.
  void forget_flush_stamps();

  void set_mode(Mode mode) { mode_.store(mode, std::memory_order_relaxed); }
  Mode mode() const { return mode_.load(std::memory_order_relaxed); }
  /// One line in words: what is purged when.
  std::string describe() const;

 private:
  std::atomic<Mode> mode_;
  std::atomic<uint64_t> drained_watermark_ms_{0};
  // By physical database, 0: never flushed. Zeroed lazily by the system, so that databases that
  // nobody uses take no memory.
  struct Free {
    void operator()(std::atomic<HlcStamp>* stamps) const;
  };
  std::unique_ptr<std::atomic<HlcStamp>[], Free> flush_stamps_;
};

}  // namespace syntropy
