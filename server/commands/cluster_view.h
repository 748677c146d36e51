// ClusterView: the cluster as this node sees it at one moment, and the forms in which Redis
// describes it (CLUSTER NODES, SLOTS, SHARDS, INFO; Redis 7.0 documentation of these commands).
//
// view_cluster() copies on the cluster's loop what the rest formats elsewhere, so that an
// operator's question costs the loop little.
//
// A node's line:  <id> <ip>:<port>@<bus port>[,hostname] <flags> <primary|-> <ping> <pong> <epoch>
//                 connected|disconnected [<slot>|<first>-<last>|[<slot>->-<id>]|[<slot>-<-<id>]]...
// Nodes watch a few others each, not all, so there is no time of the last pong: <pong> is the time
// of the answer for a node that is held to be alive, else 0; <ping> is always 0.
//
// Thread safety: free functions and values; view_cluster() on the loop.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "membership/membership.h"
#include "rpc/transport.h"
#include "server/resp/reply.h"

namespace syntropy {

struct ClusterView {
  struct Member {
    NodeId id;
    AddressFact address;
    NodeId primary;  // no node: it is one itself
    NodeId shard;
    bool no_failover = false;
    uint64_t epoch = 0;  // of its claim; of a replica that of its primary
    uint64_t offset = 0;
    bool complete = false;  // has all of its primary's data, or is one
    Liveness liveness = Liveness::kAlive;
    bool contact = false;
    SlotRanges slots;
  };

  NodeId self;
  std::vector<Member> members;  // ascending by id
  std::vector<SlotRun> runs;    // ascending
  OwnershipState epochs;
  ClusterHealth health = ClusterHealth::kOk;
  uint32_t primaries_with_slots = 0;
  uint64_t hash = 0;  // equal in views that agree

  /// Null when it isn't known.
  const Member* find(const NodeId& id) const;
  /// In the order of ids.
  std::vector<const Member*> replicas_of(const NodeId& primary) const;
};

/// On the loop.
ClusterView view_cluster(const Membership& membership, TimeMs now);

/// What a line says beside the view.
struct NodesContext {
  uint64_t wall_ms = 0;
  std::set<NodeId> linked;  // nodes to which there is a connection
};

NodesContext nodes_context(uint64_t wall_ms, const std::vector<LinkInfo>& links);

/// Without the end of the line.
std::string node_line(const ClusterView& view, const ClusterView::Member& member,
                      const NodesContext& context);
/// CLUSTER NODES.
std::string nodes_text(const ClusterView& view, const NodesContext& context);
/// CLUSTER INFO.
std::string info_text(const ClusterView& view, const TransportStats& traffic);

/// CLUSTER SLOTS: of replicas those that are alive and have a complete copy.
void reply_slots(const ClusterView& view, ReplyWriter& reply);
/// CLUSTER SHARDS.
void reply_shards(const ClusterView& view, ReplyWriter& reply);
/// CLUSTER LINKS.
void reply_links(const std::vector<LinkInfo>& links, ReplyWriter& reply);

}  // namespace syntropy
