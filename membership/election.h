// Election: puts the best replica in the place of a failed primary, or of one that an operator
// wants replaced (Redis Cluster specification, "Replica election and promotion").
//
//   replicas                                     slot-owning primaries
//   --------                                     ---------------------
//   primary is FAIL
//   Standing ->  <- Standing (each other)
//   the best asks at once, the k-th after k * rank_delay
//   VoteRequest(epoch) ------------------------> one vote per epoch, stored before it is sent
//   <------------------------------------------- Vote, or VoteRefusal with the reason
//   N/2+1 votes: claims the slots with the epoch
//
// Redis waits 500 to 1,000 ms before a replica asks, for gossip to tell the offsets; here the
// replicas tell each other directly, and nobody waits once all have answered. Refusals are
// answered, so that a lost election is known in one round trip instead of after a timeout.
//
// Manual failover: the replica sends MfStart, the primary stops writing and sends MfPaused with its
// offset, the replica waits until its own offset is the same, and asks for votes with the manual
// flag; nothing is lost. FORCE leaves out the primary, TAKEOVER the votes.
//
// A primary from which the others withhold their leases, because they voted to replace it and don't
// hear how that ended (membership/voter.h), asks for votes for its own slots.
//
// Invariants
//   1. A voter votes once per epoch, across restarts; the same vote may be sent again to the same
//      candidate.
//   2. A voter doesn't vote for two replicas of one primary within two node timeouts, unless the
//      first gave up or is FAIL.
//   3. Of one electorate, an epoch has one winner.
//   4. Who may have been replaced serves its slots again only under a higher epoch.
//
// Thread safety: none; one thread.
#pragma once

#include "membership/candidate.h"
#include "membership/election_message.h"
#include "membership/election_view.h"
#include "membership/entry.h"
#include "membership/manual_failover.h"
#include "membership/ownership.h"
#include "membership/voter.h"
#include "storage/base/random.h"

namespace syntropy {

class Election {
 public:
  /// All references outlive the election.
  Election(Ownership& ownership, const ElectionView& view, Random& random,
           const ElectionOptions& options);

  void set_options(const ElectionOptions& options);

  void step(const NodeId& from, const ElectionMessage& message, TimeMs now);
  /// To be called at next_deadline(), and after anything changed that ElectionView or the slot map
  /// tell (FAIL, a role, a claim).
  void tick(TimeMs now);
  /// UINT64_MAX: nothing to wait for.
  TimeMs next_deadline() const;
  ElectionReady take_ready();

  /// CLUSTER FAILOVER, at the replica. kInvalidArgument: not a replica; kNotFound: the primary owns
  /// no slots in this view; kUnavailable: it is FAIL, and the mode is kDefault. One that is under
  /// way is replaced. TAKEOVER has won when this returns: see take_ready().
  Status start_manual(FailoverMode mode, TimeMs now);
  /// After so long no vote that was given before counts any more, unless it has elected somebody.
  TimeMs longest_ask() const { return candidate_.longest_ask(); }
  /// Whether `primary` may have been replaced without this node's knowing: see Voter.
  bool is_open(const NodeId& primary) const { return voter_.election_open(primary); }
  bool manual_in_progress() const { return handshake_.in_progress(); }

  /// The primary's side, after ElectionReady::pause_writes_until: no write follows `offset`.
  void writes_paused(const LineageId& lineage, uint64_t offset);

 private:
  bool won() const;

  Ownership& ownership_;
  const ElectionView& view_;
  ElectionOptions options_;
  ElectionReady ready_;
  Voter voter_;
  Candidate candidate_;
  ManualHandshake handshake_;
};

}  // namespace syntropy
