// TIME, LASTSAVE, SAVE, BGSAVE and SHUTDOWN.
//
// A save is a checkpoint of the engine (server/snapshots.h). Nothing depends on it for durability:
// what was acknowledged is in the log.

#include <string>

#include "server/command.h"
#include "server/commands/arguments.h"
#include "server/context.h"
#include "server/snapshots.h"
#include "storage/base/clock.h"

namespace syntropy {
namespace {

void time_command(Call& call) {
  const uint64_t now_us = call.server.clock.wall_us();
  call.reply.array(2);
  call.reply.bulk(std::to_string(now_us / 1'000'000));
  call.reply.bulk(std::to_string(now_us % 1'000'000));
}

void lastsave_command(Call& call) {
  call.reply.integer(static_cast<int64_t>(call.server.snapshots.info().last_save_s));
}

void save_command(Call& call) {
  const Status saved = call.server.snapshots.save();
  if (saved.ok()) return call.reply.ok();
  call.reply.error("ERR " + std::string(saved.message()));
}

/// SCHEDULE is for a Redis whose log is being rewritten at that moment; here it changes nothing.
void bgsave_command(Call& call) {
  if (call.argc() > 2 || (call.argc() == 2 && !equals_ignoring_case(call.args[1], "schedule"))) {
    return reply_syntax_error(call);
  }
  const Status started = call.server.snapshots.save_in_background();
  if (started.ok()) return call.reply.simple_string("Background saving started");
  call.reply.error("ERR " + std::string(started.message()));
}

void shutdown_command(Call& call) {
  bool save = false, no_save = false, now = false, force = false, abort = false;
  for (const std::string_view arg : call.args.subspan(1)) {
    if (equals_ignoring_case(arg, "nosave")) {
      no_save = true;
    } else if (equals_ignoring_case(arg, "save")) {
      save = true;
    } else if (equals_ignoring_case(arg, "now")) {
      now = true;
    } else if (equals_ignoring_case(arg, "force")) {
      force = true;
    } else if (equals_ignoring_case(arg, "abort")) {
      abort = true;
    } else {
      return reply_syntax_error(call);
    }
  }
  if ((abort && (save || no_save || now || force)) || (save && no_save)) {
    return reply_syntax_error(call);
  }
  // A shutdown begins at once and waits for no replica, so there is none to abort.
  if (abort) return call.reply.error("ERR No shutdown in progress.");
  if (!call.server.shutdown) {
    return call.reply.error("ERR this node is part of a program, which alone can end it");
  }
  // No reply: the connection closes when the server has ended.
  call.server.shutdown(ShutdownRequest{.save = save, .force = force});
}

constexpr std::string_view kDangerous = "@admin @slow @dangerous";

const CommandSpec kSpecs[] = {
    {.name = "bgsave",
     .arity = -1,
     .flags = kAdmin | kNoScript | kNoAsyncLoading | kNoRows,
     .keys = {},
     .handler = bgsave_command,
     .group = "server",
     .since = "1.0.0",
     .summary = "Starts to make a snapshot in the background.",
     .complexity = "O(1)",
     .syntax = "[SCHEDULE]",
     .categories = kDangerous},
    {.name = "lastsave",
     .arity = 1,
     .flags = kLoading | kStale | kFast | kNoRows,
     .keys = {},
     .handler = lastsave_command,
     .group = "server",
     .since = "1.0.0",
     .summary = "Tells when the last snapshot was completed, in Unix time.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = "@admin @fast @dangerous"},
    {.name = "save",
     .arity = 1,
     .flags = kAdmin | kNoScript | kNoAsyncLoading | kNoMulti | kNoRows | kWorker,
     .keys = {},
     .handler = save_command,
     .group = "server",
     .since = "1.0.0",
     .summary = "Makes a snapshot and answers when it is durable.",
     .complexity = "O(N) where N is the total number of keys in all databases",
     .syntax = "",
     .categories = kDangerous},
    {.name = "shutdown",
     .arity = -1,
     .flags = kAdmin | kNoScript | kLoading | kStale | kNoMulti | kAllowBusy | kNoRows,
     .keys = {},
     .handler = shutdown_command,
     .group = "server",
     .since = "1.0.0",
     .summary = "Ends the server in good order.",
     .complexity = "O(N) when saving, where N is the total number of keys in all databases when "
                   "saving data, otherwise O(1)",
     .syntax = "[NOSAVE|SAVE] [NOW] [FORCE] [ABORT]",
     .categories = kDangerous},
    {.name = "time",
     .arity = 1,
     .flags = kLoading | kStale | kFast | kNoRows,
     .keys = {},
     .handler = time_command,
     .group = "server",
     .since = "2.6.0",
     .summary = "Tells the server's time in Unix seconds and microseconds.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = "@fast"},
};

}  // namespace

std::span<const CommandSpec> server_commands() { return kSpecs; }

}  // namespace syntropy
