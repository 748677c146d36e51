// Who is forgotten, by Membership's own operator (Membership::forget) or by what others tell.
#include <algorithm>

#include "membership/membership.h"

namespace syntropy {

uint64_t Membership::forgotten_stamp(const NodeId& node) const {
  uint64_t stamp = 0;
  for (const NodeStamp& own : forgotten_) {  // told or not yet
    if (own.node == node) stamp = own.stamp;
  }
  for (const NodeId& teller : tellers_) {
    const MemberRecordPtr* member = members().find(teller);
    if (member == nullptr) continue;
    const auto fact = decode_fact<ForgottenFact>((*member)->value(EntryKey::kForgotten));
    if (!fact.ok()) continue;
    for (const NodeStamp& forgotten : fact->forgotten) {
      if (forgotten.node == node) stamp = std::max(stamp, forgotten.stamp);
    }
  }
  return stamp;
}

void Membership::note_forgotten(const NodeStamp& stamp) {
  const auto known = std::find_if(forgotten_.begin(), forgotten_.end(),
                                  [&](const NodeStamp& other) { return other.node == stamp.node; });
  if (known != forgotten_.end()) {
    known->stamp = std::max(known->stamp, stamp.stamp);
    return;
  }
  if (forgotten_.size() >= kMaxForgotten) {
    forgotten_.erase(
        std::min_element(forgotten_.begin(), forgotten_.end(),
                         [](const NodeStamp& a, const NodeStamp& b) { return a.stamp < b.stamp; }));
  }
  forgotten_.push_back(stamp);
  std::sort(forgotten_.begin(), forgotten_.end());
}

// Few are forgotten, by few: it is asked of every node that fails or loses a slot, and mustn't cost
// a look at all members.
void Membership::note_teller(const MemberRecord& member) {
  if (member.value(EntryKey::kForgotten).size() > 1) tellers_.insert(member.id);
}

void Membership::on_forgotten(const MemberRecord& teller, TimeMs now) {
  const auto fact = decode_fact<ForgottenFact>(teller.value(EntryKey::kForgotten));
  if (!fact.ok()) return;
  for (const NodeStamp& stamp : fact->forgotten) {
    if (stamp.node != self_) {
      if (!needed(stamp.node)) {
        gossip_.forget(stamp.node, stamp.stamp);
      } else {
        spared_.try_emplace(stamp.node, now + 2 * options_.detector.node_timeout);
      }
    } else if (joined_ <= stamp.stamp) {
      ready_.forgotten = true;
      if (slots().owns_slots(self_)) join_anew(stamp.stamp, now);
    }
  }
}

// It has what others need: perhaps it was elected while somebody was told to forget it.
bool Membership::needed(const NodeId& node) const {
  return slots().owns_slots(node) && !detector_.is_failed(node);
}

// Once it isn't needed any more.
void Membership::forget_late(const NodeId& node) {
  if (node != self_ && !needed(node)) forget_as_told(node);
}

void Membership::forget_as_told(const NodeId& node) {
  if (const uint64_t stamp = forgotten_stamp(node); stamp != 0) gossip_.forget(node, stamp);
}

// An owner that is there hears by then that it is forgotten, and joins anew. Who was away itself
// while the others forgot a dead one can't be told by their votes that it is dead.
void Membership::end_sparing(TimeMs now) {
  std::erase_if(spared_, [&](const auto& spared) {
    if (now < spared.second) return false;
    forget_as_told(spared.first);
    return true;
  });
}

}  // namespace syntropy
