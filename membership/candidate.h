// Candidate: the replica's side of an election.
//
//   idle --primary is FAIL--> standing --its turn--> asking --N/2+1 votes--> won (idle)
//                                ^                     |
//                                +------- waiting <----+ cannot win this epoch, or no majority
//                                heard
//
// Standing: replicas of the failed primary tell each other how much of its log they have; a
// replica's turn comes once all that are alive have told, or after standing_wait, plus rank_delay
// for each that is better. A replica of the primary's lineage is better than one of another, then
// the one with the greater offset, then the smaller id. When several primaries failed together the
// replicas of the k-th start k * stagger later, for an epoch has votes for one election only.
//
// Asking: one epoch, one request to every slot-owning primary that isn't FAIL, again to those that
// are silent or whose refusal may pass, at growing intervals. A refusal that makes the majority
// impossible ends it at once: the candidate withdraws, which frees its voters for others, and asks
// again in a new epoch after a short random wait; a longer one where it split the votes with a
// better sibling.
//
// A primary that others doubt (ElectionView::doubted) asks in the same way for its own slots, without
// standing, and votes for itself. It waits a node timeout between attempts.
//
// Thread safety: none; one thread.
#pragma once

#include <memory>
#include <vector>

#include "membership/election_message.h"
#include "membership/election_view.h"
#include "membership/ownership.h"
#include "storage/base/random.h"

namespace syntropy {

class Candidate {
 public:
  Candidate(Ownership& ownership, const ElectionView& view, Random& random,
            const ElectionOptions& options, ElectionReady& ready)
      : ownership_(ownership), view_(view), random_(random), options_(options), ready_(ready) {}

  /// Asks for votes at once, whether the primary is FAIL or not, until it has won or the manual
  /// failover ends.
  void ask_manually(TimeMs now);
  void end_manual(TimeMs now);
  /// Claims the slots of the primary without votes.
  void take_over(TimeMs now);

  void step(const NodeId& from, const Standing& message, TimeMs now);
  void step(const NodeId& from, const Vote& message, TimeMs now);
  void step(const NodeId& from, const VoteRefusal& message, TimeMs now);
  void tick(TimeMs now);
  TimeMs next_deadline() const;
  TimeMs longest_ask() const;

 private:
  enum class Phase { kIdle, kStanding, kAsking, kWaiting };
  enum class Answer : uint8_t { kNone, kMayPass, kFinal, kGranted };

  struct Told {
    NodeId id;
    LineageId lineage;
    uint64_t offset = 0;
    bool complete = false;
    bool eligible = false;
    TimeMs at = 0;
  };
  struct Asked {
    NodeId id;
    Answer answer = Answer::kNone;
  };

  bool eligible() const;
  /// Whose slots this node would claim.
  NodeId target() const;
  bool wanted() const;
  void stop(bool withdraw_votes, TimeMs now);
  void stand(TimeMs now);
  void send_standing(TimeMs now);
  /// When this replica's turn comes, as far as is known now.
  TimeMs turn() const;
  const Told* told_by(const NodeId& id) const;
  uint32_t better_siblings() const;
  bool all_told() const;
  uint32_t failed_before() const;
  void ask(TimeMs now);
  void send_requests(TimeMs now);
  void give_up_epoch(TimeMs now);
  void withdraw(TimeMs now);
  void count_votes(TimeMs now);
  void win(TimeMs now);

  Ownership& ownership_;
  const ElectionView& view_;
  Random& random_;
  const ElectionOptions& options_;
  ElectionReady& ready_;

  Phase phase_ = Phase::kIdle;
  NodeId primary_;  // whom this replica would replace, or this primary itself; unless idle
  bool manual_ = false;
  uint32_t attempts_ = 0;   // epochs asked for since it began
  TimeMs next_send_ = 0;    // of what got no answer
  std::vector<Told> told_;  // by siblings; some may be heard before the primary is FAIL here

  // Standing.
  TimeMs began_ = 0;
  TimeMs jitter_ = 0;

  // Asking.
  uint64_t epoch_ = 0;
  std::shared_ptr<const SlotRanges> slots_;
  uint64_t primary_epoch_ = 0;
  uint64_t electorate_ = 0;
  std::vector<Asked> asked_;  // all voters, ascending by id
  bool split_with_sibling_ = false;
  TimeMs send_interval_ = 0;
  TimeMs ask_until_ = 0;

  TimeMs wait_until_ = 0;  // waiting
};

}  // namespace syntropy
