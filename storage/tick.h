// Tick: one thread's turn at the keyspace. "Commit once per tick": a thread executes all commands
// that are ready, commits what they wrote with one engine write, and only then sends the replies.
//
// Life of a tick:   { begin_command  get/put/erase...  [rollback_command] }*   commit   release
//
// Reads see the tick's own uncommitted writes first (the overlay), then the row cache, then the
// engine. The first write takes the keyspace's lock exclusively (begin_write) and keeps it until
// commit(), so that writers are serialized, every command is atomic, and each tick sees all earlier
// ones. A command that must see several rows as of one moment takes it shared (begin_shared).
// Single-row reads take no lock.
//
// Reading never blocks on the disk unless allowed: with ReadTier::kMemory a get() whose row isn't
// in memory notes the row in misses() and reports "absent"; the caller rolls the command back,
// discards its reply, has the rows fetched by another thread, and runs the command again.
//
// Database numbers here are those that clients see; SWAPDB's mapping is applied inside.
//
// Thread safety: one thread at a time. Several ticks of one keyspace run on several threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/status.h"
#include "storage/engine.h"
#include "storage/keyspace.h"
#include "storage/overlay.h"
#include "storage/replication_log.h"
#include "storage/row.h"
#include "storage/row_changes.h"

namespace syntropy {

/// Where a scan stands: the next (slot, hash) to visit. 0,0 is the start.
struct ScanPosition {
  uint16_t slot = 0;
  uint32_t hash = 0;
};

class Tick {
 public:
  explicit Tick(Keyspace& keyspace);
  ~Tick();  // releases; uncommitted writes are dropped
  Tick(const Tick&) = delete;
  Tick& operator=(const Tick&) = delete;

  // --- one command -----------------------------------------------------------------------------

  /// Starts a command: forgets the previous one's misses, error and pinned rows, and sets the time
  /// at which rows count as expired (never before the keyspace's expiry watermark).
  void begin_command(uint64_t now_ms, ReadTier tier);
  uint64_t now_ms() const { return now_ms_; }

  /// Takes the keyspace's lock exclusively, if not held already. Must precede the first write.
  void begin_write();
  /// Takes the lock shared until end_shared(); nothing when held exclusively.
  void begin_shared();
  void end_shared();
  bool holds_lock() const { return lock_ != Lock::kNone; }
  /// Whose the rows are was judged by what was known under this number: commit() fails when that
  /// has been fenced off meanwhile (ReplicationLog::fence()). UINT64_MAX: it doesn't matter.
  void judged_by(uint64_t generation) { generation_ = generation; }

  /// Single rows that commands will soon look up: warm() notes them, prefetch() has the row cache
  /// fetch what it holds of them into the processor's caches.
  void warm(uint16_t db, std::string_view key);
  size_t warmed() const { return warm_.size(); }
  void prefetch();

  /// Undoes what the current command wrote.
  void rollback_command();
  /// Encoded row keys that the current command needed and that weren't in memory.
  const std::vector<std::string>& misses() const { return misses_; }
  /// The first engine error that the current command met (a read that failed); ok otherwise.
  const Status& error() const { return error_; }
  /// True when the current command read or wrote what isn't committed yet: rows, counts, databases.
  bool touched_uncommitted() const { return touched_uncommitted_; }

  // --- reading ---------------------------------------------------------------------------------

  /// The live first row of the key: nullopt when absent, deleted, expired or flushed.
  /// The view stays valid until the next begin_command().
  std::optional<RowView> get(uint16_t db, std::string_view key);

  /// How many get()s found a live row and how many found none, since the last call of this or of
  /// begin_command().
  struct Lookups {
    uint32_t found = 0;
    uint32_t absent = 0;
  };
  Lookups take_lookups() { return std::exchange(lookups_, {}); }

  /// For WATCH: a number that changes whenever the live row does. For an absent key it is 0, or
  /// not when the key has come and gone after the stamp `since`.
  uint64_t fingerprint(uint16_t db, std::string_view key, HlcStamp since);
  /// No row that was committed so far was stamped later.
  HlcStamp latest_stamp() const;

  /// Live keys of the database, exact as of now_ms() once drain_expired() has returned.
  uint64_t key_count(uint16_t db);
  /// Those of them that have an expiry.
  uint64_t expiring_count(uint16_t db);

  /// Visits live keys in (slot, hash) order from `from`, at least `budget` rows (live or dead)
  /// further, all keys of one (slot, hash) always in the same call. Returns where to go on, or
  /// nullopt at the end. `visit` returns false to stop early; the position returned is then behind
  /// the (slot, hash) of the key visited last. Reads the disk whatever the tier. Sees uncommitted
  /// writes of this tick. A key that is there throughout a scan is visited at least once.
  using Visitor = std::function<bool(std::string_view key, const RowView& row)>;
  Result<std::optional<ScanPosition>> scan(uint16_t db, ScanPosition from, uint64_t budget,
                                           const Visitor& visit);

  // --- writing (after begin_write) ---------------------------------------------------------------

  /// Writes the first row of the key with a new version, whatever was there.
  /// `expires_at_ms` 0: never. A time already past deletes the key (as Redis does).
  void put(uint16_t db, std::string_view key, RowKind kind, std::string_view payload,
           uint64_t expires_at_ms);
  /// Deletes the key. False when it wasn't there (nothing is written then).
  bool erase(uint16_t db, std::string_view key);
  /// Gives the live key another expiry (0: none); false when there is no such key.
  bool set_expiry(uint16_t db, std::string_view key, uint64_t expires_at_ms);
  /// Adds to the integer at the key (absent: 0) as a counter that merges. Keeps the expiry.
  /// kInvalidArgument when the row isn't an integer string or counter, kUnavailable when the sum
  /// doesn't fit into 64 bits.
  Result<int64_t> increment(uint16_t db, std::string_view key, int64_t delta);

  /// Deletes all keys of the database, in constant time.
  void flush_db(uint16_t db);
  /// Exchanges two databases, in constant time.
  void swap_dbs(uint16_t a, uint16_t b);
  /// Takes at most `limit` due keys out of the counts; returns how many. 0: none is due.
  uint64_t drain_expired(uint64_t limit);

  // --- rows of other nodes (after begin_write) ---------------------------------------------------
  // storage/tick_merge.cc. Nodes that merge the same rows and flush stamps hold the same ones, in
  // whatever order and however often they come. SWAPDB has no version and is not merged: a node
  // with a replication log refuses to commit it (storage/replication_log.h).

  /// kForgotten: a deletion stored here stands in nobody's way, however new it is. For stores whose
  /// deletions nobody has to hear of (storage/purge.h): there the next compaction may remove it,
  /// and what a merge does must not depend on whether it has.
  enum class Deletions { kCount, kForgotten };

  /// Merges a row that another node wrote, of whatever version, into what is stored. False: that
  /// changes nothing, or the row's database was flushed after it. Errors, after which nothing has
  /// changed: kCorruption (not a row, or not where such a row belongs), kInvalidArgument (of a
  /// database above ours), kIncomplete (what is stored isn't in memory: see misses()), or what
  /// reading it met. A stamp too far ahead of our clock is counted for an alarm, and stored.
  Result<bool> merge_row(std::string_view row_key, std::string_view row_value,
                         Deletions deletions = Deletions::kCount);
  /// This node becomes the writer: from here on its versions are above all that the last writer can
  /// have given until now, what never came here included. That one's clock may be ahead of ours,
  /// and what it still hands over is older than what is written here from now on.
  void outrun_last_writer();
  /// Another node's clock has come to `stamp`: what is written here from now on is above it.
  void observe(HlcStamp stamp) { follow_clock(stamp); }
  /// Merges what FLUSHDB does on another node: rows of the *physical* database with a stamp up to
  /// `stamp` are dead; the greatest stamp stays. False when that changes nothing. Constant time if
  /// `stamp` is above all rows here, else it counts those that survive, holding the lock. Not in a
  /// tick that has drained. Errors as merge_row().
  Result<bool> merge_flush(uint16_t physical_db, HlcStamp stamp);
  // --- purging (after begin_write) ---------------------------------------------------------------
  // storage/tick_purge.cc, where the rules are. Both go to the replication log of a writer.

  /// Removes the row for good, as if it had never been: no tombstone stays. False when there is
  /// none, or something of it is newer than `stamp` (newest_stamp_of()), or, in a tick that changes
  /// no log, it is alive as of now_ms(), unless `alive` says that it goes. Counts and expiry index follow.
  /// What is written in its place is stamped above `stamp`. Errors as merge_row().
  enum class Alive { kStays, kGoesIfNotOurs, kGoes };
  Result<bool> purge_row(std::string_view row_key, HlcStamp stamp, Alive alive = Alive::kStays);
  /// Writes what is alive there anew, with a version above `floor`: as it is, but that a counter
  /// begins again from its sum. False when there is nothing alive. Errors as merge_row().
  Result<bool> restamp_row(std::string_view row_key, HlcStamp floor);
  /// From here on Keyspace::purged_up_to() is at least `stamp`, which is not UINT64_MAX, and all
  /// that is written here is stamped above it.
  void raise_purge_watermark(HlcStamp stamp);
  /// Whether another node's row is one that was purged here: nothing of it is newer than
  /// Keyspace::purged_up_to(), and here is no such row, not even a dead one. Errors as merge_row().
  Result<bool> was_purged(std::string_view row_key, std::string_view row_value);

  /// Says what commit() does to the replication log, instead of appending what the tick changes.
  /// The store must have one. Before what the tick changes. For LogApplier (storage/log_applier.h).
  void change_log(LogChange change) { log_change_ = std::move(change); }

  // --- the end -----------------------------------------------------------------------------------

  /// Writes the overlay to the engine, makes it visible to all, releases the lock. What it changed
  /// is in the replication log, if the store keeps one, with the same write. On an error (of the
  /// engine, or kUnavailable: this node follows another one) nothing was written, and every reply
  /// that touched_uncommitted() must be replaced by it. Ok doesn't say yet that it is stored
  /// (Engine::write()): Durability::finish_tick() does.
  Status commit();
  bool has_writes() const;
  /// Bytes of rows waiting for commit(): the caller commits early when they grow large.
  size_t pending_bytes() const;

 private:
  enum class Lock { kNone, kShared, kExclusive };

  // A first row as the current command sees it.
  struct Located {
    uint64_t hash = 0;
    uint16_t db = 0;                  // physical
    std::string row_key;              // encoded
    RowRef row;                       // empty: there is none, not even a dead one
    Overlay::Entry* entry = nullptr;  // set when the tick has written it
    bool known = false;               // false: it wasn't in memory, or reading failed
  };

  // What this tick has changed beside rows, by FLUSHDB and the like, and not committed.
  struct StoreChanges {
    std::vector<uint16_t> physical;     // the mapping; empty: unchanged
    std::vector<HlcStamp> flush_stamp;  // by physical number; empty: unchanged, 0: this one too
    // What a flush stamp of another node leaves of the committed keys, by physical number; empty:
    // nothing, as after one of our own.
    std::vector<DatabaseCounts> survivors;
    HlcStamp purged_up_to = 0;  // the purge watermark; 0: unchanged
  };

  // What the tick changes of a database's counts.
  struct CountDelta {
    int64_t keys = 0;
    int64_t expiring = 0;
    bool measured = false;
  };

  struct Due {
    uint64_t expires_at_ms;
    HlcStamp stamp;  // of the row
    uint16_t db;     // physical
    uint64_t hash;
    std::string row_key;
    bool leaves_count = false;  // when it is measured
  };

  uint16_t physical(uint16_t db) const;
  HlcStamp flush_stamp(uint16_t physical_db) const;
  HlcStamp committed_flush_stamp(uint16_t physical_db) const;
  bool live(const RowView& row, uint16_t physical_db) const;
  bool counts(const RowView& row, uint16_t physical_db, std::string_view row_key) const;
  /// Finds the first row of the key; fills located_ and returns it.
  std::optional<RowView> get_once(uint16_t db, std::string_view key);
  Located& locate(uint16_t db, std::string_view key);
  Located& locate_row(uint16_t physical_db, std::string_view row_key);
  RowRef load(uint64_t hash, std::string_view row_key, bool* known);
  Version next_version(const Located& replaced);
  void write_row(Located& at, const RowView& row);
  void write_encoded(Located& at, std::string_view row);
  void remove_row(Located& at, HlcStamp up_to);
  Overlay::Entry entry_over(const Located& replaced) const;
  Status check_database(uint16_t physical_db) const;
  Result<Located*> locate_given(std::string_view row_key);
  HlcStamp purged_up_to() const;
  HlcStamp purge_floor(const Located& at) const;
  HlcStamp write_floor(const Located& at) const;
  bool is_ours(const RowView& row) const;
  HlcStamp stamp_above(HlcStamp floor);
  void follow_clock(HlcStamp remote);
  void follow_clocks_of(const RowView& row);
  void note_ahead(HlcStamp stamp);
  void save_changes();
  Result<DatabaseCounts> count_survivors(uint16_t physical_db);
  Version origin_version() const;

  uint64_t count(uint16_t db, std::atomic<int64_t> Keyspace::Database::*counter, bool expiring);
  bool flushed_here(uint16_t physical_db) const;
  DatabaseCounts survivors(uint16_t physical_db) const;
  bool base_survives(const Overlay::Entry& entry) const;
  void measure_deltas();
  CountDelta& delta_of(uint16_t physical_db);
  Status collect_due(uint64_t limit);
  void fill_batch(EngineBatch& batch);
  void fill_row(EngineBatch& batch, Overlay::Entry& entry);
  void fill_database_changes(EngineBatch& batch);
  Status stage_log();
  RowChangeListener::Killed killed() const;
  bool covers(const RowView& row, uint16_t physical_db, std::string_view row_key,
              const ExpiryWatermark& watermark) const;
  void tell_changes(uint64_t commit);
  bool add_drained_changes();
  void collect_slot_keys();
  void publish();
  void forget_writes();
  void unlock();

  Keyspace& keyspace_;
  Lock lock_ = Lock::kNone;

  // The current command.
  uint64_t now_ms_ = 0;
  ReadTier tier_ = ReadTier::kMemory;
  Located located_;
  std::vector<uint64_t> warm_;
  std::vector<RowRef> pinned_;
  std::vector<std::string> misses_;
  Status error_;
  bool touched_uncommitted_ = false;
  Lookups lookups_;
  size_t overlay_mark_ = 0;
  std::optional<StoreChanges> saved_changes_;  // as they were before the command, when it made some

  // The tick.
  Overlay overlay_;
  StoreChanges changes_;
  std::vector<Due> drained_;
  ExpiryWatermark watermark_;  // where draining stands with drained_, when has_watermark_
  bool has_watermark_ = false;
  uint64_t generation_ = UINT64_MAX;
  std::optional<LogChange> log_change_;
  bool log_staged_ = false;
  std::vector<CountDelta> count_delta_;  // by physical number
  std::vector<uint16_t> counted_;        // physical numbers whose delta was measured
  std::vector<std::pair<uint64_t, Overlay::Entry*>> sorted_;  // with where the row key begins
  std::vector<RowChange> row_changes_;
  std::vector<SlotKeys> slot_keys_;
  std::vector<RowRef> drained_rows_;  // that row_changes_ points to
  std::unique_ptr<EngineBatch> batch_;
  std::string scratch_;
  std::string payload_;
};

}  // namespace syntropy
