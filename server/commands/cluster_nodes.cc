// CLUSTER: the subcommands about nodes: who is in the cluster, and who follows whom.
#include <arpa/inet.h>

#include <array>
#include <limits>
#include <string>

#include "server/commands/arguments.h"
#include "server/commands/cluster_commands.h"
#include "server/config/config.h"

namespace syntropy {
namespace {

/// The address as the system writes it; nothing unless it is an IPv4 or IPv6 literal.
std::optional<std::string> canonical_ip(std::string_view text) {
  const std::string address(text);
  std::array<char, INET6_ADDRSTRLEN> canonical{};
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  for (const int family : {AF_INET, AF_INET6}) {
    if (::inet_pton(family, address.c_str(), bytes.data()) != 1) continue;
    if (::inet_ntop(family, bytes.data(), canonical.data(), canonical.size()) == nullptr) break;
    return std::string(canonical.data());
  }
  return std::nullopt;
}

bool is_port(int64_t port) { return port > 0 && port <= std::numeric_limits<uint16_t>::max(); }

void reply_bad_arguments(Call& call) {
  call.reply.error("ERR unknown subcommand or wrong number of arguments for '" +
                   std::string(call.args[1]) + "'. Try CLUSTER HELP.");
}

std::string start_failover(Membership& membership, FailoverMode mode, TimeMs now) {
  const NodeId primary = membership.primary();
  if (!primary) return "ERR You should send CLUSTER FAILOVER to a replica";
  if (mode == FailoverMode::kDefault && membership.liveness(primary) == Liveness::kFailed) {
    return "ERR Master is down or failed, please use CLUSTER FAILOVER FORCE";
  }
  const Status started = membership.fail_over(mode, now);
  if (started.is(StatusCode::kNotFound)) {
    return "ERR My primary owns no slots: there is nothing to take over";
  }
  if (started.is(StatusCode::kUnavailable)) {
    return "ERR Master is down or failed, please use CLUSTER FAILOVER FORCE";
  }
  return started.ok() ? std::string() : error_text(started);
}

}  // namespace

void cluster_meet_command(Call& call) {
  if (cluster_of(call) == nullptr) return;
  if (call.argc() > 5) return reply_bad_arguments(call);
  const std::string_view host = call.args[2];
  const std::optional<int64_t> port = parse_int64(call.args[3]);
  if (!port) {
    return call.reply.error("ERR Invalid TCP base port specified: " + std::string(call.args[3]));
  }
  int64_t bus_port = *port + kClusterPortDistance;
  if (call.argc() == 5) {
    const std::optional<int64_t> given = parse_int64(call.args[4]);
    if (!given) {
      return call.reply.error("ERR Invalid TCP bus port specified: " + std::string(call.args[4]));
    }
    bus_port = *given;
  }
  const std::optional<std::string> ip = canonical_ip(host);
  if (!ip || !is_port(*port) || !is_port(bus_port)) {
    return call.reply.error("ERR Invalid node address specified: " + std::string(host) + ":" +
                            std::string(call.args[3]));
  }
  change_membership(call, [&](Membership& membership, TimeMs now) -> std::string {
    const Status met = membership.meet(*ip, static_cast<uint16_t>(bus_port), now);
    return met.ok() ? std::string() : error_text(met);
  });
}

// redis-cli --cluster del-node tells every node, and the first has told the others by then.
void cluster_forget_command(Call& call) {
  const std::string_view text = call.args[2];
  change_membership(call, [text](Membership& membership, TimeMs now) -> std::string {
    const NodeId node = known_node(membership, text);
    if (!node) {
      const Result<NodeId> id = NodeId::parse(text);
      if (id.ok() && membership.has_forgotten(*id)) return {};
      return "ERR Unknown node " + std::string(text);
    }
    if (node == membership.self()) return "ERR I tried hard but I can't forget myself...";
    if (node == membership.primary()) return "ERR Can't forget my master!";
    const Status forgotten = membership.forget(node, now);
    return forgotten.ok() ? std::string() : error_text(forgotten);
  });
}

void cluster_replicate_command(Call& call) {
  const std::string_view text = call.args[2];
  const bool keys = holds_keys(call);
  change_membership(call, [text, keys](Membership& membership, TimeMs now) -> std::string {
    const NodeId node = known_node(membership, text);
    if (!node) return "ERR Unknown node " + std::string(text);
    if (node == membership.self()) return "ERR Can't replicate myself";
    if (is_replica(membership, node)) return "ERR I can only replicate a master, not a replica.";
    if (!membership.primary() && (keys || !membership.epochs().slots.empty())) {
      return "ERR To set a master the node must be empty and without assigned slots.";
    }
    const Status replicates = membership.replicate(node, now);
    return replicates.ok() ? std::string() : error_text(replicates);
  });
}

void cluster_failover_command(Call& call) {
  if (cluster_of(call) == nullptr) return;
  if (call.argc() > 3) return reply_bad_arguments(call);
  FailoverMode mode = FailoverMode::kDefault;
  if (call.argc() == 3) {
    if (equals_ignoring_case(call.args[2], "force")) {
      mode = FailoverMode::kForce;
    } else if (equals_ignoring_case(call.args[2], "takeover")) {
      mode = FailoverMode::kTakeover;
    } else {
      return reply_syntax_error(call);
    }
  }
  change_membership(call, [mode](Membership& membership, TimeMs now) {
    return start_failover(membership, mode, now);
  });
}

void cluster_reset_command(Call& call) {
  Cluster* const cluster = cluster_of(call);
  if (cluster == nullptr) return;
  if (call.argc() > 3) return reply_bad_arguments(call);
  const bool hard = call.argc() == 3 && equals_ignoring_case(call.args[2], "hard");
  if (call.argc() == 3 && !hard && !equals_ignoring_case(call.args[2], "soft")) {
    return reply_syntax_error(call);
  }
  const bool keys = holds_keys(call);
  const std::string error = cluster->call([hard, keys](Cluster& on_loop) -> std::string {
    if (keys && !on_loop.membership().primary()) {
      return "ERR CLUSTER RESET can't be called with master nodes containing keys";
    }
    const Status reset = on_loop.reset(hard);
    return reset.ok() ? std::string() : error_text(reset);
  });
  if (error.empty()) return call.reply.ok();
  call.reply.error(error);
}

void cluster_saveconfig_command(Call& call) {
  Cluster* const cluster = cluster_of(call);
  if (cluster == nullptr) return;
  const Status stored = cluster->call([](Cluster& on_loop) { return on_loop.store(); });
  if (stored.ok()) return call.reply.ok();
  call.reply.error("ERR error saving the cluster node config: " + std::string(stored.message()));
}

void cluster_set_config_epoch_command(Call& call) {
  if (cluster_of(call) == nullptr) return;
  const std::optional<int64_t> epoch = int64_argument(call, 2);
  if (!epoch) return;
  if (*epoch < 0) {
    return call.reply.error("ERR Invalid config epoch specified: " + std::string(call.args[2]));
  }
  change_membership(call, [epoch](Membership& membership, TimeMs now) -> std::string {
    if (membership.members().size() > 1) {
      return "ERR The user can assign a config epoch only when the node does not know any other "
             "node.";
    }
    if (membership.epochs().config_epoch != 0) {
      return "ERR Node config epoch is already non-zero";
    }
    if (*epoch == 0) return {};  // it is 0
    const Status set = membership.set_config_epoch(static_cast<uint64_t>(*epoch), now);
    return set.ok() ? std::string() : error_text(set);
  });
}

}  // namespace syntropy
