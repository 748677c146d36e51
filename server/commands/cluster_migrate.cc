// CLUSTER: the subcommands that move slots with all that is in them to another shard
// (server/cluster/slot_mover.h). Names and replies as in Valkey 9.
#include <string>
#include <utility>
#include <vector>

#include "server/commands/arguments.h"
#include "server/commands/cluster_commands.h"

namespace syntropy {
namespace {

struct Wanted {
  SlotRanges slots;
  std::string_view node;
};

/// SLOTSRANGE first last [first last ...] NODE id, again and again; nothing after replying with an
/// error.
std::optional<std::vector<Wanted>> parse_moves(Call& call) {
  std::vector<Wanted> moves;
  SlotRanges all;
  size_t i = 2;
  while (i < call.argc()) {
    if (!equals_ignoring_case(call.args[i++], "slotsrange")) break;
    Wanted wanted;
    while (i + 1 < call.argc() && !equals_ignoring_case(call.args[i], "node")) {
      const std::optional<SlotRange> range =
          slot_range_argument(call, call.args[i], call.args[i + 1]);
      if (!range || !add_slots_once(call, *range, &all)) return std::nullopt;
      wanted.slots.add(*range);
      i += 2;
    }
    if (wanted.slots.empty() || i + 1 >= call.argc() ||
        !equals_ignoring_case(call.args[i], "node")) {
      reply_syntax_error(call);
      return std::nullopt;
    }
    wanted.node = call.args[i + 1];
    i += 2;
    moves.push_back(std::move(wanted));
  }
  if (moves.empty() || i < call.argc()) {
    reply_syntax_error(call);
    return std::nullopt;
  }
  return moves;
}

/// Empty: it can begin.
std::string objection(Cluster& cluster, const Wanted& wanted) {
  Membership& membership = cluster.membership();
  if (membership.primary()) return "ERR Slot migrations can only be used on primary nodes.";
  const NodeId target = known_node(membership, wanted.node);
  if (!target) return "ERR Unknown node " + std::string(wanted.node);
  if (target == membership.self()) return "ERR Target node can not be the source node.";
  if (is_replica(membership, target)) return "ERR Target node is not a master";
  const SlotRanges others = wanted.slots.difference(membership.epochs().slots);
  if (!others.empty()) return "ERR Slots are not served by this node: " + others.text();
  const SlotRanges moving = wanted.slots.intersection(cluster.mover().leaving());
  if (!moving.empty()) return "ERR Slots are already being migrated: " + moving.text();
  return {};
}

std::string ranges_text(const SlotRanges& slots) {
  std::string text;
  for (const SlotRange& range : slots.ranges()) {
    if (!text.empty()) text += ' ';
    text += std::to_string(range.first) + "-" + std::to_string(range.last);
  }
  return text;
}

void reply_migration(ReplyWriter& reply, const SlotMigration& migration) {
  const std::pair<std::string_view, std::string> texts[] = {
      {"name", migration.name},
      {"operation", migration.exports ? "EXPORT" : "IMPORT"},
      {"slot_ranges", ranges_text(migration.slots)},
      {"target_node", migration.target.hex()},
      {"source_node", migration.source.hex()},
      {"state", migration.state},
      {"message", migration.message},
  };
  const std::pair<std::string_view, uint64_t> numbers[] = {
      {"create_time", migration.created_s}, {"last_update_time", migration.updated_s},
      {"last_ack_time", migration.heard_s}, {"rows_moved", migration.rows},
      {"rounds", migration.rounds},
  };
  reply.map(std::size(texts) + std::size(numbers));
  for (const auto& [name, text] : texts) {
    reply.bulk(name);
    reply.bulk(text);
  }
  for (const auto& [name, number] : numbers) {
    reply.bulk(name);
    reply.integer(static_cast<int64_t>(number));
  }
}

}  // namespace

void cluster_migrateslots_command(Call& call) {
  Cluster* const cluster = cluster_of(call);
  if (cluster == nullptr) return;
  const std::optional<std::vector<Wanted>> moves = parse_moves(call);
  if (!moves) return;
  const std::string error = cluster->call([&moves](Cluster& on_loop) {
    for (const Wanted& wanted : *moves) {
      std::string refused = objection(on_loop, wanted);
      if (!refused.empty()) return refused;
    }
    for (const Wanted& wanted : *moves) {
      on_loop.mover().start(wanted.slots, known_node(on_loop.membership(), wanted.node));
    }
    on_loop.settle();
    return std::string();
  });
  if (error.empty()) return call.reply.ok();
  call.reply.error(error);
}

void cluster_getslotmigrations_command(Call& call) {
  Cluster* const cluster = cluster_of(call);
  if (cluster == nullptr) return;
  const auto migrations =
      cluster->call([](Cluster& on_loop) { return on_loop.mover().migrations(); });
  call.reply.array(migrations.size());
  for (auto at = migrations.rbegin(); at != migrations.rend(); ++at) {
    reply_migration(call.reply, *at);
  }
}

void cluster_cancelslotmigrations_command(Call& call) {
  Cluster* const cluster = cluster_of(call);
  if (cluster == nullptr) return;
  const size_t ended = cluster->call([](Cluster& on_loop) {
    const size_t canceled = on_loop.mover().cancel();
    on_loop.settle();
    return canceled;
  });
  if (ended == 0) return call.reply.error("ERR No migrations ongoing");
  call.reply.ok();
}

}  // namespace syntropy
