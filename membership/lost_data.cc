// What a node does that finds, in what the others remember of it, that its disk is empty or old.
#include <algorithm>
#include <vector>

#include "membership/membership.h"

namespace syntropy {
namespace {

// How many node timeouts a node without its data waits to be replaced. What its replicas have and
// it hasn't they hand over when they find it again.
constexpr TimeMs kMostTimeouts = 10;

}  // namespace

// An entry of this node's record that its disk doesn't know. Whatever is told is stored first, but
// for offsets; of these nobody knows one that this node didn't have.
void Membership::look_for_past(const Entry& entry, TimeMs now) {
  if (entry.key == EntryKey::kSlots) {
    const auto told = decode_fact<SlotsFact>(*entry.value);
    if (!told.ok() || *told == ownership_.claim()) return;
    ownership_.restore_claim(*told);
    if (ownership_.claim() == *told && !told->slots.empty()) lose_data(now);
  }
  if (entry.key == EntryKey::kReplication && !role_.primary) {
    const auto told = decode_fact<ReplicationFact>(*entry.value);
    const bool more =
        told.ok() && told->lineage == replication_.lineage && told->offset > replication_.offset;
    if (more) lose_data(now);
  }
}

// The store was made from what was left of the one of which this node has told. What it says of the
// cluster may be from before this node met the others. A replica compares its rows with those of
// its primary anyway.
void Membership::look_for_other_store(TimeMs now) {
  const auto told = decode_fact<StoreFact>(gossip_.own()->value(EntryKey::kStore));
  if (!told.ok() || told->store == store_ || role_.primary) return;
  told_store_ = told->store;  // after another restart as well, until the loss is made good
  lose_data(now);
}

void Membership::lose_data(TimeMs now) {
  if (lost_data_) return;
  lost_data_ = true;
  lost_since_ = now;
  lost_data_check_ = now + 2 * options_.detector.node_timeout;
  // The votes that it may have given are forgotten: candidates that have them ask no longer then.
  abstain_until_ = now + election_.longest_ask();
  ready_.routing_changed = true;
  tell_replication(now);
}

bool Membership::may_vote(TimeMs now) const { return now >= abstain_until_; }

// Who has what this node hasn't, and may be elected.
bool Membership::has_better_replica() const {
  const std::vector<ReplicaView> replicas = replicas_of(self_);
  return std::any_of(replicas.begin(), replicas.end(), [this](const ReplicaView& replica) {
    const bool less =
        replica.lineage == replication_.lineage && replica.offset <= replication_.offset;
    return replica.complete && !replica.failed && !replica.no_failover && !less;
  });
}

void Membership::check_lost_data(TimeMs now) {
  if (!lost_data_ || now < lost_data_check_) return;
  const TimeMs timeout = options_.detector.node_timeout;
  const bool alone = members().size() == 1;
  if (!introduced_ && !alone) {  // they have yet to tell who it was
    lost_data_check_ = now + timeout;
    return;
  }
  if (has_better_replica() && now < lost_since_ + kMostTimeouts * timeout) {
    lost_data_check_ = now + timeout;
    return;
  }
  end_loss(now);
  if (alone) introduce(now);
  ready_.routing_changed = true;
  tell_replication(now);
}

// What there is to be had is here, or will have come before this node is said to be complete.
void Membership::end_loss(TimeMs now) {
  lost_data_ = false;
  if (told_store_ == store_) return;
  told_store_ = store_;
  tell(EntryKey::kStore, encode(StoreFact{store_}), now);
  ready_.store = true;
}

}  // namespace syntropy
