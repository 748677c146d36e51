// CLUSTER: the table of its subcommands, what they share, and the commands by which a connection
// says how it uses a cluster: READONLY, READWRITE, ASKING.
#include "server/cluster/cluster.h"

#include <string>

#include "server/commands/arguments.h"
#include "server/commands/cluster_commands.h"
#include "server/commands/help.h"
#include "server/context.h"
#include "storage/base/slot.h"
#include "storage/keyspace.h"

namespace syntropy {

Cluster* cluster_of(Call& call) {
  if (call.server.cluster == nullptr) call.reply.error(kClusterDisabled);
  return call.server.cluster;
}

std::optional<uint16_t> slot_argument(Call& call, std::string_view text, std::string_view error) {
  const std::optional<int64_t> slot = parse_int64(text);
  if (slot && *slot >= 0 && *slot < kSlotCount) return static_cast<uint16_t>(*slot);
  call.reply.error(error);
  return std::nullopt;
}

std::optional<SlotRange> slot_range_argument(Call& call, std::string_view first,
                                             std::string_view last) {
  const std::optional<uint16_t> from = slot_argument(call, first);
  if (!from) return std::nullopt;
  const std::optional<uint16_t> to = slot_argument(call, last);
  if (!to) return std::nullopt;
  if (*from <= *to) return SlotRange{*from, *to};
  call.reply.error("ERR start slot number " + std::to_string(*from) +
                   " is greater than end slot number " + std::to_string(*to));
  return std::nullopt;
}

bool add_slots_once(Call& call, SlotRange range, SlotRanges* slots) {
  const SlotRanges given{range};
  if (slots->intersects(given)) {
    const uint16_t twice = slots->intersection(given).ranges().front().first;
    call.reply.error("ERR Slot " + std::to_string(twice) + " specified multiple times");
    return false;
  }
  slots->add(range);
  return true;
}

bool holds_keys(const Call& call) { return call.server.keyspace.key_count(0) != 0; }

std::string error_text(const Status& status) { return "ERR " + std::string(status.message()); }

NodeId known_node(const Membership& membership, std::string_view id) {
  const Result<NodeId> node = NodeId::parse(id);
  return node.ok() && membership.members().find(*node) != nullptr ? *node : NodeId();
}

bool is_replica(const Membership& membership, const NodeId& node) {
  if (node == membership.self()) return bool{membership.primary()};
  const std::optional<MemberView> member = membership.member(node);
  return member && !member->role.is_primary();
}

void cluster_help_command(Call& call) {
  if (cluster_of(call) != nullptr) help_command(call);
}

namespace {

void readonly_command(Call& call) {
  if (cluster_of(call) == nullptr) return;
  call.client.shared.readonly.store(true, std::memory_order_relaxed);
  call.reply.ok();
}

void readwrite_command(Call& call) {
  if (cluster_of(call) == nullptr) return;
  call.client.shared.readonly.store(false, std::memory_order_relaxed);
  call.reply.ok();
}

void asking_command(Call& call) {
  if (cluster_of(call) == nullptr) return;
  call.client.asking = 2;
  call.reply.ok();
}

constexpr uint32_t kAsk = kStale | kWorker | kAsksLoop | kNoRows;
constexpr uint32_t kChange = kAdmin | kStale | kNoAsyncLoading | kWorker | kAsksLoop | kNoRows;
constexpr std::string_view kPlain = "@slow";
constexpr std::string_view kAdminOnly = "@admin @slow @dangerous";
constexpr std::string_view kPerSlot = "O(N) where N is the total number of hash slot arguments";
constexpr std::string_view kPerRange =
    "O(N) where N is the total number of the slots between the start slot and end slot arguments.";
constexpr std::string_view kPerNode = "O(N) where N is the total number of Cluster nodes";

constexpr CommandSpec subcommand(std::string_view name, int arity, uint32_t flags,
                                 CommandHandler handler, std::string_view since,
                                 std::string_view summary, std::string_view complexity,
                                 std::string_view syntax = "") {
  CommandSpec spec{};
  spec.name = name;
  spec.arity = arity;
  spec.flags = flags;
  spec.handler = handler;
  spec.group = "cluster";
  spec.since = since;
  spec.summary = summary;
  spec.complexity = complexity;
  spec.syntax = syntax;
  spec.categories = (flags & kAdmin) != 0 ? kAdminOnly : kPlain;
  return spec;
}

constexpr CommandSpec kSubcommands[] = {
    subcommand("addslots", -3, kChange, cluster_addslots_command, "3.0.0",
               "Makes this node the owner of slots that have none.", kPerSlot, "slot [slot ...]"),
    subcommand("addslotsrange", -4, kChange, cluster_addslotsrange_command, "7.0.0",
               "Makes this node the owner of ranges of slots that have none.", kPerRange,
               "start-slot end-slot [start-slot end-slot ...]"),
    subcommand("bumpepoch", 2, kChange, cluster_bumpepoch_command, "3.0.0",
               "Gives this node a config epoch above all others.", "O(1)"),
    subcommand("cancelmigration", 2, kChange, cluster_cancelslotmigrations_command, "9.0.0",
               "As CANCELSLOTMIGRATIONS.", "O(N) where N is the number of slot migrations"),
    subcommand("cancelslotmigrations", 2, kChange, cluster_cancelslotmigrations_command, "9.0.0",
               "Ends the moves of slots from this node that haven't given them away.",
               "O(N) where N is the number of slot migrations"),
    subcommand("count-failure-reports", 3, kAdmin | kAsk, cluster_count_failure_reports_command,
               "3.0.0", "Counts the nodes that suspect a node to be down.",
               "O(N) where N is the number of failure reports", "node-id"),
    subcommand("countkeysinslot", 3, kStale | kWorker | kAsksLoop, cluster_countkeysinslot_command,
               "3.0.0", "Counts this node's keys in a slot.", "O(1)", "slot"),
    subcommand("delslots", -3, kChange, cluster_delslots_command, "3.0.0",
               "Takes slots from their owner, as this node sees it.", kPerSlot, "slot [slot ...]"),
    subcommand("delslotsrange", -4, kChange, cluster_delslotsrange_command, "7.0.0",
               "Takes ranges of slots from their owner, as this node sees it.", kPerRange,
               "start-slot end-slot [start-slot end-slot ...]"),
    subcommand("failover", -2, kChange, cluster_failover_command, "3.0.0",
               "Puts this replica in the place of its primary.", "O(1)", "[FORCE|TAKEOVER]"),
    subcommand("flushslots", 2, kChange, cluster_flushslots_command, "3.0.0",
               "Makes this node give up all its slots.", "O(1)"),
    subcommand("forget", 3, kChange, cluster_forget_command, "3.0.0",
               "Removes a node from the cluster, in all nodes' views.", "O(1)", "node-id"),
    subcommand("getkeysinslot", 4, kStale | kWorker | kAsksLoop, cluster_getkeysinslot_command,
               "3.0.0", "Lists this node's keys in a slot.",
               "O(log(N)) where N is the number of requested keys", "slot count"),
    subcommand("getslotmigrations", 2, kAdmin | kAsk, cluster_getslotmigrations_command, "9.0.0",
               "Tells of moves of slots to and from this node, the latest first.",
               "O(N) where N is the number of slot migrations"),
    subcommand("help", 2, kLoading | kStale | kNoRows, cluster_help_command, "5.0.0",
               "Lists the subcommands.", "O(1)"),
    subcommand("info", 2, kAsk, cluster_info_command, "3.0.0",
               "Answers with figures on the cluster as this node sees it.", "O(1)"),
    subcommand("keyslot", 3, kStale | kNoRows, cluster_keyslot_command, "3.0.0",
               "Says which slot a key belongs to.",
               "O(N) where N is the number of bytes in the key", "key-name"),
    subcommand("links", 2, kStale | kNoRows, cluster_links_command, "7.0.0",
               "Lists the connections between this node and others.", kPerNode),
    subcommand("meet", -4, kChange, cluster_meet_command, "3.0.0",
               "Introduces a node to this one, and so to its cluster.", "O(1)",
               "ip port [cluster-bus-port]"),
    subcommand("migrateslots", -7, kChange, cluster_migrateslots_command, "9.0.0",
               "Moves slots of this node, with all that is in them, to another primary.", kPerRange,
               "SLOTSRANGE start-slot end-slot [start-slot end-slot ...] NODE node-id"),
    subcommand("myid", 2, kAsk, cluster_myid_command, "3.0.0", "Answers with this node's id.",
               "O(1)"),
    subcommand("myshardid", 2, kAsk, cluster_myshardid_command, "7.2.0",
               "Answers with the id that this node's primary and its replicas share.", "O(1)"),
    subcommand("nodes", 2, kAsk, cluster_nodes_command, "3.0.0",
               "Describes the nodes of the cluster, one in a line.", kPerNode),
    subcommand("replicas", 3, kAdmin | kAsk, cluster_replicas_command, "5.0.0",
               "Describes the replicas of a primary in the form of CLUSTER NODES.", "O(1)",
               "node-id"),
    subcommand("replicate", 3, kChange, cluster_replicate_command, "3.0.0",
               "Makes this node a replica of a primary.", "O(1)", "node-id"),
    subcommand("reset", -2, kAdmin | kNoScript | kStale | kWorker | kAsksLoop | kNoRows,
               cluster_reset_command, "3.0.0", "Makes this node leave its cluster.",
               "O(N) where N is the number of known nodes", "[HARD|SOFT]"),
    subcommand("saveconfig", 2, kChange, cluster_saveconfig_command, "3.0.0",
               "Stores what this node must remember of the cluster.", "O(1)"),
    subcommand("set-config-epoch", 3, kChange, cluster_set_config_epoch_command, "3.0.0",
               "Sets the config epoch of a node that knows no others.", "O(1)", "config-epoch"),
    subcommand("setslot", -4, kChange, cluster_setslot_command, "3.0.0",
               "Says that a slot is on its way, has arrived, or stays.", "O(1)",
               "slot <IMPORTING node-id|MIGRATING node-id|NODE node-id|STABLE>"),
    subcommand("shards", 2, kStale | kWorker | kAsksLoop | kNoRows, cluster_shards_command, "7.0.0",
               "Describes the shards: their slots and nodes.", kPerNode),
    subcommand("slaves", 3, kAdmin | kAsk, cluster_replicas_command, "3.0.0",
               "Describes the replicas of a primary in the form of CLUSTER NODES.", "O(1)",
               "node-id"),
    subcommand("slot-stats", -4, kStale | kWorker | kAsksLoop, cluster_slot_stats_command, "8.0.0",
               "Tells what slots of this shard hold and cost.",
               "O(N) where N is the number of slots, O(N*log(N)) with ORDERBY",
               "<SLOTSRANGE start-slot end-slot|ORDERBY metric [LIMIT limit] [ASC|DESC]>"),
    subcommand("slots", 2, kAsk, cluster_slots_command, "3.0.0",
               "Lists ranges of slots with the nodes that serve them.", kPerNode),
};

constexpr CommandSpec kSpecs[] = {
    {.name = "asking",
     .arity = 1,
     .flags = kFast | kNoRows,
     .keys = {},
     .handler = asking_command,
     .group = "cluster",
     .since = "3.0.0",
     .summary = "Lets the next command use a slot that is on its way to this node.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = "@fast @connection"},
    {.name = "cluster",
     .arity = -2,
     .flags = 0,
     .keys = {},
     .handler = nullptr,
     .group = "cluster",
     .since = "3.0.0",
     .summary = "Commands on the cluster.",
     .complexity = "Depends on subcommand.",
     .syntax = "",
     .categories = "@slow",
     .subcommands = kSubcommands},
    {.name = "readonly",
     .arity = 1,
     .flags = kLoading | kStale | kFast | kNoRows,
     .keys = {},
     .handler = readonly_command,
     .group = "cluster",
     .since = "3.0.0",
     .summary = "Lets this connection read from a replica what may be a little old.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = "@fast @connection"},
    {.name = "readwrite",
     .arity = 1,
     .flags = kLoading | kStale | kFast | kNoRows,
     .keys = {},
     .handler = readwrite_command,
     .group = "cluster",
     .since = "3.0.0",
     .summary = "Takes READONLY back.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = "@fast @connection"},
};

}  // namespace

std::span<const CommandSpec> cluster_commands() { return kSpecs; }

}  // namespace syntropy
