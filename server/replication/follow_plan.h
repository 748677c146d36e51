// FollowPlan: what a replica and its primary have to do before the replica's log is the primary's.
//
// Where the replica's log leaves the primary's, only the replica has what comes after: it was
// primary itself, or followed one that was not the winner. It hands that over first, and then
// follows from the point up to which both are the same. Rows that it owes (storage/lineage.h) to a
// point that the primary's log doesn't have, it can't tell from others, so it hands over all.
//
// Thread safety: pure functions.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "storage/lineage.h"

namespace syntropy {

struct FollowPlan {
  /// Up to where both logs are the same; nullopt: the replica's says nothing to the primary.
  std::optional<uint64_t> common;
  enum class HandOver {
    kNothing,
    kLog,   // what the replica has beyond `common`
    kRows,  // it may be any of its rows
  };
  HandOver hand_over = HandOver::kNothing;
};

/// Whether the replica's rows come from the primary's shard, so that what was purged there may be
/// among them. A node that was of another shard has no log to go on from, and owes what it has to
/// that one's (LogApplier::Keep::kRows).
inline bool is_of_shard(const LogPosition& primary, const LogPosition& replica) {
  if (!replica.history.empty() || !replica.owed) return true;
  return std::any_of(primary.history.begin(), primary.history.end(),
                     [&](const Lineage& lineage) { return lineage.id == replica.owed->lineage; });
}

inline FollowPlan plan_to_follow(const LogPosition& primary, const LogPosition& replica) {
  FollowPlan plan;
  plan.common = primary.common_offset(replica);
  if (replica.owed && !primary.contains(*replica.owed)) {
    plan.hand_over = FollowPlan::HandOver::kRows;
  } else if (replica.history.empty()) {
    // It never had a log: what it has, if anything, it was given by one who has it.
  } else if (!plan.common) {
    plan.hand_over = FollowPlan::HandOver::kRows;
  } else if (*plan.common < replica.offset) {
    plan.hand_over = FollowPlan::HandOver::kLog;
  }
  return plan;
}

}  // namespace syntropy
