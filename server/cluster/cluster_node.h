// ClusterNode: the Cluster (server/cluster/cluster.h) of a node: membership, replication and the
// bus, wired together.
//
//                    messages, alarms                     streams
//   Transport ----------------------> Membership             |
//        ^                               | MembershipReady   v
//        |      stored, then sent        v          ReplicationDriver ---> log, rows
//        +------------------------- obey() -----------> lead(), follow()
//                                        |
//                                        +--> ClusterGate: Routing, serve_until
//                                        +--> SlotMover: slots that come and go
//
// Invariants
//   1. Nothing leaves before what membership had to remember is durable. While that can't be
//      stored, nothing leaves at all.
//   2. Clients are sent here for writes only once the log is this node's to write: a Routing with
//      this node as primary is published after ReplicationDriver has settled, and one without it
//      before the log stops.
//
// Thread safety: as Cluster says; open(), start() and stop() by the thread that owns the node.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "membership/membership.h"
#include "rpc/publication.h"
#include "rpc/transport.h"
#include "server/cluster/cluster.h"
#include "server/cluster/health_log.h"
#include "server/cluster/replication_driver.h"
#include "server/cluster/slot_mover.h"
#include "server/cluster/state_store.h"
#include "server/cluster/store_work.h"
#include "storage/base/clock.h"
#include "storage/base/random.h"
#include "storage/keyspace.h"

namespace syntropy {

/// What a test breaks on purpose, to see that it is found (tests/simulation).
enum class ClusterFault : uint8_t {
  kNone,
  kForgetState,   // sends without having stored
  kServeForever,  // doesn't mind its lease
  kVoteForAll,    // says yes to whomever it would refuse
  kDropGossip,    // hears nothing of what others tell of third nodes
  kHoldAtOnce,    // doesn't wait for what is under way before it gives slots away
};

struct ClusterNodeOptions {
  MembershipOptions membership;
  ReplicationDriver::Options replication;
  SlotMover::Options mover;
  /// What others are told. An empty host: what they see.
  AddressFact address;
  /// Makes the writes of clients wait for so long, and ends that (manual failover).
  std::function<void(TimeMs)> pause_clients;
  std::function<void()> resume_clients;
  /// Something was published at another node (Pub/Sub).
  std::function<void(const Publication&)> published;
  /// Called after clients have been told of another Routing.
  std::function<void(const Membership&, const Routing&)> rerouted;
  /// Asked once in a while.
  std::function<LoadFact()> load;
  ClusterFault fault = ClusterFault::kNone;
};

class ClusterNode final : public Cluster, private TransportHandler {
 public:
  /// What it is made of; all outlive it, and no job of `work` may be left when it goes.
  struct Parts {
    Transport& transport;
    Keyspace& keyspace;
    RowTrees& trees;
    StoreWork& work;
    Clock& clock;
    Random& random;
  };

  /// What the store says this node is; for a store that has never been part of a cluster, a new
  /// node. The transport must be made for this id.
  static Result<StateStore::Stored> identity(Engine& engine, Random& random);

  /// `stored` as identity() gave it. The keyspace must be replicated.
  ClusterNode(const Parts& parts, const ClusterNodeOptions& options,
              const StateStore::Stored& stored);
  ~ClusterNode() override;

  /// Begins: stores the state, starts the transport (which listens already).
  Status start();
  /// Stops the transport. Nothing is answered any more; who waits is told so.
  void stop();
  /// Any thread.
  void set_options(const ClusterNodeOptions& options);

  // Cluster
  void post(std::function<void()> job) override;
  void await(WriteAcks acks, uint64_t timeout_ms, std::function<void(const Status&)> done) override;
  void wait(uint64_t replicas, uint64_t timeout_ms, std::function<void(uint64_t)> done) override;
  uint64_t good_replicas(uint64_t max_lag_ms) const override;
  ReplicationStatus replication() const override;
  bool publish(std::string channel, std::string message, bool to_shard) override;
  std::vector<LinkInfo> links() const override { return transport_.links(); }
  TransportStats traffic() const override { return transport_.stats(); }
  Membership& membership() override { return *membership_; }
  SlotMover& mover() override { return mover_; }
  void settle() override;
  TimeMs now() const override { return transport_.now(); }
  Status reset(bool hard) override;
  Status store() override;

  /// For tests: the log is what the role demands.
  bool settled() const { return replication_.settled(); }

 private:
  // TransportHandler
  Status on_message(const Remote& from, uint8_t type, std::string_view payload) override;
  Status on_publication(const NodeId& from, std::string_view payload);
  void on_unreachable(const Peer& peer, Unreachable kind, const Status& why) override;
  void on_stranger(const PeerAddress& address, const Status& why) override;
  void on_stream_open(StreamId stream, const Remote& remote, uint8_t purpose) override;
  Status on_stream_frame(StreamId stream, uint8_t type, std::string_view payload) override;
  void on_stream_writable(StreamId stream) override;
  void on_stream_closed(StreamId stream, const Status& why) override;
  void on_alarm(TimeMs now) override;

  ReplicationLog& log() const { return *keyspace_.replication_log(); }
  Peer locate(const NodeId& node) const;
  void refresh(TimeMs at);
  void obey(MembershipReady& ready, TimeMs at);
  void send(MembershipReady& ready);
  static void vote_for_all(MembershipReady& ready);
  StateStore::Keep what_to_keep(const MembershipReady& ready) const;
  void change_role(const NodeId& primary);
  void on_settled();
  void pause_writes(TimeMs until, TimeMs at);
  void stop_log();
  void hold_slots(const SlotRanges& slots, std::function<void(const Status&)> held);
  void fence_held();
  void release_slots();
  void fenced(uint64_t generation);
  void await_shard(TimeMs most_ms, std::function<void(const Status&)> done);
  bool settle_move();
  void secure(std::function<void(const Status&)> done);
  void resume_writes();
  void log_events(const MembershipReady& ready) const;
  void publish();
  void publish_lease(TimeMs at);
  void rearm();
  size_t replicas_of_shard() const;
  std::optional<std::vector<NodeId>> others_of_shard() const;

  Transport& transport_;
  Keyspace& keyspace_;
  StoreWork& work_;
  Clock& clock_;
  Random& random_;
  ClusterNodeOptions options_;
  StateStore states_;
  std::unique_ptr<Membership> membership_;
  ReplicationDriver replication_;
  SlotMover mover_;

  StateStore::Keep joining_;  // until the log has changed its role
  NodeId shard_;              // when the role changed last
  MembershipReady ready_;
  bool lead_due_ = false;  // a primary since the start, that hasn't served yet
  bool started_ = false;
  bool unstored_ = false;  // what membership wanted stored isn't
  TimeMs store_retry_at_ = 0;
  bool routing_due_ = true;
  std::atomic<bool> paused_{false};
  HealthLog health_log_;
  SlotRanges held_;                               // Routing::held
  std::function<void(const Status&)> told_held_;  // to be told when nothing is written there
  uint64_t held_by_ = 0;                          // the generation that says so
  TimeMs fence_held_at_ = Transport::kNoAlarm;
  TimeMs fence_held_by_ = 0;  // then, even if requests are still judged by what was before
  std::vector<std::weak_ptr<const Routing>> outdated_;  // those before, while somebody has them
  SlotRanges told_given_;    // to those who serve clients
  uint64_t generation_ = 0;  // Routing::generation
  uint64_t fenced_ = 0;      // nothing older is executed
  TimeMs pause_log_at_ = Transport::kNoAlarm;
  TimeMs load_due_ = 0;
  std::optional<TimeMs> stranger_logged_at_;
};

}  // namespace syntropy
