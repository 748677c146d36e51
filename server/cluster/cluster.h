// Cluster: a node's part in a cluster, running. Drives the cores (membership/membership.h, the
// replication sessions of server/replication) with a transport (rpc/transport.h) and a store, on
// the transport's thread, "the loop".
//
//   clients' threads              the loop                                 the bus
//   ----------------              --------                                 -------
//   gate(): may I serve, and      Membership <- messages, alarms <-------- other nodes
//   whose slot is it              | ready: store, then send ------------->
//   commits -> ReplicationLog --> PrimarySession per replica ---stream--->
//   await(): enough copies? <---- AckTracker <----------------- acks
//                                 ReplicaSession <------------- stream --- primary
//                                 |  rows are merged by a thread of its own, not by the loop
//
// The same class runs in the server (sockets, RocksDB) and in tests/simulation (a network and an
// engine in memory, virtual time).
//
// Thread safety: functions marked "any thread" from any thread; the rest on the loop.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "membership/membership.h"
#include "rpc/transport.h"
#include "server/cluster/routing.h"
#include "server/cluster/slot_moves.h"
#include "server/cluster/write_acks.h"
#include "storage/base/status.h"

namespace syntropy {

/// What ROLE and INFO replication tell of the sessions.
struct ReplicationStatus {
  /// A replica, as its primary sees it.
  struct Replica {
    enum class State : uint8_t { kWaiting, kSyncing, kOnline };

    NodeId id;
    std::string host;  // how clients reach it
    uint16_t port = 0;
    State state = State::kWaiting;
    uint64_t offset = 0;  // acknowledged
    uint64_t lag_ms = 0;  // since its last acknowledgement
    /// Since it was last found to hold the same rows; UINT64_MAX: not yet, since it connected.
    uint64_t equal_ms = UINT64_MAX;
  };
  /// A replica's side of the stream from its primary.
  struct Link {
    enum class State : uint8_t { kConnect, kConnecting, kSyncing, kConnected };

    std::string host;  // the primary's, as clients reach it
    uint16_t port = 0;
    State state = State::kConnect;
    uint64_t idle_ms = 0;      // since something came from it
    uint64_t down_ms = 0;      // since it was kConnected last
    uint64_t synced_rows = 0;  // kSyncing: received so far
  };

  std::vector<Replica> replicas;  // connected ones, in the order in which they came
  Link primary;                   // meaningless on a primary
  bool failing_over = false;      // CLUSTER FAILOVER is under way
  // Since the start.
  uint64_t full_syncs = 0;   // as primary
  uint64_t purged_rows = 0;  // dead ones, removed for good
  uint64_t mended_rows = 0;  // in which replicas differed that follow by the log alone
  uint64_t partial_syncs = 0;
  uint64_t partial_refusals = 0;  // asked to go on where the backlog doesn't reach
  uint64_t input_bytes = 0;       // of replication streams
  uint64_t output_bytes = 0;
};

class Cluster {
 public:
  virtual ~Cluster() = default;

  /// Any thread.
  ClusterGate& gate() { return gate_; }
  const ClusterGate& gate() const { return gate_; }

  /// Runs `ask` on the loop and waits for what it returns. From any thread but the loop, and not
  /// from an I/O thread, which must not wait: commands that use it carry kWorker.
  template <class Ask>
  auto call(Ask ask) {
    using Answer = decltype(ask(std::declval<Cluster&>()));
    std::promise<Answer> promise;
    std::future<Answer> answer = promise.get_future();
    post([&] { promise.set_value(ask(*this)); });
    return answer.get();
  }

  /// Any thread.
  virtual void post(std::function<void()> job) = 0;

  /// Any thread. Calls `done` once, on the loop, when what is in the log up to now is held by
  /// enough nodes, or with kUnavailable when `timeout_ms` has passed or this node stops being the
  /// primary: the write may still appear then.
  virtual void await(WriteAcks acks, uint64_t timeout_ms,
                     std::function<void(const Status&)> done) = 0;
  /// Any thread. WAIT: calls `done` with the number of replicas that hold what is in the log up to
  /// now, when it is `replicas` or more, or when `timeout_ms` has passed (0: never).
  virtual void wait(uint64_t replicas, uint64_t timeout_ms, std::function<void(uint64_t)> done) = 0;
  /// Any thread. How many replicas' last acknowledgement is not older than `max_lag_ms`
  /// (min-replicas-to-write).
  virtual uint64_t good_replicas(uint64_t max_lag_ms) const = 0;
  /// Any thread.
  virtual ReplicationStatus replication() const = 0;
  /// Any thread. Tells the other nodes, or those of this shard, what was published here (Pub/Sub);
  /// who can't be reached misses it. False, and nobody is told: it is larger than a message may be.
  virtual bool publish(std::string channel, std::string message, bool to_shard) = 0;
  /// Any thread. CLUSTER LINKS.
  virtual std::vector<LinkInfo> links() const = 0;
  /// Any thread.
  virtual TransportStats traffic() const = 0;

  // --- on the loop -------------------------------------------------------------------------------

  virtual Membership& membership() = 0;
  virtual SlotMoves& mover() = 0;
  /// After calls to membership(): obeys what it wants done.
  virtual void settle() = 0;
  virtual TimeMs now() const = 0;
  /// CLUSTER RESET. kUnavailable for a primary that holds keys.
  virtual Status reset(bool hard) = 0;
  /// CLUSTER SAVECONFIG.
  virtual Status store() = 0;

 private:
  ClusterGate gate_;
};

}  // namespace syntropy
