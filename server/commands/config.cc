// CONFIG: reading and changing options at run time (server/config/config_store.h).

#include <string>
#include <vector>

#include "server/command.h"
#include "server/commands/arguments.h"
#include "server/commands/help.h"
#include "server/config/config_store.h"
#include "server/context.h"
#include "server/stats.h"
#include "storage/keyspace.h"

namespace syntropy {
namespace {

void config_get_command(Call& call) {
  const std::vector<std::string> patterns(call.args.begin() + 2, call.args.end());
  const std::vector<ConfigStore::Pair> pairs = call.server.config.get(patterns);
  call.reply.map(pairs.size());
  for (const auto& [name, value] : pairs) {
    call.reply.bulk(name);
    call.reply.bulk(value);
  }
}

/// OK, or the failure as an error reply.
void reply_status(Call& call, const Status& status) {
  if (status.ok()) return call.reply.ok();
  call.reply.error("ERR " + std::string(status.message()));
}

void config_set_command(Call& call) {
  if (call.argc() % 2 != 0) return reply_syntax_error(call);
  std::vector<ConfigStore::Pair> pairs;
  for (size_t i = 2; i < call.argc(); i += 2) {
    pairs.emplace_back(call.args[i], call.args[i + 1]);
  }
  reply_status(call, call.server.config.set(pairs));
}

void config_rewrite_command(Call& call) { reply_status(call, call.server.config.rewrite()); }

void config_resetstat_command(Call& call) {
  call.server.stats.reset(call.server.keyspace.stats().expired_keys);
  call.reply.ok();
}

constexpr uint32_t kAdminFlags = kAdmin | kNoScript | kLoading | kStale | kNoRows;
constexpr std::string_view kDangerous = "@admin @slow @dangerous";

const CommandSpec kSubcommands[] = {
    {.name = "get",
     .arity = -3,
     .flags = kAdminFlags,
     .keys = {},
     .handler = config_get_command,
     .group = "server",
     .since = "2.0.0",
     .summary = "Answers with the options whose names match the patterns, and their values.",
     .complexity = "O(N) when N is the number of configuration parameters provided",
     .syntax = "parameter [parameter ...]",
     .categories = kDangerous},
    {.name = "help",
     .arity = 2,
     .flags = kLoading | kStale | kNoRows,
     .keys = {},
     .handler = help_command,
     .group = "server",
     .since = "5.0.0",
     .summary = "Lists the subcommands.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = "@slow"},
    {.name = "resetstat",
     .arity = 2,
     .flags = kAdminFlags,
     .keys = {},
     .handler = config_resetstat_command,
     .group = "server",
     .since = "2.0.0",
     .summary = "Sets the statistics of INFO back to zero.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = kDangerous},
    {.name = "rewrite",
     .arity = 2,
     .flags = kAdminFlags | kWorker,
     .keys = {},
     .handler = config_rewrite_command,
     .group = "server",
     .since = "2.8.0",
     .summary = "Writes the options as they are now into the configuration file.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = kDangerous},
    {.name = "set",
     .arity = -4,
     .flags = kAdminFlags,
     .keys = {},
     .handler = config_set_command,
     .group = "server",
     .since = "2.0.0",
     .summary = "Changes options, all of those given or none.",
     .complexity = "O(N) when N is the number of configuration parameters provided",
     .syntax = "parameter value [parameter value ...]",
     .categories = kDangerous},
};

const CommandSpec kSpecs[] = {
    {.name = "config",
     .arity = -2,
     .flags = 0,
     .keys = {},
     .handler = nullptr,
     .group = "server",
     .since = "2.0.0",
     .summary = "Commands on the server's options.",
     .complexity = "Depends on subcommand.",
     .syntax = "",
     .categories = "@slow",
     .subcommands = kSubcommands},
};

}  // namespace

std::span<const CommandSpec> config_commands() { return kSpecs; }

}  // namespace syntropy
