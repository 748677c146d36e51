#include "tools/cli/cluster_plan.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace syntropy {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

template <class Number>
bool parse_number(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

bool has_flag(const std::vector<std::string_view>& flags, std::string_view flag) {
  return std::find(flags.begin(), flags.end(), flag) != flags.end();
}

// "host:port@bus" or "host:port@bus,hostname"
bool parse_address(std::string_view text, ClusterMember* member) {
  text = text.substr(0, text.find(','));
  const size_t at = text.rfind('@');
  const size_t colon = text.substr(0, at).rfind(':');
  if (at == std::string_view::npos || colon == std::string_view::npos) return false;
  member->host = text.substr(0, colon);
  return parse_number(text.substr(colon + 1, at - colon - 1), &member->port) &&
         parse_number(text.substr(at + 1), &member->bus_port);
}

bool parse_owned_slots(std::string_view part, SlotRanges* slots) {
  if (part.empty() || part.front() == '[') return true;  // on its way
  const size_t dash = part.find('-');
  SlotRange range;
  if (!parse_number(part.substr(0, dash), &range.first)) return false;
  range.last = range.first;
  if (dash != std::string_view::npos && !parse_number(part.substr(dash + 1), &range.last)) {
    return false;
  }
  if (range.first > range.last || range.last >= kSlotCount) return false;
  slots->add(range);
  return true;
}

// The last `count` slots, taken off.
SlotRanges take_last(SlotRanges* slots, uint32_t count) {
  SlotRanges taken;
  while (count > 0 && !slots->empty()) {
    SlotRange last = slots->ranges().back();
    if (last.count() > count) last.first = static_cast<uint16_t>(last.last - count + 1);
    taken.add(last);
    slots->remove(last);
    count -= last.count();
  }
  return taken;
}

// Slots of about that load, from the last one on, taken off; those that weigh too much are left.
SlotRanges take_load(SlotRanges* slots, const std::vector<double>& loads, double load,
                     double* taken) {
  SlotRanges chosen;
  const SlotRanges all = *slots;
  for (auto range = all.ranges().rbegin(); range != all.ranges().rend(); ++range) {
    for (int slot = range->last; slot >= range->first; --slot) {
      const double one = loads[static_cast<size_t>(slot)];
      // It brings the sum nearer to what is wanted.
      if (one <= 0 || *taken + one / 2 > load) continue;
      *taken += one;
      chosen.add({static_cast<uint16_t>(slot), static_cast<uint16_t>(slot)});
    }
  }
  slots->remove(chosen);
  return chosen;
}

std::string_view host_of(std::string_view address) { return address.substr(0, address.rfind(':')); }

struct Share {
  const ClusterMember* member;
  SlotRanges slots;
  double exact;
  uint32_t wanted;
};

// Shares in whole slots that add up. Those left over go where they lie already.
void round_shares(std::vector<Share>* shares, uint32_t total) {
  uint32_t given = 0;
  for (Share& share : *shares) {
    share.wanted = static_cast<uint32_t>(share.exact);
    given += share.wanted;
  }
  std::vector<Share*> order;
  for (Share& share : *shares) {
    if (share.exact > 0) order.push_back(&share);
  }
  std::stable_sort(order.begin(), order.end(), [](const Share* a, const Share* b) {
    const auto over = [](const Share* share) {
      return static_cast<int64_t>(share->slots.count()) - share->wanted;
    };
    return over(a) > over(b);
  });
  for (size_t i = 0; given < total; ++i, ++given) ++order[i % order.size()]->wanted;
}

}  // namespace

Result<std::vector<ClusterMember>> parse_cluster_nodes(std::string_view text) {
  std::vector<ClusterMember> members;
  for (std::string_view line : split(text, '\n')) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    const std::vector<std::string_view> parts = split(line, ' ');
    ClusterMember member;
    bool sound = parts.size() >= 8 && parse_address(parts[1], &member);
    if (sound) {
      member.id = parts[0];
      const std::vector<std::string_view> flags = split(parts[2], ',');
      member.myself = has_flag(flags, "myself");
      member.failed = has_flag(flags, "fail") || has_flag(flags, "fail?");
      member.handshake = has_flag(flags, "handshake");
      if (parts[3] != "-") member.primary = parts[3];
      for (size_t i = 8; i < parts.size(); ++i)
        sound = sound && parse_owned_slots(parts[i], &member.slots);
    }
    if (!sound) return Status::corruption("not a line of CLUSTER NODES: " + std::string(line));
    members.push_back(std::move(member));
  }
  return members;
}

Result<const ClusterMember*> find_member(const std::vector<ClusterMember>& members,
                                         std::string_view name) {
  const ClusterMember* found = nullptr;
  for (const ClusterMember& member : members) {
    if (member.address() == name || member.id == name) return &member;
    if (name.empty() || !std::string_view(member.id).starts_with(name)) continue;
    if (found != nullptr) {
      return Status::invalid_argument("several nodes' ids begin with '" + std::string(name) + "'");
    }
    found = &member;
  }
  if (found == nullptr) {
    return Status::invalid_argument("the cluster has no node '" + std::string(name) +
                                    "': give its id or its host:port");
  }
  return found;
}

Result<std::vector<PlannedMove>> plan_rebalance(const std::vector<ClusterMember>& members,
                                                const std::map<std::string, double>& weights,
                                                double threshold_percent) {
  std::vector<Share> shares;
  uint32_t total = 0;
  double sum = 0;
  for (const ClusterMember& member : members) {
    if (!member.is_primary()) continue;
    const auto weight = weights.find(member.id);
    shares.push_back({&member, member.slots, weight == weights.end() ? 1 : weight->second, 0});
    sum += shares.back().exact;
    total += member.slots.count();
  }
  if (sum <= 0) return Status::invalid_argument("no primary has a weight above 0");
  double furthest = 0;
  for (Share& share : shares) {
    share.exact = share.exact / sum * total;
    const double off = std::abs(static_cast<double>(share.slots.count()) - share.exact);
    furthest = std::max(furthest, off / std::max(share.exact, 1.0) * 100);
  }
  if (furthest <= threshold_percent) return std::vector<PlannedMove>();
  round_shares(&shares, total);
  std::vector<PlannedMove> moves;
  for (Share& from : shares) {
    for (Share& to : shares) {
      const uint32_t have = from.slots.count();
      const uint32_t lacks = to.wanted - std::min(to.wanted, to.slots.count());
      if (have <= from.wanted || lacks == 0) continue;
      PlannedMove move{from.member->id, to.member->id,
                       take_last(&from.slots, std::min(have - from.wanted, lacks))};
      to.slots.add(move.slots);
      moves.push_back(std::move(move));
    }
  }
  return moves;
}

Status add_slot_loads(const std::vector<std::string>& words, SlotLoad load,
                      std::vector<double>* loads) {
  const auto counts = [load](std::string_view name) {
    switch (load) {
      case SlotLoad::kCount:
        break;
      case SlotLoad::kKeys:
        return name == "key-count";
      case SlotLoad::kBytes:
        return name == "disk-bytes";
      case SlotLoad::kTraffic:
        return name == "network-bytes-in" || name == "network-bytes-out";
    }
    return false;
  };
  loads->resize(kSlotCount);
  for (size_t i = 0; i < words.size();) {
    uint16_t slot = 0;
    uint64_t value = 0;
    bool counted = false;
    if (!parse_number(words[i++], &slot) || slot >= kSlotCount) {
      return Status::corruption("not a reply to CLUSTER SLOT-STATS");
    }
    // A name and a number, again and again, until the number of the next slot.
    for (uint16_t next = 0; i + 1 < words.size() && !parse_number(words[i], &next); i += 2) {
      if (!counts(words[i])) continue;
      if (!parse_number(words[i + 1], &value)) {
        return Status::corruption("not a reply to CLUSTER SLOT-STATS");
      }
      (*loads)[slot] += static_cast<double>(value);
      counted = true;
    }
    if (!counted) return Status::unavailable("the node doesn't count that");
  }
  return {};
}

Result<std::vector<PlannedMove>> plan_rebalance_of(const std::vector<double>& loads,
                                                   const std::vector<ClusterMember>& members,
                                                   const std::map<std::string, double>& weights,
                                                   double threshold_percent) {
  struct Part {
    const ClusterMember* member;
    SlotRanges slots;
    double load = 0;
    double weight = 1;
    double wanted = 0;
  };
  std::vector<Part> parts;
  double total = 0;
  double weight_sum = 0;
  bool keeps_too_much = false;  // whoever is to have nothing
  for (const ClusterMember& member : members) {
    if (!member.is_primary()) continue;
    Part part{&member, member.slots};
    if (const auto weight = weights.find(member.id); weight != weights.end()) {
      part.weight = weight->second;
    }
    for (const SlotRange& range : member.slots.ranges()) {
      for (unsigned slot = range.first; slot <= range.last; ++slot) part.load += loads[slot];
    }
    total += part.load;
    weight_sum += part.weight;
    keeps_too_much = keeps_too_much || (part.weight == 0 && !part.slots.empty());
    parts.push_back(std::move(part));
  }
  if (weight_sum <= 0) return Status::invalid_argument("no primary has a weight above 0");
  double furthest = 0;
  for (Part& part : parts) {
    part.wanted = part.weight / weight_sum * total;
    if (part.load == part.wanted) continue;
    const double share = std::max(part.wanted, total / 1e6);
    furthest = std::max(furthest, std::abs(part.load - part.wanted) / share * 100);
  }
  std::vector<PlannedMove> moves;
  if (furthest <= threshold_percent && !keeps_too_much) return moves;
  for (Part& from : parts) {
    for (Part& to : parts) {
      const double most = std::min(from.load - from.wanted, to.wanted - to.load);
      if (most <= 0) continue;
      double taken = 0;
      PlannedMove move{from.member->id, to.member->id, take_load(&from.slots, loads, most, &taken)};
      if (move.slots.empty()) continue;
      from.load -= taken;
      to.load += taken;
      to.slots.add(move.slots);
      moves.push_back(std::move(move));
    }
  }
  // Whoever is to have nothing keeps nothing.
  const auto least = std::min_element(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
    return std::pair(a.weight == 0, a.load) < std::pair(b.weight == 0, b.load);
  });
  for (Part& from : parts) {
    if (from.weight != 0 || from.slots.empty()) continue;
    moves.push_back({from.member->id, least->member->id, std::exchange(from.slots, {})});
  }
  return moves;
}

Result<PlannedCluster> plan_cluster(const std::vector<std::string>& addresses, size_t replicas) {
  const size_t count = addresses.size() / (replicas + 1);
  if (count == 0) {
    return Status::invalid_argument("a cluster with " + std::to_string(replicas) +
                                    " replicas for each primary needs " +
                                    std::to_string(replicas + 1) + " nodes at least");
  }
  PlannedCluster plan;
  for (size_t i = 0; i < count; ++i) {
    const auto first = static_cast<uint16_t>(i * kSlotCount / count);
    const auto last = static_cast<uint16_t>((i + 1) * kSlotCount / count - 1);
    plan.primaries.push_back({addresses[i], {{first, last}}, {}});
  }
  for (size_t i = count; i < addresses.size(); ++i) {
    // To the one with the fewest, on another host if possible.
    const auto burden = [&](const PlannedCluster::Primary& primary) {
      return std::pair(primary.replicas.size(), host_of(primary.address) == host_of(addresses[i]));
    };
    const auto least =
        std::min_element(plan.primaries.begin(), plan.primaries.end(),
                         [&](const auto& a, const auto& b) { return burden(a) < burden(b); });
    least->replicas.push_back(addresses[i]);
  }
  return plan;
}

}  // namespace syntropy
