#include "server/cluster/redirect.h"

#include <algorithm>

namespace syntropy {
namespace {

constexpr std::string_view kDownForWrites =
    "CLUSTERDOWN The cluster is down and only accepts read commands";
constexpr std::string_view kNotServed = "CLUSTERDOWN Hash slot not served";
constexpr std::string_view kCrossSlot = "CROSSSLOT Keys in request don't hash to the same slot";
constexpr std::string_view kOnItsWay = "TRYAGAIN The slot is on its way to another node";
constexpr std::string_view kTryAgain = "TRYAGAIN Multiple keys request during rehashing of slot";

std::string go_to(std::string_view how, uint16_t slot, const Routing::Node& node) {
  std::string error(how);
  error.append(" ").append(std::to_string(slot)).append(" ").append(node.host).append(":");
  return error + std::to_string(node.port);
}

/// Null: the slot isn't on its way.
const Routing::Moving* find(const std::vector<Routing::Moving>& moving, uint16_t slot) {
  const auto at = std::find_if(moving.begin(), moving.end(),
                               [slot](const Routing::Moving& m) { return m.slot == slot; });
  return at == moving.end() ? nullptr : &*at;
}

// A request without keys reads what is here, such as DBSIZE.
std::string redirect_keyless(const Routing& routing, const RequestTerms& terms) {
  if (!terms.writes) return {};
  if (routing.primary) return std::string(kReadOnlyReplica);
  if (!routing.held.empty()) return std::string(kOnItsWay);  // FLUSHALL is about those as well
  return terms.may_serve ? std::string() : std::string(kClusterDown);
}

}  // namespace

void RequestKeys::add(std::string_view key) {
  if (count_++ == 0) {
    first_ = key;
    slot_ = slot_of(key);
  } else if (key != first_) {
    several_ = true;
    if (slot_of(key) != slot_) crosses_slots_ = true;
  }
}

bool is_on_its_way(std::string_view error) { return error == kOnItsWay; }

bool moves_here(const Routing& routing, const RequestKeys& keys) {
  if (keys.empty() || (routing.migrating.empty() && routing.importing.empty())) return false;
  return find(routing.migrating, keys.slot()) != nullptr ||
         find(routing.importing, keys.slot()) != nullptr;
}

std::string redirect(const Routing& routing, const RequestKeys& keys, const RequestTerms& terms) {
  if (keys.empty()) return redirect_keyless(routing, terms);
  const uint16_t slot = keys.slot();
  const Routing::Node* const owner = routing.owner_of(slot);
  if (owner == nullptr) return std::string(kNotServed);
  if (keys.crosses_slots()) return std::string(kCrossSlot);
  if (!terms.may_serve || !routing.covered) {
    if (!terms.reads_when_down) return std::string(kClusterDown);
    if (terms.writes) return std::string(kDownForWrites);
  }
  if (terms.stays && moves_here(routing, keys)) return {};
  const bool mine = owner->id == routing.self;
  const bool waits =
      routing.given.contains(slot) || (terms.writes && routing.held.contains(slot));
  if (mine && waits) return std::string(kOnItsWay);
  if (const Routing::Moving* to = find(routing.migrating, slot); mine && to != nullptr) {
    if (keys.missing() == 0) return {};
    if (keys.found() != 0) return std::string(kTryAgain);
    return go_to("ASK", slot, routing.nodes[to->peer]);
  }
  if (find(routing.importing, slot) != nullptr && terms.asking) {
    return keys.several() && keys.missing() != 0 ? std::string(kTryAgain) : std::string();
  }
  if (mine) return {};
  if (terms.readonly && !terms.writes && routing.primary && owner->id == routing.primary) return {};
  return go_to("MOVED", slot, *owner);
}

}  // namespace syntropy
