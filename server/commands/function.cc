// FUNCTION, as far as tools need it that copy functions from node to node: there are none here, and
// none can be loaded.
#include "server/commands/arguments.h"
#include "server/commands/help.h"
#include "server/resp/rdb_string.h"

namespace syntropy {
namespace {

constexpr size_t kFooterBytes = 10;  // of a payload: version and checksum

void dump_command(Call& call) { call.reply.bulk(seal_dump_payload({})); }

void list_command(Call& call) {
  for (size_t i = 2; i < call.argc(); ++i) {
    if (equals_ignoring_case(call.args[i], "libraryname")) {
      if (++i == call.argc()) return call.reply.error("ERR library name argument was not given");
    } else if (!equals_ignoring_case(call.args[i], "withcode")) {
      return call.reply.error("ERR Unknown argument " + std::string(call.args[i]));
    }
  }
  call.reply.array(0);
}

void restore_command(Call& call) {
  const bool policy_known =
      call.argc() == 3 || (call.argc() == 4 && (equals_ignoring_case(call.args[3], "flush") ||
                                                equals_ignoring_case(call.args[3], "append") ||
                                                equals_ignoring_case(call.args[3], "replace")));
  if (!policy_known) {
    return call.reply.error(
        "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
  }
  if (!verify_dump_payload(call.args[2]).ok()) {
    return call.reply.error("ERR DUMP payload version or checksum are wrong");
  }
  if (call.args[2].size() != kFooterBytes) {
    return call.reply.error("ERR the payload holds functions, which can't be run here");
  }
  call.reply.ok();
}

constexpr CommandSpec subcommand(std::string_view name, int arity, uint32_t flags,
                                 CommandHandler handler, std::string_view summary,
                                 std::string_view syntax) {
  CommandSpec spec{};
  spec.name = name;
  spec.arity = arity;
  spec.flags = flags;
  spec.handler = handler;
  spec.group = "server";
  spec.since = "7.0.0";
  spec.summary = summary;
  spec.complexity = "O(1)";
  spec.syntax = syntax;
  spec.categories = (flags & kWrite) != 0 ? "@write @slow @scripting" : "@slow @scripting";
  return spec;
}

constexpr CommandSpec help() {
  CommandSpec spec = subcommand("help", 2, kLoading | kStale | kNoRows, help_command,
                                "Lists the subcommands.", "");
  spec.categories = "@slow @scripting";
  return spec;
}

constexpr CommandSpec kSubcommands[] = {
    subcommand("dump", 2, kNoScript | kNoRows, dump_command,
               "Serializes all functions: there are none.", ""),
    help(),
    subcommand("list", -2, kNoScript | kNoRows, list_command,
               "Lists all functions: there are none.",
               "[LIBRARYNAME library-name-pattern] [WITHCODE]"),
    subcommand("restore", -3, kWrite | kDenyOom | kNoScript | kNoRows, restore_command,
               "Takes in serialized functions, if there are none in them.",
               "serialized-value [FLUSH|APPEND|REPLACE]"),
};

constexpr CommandSpec container() {
  CommandSpec spec{};
  spec.name = "function";
  spec.arity = -2;
  spec.group = "server";
  spec.since = "7.0.0";
  spec.summary = "Copies functions, of which there are none.";
  spec.complexity = "Depends on subcommand.";
  spec.categories = "@slow";
  spec.subcommands = kSubcommands;
  return spec;
}

constexpr CommandSpec kSpecs[] = {container()};

}  // namespace

std::span<const CommandSpec> function_commands() { return kSpecs; }

}  // namespace syntropy
