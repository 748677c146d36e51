#include "server/cluster/make_routing.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace syntropy {
namespace {

// The nodes are in the order of their ids, as the members are.
uint16_t index_of(const Routing& routing, const NodeId& id) {
  const auto at = std::lower_bound(
      routing.nodes.begin(), routing.nodes.end(), id,
      [](const Routing::Node& node, const NodeId& wanted) { return node.id < wanted; });
  if (at == routing.nodes.end() || at->id != id) return Routing::kNobody;
  return static_cast<uint16_t>(at - routing.nodes.begin());
}

std::vector<Routing::Moving> moving(const Routing& routing,
                                    const std::vector<std::pair<uint16_t, NodeId>>& slots) {
  std::vector<Routing::Moving> result;
  for (const auto& [slot, peer] : slots) {
    const uint16_t index = index_of(routing, peer);
    if (index != Routing::kNobody) result.push_back({slot, index});
  }
  return result;
}

// As clients are told: a slot that its owner has just handed on has the next one.
bool all_served(const Routing& routing) {
  return std::all_of(routing.owner.begin(), routing.owner.end(), [&](uint16_t owner) {
    return owner != Routing::kNobody && !routing.nodes[owner].failed;
  });
}

}  // namespace

std::shared_ptr<const Routing> make_routing(const Membership& membership, bool full_coverage,
                                            const SlotRanges& held, uint64_t generation) {
  auto routing = std::make_shared<Routing>();
  routing->self = membership.self();
  routing->generation = generation;
  routing->primary = membership.primary();
  for (const MemberRecordPtr& member : membership.members()) {
    if (routing->nodes.size() == Routing::kNobody) break;
    Routing::Node node;
    node.id = member->id;
    const auto address = decode_fact<AddressFact>(member->value(EntryKey::kAddress));
    if (address.ok()) {
      node.host = address->host;
      node.port = address->port;
    }
    node.failed = membership.liveness(member->id) == Liveness::kFailed;
    routing->nodes.push_back(std::move(node));
  }
  routing->owner.fill(Routing::kNobody);
  for (const SlotRun& run : membership.slots().view()) {
    const uint16_t index = index_of(*routing, run.owner);
    std::fill(routing->owner.begin() + run.range.first, routing->owner.begin() + run.range.last + 1,
              index);
  }
  routing->covered = !full_coverage || all_served(*routing);
  routing->migrating = moving(*routing, membership.epochs().migrating);
  routing->importing = moving(*routing, membership.epochs().importing);
  routing->given = membership.epochs().given;
  routing->held = held;
  return routing;
}

}  // namespace syntropy
