// CLUSTER: the subcommands about slots: who owns them, on their way to whom, which keys are in
// them.
#include <string>
#include <vector>

#include "server/commands/arguments.h"
#include "server/commands/cluster_commands.h"
#include "server/commands/counting.h"
#include "storage/base/slot.h"

namespace syntropy {
namespace {

constexpr std::string_view kNotAPrimary = "ERR Target node is not a master";
constexpr std::string_view kBadSetSlot =
    "ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP";

// --- ADDSLOTS, DELSLOTS --------------------------------------------------------------------------

/// Nothing after replying with an error.
std::optional<SlotRanges> slot_list(Call& call) {
  SlotRanges slots;
  std::vector<uint16_t> given;
  for (const std::string_view text : call.args.subspan(2)) {
    const std::optional<uint16_t> slot = slot_argument(call, text);
    if (!slot) return std::nullopt;
    given.push_back(*slot);
  }
  for (const uint16_t slot : given) {
    if (!add_slots_once(call, {slot, slot}, &slots)) return std::nullopt;
  }
  return slots;
}

/// Nothing after replying with an error.
std::optional<SlotRanges> slot_range_list(Call& call) {
  if (call.argc() % 2 != 0) {
    reply_wrong_arity(call);
    return std::nullopt;
  }
  std::vector<SlotRange> given;
  for (size_t i = 2; i < call.argc(); i += 2) {
    const std::optional<SlotRange> range =
        slot_range_argument(call, call.args[i], call.args[i + 1]);
    if (!range) return std::nullopt;
    given.push_back(*range);
  }
  SlotRanges slots;
  for (const SlotRange& range : given) {
    if (!add_slots_once(call, range, &slots)) return std::nullopt;
  }
  return slots;
}

void add_slots(Call& call, const SlotRanges& slots) {
  change_membership(call, [&slots](Membership& membership, TimeMs now) -> std::string {
    if (const auto busy = membership.slots().first_with_owner(slots, true)) {
      return "ERR Slot " + std::to_string(*busy) + " is already busy";
    }
    if (membership.primary()) {
      return "ERR A replica can't own slots: send CLUSTER ADDSLOTS to a primary";
    }
    const Status added = membership.add_slots(slots, now);
    return added.ok() ? std::string() : error_text(added);
  });
}

void del_slots(Call& call, const SlotRanges& slots) {
  change_membership(call, [&slots](Membership& membership, TimeMs now) -> std::string {
    if (const auto unowned = membership.slots().first_with_owner(slots, false)) {
      return "ERR Slot " + std::to_string(*unowned) + " is already unassigned";
    }
    const Status deleted = membership.del_slots(slots, now);
    return deleted.ok() ? std::string() : error_text(deleted);
  });
}

// --- SETSLOT -------------------------------------------------------------------------------------

enum class SlotAction : uint8_t { kMigrating, kImporting, kStable, kNode };

/// Nothing when action and number of arguments don't go together.
std::optional<SlotAction> slot_action(const Call& call) {
  const std::string_view action = call.args[3];
  if (call.argc() == 4 && equals_ignoring_case(action, "stable")) return SlotAction::kStable;
  if (call.argc() != 5) return std::nullopt;
  if (equals_ignoring_case(action, "migrating")) return SlotAction::kMigrating;
  if (equals_ignoring_case(action, "importing")) return SlotAction::kImporting;
  if (equals_ignoring_case(action, "node")) return SlotAction::kNode;
  return std::nullopt;
}

std::string stranger(std::string_view id) {
  return "ERR I don't know about node " + std::string(id);
}

std::string set_migrating(Membership& membership, uint16_t slot, std::string_view id, TimeMs now) {
  if (membership.slots().owner(slot) != membership.self()) {
    return "ERR I'm not the owner of hash slot " + std::to_string(slot);
  }
  const NodeId to = known_node(membership, id);
  if (!to) return stranger(id);
  if (is_replica(membership, to)) return std::string(kNotAPrimary);
  const Status set = membership.set_slot_migrating(slot, to, now);
  return set.ok() ? std::string() : error_text(set);
}

std::string set_importing(Membership& membership, uint16_t slot, std::string_view id, TimeMs now) {
  if (membership.slots().owner(slot) == membership.self()) {
    return "ERR I'm already the owner of hash slot " + std::to_string(slot);
  }
  const NodeId from = known_node(membership, id);
  if (!from) return stranger(id);
  if (is_replica(membership, from)) return std::string(kNotAPrimary);
  const Status set = membership.set_slot_importing(slot, from, now);
  return set.ok() ? std::string() : error_text(set);
}

std::string set_owner(Membership& membership, uint16_t slot, std::string_view id, bool holds_keys,
                      TimeMs now) {
  const NodeId node = known_node(membership, id);
  if (!node) return "ERR Unknown node " + std::string(id);
  if (is_replica(membership, node)) return std::string(kNotAPrimary);
  const NodeId& self = membership.self();
  if (holds_keys && node != self && membership.slots().owner(slot) == self) {
    return "ERR Can't assign hashslot " + std::to_string(slot) +
           " to a different node while I still hold keys for this hash slot.";
  }
  const Status set = membership.set_slot_owner(slot, node, now);
  return set.ok() ? std::string() : error_text(set);
}

}  // namespace

void cluster_addslots_command(Call& call) {
  if (cluster_of(call) == nullptr) return;
  if (const auto slots = slot_list(call)) add_slots(call, *slots);
}

void cluster_addslotsrange_command(Call& call) {
  if (cluster_of(call) == nullptr) return;
  if (const auto slots = slot_range_list(call)) add_slots(call, *slots);
}

void cluster_delslots_command(Call& call) {
  if (cluster_of(call) == nullptr) return;
  if (const auto slots = slot_list(call)) del_slots(call, *slots);
}

void cluster_delslotsrange_command(Call& call) {
  if (cluster_of(call) == nullptr) return;
  if (const auto slots = slot_range_list(call)) del_slots(call, *slots);
}

void cluster_flushslots_command(Call& call) {
  if (cluster_of(call) == nullptr) return;
  if (holds_keys(call)) {
    return call.reply.error("ERR DB must be empty to perform CLUSTER FLUSHSLOTS.");
  }
  change_membership(call, [](Membership& membership, TimeMs now) {
    membership.flush_slots(now);
    return std::string();
  });
}

void cluster_setslot_command(Call& call) {
  Cluster* const cluster = cluster_of(call);
  if (cluster == nullptr) return;
  if (cluster->call([](Cluster& c) { return bool{c.membership().primary()}; })) {
    return call.reply.error("ERR Please use SETSLOT only with masters.");
  }
  const std::optional<uint16_t> slot = slot_argument(call, call.args[2]);
  if (!slot) return;
  const std::optional<SlotAction> action = slot_action(call);
  if (!action) return call.reply.error(kBadSetSlot);
  bool holds = false;
  if (*action == SlotAction::kNode) {
    const auto stop_at_first = [&holds](std::string_view) {
      holds = true;
      return false;
    };
    if (!visit_keys(call, *slot, stop_at_first)) return;
  }
  const std::string_view id = call.args.back();
  change_membership(call, [&](Membership& membership, TimeMs now) -> std::string {
    switch (*action) {
      case SlotAction::kMigrating:
        return set_migrating(membership, *slot, id, now);
      case SlotAction::kImporting:
        return set_importing(membership, *slot, id, now);
      case SlotAction::kNode:
        return set_owner(membership, *slot, id, holds, now);
      case SlotAction::kStable:
        break;
    }
    membership.set_slot_stable(*slot, now);
    return {};
  });
}

void cluster_keyslot_command(Call& call) {
  if (cluster_of(call) == nullptr) return;
  call.reply.integer(slot_of(call.args[2]));
}

void cluster_countkeysinslot_command(Call& call) {
  if (cluster_of(call) == nullptr) return;
  const std::optional<int64_t> slot = int64_argument(call, 2);
  if (!slot) return;
  if (*slot < 0 || *slot >= kSlotCount) return call.reply.error("ERR Invalid slot");
  const auto number = static_cast<uint16_t>(*slot);
  const auto counts = count_keys(call, {{number, number}});
  if (counts) call.reply.integer(static_cast<int64_t>(counts->front()));
}

void cluster_getkeysinslot_command(Call& call) {
  if (cluster_of(call) == nullptr) return;
  const std::optional<int64_t> slot = int64_argument(call, 2);
  if (!slot) return;
  const std::optional<int64_t> most = int64_argument(call, 3);
  if (!most) return;
  if (*slot < 0 || *slot >= kSlotCount || *most < 0) {
    return call.reply.error("ERR Invalid slot or number of keys");
  }
  std::vector<std::string> keys;
  const auto wanted = static_cast<size_t>(*most);
  const auto collect = [&](std::string_view key) {
    keys.emplace_back(key);
    return keys.size() < wanted;
  };
  if (wanted != 0 && !visit_keys(call, static_cast<uint16_t>(*slot), collect)) return;
  call.reply.array(keys.size());
  for (const std::string& key : keys) call.reply.bulk(key);
}

}  // namespace syntropy
