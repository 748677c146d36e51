// The dispatcher in cluster mode: which requests are for this node, and which for another.
#include <algorithm>

#include "server/cluster/cluster.h"
#include "server/cluster/redirect.h"
#include "server/commands/table.h"
#include "server/commands/transactions.h"
#include "server/dispatcher.h"

namespace syntropy {
namespace {

constexpr std::string_view kNoReplicas = "NOREPLICAS Not enough good replicas to write.";

/// Calls `visit` with every key of the request; of EXEC, with those of what was queued.
template <class Visit>
void for_each_key_of(const Client& client, const CommandSpec& spec,
                     std::span<const std::string_view> args, const Visit& visit) {
  if (!is_exec(spec)) return for_each_key(spec, args, visit);
  std::vector<std::string_view> queued_args;
  for (const QueuedCommand& queued : client.queue) {
    queued_args.assign(queued.args.begin(), queued.args.end());
    for_each_key(*queued.spec, queued_args, visit);
  }
}

uint64_t monotonic_ms(Turn::Clock::time_point at) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count());
}

}  // namespace

std::string Dispatcher::redirection(const Client& client, Request& request, Turn& turn) const {
  const CommandSpec& spec = *request.spec;
  const bool exec = is_exec(spec);
  if (exec && !client.in_multi) return {};
  RequestTerms terms;
  terms.writes = writes(client, spec);
  terms.stays = (spec.flags & kStaysWhereItMoves) != 0;
  if (!exec && !terms.writes && spec.keys.first == 0 && spec.find_keys == nullptr) return {};
  RequestKeys keys;
  for_each_key_of(client, spec, request.args, [&keys](std::string_view key) { keys.add(key); });
  if (keys.empty() && !terms.writes) return {};
  if (!keys.empty() && !keys.crosses_slots()) request.slot = keys.slot();

  const ClusterGate& gate = server_.cluster->gate();
  if (turn.routing == nullptr) turn.routing = gate.routing();
  if (turn.routing == nullptr) return std::string(kClusterDown);
  turn.tick.judged_by(turn.routing->generation);
  // Where shard channels belong no key is looked up, and any node of the shard will do.
  const bool of_channels = (spec.flags & kPubSub) != 0;
  if (!of_channels && moves_here(*turn.routing, keys)) {
    look_up_moving(client, request, &keys, turn);
    if (request.undecided) return {};
  }
  terms.readonly = of_channels || client.shared.readonly.load(std::memory_order_relaxed);
  terms.asking = client.asking != 0 || (spec.flags & kAsking) != 0;
  // The end of the last command is now, nearly, and costs nothing.
  terms.may_serve = gate.may_serve(monotonic_ms(turn.last));
  terms.reads_when_down = of_channels ? turn.config.cluster.allow_pubsubshard_when_down
                                      : turn.config.cluster.allow_reads_when_down;
  return redirect(*turn.routing, keys, terms);
}

// Of a slot that is on its way, some keys may be here and some not.
void Dispatcher::look_up_moving(const Client& client, Request& request, RequestKeys* keys,
                                Turn& turn) const {
  turn.tick.begin_command(turn.now_ms, request.tier);
  for_each_key_of(client, *request.spec, request.args, [&](std::string_view key) {
    keys->note_lookup(turn.tick.get(client.db, key).has_value());
  });
  (void)turn.tick.take_lookups();  // the client hasn't looked yet
  request.undecided = request.tier == ReadTier::kMemory && !turn.tick.misses().empty();
}

std::string Dispatcher::replica_shortage(const Turn& turn) const {
  const ReplicationConfig& replication = turn.config.replication;
  if (replication.min_replicas_to_write == 0 || replication.min_replicas_max_lag_s == 0) return {};
  const auto max_lag_ms = static_cast<uint64_t>(replication.min_replicas_max_lag_s) * 1000;
  const bool enough =
      server_.cluster->good_replicas(max_lag_ms) >= replication.min_replicas_to_write;
  return enough ? std::string() : std::string(kNoReplicas);
}

}  // namespace syntropy
