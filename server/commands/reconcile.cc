// RECONCILE: compares this node's rows with another one's, and mends them, through a client that
// talks to both (docs/merkle.md, "Over RESP").
#include <fmt/format.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "server/cluster/cluster.h"
#include "server/commands/arguments.h"
#include "server/commands/info.h"
#include "server/commands/table.h"
#include "server/context.h"
#include "server/trees/reconcile_conversation.h"
#include "storage/durability.h"

namespace syntropy {
namespace {

RowTrees* trees_of(Call& call) {
  if (call.server.trees == nullptr) {
    call.reply.error("ERR this node keeps no trees: start it with 'merkle-trees yes'");
  }
  return call.server.trees;
}

ReconcileConversation* conversation_of(Call& call) {
  RowTrees* const trees = trees_of(call);
  if (trees == nullptr) return nullptr;
  if (call.client.reconcile == nullptr) {
    call.client.reconcile = std::make_shared<ReconcileConversation>(
        call.server.keyspace, *trees,
        [&durability = call.server.durability] { return durability.finish_tick(/*wrote=*/true); });
  }
  return call.client.reconcile.get();
}

std::optional<SlotRange> parse_range(Call& call, std::string_view first, std::string_view last) {
  const std::optional<int64_t> from = parse_int64(first);
  const std::optional<int64_t> to = parse_int64(last);
  if (!from || !to || *from < 0 || *to < *from || *to >= int64_t{kSlotCount}) {
    call.reply.error("ERR Invalid or out of range slot");
    return std::nullopt;
  }
  return SlotRange{static_cast<uint16_t>(*from), static_cast<uint16_t>(*to)};
}

void reply_status(Call& call, const Status& status) {
  call.reply.error(fmt::format("{} {}", status.is(StatusCode::kUnavailable) ? "TRYAGAIN" : "ERR",
                               status.message()));
}

std::string_view name_of(DifferenceKind kind) {
  switch (kind) {
    case DifferenceKind::kMissingHere:
      return "missing-here";
    case DifferenceKind::kMissingThere:
      return "missing-there";
    case DifferenceKind::kDifferent:
      break;
  }
  return "different";
}

void reply_step(Call& call, const Result<ReconcileConversation::Step>& step) {
  if (!step.ok()) return reply_status(call, step.status());
  ReplyWriter& reply = call.reply;
  reply.array(5);
  reply.simple_string(step->done ? "done" : "more");
  reply.integer(step->begun_anew ? 1 : 0);
  reply.array(step->requests.size());
  for (const std::string& request : step->requests) reply.bulk(request);
  reply.array(2 * step->differences.size());
  for (const auto& difference : step->differences) {
    reply.bulk(name_of(difference.kind));
    reply.bulk(difference.row_key);
  }
  const ReconcileSummary& summary = step->summary;
  const std::array<std::pair<std::string_view, uint64_t>, 12> figures = {{
      {"proven", summary.proven ? 1 : 0},
      {"missing-here", summary.missing_here},
      {"missing-there", summary.missing_there},
      {"different", summary.different},
      {"rows-pulled", summary.rows_pulled},
      {"rows-pushed", summary.rows_pushed},
      {"rows-read", summary.rows_read},
      {"identify-bytes", summary.identify_bytes},
      {"row-bytes", summary.row_bytes},
      {"round-trips", summary.round_trips},
      {"identify-round-trips", summary.identify_round_trips},
      {"passes", summary.passes},
  }};
  reply.array(2 * figures.size());
  for (const auto& [name, figure] : figures) {
    reply.bulk(name);
    reply.integer(static_cast<int64_t>(figure));
  }
}

void reconcile_answer_command(Call& call) {
  ReconcileConversation* const conversation = conversation_of(call);
  if (conversation != nullptr) call.reply.bulk(conversation->answer(call.args[2]));
}

// RECONCILE BEGIN <NONE|PULL|PUSH|BOTH> [first last ...]
void reconcile_begin_command(Call& call) {
  ReconcileConversation* const conversation = conversation_of(call);
  if (conversation == nullptr) return;
  ReconcileOptions options;
  const std::string_view direction = call.args[2];
  options.pull = equals_ignoring_case(direction, "pull") || equals_ignoring_case(direction, "both");
  options.push = equals_ignoring_case(direction, "push") || equals_ignoring_case(direction, "both");
  if (!options.pull && !options.push && !equals_ignoring_case(direction, "none")) {
    return reply_syntax_error(call);
  }
  if (call.argc() % 2 == 0) return reply_syntax_error(call);
  if (call.argc() > 3) options.slots.clear();
  for (size_t i = 3; i < call.argc(); i += 2) {
    const std::optional<SlotRange> range = parse_range(call, call.args[i], call.args[i + 1]);
    if (!range) return;
    options.slots.add(*range);
  }
  reply_step(call, conversation->begin(options));
}

void reconcile_next_command(Call& call) {
  ReconcileConversation* const conversation = conversation_of(call);
  if (conversation == nullptr) return;
  const std::vector<std::string_view> replies(call.args.begin() + 2, call.args.end());
  reply_step(call, conversation->go_on(replies));
}

void reconcile_verify_command(Call& call) {
  RowTrees* const trees = trees_of(call);
  if (trees == nullptr) return;
  const std::optional<SlotRange> range = parse_range(call, call.args[2], call.args[3]);
  if (!range) return;
  const Result<RowTrees::Verdict> verdict = trees->verify(*range);
  if (!verdict.ok()) return reply_status(call, verdict.status());
  call.reply.array(5);
  call.reply.integer(static_cast<int64_t>(verdict->rows));
  call.reply.array(verdict->wrong_slots.size());
  for (const uint16_t slot : verdict->wrong_slots) call.reply.integer(slot);
  call.reply.array(verdict->rotten.size());
  for (const std::string& row_key : verdict->rotten) call.reply.bulk(row_key);
  call.reply.array(verdict->lost.size());
  for (const uint64_t position : verdict->lost) {
    call.reply.integer(static_cast<int64_t>(position));
  }
  call.reply.integer(static_cast<int64_t>(verdict->unnamed_leaves));
}

void reconcile_mend_command(Call& call) {
  RowTrees* const trees = trees_of(call);
  if (trees == nullptr) return;
  Status mended = trees->mend(std::string(call.args[2]), call.args[3]);
  if (mended.ok()) mended = call.server.durability.finish_tick(/*wrote=*/true);
  if (!mended.ok()) return reply_status(call, mended);
  call.reply.ok();
}

bool answer_is_light(std::span<const std::string_view> args, const Client& /*client*/,
                     const ServerContext& server) {
  return server.trees != nullptr && server.trees->at_hand() &&
         ReconcileConversation::is_light(args[2]);
}

bool begin_is_light(std::span<const std::string_view> args, const Client& /*client*/,
                    const ServerContext& server) {
  return args.size() == 3 && server.trees != nullptr && server.trees->at_hand();
}

// The first replies of a session, and all of one that finds few differences.
bool next_is_light(std::span<const std::string_view> args, const Client& client,
                   const ServerContext& server) {
  constexpr size_t kFewBytes = 256;
  size_t bytes = 0;
  for (const std::string_view reply : args.subspan(2)) bytes += reply.size();
  return bytes <= kFewBytes && client.reconcile != nullptr && client.reconcile->only_compares() &&
         server.trees != nullptr && server.trees->at_hand();
}

constexpr uint32_t kFlags = kAdmin | kNoScript | kNoMulti | kWorker | kNoRows | kSkipMonitor;

constexpr CommandSpec subcommand(std::string_view name, int arity, CommandHandler handler,
                                 std::string_view summary, std::string_view complexity,
                                 std::string_view syntax,
                                 decltype(CommandSpec::is_light) is_light = nullptr) {
  CommandSpec spec{};
  spec.name = name;
  spec.arity = arity;
  spec.flags = kFlags;
  spec.handler = handler;
  spec.group = "server";
  spec.since = "7.0.0";
  spec.summary = summary;
  spec.complexity = complexity;
  spec.syntax = syntax;
  spec.categories = "@admin @slow @dangerous";
  spec.is_light = is_light;
  return spec;
}

constexpr CommandSpec kSubcommands[] = {
    subcommand("answer", 3, reconcile_answer_command,
               "Answers another node's request of a reconcile session.",
               "O(N) where N is the number of nodes and rows that it names", "request",
               answer_is_light),
    subcommand("begin", -3, reconcile_begin_command,
               "Begins a reconcile session as the side that asks.", "O(1)",
               "<NONE|PULL|PUSH|BOTH> [first-slot last-slot ...]", begin_is_light),
    subcommand("mend", 4, reconcile_mend_command,
               "Takes a row in the place of one that is rotten or lost here.",
               "O(N) where N is the number of rows in its slot", "row-key row-value"),
    subcommand("next", -3, reconcile_next_command,
               "Goes on with a reconcile session, given the other side's replies.",
               "O(N) where N is the number of differences found", "reply [reply ...]",
               next_is_light),
    subcommand("verify", 4, reconcile_verify_command,
               "Holds the rows of a range of slots against the trees.",
               "O(N) where N is the number of rows", "first-slot last-slot"),
};

constexpr CommandSpec kSpecs[] = {
    {.name = "reconcile",
     .arity = -2,
     .flags = 0,
     .keys = {},
     .handler = nullptr,
     .group = "server",
     .since = "7.0.0",
     .summary = "Finds, and mends, the rows in which this node differs from another one.",
     .complexity = "Depends on subcommand.",
     .syntax = "",
     .categories = "@slow",
     .subcommands = kSubcommands},
};

}  // namespace

void info_trees(const Call& call, InfoSection& out) {
  out.flag("merkle_trees", call.server.trees != nullptr);
  if (call.server.trees == nullptr) return;
  const RowTreesStats stats = call.server.trees->stats();
  out.flag("merkle_ready", stats.stale_slots == 0);
  out.field("merkle_rows", stats.rows);
  out.field("merkle_stale_slots", stats.stale_slots);
  out.field("merkle_noted_changes", stats.noted);
  out.field("merkle_rebuilt_slots", stats.rebuilt_slots);
  out.field("merkle_rebuild_rows_read", stats.rows_read);
  out.field("merkle_session_rows_read", stats.session_rows_read);
  out.field("merkle_saves", stats.saves);
  out.field("merkle_journal_bytes", stats.journal_bytes);
  out.field("merkle_journal_status", stats.journal_error.empty() ? "ok" : "broken");
  if (call.server.cluster == nullptr) return;
  const ReplicationStatus replication = call.server.cluster->replication();
  out.field("merkle_mended_rows", replication.mended_rows);
  out.field("merkle_purged_rows", replication.purged_rows);
  for (size_t i = 0; i < replication.replicas.size(); ++i) {
    const ReplicationStatus::Replica& replica = replication.replicas[i];
    const bool known = replica.equal_ms != UINT64_MAX;
    out.field(fmt::format("merkle_replica{}", i),
              fmt::format("ip={},port={},equal_seconds_ago={}", replica.host, replica.port,
                          known ? static_cast<int64_t>(replica.equal_ms / 1000) : -1));
  }
}

std::span<const CommandSpec> reconcile_commands() { return kSpecs; }

}  // namespace syntropy
