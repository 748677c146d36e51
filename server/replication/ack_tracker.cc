#include "server/replication/ack_tracker.h"

#include <algorithm>
#include <functional>

namespace syntropy {

void AckTracker::acknowledged(ReplicaKey replica, uint64_t offset, TimeMs now) {
  replicas_[replica] = {offset, now};
  meet();
}

void AckTracker::remove(ReplicaKey replica) { replicas_.erase(replica); }

AckTracker::Token AckTracker::wait(uint64_t offset, size_t needed, TimeMs deadline) {
  const Token token = ++last_token_;
  waits_[token] = {offset, needed, deadline};
  by_offset_[needed].insert({offset, token});
  if (deadline != UINT64_MAX) by_deadline_.insert({deadline, token});
  if (replicas_at(offset) >= needed) finish(token, true);
  return token;
}

void AckTracker::cancel(Token token) {
  const auto at = waits_.find(token);
  if (at == waits_.end()) return;
  const auto same = by_offset_.find(at->second.needed);
  same->second.erase({at->second.offset, token});
  if (same->second.empty()) by_offset_.erase(same);
  by_deadline_.erase({at->second.deadline, token});
  waits_.erase(at);
}

void AckTracker::finish(Token token, bool met) {
  outcomes_.push_back({token, met, replicas_at(waits_.at(token).offset)});
  cancel(token);
}

// For each number of replicas that is waited for: all waits up to the offset that so many have.
void AckTracker::meet() {
  if (waits_.empty()) return;
  std::vector<uint64_t> offsets;
  for (const auto& [key, replica] : replicas_) offsets.push_back(replica.offset);
  std::sort(offsets.begin(), offsets.end(), std::greater<>());
  std::vector<Token> met;
  for (const auto& [needed, waits] : by_offset_) {
    if (needed > offsets.size()) break;
    if (needed == 0) continue;  // met when it began
    for (const auto& [offset, token] : waits) {
      if (offset > offsets[needed - 1]) break;
      met.push_back(token);
    }
  }
  for (const Token token : met) finish(token, true);
}

void AckTracker::tick(TimeMs now) {
  while (!by_deadline_.empty() && by_deadline_.begin()->first <= now) {
    finish(by_deadline_.begin()->second, false);
  }
}

void AckTracker::fail_all() {
  while (!waits_.empty()) finish(waits_.begin()->first, false);
}

TimeMs AckTracker::next_deadline() const {
  return by_deadline_.empty() ? UINT64_MAX : by_deadline_.begin()->first;
}

size_t AckTracker::replicas_at(uint64_t offset) const {
  return static_cast<size_t>(
      std::count_if(replicas_.begin(), replicas_.end(),
                    [&](const auto& replica) { return replica.second.offset >= offset; }));
}

size_t AckTracker::replicas_alive(TimeMs now, TimeMs max_lag_ms) const {
  return static_cast<size_t>(
      std::count_if(replicas_.begin(), replicas_.end(), [&](const auto& replica) {
        return now <= replica.second.heard || now - replica.second.heard <= max_lag_ms;
      }));
}

}  // namespace syntropy
