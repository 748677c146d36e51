// CLUSTER SLOT-STATS: what the slots of this shard hold and cost. As in Valkey 8, with what a slot
// takes on the disk beside it.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "server/commands/arguments.h"
#include "server/commands/cluster_commands.h"
#include "server/commands/counting.h"
#include "server/config/config_store.h"
#include "server/context.h"
#include "server/stats.h"
#include "storage/engine.h"
#include "storage/local_keys.h"

namespace syntropy {
namespace {

struct SlotStats {
  uint16_t slot = 0;
  uint64_t keys = 0;
  uint64_t disk_bytes = 0;
  SlotTotals spent;
};

struct Metric {
  std::string_view name;
  uint64_t (*value)(const SlotStats& stats);
  bool counted;  // with cluster-slot-stats-enabled only
};

constexpr Metric kMetrics[] = {
    {"key-count", [](const SlotStats& stats) { return stats.keys; }, false},
    {"disk-bytes", [](const SlotStats& stats) { return stats.disk_bytes; }, false},
    {"cpu-usec", [](const SlotStats& stats) { return stats.spent.nanos / 1000; }, true},
    {"network-bytes-in", [](const SlotStats& stats) { return stats.spent.bytes_in; }, true},
    {"network-bytes-out", [](const SlotStats& stats) { return stats.spent.bytes_out; }, true},
};

bool counts_slots(const Call& call) { return call.server.config.current()->cluster.slot_stats; }

/// Of those of `asked` that this node's shard owns; nothing after replying with an error.
std::optional<std::vector<SlotStats>> gather(Call& call, const SlotRanges& asked) {
  Cluster* const cluster = cluster_of(call);
  if (cluster == nullptr) return std::nullopt;
  const SlotRanges slots = cluster->call([&asked](Cluster& on_loop) {
    const Membership& membership = on_loop.membership();
    const NodeId owner = membership.primary() ? membership.primary() : membership.self();
    return membership.slots().slots_of(owner).intersection(asked);
  });
  const std::optional<std::vector<uint64_t>> keys = count_keys(call, slots);
  if (!keys) return std::nullopt;
  const std::vector<SlotTotals> spent = call.server.stats.slots();
  std::vector<SlotStats> all;
  for (const SlotRange& range : slots.ranges()) {
    std::vector<std::string> bounds(size_t{range.last} - range.first + 2);
    for (size_t i = 0; i < bounds.size(); ++i) {
      encode_row_position(static_cast<uint16_t>(range.first + i), 0, 0, &bounds[i]);
    }
    const std::vector<uint64_t> sizes = call.server.engine.sizes(bounds);
    for (size_t i = 0; i < sizes.size(); ++i) {
      const auto slot = static_cast<uint16_t>(range.first + i);
      all.push_back(
          {slot, (*keys)[all.size()], sizes[i], spent.empty() ? SlotTotals() : spent[slot]});
    }
  }
  return all;
}

void reply_stats(Call& call, const std::vector<SlotStats>& all) {
  const bool counted = counts_slots(call);
  const auto told = [counted](const Metric& metric) { return counted || !metric.counted; };
  call.reply.array(all.size());
  for (const SlotStats& stats : all) {
    call.reply.array(2);
    call.reply.integer(stats.slot);
    call.reply.map(
        static_cast<size_t>(std::count_if(std::begin(kMetrics), std::end(kMetrics), told)));
    for (const Metric& metric : kMetrics) {
      if (!told(metric)) continue;
      call.reply.bulk(metric.name);
      call.reply.integer(static_cast<int64_t>(metric.value(stats)));
    }
  }
}

void of_range(Call& call) {
  const std::optional<uint16_t> first = slot_argument(call, call.args[3]);
  if (!first) return;
  const std::optional<uint16_t> last = slot_argument(call, call.args[4]);
  if (!last) return;
  if (*first > *last) {
    return call.reply.error("ERR Start slot number " + std::to_string(*first) +
                            " is greater than end slot number " + std::to_string(*last));
  }
  if (const auto all = gather(call, {{*first, *last}})) reply_stats(call, *all);
}

struct Order {
  const Metric* metric = nullptr;
  int64_t limit = kSlotCount;
  bool descending = true;
};

/// Nothing after replying with an error.
std::optional<Order> parse_order(Call& call) {
  Order order;
  const auto metric = std::find_if(std::begin(kMetrics), std::end(kMetrics), [&](const Metric& m) {
    return equals_ignoring_case(m.name, call.args[3]) && (counts_slots(call) || !m.counted);
  });
  if (metric == std::end(kMetrics)) {
    call.reply.error("ERR Unrecognized sort metric for ORDERBY.");
    return std::nullopt;
  }
  order.metric = metric;
  int limits = 0;
  int directions = 0;
  for (size_t i = 4; i < call.argc(); ++i) {
    const std::string_view word = call.args[i];
    if (equals_ignoring_case(word, "limit") && i + 1 < call.argc()) {
      const std::optional<int64_t> limit = int64_argument(call, ++i);
      if (!limit) return std::nullopt;
      if (*limit < 1 || *limit > kSlotCount) {
        call.reply.error("ERR Limit has to lie in between 1 and 16384 (maximum number of slots).");
        return std::nullopt;
      }
      order.limit = *limit;
      ++limits;
    } else if (equals_ignoring_case(word, "asc") || equals_ignoring_case(word, "desc")) {
      order.descending = equals_ignoring_case(word, "desc");
      ++directions;
    } else {
      reply_syntax_error(call);
      return std::nullopt;
    }
    if (limits > 1 || directions > 1) {
      call.reply.error("ERR Multiple filters of the same type are disallowed.");
      return std::nullopt;
    }
  }
  return order;
}

void in_order(Call& call) {
  const std::optional<Order> order = parse_order(call);
  if (!order) return;
  auto all = gather(call, SlotRanges::all());
  if (!all) return;
  std::stable_sort(all->begin(), all->end(), [&](const SlotStats& a, const SlotStats& b) {
    const uint64_t one = order->metric->value(a);
    const uint64_t other = order->metric->value(b);
    return order->descending ? one > other : one < other;
  });
  all->resize(std::min(all->size(), static_cast<size_t>(order->limit)));
  reply_stats(call, *all);
}

}  // namespace

void cluster_slot_stats_command(Call& call) {
  if (cluster_of(call) == nullptr) return;
  if (call.argc() == 5 && equals_ignoring_case(call.args[2], "slotsrange")) return of_range(call);
  if (call.argc() >= 4 && equals_ignoring_case(call.args[2], "orderby")) return in_order(call);
  call.reply.error(
      "ERR unknown subcommand or wrong number of arguments for 'SLOT-STATS'. Try CLUSTER HELP.");
}

}  // namespace syntropy
