// Voter: the slot-owning primary's side of an election.
//
// A request is looked at rule by rule; the first that it breaks is the reason of the refusal (see
// RefusalReason). Redis has the same rules and keeps silent where one is broken; the electorate,
// the same vote for a repeated request and the following are ours.
//
// What a refusal says may pass while news travels: the candidate heard of the FAIL before the voter
// did. Such a request is kept, and the vote follows by itself as soon as nothing speaks against it;
// who asked first is looked at first, so that the best replica keeps its lead.
//
// Why an epoch has one winner although the electorate changes with each election: the winner of one
// election has votes of a majority of its electorate, so any majority of that electorate shares a
// voter with it. That voter either knows the new owner, and refuses candidates that don't
// (kOtherElectorate), or it doesn't know how the election ended, and votes for nobody else (kBusy).
// The latter is bounded by two node timeouts, as somebody has to go on when a candidate dies; a
// voter that is cut off from the winner for that long right after its vote is what remains. Two
// winners of one epoch would own different slots, and resolve as any two of equal epoch do
// (ownership.h).
//
// Neither does who is replaced serve on the strength of such a voter: until it knows how the
// election ended it gives the old owner no lease (election_open; membership/failure_detector.h),
// over a restart as well for its last vote. The winner may have served before it was cut off, and
// nobody have heard of it. This has no bound: the voter reminds the candidate of its vote until it
// tells (a claim, or that it gave up), and if the candidate is dead, the old owner asks for votes
// for its own slots, under an epoch above that of whatever the candidate may have claimed. (This
// holds where the voters are among those that watch the old owner; elsewhere gossip has to be
// quicker than two node timeouts.)
//
// Invariants: membership/election.h, 1 and 2.
//
// Thread safety: none; one thread.
#pragma once

#include <optional>
#include <utility>
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
  /// Votes to be sent now, with their candidates: some that were refused before and may be given,
  /// and reminders of some whose election isn't known to have ended.
  std::vector<std::pair<NodeId, Vote>> votes_due(TimeMs now, uint32_t node_timeout_ms);
  void step(const NodeId& from, const VoteWithdrawn& message);
  /// Whether `primary` may have been replaced by way of a vote of this voter's: it hasn't heard how
  /// that election ended.
  bool election_open(const NodeId& primary) const;
  /// When a vote ceases to bind or a reminder is due. UINT64_MAX: never.
  TimeMs next_deadline() const;

 private:
  /// A vote for one of the replicas of a primary. Other candidates are refused for its sake for two
  /// node timeouts; it is kept for as long as its election is open.
  struct Given {
    NodeId primary;
    NodeId candidate;
    uint64_t epoch;
    TimeMs until;  // it binds
    TimeMs remind_at;
    TimeMs remind_wait;
  };

  /// A request that may be granted later.
  struct Kept {
    NodeId from;
    VoteRequest request;
    TimeMs until;
  };

  std::optional<RefusalReason> objection(const NodeId& from, const VoteRequest& request,
                                         TimeMs now) const;
  void note(const NodeId& primary, const NodeId& candidate, uint64_t epoch, TimeMs now,
            uint32_t node_timeout_ms);
  void grant(const NodeId& from, const VoteRequest& request, TimeMs now, uint32_t node_timeout_ms);
  void forget_old(TimeMs now);
  /// The vote that is remembered over a restart binds as it did before.
  void recall_vote(TimeMs now, uint32_t node_timeout_ms);
  /// Whether the election of that vote may have been won without this voter's knowing.
  bool open(const Given& given) const;
  bool bound_to_other(const NodeId& candidate, const NodeId& primary, TimeMs now) const;
  bool busy(const NodeId& candidate, const NodeId& primary, TimeMs now) const;
  bool claim_is_stale(const VoteRequest& request) const;

  Ownership& ownership_;
  const ElectionView& view_;
  bool recalled_ = false;
  std::vector<Given> given_;  // a handful: one per failed primary
  std::vector<Kept> kept_;    // a handful: one per candidate, by arrival of its first
};

}  // namespace syntropy
