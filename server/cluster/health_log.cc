#include "server/cluster/health_log.h"

#include <spdlog/spdlog.h>

#include <string>

namespace syntropy {
namespace {

std::string uncovered(const Routing& routing) {
  for (size_t slot = 0; slot < routing.owner.size(); ++slot) {
    const Routing::Node* const owner = routing.owner_of(static_cast<uint16_t>(slot));
    if (owner == nullptr) return fmt::format("slot {} has no owner", slot);
    if (owner->failed) return fmt::format("{}, which owns slot {}, is FAIL", owner->id.hex(), slot);
  }
  return "a slot had no living owner a moment ago";
}

std::string cut_off(const Membership& membership) {
  if (membership.has_lost_data()) return "this node lost what it held";
  return "those who watch this node haven't answered it for long enough that it may have been "
         "replaced";
}

}  // namespace

void HealthLog::note(const Membership& membership, ClusterHealth health, const Routing* routing) {
  if (routing != nullptr && !routing->covered && health == ClusterHealth::kOk) {
    health = ClusterHealth::kUncovered;
  }
  if (health == health_) return;
  health_ = health;
  if (health == ClusterHealth::kOk) return spdlog::info("cluster: the state is ok");
  spdlog::warn("cluster: the state is fail, clients are refused: {}",
               health == ClusterHealth::kCutOff ? cut_off(membership)
               : routing == nullptr             ? "clients aren't served yet"
                                                : uncovered(*routing));
}

}  // namespace syntropy
