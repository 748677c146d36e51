// SENTINEL: what clients of Redis Sentinel ask to find a primary. Every node answers, from what it
// knows of the cluster; a node on its own is its own primary.
//
// Fields that describe how a Sentinel watches its nodes aren't there: none does.
#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "server/cluster/primary_watch.h"
#include "server/commands/arguments.h"
#include "server/commands/cluster_commands.h"
#include "server/commands/cluster_view.h"
#include "server/commands/help.h"
#include "server/config/config_store.h"
#include "server/context.h"

namespace syntropy {
namespace {

using Member = ClusterView::Member;
using Fields = std::vector<std::pair<std::string_view, std::string>>;

constexpr std::string_view kNoSuchMaster = "ERR No such master with that name";

/// A primary that has slots, by the name that clients use.
struct Primary {
  std::string name;
  const Member* member;
};

/// The cluster as this node sees it; without one, this node alone.
ClusterView view_of(Call& call) {
  ClusterView view;
  if (call.server.cluster != nullptr) {
    view = call.server.cluster->call(
        [](Cluster& on_loop) { return view_cluster(on_loop.membership(), on_loop.now()); });
  } else {
    Member self;
    self.id = view.self = *NodeId::parse(call.server.run_id);
    self.address.port = call.server.port;
    self.complete = true;
    self.slots = SlotRanges::all();
    view.members.push_back(std::move(self));
  }
  // Nobody may have told this node its address; the client has one.
  for (Member& member : view.members) {
    if (member.id != view.self || !member.address.host.empty()) continue;
    member.address.host = call.client.local_address.substr(0, call.client.local_address.rfind(':'));
  }
  return view;
}

std::vector<Primary> primaries_of(const Call& call, const ClusterView& view) {
  const std::string& name = call.server.config.current()->cluster.sentinel_master_name;
  std::vector<Primary> primaries;
  for (const Member& member : view.members) {
    if (member.primary || member.slots.empty()) continue;
    const bool first = view.runs.empty() || view.runs.front().owner == member.id;
    primaries.push_back({primary_name(member.shard, first, name), &member});
  }
  return primaries;
}

const Member* find_primary(const Call& call, const ClusterView& view) {
  for (const Primary& primary : primaries_of(call, view)) {
    if (primary.name == call.args[2]) return primary.member;
  }
  return nullptr;
}

void add_node(std::string name, const Member& member, std::string_view role, Fields* fields) {
  fields->emplace_back("name", std::move(name));
  fields->emplace_back("ip", member.address.host);
  fields->emplace_back("port", std::to_string(member.address.port));
  fields->emplace_back("runid", member.id.hex());
  std::string flags(role);
  if (member.liveness != Liveness::kAlive) flags += ",s_down";
  if (member.liveness == Liveness::kFailed) flags += role == "master" ? ",o_down" : "";
  fields->emplace_back("flags", std::move(flags));
}

std::string node_name(const Member& member) {
  return fmt::format("{}:{}", member.address.host, member.address.port);
}

/// Votes that replace a primary.
uint32_t majority(const ClusterView& view) { return view.primaries_with_slots / 2 + 1; }

Fields master_fields(const Call& call, const ClusterView& view, const Primary& primary) {
  Fields fields;
  add_node(primary.name, *primary.member, "master", &fields);
  fields.emplace_back("down-after-milliseconds",
                      std::to_string(call.server.config.current()->cluster.node_timeout_ms));
  fields.emplace_back("role-reported", "master");
  fields.emplace_back("config-epoch", std::to_string(primary.member->epoch));
  fields.emplace_back("num-slaves", std::to_string(view.replicas_of(primary.member->id).size()));
  fields.emplace_back("num-other-sentinels", std::to_string(view.members.size() - 1));
  fields.emplace_back("quorum", std::to_string(majority(view)));
  return fields;
}

Fields replica_fields(const Member& replica, const Member& primary) {
  Fields fields;
  add_node(node_name(replica), replica, "slave", &fields);
  fields.emplace_back("role-reported", "slave");
  fields.emplace_back("master-link-status", replica.complete ? "ok" : "err");
  fields.emplace_back("master-host", primary.address.host);
  fields.emplace_back("master-port", std::to_string(primary.address.port));
  // Nobody is promoted who must not be: as a priority of 0 has it.
  fields.emplace_back("slave-priority", replica.no_failover ? "0" : "100");
  fields.emplace_back("slave-repl-offset", std::to_string(replica.offset));
  return fields;
}

Fields sentinel_fields(const Member& node) {
  Fields fields;
  add_node(node.id.hex(), node, "sentinel", &fields);
  return fields;
}

void reply_fields(ReplyWriter& reply, const Fields& fields) {
  reply.map(fields.size());
  for (const auto& [name, value] : fields) {
    reply.bulk(name);
    reply.bulk(value);
  }
}

void reply_all(ReplyWriter& reply, const std::vector<Fields>& all) {
  reply.array(all.size());
  for (const Fields& fields : all) reply_fields(reply, fields);
}

void get_master_addr_by_name(Call& call) {
  const ClusterView view = view_of(call);
  const Member* const primary = find_primary(call, view);
  if (primary == nullptr) return call.reply.null_array();
  call.reply.array(2);
  call.reply.bulk(primary->address.host);
  call.reply.bulk(std::to_string(primary->address.port));
}

void masters(Call& call) {
  const ClusterView view = view_of(call);
  std::vector<Fields> all;
  for (const Primary& primary : primaries_of(call, view)) {
    all.push_back(master_fields(call, view, primary));
  }
  reply_all(call.reply, all);
}

void master(Call& call) {
  const ClusterView view = view_of(call);
  const Member* const primary = find_primary(call, view);
  if (primary == nullptr) return call.reply.error(kNoSuchMaster);
  reply_fields(call.reply, master_fields(call, view, {std::string(call.args[2]), primary}));
}

void replicas(Call& call) {
  const ClusterView view = view_of(call);
  const Member* const primary = find_primary(call, view);
  if (primary == nullptr) return call.reply.error(kNoSuchMaster);
  std::vector<Fields> all;
  for (const Member* replica : view.replicas_of(primary->id)) {
    all.push_back(replica_fields(*replica, *primary));
  }
  reply_all(call.reply, all);
}

void sentinels(Call& call) {
  const ClusterView view = view_of(call);
  if (find_primary(call, view) == nullptr) return call.reply.error(kNoSuchMaster);
  std::vector<Fields> all;
  for (const Member& node : view.members) {
    if (node.id != view.self && !node.contact) all.push_back(sentinel_fields(node));
  }
  reply_all(call.reply, all);
}

void ckquorum(Call& call) {
  const ClusterView view = view_of(call);
  if (find_primary(call, view) == nullptr) return call.reply.error(kNoSuchMaster);
  uint32_t voters = 0;
  for (const Primary& primary : primaries_of(call, view)) {
    voters += primary.member->liveness == Liveness::kAlive ? 1 : 0;
  }
  if (voters < majority(view)) {
    return call.reply.error(
        fmt::format("NOQUORUM {} of {} primaries with slots are alive: not enough to replace one",
                    voters, view.primaries_with_slots));
  }
  call.reply.simple_string(fmt::format(
      "OK {} usable primaries vote. Quorum and failover authorization can be reached", voters));
}

void myid(Call& call) { call.reply.bulk(view_of(call).self.hex()); }

constexpr CommandSpec subcommand(std::string_view name, int arity, CommandHandler handler,
                                 std::string_view since, std::string_view summary,
                                 std::string_view syntax) {
  CommandSpec spec{};
  spec.name = name;
  spec.arity = arity;
  spec.flags = kLoading | kStale | kWorker | kAsksLoop | kNoRows;
  spec.handler = handler;
  spec.group = "cluster";
  spec.since = since;
  spec.summary = summary;
  spec.complexity = "O(N) where N is the number of nodes";
  spec.syntax = syntax;
  spec.categories = "@slow";
  return spec;
}

constexpr CommandSpec kSubcommands[] = {
    subcommand("ckquorum", 3, ckquorum, "2.8.4",
               "Says whether enough nodes are alive to replace a primary.", "master-name"),
    subcommand("get-master-addr-by-name", 3, get_master_addr_by_name, "2.8.4",
               "Tells the address of a primary.", "master-name"),
    subcommand("help", 2, help_command, "6.2.0", "Lists the subcommands.", ""),
    subcommand("master", 3, master, "2.8.4", "Describes a primary.", "master-name"),
    subcommand("masters", 2, masters, "2.8.4", "Describes all primaries that have slots.", ""),
    subcommand("myid", 2, myid, "6.2.0", "Tells the id of this node.", ""),
    subcommand("replicas", 3, replicas, "5.0.0", "Describes the replicas of a primary.",
               "master-name"),
    subcommand("sentinels", 3, sentinels, "2.8.4",
               "Lists the other nodes, each of which can be asked as well.", "master-name"),
    subcommand("slaves", 3, replicas, "2.8.0", "Describes the replicas of a primary.",
               "master-name"),
};

constexpr CommandSpec container() {
  CommandSpec spec{};
  spec.name = "sentinel";
  spec.arity = -2;
  spec.group = "cluster";
  spec.since = "2.8.4";
  spec.summary = "Finds primaries for clients of Redis Sentinel.";
  spec.complexity = "Depends on subcommand.";
  spec.categories = "@slow";
  spec.subcommands = kSubcommands;
  return spec;
}

constexpr CommandSpec kSpecs[] = {container()};

}  // namespace

std::span<const CommandSpec> sentinel_commands() { return kSpecs; }

}  // namespace syntropy
