// CLIENT LIST, CLIENT INFO and CLIENT KILL.

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "server/commands/arguments.h"
#include "server/commands/client_commands.h"
#include "server/commands/pubsub.h"
#include "server/commands/table.h"
#include "server/context.h"
#include "storage/base/clock.h"

namespace syntropy {
namespace {

/// Redis' letters, in Redis' order.
std::string flag_letters(const Client& client) {
  const ClientShared& shared = client.shared;
  const auto is_set = [](const std::atomic<bool>& flag) {
    return flag.load(std::memory_order_relaxed);
  };
  std::string letters;
  if (is_set(shared.monitor)) letters.push_back('O');
  if (is_listening(client)) letters.push_back('P');
  if (shared.queued.load(std::memory_order_relaxed) >= 0) letters.push_back('x');
  if (is_set(shared.blocked)) letters.push_back('b');
  if (is_set(shared.closing)) letters.push_back('A');
  if (is_set(shared.unix_socket)) letters.push_back('U');
  if (is_set(shared.readonly)) letters.push_back('r');
  if (is_set(shared.no_evict)) letters.push_back('e');
  if (is_set(shared.no_touch)) letters.push_back('T');
  return letters.empty() ? "N" : letters;
}

uint64_t monotonic_ms(const Call& call) { return call.server.clock.monotonic_us() / 1000; }

uint64_t seconds_since(uint64_t then_ms, uint64_t now_ms) {
  return now_ms > then_ms ? (now_ms - then_ms) / 1000 : 0;
}

ClientType type_of(const Client& client) {
  return is_listening(client) ? ClientType::kPubSub : ClientType::kNormal;
}

/// What KILL's options have to match; unset ones match everything.
struct KillFilter {
  std::optional<uint64_t> id;
  std::optional<ClientType> type;
  std::optional<std::string_view> address;
  std::optional<std::string_view> local_address;
  bool skip_me = true;

  bool matches(const Client& client, const Client& me) const {
    if (id && client.id != *id) return false;
    if (type && *type != type_of(client)) return false;
    if (address && client.address != *address) return false;
    if (local_address && client.local_address != *local_address) return false;
    return !(skip_me && &client == &me);
  }
};

/// One option and its value; false after replying with an error.
bool read_kill_option(Call& call, std::string_view option, std::string_view value,
                      KillFilter* filter) {
  if (equals_ignoring_case(option, "id")) {
    const std::optional<int64_t> id = parse_int64(value);
    if (!id || *id < 1) {
      call.reply.error("ERR client-id should be greater than 0");
      return false;
    }
    filter->id = static_cast<uint64_t>(*id);
  } else if (equals_ignoring_case(option, "type")) {
    filter->type = client_type_argument(call, value);
    return filter->type.has_value();
  } else if (equals_ignoring_case(option, "addr")) {
    filter->address = value;
  } else if (equals_ignoring_case(option, "laddr")) {
    filter->local_address = value;
  } else if (equals_ignoring_case(option, "user")) {
    if (value != "default") {
      call.reply.error(fmt::format("ERR No such user '{}'", value));
      return false;
    }
  } else if (equals_ignoring_case(option, "skipme") &&
             (equals_ignoring_case(value, "yes") || equals_ignoring_case(value, "no"))) {
    filter->skip_me = equals_ignoring_case(value, "yes");
  } else {
    reply_syntax_error(call);
    return false;
  }
  return true;
}

size_t kill_matching(Call& call, const KillFilter& filter) {
  size_t killed = 0;
  for (const auto& client : call.server.clients.all()) {
    if (!filter.matches(*client, call.client)) continue;
    ++killed;
    if (client.get() == &call.client) {
      client->close_after_reply = true;
    } else if (client->request_close) {
      client->request_close();
    }
  }
  return killed;
}

/// The dispatcher notes a command once it is done; here the one that is asking counts.
void note_this_command(Call& call) {
  call.client.shared.last_command.store(&call.spec, std::memory_order_relaxed);
}

void reply_list(Call& call, const std::vector<std::shared_ptr<Client>>& clients) {
  note_this_command(call);
  std::string text;
  const uint64_t now_ms = monotonic_ms(call);
  for (const auto& client : clients) text += describe_client(*client, now_ms) + "\n";
  call.reply.verbatim("txt", text);
}

}  // namespace

std::optional<ClientType> client_type_argument(Call& call, std::string_view name) {
  if (equals_ignoring_case(name, "normal")) return ClientType::kNormal;
  if (equals_ignoring_case(name, "master")) return ClientType::kMaster;
  if (equals_ignoring_case(name, "replica") || equals_ignoring_case(name, "slave")) {
    return ClientType::kReplica;
  }
  if (equals_ignoring_case(name, "pubsub")) return ClientType::kPubSub;
  call.reply.error(fmt::format("ERR Unknown client type '{}'", name));
  return std::nullopt;
}

std::string describe_client(Client& client, uint64_t monotonic_ms) {
  ClientShared& shared = client.shared;
  const auto value = [](const auto& atomic) { return atomic.load(std::memory_order_relaxed); };
  std::string name, lib_name, lib_version;
  {
    std::lock_guard lock(shared.mutex);
    name = shared.name;
    lib_name = shared.lib_name;
    lib_version = shared.lib_version;
  }
  const uint64_t query = value(shared.query_bytes);
  const uint64_t output = value(shared.output_bytes);
  const CommandSpec* command = value(shared.last_command);
  // Fields on buffers that we do not have are zero.
  return fmt::format(
      "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} "
      "multi={} watch={} qbuf={} qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl={} oll=0 "
      "omem={} tot-mem={} events={} cmd={} user=default redir=-1 resp={} lib-name={} lib-ver={} "
      "tot-net-in={} tot-net-out={}",
      client.id, client.address, client.local_address, client.fd, name,
      seconds_since(client.connected_ms, monotonic_ms),
      seconds_since(value(shared.last_active_ms), monotonic_ms), flag_letters(client),
      value(shared.db), value(shared.listening[0]), value(shared.listening[1]),
      value(shared.listening[2]), value(shared.queued), value(shared.watched), query, output,
      output, sizeof(Client) + query + output + name.size() + lib_name.size() + lib_version.size(),
      output > 0 ? "rw" : "r", command != nullptr ? full_name(*command) : "NULL",
      value(shared.protocol), lib_name, lib_version, value(shared.total_in),
      value(shared.total_out));
}

void client_info_command(Call& call) {
  note_this_command(call);
  call.reply.verbatim("txt", describe_client(call.client, monotonic_ms(call)) + "\n");
}

void client_list_command(Call& call) {
  if (call.argc() == 2) return reply_list(call, call.server.clients.all());
  if (call.argc() == 4 && equals_ignoring_case(call.args[2], "type")) {
    const std::optional<ClientType> type = client_type_argument(call, call.args[3]);
    if (!type) return;
    std::vector<std::shared_ptr<Client>> clients = call.server.clients.all();
    std::erase_if(clients, [&](const auto& client) { return type_of(*client) != *type; });
    return reply_list(call, clients);
  }
  if (call.argc() < 4 || !equals_ignoring_case(call.args[2], "id")) {
    return reply_syntax_error(call);
  }
  std::vector<std::shared_ptr<Client>> clients;
  for (const std::string_view arg : call.args.subspan(3)) {
    const std::optional<int64_t> id = parse_int64(arg);
    if (!id) return call.reply.error("ERR Invalid client ID");
    if (*id < 0) continue;
    if (auto client = call.server.clients.find(static_cast<uint64_t>(*id))) {
      clients.push_back(std::move(client));
    }
  }
  reply_list(call, clients);
}

void client_kill_command(Call& call) {
  KillFilter filter;
  if (call.argc() == 3) {
    // The old form names an address, and may mean this connection.
    filter.address = call.args[2];
    filter.skip_me = false;
    if (kill_matching(call, filter) == 0) return call.reply.error("ERR No such client");
    return call.reply.ok();
  }
  for (size_t i = 2; i < call.argc(); i += 2) {
    if (i + 1 == call.argc()) return reply_syntax_error(call);
    if (!read_kill_option(call, call.args[i], call.args[i + 1], &filter)) return;
  }
  call.reply.integer(static_cast<int64_t>(kill_matching(call, filter)));
}

}  // namespace syntropy
