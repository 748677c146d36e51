// ClusterPlan: what `syntropy cluster` knows of a cluster, and which slots it would move.
//
// Thread safety: values and pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/slot_ranges.h"
#include "storage/base/status.h"

namespace syntropy {

struct ClusterMember {
  std::string id;
  std::string host;
  uint16_t port = 0;
  uint16_t bus_port = 0;
  bool myself = false;
  bool failed = false;     // FAIL, or suspected
  bool handshake = false;  // hasn't told who it is
  std::string primary;     // whom it replicates; empty: a primary
  SlotRanges slots;

  bool is_primary() const { return primary.empty() && !handshake; }
  /// "host:port".
  std::string address() const { return host + ":" + std::to_string(port); }
};

/// A node's CLUSTER NODES. kCorruption: that isn't what it answers.
Result<std::vector<ClusterMember>> parse_cluster_nodes(std::string_view text);

/// The member with that id, or a beginning of it that no other has, or with that "host:port".
/// kInvalidArgument: none, or several.
Result<const ClusterMember*> find_member(const std::vector<ClusterMember>& members,
                                         std::string_view name);

struct PlannedMove {
  std::string from;  // ids
  std::string to;
  SlotRanges slots;

  bool operator==(const PlannedMove&) const = default;
};

/// Moves after which each primary has its share of the slots by weight (1 where `weights` says
/// nothing), give or take one, and as few as that takes. Nothing while no primary is further from
/// its share than `threshold_percent` of it. kInvalidArgument: all weights are 0.
Result<std::vector<PlannedMove>> plan_rebalance(const std::vector<ClusterMember>& members,
                                                const std::map<std::string, double>& weights,
                                                double threshold_percent);

/// What a slot weighs when shares are made even.
enum class SlotLoad : uint8_t { kCount, kKeys, kBytes, kTraffic };

/// Adds the loads of the slots that a node's CLUSTER SLOT-STATS names, its reply being flattened,
/// to `loads`, by slot. kCorruption: that isn't what it answers; kUnavailable: it doesn't count it.
Status add_slot_loads(const std::vector<std::string>& words, SlotLoad load,
                      std::vector<double>* loads);

/// As plan_rebalance(), of shares of the load, as near as slots allow. `loads` is by slot. Slots
/// without a load stay, but where the weight is 0.
Result<std::vector<PlannedMove>> plan_rebalance_of(const std::vector<double>& loads,
                                                   const std::vector<ClusterMember>& members,
                                                   const std::map<std::string, double>& weights,
                                                   double threshold_percent);

/// A new cluster: who owns which slots, and who replicates whom.
struct PlannedCluster {
  struct Primary {
    std::string address;
    SlotRanges slots;
    std::vector<std::string> replicas;  // addresses, on other hosts where there are any
  };
  std::vector<Primary> primaries;
};

/// Of nodes at these addresses, in this order. kInvalidArgument: too few.
Result<PlannedCluster> plan_cluster(const std::vector<std::string>& addresses, size_t replicas);

}  // namespace syntropy
