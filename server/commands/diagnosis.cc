// The commands for watching the server. INFO, LATENCY, MEMORY and SLOWLOG have files of their own;
// DEBUG and MONITOR are here.

#include "server/commands/diagnosis.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "server/commands/arguments.h"
#include "server/config/config_store.h"
#include "server/context.h"

namespace syntropy {
namespace {

constexpr size_t kMaxShownName = 128;

bool is_local(const Client& client) {
  return client.shared.unix_socket.load(std::memory_order_relaxed) ||
         client.address.starts_with("127.0.0.1:") || client.address.starts_with("[::1]:") ||
         client.address.starts_with("::1:");
}

bool debug_allowed(const Call& call) {
  switch (call.server.config.current()->security.enable_debug_command) {
    case DebugCommand::kYes:
      return true;
    case DebugCommand::kLocal:
      return is_local(call.client);
    case DebugCommand::kNo:
      break;
  }
  return false;
}

/// As in Redis, text that is no number is a sleep of no time.
uint64_t micros_of(std::string_view seconds) {
  constexpr double kLongest = 1e15;
  const double micros = std::strtod(std::string(seconds).c_str(), nullptr) * 1e6;
  return micros > 0 ? static_cast<uint64_t>(std::min(micros, kLongest)) : 0;
}

void debug_help(Call& call) {
  call.reply.array(7);
  call.reply.simple_string("DEBUG <subcommand> [<argument> ...]. Subcommands are:");
  call.reply.simple_string("DIGEST-VALUE <key> [<key> ...]");
  call.reply.simple_string("    Answers with a digest of each key's value; zeros: there is none.");
  call.reply.simple_string("HELP");
  call.reply.simple_string("    Lists the subcommands.");
  call.reply.simple_string("SLEEP seconds");
  call.reply.simple_string("    Stops serving all clients for that long; decimals are allowed.");
}

void debug_command(Call& call) {
  if (!debug_allowed(call)) {
    return call.reply.error(
        "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", "
        "you can run it from a local connection, otherwise you need to set this option in the "
        "configuration file, and then restart the server.");
  }
  if (call.argc() == 2 && equals_ignoring_case(call.args[1], "help")) return debug_help(call);
  if (call.argc() >= 3 && equals_ignoring_case(call.args[1], "digest-value")) {
    return debug_digest_value(call);
  }
  if (call.argc() == 3 && equals_ignoring_case(call.args[1], "sleep")) {
    const uint64_t micros = micros_of(call.args[2]);
    call.server.stall(micros);
    // This thread sleeps within the command, so that the slow log and the latency monitor see it.
    std::this_thread::sleep_for(std::chrono::microseconds(micros));
    return call.reply.ok();
  }
  reply_bad_subcommand(call);
}

void monitor_command(Call& call) {
  if (call.client.in_transaction) {
    return call.reply.error("ERR MONITOR isn't allowed for DENY BLOCKING client");
  }
  // As in Redis, a second MONITOR has no reply.
  if (call.client.shared.monitor.load(std::memory_order_relaxed)) return;
  call.server.clients.set_monitor(call.client, true);
  call.reply.ok();
}

constexpr uint32_t kAdminFlags = kAdmin | kNoScript | kLoading | kStale | kNoRows;
constexpr std::string_view kDangerous = "@admin @slow @dangerous";

CommandSpec debug_spec() {
  return {.name = "debug",
          .arity = -2,
          .flags = kAdminFlags,
          .keys = {},
          .handler = debug_command,
          .group = "server",
          .since = "1.0.0",
          .summary = "Commands for testing the server.",
          .complexity = "Depends on subcommand.",
          .syntax = "subcommand [argument ...]",
          .categories = kDangerous};
}

CommandSpec monitor_spec() {
  return {.name = "monitor",
          .arity = 1,
          .flags = kAdminFlags,
          .keys = {},
          .handler = monitor_command,
          .group = "server",
          .since = "1.0.0",
          .summary = "Shows every command that the server executes from now on.",
          .complexity = "O(1) for each command executed",
          .syntax = "",
          .categories = kDangerous};
}

}  // namespace

void reply_bad_subcommand(Call& call) {
  std::string command(call.args[0]);
  std::transform(command.begin(), command.end(), command.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
  });
  call.reply.error("ERR unknown subcommand or wrong number of arguments for '" +
                   std::string(call.args[1].substr(0, kMaxShownName)) + "'. Try " + command +
                   " HELP.");
}

std::span<const CommandSpec> diagnosis_commands() {
  static const CommandSpec specs[] = {debug_spec(),  info_spec(),    latency_spec(),
                                      memory_spec(), monitor_spec(), slowlog_spec()};
  return specs;
}

}  // namespace syntropy
