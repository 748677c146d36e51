// Election: puts the best replica in the place of a failed primary, or of one that an operator
// wants replaced (Redis Cluster specification, "Replica election and promotion").
//
//   replicas                                     slot-owning primaries
//   --------                                     ---------------------
//   primary is FAIL
//   Standing ->  <- Standing (each other)
//   the best asks at once, the k-th after k * rank_delay
//   VoteRequest(epoch) ------------------------> one vote per epoch, stored before it is sent
//   <------------------------------------------- Vote, or VoteRefusal with the reason
//   N/2+1 votes: claims the slots with the epoch
//
// Redis waits 500 to 1,000 ms before a replica asks, for gossip to tell the offsets; here the
// replicas tell each other directly, and nobody waits once all have answered. Refusals are
// answered, so that a lost election is known in one round trip instead of after a timeout.
//
// Manual failover: the replica sends MfStart, the primary stops writing and sends MfPaused with its
// offset, the replica waits until its own offset is the same, and asks for votes with the manual
// flag; nothing is lost. FORCE leaves out the primary, TAKEOVER the votes.
//
// Invariants
//   1. A voter votes once per epoch, across restarts; the same vote may be sent again to the same
//      candidate.
//   2. A voter doesn't vote for two replicas of one primary within two node timeouts, unless the
//   first
//      gave up or is FAIL.
//   3. Of one electorate, an epoch has one winner.
//
// Thread safety: none; one thread.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "membership/election_message.h"
#include "membership/entry.h"
#include "membership/ownership.h"
#include "storage/base/random.h"

namespace syntropy {

struct ElectionOptions {
  uint32_t node_timeout_ms = 15000;       // cluster-node-timeout
  uint32_t replica_validity_factor = 10;  // cluster-replica-validity-factor; 0: any age will do
  uint32_t repl_ping_period_ms = 10000;   // repl-ping-replica-period
  bool replica_no_failover = false;       // cluster-replica-no-failover
  uint32_t manual_timeout_ms = 5000;      // of a manual failover, and of the primary's pause
  uint32_t standing_wait_ms = 40;         // for siblings that don't answer
  uint32_t rank_delay_ms = 50;            // before asking, per better sibling
  uint32_t stagger_ms = 20;               // before asking, per other failed primary of smaller id
  uint32_t resend_ms = 20;                // of what got no answer
};

/// A replica as its gossiped entries describe it.
struct ReplicaView {
  NodeId id;
  LineageId lineage;
  uint64_t offset = 0;
  bool complete = false;
  bool no_failover = false;
  bool failed = false;  // FAIL in this view
};

/// This node's own copy of its primary's data.
struct OwnReplication {
  LineageId lineage;
  uint64_t offset = 0;
  bool complete = false;     // has finished a first sync
  uint64_t data_age_ms = 0;  // since the last word from the primary
};

/// What an election asks of the rest of the node. Answers may change at any time; the owner calls
/// tick() afterwards.
class ElectionView {
 public:
  virtual ~ElectionView() = default;
  /// Whom `node` (this one included) replicates; no node for a primary or an unknown one.
  virtual NodeId primary_of(const NodeId& node) const = 0;
  virtual bool failed(const NodeId& node) const = 0;
  /// The replicas of `primary`, without this node, ascending by id.
  virtual std::vector<ReplicaView> replicas_of(const NodeId& primary) const = 0;
  virtual OwnReplication own_replication() const = 0;
  /// The lineage that `primary` tells; no id when it hasn't.
  virtual LineageId lineage_of(const NodeId& primary) const = 0;
};

enum class ManualFailover { kDefault, kForce, kTakeover };

struct ElectionEvent {
  enum Kind {
    kStarted,  // asks for votes in `epoch`
    kWon,      // the slots of `primary` are claimed with `epoch`: become a primary, new lineage
    kLost,     // gave up this attempt; stands again if the primary stays FAIL
    kManualFailed,  // the manual failover timed out or was overtaken
  } kind;
  uint64_t epoch = 0;
  NodeId primary;
  bool operator==(const ElectionEvent&) const = default;
};

struct ElectionReady {
  /// First, after Ownership::take_ready() was taken and its `persist` obeyed: in this order.
  std::vector<std::pair<NodeId, ElectionMessage>> send;
  std::vector<ElectionEvent> events;
  /// The primary's side of a manual failover: stop writes until then, at most, and call
  /// writes_paused() once no write is under way. 0: as it is.
  TimeMs pause_writes_until = 0;
  /// End of that pause (cancelled, timed out or replaced).
  bool resume_writes = false;
};

class Election {
 public:
  /// All references outlive the election.
  Election(Ownership& ownership, const ElectionView& view, Random& random,
           const ElectionOptions& options);

  void set_options(const ElectionOptions& options);

  void step(const NodeId& from, const ElectionMessage& message, TimeMs now);
  /// To be called at next_deadline(), and after anything changed that ElectionView or the slot map
  /// tell (FAIL, a role, a claim).
  void tick(TimeMs now);
  /// UINT64_MAX: nothing to wait for.
  TimeMs next_deadline() const;
  ElectionReady take_ready();

  /// CLUSTER FAILOVER, at the replica. kInvalidArgument: not a replica; kNotFound: the primary is
  /// unknown or owns no slots; kUnavailable: it is FAIL, and the mode is kDefault. A running one is
  /// replaced. `primary_known`: there is a record of the primary.
  Status start_manual(ManualFailover mode, TimeMs now);
  bool manual_in_progress() const;

  /// The primary's side, after ElectionReady::pause_writes_until: no write follows `offset`.
  void writes_paused(const LineageId& lineage, uint64_t offset, TimeMs now);
};

}  // namespace syntropy
