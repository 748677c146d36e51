// Voter: the slot-owning primary's side of an election.
//
// A request is looked at rule by rule; the first that it breaks is the reason of the refusal (see
// RefusalReason). Redis has the same rules and keeps silent where one is broken; the electorate and
// the same vote for a repeated request are ours.
//
// Invariants: membership/election.h, 1 and 2. The first survives a restart (OwnershipState), the
// second need not: it keeps siblings from replacing each other, and harms no data.
//
// Thread safety: none; one thread.
#pragma once

#include <vector>

#include "membership/election_message.h"
#include "membership/election_view.h"
#include "membership/ownership.h"

namespace syntropy {

class Voter {
 public:
  Voter(Ownership& ownership, const ElectionView& view) : ownership_(ownership), view_(view) {}

  /// A Vote or a VoteRefusal for `from`. A vote is in ownership.state() already, which has to be
  /// durable before the answer is sent.
  ElectionMessage answer(const NodeId& from, const VoteRequest& request, TimeMs now,
                         uint32_t node_timeout_ms);
  void step(const NodeId& from, const VoteWithdrawn& message);

 private:
  /// A vote for one of the replicas of a primary, which binds for two node timeouts.
  struct Given {
    NodeId primary;
    NodeId candidate;
    TimeMs until;
  };

  bool bound_to_sibling(const NodeId& candidate, const NodeId& primary) const;
  bool claim_is_stale(const VoteRequest& request) const;

  Ownership& ownership_;
  const ElectionView& view_;
  std::vector<Given> given_;  // a handful: one per failed primary
};

}  // namespace syntropy
