// What an election is told and what it tells: options, the view of the cluster, what to do.
//
// Thread safety: values; an ElectionView is asked by the thread of its election.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "membership/election_message.h"
#include "membership/entry.h"
#include "membership/facts.h"
#include "membership/node_id.h"

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
  /// FAIL, or no member any more.
  virtual bool failed(const NodeId& node) const = 0;
  /// Others have withheld their leases from this node for a node timeout, though it is with the
  /// majority: they may have replaced it.
  virtual bool doubted() const = 0;
  /// The replicas of `primary`, without this node, ascending by id.
  virtual std::vector<ReplicaView> replicas_of(const NodeId& primary) const = 0;
  virtual OwnReplication own_replication() const = 0;
  /// The lineage that `primary` tells; no id when it hasn't.
  virtual LineageId lineage_of(const NodeId& primary) const = 0;
};

enum class FailoverMode { kDefault, kForce, kTakeover };

struct ElectionEvent {
  enum Kind {
    kStarted,  // asks for votes in `epoch`
    kWon,      // the slots of `primary` are claimed with `epoch`: become a primary, new lineage
    kKept,     // the slots of `primary`, this node, are claimed with `epoch`: nobody replaced it
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

}  // namespace syntropy
