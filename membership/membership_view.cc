// What a node's membership answers when asked, from the entries of the members.
#include <algorithm>

#include "membership/membership.h"

namespace syntropy {
namespace {

template <class Fact>
Fact told(const MemberRecord& record, EntryKey key) {
  Result<Fact> fact = decode_fact<Fact>(record.value(key));
  return fact.ok() ? *std::move(fact) : Fact();
}

}  // namespace

MembershipState Membership::state() const {
  MembershipState state;
  state.id = self_;
  state.store = store_;
  state.version_bound = version_bound_;
  state.ownership = ownership_.state();
  state.own = gossip_.own();
  for (const MemberRecordPtr& member : members()) {
    if (member->id != self_) state.others.push_back(member);
  }
  return state;
}

std::optional<MemberView> Membership::member(const NodeId& id) const {
  const MemberRecordPtr* found = members().find(id);
  if (found == nullptr) return std::nullopt;
  const MemberRecord& record = **found;
  MemberView view;
  view.id = id;
  // What this node is holds before it is told.
  const bool own = id == self_;
  view.address = own ? address_ : told<AddressFact>(record, EntryKey::kAddress);
  view.role = own ? role_ : told<RoleFact>(record, EntryKey::kRole);
  view.claim = told<SlotsFact>(record, EntryKey::kSlots);
  view.replication = told<ReplicationFact>(record, EntryKey::kReplication);
  view.load = told<LoadFact>(record, EntryKey::kLoad);
  view.software = told<SoftwareFact>(record, EntryKey::kSoftware);
  view.liveness = liveness(id);
  view.contact = !own && record.entries.empty();
  return view;
}

// As clients are told.
bool Membership::covered() const {
  const auto failed = [this](const NodeId& owner) { return detector_.is_failed(owner); };
  if (!slots().has_hints()) {
    const std::vector<NodeId> owners = slots().owners();
    return slots().complete() && std::none_of(owners.begin(), owners.end(), failed);
  }
  uint32_t slots_seen = 0;
  for (const SlotRun& run : slots().view()) {
    if (failed(run.owner)) return false;
    slots_seen += run.range.count();
  }
  return slots_seen == kSlotCount;
}

// Alone and without a vote cast by others: nobody can have replaced this node.
ClusterHealth Membership::health(TimeMs now) const {
  const bool unheard = !introduced_ && !blank_ && now < patience_until();
  if (lost_data_ || behind_ || unheard || !detector_.may_serve(now)) return ClusterHealth::kCutOff;
  if (!options_.require_full_coverage) return ClusterHealth::kOk;
  return covered() ? ClusterHealth::kOk : ClusterHealth::kUncovered;
}

uint64_t Membership::hash() const { return gossip_.hash() + detector_.failed_hash(); }

uint64_t Membership::incarnation(size_t rank) const {
  return told<IncarnationFact>(*roster_.at(rank), EntryKey::kIncarnation).incarnation;
}

bool Membership::votes(size_t rank) const { return slots().owns_slots(roster_.at(rank)->id); }

bool Membership::lease_withheld(const NodeId& id) const {
  return slots().is_superseded(id) || election_.is_open(id);
}

NodeId Membership::primary_of(const NodeId& node) const {
  if (node == self_) return role_.primary;
  const MemberRecordPtr* found = members().find(node);
  return found == nullptr ? NodeId() : told<RoleFact>(**found, EntryKey::kRole).primary;
}

// A primary that tells that its copy isn't complete has lost its data.
bool Membership::hollow(const MemberRecord& record) const {
  if (!slots().owns_slots(record.id)) return false;
  const auto replication = decode_fact<ReplicationFact>(record.value(EntryKey::kReplication));
  return replication.ok() && !replication->complete &&
         told<RoleFact>(record, EntryKey::kRole).is_primary();
}

bool Membership::failed(const NodeId& node) const {
  if (detector_.is_failed(node)) return true;
  const MemberRecordPtr* found = members().find(node);
  return found == nullptr || hollow(**found);
}

std::vector<ReplicaView> Membership::replicas_of(const NodeId& primary) const {
  std::vector<ReplicaView> replicas;
  for (const MemberRecordPtr& member : members()) {
    if (member->id == self_) continue;
    const RoleFact role = told<RoleFact>(*member, EntryKey::kRole);
    if (role.primary != primary) continue;
    const auto replication = told<ReplicationFact>(*member, EntryKey::kReplication);
    replicas.push_back({member->id, replication.lineage, replication.offset, replication.complete,
                        role.no_failover, detector_.is_failed(member->id)});
  }
  return replicas;
}

LineageId Membership::lineage_of(const NodeId& primary) const {
  const MemberRecordPtr* found = members().find(primary);
  if (found == nullptr) return LineageId();
  return told<ReplicationFact>(**found, EntryKey::kReplication).lineage;
}

}  // namespace syntropy
