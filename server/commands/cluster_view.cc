#include "server/commands/cluster_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "rpc/codec.h"

namespace syntropy {
namespace {

ClusterView::Member view_member(const Membership& membership, const NodeId& id) {
  MemberView told = membership.member(id).value_or(MemberView());
  ClusterView::Member member;
  member.id = id;
  member.address = std::move(told.address);
  member.primary = told.role.primary;
  member.shard = told.role.shard;
  member.no_failover = told.role.no_failover;
  member.epoch = told.claim.epoch;
  member.offset = told.replication.offset;
  member.complete = told.replication.complete;
  member.liveness = told.liveness;
  member.contact = told.contact;
  if (id == membership.self()) {  // what it hasn't told anybody yet, it knows
    member.primary = membership.primary();
    member.shard = membership.shard();
    member.epoch = membership.epochs().config_epoch;
    member.contact = false;
  }
  return member;
}

template <class Members>
auto find_member(Members& members, const NodeId& id) {
  const auto at =
      std::lower_bound(members.begin(), members.end(), id,
                       [](const auto& m, const NodeId& wanted) { return m.id < wanted; });
  return at != members.end() && at->id == id ? &*at : nullptr;
}

bool has_address(const ClusterView& view, const ClusterView::Member& member) {
  return member.id == view.self || !member.address.host.empty();
}

/// In Redis' order.
std::string flags_text(const ClusterView& view, const ClusterView::Member& member) {
  std::string flags;
  const auto add = [&flags](bool set, std::string_view name) {
    if (!set) return;
    if (!flags.empty()) flags.push_back(',');
    flags.append(name);
  };
  add(member.id == view.self, "myself");
  if (member.contact) {
    add(true, "handshake");
  } else {
    add(!member.primary, "master");
    add(bool{member.primary}, "slave");
  }
  add(member.liveness == Liveness::kSuspect, "fail?");
  add(member.liveness == Liveness::kFailed, "fail");
  add(!has_address(view, member), "noaddr");
  add(member.no_failover, "nofailover");
  return flags;
}

/// " 0-2 4 [93->-id]"
void append_slots(const ClusterView& view, const ClusterView::Member& member, std::string* line) {
  if (!member.slots.empty()) line->append(" ").append(member.slots.text());
  if (member.id != view.self) return;
  for (const auto& [slot, to] : view.epochs.migrating) {
    *line += fmt::format(" [{}->-{}]", slot, to.hex());
  }
  for (const auto& [slot, from] : view.epochs.importing) {
    *line += fmt::format(" [{}-<-{}]", slot, from.hex());
  }
}

/// Slots whose owner is in that state.
uint32_t slots_of(const ClusterView& view, Liveness liveness) {
  uint32_t count = 0;
  for (const SlotRun& run : view.runs) {
    const ClusterView::Member* owner = view.find(run.owner);
    if (owner != nullptr && owner->liveness == liveness) count += run.range.count();
  }
  return count;
}

/// Redis' names, where it has such a message.
constexpr std::pair<MessageType, std::string_view> kMessageNames[] = {
    {MessageType::kPing, "ping"},
    {MessageType::kAck, "pong"},
    {MessageType::kMeet, "meet"},
    {MessageType::kVoteRequest, "auth-req"},
    {MessageType::kVote, "auth-ack"},
    {MessageType::kMfStart, "mfstart"},
    {MessageType::kGossipSyn, "gossip-syn"},
    {MessageType::kGossipAck, "gossip-ack"},
    {MessageType::kGossipPush, "gossip-push"},
    {MessageType::kGossipAgree, "gossip-agree"},
    {MessageType::kIndirectProbe, "indirect-probe"},
    {MessageType::kRelayedPing, "relayed-ping"},
    {MessageType::kRelayedAck, "relayed-ack"},
    {MessageType::kIndirectAck, "indirect-ack"},
    {MessageType::kBallotNews, "ballot"},
    {MessageType::kVoteRefusal, "auth-refusal"},
    {MessageType::kVoteWithdrawn, "auth-withdrawn"},
    {MessageType::kStanding, "standing"},
    {MessageType::kMfPaused, "mfpaused"},
    {MessageType::kMfCancel, "mfcancel"},
};

/// One direction: each type that occurred, then the sum.
void append_messages(const TransportStats& traffic, std::string_view direction,
                     uint64_t TransportStats::Traffic::*count, std::string* text) {
  for (const auto& [type, name] : kMessageNames) {
    const uint64_t messages = traffic.frames[static_cast<uint8_t>(type)].*count;
    if (messages == 0) continue;
    *text += fmt::format("cluster_stats_messages_{}_{}:{}\r\n", name, direction, messages);
  }
  uint64_t sum = 0;
  for (const TransportStats::Traffic& type : traffic.frames) sum += type.*count;
  *text += fmt::format("cluster_stats_messages_{}:{}\r\n", direction, sum);
}

std::string_view reason_of(ClusterHealth health) {
  return health == ClusterHealth::kUncovered ? "slots-not-covered" : "cut-off";
}

void reply_hostname(const AddressFact& address, ReplyWriter& reply) {
  reply.map(address.hostname.empty() ? 0 : 1);
  if (address.hostname.empty()) return;
  reply.bulk("hostname");
  reply.bulk(address.hostname);
}

void reply_slots_node(const ClusterView::Member& member, ReplyWriter& reply) {
  reply.array(4);
  reply.bulk(member.address.host);
  reply.integer(member.address.port);
  reply.bulk(member.id.hex());
  reply_hostname(member.address, reply);
}

std::string_view shard_health(const ClusterView::Member& member) {
  if (member.liveness == Liveness::kFailed) return "fail";
  return member.primary && !member.complete ? "loading" : "online";
}

void reply_shard_node(const ClusterView::Member& member, ReplyWriter& reply) {
  const bool named = !member.address.hostname.empty();
  reply.map(named ? 8 : 7);
  reply.bulk("id");
  reply.bulk(member.id.hex());
  reply.bulk("port");
  reply.integer(member.address.port);
  reply.bulk("ip");
  reply.bulk(member.address.host);
  reply.bulk("endpoint");
  reply.bulk(member.address.host);
  if (named) {
    reply.bulk("hostname");
    reply.bulk(member.address.hostname);
  }
  reply.bulk("role");
  reply.bulk(member.primary ? "replica" : "master");
  reply.bulk("replication-offset");
  reply.integer(static_cast<int64_t>(member.offset));
  reply.bulk("health");
  reply.bulk(shard_health(member));
}

}  // namespace

const ClusterView::Member* ClusterView::find(const NodeId& id) const {
  return find_member(members, id);
}

std::vector<const ClusterView::Member*> ClusterView::replicas_of(const NodeId& primary) const {
  std::vector<const Member*> replicas;
  for (const Member& member : members) {
    if (member.primary == primary && !member.contact) replicas.push_back(&member);
  }
  return replicas;
}

ClusterView view_cluster(const Membership& membership, TimeMs now) {
  ClusterView view;
  view.self = membership.self();
  view.runs = membership.slots().view();
  view.epochs = membership.epochs();
  view.health = membership.health(now);
  view.primaries_with_slots = membership.slots().owner_count();
  view.hash = membership.hash();
  view.members.reserve(membership.members().size() + 1);
  for (const MemberRecordPtr& record : membership.members()) {
    view.members.push_back(view_member(membership, record->id));
  }
  for (const SlotRun& run : view.runs) {
    ClusterView::Member* const owner = find_member(view.members, run.owner);
    if (owner != nullptr) owner->slots.add(run.range);
  }
  for (ClusterView::Member& member : view.members) {
    if (!member.primary) continue;
    const ClusterView::Member* const primary = view.find(member.primary);
    member.epoch = primary == nullptr ? 0 : primary->epoch;
  }
  return view;
}

NodesContext nodes_context(uint64_t wall_ms, const std::vector<LinkInfo>& links) {
  NodesContext context;
  context.wall_ms = wall_ms;
  for (const LinkInfo& link : links) {
    if (link.ready) context.linked.insert(link.peer);
  }
  return context;
}

std::string node_line(const ClusterView& view, const ClusterView::Member& member,
                      const NodesContext& context) {
  const AddressFact& address = member.address;
  const bool alive = member.liveness == Liveness::kAlive && !member.contact;
  const bool connected = member.id == view.self || alive || context.linked.contains(member.id);
  std::string line = fmt::format(
      "{} {}:{}@{}{}{} {} {} 0 {} {} {}", member.id.hex(), address.host, address.port,
      address.bus_port, address.hostname.empty() ? "" : ",", address.hostname,
      flags_text(view, member), member.primary ? member.primary.hex() : "-",
      alive ? context.wall_ms : 0, member.epoch, connected ? "connected" : "disconnected");
  append_slots(view, member, &line);
  return line;
}

std::string nodes_text(const ClusterView& view, const NodesContext& context) {
  std::string text;
  for (const ClusterView::Member& member : view.members) {
    text.append(node_line(view, member, context)).append("\n");
  }
  return text;
}

std::string info_text(const ClusterView& view, const TransportStats& traffic) {
  std::string text;
  const auto field = [&text](std::string_view name, const auto& value) {
    text += fmt::format("{}:{}\r\n", name, value);
  };
  uint32_t assigned = 0;
  for (const SlotRun& run : view.runs) assigned += run.range.count();
  const uint32_t suspected = slots_of(view, Liveness::kSuspect);
  const uint32_t failed = slots_of(view, Liveness::kFailed);
  const ClusterView::Member* const self = view.find(view.self);
  const bool ok = view.health == ClusterHealth::kOk;
  field("cluster_state", ok ? "ok" : "fail");
  field("cluster_slots_assigned", assigned);
  field("cluster_slots_ok", assigned - suspected - failed);
  field("cluster_slots_pfail", suspected);
  field("cluster_slots_fail", failed);
  field("cluster_known_nodes", view.members.size());
  field("cluster_size", view.primaries_with_slots);
  field("cluster_current_epoch", view.epochs.current_epoch);
  field("cluster_my_epoch", self == nullptr ? 0 : self->epoch);
  append_messages(traffic, "sent", &TransportStats::Traffic::sent, &text);
  append_messages(traffic, "received", &TransportStats::Traffic::received, &text);
  field("total_cluster_links_buffer_limit_exceeded", traffic.dropped_full);
  field("cluster_stats_bytes_sent", traffic.bytes.sent);
  field("cluster_stats_bytes_received", traffic.bytes.received);
  field("cluster_view_hash", fmt::format("{:016x}", view.hash));
  if (!ok) field("cluster_fail_reason", reason_of(view.health));
  return text;
}

void reply_slots(const ClusterView& view, ReplyWriter& reply) {
  const size_t mark = reply.size();
  size_t count = 0;
  for (const SlotRun& run : view.runs) {
    const ClusterView::Member* const owner = view.find(run.owner);
    if (owner == nullptr) continue;
    ++count;
    std::vector<const ClusterView::Member*> replicas = view.replicas_of(run.owner);
    std::erase_if(replicas, [](const ClusterView::Member* replica) {
      return replica->liveness == Liveness::kFailed || !replica->complete;
    });
    reply.array(3 + replicas.size());
    reply.integer(run.range.first);
    reply.integer(run.range.last);
    reply_slots_node(*owner, reply);
    for (const ClusterView::Member* replica : replicas) reply_slots_node(*replica, reply);
  }
  reply.insert_array_header(mark, count);
}

void reply_shards(const ClusterView& view, ReplyWriter& reply) {
  const size_t mark = reply.size();
  size_t count = 0;
  for (const ClusterView::Member& primary : view.members) {
    if (primary.primary || primary.contact) continue;
    ++count;
    reply.map(2);
    reply.bulk("slots");
    reply.array(2 * primary.slots.ranges().size());
    for (const SlotRange& range : primary.slots.ranges()) {
      reply.integer(range.first);
      reply.integer(range.last);
    }
    const std::vector<const ClusterView::Member*> replicas = view.replicas_of(primary.id);
    reply.bulk("nodes");
    reply.array(1 + replicas.size());
    reply_shard_node(primary, reply);
    for (const ClusterView::Member* replica : replicas) reply_shard_node(*replica, reply);
  }
  reply.insert_array_header(mark, count);
}

void reply_links(const std::vector<LinkInfo>& links, ReplyWriter& reply) {
  const auto ready = [](const LinkInfo& link) { return link.ready; };
  reply.array(static_cast<size_t>(std::count_if(links.begin(), links.end(), ready)));
  for (const LinkInfo& link : links) {
    if (!ready(link)) continue;
    reply.map(6);
    reply.bulk("direction");
    reply.bulk(link.outbound ? "to" : "from");
    reply.bulk("node");
    reply.bulk(link.peer.hex());
    reply.bulk("create-time");
    reply.integer(static_cast<int64_t>(link.created_ms));
    reply.bulk("events");
    reply.bulk(link.writing ? "rw" : "r");
    reply.bulk("send-buffer-allocated");
    reply.integer(static_cast<int64_t>(link.send_buffer_allocated));
    reply.bulk("send-buffer-used");
    reply.integer(static_cast<int64_t>(link.send_buffer_used));
  }
}

}  // namespace syntropy
