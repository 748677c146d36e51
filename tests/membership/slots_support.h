// What the tests of slots and elections share: ids that are easy to order, and a view of the
// cluster that a test writes down.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "membership/election_view.h"
#include "membership/node_id.h"
#include "storage/base/slot_ranges.h"

namespace syntropy::testing {

/// How long what was given up lingers.
inline constexpr TimeMs kLinger = 50;

/// Nodes are ordered as their numbers.
inline NodeId node(uint32_t number) {
  std::string bytes(NodeId::kBytes, '\0');
  bytes[0] = 1;  // never the default value
  for (int i = 0; i < 4; ++i) bytes[4 - i] = static_cast<char>(number >> (8 * i));
  return *NodeId::from_bytes(bytes);
}

inline LineageId lineage(uint32_t number) {
  return *LineageId::from_bytes(node(1'000'000 + number).bytes());
}

struct FakeView final : ElectionView {
  NodeId self;
  std::map<NodeId, NodeId> primaries;       // replica -> primary
  std::set<NodeId> fail;                    // FAIL
  std::map<NodeId, LineageId> lineages;     // of primaries
  std::map<NodeId, ReplicaView> standings;  // of replicas, as gossiped
  OwnReplication own;
  bool is_doubted = false;

  NodeId primary_of(const NodeId& id) const override {
    const auto at = primaries.find(id);
    return at == primaries.end() ? NodeId() : at->second;
  }
  bool failed(const NodeId& id) const override { return fail.contains(id); }
  bool doubted() const override { return is_doubted; }
  std::vector<ReplicaView> replicas_of(const NodeId& primary) const override {
    std::vector<ReplicaView> replicas;
    for (const auto& [id, of] : primaries) {
      if (of != primary || id == self) continue;
      const auto at = standings.find(id);
      ReplicaView replica = at == standings.end() ? ReplicaView{} : at->second;
      replica.id = id;
      replica.failed = fail.contains(id);
      replicas.push_back(replica);
    }
    return replicas;
  }
  OwnReplication own_replication() const override { return own; }
  LineageId lineage_of(const NodeId& primary) const override {
    const auto at = lineages.find(primary);
    return at == lineages.end() ? LineageId() : at->second;
  }
};

}  // namespace syntropy::testing
