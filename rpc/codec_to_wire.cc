#include <string>

#include "rpc/codec_wire.h"
#include "storage/base/coding.h"

namespace syntropy {
namespace {

template <class Id>
std::string id_bytes(const Id& id) {
  return id ? std::string(id.bytes()) : std::string();
}

void put(const MemberDelta& delta, wire::MemberDelta* out) {
  out->set_id(std::string(delta.id.bytes()));
  out->set_from(delta.from);
  for (const Entry& entry : delta.entries) {
    wire::EntryDelta* const to = out->add_entries();
    to->set_key(static_cast<uint8_t>(entry.key));
    to->set_version(entry.version);
    to->set_value(*entry.value);
  }
}

template <class To>
void put_deltas(const std::vector<MemberDelta>& deltas, To* out) {
  for (const MemberDelta& delta : deltas) put(delta, out->add_deltas());
}

template <class To>
void put_digest(const Digest& digest, To* out) {
  for (const DigestItem& item : digest) {
    out->add_digest_ids(item.id);
    out->add_digest_versions(item.version);
  }
}

template <class Beat>
wire::Heartbeat heartbeat(const Beat& beat) {
  wire::Heartbeat out;
  out.set_seq(beat.seq);
  out.set_seen(beat.seen);
  out.set_no_lease(beat.no_lease);
  return out;
}

template <class Beat>
wire::RelayedHeartbeat relayed(const NodeId& node, const Beat& beat) {
  wire::RelayedHeartbeat out;
  out.set_node(std::string(node.bytes()));
  out.set_seq(beat.seq);
  out.set_seen(beat.seen);
  out.set_no_lease(beat.no_lease);
  return out;
}

std::string votes_bytes(const VoterSet& votes) {
  std::string bytes;
  for (const uint64_t word : votes.words()) put_le<uint64_t>(&bytes, word);
  while (!bytes.empty() && bytes.back() == 0) bytes.pop_back();
  return bytes;
}

wire::MfAttempt attempt(uint64_t number) {
  wire::MfAttempt out;
  out.set_attempt(number);
  return out;
}

}  // namespace

wire::GossipSyn to_wire(const GossipSyn& syn) {
  wire::GossipSyn out;
  out.set_hash(syn.hash);
  out.set_extra(syn.extra);
  put_digest(syn.digest, &out);
  out.set_covered(syn.covered);
  out.set_pull(syn.pull);
  out.set_sums_wanted(syn.sums_wanted);
  out.set_rate(syn.rate);
  out.set_demand(syn.demand);
  put_deltas(syn.deltas, &out);
  return out;
}

wire::GossipAck to_wire(const GossipAck& ack) {
  wire::GossipAck out;
  out.set_residual(ack.residual);
  out.set_extra(ack.extra);
  put_digest(ack.digest, &out);
  put_deltas(ack.deltas, &out);
  out.mutable_sums()->Add(ack.sums.begin(), ack.sums.end());
  out.set_more(ack.more);
  out.set_rate(ack.rate);
  out.set_demand(ack.demand);
  out.set_deep(ack.deep);
  return out;
}

wire::GossipPush to_wire(const GossipPush& push) {
  wire::GossipPush out;
  out.set_hash(push.hash);
  out.set_extra(push.extra);
  put_deltas(push.deltas, &out);
  out.set_deep(push.deep);
  return out;
}

wire::GossipAgree to_wire(const GossipAgree& agree) {
  wire::GossipAgree out;
  out.set_extra(agree.extra);
  out.set_learnt(agree.learnt);
  return out;
}

wire::Heartbeat to_wire(const Ping& m) { return heartbeat(m); }
wire::Heartbeat to_wire(const Ack& m) { return heartbeat(m); }
wire::RelayedHeartbeat to_wire(const IndirectProbe& m) { return relayed(m.subject, m); }
wire::RelayedHeartbeat to_wire(const RelayedPing& m) { return relayed(m.origin, m); }
wire::RelayedHeartbeat to_wire(const RelayedAck& m) { return relayed(m.origin, m); }
wire::RelayedHeartbeat to_wire(const IndirectAck& m) { return relayed(m.subject, m); }

wire::BallotNews to_wire(const BallotNews& news) {
  wire::BallotNews out;
  for (const Ballot& ballot : news.ballots) {
    wire::Ballot* const to = out.add_ballots();
    to->set_subject(std::string(ballot.subject.bytes()));
    to->set_incarnation(ballot.incarnation);
    to->set_decided(ballot.decided);
    to->set_age_ms(ballot.age_ms);
    to->mutable_accusers()->Add(ballot.accusers.begin(), ballot.accusers.end());
    to->set_roster_hash(ballot.roster_hash);
    to->set_votes(votes_bytes(ballot.votes));
  }
  return out;
}

wire::VoteRequest to_wire(const VoteRequest& m) {
  wire::VoteRequest out;
  out.set_epoch(m.epoch);
  out.set_primary(id_bytes(m.primary));
  out.set_primary_epoch(m.primary_epoch);
  if (!m.slots->empty()) m.slots->encode(out.mutable_slots());
  out.set_electorate(m.electorate);
  out.set_manual(m.manual);
  return out;
}

wire::Vote to_wire(const Vote& m) {
  wire::Vote out;
  out.set_epoch(m.epoch);
  return out;
}

wire::VoteRefusal to_wire(const VoteRefusal& m) {
  wire::VoteRefusal out;
  out.set_epoch(m.epoch);
  out.set_current_epoch(m.current_epoch);
  out.set_reason(static_cast<uint8_t>(m.reason));
  return out;
}

wire::VoteWithdrawn to_wire(const VoteWithdrawn& m) {
  wire::VoteWithdrawn out;
  out.set_epoch(m.epoch);
  out.set_primary(id_bytes(m.primary));
  return out;
}

wire::Standing to_wire(const Standing& m) {
  wire::Standing out;
  out.set_primary(id_bytes(m.primary));
  out.set_lineage(id_bytes(m.lineage));
  out.set_offset(m.offset);
  out.set_complete(m.complete);
  out.set_eligible(m.eligible);
  out.set_reply_wanted(m.reply_wanted);
  return out;
}

wire::MfAttempt to_wire(const MfStart& m) { return attempt(m.attempt); }
wire::MfAttempt to_wire(const MfCancel& m) { return attempt(m.attempt); }

wire::MfPaused to_wire(const MfPaused& m) {
  wire::MfPaused out;
  out.set_attempt(m.attempt);
  out.set_lineage(id_bytes(m.lineage));
  out.set_offset(m.offset);
  return out;
}

wire::Meet to_wire(const Meet& m) {
  wire::Meet out;
  if (!m.self.entries.empty()) put(m.self, out.mutable_self());
  out.set_your_host(m.your_host);
  out.set_forgotten(m.forgotten);
  out.set_token(m.token);
  out.set_reply_wanted(m.reply_wanted);
  return out;
}

}  // namespace syntropy
