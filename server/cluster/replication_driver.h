// ReplicationDriver: a node's role in replication, running. Drives the sessions of
// server/replication with streams of the bus (rpc/transport.h) and the store's log.
//
//   lead()    no session as a replica; the log begins a lineage; whoever opens a stream is served
//   follow()  no session as a primary; the log takes no writes; a session with the primary
//
// A change of roles is a job of the store's lane of changes, behind everything that was under way
// there, so that the store is never changed by two sessions at once. Until it is done the node
// isn't settled: it neither serves replicas nor follows. What fails is tried again.
//
// Guarantees of writes: wait() counts the replicas whose acknowledgement has come so far
// (server/replication/ack_tracker.h).
//
// Invariants
//   1. A replica is counted once, by its latest stream.
//   2. What the loop holds for a stream that isn't read is bounded by the session's windows.
//
// Thread safety: the loop's, but for what says otherwise.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "membership/election_view.h"
#include "rpc/transport.h"
#include "server/cluster/cluster.h"
#include "server/cluster/purger.h"
#include "server/cluster/store_work.h"
#include "server/cluster/stream_pipe.h"
#include "server/replication/ack_tracker.h"
#include "server/replication/primary_session.h"
#include "server/replication/replica_session.h"
#include "server/replication/tree_sessions.h"
#include "storage/keyspace.h"
#include "storage/log_applier.h"

namespace syntropy {

/// Purpose of the streams of replication (rpc/transport.h).
inline constexpr uint8_t kReplicationStream = 1;

class ReplicationDriver {
 public:
  /// What a test breaks on purpose, to see that it is found (tests/simulation).
  enum class Fault : uint8_t {
    kNone,
    kKeepLineage,         // who becomes primary goes on in the lineage of the one before
    kAckUnsynced,         // acknowledges what isn't durable
    kProvedByThePresent,  // purges without a proof of who is away
  };
  struct Options {
    ReplicationSessionOptions primary;  // this node's sessions as one
    ReplicationSessionOptions replica;
    Purger::Options purger;
    Fault fault = Fault::kNone;
  };
  struct Events {
    /// Where that node is.
    std::function<Peer(const NodeId&)> locate;
    /// The other nodes of this primary's shard, whether they can be reached or not; nullopt: that
    /// can't be told now.
    std::function<std::optional<std::vector<NodeId>>()> others_of_shard;
    /// The log is what lead() or follow() asked for.
    std::function<void()> settled;
    /// Something was done: next_deadline() may be another.
    std::function<void()> pumped;
  };

  /// `keyspace` is replicated, `trees` are its. All references outlive this; no job of `work` may
  /// be left when it goes.
  ReplicationDriver(Keyspace& keyspace, RowTrees& trees, Transport& transport, StoreWork& work,
                    Random& random, const Options& options, Events events);
  ~ReplicationDriver();
  ReplicationDriver(const ReplicationDriver&) = delete;
  ReplicationDriver& operator=(const ReplicationDriver&) = delete;

  /// Slots of other shards (StoreMarks::foreign, Purger::Events::foreign).
  void set_foreign(const SlotRanges& slots) { rows_.set_foreign(slots); }
  /// For sessions from now on.
  void set_options(const Options& options) {
    options_ = options;
    purger_.set_options(options.purger);
  }

  /// `emptied`: without the rows that are there (CLUSTER RESET).
  void lead(bool emptied = false);
  /// `keep` kNothing: the rows that are there go first.
  void follow(const NodeId& primary, LogApplier::Keep keep);
  /// Ends all sessions; whoever waits is told so. Nothing follows.
  void stop();
  /// True between the end of lead() and the next follow().
  bool leading() const { return leads_ && settled_; }
  bool settled() const { return settled_; }

  /// A manual failover: no write after the point that `stopped` is told. Ends with resume_writes()
  /// or a change of roles.
  void pause_writes(std::function<void(const LogPoint&)> stopped);
  /// `resumed`: they are taken again.
  void resume_writes(std::function<void()> resumed);
  /// LogApplier::hold(); `held` is told once it is so, unless the role changes before. Ends with
  /// release() or a change of roles.
  void hold(uint64_t generation, std::function<void()> held);
  void release();

  // --- streams -----------------------------------------------------------------------------------

  /// False: it isn't for replication, or not wanted.
  bool on_open(StreamId stream, const Remote& remote, uint8_t purpose);
  Status on_frame(StreamId stream, uint8_t type, std::string_view payload);
  void on_writable(StreamId stream);
  void on_closed(StreamId stream);
  /// Ends the streams with that node: it is forgotten.
  void drop(const NodeId& node);

  /// Does what is due; to be called at next_deadline().
  void tick(TimeMs now);
  TimeMs next_deadline() const;

  // --- guarantees --------------------------------------------------------------------------------

  /// Calls `done` with whether `needed` replicas have the log up to `offset`, and how many have.
  /// `deadline` UINT64_MAX: none.
  void wait(uint64_t offset, size_t needed, TimeMs deadline,
            std::function<void(bool met, uint64_t replicas)> done);
  /// Whether each of these nodes follows this one by the log.
  bool followed_by(const std::vector<NodeId>& nodes) const;
  /// Any thread.
  uint64_t good_replicas(TimeMs now, uint64_t max_lag_ms) const;

  // --- questions ---------------------------------------------------------------------------------

  /// What this node's copy is worth.
  OwnReplication own(TimeMs now) const;
  /// Any thread. Addresses and failing_over are the caller's to fill in; `primary_id` says whose
  /// link it is.
  ReplicationStatus status(TimeMs now) const;

 private:
  struct Downstream {
    explicit Downstream(StreamPipe stream) : pipe(std::move(stream)) {}

    StreamPipe pipe;
    NodeId node;
    uint64_t serial = 0;  // says which session a result of the store is for
    std::unique_ptr<PrimarySession> session;
    TimeMs close_at = Transport::kNoAlarm;  // refused: open until it has read why
    bool counted = false;                   // in the figures of syncs
    uint64_t mended_rows = 0;               // of the session, as counted so far
  };
  struct Upstream {
    explicit Upstream(Transport& transport) : pipe(transport) {}

    StreamPipe pipe;
    NodeId primary;
    uint64_t serial = 0;
    std::unique_ptr<ReplicaSession> session;
    TimeMs followed_at = 0;  // kFollowing last; 0: never
  };
  // What other threads may ask, as of the last pump.
  struct Shown {
    struct Replica {
      NodeId node;
      PrimarySession::State state;
      uint64_t offset;
      bool following;
      TimeMs heard;
      TimeMs equal;  // 0: never
    };
    std::vector<Replica> replicas;
    ReplicaSession::State link = ReplicaSession::State::kIdle;
    TimeMs link_heard = 0;
    TimeMs link_followed = 0;
    uint64_t link_pulled = 0;
    uint64_t full_syncs = 0;
    uint64_t partial_syncs = 0;
    uint64_t mended_rows = 0;
    uint64_t purged_rows = 0;
    uint64_t input_bytes = 0;
    uint64_t output_bytes = 0;
  };

  ReplicationLog& log() const { return *keyspace_.replication_log(); }
  void wake();
  void leave_role();
  void change_role();
  void role_changed(uint64_t serial, const Status& result);
  void begin_following();
  void close_of(const NodeId& node);

  void pump(TimeMs now);
  void pump(Downstream& replica, TimeMs now);
  void pump_upstream(TimeMs now);
  void take_over(const Downstream& replica, std::string records, LogApplier::Purged purged);
  void answer(const Downstream& replica, ComparisonAnswerer::Work work, bool changes);
  void apply(StoreOp op);
  void stored(uint64_t serial, const StoreOpResult& result);
  void log_is_durable(uint64_t serial, ReplicationSessionId session, uint64_t offset);
  void note_ack(StreamId stream, Downstream& replica);
  void serve(StreamId stream, const NodeId& node);
  void erase(StreamId stream);
  void erase_closed();
  void tell_outcomes();
  void prove_deaths(TimeMs now);
  void show();

  Keyspace& keyspace_;
  Transport& transport_;
  StoreWork& work_;
  Random& random_;
  Options options_;
  const Events events_;
  LogApplier applier_;
  TreeSessions rows_;
  Purger purger_;
  std::atomic<bool> woken_{false};  // a pump is on its way
  std::atomic<bool> has_replicas_{false};

  bool leads_ = false;
  bool settled_ = false;
  NodeId primary_;
  LogApplier::Keep keep_ = LogApplier::Keep::kLog;
  bool empty_first_ = false;
  uint64_t serial_ = 0;  // of roles and sessions
  uint64_t role_serial_ = 0;
  TimeMs role_retry_at_ = Transport::kNoAlarm;

  std::map<StreamId, Downstream> replicas_;
  Upstream upstream_{transport_};
  bool pumping_ = false;
  std::vector<StreamId> closed_;  // while pumping

  AckTracker acks_;
  std::map<AckTracker::Token, std::function<void(bool, uint64_t)>> waits_;

  mutable std::mutex shown_mutex_;  // guards shown_
  Shown shown_;
  uint64_t full_syncs_ = 0;
  uint64_t partial_syncs_ = 0;
  uint64_t mended_rows_ = 0;
  uint64_t input_bytes_ = 0;
  uint64_t output_bytes_ = 0;
};

}  // namespace syntropy
