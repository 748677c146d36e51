#include "membership/membership.h"

#include <algorithm>
#include <utility>

namespace syntropy {
namespace {

// How many versions are reserved at once: with an entry every second, a write to the disk an hour.
constexpr EntryVersion kVersionBlock = 4096;
// Where nobody answers (GossipMode::kPush), a node that starts again speaks after so many messages.
constexpr int kEnoughPushes = 20;
// How long a node with an empty disk waits for the memory of a majority, once anybody has spoken to
// it as to one that he knows; and how long it waits for somebody who does.
constexpr TimeMs kMemoryTimeouts = 4;
constexpr TimeMs kMostPatienceMs = 1000;
// How many have to answer a node whose disk knows the others, before it speaks: one alone may not have
// heard yet what it did last, or have forgotten it himself, and its own word puts an end to theirs.
constexpr size_t kWitnesses = 3;

MemberList stored_members(const MembershipState& state) {
  MemberList members;
  if (state.own != nullptr) members.put(state.own);
  for (const MemberRecordPtr& member : state.others) members.put(member);
  return members;
}

SlotMap stored_map(const MembershipState& state) {
  SlotMap map;
  for (const MemberRecordPtr& member : state.others) {
    const Result<SlotsFact> fact = decode_fact<SlotsFact>(member->value(EntryKey::kSlots));
    if (fact.ok()) map.set_claim(member->id, fact->epoch, fact->slots);
  }
  return map;
}

bool is_answer(const GossipMessage& message) {
  return std::holds_alternative<GossipAck>(message) || std::holds_alternative<GossipAgree>(message);
}

// An answer that says all that its sender knows and we didn't.
bool tells_all(const GossipMessage& message) {
  const auto* ack = std::get_if<GossipAck>(&message);
  return ack != nullptr ? ack->deep && !ack->more : std::holds_alternative<GossipAgree>(message);
}

ElectionOptions election_options(const MembershipOptions& options) {
  ElectionOptions election = options.election;
  election.node_timeout_ms = static_cast<uint32_t>(options.detector.node_timeout);
  return election;
}

}  // namespace

bool MembershipReady::empty() const {
  return !store && sends.empty() && meets.empty() && !follow && !promoted_over && kept_epoch == 0 &&
         moves.empty() && failed.empty() && refuted.empty() && removed.empty() &&
         !routing_changed && pause_writes_until == 0 && !resume_writes && !manual_failed &&
         !forgotten;
}

void MembershipReady::clear() {
  store = routing_changed = resume_writes = manual_failed = forgotten = false;
  sends.clear();
  meets.clear();
  follow.reset();
  promoted_over = NodeId();
  kept_epoch = 0;
  moves.clear();
  failed.clear();
  refuted.clear();
  removed.clear();
  pause_writes_until = 0;
}

Membership::Membership(const MembershipOptions& options, const MembershipState& state,
                       Random& random, TimeMs now)
    : Membership(options, state, stored_members(state), stored_map(state), random, now) {
  introduced_ = false;
  gossip_.listen(now);
  look_for_other_store(now);
  // A life that was told of before goes on, and nobody knows more of it than the disk.
  const bool told = state.own != nullptr && !state.own->entries.empty();
  const bool known = told || !state.ownership.slots.empty();
  blank_ = !known && state.others.empty();
  if (known && state.others.empty() && !lost_data_) introduce(now);
  pump(now);
}

Membership::Membership(const MembershipOptions& options, const MembershipState& state,
                       const MemberList& view, SlotMap map, Random& random, TimeMs now)
    : options_(options),
      self_(state.id),
      store_(state.store),
      told_store_(state.store),
      random_(random),
      gossip_(options.gossip, state.id, random, now),
      detector_(options.detector, state.id, *this, random),
      ownership_(state.id, state.ownership, std::move(map)),
      election_(ownership_, *this, random, election_options(options)),
      version_bound_(state.version_bound),
      began_(now),
      introduced_(true) {
  ownership_.allow_replica_migration(options.allow_replica_migration);
  gossip_.set_avoided([this](const NodeId& id) { return detector_.is_failed(id); });
  gossip_.start_with(view);
  roster_ = gossip_.members();
  for (const MemberRecordPtr& member : members()) note_teller(*member);
  detector_.start(now);
  recall();
}

Membership::~Membership() = default;

// What the own record says is how this node was.
void Membership::recall() {
  const MemberRecord& own = *gossip_.own();
  const auto role = decode_fact<RoleFact>(own.value(EntryKey::kRole));
  if (role.ok() && !role_changed_) {
    role_ = *role;
  } else if (!role_.shard) {
    role_.shard = NodeId::random(random_);
  }
  role_.no_failover = options_.election.replica_no_failover;
  ownership_.set_primary(role_.primary);
  if (const auto told = decode_fact<IncarnationFact>(own.value(EntryKey::kIncarnation));
      told.ok()) {
    incarnation_ = told->incarnation;
  }
  if (const auto told = decode_fact<AddressFact>(own.value(EntryKey::kAddress)); told.ok()) {
    address_ = *told;
  }
  if (const auto told = decode_fact<ForgottenFact>(own.value(EntryKey::kForgotten)); told.ok()) {
    // Beside those that it was told to forget before it heard what the others remember.
    for (const NodeStamp& stamp : told->forgotten) note_forgotten(stamp);
  }
  joined_ = std::max(joined_, join_stamp(own));
}

// Tells all that a member tells. From then on the record has every key. Before, it is what others
// tell of it: what an older disk says of itself would be taken for news.
void Membership::introduce(TimeMs now) {
  if (introduced_) return;
  introduced_ = true;
  gossip_.speak(version_bound_, now);
  ++incarnation_;
  tell(EntryKey::kStore, encode(StoreFact{told_store_}), now);
  tell(EntryKey::kAddress, encode(address_), now);
  tell_incarnation(now);
  tell_role(now);
  tell(EntryKey::kSoftware, encode(SoftwareFact{options_.software}), now);
  tell_slots(now);
  tell(EntryKey::kSuspects, encode(SuspectsFact{}), now);
  tell(EntryKey::kForgotten, encode(ForgottenFact{forgotten_}), now);
  tell(EntryKey::kJoined, encode_join_stamp(joined_), now);
  tell_replication(now);
  ready_.store = true;
}

void Membership::tell(EntryKey key, std::string_view value, TimeMs now) {
  if (introduced_) gossip_.set_own(key, value, now);
}

void Membership::tell_role(TimeMs now) { tell(EntryKey::kRole, encode(role_), now); }

void Membership::tell_slots(TimeMs now) { tell(EntryKey::kSlots, encode(ownership_.claim()), now); }

void Membership::tell_incarnation(TimeMs now) {
  tell(EntryKey::kIncarnation, encode(IncarnationFact{incarnation_}), now);
}

void Membership::tell_replication(TimeMs now) {
  if (!replication_.lineage) return;
  const bool complete = replication_.complete && !lost_data_;
  tell(EntryKey::kReplication,
       encode(ReplicationFact{replication_.lineage, replication_.offset, complete}), now);
}

void Membership::become_primary(TimeMs now) {
  role_changed_ = true;
  role_.primary = NodeId();
  if (!role_.shard) role_.shard = NodeId::random(random_);
  ownership_.set_primary(role_.primary);
  ready_.follow = NodeId();
  ready_.store = true;
  ready_.routing_changed = true;
  election_due_ = true;
  tell_role(now);
}

void Membership::become_replica(const NodeId& primary, TimeMs now) {
  role_changed_ = true;
  role_.primary = primary;
  if (const std::optional<MemberView> view = member(primary); view && view->role.shard) {
    role_.shard = view->role.shard;
  }
  end_loss(now);
  ownership_.set_primary(primary);
  ready_.follow = primary;
  ready_.promoted_over = NodeId();
  ready_.store = true;
  ready_.routing_changed = true;
  election_due_ = true;
  tell_role(now);
  tell_replication(now);
}

// --- what happens --------------------------------------------------------------------------------

bool Membership::takes_from(const NodeId& from, TimeMs now) {
  // Most of what comes is a heartbeat of a neighbour: that is known at a glance.
  if (detector_.watches(from)) return true;
  if (from == self_) return false;
  if (members().find(from) != nullptr) return true;
  const bool lost = !introduced_ && (blank_ || members().size() == 1);
  if (!lost || !gossip_.add_contact(from, now)) return false;
  if (!stranger_at_) stranger_at_ = now;
  return true;
}

void Membership::step(const NodeId& from, const Message& message, std::string_view from_host,
                      TimeMs now) {
  if (const auto* meet = std::get_if<Meet>(&message)) {
    on_meet(from, *meet, from_host, now);
    return pump(now);
  }
  if (!takes_from(from, now)) return;
  if (const auto* gossip = std::get_if<GossipMessage>(&message)) {
    gossip_.step(from, *gossip, now);
    if (tells_all(*gossip)) behind_ = false;
    // Whoever answers has told what it remembers of this node beyond its disk.
    if (!introduced_) {
      pump(now);
      if (heard_enough(from, *gossip, now)) introduce(now);
    }
  } else if (const auto* detector = std::get_if<DetectorMessage>(&message)) {
    detector_.step(from, *detector, now);
  } else if (introduced_) {
    const auto& election = std::get<ElectionMessage>(message);
    if (may_vote(now) || !std::holds_alternative<VoteRequest>(election)) {
      election_.step(from, election, now);
    }
  }
  pump(now);
}

TimeMs Membership::patience() const {
  return std::min(options_.detector.node_timeout, kMostPatienceMs);
}

bool Membership::heard_enough(const NodeId& from, const GossipMessage& message, TimeMs now) {
  if (is_answer(message)) {
    answered_.insert(from);
    if (!stranger_at_) {
      if (met_at_) return now >= *met_at_ + patience();
      return answered_.size() >= std::min(kWitnesses, members().size() - 1) ||
             now >= patience_until();
    }
    // With its disk it lost what it had told: one who answers may be behind himself, or have lost
    // his as well.
    const std::vector<NodeId> owners = slots().owners();
    if (owners.empty()) return now >= *stranger_at_ + patience();
    const auto answered = std::count_if(owners.begin(), owners.end(), [this](const NodeId& owner) {
      return owner == self_ || answered_.contains(owner);
    });
    return static_cast<size_t>(answered) > owners.size() / 2 ||
           now >= *stranger_at_ + kMemoryTimeouts * options_.detector.node_timeout;
  }
  return options_.gossip.mode == GossipMode::kPush && ++pushes_heard_ >= kEnoughPushes;
}

void Membership::tick(TimeMs now) {
  if (gossip_.next_deadline() <= now) gossip_.tick(now);
  if (detector_.next_deadline() <= now) detector_.tick(now);
  if (ownership_.next_deadline() <= now) ownership_.tick(now);
  if (election_.next_deadline() <= now) election_due_ = true;
  send_meets(now);
  end_sparing(now);
  patience_ended_ = patience_ended_ || now >= patience_until();
  check_lost_data(now);
  pump(now);
}

TimeMs Membership::next_deadline() const {
  TimeMs next =
      std::min({gossip_.next_deadline(), detector_.next_deadline(), ownership_.next_deadline(),
                introduced_ ? election_.next_deadline() : UINT64_MAX});
  for (const PendingMeet& meet : pending_meets_) next = std::min(next, meet.next_at);
  for (const auto& [node, until] : spared_) next = std::min(next, until);
  if (lost_data_) next = std::min(next, lost_data_check_);
  if (!introduced_ && !patience_ended_) next = std::min(next, patience_until());
  if (doubted_since_ && !doubted_) {
    next = std::min(next, *doubted_since_ + options_.detector.node_timeout);
  }
  return next;
}

void Membership::take_ready(MembershipReady& into) {
  into.clear();
  std::swap(into, ready_);
}

void Membership::unreachable(const NodeId& node, TimeMs now) {
  if (members().find(node) == nullptr) return;
  detector_.unreachable(node, now);
  pump(now);
}

void Membership::set_options(const MembershipOptions& options, TimeMs now) {
  options_ = options;
  detector_.set_node_timeout(options.detector.node_timeout, now);
  election_.set_options(election_options(options));
  ownership_.allow_replica_migration(options.allow_replica_migration);
  role_.no_failover = options.election.replica_no_failover;
  tell_role(now);
  election_due_ = true;
  pump(now);
}

// --- the cores, until none has anything more to say ----------------------------------------------

void Membership::pump(TimeMs now) {
  notice_doubt(now);
  bool again = true;
  while (again) {
    again = pump_gossip(now);
    again = pump_detector(now) || again;
    again = pump_given(now) || again;
    again = pump_ownership(now) || again;
    again = pump_shard(now) || again;
    again = pump_election(now) || again;
  }
  notice_lapse(now);
  reserve_versions();
}

// Others hear this node, and withhold their leases.
void Membership::notice_doubt(TimeMs now) {
  const bool owner = introduced_ && !lost_data_ && !role_.primary && slots().owns_slots(self_);
  const bool lacks_leases = owner && !detector_.is_certain(now) && detector_.with_majority() &&
                            !detector_.is_failed(self_);
  if (!lacks_leases) {
    doubted_since_.reset();
  } else if (!doubted_since_) {
    doubted_since_ = now;
  }
  const bool doubted =
      doubted_since_.has_value() && now >= *doubted_since_ + options_.detector.node_timeout;
  if (std::exchange(doubted_, doubted) != doubted) election_due_ = true;
}

// Others may have taken this node's slots while it was cut off.
void Membership::notice_lapse(TimeMs now) {
  if (behind_ || detector_.is_certain(now)) return;
  behind_ = true;
  ready_.routing_changed = true;
  gossip_.look_deep();
}

void Membership::reserve_versions() {
  const EntryVersion told = gossip_.own()->max_version;
  if (told <= version_bound_) return;
  version_bound_ = told + kVersionBlock;
  ready_.store = true;
}

bool Membership::pump_gossip(TimeMs now) {
  if (!gossip_.has_ready()) return false;
  gossip_.take_ready(gossip_ready_);
  for (GossipSend& send : gossip_ready_.sends) {
    ready_.sends.push_back({send.to, std::move(send.message)});
  }
  for (const MemberChange& change : gossip_ready_.changes) on_change(change, now);
  roster_ = gossip_.members();
  if (std::exchange(forgotten_changed_, false)) {
    // Who is forgotten follows from what the members tell, so that all views come to the same.
    gossip_.lift_forgotten([this](const NodeId& id) { return forgotten_stamp(id) == 0; });
  }
  if (!gossip_ready_.extra_differs.empty()) {
    if (const std::optional<BallotNews> failures = detector_.failures()) {
      for (const NodeId& peer : gossip_ready_.extra_differs) {
        ready_.sends.push_back({peer, DetectorMessage(*failures)});
      }
    }
  }
  if (gossip_ready_.restamped) ready_.store = true;
  for (const Entry& entry : gossip_ready_.echoed) look_for_past(entry, now);
  return true;
}

void Membership::on_change(const MemberChange& change, TimeMs now) {
  const NodeId id = change.id();
  if (change.keys.contains(EntryKey::kForgotten)) {
    tellers_.erase(id);
    if (change.after != nullptr) note_teller(*change.after);
  }
  if (change.after == nullptr) {
    roster_.erase(id);
    detector_.member_removed(id, now);
    ownership_.remove(id);
    ready_.removed.push_back(id);
    shards_changed_ = true;
    if (change.keys.contains(EntryKey::kForgotten)) forgotten_changed_ = true;
    ready_.store = ready_.routing_changed = election_due_ = true;
    return;
  }
  roster_.put(change.after);
  if (change.before == nullptr) {
    detector_.member_added(id, now);
    ready_.store = ready_.routing_changed = true;
  }
  if (change.keys.contains(EntryKey::kIncarnation)) detector_.incarnation_changed(id, now);
  if (id == self_) return on_own_change(change, now);
  if (change.keys.contains(EntryKey::kRole)) shards_changed_ = true;
  if (change.keys.contains(EntryKey::kSuspects)) on_suspects(*change.after, now);
  if (change.keys.contains(EntryKey::kSlots)) {
    const auto fact = decode_fact<SlotsFact>(change.after->value(EntryKey::kSlots));
    if (fact.ok()) ownership_.set_claim(id, *fact, now + options_.linger_ms);
  }
  if (change.keys.contains(EntryKey::kForgotten)) {
    on_forgotten(*change.after, now);
    forgotten_changed_ = true;
  }
  constexpr KeySet kStored = {EntryKey::kAddress, EntryKey::kRole, EntryKey::kSlots,
                              EntryKey::kForgotten, EntryKey::kJoined};
  constexpr KeySet kRouting = {EntryKey::kAddress, EntryKey::kRole, EntryKey::kReplication};
  if (change.keys.intersects(kStored)) ready_.store = true;
  if (change.keys.intersects(kRouting)) ready_.routing_changed = election_due_ = true;
}

// Its own word, or what the others remember of it.
void Membership::on_own_change(const MemberChange& change, TimeMs now) {
  if (introduced_) return;
  const NodeId before = role_.primary;
  recall();
  if (role_.primary != before) {
    ready_.follow = role_.primary;
    ready_.store = ready_.routing_changed = election_due_ = true;
  }
  for (const Entry& entry : change.after->entries) {
    if (change.keys.contains(entry.key)) look_for_past(entry, now);
  }
}

void Membership::on_suspects(const MemberRecord& observer, TimeMs now) {
  const auto fact = decode_fact<SuspectsFact>(observer.value(EntryKey::kSuspects));
  if (!fact.ok()) return;
  std::vector<Suspect> suspects;
  for (const NodeStamp& stamp : fact->suspects) suspects.push_back({stamp.node, stamp.stamp});
  detector_.suspects_changed(observer.id, suspects, now);
}

bool Membership::pump_detector(TimeMs now) {
  if (!detector_.has_ready()) return false;
  detector_.take_ready(detector_ready_);
  if (detector_ready_.raise_incarnation) {
    incarnation_ = *detector_ready_.raise_incarnation;
    tell_incarnation(now);
    ready_.store = true;
  }
  if (detector_ready_.suspects) {
    SuspectsFact fact;
    for (const Suspect& suspect : *detector_ready_.suspects) {
      if (fact.suspects.size() < kMaxSuspects) {
        fact.suspects.push_back({suspect.subject, suspect.incarnation});
      }
    }
    tell(EntryKey::kSuspects, encode(fact), now);
  }
  for (const Suspect& suspect : detector_ready_.failed) {
    ready_.failed.push_back(suspect.subject);
    forget_late(suspect.subject);
  }
  for (const NodeId& node : detector_ready_.refuted) {
    ready_.refuted.push_back(node);
    gossip_.exchange_with(node, now);
  }
  if (!detector_ready_.failed.empty() || !detector_ready_.refuted.empty()) {
    ready_.routing_changed = election_due_ = true;
  }
  for (FailureDetector::Outgoing& out : detector_ready_.send) {
    ready_.sends.push_back({out.to, std::move(out.message)});
  }
  gossip_.set_extra_hash(detector_.failed_hash());
  return true;
}

// Slots stay when no node is left of the shard that they were given to. Not while this node may have
// been replaced: its new epoch would take all of its slots back from who writes to them.
bool Membership::pump_given(TimeMs now) {
  if (role_.primary || epochs().given.empty()) shards_changed_ = false;
  if (!shards_changed_ || !introduced_ || health(now) == ClusterHealth::kCutOff) return false;
  shards_changed_ = false;
  for (const MemberRecordPtr& member : members()) {
    const auto role = decode_fact<RoleFact>(member->value(EntryKey::kRole));
    if (!role.ok() || role->shard == epochs().given_to) return false;
  }
  ownership_.take_back();
  return true;
}

bool Membership::pump_ownership(TimeMs now) {
  OwnershipReady ownership = ownership_.take_ready();
  if (ownership.persist) ready_.store = true;
  if (ownership.publish) tell_slots(now);
  if (!ownership.moves.empty()) {
    ready_.moves.insert(ready_.moves.end(), ownership.moves.begin(), ownership.moves.end());
    std::vector<NodeId> voters;
    for (const SlotMove& move : ownership.moves) {
      for (const NodeId& node : {move.from, move.to}) {
        if (node && (voters.empty() || voters.back() != node)) voters.push_back(node);
      }
    }
    detector_.electorate_changed(voters, now);
    election_due_ = true;
    for (const SlotMove& move : ownership.moves) {
      if (move.from) forget_late(move.from);
    }
  }
  if (ownership.view_changed) ready_.routing_changed = true;
  const NodeId& follow = ownership.follow;
  if (follow && follow != self_ && follow != role_.primary) become_replica(follow, now);
  return ownership.publish || !ownership.moves.empty() || static_cast<bool>(follow);
}

// Whoever missed the moment in which its slots, or those of its primary, went to a replica.
bool Membership::pump_shard(TimeMs now) {
  if (!election_due_ || !introduced_ || !ownership_.state().slots.empty()) return false;
  if (role_.primary && slots().owns_slots(role_.primary)) return false;
  NodeId owner;
  for (const NodeId& other : slots().owners()) {
    const std::optional<MemberView> view = member(other);
    if (view && view->role.is_primary() && view->role.shard == role_.shard) owner = other;
  }
  // Or its primary went to another shard.
  if (!owner && role_.primary) owner = primary_of(role_.primary);
  if (!owner || owner == self_ || owner == role_.primary) return false;
  become_replica(owner, now);
  return true;
}

bool Membership::pump_election(TimeMs now) {
  if (introduced_ && std::exchange(election_due_, false)) election_.tick(now);
  ElectionReady election = election_.take_ready();
  for (auto& [to, message] : election.send) ready_.sends.push_back({to, std::move(message)});
  for (const ElectionEvent& event : election.events) {
    if (event.kind == ElectionEvent::kWon) {
      become_primary(now);
      ready_.promoted_over = event.primary;
    }
    if (event.kind == ElectionEvent::kKept) {
      ready_.kept_epoch = event.epoch;
      doubted_ = false;  // until the others have had the time to hear of it
      doubted_since_.reset();
    }
    if (event.kind == ElectionEvent::kManualFailed) ready_.manual_failed = true;
  }
  if (election.pause_writes_until != 0) ready_.pause_writes_until = election.pause_writes_until;
  if (election.resume_writes) ready_.resume_writes = true;
  // A vote that tick() gave has to be stored before it leaves: pump_ownership() knows of that.
  return !election.events.empty() || !election.send.empty();
}

}  // namespace syntropy
