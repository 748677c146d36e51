// CLUSTER: the subcommands that tell what this node sees.
#include <utility>

#include "server/commands/cluster_commands.h"
#include "server/commands/cluster_view.h"
#include "server/context.h"
#include "storage/base/clock.h"

namespace syntropy {
namespace {

ClusterView view_of(Cluster& cluster) {
  return cluster.call(
      [](Cluster& on_loop) { return view_cluster(on_loop.membership(), on_loop.now()); });
}

NodesContext context_of(const Call& call, const Cluster& cluster) {
  return nodes_context(call.server.clock.wall_ms(), cluster.links());
}

std::string unknown_node(std::string_view id) { return "ERR Unknown node " + std::string(id); }

}  // namespace

void cluster_myid_command(Call& call) {
  Cluster* const cluster = cluster_of(call);
  if (cluster == nullptr) return;
  call.reply.bulk(cluster->call([](Cluster& c) { return c.membership().self().hex(); }));
}

void cluster_myshardid_command(Call& call) {
  Cluster* const cluster = cluster_of(call);
  if (cluster == nullptr) return;
  call.reply.bulk(cluster->call([](Cluster& c) { return c.membership().shard().hex(); }));
}

void cluster_info_command(Call& call) {
  Cluster* const cluster = cluster_of(call);
  if (cluster == nullptr) return;
  call.reply.verbatim("txt", info_text(view_of(*cluster), cluster->traffic()));
}

void cluster_nodes_command(Call& call) {
  Cluster* const cluster = cluster_of(call);
  if (cluster == nullptr) return;
  call.reply.verbatim("txt", nodes_text(view_of(*cluster), context_of(call, *cluster)));
}

void cluster_slots_command(Call& call) {
  Cluster* const cluster = cluster_of(call);
  if (cluster == nullptr) return;
  reply_slots(view_of(*cluster), call.reply);
}

void cluster_shards_command(Call& call) {
  Cluster* const cluster = cluster_of(call);
  if (cluster == nullptr) return;
  reply_shards(view_of(*cluster), call.reply);
}

void cluster_links_command(Call& call) {
  Cluster* const cluster = cluster_of(call);
  if (cluster == nullptr) return;
  reply_links(cluster->links(), call.reply);
}

void cluster_replicas_command(Call& call) {
  Cluster* const cluster = cluster_of(call);
  if (cluster == nullptr) return;
  const ClusterView view = view_of(*cluster);
  const Result<NodeId> id = NodeId::parse(call.args[2]);
  const ClusterView::Member* const primary = id.ok() ? view.find(*id) : nullptr;
  if (primary == nullptr) return call.reply.error(unknown_node(call.args[2]));
  if (primary->primary) return call.reply.error("ERR The specified node is not a master");
  const NodesContext context = context_of(call, *cluster);
  const std::vector<const ClusterView::Member*> replicas = view.replicas_of(primary->id);
  call.reply.array(replicas.size());
  for (const ClusterView::Member* replica : replicas) {
    call.reply.bulk(node_line(view, *replica, context));
  }
}

void cluster_count_failure_reports_command(Call& call) {
  Cluster* const cluster = cluster_of(call);
  if (cluster == nullptr) return;
  const std::string_view id = call.args[2];
  const auto reports = cluster->call([id](Cluster& on_loop) -> std::optional<size_t> {
    const Membership& membership = on_loop.membership();
    const NodeId node = known_node(membership, id);
    if (!node) return std::nullopt;
    return membership.failure_reports(node);
  });
  if (!reports) return call.reply.error(unknown_node(id));
  call.reply.integer(static_cast<int64_t>(*reports));
}

void cluster_bumpepoch_command(Call& call) {
  Cluster* const cluster = cluster_of(call);
  if (cluster == nullptr) return;
  const auto [bumped, epoch] = cluster->call([](Cluster& on_loop) {
    const bool raised = on_loop.membership().bump_epoch(on_loop.now()).has_value();
    on_loop.settle();
    return std::pair(raised, on_loop.membership().epochs().config_epoch);
  });
  call.reply.simple_string((bumped ? "BUMPED " : "STILL ") + std::to_string(epoch));
}

}  // namespace syntropy
