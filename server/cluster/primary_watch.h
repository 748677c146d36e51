// PrimaryWatch: tells clients of Redis Sentinel which node is primary, and when that changes. Every
// node answers as a Sentinel does (server/commands/sentinel.cc); no Sentinel runs.
//
// A Sentinel client asks for a primary by a name. sentinel-master-name is that of the shard with the
// lowest slot, which is the only one or, to a client that knows no cluster, as good as any; the
// others are known by their shard ids.
//
// Thread safety: one thread, that of the membership.
// Source: Redis' documentation, "High availability with Redis Sentinel" and "Sentinel client spec".
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "membership/membership.h"

namespace syntropy {

/// Where changes are published: "<name> <old host> <old port> <new host> <new port>".
inline constexpr std::string_view kSwitchMaster = "+switch-master";

/// What the primary of `shard` is called. `first`: it has the lowest slot.
std::string primary_name(const NodeId& shard, bool first, std::string_view master_name);

class PrimaryWatch {
 public:
  /// What there is to publish since the last call: of shards whose primary is at another address.
  std::vector<std::string> changes(const Membership& membership, std::string_view master_name);

 private:
  std::map<NodeId, AddressFact> primaries_;  // by shard
};

}  // namespace syntropy
