// What operators ask of a node, and what it tells of itself.
#include <algorithm>
#include <utility>

#include "membership/membership.h"

namespace syntropy {
namespace {

constexpr TimeMs kMeetRetryMs = 200;
constexpr TimeMs kMinMeetMs = 1000;  // how long a meeting is tried, at least
constexpr TimeMs kHintMs = 10'000;   // how long an operator's word goes before that of gossip

Status unknown_node(const NodeId& node) { return Status::not_found("unknown node " + node.hex()); }

}  // namespace

// --- introductions -------------------------------------------------------------------------------

Status Membership::meet(std::string host, uint16_t bus_port, TimeMs now) {
  if (host.empty() || !valid_host(host) || bus_port == 0) {
    return Status::invalid_argument("not a node address: '" + host + "', bus port " +
                                    std::to_string(bus_port));
  }
  uint64_t token = 0;
  while (token == 0) token = random_.next();
  const TimeMs patience = std::max(kMinMeetMs, options_.detector.node_timeout);
  pending_meets_.push_back({std::move(host), bus_port, token, now, now + patience});
  send_meets(now);
  pump(now);
  return Status();
}

void Membership::send_meets(TimeMs now) {
  std::erase_if(pending_meets_, [now](const PendingMeet& meet) { return meet.until <= now; });
  for (PendingMeet& meet : pending_meets_) {
    if (meet.next_at > now) continue;
    meet.next_at = now + kMeetRetryMs;
    Meet message = introduction(meet.token, true);
    message.your_host = meet.host;
    ready_.meets.push_back({meet.host, meet.bus_port, std::move(message)});
  }
}

Meet Membership::introduction(uint64_t token, bool reply_wanted) const {
  const MemberRecordPtr& own = gossip_.own();
  if (own->entries.empty()) return {{}, {}, 0, token, reply_wanted};
  return {{self_, 0, own->entries, own}, {}, 0, token, reply_wanted};
}

void Membership::on_meet(const NodeId& from, const Meet& meet, std::string_view from_host,
                         TimeMs now) {
  if (from == self_ || !from || meet.self.from != 0) return;
  if (!meet.self.entries.empty() && meet.self.id != from) return;
  std::erase_if(pending_meets_,
                [&](const PendingMeet& pending) { return pending.token == meet.token; });
  if (address_.host.empty() && !meet.your_host.empty() && valid_host(meet.your_host)) {
    AddressFact address = address_;
    address.host = meet.your_host;
    set_address(address, now);
  }
  const bool rejoins = meet.forgotten >= joined_ && meet.forgotten != 0;
  if (rejoins) join_anew(meet.forgotten, now);
  MemberRecord stranger;
  stranger.entries = meet.self.entries;
  const uint64_t forgotten = forgotten_stamp(from);
  Meet answer = introduction(meet.token, false);
  answer.your_host = from_host;
  // It may have joined since, and have lost its disk after that.
  const MemberRecordPtr* known = members().find(from);
  const uint64_t joined = std::max(join_stamp(stranger), known ? join_stamp(**known) : 0);
  if (forgotten != 0 && joined <= forgotten) {
    answer.forgotten = forgotten;  // it has to join anew: it introduces itself again
    answer.reply_wanted = true;
    ready_.sends.push_back({from, std::move(answer)});
    return;
  }
  if (!gossip_.add_contact(from, now)) return;
  if (blank_ && !introduced_ && !met_at_) met_at_ = now;
  if (!meet.self.entries.empty()) gossip_.step(from, GossipPush{0, 0, {meet.self}}, now);
  if (meet.reply_wanted || rejoins) ready_.sends.push_back({from, std::move(answer)});
}

void Membership::join_anew(uint64_t forgotten, TimeMs now) {
  joined_ = std::max(wall_ms_, forgotten + 1);
  introduce(now);
  tell(EntryKey::kJoined, encode_join_stamp(joined_), now);
  ready_.store = true;
}

Status Membership::forget(const NodeId& node, TimeMs now) {
  if (node == self_) return Status::invalid_argument("a node can't forget itself");
  if (node == role_.primary) return Status::invalid_argument("a replica can't forget its primary");
  const MemberRecordPtr* record = members().find(node);
  if (record == nullptr) return unknown_node(node);
  if (needed(node)) return Status::invalid_argument("the node owns slots: move them first");
  const uint64_t stamp = std::max(wall_ms_, join_stamp(**record));
  note_forgotten({node, stamp});
  tell(EntryKey::kForgotten, encode(ForgottenFact{forgotten_}), now);
  gossip_.forget(node, stamp);
  ready_.store = true;
  pump(now);
  return Status();
}

// --- what this node tells ------------------------------------------------------------------------

void Membership::set_address(const AddressFact& address, TimeMs now) {
  const std::string seen = address.host.empty() ? address_.host : address.host;
  address_ = address;
  address_.host = seen;
  tell(EntryKey::kAddress, encode(address_), now);
  pump(now);
}

void Membership::set_load(const LoadFact& load, TimeMs now) {
  tell(EntryKey::kLoad, encode(load), now);
  pump(now);
}

void Membership::set_replication(const OwnReplication& replication, TimeMs now) {
  replication_ = replication;
  tell_replication(now);
  pump(now);
}

// --- slots and epochs ----------------------------------------------------------------------------

Status Membership::add_slots(const SlotRanges& slots, TimeMs now) {
  const Status added = ownership_.add_slots(slots);
  if (members().size() == 1) introduce(now);  // there is nobody who could know more
  pump(now);
  return added;
}

Status Membership::del_slots(const SlotRanges& slots, TimeMs now) {
  const Status deleted = ownership_.del_slots(slots, now + kHintMs);
  pump(now);
  return deleted;
}

void Membership::flush_slots(TimeMs now) {
  ownership_.flush_slots();
  pump(now);
}

Status Membership::set_slot_migrating(uint16_t slot, const NodeId& to, TimeMs now) {
  if (members().find(to) == nullptr) return unknown_node(to);
  const Status set = ownership_.set_migrating(slot, to);
  pump(now);
  return set;
}

Status Membership::set_slot_importing(uint16_t slot, const NodeId& from, TimeMs now) {
  if (members().find(from) == nullptr) return unknown_node(from);
  const Status set = ownership_.set_importing(slot, from);
  pump(now);
  return set;
}

void Membership::set_slot_stable(uint16_t slot, TimeMs now) {
  ownership_.set_stable(slot);
  pump(now);
}

Status Membership::set_slot_owner(uint16_t slot, const NodeId& node, TimeMs now) {
  const std::optional<MemberView> view = member(node);
  if (!view) return unknown_node(node);
  if (!view->role.is_primary()) return Status::invalid_argument("the node is not a primary");
  // Its claim is renewed with it, under an epoch that nobody agreed on: if it has been replaced, it
  // would take all of its slots back, which another has been writing to.
  const bool takes = node == self_ && !epochs().slots.contains(slot);
  if (takes && health(now) == ClusterHealth::kCutOff) {
    return Status::unavailable(
        "this node is cut off, and may have been replaced: try again when it isn't");
  }
  ownership_.set_owner(slot, node, now + kHintMs);
  pump(now);
  return Status();
}

Status Membership::give_slots(const SlotRanges& slots, const NodeId& shard, TimeMs now) {
  const OwnershipState& own = epochs();
  if (role_.primary || !own.slots.contains(slots) || slots.empty()) {
    return Status::unavailable("the slots aren't this node's");
  }
  if (!own.given.empty()) return Status::unavailable("other slots are on their way already");
  if (!primary_of_shard(shard)) return Status::unavailable("the target is no primary any more");
  ownership_.give(slots, shard);
  pump(now);
  return Status();
}

Status Membership::take_slots(const SlotRanges& slots, const NodeId& giver, TimeMs now) {
  if (role_.primary || lost_data_ || health(now) == ClusterHealth::kCutOff) {
    return Status::unavailable("this node can't serve now");
  }
  const SlotRanges others = slots.difference(epochs().slots);
  if (!this->slots().slots_of(giver).contains(others)) {
    return Status::unavailable("the slots are another node's");
  }
  if (!others.empty()) ownership_.take(others);
  pump(now);
  // Until the giver knows, requests wait there.
  gossip_.tell(giver);
  pump(now);
  return Status();
}

void Membership::add_spare_slots(const SlotRanges& slots, TimeMs now) {
  ownership_.add_spare(slots);
  pump(now);
}

void Membership::remove_spare_slots(const SlotRanges& slots, TimeMs now) {
  ownership_.remove_spare(slots);
  pump(now);
}

NodeId Membership::primary_of_shard(const NodeId& shard) const {
  NodeId found;
  for (const MemberRecordPtr& member : members()) {
    const auto role = decode_fact<RoleFact>(member->value(EntryKey::kRole));
    if (!role.ok() || role->shard != shard || !role->is_primary()) continue;
    // A primary that was replaced, and hasn't heard of it, owns nothing any more.
    if (!found || slots().owns_slots(member->id)) found = member->id;
  }
  return found;
}

Status Membership::set_config_epoch(uint64_t epoch, TimeMs now) {
  const Status set = ownership_.set_config_epoch(epoch, members().size() > 1);
  pump(now);
  return set;
}

std::optional<uint64_t> Membership::bump_epoch(TimeMs now) {
  const std::optional<uint64_t> epoch = ownership_.bump_epoch();
  pump(now);
  return epoch;
}

// --- roles ---------------------------------------------------------------------------------------

Status Membership::replicate(const NodeId& primary, TimeMs now) {
  if (primary == self_) return Status::invalid_argument("a node can't replicate itself");
  const std::optional<MemberView> view = member(primary);
  if (!view) return unknown_node(primary);
  if (!view->role.is_primary()) {
    return Status::invalid_argument("only a primary can be replicated, not a replica");
  }
  if (!ownership_.state().slots.empty()) {
    return Status::unavailable("this node owns slots: it can't become a replica");
  }
  introduce(now);
  if (primary != role_.primary) become_replica(primary, now);
  pump(now);
  return Status();
}

Status Membership::fail_over(FailoverMode mode, TimeMs now) {
  const Status started = election_.start_manual(mode, now);
  election_due_ = true;
  pump(now);
  return started;
}

void Membership::writes_paused(const LineageId& lineage, uint64_t offset, TimeMs now) {
  election_.writes_paused(lineage, offset);
  pump(now);
}

MembershipState Membership::after_reset(bool hard) const {
  MembershipState state;
  state.store = store_;
  if (hard) {
    state.id = NodeId::random(random_);
    return state;
  }
  state.id = self_;
  state.version_bound = version_bound_;
  state.ownership.current_epoch = ownership_.state().current_epoch;
  state.ownership.last_vote_epoch = ownership_.state().last_vote_epoch;
  state.ownership.voted_for = ownership_.state().voted_for;
  auto own = std::make_shared<MemberRecord>();
  own->id = self_;
  constexpr KeySet gone = {EntryKey::kRole, EntryKey::kSlots, EntryKey::kForgotten};
  for (const Entry& entry : gossip_.own()->entries) {
    if (!gone.contains(entry.key)) {
      own->entries.push_back(entry);
      own->max_version = entry.version;
    }
  }
  state.own = std::move(own);
  return state;
}

}  // namespace syntropy
