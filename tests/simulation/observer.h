// Observer: looks at all nodes of a simulation all the time, and knows what none of them knows:
// what they all have said and done since the beginning, over all restarts. Its invariants:
//
//   votes      a voter votes for one candidate per epoch
//   claims     a slot has one claimant per epoch, but for who gave it away and serves it no more
//   log        one (lineage, offset) stands for one sequence of bytes, on all nodes, for ever
//   service    once a node serves a slot under an epoch, none serves it under a lower one
//   routing    a slot that had an owner in the eyes of a node's clients has one
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "membership/node_id.h"
#include "storage/base/slot_ranges.h"
#include "storage/lineage.h"
#include "tests/simulation/sim_node.h"

namespace syntropy::testing {

class Observer {
 public:
  using Violation = std::function<void(std::string)>;

  /// `out_of_reach`: whether a node claims the slot that can't be heard, or is forgotten.
  Observer(Violation violation, std::function<bool(uint16_t slot)> out_of_reach)
      : violation_(std::move(violation)), out_of_reach_(std::move(out_of_reach)) {}

  /// `from` sends this to `to`.
  void sent(SimNode& from, const NodeId& to, uint8_t type, std::string_view payload);
  /// After anything that a node may have done.
  /// `took_over`: somebody was told to take slots without asking, so that epochs may be taken twice.
  void look(SimNode& node, bool took_over);
  /// The node has begun a new life: its log may have gone back.
  void restarted(SimNode& node);
  /// Somebody has left the cluster, or is told so, and its slots with it.
  void left(const SimNode& node) { left_.insert(node.index()); }
  /// The node's disk is another one: it may have forgotten votes, and what it wrote since.
  /// `known_epoch`: of a node's newest claim that any node knows. Of a later one nobody knows any
  /// more, so nobody can be held to it.
  void disk_changed(const NodeId& node, const std::function<uint64_t(const NodeId&)>& known_epoch);
  /// Who served what, under which epoch.
  void forget_service() { service_.clear(); }
  /// The node executes a write of this slot for a client. `forced`: its leader's place was taken
  /// by TAKEOVER or FORCE, without its consent.
  void served(SimNode& node, uint16_t slot, bool forced);

 private:
  struct CanonicalLog {
    uint64_t start = 0;
    std::string bytes;
  };
  struct Service {
    uint64_t epoch = 0;
    NodeId node;
  };

  void look_at_claims(SimNode& node);
  void look_at_log(SimNode& node);
  void look_at_routing(SimNode& node);

  const Violation violation_;
  const std::function<bool(uint16_t)> out_of_reach_;
  std::map<std::pair<NodeId, uint64_t>, NodeId> votes_;
  std::map<uint64_t, std::map<NodeId, SlotRanges>> claims_;  // by epoch
  std::map<LineageId, CanonicalLog> logs_;
  std::map<size_t, uint64_t> checked_;  // by node: its log is looked at up to here
  std::map<size_t, std::shared_ptr<const Routing>> complete_;  // by node: the last one that was
  std::set<size_t> left_;
  std::map<uint16_t, Service> service_;
};

}  // namespace syntropy::testing
