// AckTracker: which replicas have how much of the log, and who waits for it: WAIT,
// min-replicas-to-write, and the guarantee of each write (cluster-write-acks).
//
// A wait is for `needed` replicas at an offset of the log. Whoever was told that a wait is met was
// told the truth at that moment; a replica that crashes afterwards may come back with less, which
// is why offsets may fall here, and counts with them.
//
// Thread safety: one thread. No clock inside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "membership/entry.h"
#include "server/cluster/write_acks.h"

namespace syntropy {

/// How many replicas must acknowledge, of those that the shard has, reachable or not.
constexpr size_t replicas_needed(WriteAcks acks, size_t replicas) {
  switch (acks) {
    case WriteAcks::kOne:
      return 0;
    case WriteAcks::kMajority:
      return (replicas + 1) / 2;  // of replicas + 1 nodes more than half, less the primary itself
    case WriteAcks::kAll:
      return replicas;
  }
  return replicas;
}

class AckTracker {
 public:
  /// The caller's name of a connected replica.
  using ReplicaKey = uint64_t;
  using Token = uint64_t;
  struct Outcome {
    Token token = 0;
    bool met = false;
    size_t replicas = 0;  // that have the offset now
  };

  /// The replica follows and has acknowledged the log up to `offset`.
  void acknowledged(ReplicaKey replica, uint64_t offset, TimeMs now);
  /// It no longer follows.
  void remove(ReplicaKey replica);

  /// Waits until `needed` replicas have the log up to `offset`, `deadline` has come (UINT64_MAX:
  /// never), or fail_all(). The outcome is in take_outcomes(), perhaps at once.
  Token wait(uint64_t offset, size_t needed, TimeMs deadline);
  /// Gives up a wait: its client has gone. No outcome follows.
  void cancel(Token token);
  void tick(TimeMs now);
  /// This node is no primary any more: nothing that it waited for can be promised.
  void fail_all();
  std::vector<Outcome> take_outcomes() { return std::exchange(outcomes_, {}); }
  TimeMs next_deadline() const;

  size_t replicas_at(uint64_t offset) const;
  /// Those that were heard within the last `max_lag_ms`: min-replicas-max-lag.
  size_t replicas_alive(TimeMs now, TimeMs max_lag_ms) const;
  size_t waiting() const { return waits_.size(); }

 private:
  struct Replica {
    uint64_t offset;
    TimeMs heard;
  };
  struct Wait {
    uint64_t offset;
    size_t needed;
    TimeMs deadline;
  };

  void finish(Token token, bool met);
  void meet();

  std::map<ReplicaKey, Replica> replicas_;
  std::map<Token, Wait> waits_;
  /// By needed: the waits by offset, so that an acknowledgement looks at those alone that it meets.
  std::map<size_t, std::set<std::pair<uint64_t, Token>>> by_offset_;
  std::set<std::pair<TimeMs, Token>> by_deadline_;
  std::vector<Outcome> outcomes_;
  Token last_token_ = 0;
};

}  // namespace syntropy
