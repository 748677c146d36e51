// SLOWLOG: the commands that took longest (server/slowlog.h).

#include "server/slowlog.h"

#include <limits>
#include <optional>

#include "server/commands/arguments.h"
#include "server/commands/diagnosis.h"
#include "server/commands/help.h"
#include "server/context.h"

namespace syntropy {
namespace {

constexpr size_t kDefaultCount = 10;

void slowlog_get_command(Call& call) {
  size_t count = kDefaultCount;
  if (call.argc() > 3) return reply_bad_subcommand(call);
  if (call.argc() == 3) {
    const std::optional<int64_t> given = parse_int64(call.args[2]);
    if (!given || *given < -1) {
      return call.reply.error("ERR count should be greater than or equal to -1");
    }
    count = *given < 0 ? std::numeric_limits<size_t>::max() : static_cast<size_t>(*given);
  }
  const std::vector<SlowLogEntry> entries = call.server.slowlog.newest(count);
  call.reply.array(entries.size());
  for (const SlowLogEntry& entry : entries) {
    call.reply.array(6);
    call.reply.integer(static_cast<int64_t>(entry.id));
    call.reply.integer(static_cast<int64_t>(entry.unix_time_s));
    call.reply.integer(static_cast<int64_t>(entry.micros));
    call.reply.array(entry.args.size());
    for (const std::string& arg : entry.args) call.reply.bulk(arg);
    call.reply.bulk(entry.client_address);
    call.reply.bulk(entry.client_name);
  }
}

void slowlog_len_command(Call& call) {
  call.reply.integer(static_cast<int64_t>(call.server.slowlog.size()));
}

void slowlog_reset_command(Call& call) {
  call.server.slowlog.reset();
  call.reply.ok();
}

constexpr uint32_t kAdminFlags = kAdmin | kLoading | kStale | kNoRows;
constexpr std::string_view kDangerous = "@admin @slow @dangerous";

const CommandSpec kSubcommands[] = {
    {.name = "get",
     .arity = -2,
     .flags = kAdminFlags,
     .keys = {},
     .handler = slowlog_get_command,
     .group = "server",
     .since = "2.2.12",
     .summary = "Answers with the newest entries, ten by default, all of them for -1.",
     .complexity = "O(N) where N is the number of entries returned",
     .syntax = "[count]",
     .categories = kDangerous},
    {.name = "help",
     .arity = 2,
     .flags = kLoading | kStale | kNoRows,
     .keys = {},
     .handler = help_command,
     .group = "server",
     .since = "6.2.0",
     .summary = "Lists the subcommands.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = "@slow"},
    {.name = "len",
     .arity = 2,
     .flags = kAdminFlags,
     .keys = {},
     .handler = slowlog_len_command,
     .group = "server",
     .since = "2.2.12",
     .summary = "Counts the entries.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = kDangerous},
    {.name = "reset",
     .arity = 2,
     .flags = kAdminFlags,
     .keys = {},
     .handler = slowlog_reset_command,
     .group = "server",
     .since = "2.2.12",
     .summary = "Forgets all entries.",
     .complexity = "O(N) where N is the number of entries in the slowlog",
     .syntax = "",
     .categories = kDangerous},
};

}  // namespace

CommandSpec slowlog_spec() {
  return {.name = "slowlog",
          .arity = -2,
          .flags = 0,
          .keys = {},
          .handler = nullptr,
          .group = "server",
          .since = "2.2.12",
          .summary = "Commands on the log of slow commands.",
          .complexity = "Depends on subcommand.",
          .syntax = "",
          .categories = "@slow",
          .subcommands = kSubcommands};
}

}  // namespace syntropy
