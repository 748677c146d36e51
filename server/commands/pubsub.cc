// SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE and their ends, PUBLISH, SPUBLISH, PUBSUB.
#include "server/pubsub.h"

#include <optional>

#include "server/cluster/cluster.h"
#include "server/commands/arguments.h"
#include "server/commands/help.h"
#include "server/commands/info.h"
#include "server/commands/pubsub.h"
#include "server/config/glob.h"
#include "server/context.h"

namespace syntropy {
namespace {

uint32_t listening(const Client& client, Listening kind) {
  return client.shared.listening[static_cast<size_t>(kind)].load(std::memory_order_relaxed);
}

// The number that Redis tells with each change: of channels and patterns together.
int64_t told_count(const Client& client, Listening kind) {
  if (kind == Listening::kShardChannel) return listening(client, kind);
  return int64_t{listening(client, Listening::kChannel)} + listening(client, Listening::kPattern);
}

void reply_change(Call& call, Listening kind, bool ends, std::optional<std::string_view> name) {
  call.reply.push(3);
  call.reply.bulk(PubSub::verb(kind, ends));
  if (name) {
    call.reply.bulk(*name);
  } else {
    call.reply.null();
  }
  call.reply.integer(told_count(call.client, kind));
}

template <Listening kind>
void subscribe_command(Call& call) {
  const std::shared_ptr<Client> client = call.server.clients.find(call.client.id);
  if (client == nullptr) return call.reply.error("ERR the connection is being closed");
  for (const std::string_view name : call.args.subspan(1)) {
    call.server.pubsub.subscribe(client, kind, name);
    reply_change(call, kind, /*ends=*/false, name);
  }
}

template <Listening kind>
void unsubscribe_command(Call& call) {
  if (call.argc() > 1) {
    for (const std::string_view name : call.args.subspan(1)) {
      call.server.pubsub.unsubscribe(call.client, kind, name);
      reply_change(call, kind, /*ends=*/true, name);
    }
    return;
  }
  const std::vector<std::string> all = call.server.pubsub.names_of(call.client, kind);
  for (const std::string& name : all) {
    call.server.pubsub.unsubscribe(call.client, kind, name);
    reply_change(call, kind, /*ends=*/true, name);
  }
  if (all.empty()) reply_change(call, kind, /*ends=*/true, std::nullopt);
}

/// The others of the cluster hear of it too; false after replying why not.
bool spread(Call& call, bool to_shard) {
  if (call.server.cluster == nullptr) return true;
  if (call.server.cluster->publish(std::string(call.args[1]), std::string(call.args[2]),
                                   to_shard)) {
    return true;
  }
  call.reply.error("ERR channel and message are too large for the cluster's bus (1 MiB)");
  return false;
}

void publish_command(Call& call) {
  if (!spread(call, /*to_shard=*/false)) return;
  call.reply.integer(static_cast<int64_t>(call.server.pubsub.publish(call.args[1], call.args[2])));
}

void spublish_command(Call& call) {
  if (!spread(call, /*to_shard=*/true)) return;
  call.reply.integer(
      static_cast<int64_t>(call.server.pubsub.publish_to_shard(call.args[1], call.args[2])));
}

template <Listening kind>
void channels_command(Call& call) {
  if (call.argc() > 3) return reply_wrong_arity(call);
  std::vector<std::string> channels = call.server.pubsub.channels(kind);
  if (call.argc() == 3) {
    std::erase_if(channels,
                  [&](const std::string& name) { return !glob_match(call.args[2], name); });
  }
  call.reply.array(channels.size());
  for (const std::string& name : channels) call.reply.bulk(name);
}

template <Listening kind>
void numsub_command(Call& call) {
  call.reply.array(2 * (call.argc() - 2));
  for (const std::string_view name : call.args.subspan(2)) {
    call.reply.bulk(name);
    call.reply.integer(static_cast<int64_t>(call.server.pubsub.listeners(kind, name)));
  }
}

void numpat_command(Call& call) {
  call.reply.integer(static_cast<int64_t>(call.server.pubsub.count(Listening::kPattern)));
}

constexpr uint32_t kFlags = kPubSub | kLoading | kStale | kNoRows;

constexpr CommandSpec subcommand(std::string_view name, int arity, CommandHandler handler,
                                 std::string_view since, std::string_view summary,
                                 std::string_view complexity, std::string_view syntax) {
  CommandSpec spec{};
  spec.name = name;
  spec.arity = arity;
  spec.flags = kFlags;
  spec.handler = handler;
  spec.group = "pubsub";
  spec.since = since;
  spec.summary = summary;
  spec.complexity = complexity;
  spec.syntax = syntax;
  spec.categories = "@pubsub @slow";
  return spec;
}

constexpr CommandSpec help() {
  CommandSpec spec =
      subcommand("help", 2, help_command, "6.2.0", "Lists the subcommands.", "O(1)", "");
  spec.flags = kLoading | kStale | kNoRows;
  spec.categories = "@slow";
  return spec;
}

constexpr CommandSpec kPubSubSubcommands[] = {
    subcommand("channels", -2, channels_command<Listening::kChannel>, "2.8.0",
               "Lists the channels that somebody listens to.",
               "O(N) where N is the number of channels", "[pattern]"),
    help(),
    subcommand("numpat", 2, numpat_command, "2.8.0",
               "Counts the different patterns that clients listen to.", "O(1)", ""),
    subcommand("numsub", -2, numsub_command<Listening::kChannel>, "2.8.0",
               "Counts who listens to channels, patterns aside.",
               "O(N) where N is the number of channels asked for", "[channel [channel ...]]"),
    subcommand("shardchannels", -2, channels_command<Listening::kShardChannel>, "7.0.0",
               "Lists the shard channels that somebody listens to.",
               "O(N) where N is the number of shard channels", "[pattern]"),
    subcommand("shardnumsub", -2, numsub_command<Listening::kShardChannel>, "7.0.0",
               "Counts who listens to shard channels.",
               "O(N) where N is the number of shard channels asked for",
               "[shardchannel [shardchannel ...]]"),
};

constexpr CommandSpec listen(std::string_view name, int arity, CommandHandler handler,
                             std::string_view since, std::string_view summary,
                             std::string_view complexity, std::string_view syntax) {
  CommandSpec spec = subcommand(name, arity, handler, since, summary, complexity, syntax);
  spec.flags |= kNoScript;
  return spec;
}

constexpr CommandSpec publish(std::string_view name, CommandHandler handler, std::string_view since,
                              std::string_view summary, std::string_view complexity,
                              std::string_view syntax) {
  CommandSpec spec = subcommand(name, 3, handler, since, summary, complexity, syntax);
  spec.flags |= kFast;
  spec.categories = "@pubsub @fast";
  return spec;
}

constexpr CommandSpec of_slot(CommandSpec spec, int last) {
  spec.keys = {.first = 1, .last = last, .step = 1, .flags = "not_key"};
  return spec;
}

constexpr CommandSpec container() {
  CommandSpec spec{};
  spec.name = "pubsub";
  spec.arity = -2;
  spec.group = "pubsub";
  spec.since = "2.8.0";
  spec.summary = "Tells who listens to what.";
  spec.complexity = "Depends on subcommand.";
  spec.categories = "@slow";
  spec.subcommands = kPubSubSubcommands;
  return spec;
}

constexpr CommandSpec kSpecs[] = {
    listen("psubscribe", -2, subscribe_command<Listening::kPattern>, "2.0.0",
           "Listens to all channels whose names match patterns.",
           "O(N) where N is the number of patterns", "pattern [pattern ...]"),
    publish("publish", publish_command, "2.0.0", "Sends a message to all who listen to a channel.",
            "O(N+M) where N is the number of listeners and M that of patterns", "channel message"),
    container(),
    listen("punsubscribe", -1, unsubscribe_command<Listening::kPattern>, "2.0.0",
           "Stops listening to patterns, or to all of them.",
           "O(N) where N is the number of patterns", "[pattern [pattern ...]]"),
    of_slot(publish("spublish", spublish_command, "7.0.0",
                    "Sends a message to all who listen to a shard channel.",
                    "O(N) where N is the number of listeners", "shardchannel message"),
            1),
    of_slot(
        listen("ssubscribe", -2, subscribe_command<Listening::kShardChannel>, "7.0.0",
               "Listens to shard channels, which belong to slots.",
               "O(N) where N is the number of shard channels", "shardchannel [shardchannel ...]"),
        -1),
    listen("subscribe", -2, subscribe_command<Listening::kChannel>, "2.0.0", "Listens to channels.",
           "O(N) where N is the number of channels", "channel [channel ...]"),
    of_slot(
        listen("sunsubscribe", -1, unsubscribe_command<Listening::kShardChannel>, "7.0.0",
               "Stops listening to shard channels, or to all of them.",
               "O(N) where N is the number of shard channels", "[shardchannel [shardchannel ...]]"),
        -1),
    listen("unsubscribe", -1, unsubscribe_command<Listening::kChannel>, "2.0.0",
           "Stops listening to channels, or to all of them.",
           "O(N) where N is the number of channels", "[channel [channel ...]]"),
};

}  // namespace

bool only_listens(const Client& client) { return client.protocol == 2 && is_listening(client); }

bool allowed_while_listening(const CommandSpec& spec) {
  constexpr uint32_t kListens = kPubSub | kNoScript;
  return (spec.flags & kListens) == kListens || spec.name == "ping" || spec.name == "quit" ||
         spec.name == "reset";
}

void info_pubsub(const Call& call, InfoSection& out) {
  out.field("pubsub_channels", call.server.pubsub.count(Listening::kChannel));
  out.field("pubsub_patterns", call.server.pubsub.count(Listening::kPattern));
  out.field("pubsubshard_channels", call.server.pubsub.count(Listening::kShardChannel));
}

std::span<const CommandSpec> pubsub_commands() { return kSpecs; }

}  // namespace syntropy
