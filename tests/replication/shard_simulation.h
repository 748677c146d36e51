// ShardSimulation: a shard of one primary and its replicas in virtual time, on engines in memory,
// with the sessions and the storage code of the server. Messages are lost, doubled, late and out of
// order; links are cut, also in one direction; nodes crash with and without the loss of what they
// had not synced; replicas are promoted, not always the best, while the old primary goes on taking
// writes behind a cut, and returns.
//
// Who is primary is decided by the simulation; nodes hear of it when a link lets them.
//
// Everything is drawn from one seed: the same seed gives the same run.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/replication/ack_tracker.h"
#include "server/replication/primary_session.h"
#include "server/replication/replica_session.h"
#include "server/replication/tree_sessions.h"
#include "storage/base/random.h"
#include "storage/keyspace.h"
#include "storage/log_applier.h"
#include "storage/memory_engine.h"
#include "tests/support/manual_clock.h"

namespace syntropy::testing {

/// What is broken on purpose, beside the session's own ReplicationFault.
enum class ShardFault {
  kNone,
  kSameLineageAfterRestart,
  kSameWriterAfterCrash,
  kOffsetSyncedApart,  // the loss of power takes rows and leaves the offset
  kAcknowledgeBeforeSync,
  kPurgeAtOnce,  // tombstones go with the next compaction
  kStaleRows,    // a comparison sees the rows of an earlier moment than it says
};

class ShardSimulation {
 public:
  struct Options {
    uint64_t seed = 1;
    ShardFault fault = ShardFault::kNone;
    ReplicationFault session_fault = ReplicationFault::kNone;
  };
  struct Figures {
    uint64_t writes = 0;
    uint64_t acknowledged = 0;  // that had to be there in the end
    uint64_t promotions = 0;
    uint64_t crashes = 0;
    uint64_t copies = 0;
    uint64_t checks = 0;  // that found both sides equal
    uint64_t continuations = 0;
    uint64_t hand_overs = 0;
  };

  explicit ShardSimulation(const Options& options);
  ~ShardSimulation();

  /// Runs to the end; the first violation in words, or nothing.
  std::string run();
  const Figures& figures() const { return figures_; }

 private:
  // Answers for rows of the moment of the last comparison, said to be of this one.
  class StaleSessions final : public RowSessions {
   public:
    explicit StaleSessions(RowSessions& fresh) : fresh_(fresh) {}
    std::shared_ptr<RowAnswers> answers(LogApplier::Purged purged) override;
    std::shared_ptr<RowQuestions> questions(RowFlow flow, const SlotRanges& slots) override {
      return fresh_.questions(flow, slots);
    }
    HlcStamp purged_for_sure() const override { return fresh_.purged_for_sure(); }

   private:
    class Answers;
    RowSessions& fresh_;
    std::shared_ptr<RowAnswers> last_;
  };
  struct Forward final : PurgeFilter {
    const PurgePolicy* target = nullptr;
    bool may_drop(std::string_view key, std::string_view value) const override {
      return target != nullptr && target->may_drop(key, value);
    }
  };

  // A write that was executed; required in the end if it was acknowledged.
  struct Write {
    std::string row_key;
    Version version;
    bool increment = false;
    bool synced = false;    // where it was written, before that node lost power
    bool lost = false;      // that node lost it with the power
    bool majority = false;  // acknowledged by a majority of the shard
  };
  struct PendingAck {
    ReplicationSessionId session;
    uint64_t offset;
  };
  struct PrimarySide {
    uint64_t connection = 0;
    std::unique_ptr<PrimarySession> session;
    TimeMs proven_at = 0;
    std::optional<ComparisonAnswerer::Work> answering;
  };
  struct Node {
    explicit Node(size_t number) : index(number), engine(&filter) {}
    size_t index;
    Forward filter;
    MemoryEngine engine;
    ManualClock clock;
    std::unique_ptr<PurgePolicy> purge;
    std::unique_ptr<Keyspace> keyspace;
    std::unique_ptr<LogApplier> applier;
    std::unique_ptr<RowTrees> trees;
    std::unique_ptr<TreeSessions> rows;
    std::unique_ptr<StaleSessions> stale_rows;
    LineageId last_lineage;
    bool up = false;
    uint64_t incarnation = 0;  // of the process: what was under way at a crash is forgotten
    uint64_t wake = 0;         // of the pending timer; a later one makes it void
    uint64_t epoch = 0;        // of the decision that it knows; over restarts
    size_t primary = 0;        // what that says
    std::unique_ptr<ReplicaSession> replica;
    std::optional<StoreOp> op;  // that it has asked for
    uint64_t connection = 0;
    std::map<size_t, PrimarySide> followers;
    AckTracker tracker;
    std::map<AckTracker::Token, std::vector<size_t>> waiting;  // writes_
    std::vector<PendingAck> pending_acks;
    std::vector<size_t> unsynced;  // writes_
    uint64_t durable_offset = 0;
    uint64_t checked_offset = 0;
    ReplicationLog& log() { return *keyspace->replication_log(); }
    bool writer() const { return up && primary == index; }
  };
  struct CanonicalLog {
    uint64_t start = 0;
    std::string bytes;
  };

  // The world.
  void at(TimeMs delay, std::function<void()> what);
  void on_node(Node& node, TimeMs delay, std::function<void()> what);
  bool linked(size_t from, size_t to) const { return !cut_[from][to]; }
  void fail(std::string what);
  void run_until(TimeMs end);

  // Nodes.
  void start(Node& node);
  void crash(Node& node, bool power);
  void become(Node& node);
  void learn(Node& node);
  void sync(Node& node);
  void committed(Node& node);
  void pump(Node& node);
  void pump_replica(Node& node);
  void pump_follower(Node& node, size_t follower, PrimarySide& side);
  void connect(Node& node);
  void drop_connection(Node& node, uint64_t connection);
  template <class Message>
  void transmit(Node& from, size_t to, uint64_t connection, Message message);
  void deliver(size_t to, size_t from, uint64_t connection, const PrimaryMessage& message);
  void deliver(size_t to, size_t from, uint64_t connection, const ReplicaMessage& message);
  void execute(Node& node, const StoreOp& op);
  void answer(Node& node, size_t follower, PrimarySide& side);

  // What happens to them.
  void client();
  void write_some(Node& node, std::vector<Write>* writes);
  void trouble();
  void cut_links();
  void promote();

  // What must hold.
  void check_ack(Node& node, const ReplicaAck& ack);
  void check_log(Node& node);
  bool settled();
  void check_end();
  void check_writes(Node& node);

  const Options options_;
  SeededRandom random_;
  const bool always_;    // appendfsync; otherwise everysec
  const uint64_t loss_;  // one message in so many; 0: none
  ReplicationSessionOptions session_options_;
  TimeMs now_ = 0;
  bool quiet_ = false;  // no more trouble
  std::multimap<TimeMs, std::function<void()>> events_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::vector<bool>> cut_;
  uint64_t epoch_ = 1;
  size_t primary_ = 0;
  TimeMs last_power_cut_ = 0;
  uint64_t last_connection_ = 0;
  uint64_t last_key_ = 0;
  std::deque<Write> writes_;
  std::map<LineageId, CanonicalLog> canonical_;
  std::string violation_;
  Figures figures_;
};

}  // namespace syntropy::testing
