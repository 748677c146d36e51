#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "membership/member_list.h"
#include "rpc/codec_wire.h"
#include "storage/base/coding.h"

namespace syntropy {
namespace {

// A node there must be; below: or none.
bool take_node(const std::string& bytes, NodeId* node) {
  Result<NodeId> id = NodeId::from_bytes(bytes);
  if (!id.ok() || !*id) return false;
  *node = *id;
  return true;
}
bool take_any(const std::string& bytes, NodeId* node) {
  return bytes.empty() || take_node(bytes, node);
}
bool take_any(const std::string& bytes, LineageId* lineage) {
  if (bytes.empty()) return true;
  const std::optional<LineageId> id = LineageId::from_bytes(bytes);
  if (!id || !*id) return false;
  *lineage = *id;
  return true;
}

bool take(wire::MemberDelta* from, MemberDelta* to) {
  if (!take_node(from->id(), &to->id) || from->entries().empty()) return false;
  to->from = from->from();
  EntryVersion last = to->from;
  to->entries.reserve(static_cast<size_t>(from->entries_size()));
  for (wire::EntryDelta& entry : *from->mutable_entries()) {
    if (entry.key() == 0 || entry.key() > UINT8_MAX || entry.version() <= last) return false;
    last = entry.version();
    to->entries.push_back({static_cast<EntryKey>(entry.key()), entry.version(),
                           std::make_shared<const std::string>(std::move(*entry.mutable_value()))});
  }
  return true;
}

template <class From>
bool take_deltas(From& from, std::vector<MemberDelta>* to) {
  to->resize(static_cast<size_t>(from.deltas_size()));
  for (size_t i = 0; i < to->size(); ++i) {
    if (!take(from.mutable_deltas(static_cast<int>(i)), &(*to)[i])) return false;
  }
  return true;
}

template <class From>
bool take_digest(const From& from, Digest* to) {
  if (from.digest_ids_size() != from.digest_versions_size()) return false;
  to->reserve(static_cast<size_t>(from.digest_ids_size()));
  for (int i = 0; i < from.digest_ids_size(); ++i) {
    to->push_back({from.digest_ids(i), from.digest_versions(i)});
  }
  return true;
}

template <class Beat>
bool take_heartbeat(const wire::Heartbeat& from, Beat* to) {
  to->seq = from.seq();
  to->seen = from.seen();
  to->no_lease = from.no_lease();
  return true;
}

template <class Beat>
bool take_relayed(const wire::RelayedHeartbeat& from, NodeId* node, Beat* to) {
  to->seq = from.seq();
  to->seen = from.seen();
  to->no_lease = from.no_lease();
  return take_node(from.node(), node);
}

bool take_votes(const std::string& bytes, VoterSet* to) {
  if (bytes.empty()) return true;
  if (bytes.back() == 0) return false;
  VoterSet::Words words((bytes.size() + 7) / 8);
  for (size_t i = 0; i < bytes.size(); ++i) {
    words[i / 8] |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * (i % 8));
  }
  *to = VoterSet(std::move(words));
  return true;
}

bool take(const wire::Ballot& from, Ballot* to) {
  to->incarnation = from.incarnation();
  to->decided = from.decided();
  to->age_ms = from.age_ms();
  to->accusers.assign(from.accusers().begin(), from.accusers().end());
  to->roster_hash = from.roster_hash();
  const bool ascending = std::adjacent_find(to->accusers.begin(), to->accusers.end(),
                                            std::greater_equal<>()) == to->accusers.end();
  const bool bare = to->age_ms == 0 && to->accusers.empty() && to->roster_hash == 0;
  return take_node(from.subject(), &to->subject) && take_votes(from.votes(), &to->votes) &&
         ascending && (!to->decided || (bare && to->votes.empty()));
}

}  // namespace

bool from_wire(wire::GossipSyn& from, GossipSyn* to) {
  to->hash = from.hash();
  to->extra = from.extra();
  to->covered = from.covered();
  to->pull = from.pull();
  to->sums_wanted = from.sums_wanted();
  to->rate = from.rate();
  to->demand = from.demand();
  return take_digest(from, &to->digest) && take_deltas(from, &to->deltas);
}

bool from_wire(wire::GossipAck& from, GossipAck* to) {
  to->residual = from.residual();
  to->extra = from.extra();
  to->sums.assign(from.sums().begin(), from.sums().end());
  to->more = from.more();
  to->rate = from.rate();
  to->demand = from.demand();
  to->deep = from.deep();
  return (to->sums.empty() || to->sums.size() == MemberList::kGroups) &&
         take_digest(from, &to->digest) && take_deltas(from, &to->deltas);
}

bool from_wire(wire::GossipPush& from, GossipPush* to) {
  to->hash = from.hash();
  to->extra = from.extra();
  to->deep = from.deep();
  return take_deltas(from, &to->deltas);
}

bool from_wire(wire::GossipAgree& from, GossipAgree* to) {
  to->extra = from.extra();
  to->learnt = from.learnt();
  return true;
}

bool from_wire(wire::Heartbeat& from, Ping* to) { return take_heartbeat(from, to); }
bool from_wire(wire::Heartbeat& from, Ack* to) { return take_heartbeat(from, to); }

bool from_wire(wire::RelayedHeartbeat& from, IndirectProbe* to) {
  return take_relayed(from, &to->subject, to);
}
bool from_wire(wire::RelayedHeartbeat& from, RelayedPing* to) {
  return take_relayed(from, &to->origin, to);
}
bool from_wire(wire::RelayedHeartbeat& from, RelayedAck* to) {
  return take_relayed(from, &to->origin, to);
}
bool from_wire(wire::RelayedHeartbeat& from, IndirectAck* to) {
  return take_relayed(from, &to->subject, to);
}

bool from_wire(wire::BallotNews& from, BallotNews* to) {
  if (from.ballots().empty()) return false;
  to->ballots.resize(static_cast<size_t>(from.ballots_size()));
  for (size_t i = 0; i < to->ballots.size(); ++i) {
    if (!take(from.ballots(static_cast<int>(i)), &to->ballots[i])) return false;
  }
  return true;
}

bool from_wire(wire::VoteRequest& from, VoteRequest* to) {
  to->epoch = from.epoch();
  to->primary_epoch = from.primary_epoch();
  to->electorate = from.electorate();
  to->manual = from.manual();
  SlotRanges slots;
  if (!from.slots().empty()) {
    ByteReader reader(from.slots());
    Result<SlotRanges> decoded = SlotRanges::decode(&reader);
    if (!decoded.ok() || !reader.at_end() || decoded->empty()) return false;
    slots = std::move(*decoded);
  }
  to->slots = std::make_shared<const SlotRanges>(std::move(slots));
  return take_any(from.primary(), &to->primary) && to->epoch <= kMaxEpoch &&
         to->primary_epoch <= kMaxEpoch;
}

bool from_wire(wire::Vote& from, Vote* to) {
  to->epoch = from.epoch();
  return to->epoch <= kMaxEpoch;
}

bool from_wire(wire::VoteRefusal& from, VoteRefusal* to) {
  to->epoch = from.epoch();
  to->current_epoch = from.current_epoch();
  if (from.reason() == 0 || from.reason() > static_cast<uint32_t>(RefusalReason::kBusy)) {
    return false;
  }
  to->reason = static_cast<RefusalReason>(from.reason());
  return to->epoch <= kMaxEpoch && to->current_epoch <= kMaxEpoch;
}

bool from_wire(wire::VoteWithdrawn& from, VoteWithdrawn* to) {
  to->epoch = from.epoch();
  return take_any(from.primary(), &to->primary) && to->epoch <= kMaxEpoch;
}

bool from_wire(wire::Standing& from, Standing* to) {
  to->offset = from.offset();
  to->complete = from.complete();
  to->eligible = from.eligible();
  to->reply_wanted = from.reply_wanted();
  return take_any(from.primary(), &to->primary) && take_any(from.lineage(), &to->lineage);
}

bool from_wire(wire::MfAttempt& from, MfStart* to) { return (to->attempt = from.attempt()) != 0; }
bool from_wire(wire::MfAttempt& from, MfCancel* to) { return (to->attempt = from.attempt()) != 0; }

bool from_wire(wire::MfPaused& from, MfPaused* to) {
  to->offset = from.offset();
  return (to->attempt = from.attempt()) != 0 && take_any(from.lineage(), &to->lineage);
}

bool from_wire(wire::Meet& from, Meet* to) {
  to->your_host = from.your_host();
  to->forgotten = from.forgotten();
  to->token = from.token();
  to->reply_wanted = from.reply_wanted();
  return (!from.has_self() || take(from.mutable_self(), &to->self)) && valid_host(to->your_host);
}

}  // namespace syntropy
