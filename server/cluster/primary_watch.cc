#include "server/cluster/primary_watch.h"

#include <fmt/format.h>

#include <optional>

namespace syntropy {

std::string primary_name(const NodeId& shard, bool first, std::string_view master_name) {
  return first && !master_name.empty() ? std::string(master_name) : shard.hex();
}

std::vector<std::string> PrimaryWatch::changes(const Membership& membership,
                                               std::string_view master_name) {
  std::vector<std::string> changes;
  const std::vector<SlotRun> runs = membership.slots().view();
  for (const NodeId& owner : membership.slots().owners()) {
    const std::optional<MemberView> member = membership.member(owner);
    if (!member || !member->role.shard || member->address.host.empty()) continue;
    const NodeId shard = owner == membership.self() ? membership.shard() : member->role.shard;
    const auto [at, is_new] = primaries_.try_emplace(shard, member->address);
    const AddressFact before = std::exchange(at->second, member->address);
    if (is_new || (before.host == at->second.host && before.port == at->second.port)) continue;
    changes.push_back(fmt::format("{} {} {} {} {}",
                                  primary_name(shard, owner == runs.front().owner, master_name),
                                  before.host, before.port, at->second.host, at->second.port));
  }
  return changes;
}

}  // namespace syntropy
