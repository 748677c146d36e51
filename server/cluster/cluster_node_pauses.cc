// Where ClusterNode makes writes wait: all of them for a manual failover, those to some slots while
// these are given away.
#include <algorithm>
#include <utility>

#include "server/cluster/cluster_node.h"

namespace syntropy {
namespace {

// Writes that had begun when the clients were made to wait have so long to end by themselves.
constexpr TimeMs kPauseGraceMs = 10;
constexpr TimeMs kLookMs = 1;      // between looks whether they have
constexpr TimeMs kSecureMs = 500;  // for replicas to have what came with a move

}  // namespace

void ClusterNode::pause_writes(TimeMs until, TimeMs at) {
  paused_ = true;
  mover_.interrupted();
  release_slots();
  if (options_.pause_clients && until > at) options_.pause_clients(until - at);
  pause_log_at_ = at + kPauseGraceMs;
}

void ClusterNode::stop_log() {
  pause_log_at_ = Transport::kNoAlarm;
  replication_.pause_writes([this](const LogPoint& point) {
    if (!paused_) return;
    membership_->writes_paused(point.lineage, point.offset, now());
    settle();
  });
}

// Writes to them wait, and all else goes on.
void ClusterNode::hold_slots(const SlotRanges& slots, std::function<void(const Status&)> held) {
  if (paused_) return held(Status::unavailable("writes are paused for a failover"));
  held_ = slots;
  told_held_ = std::move(held);
  held_by_ = ++generation_;
  routing_due_ = true;
  publish();
  if (options_.fault == ClusterFault::kHoldAtOnce) {
    fenced(generation_);
    return std::exchange(told_held_, {})(Status());
  }
  fence_held_at_ = now() + kLookMs;
  fence_held_by_ = now() + kPauseGraceMs;
  rearm();
}

// Whoever is judging requests by what was published before has it in his hands meanwhile.
void ClusterNode::fence_held() {
  std::erase_if(outdated_, [](const auto& older) { return older.expired(); });
  if (!outdated_.empty() && now() < fence_held_by_) {
    fence_held_at_ = now() + kLookMs;
    return;
  }
  fence_held_at_ = Transport::kNoAlarm;
  replication_.hold(generation_, [this, generation = generation_] {
    fenced(generation);
    if (held_.empty() || generation < held_by_) return;  // that one has been released
    if (const auto told = std::exchange(told_held_, {})) told(Status());
  });
}

void ClusterNode::release_slots() {
  if (held_.empty()) return;
  held_ = {};
  told_held_ = {};
  fence_held_at_ = Transport::kNoAlarm;
  replication_.release();
  routing_due_ = true;
  publish();
}

void ClusterNode::fenced(uint64_t generation) {
  fenced_ = std::max(fenced_, generation);
}

void ClusterNode::await_shard(TimeMs most_ms, std::function<void(const Status&)> done) {
  const Status away =
      Status::unavailable("a node of this shard is away: wait for it, or forget it");
  const std::optional<std::vector<NodeId>> others = others_of_shard();
  if (!others || !replication_.followed_by(*others)) return done(away);
  if (most_ms == 0) return done(Status());
  replication_.wait(log().offset(), others->size(), now() + most_ms,
                    [done, away](bool met, uint64_t) { done(met ? Status() : away); });
}

// True when what was given is stored, told to those who serve clients, and all that they have
// judged by what was before is over.
bool ClusterNode::settle_move() {
  settle();
  return !unstored_ && fenced_ == generation_;
}

void ClusterNode::secure(std::function<void(const Status&)> done) {
  work_.change([this, done = std::move(done)] {
    const Status synced = keyspace_.engine().sync();
    post([this, synced, done] {
      if (!synced.ok()) return done(synced);
      await_shard(kSecureMs, done);
      settle();
    });
  });
}

void ClusterNode::resume_writes() {
  if (!paused_.exchange(false)) return;
  pause_log_at_ = Transport::kNoAlarm;
  replication_.resume_writes([this] {
    if (!paused_ && options_.resume_clients) options_.resume_clients();
  });
}

}  // namespace syntropy
