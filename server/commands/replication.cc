// ROLE, WAIT, REPLICAOF, and what INFO says of replication.
//
// These run on I/O threads and so ask only what the cluster answers to any thread.
#include <algorithm>
#include <string>

#include "server/cluster/cluster.h"
#include "server/commands/arguments.h"
#include "server/commands/info.h"
#include "server/config/config_store.h"
#include "server/context.h"
#include "server/follower.h"
#include "storage/keyspace.h"
#include "storage/replication_log.h"

namespace syntropy {
namespace {

using Link = ReplicationStatus::Link;
using Replica = ReplicationStatus::Replica;

/// Whether this node follows another one of its cluster.
bool is_replica(const Call& call) {
  if (call.server.cluster == nullptr) return false;
  const std::shared_ptr<const Routing> routing = call.server.cluster->gate().routing();
  return routing != nullptr && routing->primary;
}

uint64_t log_offset(const Call& call) {
  const ReplicationLog* const log = call.server.keyspace.replication_log();
  return log == nullptr ? 0 : log->offset();
}

std::string_view link_state(Link::State state) {
  switch (state) {
    case Link::State::kConnect:
      return "connect";
    case Link::State::kConnecting:
      return "connecting";
    case Link::State::kSyncing:
      return "sync";
    case Link::State::kConnected:
      break;
  }
  return "connected";
}

std::string_view replica_state(Replica::State state) {
  switch (state) {
    case Replica::State::kWaiting:
      return "wait_bgsave";
    case Replica::State::kSyncing:
      return "send_bulk";
    case Replica::State::kOnline:
      break;
  }
  return "online";
}

// --- commands ------------------------------------------------------------------------------------

/// Null unless this node follows a redis-server.
const Follower* redis_follower(const Call& call) {
  const Follower* const follower = call.server.follower;
  return follower == nullptr || follower->mode() == Follower::Mode::kNone ? nullptr : follower;
}

std::string_view link_state(Follower::Link link) {
  switch (link) {
    case Follower::Link::kConnecting:
      return "connecting";
    case Follower::Link::kHandshake:
      return "handshake";
    case Follower::Link::kCopying:
      return "sync";
    case Follower::Link::kFollowing:
      return "connected";
    case Follower::Link::kFailed:
      break;
  }
  return "none";
}

void role_of_follower(Call& call, const Follower::View& view) {
  call.reply.array(5);
  call.reply.bulk("slave");
  call.reply.bulk(view.host);
  call.reply.integer(view.port);
  call.reply.bulk(link_state(view.link));
  const bool connected = view.link == Follower::Link::kFollowing;
  call.reply.integer(connected ? static_cast<int64_t>(view.offset) : -1);
}

void role_command(Call& call) {
  if (const Follower* const follower = redis_follower(call); follower != nullptr) {
    return role_of_follower(call, follower->view());
  }
  ReplicationStatus status;
  if (call.server.cluster != nullptr) status = call.server.cluster->replication();
  if (is_replica(call)) {
    const Link& link = status.primary;
    call.reply.array(5);
    call.reply.bulk("slave");
    call.reply.bulk(link.host);
    call.reply.integer(link.port);
    call.reply.bulk(link_state(link.state));
    const bool connected = link.state == Link::State::kConnected;
    call.reply.integer(connected ? static_cast<int64_t>(log_offset(call)) : -1);
    return;
  }
  // As in Redis, those alone who have all that went before.
  std::erase_if(status.replicas,
                [](const Replica& r) { return r.state != Replica::State::kOnline; });
  call.reply.array(3);
  call.reply.bulk("master");
  call.reply.integer(static_cast<int64_t>(log_offset(call)));
  call.reply.array(status.replicas.size());
  for (const Replica& replica : status.replicas) {
    call.reply.array(3);
    call.reply.bulk(replica.host);
    call.reply.bulk(std::to_string(replica.port));
    call.reply.bulk(std::to_string(replica.offset));
  }
}

uint64_t replicas_at(const Call& call, uint64_t offset) {
  if (call.server.cluster == nullptr) return 0;
  const std::vector<Replica> replicas = call.server.cluster->replication().replicas;
  return static_cast<uint64_t>(
      std::count_if(replicas.begin(), replicas.end(), [offset](const Replica& r) {
        return r.state == Replica::State::kOnline && r.offset >= offset;
      }));
}

void wait_command(Call& call) {
  if (is_replica(call) || redis_follower(call) != nullptr) {
    return call.reply.error(
        "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if "
        "a replica is configured to be writable (which is not the default) writes to replicas are "
        "just local and are not propagated.");
  }
  const std::optional<int64_t> replicas = int64_argument(call, 1);
  if (!replicas) return;
  const auto timeout = int64_argument(call, 2, "ERR timeout is not an integer or out of range");
  if (!timeout) return;
  if (*timeout < 0) return call.reply.error("ERR timeout is negative");
  // A transaction doesn't wait: its own writes are yet to be committed.
  if (call.client.in_transaction || *replicas <= 0) {
    return call.reply.integer(static_cast<int64_t>(replicas_at(call, log_offset(call))));
  }
  call.client.replica_wait = {static_cast<uint64_t>(*replicas), static_cast<uint64_t>(*timeout)};
}

void replicaof_command(Call& call) {
  if (call.server.cluster != nullptr) {
    return call.reply.error("ERR REPLICAOF not allowed in cluster mode.");
  }
  Follower* const follower = call.server.follower;
  if (follower == nullptr) return call.reply.error("ERR this node is starting, or ending");
  const bool to_nobody =
      equals_ignoring_case(call.args[1], "no") && equals_ignoring_case(call.args[2], "one");
  if (to_nobody) {
    const Status stopped = follower->stop();
    return stopped.ok() ? call.reply.ok()
                        : call.reply.error("ERR " + std::string(stopped.message()));
  }
  const std::optional<int64_t> port = int64_argument(call, 2);
  if (!port) return;
  if (*port < 0 || *port > UINT16_MAX) return call.reply.error("ERR Invalid master port");
  const Status followed = follower->follow(std::string(call.args[1]), static_cast<uint16_t>(*port));
  if (followed.is(StatusCode::kAlreadyExists)) {
    return call.reply.simple_string("OK " + std::string(followed.message()));
  }
  if (!followed.ok()) return call.reply.error("ERR " + std::string(followed.message()));
  call.reply.ok();
}

// --- INFO ----------------------------------------------------------------------------------------

void info_link(const Call& call, const Link& link, InfoSection& out) {
  const bool up = link.state == Link::State::kConnected;
  const uint64_t offset = log_offset(call);
  out.field("master_host", link.host);
  out.field("master_port", link.port);
  out.field("master_link_status", up ? "up" : "down");
  out.field("master_last_io_seconds_ago", up ? static_cast<int64_t>(link.idle_ms / 1000) : -1);
  out.flag("master_sync_in_progress", link.state == Link::State::kSyncing);
  out.field("slave_read_repl_offset", offset);
  out.field("slave_repl_offset", offset);
  if (link.state == Link::State::kSyncing) out.field("master_sync_rows", link.synced_rows);
  if (!up) out.field("master_link_down_since_seconds", link.down_ms / 1000);
  out.field("slave_priority", 100);
  out.flag("slave_read_only", true);
  out.flag("replica_announced", true);
}

void info_follower(const Follower::View& view, InfoSection& out) {
  const bool up = view.link == Follower::Link::kFollowing;
  out.field("master_host", view.host);
  out.field("master_port", view.port);
  out.field("master_link_status", up ? "up" : "down");
  out.field("master_last_io_seconds_ago", up ? static_cast<int64_t>(view.idle_ms / 1000) : -1);
  out.flag("master_sync_in_progress", view.link == Follower::Link::kCopying);
  out.field("slave_read_repl_offset", view.offset);
  out.field("slave_repl_offset", view.offset);
  if (!up) out.field("master_link_down_since_seconds", view.down_ms / 1000);
  out.field("slave_priority", 100);
  out.flag("slave_read_only", true);
  out.flag("replica_announced", true);
  out.field("redis_copied_keys", view.copied_keys);
  out.field("redis_failed_commands", view.failed_commands);
  for (const auto& [name, count] : view.left_out) {
    out.field(fmt::format("redis_left_out_{}", name), count);
  }
  if (!view.error.empty()) out.field("redis_error", view.error);
}

void info_replicas(const Call& call, const std::vector<Replica>& replicas, InfoSection& out) {
  out.field("connected_slaves", replicas.size());
  const auto& wanted = call.server.config.current()->replication;
  if (wanted.min_replicas_to_write != 0 && wanted.min_replicas_max_lag_s != 0) {
    const auto max_lag_ms = static_cast<uint64_t>(wanted.min_replicas_max_lag_s) * 1000;
    out.field("min_slaves_good_slaves",
              call.server.cluster == nullptr ? 0 : call.server.cluster->good_replicas(max_lag_ms));
  }
  for (size_t i = 0; i < replicas.size(); ++i) {
    const Replica& replica = replicas[i];
    out.field(fmt::format("slave{}", i),
              fmt::format("ip={},port={},state={},offset={},lag={}", replica.host, replica.port,
                          replica_state(replica.state), replica.offset, replica.lag_ms / 1000));
  }
}

/// Redis counts bytes from 1: an offset is the number of the last byte.
void info_log(const ReplicationLog& log, InfoSection& out) {
  const LogPosition position = log.position();
  const History& history = position.history;
  const bool has_ancestor = history.size() > 1;
  out.field("master_replid", position.lineage().hex());
  out.field("master_replid2", (has_ancestor ? history[history.size() - 2].id : LineageId()).hex());
  out.field("master_repl_offset", position.offset);
  out.field("second_repl_offset",
            has_ancestor ? static_cast<int64_t>(history.back().start) + 1 : int64_t{-1});
  const uint64_t begin = log.backlog_begin();
  out.flag("repl_backlog_active", true);
  out.field("repl_backlog_size", log.backlog_bytes());
  out.field("repl_backlog_first_byte_offset", begin + 1);
  out.field("repl_backlog_histlen", position.offset - std::min(begin, position.offset));
}

/// A node that was never part of a cluster keeps no log. It is told apart by its run_id.
void info_no_log(const Call& call, InfoSection& out) {
  out.field("master_replid", call.server.run_id);
  out.field("master_replid2", std::string(40, '0'));
  out.field("master_repl_offset", 0);
  out.field("second_repl_offset", -1);
  out.field("repl_backlog_active", 0);
  out.field("repl_backlog_size", 0);
  out.field("repl_backlog_first_byte_offset", 0);
  out.field("repl_backlog_histlen", 0);
}

constexpr CommandSpec kReplicaOf = {
    .name = "replicaof",
    .arity = 3,
    .flags = kAdmin | kNoScript | kStale | kNoAsyncLoading | kNoRows | kWorker,
    .keys = {},
    .handler = replicaof_command,
    .group = "server",
    .since = "5.0.0",
    .summary = "Follows a redis-server, or ends that; nodes of a cluster use CLUSTER REPLICATE.",
    .complexity = "O(1)",
    .syntax = "<host port|NO ONE>",
    .categories = "@admin @slow @dangerous"};

constexpr CommandSpec slaveof_spec() {
  CommandSpec spec = kReplicaOf;
  spec.name = "slaveof";
  spec.since = "1.0.0";
  return spec;
}

constexpr CommandSpec kSpecs[] = {
    kReplicaOf,
    {.name = "role",
     .arity = 1,
     .flags = kNoScript | kLoading | kStale | kFast | kNoRows,
     .keys = {},
     .handler = role_command,
     .group = "server",
     .since = "2.8.12",
     .summary = "Says whether the node is a primary or a replica, and of whom.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = "@admin @fast @dangerous"},
    slaveof_spec(),
    {.name = "wait",
     .arity = 3,
     .flags = kNoScript | kNoRows,
     .keys = {},
     .handler = wait_command,
     .group = "generic",
     .since = "3.0.0",
     .summary = "Waits until replicas hold what was written, and answers with how many do.",
     .complexity = "O(1)",
     .syntax = "numreplicas timeout",
     .categories = "@slow @connection"},
};

}  // namespace

void info_replication(const Call& call, InfoSection& out) {
  ReplicationStatus status;
  if (call.server.cluster != nullptr) status = call.server.cluster->replication();
  const bool replica = is_replica(call);
  const Follower* const follower = redis_follower(call);
  out.field("role", replica || follower != nullptr ? "slave" : "master");
  if (replica) info_link(call, status.primary, out);
  if (follower != nullptr) info_follower(follower->view(), out);
  info_replicas(call, status.replicas, out);
  out.field("master_failover_state", status.failing_over ? "failover-in-progress" : "no-failover");
  const ReplicationLog* const log = call.server.keyspace.replication_log();
  if (log == nullptr) return info_no_log(call, out);
  info_log(*log, out);
}

void info_cluster(const Call& call, InfoSection& out) {
  out.flag("cluster_enabled", call.server.cluster != nullptr);
}

std::span<const CommandSpec> replication_commands() { return kSpecs; }

}  // namespace syntropy
