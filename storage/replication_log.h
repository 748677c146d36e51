// ReplicationLog: what the ticks of this node have committed, as one growing sequence of bytes that
// replicas follow by offset.
//
// Each commit that changes rows appends one record (storage/log_record.h) of exactly the rows and
// flush stamps that it writes; local records are everybody's own. The record goes to memory, its
// end offset into the same engine batch as the rows:
//
//   meta record          value                     written
//   replication/offset   position (lineage.h)      with every record
//   replication/history  history (lineage.h)       when this node begins a lineage or follows
//   another
//
// So after any crash the offset is exactly that of the rows that are there: where unsynced rows are
// lost, it falls back with them. The bytes themselves are not stored. A restart has an empty
// backlog, and continues those alone who are where it is.
//
// Roles. A *writer* appends what its ticks change; a follower appends records as they come from its
// primary, byte for byte, so that its log is the primary's and whoever is promoted can continue the
// others. Ticks that change rows while this node isn't the writer are refused at their commit: the
// change of roles is a commit itself, and nothing that was under way can slip in behind it. So is
// SWAPDB, at any time, because it has no version to merge by; cluster mode has only database 0.
//
// A start as a writer, and a promotion, begin a new lineage, always: a node can't know what it lost
// that others have, and must never write other bytes at offsets that it gave out before.
//
// Offsets and promises. A follower's offset is *applied* when its rows are visible there, which is
// when Tick::commit() returns, and *acknowledged* when they are as durable as its appendfsync
// demands of a client's write: under `always` after the sync that covers it, else at once. What it
// tells its primary as acknowledged is what WAIT and write guarantees count, so under `always` a
// counted copy survives the loss of power, under `everysec` the end of the process. An acknowledged
// offset is never above the applied one. After a crash a follower comes back with the offset of
// what it still has, and the primary counts it by that.
//
// Bounded. The backlog holds the last `backlog_bytes`, for followers who come back, and beyond that
// what the slowest reader (LogReader: a connected follower) has yet to read, up to `reader_bytes`.
// A single record is held whatever its size.
//
// Thread safety: reading functions from any thread; those for commits under the keyspace's lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "storage/base/status.h"
#include "storage/engine.h"
#include "storage/lineage.h"
#include "storage/log_record.h"

namespace syntropy {

struct ReplicationLogOptions {
  uint64_t backlog_bytes = uint64_t{1} << 20;  // repl-backlog-size
  uint64_t reader_bytes = uint64_t{256} << 20;
};

/// What a tick's commit does to the log, other than appending what it changes itself.
struct LogChange {
  enum class Kind {
    kAppend,  // follower: `records`, which begin at `offset`, were merged and are appended
    kMerge,   // follower: rows were merged that the log does not account for: they are `owed`
    kMove,    // the log goes on from `position`
    kNone,    // follower: what the log accounts for, and what is owed, stays as it is
  };
  Kind kind = Kind::kAppend;
  std::string records;
  uint64_t offset = 0;
  std::optional<LogPoint> owed;
  LogPosition position;
  bool writer = false;  // kMove: what this node is from then on
};

class ReplicationLog {
 public:
  /// Reads where the store stands. Not a writer yet. `engine` must outlive the log.
  static Result<std::unique_ptr<ReplicationLog>> open(Engine& engine,
                                                      const ReplicationLogOptions& options);
  /// Whether the store has ever been replicated.
  static Result<bool> exists(Engine& engine);
  /// The position in the store as of `snapshot`, without opening a log; that of a store that has
  /// never been replicated is the default one.
  static Result<LogPosition> position_in(Engine& engine, const EngineSnapshot* snapshot);

  // --- reading -----------------------------------------------------------------------------------

  LogPosition position() const;
  uint64_t offset() const { return offset_.load(std::memory_order_acquire); }
  bool writer() const { return writer_.load(std::memory_order_acquire); }
  /// The oldest offset from which read() can go on.
  uint64_t backlog_begin() const;
  bool covers(uint64_t offset) const;
  /// At most `max_bytes` from `offset` on, empty at the end of the log. Cuts records anywhere.
  /// kNotFound when the backlog doesn't cover the offset.
  Result<std::string> read(uint64_t offset, size_t max_bytes) const;

  void set_backlog_bytes(uint64_t bytes);
  uint64_t backlog_bytes() const;
  /// Bytes held in memory.
  uint64_t held_bytes() const;
  /// `appended` is called after each commit that moved the log, by its thread, without locks of
  /// this log. Set before the first commit.
  void set_listener(std::function<void()> appended) { listener_ = std::move(appended); }

  /// While true, ticks that change rows are refused as if this node weren't the writer, and all
  /// else goes on: a manual failover. A change of roles ends it. Under the keyspace's lock.
  void set_paused(bool paused) { paused_.store(paused, std::memory_order_release); }

  /// While true, of the ticks that change rows only those that were judged by something
  /// (Tick::judged_by()) are taken: some slots are about to go, and who judges knows which. A change
  /// of roles ends it. Under the keyspace's lock.
  void set_only_judged(bool only) { only_judged_.store(only, std::memory_order_release); }

  /// Ticks that change rows on the strength of an older number (Tick::judged_by()) are refused from
  /// here on. Under the keyspace's lock.
  void fence(uint64_t generation) { fence_.store(generation, std::memory_order_release); }

  // --- for commits, under the keyspace's lock
  // ------------------------------------------------------

  /// The record that the rows of a tick go to.
  LogRecordBuilder& builder() { return builder_; }
  /// Whether a tick may change rows. kUnavailable: this node isn't the writer, or the tick was
  /// judged before the fence.
  Status check_writer(uint64_t generation = UINT64_MAX) const;
  /// Puts into `batch` what the log has to remember: of `change`, or, if that is null, of the
  /// record in builder(). publish() follows when the batch is written; else nothing does.
  /// kUnavailable: `change` is not for the role that this node has now; kInvalidArgument: the
  /// records don't begin where the log ends, or are too large.
  Status stage(const LogChange* change, uint64_t generation, EngineBatch& batch);
  void publish();
  void notify() const {
    if (listener_) listener_();
  }

 private:
  friend class LogReader;

  struct Segment {
    uint64_t begin;
    std::string bytes;
    uint64_t end() const { return begin + bytes.size(); }
  };
  struct Staged {
    std::string records;
    std::optional<LogPosition> position;  // when it changes by more than their size
    bool moves = false;
    bool writer = false;
  };

  ReplicationLog(const ReplicationLogOptions& options, LogPosition position);
  void stage_records(std::string records, EngineBatch& batch);
  void cut(const LogPosition& to);
  void trim();
  uint64_t begin_locked() const;

  std::function<void()> listener_;
  std::atomic<uint64_t> offset_{0};
  std::atomic<bool> writer_{false};
  std::atomic<bool> paused_{false};
  std::atomic<bool> only_judged_{false};
  std::atomic<uint64_t> fence_{0};

  // Guarded by the keyspace's lock.
  LogRecordBuilder builder_;
  Staged staged_;

  mutable std::mutex mutex_;  // guards all below
  ReplicationLogOptions options_;
  LogPosition position_;
  std::deque<Segment> backlog_;  // adjacent; the last ends at position_.offset
  uint64_t held_bytes_ = 0;
  std::multiset<uint64_t> readers_;  // where each LogReader stands
};

/// Reads the log on and on, and holds it back from dropping what it has yet to read, within bounds.
/// One thread at a time. Must be gone before its log.
class LogReader {
 public:
  LogReader(ReplicationLog& log, uint64_t offset);
  ~LogReader();
  LogReader(const LogReader&) = delete;
  LogReader& operator=(const LogReader&) = delete;

  uint64_t offset() const { return offset_; }
  /// As ReplicationLog::read(), and goes on behind what it gave.
  Result<std::string> read(size_t max_bytes);

 private:
  ReplicationLog& log_;
  uint64_t offset_;
};

}  // namespace syntropy
