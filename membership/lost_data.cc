// What a node does that finds, in what the others remember of it, that its disk is empty or old.
#include <algorithm>
#include <vector>

#include "membership/membership.h"

namespace syntropy {

// Nobody knows an offset that this node didn't have: if it is above the present one, the disk is
// older than that.
void Membership::look_for_past(const GossipMessage& message, TimeMs now) {
  const std::vector<MemberDelta>* deltas = nullptr;
  if (const auto* ack = std::get_if<GossipAck>(&message)) deltas = &ack->deltas;
  if (const auto* push = std::get_if<GossipPush>(&message)) deltas = &push->deltas;
  if (deltas == nullptr || role_.primary) return;
  for (const MemberDelta& delta : *deltas) {
    if (delta.id != self_) continue;
    for (const Entry& entry : delta.entries) {
      if (entry.key != EntryKey::kReplication) continue;
      const auto told = decode_fact<ReplicationFact>(*entry.value);
      if (told.ok() && told->lineage == replication_.lineage &&
          told->offset > replication_.offset) {
        lose_data(now);
      }
    }
  }
}

void Membership::lose_data(TimeMs now) {
  if (lost_data_) return;
  lost_data_ = true;
  lost_since_ = now;
  ready_.routing_changed = true;
  tell_replication(now);
}

bool Membership::has_complete_replica() const {
  const std::vector<ReplicaView> replicas = replicas_of(self_);
  return std::any_of(replicas.begin(), replicas.end(), [](const ReplicaView& replica) {
    return replica.complete && !replica.failed;
  });
}

void Membership::check_lost_data(TimeMs now) {
  if (!lost_data_) return;
  const auto told = decode_fact<SlotsFact>(gossip_.own()->value(EntryKey::kSlots));
  if (told.ok() && *told != ownership_.claim() && !told->slots.empty()) {
    // An empty disk: whoever has taken the slots is followed.
    const NodeId owner = slots().owner(told->slots.ranges().front().first);
    if (owner && owner != self_) {
      become_replica(owner, now);
      tell_slots(now);
      return;
    }
  }
  if (now < lost_since_ + 2 * options_.detector.node_timeout) return;
  if (has_complete_replica()) {
    lost_since_ = now;
    return;
  }
  lost_data_ = false;
  if (told.ok() && ownership_.claim().slots.empty()) (void)ownership_.add_slots(told->slots);
  ready_.routing_changed = true;
  tell_replication(now);
}

}  // namespace syntropy
