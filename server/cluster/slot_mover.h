// SlotMover: a primary's part in moves of slots between shards, running: drives SlotExport and
// SlotImport (server/replication) with streams of the bus and the store, and keeps rows out of the
// store that are none of this node's business any more.
//
//   source                                                 target
//   start() ─> a queue ─> SlotExport ======= stream =====> SlotImport     spare from here on
//              hold, prove, give away durably ─── grant ──> claims, under a new epoch
//   spare from here on
//
// Spare rows (membership/ownership.h), on either side, are removed through the log once the owner of
// their slots has been offered them all: after a move those of the source, after one that came to
// nothing those of the target. So a crash, of either node at any point, leaves one owner
// that has all rows; what is then too much somewhere goes by itself. Now and then a node looks for
// strays, rows of slots that aren't its own, and takes them for spare: of unfinished moves of the
// primary that it replaced, or brought back by a replica that had been away. If their owner has lost
// them since, it gets them back.
//
// Invariants
//   1. Nothing is granted before it is given durably, nor given before the target says that all of
//      it is safe there, nor while a node of this shard is away: what that one may have written
//      unheard would come too late, and what has been deleted since would come back with it.
//      Nor while one of the target's shard is: it would take old rows that it doesn't know for such
//      as were purged there (storage/tick_purge.cc).
//   2. Rows are removed only of slots that this node neither owns nor is about to get.
//   3. Rows are on disk here before the target gets them. Should this shard lose them with the power
//      and the move come to nothing, it would take them, when they come back, for purged.
//
// Thread safety: the loop's, but for what SlotMoves says otherwise.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "membership/membership.h"
#include "rpc/transport.h"
#include "server/cluster/slot_moves.h"
#include "server/cluster/store_work.h"
#include "server/cluster/stream_pipe.h"
#include "server/replication/slot_export.h"
#include "server/replication/slot_import.h"
#include "server/replication/tree_sessions.h"
#include "storage/keyspace.h"
#include "storage/log_applier.h"

namespace syntropy {

/// Purpose of the streams of moves (rpc/transport.h).
inline constexpr uint8_t kSlotStream = 2;

class SlotMover final : public SlotMoves {
 public:
  /// What a test breaks on purpose, to see that it is found (tests/simulation).
  enum class Fault : uint8_t {
    kNone,
    kDropUnasked,  // removes spare rows without having offered them to their owner
  };
  struct Options {
    SlotExportOptions exports;
    TimeMs sweep_ms = 1000;         // between hand-overs of spare rows
    TimeMs strays_ms = 10'000;      // between looks for rows of slots that are another node's
    uint64_t rows_per_step = 128;   // removed, or written anew, in one commit: clients wait
    size_t log_length = 1000;       // moves remembered
    Fault fault = Fault::kNone;
  };
  struct Events {
    std::function<Membership&()> membership;
    std::function<Peer(const NodeId&)> locate;
    /// This node leads, and its log is its own to write.
    std::function<bool()> leading;
    /// No write to these slots from here on, until release(); tells when it is so.
    std::function<void(const SlotRanges&, std::function<void(const Status&)>)> hold;
    std::function<void()> release;
    /// Tells when all other nodes of this shard have all of its log; kUnavailable: one of them can't
    /// say so within `most_ms`. 0: whether they are there at all; told at once.
    std::function<void(TimeMs most_ms, std::function<void(const Status&)>)> complete;
    /// Whether what membership has to remember is durable, and told to those who serve clients: no
    /// request that they judged by what was before is executed any more.
    std::function<bool()> settle;
    /// Tells when all that this node's log has is on disk here and held by all of this shard.
    std::function<void(std::function<void(const Status&)>)> secure;
    /// Something was done: next_deadline() may be another.
    std::function<void()> pumped;
  };

  /// All references outlive this; no job of `work` may be left when it goes.
  SlotMover(Keyspace& keyspace, RowTrees& trees, Transport& transport, StoreWork& work,
            Clock& clock, Random& random, const Options& options, Events events);

  void set_options(const Options& options) { options_ = options; }

  // SlotMoves
  void start(const SlotRanges& slots, const NodeId& target) override;
  size_t cancel() override;
  std::vector<SlotMigration> migrations() const override;
  SlotRanges leaving() const override;

  /// This node leads no more, or is another one: all moves are over.
  void leave_role();
  /// It is forgotten: the streams with it are at their end.
  void drop(const NodeId& node);
  /// All writes are about to be paused, for a failover.
  void interrupted();
  void stop();

  // --- streams -----------------------------------------------------------------------------------

  /// False: it isn't for this, or not wanted.
  bool on_open(StreamId stream, const Remote& remote, uint8_t purpose);
  /// Whether the stream is one of these.
  bool has(StreamId stream) const;
  Status on_frame(StreamId stream, uint8_t type, std::string_view payload);
  void on_writable() { pump(transport_.now()); }
  void on_closed(StreamId stream);

  void tick(TimeMs now) { pump(now); }
  TimeMs next_deadline() const;

 private:
  struct Export {
    explicit Export(Transport& transport) : pipe(transport) {}

    std::optional<size_t> number;  // of its SlotMigration; none: a hand-over
    uint64_t serial = 0;
    NodeId shard;  // the target's, whose primary gets them
    NodeId owner;  // of a hand-over: gets them itself
    std::unique_ptr<SlotExport> session;
    StreamPipe pipe;
    bool completing = false;  // the others of the shard are asked
    bool storing = false;     // given, and not durably yet
  };
  struct Import {
    Import(uint64_t serial_, const NodeId& from_, SlotImport session_, StreamPipe pipe_)
        : serial(serial_), from(from_), session(std::move(session_)), pipe(std::move(pipe_)) {}

    std::optional<size_t> number;  // of its SlotMigration, once it was accepted
    const uint64_t serial;
    const NodeId from;
    SlotImport session;
    StreamPipe pipe;
  };
  // Spare rows that are being removed.
  struct Removal {
    SlotRanges slots;
    std::string from;  // how far it has come
    uint64_t serial = 0;
    TimeMs next_at = UINT64_MAX;  // of the next step; UINT64_MAX: one is under way
  };

  Membership& membership() const { return events_.membership(); }
  /// Of what isn't sent.
  CompareRate own_rate() const { return {.percent = options_.exports.rate.percent}; }
  uint64_t wall_s() const { return clock_.wall_ms() / 1000; }
  void pump(TimeMs now);
  void begin_next(TimeMs now);
  void open(Export* next, SlotRanges slots, SlotExport::Kind kind, TimeMs now);
  Export* find_export(uint64_t serial);
  void look_at_claims();
  void pump_export(Export& moving, TimeMs now);
  void act(Export& moving, const SlotExport::Ready& ready);
  void give(Export& moving, TimeMs now);
  void complete(uint64_t serial, const Status& all);
  void end_export();
  bool pump_import(Import& import, TimeMs now);
  void judge(Import& import, const SlotOffer& offer, TimeMs now);
  void restamp(uint64_t serial, HlcStamp floor, SlotRanges rest, std::string from);
  void restamped(uint64_t serial, const Status& done);
  void take_grant(const NodeId& from, const SlotGrant& grant);
  void look_for_strays(TimeMs now);
  void sweep(TimeMs now);
  void end_hand_over();
  void remove_step();
  void end_import(StreamId stream);
  SlotMigration* note(size_t number);
  void end_note(size_t number, std::string_view state, std::string_view message);
  size_t add(SlotMigration migration);
  void describe_export(const char* end = nullptr);
  NodeId shard_of(const NodeId& node) const;
  NodeId goal_of(const Export& moving) const;
  SlotRanges arriving() const;

  Keyspace& keyspace_;
  Transport& transport_;
  StoreWork& work_;
  Clock& clock_;
  Random& random_;
  Options options_;
  const Events events_;
  LogApplier applier_;
  TreeSessions rows_;

  bool pumping_ = false;
  uint64_t serial_ = 0;  // says which session a result of the store is for
  std::deque<size_t> queue_;
  std::optional<Export> export_;     // a move
  std::optional<Export> hand_over_;  // of spare rows
  Removal removal_;
  TimeMs sweep_at_ = 0;
  uint64_t roles_left_ = 0;
  TimeMs strays_at_ = 0;  // when they are looked for; UINT64_MAX: they are
  std::map<StreamId, Import> imports_;
  std::vector<StreamId> closed_;  // while pumping

  mutable std::mutex mutex_;  // guards log_, first_
  std::deque<SlotMigration> log_;
  size_t first_ = 0;  // the number of log_'s first
};

}  // namespace syntropy
