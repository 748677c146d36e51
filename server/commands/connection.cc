// AUTH, HELLO, PING, ECHO, QUIT, RESET and SELECT.
//
// There is one user, "default", with the password of the option requirepass or none.

#include <optional>
#include <string>

#include "server/cluster/cluster.h"
#include "server/command.h"
#include "server/commands/arguments.h"
#include "server/commands/client_commands.h"
#include "server/commands/pubsub.h"
#include "server/config/config_store.h"
#include "server/context.h"
#include "server/follower.h"
#include "server/pubsub.h"
#include "server/version.h"

namespace syntropy {
namespace {

constexpr std::string_view kWrongPass =
    "WRONGPASS invalid username-password pair or user is disabled.";

/// Takes the same time wherever the two differ, so that a password can't be found byte by byte.
bool equal_secrets(std::string_view given, std::string_view secret) {
  unsigned difference = given.size() == secret.size() ? 0 : 1;
  for (size_t i = 0; i < given.size(); ++i) {
    const char expected = secret.empty() ? '\0' : secret[i % secret.size()];
    difference |= static_cast<unsigned char>(given[i] ^ expected);
  }
  return difference == 0;
}

std::string required_password(const Call& call) {
  return call.server.config.current()->security.require_pass;
}

/// False after replying that user or password are wrong.
bool authenticate(Call& call, std::string_view user, std::string_view password) {
  const std::string secret = required_password(call);
  if (user != "default" || (!secret.empty() && !equal_secrets(password, secret))) {
    call.reply.error(kWrongPass);
    return false;
  }
  call.client.authenticated = true;
  return true;
}

void auth_command(Call& call) {
  if (call.argc() > 3) return reply_syntax_error(call);
  if (call.argc() == 3) {
    if (authenticate(call, call.args[1], call.args[2])) call.reply.ok();
    return;
  }
  if (required_password(call).empty()) {
    return call.reply.error(
        "ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?");
  }
  if (authenticate(call, "default", call.args[1])) call.reply.ok();
}

void set_protocol(Call& call, int protocol) {
  call.client.protocol = protocol;
  call.client.shared.protocol.store(protocol, std::memory_order_relaxed);
  call.reply.set_protocol(protocol);
}

void set_db(Client& client, uint16_t db) {
  client.db = db;
  client.shared.db.store(db, std::memory_order_relaxed);
}

bool follows_another(const Call& call) {
  const Follower* const follower = call.server.follower;
  if (follower != nullptr && follower->mode() != Follower::Mode::kNone) return true;
  if (call.server.cluster == nullptr) return false;
  const std::shared_ptr<const Routing> routing = call.server.cluster->gate().routing();
  return routing != nullptr && routing->primary;
}

void reply_hello(Call& call) {
  ReplyWriter& reply = call.reply;
  reply.map(7);
  reply.bulk("server");
  reply.bulk("redis");
  reply.bulk("version");
  reply.bulk(kRedisVersion);
  reply.bulk("proto");
  reply.integer(call.client.protocol);
  reply.bulk("id");
  reply.integer(static_cast<int64_t>(call.client.id));
  reply.bulk("mode");
  reply.bulk(call.server.cluster == nullptr ? "standalone" : "cluster");
  reply.bulk("role");
  reply.bulk(follows_another(call) ? "replica" : "master");
  reply.bulk("modules");
  reply.array(0);
}

void hello_command(Call& call) {
  std::optional<int64_t> protocol;
  if (call.argc() > 1) {
    protocol = parse_int64(call.args[1]);
    if (!protocol) {
      return call.reply.error("ERR Protocol version is not an integer or out of range");
    }
    if (*protocol != 2 && *protocol != 3) {
      return call.reply.error("NOPROTO unsupported protocol version");
    }
  }
  std::optional<std::string_view> user;
  std::string_view password;
  for (size_t i = 2; i < call.argc(); ++i) {
    const std::string_view option = call.args[i];
    const size_t more = call.argc() - 1 - i;
    if (equals_ignoring_case(option, "auth") && more >= 2) {
      user = call.args[i + 1];
      password = call.args[i + 2];
      i += 2;
    } else if (equals_ignoring_case(option, "setname") && more >= 1) {
      // As in Redis 7.0, the name stays even when a later option is wrong.
      if (!set_client_name(call, call.args[i + 1])) return;
      ++i;
    } else {
      return call.reply.error("ERR Syntax error in HELLO option '" + std::string(option) + "'");
    }
  }
  if (user && !authenticate(call, *user, password)) return;
  if (!call.client.authenticated) {
    return call.reply.error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
        "RESP protocol version at the same time");
  }
  if (protocol) set_protocol(call, static_cast<int>(*protocol));
  reply_hello(call);
}

void ping_command(Call& call) {
  if (call.argc() > 2) return reply_wrong_arity(call);
  if (only_listens(call.client)) {
    call.reply.array(2);
    call.reply.bulk("pong");
    return call.reply.bulk(call.argc() == 2 ? call.args[1] : std::string_view());
  }
  if (call.argc() == 2) return call.reply.bulk(call.args[1]);
  call.reply.simple_string("PONG");
}

void echo_command(Call& call) { call.reply.bulk(call.args[1]); }

void quit_command(Call& call) {
  call.client.close_after_reply = true;
  call.reply.ok();
}

/// Back to the state of a new connection; what CLIENT NO-EVICT says stays, as in Redis 7.0.
void reset_command(Call& call) {
  Client& client = call.client;
  call.server.clients.set_monitor(client, false);
  call.server.pubsub.forget(client);
  client.in_multi = false;
  client.exec_aborted = false;
  client.queue.clear();
  client.watched.clear();
  client.shared.queued.store(-1, std::memory_order_relaxed);
  client.shared.watched.store(0, std::memory_order_relaxed);
  client.shared.no_touch.store(false, std::memory_order_relaxed);
  client.shared.readonly.store(false, std::memory_order_relaxed);
  client.asking = 0;
  client.write_acks.reset();
  client.reply_mode = Client::ReplyMode::kOn;
  client.authenticated = required_password(call).empty();
  set_db(client, 0);
  set_protocol(call, 2);
  set_client_name(call, {});
  call.reply.simple_string("RESET");
}

void select_command(Call& call) {
  const std::optional<int64_t> index = int64_argument(call, 1);
  if (!index) return;
  if (*index != static_cast<int32_t>(*index)) {
    return call.reply.error(
        "ERR value is out of range, value must between -2147483648 and 2147483647");
  }
  if (call.server.cluster != nullptr && *index != 0) {
    return call.reply.error("ERR SELECT is not allowed in cluster mode");
  }
  if (*index < 0 || *index >= static_cast<int64_t>(call.server.keyspace.databases())) {
    return call.reply.error("ERR DB index is out of range");
  }
  set_db(call.client, static_cast<uint16_t>(*index));
  call.reply.ok();
}

constexpr uint32_t kSessionFlags =
    kNoScript | kLoading | kStale | kFast | kNoAuth | kAllowBusy | kNoRows;

const CommandSpec kSpecs[] = {
    {.name = "auth",
     .arity = -2,
     .flags = kSessionFlags,
     .keys = {},
     .handler = auth_command,
     .group = "connection",
     .since = "1.0.0",
     .summary = "Authenticates the connection.",
     .complexity = "O(N) where N is the number of passwords defined for the user",
     .syntax = "[username] password",
     .categories = "@fast @connection"},
    {.name = "echo",
     .arity = 2,
     .flags = kLoading | kStale | kFast | kNoRows,
     .keys = {},
     .handler = echo_command,
     .group = "connection",
     .since = "1.0.0",
     .summary = "Answers with the argument.",
     .complexity = "O(1)",
     .syntax = "message",
     .categories = "@fast @connection"},
    {.name = "hello",
     .arity = -1,
     .flags = kSessionFlags,
     .keys = {},
     .handler = hello_command,
     .group = "connection",
     .since = "6.0.0",
     .summary = "Chooses the protocol version, and may authenticate and name the connection.",
     .complexity = "O(1)",
     .syntax = "[protover [AUTH username password] [SETNAME clientname]]",
     .categories = "@fast @connection"},
    {.name = "ping",
     .arity = -1,
     .flags = kFast | kNoRows,
     .keys = {},
     .handler = ping_command,
     .group = "connection",
     .since = "1.0.0",
     .summary = "Answers PONG, or the argument if there is one.",
     .complexity = "O(1)",
     .syntax = "[message]",
     .categories = "@fast @connection"},
    {.name = "quit",
     .arity = -1,
     .flags = kSessionFlags,
     .keys = {},
     .handler = quit_command,
     .group = "connection",
     .since = "1.0.0",
     .summary = "Closes the connection after the replies that are due.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = "@fast @connection"},
    {.name = "reset",
     .arity = 1,
     .flags = kSessionFlags,
     .keys = {},
     .handler = reset_command,
     .group = "connection",
     .since = "6.2.0",
     .summary = "Puts the connection back into the state of a new one.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = "@fast @connection"},
    {.name = "select",
     .arity = 2,
     .flags = kLoading | kStale | kFast | kNoRows,
     .keys = {},
     .handler = select_command,
     .group = "connection",
     .since = "1.0.0",
     .summary = "Chooses the database of the connection.",
     .complexity = "O(1)",
     .syntax = "index",
     .categories = "@fast @connection"},
};

}  // namespace

std::span<const CommandSpec> connection_commands() { return kSpecs; }

}  // namespace syntropy
