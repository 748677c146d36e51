// ProxyPlan: where a request of a client that knows no cluster has to go, in which parts, and how
// the one reply is made of theirs. Pure functions of the routing and the request.
//
//   keys of one slot            to its owner, as it is
//   MGET MSET DEL UNLINK        a part for each slot, joined; not atomic across slots
//   EXISTS TOUCH
//   DBSIZE KEYS RANDOMKEY       to every primary, joined
//   FLUSHALL FLUSHDB
//   SCAN                        to the owner of the slot where the cursor stands, up to the end of
//                               what it owns there: the cursor of the reply leads on to the next one
//   a transaction               to the owner of its keys, which must be of one slot
//   WATCH                       here, or nowhere
//   what has no keys            here
//
// Thread safety: values and pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/client.h"
#include "server/cluster/routing.h"
#include "server/command.h"

namespace syntropy {

/// Requests that go to one node, one behind the other, of whose replies one counts.
struct ProxyPart {
  static constexpr uint16_t kEveryPrimary = UINT16_MAX;

  uint16_t slot = 0;     // whose owner it is for, wherever that is by then
  std::string node;      // host:port at the time of the plan
  std::string requests;  // encoded
  size_t replies = 1;
  size_t counts = 0;           // the index of that one
  bool repeatable = false;     // reads: may be sent again when nobody knows whether it arrived
  std::vector<size_t> places;  // of its elements in the joined reply
};

struct ProxyPlan {
  enum class Join : uint8_t { kOne, kSum, kAllOk, kPlaces, kConcat, kAny, kScan };

  bool local = false;  // to be executed here
  /// It is about one slot alone: of this node, if it is local, else of the one where it goes.
  bool one_slot = false;
  std::string error;  // not empty: the reply
  Join join = Join::kOne;
  std::vector<ProxyPart> parts;
  size_t elements = 0;               // kPlaces: of the joined reply
  uint16_t scan_end = 0;             // kScan: the last slot that counts
  std::vector<std::string> watched;  // WATCH: keys, of which the reply tells what they are

  bool forwards() const { return !parts.empty(); }
  /// Nobody is known to own what it is about; yet, if this node has just begun.
  bool unserved = false;
};

/// A request on its way (proxy_pool.h).
struct ProxyRequest {
  ProxyPlan plan;
  int protocol = 2;  // version of RESP of the reply
  std::function<void(std::string reply)> done;
};

/// `spec` must allow the arguments. `always_forward`: not even to this node's own slots is it local.
ProxyPlan plan_proxy(const Routing& routing, const CommandSpec& spec,
                     std::span<const std::string_view> args, bool always_forward);
/// EXEC of what the client queued, if what it watches is still the same: that is told again where
/// the keys are, for the connections to other nodes are shared.
ProxyPlan plan_transaction(const Routing& routing, const Client& client);

/// The part, as a client has to say it that was sent there by ASK.
ProxyPart asking(const ProxyPart& part);
/// The part, held by as many nodes as the client wants (CLIENT WRITE-ACKS).
ProxyPart with_write_acks(const ProxyPart& part, WriteAcks acks);

/// The reply tells what `keys` are, which the client watches from now on. Returns the reply to its
/// WATCH.
std::string take_watched(const std::vector<std::string>& keys, std::string reply, Client* client);

/// The reply, of those of the parts in their order.
std::string join_replies(const ProxyPlan& plan, std::vector<std::string> replies);

}  // namespace syntropy
