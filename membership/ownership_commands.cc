// What operators do to a node's own claim and epochs: the side of Ownership that CLUSTER commands
// use.
#include <algorithm>

#include "membership/ownership.h"

namespace syntropy {
namespace {

using Moving = std::vector<std::pair<uint16_t, NodeId>>;

auto moving_at(Moving& moving, uint16_t slot) {
  return std::lower_bound(moving.begin(), moving.end(), slot,
                          [](const auto& entry, uint16_t at) { return entry.first < at; });
}

void set_moving(Moving* moving, uint16_t slot, const NodeId& node) {
  const auto at = moving_at(*moving, slot);
  if (at != moving->end() && at->first == slot) {
    at->second = node;
  } else {
    moving->insert(at, {slot, node});
  }
}

bool erase_moving(Moving* moving, uint16_t slot) {
  return std::erase_if(*moving, [&](const auto& entry) { return entry.first == slot; }) > 0;
}

std::string slot_text(uint16_t slot) { return "slot " + std::to_string(slot); }

}  // namespace

void Ownership::claim_more(const SlotRanges& slots) {
  state_.slots.add(slots);
  const bool outbid =
      std::any_of(map_.claims().begin(), map_.claims().end(), [&](const SlotClaim& claim) {
        return claim.member != self_ &&
               std::pair(claim.epoch, claim.member) > std::pair(state_.config_epoch, self_) &&
               claim.slots->intersects(slots);
      });
  if (outbid) state_.config_epoch = next_epoch();
  claim_changed();
}

Status Ownership::add_slots(const SlotRanges& slots) {
  if (const auto busy = map_.first_with_owner(slots, true)) {
    return Status::already_exists(slot_text(*busy) + " has an owner already");
  }
  // Those that were hinted to be nobody's may have a claimant.
  map_.drop_hints(slots);
  claim_more(slots);
  return {};
}

Status Ownership::del_slots(const SlotRanges& slots, TimeMs until) {
  if (const auto unassigned = map_.first_with_owner(slots, false)) {
    return Status::not_found(slot_text(*unassigned) + " has no owner");
  }
  if (state_.slots.intersects(slots)) {
    state_.slots.remove(slots);
    claim_changed();
  }
  map_.hint(slots, NodeId(), until);
  ready_.view_changed = true;
  return {};
}

void Ownership::flush_slots() {
  if (state_.slots.empty()) return;
  state_.slots.clear();
  claim_changed();
}

Status Ownership::set_migrating(uint16_t slot, const NodeId& to) {
  if (!owns(slot)) return Status::invalid_argument(slot_text(slot) + " is not this node's");
  set_moving(&state_.migrating, slot, to);
  ready_.persist = ready_.view_changed = true;
  return {};
}

Status Ownership::set_importing(uint16_t slot, const NodeId& from) {
  if (owns(slot)) return Status::invalid_argument(slot_text(slot) + " is this node's already");
  set_moving(&state_.importing, slot, from);
  ready_.persist = ready_.view_changed = true;
  return {};
}

void Ownership::set_stable(uint16_t slot) {
  const bool migrated = erase_moving(&state_.migrating, slot);
  const bool imported = erase_moving(&state_.importing, slot);
  if (migrated || imported) ready_.persist = ready_.view_changed = true;
}

void Ownership::set_owner(uint16_t slot, const NodeId& node, TimeMs until) {
  const SlotRanges one{{slot, slot}};
  if (node == self_) {
    map_.drop_hints(one);
    if (erase_moving(&state_.importing, slot)) bump_epoch();
    if (!state_.slots.contains(slot)) claim_more(one);
    return;
  }
  if (erase_moving(&state_.migrating, slot)) ready_.persist = true;
  map_.hint(one, node, until);
  ready_.view_changed = true;
  // At once, not when the other's claim is heard of: the next epoch of this node, whatever it is
  // for, would take the slot back. In the eyes of third nodes it lingers.
  if (!state_.slots.contains(slot)) return;
  state_.slots.remove(one);
  claim_changed();
  if (state_.slots.empty() && !primary_ && migration_) ready_.follow = node;
}

Status Ownership::set_config_epoch(uint64_t epoch, bool knows_others) {
  if (epoch == 0 || epoch > kMaxEpoch) return Status::invalid_argument("no such config epoch");
  if (knows_others) {
    return Status::invalid_argument("a config epoch can be set only while no other node is known");
  }
  if (state_.config_epoch != 0) {
    return Status::invalid_argument("the config epoch is set already");
  }
  observe_epoch(epoch);
  state_.config_epoch = epoch;
  claim_changed();
  return {};
}

std::optional<uint64_t> Ownership::bump_epoch() {
  const uint64_t highest = std::max(state_.current_epoch, map_.max_epoch());
  if (state_.config_epoch != 0 && state_.config_epoch == highest) return std::nullopt;
  observe_epoch(highest);
  state_.config_epoch = next_epoch();
  claim_changed();
  return state_.config_epoch;
}

void Ownership::reset(bool hard) {
  state_.slots.clear();
  state_.migrating.clear();
  state_.importing.clear();
  if (hard) state_ = {};
  claim_changed();
}

}  // namespace syntropy
