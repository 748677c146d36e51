// CLIENT: the table of its subcommands, and those that concern the connection alone.

#include <fmt/format.h>

#include <algorithm>

#include "server/command.h"
#include "server/commands/arguments.h"
#include "server/commands/client_commands.h"
#include "server/commands/diagnosis.h"
#include "server/commands/help.h"
#include "server/commands/transactions.h"
#include "server/context.h"

namespace syntropy {
namespace {

/// Such values stand in CLIENT LIST, where fields are separated by blanks.
bool is_printable_word(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '!' && c <= '~'; });
}

void client_id_command(Call& call) { call.reply.integer(static_cast<int64_t>(call.client.id)); }

void client_getname_command(Call& call) {
  std::string name;
  {
    std::lock_guard lock(call.client.shared.mutex);
    name = call.client.shared.name;
  }
  if (name.empty()) return call.reply.null();
  call.reply.bulk(name);
}

void client_setname_command(Call& call) {
  if (set_client_name(call, call.args[2])) call.reply.ok();
}

void client_setinfo_command(Call& call) {
  ClientShared& shared = call.client.shared;
  std::string* target = nullptr;
  if (equals_ignoring_case(call.args[2], "lib-name")) {
    target = &shared.lib_name;
  } else if (equals_ignoring_case(call.args[2], "lib-ver")) {
    target = &shared.lib_version;
  } else {
    return call.reply.error(fmt::format("ERR Unrecognized option '{}'", call.args[2]));
  }
  if (!is_printable_word(call.args[3])) {
    return call.reply.error(
        fmt::format("ERR {} cannot contain spaces, newlines or special characters.", call.args[2]));
  }
  {
    std::lock_guard lock(shared.mutex);
    *target = call.args[3];
  }
  call.reply.ok();
}

/// OFF and SKIP have no reply; the dispatcher drops the replies that follow.
void client_reply_command(Call& call) {
  Client::ReplyMode& mode = call.client.reply_mode;
  if (equals_ignoring_case(call.args[2], "on")) {
    mode = Client::ReplyMode::kOn;
    call.reply.ok();
  } else if (equals_ignoring_case(call.args[2], "off")) {
    mode = Client::ReplyMode::kOff;
  } else if (equals_ignoring_case(call.args[2], "skip")) {
    if (mode != Client::ReplyMode::kOff) mode = Client::ReplyMode::kSkipNext;
  } else {
    reply_syntax_error(call);
  }
}

void client_pause_command(Call& call) {
  PauseState::Mode mode = PauseState::Mode::kAll;
  if (call.argc() > 4) return reply_bad_subcommand(call);
  if (call.argc() == 4) {
    if (equals_ignoring_case(call.args[3], "write")) {
      mode = PauseState::Mode::kWrite;
    } else if (!equals_ignoring_case(call.args[3], "all")) {
      return call.reply.error("ERR CLIENT PAUSE mode must be WRITE or ALL");
    }
  }
  const auto timeout = int64_argument(call, 2, "ERR timeout is not an integer or out of range");
  if (!timeout) return;
  if (*timeout < 0) return call.reply.error("ERR timeout is negative");
  if (*timeout > INT64_MAX - static_cast<int64_t>(call.now_ms)) {
    return call.reply.error("ERR timeout is out of range");
  }
  call.server.pause.pause(call.now_ms, call.now_ms + static_cast<uint64_t>(*timeout), mode);
  call.reply.ok();
}

void client_unpause_command(Call& call) {
  call.server.pause.unpause();
  call.reply.ok();
}

/// Sets the flag by ON or OFF.
void set_flag(Call& call, std::atomic<bool>* flag) {
  const bool on = equals_ignoring_case(call.args[2], "on");
  if (!on && !equals_ignoring_case(call.args[2], "off")) return reply_syntax_error(call);
  flag->store(on, std::memory_order_relaxed);
  call.reply.ok();
}

void client_no_evict_command(Call& call) { set_flag(call, &call.client.shared.no_evict); }

void client_no_touch_command(Call& call) { set_flag(call, &call.client.shared.no_touch); }

constexpr uint32_t kPlainFlags = kNoScript | kLoading | kStale | kNoRows;
constexpr uint32_t kAdminFlags = kPlainFlags | kAdmin;
constexpr std::string_view kPlain = "@slow @connection";
constexpr std::string_view kDangerous = "@admin @slow @dangerous @connection";
constexpr std::string_view kPerClient = "O(N) where N is the number of client connections";

const CommandSpec kSubcommands[] = {
    {.name = "getname",
     .arity = 2,
     .flags = kPlainFlags,
     .keys = {},
     .handler = client_getname_command,
     .group = "connection",
     .since = "2.6.9",
     .summary = "Answers with the connection's name.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = kPlain},
    {.name = "help",
     .arity = 2,
     .flags = kLoading | kStale | kNoRows,
     .keys = {},
     .handler = help_command,
     .group = "connection",
     .since = "5.0.0",
     .summary = "Lists the subcommands.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = kPlain},
    {.name = "id",
     .arity = 2,
     .flags = kPlainFlags,
     .keys = {},
     .handler = client_id_command,
     .group = "connection",
     .since = "5.0.0",
     .summary = "Answers with the connection's number, which is never given twice.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = kPlain},
    {.name = "info",
     .arity = 2,
     .flags = kPlainFlags,
     .keys = {},
     .handler = client_info_command,
     .group = "connection",
     .since = "6.2.0",
     .summary = "Describes the connection in the form of CLIENT LIST.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = kPlain},
    {.name = "kill",
     .arity = -3,
     .flags = kAdminFlags,
     .keys = {},
     .handler = client_kill_command,
     .group = "connection",
     .since = "2.4.0",
     .summary = "Closes connections.",
     .complexity = kPerClient,
     .syntax =
         "<ip:port|[ID client-id] [TYPE <NORMAL|MASTER|SLAVE|REPLICA|PUBSUB>] [USER username] "
         "[ADDR ip:port] [LADDR ip:port] [SKIPME yes/no]>",
     .categories = kDangerous},
    {.name = "list",
     .arity = -2,
     .flags = kAdminFlags,
     .keys = {},
     .handler = client_list_command,
     .group = "connection",
     .since = "2.4.0",
     .summary = "Describes the open connections, one in a line.",
     .complexity = kPerClient,
     .syntax = "[TYPE <NORMAL|MASTER|REPLICA|PUBSUB>] [ID client-id [client-id ...]]",
     .categories = kDangerous},
    {.name = "no-evict",
     .arity = 3,
     .flags = kAdminFlags,
     .keys = {},
     .handler = client_no_evict_command,
     .group = "connection",
     .since = "7.0.0",
     .summary = "Spares the connection when clients use too much memory together.",
     .complexity = "O(1)",
     .syntax = "ON|OFF",
     .categories = kDangerous},
    {.name = "no-touch",
     .arity = 3,
     .flags = kPlainFlags,
     .keys = {},
     .handler = client_no_touch_command,
     .group = "connection",
     .since = "7.2.0",
     .summary = "Notes that the connection's reads are not to count as use of a key.",
     .complexity = "O(1)",
     .syntax = "ON|OFF",
     .categories = kPlain},
    {.name = "pause",
     .arity = -3,
     .flags = kAdminFlags,
     .keys = {},
     .handler = client_pause_command,
     .group = "connection",
     .since = "2.9.50",
     .summary = "Holds all commands, or those that write, for some milliseconds.",
     .complexity = "O(1)",
     .syntax = "timeout [WRITE|ALL]",
     .categories = kDangerous},
    {.name = "reply",
     .arity = 3,
     .flags = kPlainFlags,
     .keys = {},
     .handler = client_reply_command,
     .group = "connection",
     .since = "3.2.0",
     .summary = "Turns replies on or off, or skips the next one.",
     .complexity = "O(1)",
     .syntax = "ON|OFF|SKIP",
     .categories = kPlain},
    {.name = "routing",
     .arity = -2,
     .flags = kPlainFlags,
     .keys = {},
     .handler = client_routing_command,
     .group = "connection",
     .since = "7.0.0",
     .summary = "Says whether requests for other nodes' slots are redirected or forwarded.",
     .complexity = "O(1)",
     .syntax = "[REDIRECT|PROXY]",
     .categories = kPlain},
    {.name = "setinfo",
     .arity = 4,
     .flags = kPlainFlags,
     .keys = {},
     .handler = client_setinfo_command,
     .group = "connection",
     .since = "7.2.0",
     .summary = "Tells which client library the connection belongs to.",
     .complexity = "O(1)",
     .syntax = "<LIB-NAME libname|LIB-VER libver>",
     .categories = kPlain},
    {.name = "setname",
     .arity = 3,
     .flags = kPlainFlags,
     .keys = {},
     .handler = client_setname_command,
     .group = "connection",
     .since = "2.6.9",
     .summary = "Names the connection.",
     .complexity = "O(1)",
     .syntax = "connection-name",
     .categories = kPlain},
    {.name = "unpause",
     .arity = 2,
     .flags = kAdminFlags,
     .keys = {},
     .handler = client_unpause_command,
     .group = "connection",
     .since = "6.2.0",
     .summary = "Ends a pause.",
     .complexity = "O(N) Where N is the number of paused clients",
     .syntax = "",
     .categories = kDangerous},
    {.name = "watch-at",
     .arity = -5,
     .flags = kNoScript | kLoading | kStale,
     .keys = {2, -1, 3, "RO"},
     .handler = client_watch_at_command,
     .group = "connection",
     .since = "7.0.0",
     .summary = "In MULTI: makes EXEC depend on keys that CLIENT WATCH-STATE was asked about.",
     .complexity = "O(1) for every key.",
     .syntax = "key number number [key number number ...]",
     .categories = kPlain},
    {.name = "watch-state",
     .arity = -3,
     .flags = kNoScript,
     .keys = {2, -1, 1, "RO"},
     .handler = client_watch_state_command,
     .group = "connection",
     .since = "7.0.0",
     .summary = "Tells what WATCH of these keys would note, for CLIENT WATCH-AT.",
     .complexity = "O(1) for every key.",
     .syntax = "key [key ...]",
     .categories = kPlain},
    {.name = "write-acks",
     .arity = -2,
     .flags = kPlainFlags,
     .keys = {},
     .handler = client_write_acks_command,
     .group = "connection",
     .since = "7.0.0",
     .summary = "Says how many copies this connection's writes need before their replies.",
     .complexity = "O(1)",
     .syntax = "[ONE|MAJORITY|ALL|DEFAULT]",
     .categories = kPlain},
};

const CommandSpec kSpecs[] = {
    {.name = "client",
     .arity = -2,
     .flags = 0,
     .keys = {},
     .handler = nullptr,
     .group = "connection",
     .since = "2.4.0",
     .summary = "Commands on connections.",
     .complexity = "Depends on subcommand.",
     .syntax = "",
     .categories = "@slow",
     .subcommands = kSubcommands},
};

}  // namespace

bool set_client_name(Call& call, std::string_view name) {
  if (!is_printable_word(name)) {
    call.reply.error("ERR Client names cannot contain spaces, newlines or special characters.");
    return false;
  }
  std::lock_guard lock(call.client.shared.mutex);
  call.client.shared.name = name;
  return true;
}

std::span<const CommandSpec> client_commands() { return kSpecs; }

}  // namespace syntropy
