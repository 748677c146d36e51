// Redirect: whether this node may serve a request, and where its client should go if not (Redis
// Cluster specification, "Redirection and resharding": MOVED, ASK, TRYAGAIN, CROSSSLOT,
// CLUSTERDOWN). Pure functions of what the node knows of the cluster (Routing) and of the request.
//
//   its keys ---------------> RequestKeys: one slot? several keys?
//   Routing, may_serve -----> redirect(): empty (serve it here), or the error to reply
//
// A transaction is checked as one request: each command when it is queued, all their keys together
// when it is executed, for the slot may have gone elsewhere in between.
//
// Keys are looked up only while their slot is on its way to or from this node (moves_here()).
//
// Thread safety: pure functions and values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/cluster/routing.h"

namespace syntropy {

/// The keys of a request, one after the other.
class RequestKeys {
 public:
  /// `key` must stay valid as long as this.
  void add(std::string_view key);

  bool empty() const { return count_ == 0; }
  /// Of the first key. Not when empty.
  uint16_t slot() const { return slot_; }
  bool crosses_slots() const { return crosses_slots_; }
  /// Not all are the same key.
  bool several() const { return several_; }

  /// While the slot moves: a key of the request is here, or isn't.
  void note_lookup(bool found) { ++(found ? found_ : missing_); }
  uint32_t found() const { return found_; }
  uint32_t missing() const { return missing_; }

 private:
  std::string_view first_;
  uint32_t count_ = 0;
  uint32_t found_ = 0;
  uint32_t missing_ = 0;
  uint16_t slot_ = 0;
  bool crosses_slots_ = false;
  bool several_ = false;
};

/// What else decides.
struct RequestTerms {
  bool writes = false;           // the command, or one of the transaction
  bool stays = false;            // kStaysWhereItMoves
  bool readonly = false;         // the client said READONLY
  bool asking = false;           // the client said ASKING just before
  bool may_serve = false;        // ClusterGate::may_serve()
  bool reads_when_down = false;  // cluster-allow-reads-when-down
};

/// Of a redirect(): the slot is given away, or about to be; who takes it will be heard of in a moment.
bool is_on_its_way(std::string_view error);

/// The keys must be looked up, and note_lookup() called for each, before redirect() is asked.
bool moves_here(const Routing& routing, const RequestKeys& keys);

/// Empty: this node serves it. Else the error without its '-'. A request without keys is served
/// unless it writes (FLUSHALL) and this node is a replica or may have been replaced.
std::string redirect(const Routing& routing, const RequestKeys& keys, const RequestTerms& terms);

inline constexpr std::string_view kClusterDown = "CLUSTERDOWN The cluster is down";
inline constexpr std::string_view kReadOnlyReplica =
    "READONLY You can't write against a read only replica.";

}  // namespace syntropy
