// Purger: has a primary remove dead rows for good, on all replicas of its shard, once all of them
// are proved to hold them (storage/tick_purge.cc has the rules).
//
//   proofs of the replicas ──> a watermark ──> a pass over all rows, some at a time
//                                              └─> what is dead goes, through the log
//
// A pass begins when a watermark is proved that is above the last one's, not sooner than
// Options::interval_ms after it, and only if the trees count rows that aren't keys.
//
// Thread safety: the loop's.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "membership/entry.h"
#include "server/cluster/store_work.h"
#include "server/trees/row_trees.h"
#include "storage/base/slot_ranges.h"
#include "storage/keyspace.h"
#include "storage/log_applier.h"

namespace syntropy {

class Purger {
 public:
  struct Options {
    TimeMs interval_ms = 60'000;
    uint64_t rows_per_step = 10'000;  // looked at
    TimeMs pause_ms = 100;            // between two steps
  };
  struct Events {
    /// Runs it on the loop, whatever thread asks.
    std::function<void(std::function<void()>)> post;
    /// Any thread. Slots of other shards: their rows stay, dead ones too. What the owner has wasn't
    /// proved, and may be what they have deleted; they go once he has been offered them.
    std::function<SlotRanges()> foreign;
    /// Something was done: next_deadline() may be another.
    std::function<void()> done;
  };

  /// All outlive this; no job of `work` may be left when it goes.
  Purger(Keyspace& keyspace, RowTrees& trees, LogApplier& applier, StoreWork& work, Events events);

  void set_options(const Options& options) { options_ = options; }
  /// Another role: no pass goes on.
  void stop();

  /// Whether a proof is wanted now.
  bool wants_proof(TimeMs now) const { return !passing_ && now >= pass_at_; }
  /// All other nodes of the shard hold what died up to `stamp`; nullopt: there is no other.
  void prove(std::optional<HlcStamp> stamp, TimeMs now);
  /// There is no such proof now: no pass begins, and the one under way stops.
  void put_off(TimeMs now);
  /// Whether a pass that is under way has a step to do. Only while all are proved to hold what it
  /// purges: who is about to compare its rows with this node's should find them standing still.
  bool wants_step(TimeMs now) const { return passing_ && now >= step_at_; }

  void tick(TimeMs now);
  TimeMs next_deadline() const { return passing_ ? step_at_ : pass_at_; }

  uint64_t purged_rows() const { return purged_rows_; }

 private:
  // What one look at the store says.
  struct Step {
    Status status;
    HlcStamp watermark = 0;
    std::vector<PurgedRow> rows;
    std::string next;  // empty: the pass is over
  };

  Step look(std::optional<HlcStamp> watermark, const std::string& from, uint64_t rows);
  bool has_dead_rows() const;
  void begin_step();
  void looked(uint64_t serial, Step step);
  void purged(uint64_t serial, const Step& step, const Status& status);
  void go_on(const Step& step, const Status& status);

  Keyspace& keyspace_;
  RowTrees& trees_;
  LogApplier& applier_;
  StoreWork& work_;
  const Events events_;
  Options options_;
  uint64_t serial_ = 0;  // of the role: a result of an earlier one says nothing
  TimeMs now_ = 0;       // of the last call that told it
  TimeMs pass_at_ = 0;
  bool passing_ = false;
  TimeMs step_at_ = 0;  // UINT64_MAX: one is under way
  std::optional<HlcStamp> watermark_;
  HlcStamp last_ = 0;  // of the last pass
  std::string from_;
  uint64_t purged_rows_ = 0;
};

}  // namespace syntropy
