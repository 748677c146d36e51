#include "membership/membership.h"

#include <algorithm>
#include <utility>

namespace syntropy {
namespace {

// How many versions are reserved at once: with an entry every second, a write to the disk an hour.
constexpr EntryVersion kVersionBlock = 4096;

// What was stored, told anew with versions above the bound.
MemberRecordPtr restamped(const MembershipState& state) {
  auto own = std::make_shared<MemberRecord>();
  own->id = state.id;
  if (state.own == nullptr) return own;
  own->max_version = state.version_bound;
  for (const Entry& entry : state.own->entries) {
    own->entries.push_back({entry.key, ++own->max_version, entry.value});
  }
  if (own->entries.empty()) own->max_version = 0;
  return own;
}

MemberList stored_members(const MembershipState& state) {
  MemberList members;
  members.put(restamped(state));
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

ElectionOptions election_options(const MembershipOptions& options) {
  ElectionOptions election = options.election;
  election.node_timeout_ms = static_cast<uint32_t>(options.detector.node_timeout);
  return election;
}

}  // namespace

bool MembershipReady::empty() const {
  return !store && sends.empty() && meets.empty() && !follow && !promoted_over && moves.empty() &&
         failed.empty() && refuted.empty() && removed.empty() && !routing_changed &&
         pause_writes_until == 0 && !resume_writes && !manual_failed && !forgotten;
}

Membership::Membership(const MembershipOptions& options, const MembershipState& state,
                       Random& random, TimeMs now)
    : Membership(options, state, stored_members(state), stored_map(state), random, now) {
  tell(EntryKey::kStore, encode(StoreFact{store_}), now);
  // A life that was told of before goes on; suspicions and FAIL of the old process are void.
  introduced_ = false;
  if (state.own != nullptr && !state.own->value(EntryKey::kRole).empty()) introduce(now);
  if (!state.ownership.slots.empty()) introduce(now);
  pump(now);
}

Membership::Membership(const MembershipOptions& options, const MembershipState& state,
                       const MemberList& view, SlotMap map, Random& random, TimeMs now)
    : options_(options),
      self_(state.id),
      store_(state.store),
      random_(random),
      gossip_(options.gossip, state.id, random, now),
      detector_(options.detector, state.id, *this, random),
      ownership_(state.id, state.ownership, std::move(map)),
      election_(ownership_, *this, random, election_options(options)),
      version_bound_(state.version_bound),
      introduced_(true) {
  ownership_.allow_replica_migration(options.allow_replica_migration);
  gossip_.set_avoided([this](const NodeId& id) { return liveness(id) == Liveness::kFailed; });
  gossip_.start_with(view);
  roster_ = gossip_.members();
  detector_.start(now);
  recall();
}

Membership::~Membership() = default;

// What the own record says is how this node was.
void Membership::recall() {
  const MemberRecord& own = *gossip_.own();
  if (const auto role = decode_fact<RoleFact>(own.value(EntryKey::kRole)); role.ok()) {
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
    forgotten_ = told->forgotten;
  }
  joined_ = join_stamp(own);
}

// Tells all that a member tells. From then on the record has every key.
void Membership::introduce(TimeMs now) {
  if (introduced_) return;
  introduced_ = true;
  ++incarnation_;
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
  gossip_.set_own(key, value, now);
}

void Membership::tell_role(TimeMs now) {
  if (introduced_) tell(EntryKey::kRole, encode(role_), now);
}

// What a node with an empty disk had claimed stays told, until others have replaced it.
void Membership::tell_slots(TimeMs now) {
  const SlotsFact claim = ownership_.claim();
  if (!lost_data_ || !claim.slots.empty()) tell(EntryKey::kSlots, encode(claim), now);
}

void Membership::tell_incarnation(TimeMs now) {
  tell(EntryKey::kIncarnation, encode(IncarnationFact{incarnation_}), now);
}

void Membership::tell_replication(TimeMs now) {
  if (!introduced_ || !replication_.lineage) return;
  const bool complete = replication_.complete && !lost_data_;
  tell(EntryKey::kReplication,
       encode(ReplicationFact{replication_.lineage, replication_.offset, complete}), now);
}

void Membership::become_primary(TimeMs now) {
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
  role_.primary = primary;
  if (const std::optional<MemberView> view = member(primary); view && view->role.shard) {
    role_.shard = view->role.shard;
  }
  lost_data_ = false;
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

bool Membership::takes_from(const NodeId& from) const {
  return from != self_ && (members().find(from) != nullptr || members().size() == 1);
}

void Membership::step(const NodeId& from, const Message& message, std::string_view from_host,
                      TimeMs now) {
  if (const auto* meet = std::get_if<Meet>(&message)) {
    on_meet(from, *meet, from_host, now);
    return pump(now);
  }
  if (!takes_from(from)) return;
  if (members().find(from) == nullptr) gossip_.add_contact(from, now);
  if (const auto* gossip = std::get_if<GossipMessage>(&message)) {
    look_for_past(*gossip, now);
    gossip_.step(from, *gossip, now);
    // Whoever remembers an earlier life of this node has told so by now.
    if (!introduced_ && !std::holds_alternative<GossipSyn>(*gossip)) {
      pump(now);
      introduce(now);
    }
  } else if (const auto* detector = std::get_if<DetectorMessage>(&message)) {
    detector_.step(from, *detector, now);
  } else {
    election_.step(from, std::get<ElectionMessage>(message), now);
  }
  pump(now);
}

void Membership::tick(TimeMs now) {
  if (gossip_.next_deadline() <= now) gossip_.tick(now);
  if (detector_.next_deadline() <= now) detector_.tick(now);
  if (ownership_.next_deadline() <= now) ownership_.tick(now);
  if (election_.next_deadline() <= now) election_due_ = true;
  send_meets(now);
  check_lost_data(now);
  pump(now);
}

TimeMs Membership::next_deadline() const {
  TimeMs next = std::min(std::min(gossip_.next_deadline(), detector_.next_deadline()),
                         std::min(ownership_.next_deadline(), election_.next_deadline()));
  for (const PendingMeet& meet : pending_meets_) next = std::min(next, meet.next_at);
  if (lost_data_) next = std::min(next, lost_since_ + 2 * options_.detector.node_timeout);
  return next;
}

void Membership::take_ready(MembershipReady& into) {
  into = MembershipReady();
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
  bool again = true;
  while (again) {
    again = pump_gossip(now);
    again = pump_detector(now) || again;
    again = pump_ownership(now) || again;
    again = pump_election(now) || again;
  }
  reserve_versions();
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
  if (!gossip_ready_.extra_differs.empty()) {
    if (const std::optional<BallotNews> failures = detector_.failures()) {
      for (const NodeId& peer : gossip_ready_.extra_differs) {
        ready_.sends.push_back({peer, DetectorMessage(*failures)});
      }
    }
  }
  if (gossip_ready_.restamped) ready_.store = true;
  return true;
}

void Membership::on_change(const MemberChange& change, TimeMs now) {
  const NodeId id = change.id();
  if (change.after == nullptr) {
    roster_.erase(id);
    detector_.member_removed(id, now);
    ownership_.remove(id);
    ready_.removed.push_back(id);
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
  if (change.keys.contains(EntryKey::kSuspects)) on_suspects(*change.after, now);
  if (change.keys.contains(EntryKey::kSlots)) {
    const auto fact = decode_fact<SlotsFact>(change.after->value(EntryKey::kSlots));
    if (fact.ok()) ownership_.set_claim(id, *fact);
  }
  if (change.keys.contains(EntryKey::kForgotten)) on_forgotten(*change.after, now);
  constexpr KeySet kStored = {EntryKey::kAddress, EntryKey::kRole, EntryKey::kSlots,
                              EntryKey::kForgotten, EntryKey::kJoined};
  constexpr KeySet kRouting = {EntryKey::kAddress, EntryKey::kRole, EntryKey::kReplication};
  if (change.keys.intersects(kStored)) ready_.store = true;
  if (change.keys.intersects(kRouting)) ready_.routing_changed = election_due_ = true;
}

// The others remember more of this node than its disk does, or it has just told it.
void Membership::on_own_change(const MemberChange& change, TimeMs now) {
  if (!introduced_) recall();
  if (!change.keys.contains(EntryKey::kSlots)) return;
  const auto told = decode_fact<SlotsFact>(change.after->value(EntryKey::kSlots));
  const SlotsFact claim = ownership_.claim();
  if (!told.ok() || *told == claim) return;
  ownership_.own_claim_seen(*told);
  if (!introduced_ && !told->slots.empty()) lose_data(now);
  if (introduced_) tell_slots(now);
}

void Membership::on_suspects(const MemberRecord& observer, TimeMs now) {
  const auto fact = decode_fact<SuspectsFact>(observer.value(EntryKey::kSuspects));
  if (!fact.ok()) return;
  std::vector<Suspect> suspects;
  for (const NodeStamp& stamp : fact->suspects) suspects.push_back({stamp.node, stamp.stamp});
  detector_.suspects_changed(observer.id, suspects, now);
}

void Membership::on_forgotten(const MemberRecord& teller, TimeMs /*now*/) {
  const auto fact = decode_fact<ForgottenFact>(teller.value(EntryKey::kForgotten));
  if (!fact.ok()) return;
  for (const NodeStamp& stamp : fact->forgotten) {
    if (stamp.node != self_) {
      gossip_.forget(stamp.node, stamp.stamp);
    } else if (joined_ <= stamp.stamp) {
      ready_.forgotten = true;
    }
  }
}

bool Membership::pump_detector(TimeMs now) {
  if (!detector_.has_ready()) return false;
  detector_.take_ready(detector_ready_);
  if (detector_ready_.raise_incarnation) {
    incarnation_ = *detector_ready_.raise_incarnation;
    tell_incarnation(now);
    ready_.store = true;
  }
  if (detector_ready_.suspects && introduced_) {
    SuspectsFact fact;
    for (const Suspect& suspect : *detector_ready_.suspects) {
      if (fact.suspects.size() < kMaxSuspects) {
        fact.suspects.push_back({suspect.subject, suspect.incarnation});
      }
    }
    tell(EntryKey::kSuspects, encode(fact), now);
  }
  for (const Suspect& suspect : detector_ready_.failed) ready_.failed.push_back(suspect.subject);
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

bool Membership::pump_ownership(TimeMs now) {
  OwnershipReady ownership = ownership_.take_ready();
  if (ownership.persist) ready_.store = true;
  if (ownership.publish) {
    introduce(now);
    tell_slots(now);
  }
  if (!ownership.moves.empty()) {
    ready_.moves.insert(ready_.moves.end(), ownership.moves.begin(), ownership.moves.end());
    detector_.electorate_changed(now);
    election_due_ = true;
    check_lost_data(now);
  }
  if (ownership.view_changed) ready_.routing_changed = true;
  const NodeId& follow = ownership.follow;
  if (follow && follow != self_ && follow != role_.primary) become_replica(follow, now);
  return ownership.publish || !ownership.moves.empty() || static_cast<bool>(follow);
}

bool Membership::pump_election(TimeMs now) {
  if (std::exchange(election_due_, false)) election_.tick(now);
  ElectionReady election = election_.take_ready();
  for (auto& [to, message] : election.send) ready_.sends.push_back({to, std::move(message)});
  for (const ElectionEvent& event : election.events) {
    if (event.kind == ElectionEvent::kWon) {
      become_primary(now);
      ready_.promoted_over = event.primary;
    }
    if (event.kind == ElectionEvent::kManualFailed) ready_.manual_failed = true;
  }
  if (election.pause_writes_until != 0) ready_.pause_writes_until = election.pause_writes_until;
  if (election.resume_writes) ready_.resume_writes = true;
  // A vote that tick() gave has to be stored before it leaves: pump_ownership() knows of that.
  return !election.events.empty() || !election.send.empty();
}

}  // namespace syntropy
