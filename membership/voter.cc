#include "membership/voter.h"

#include <algorithm>

namespace syntropy {
namespace {

// More candidates than this at a time ask again by themselves.
constexpr size_t kMaxKept = 32;
// The first reminder; each waits twice as long, up to the node timeout.
constexpr TimeMs kFirstReminderMs = 100;

}  // namespace

ElectionMessage Voter::answer(const NodeId& from, const VoteRequest& request, TimeMs now,
                              uint32_t node_timeout_ms) {
  recall_vote(now, node_timeout_ms);
  forget_old(now);
  ownership_.observe_epoch(request.epoch);
  const OwnershipState& state = ownership_.state();
  if (request.epoch == state.last_vote_epoch && state.voted_for == from) return Vote{request.epoch};
  const std::optional<RefusalReason> reason = objection(from, request, now);
  const auto kept = std::find_if(kept_.begin(), kept_.end(),
                                 [&](const Kept& other) { return other.from == from; });
  if (!reason || !may_pass(*reason)) {
    if (kept != kept_.end()) kept_.erase(kept);
  } else if (kept != kept_.end()) {
    *kept = {from, request, now + node_timeout_ms};
  } else if (kept_.size() < kMaxKept) {
    kept_.push_back({from, request, now + node_timeout_ms});
  }
  if (reason) return VoteRefusal{request.epoch, ownership_.current_epoch(), *reason};
  grant(from, request, now, node_timeout_ms);
  return Vote{request.epoch};
}

std::vector<std::pair<NodeId, Vote>> Voter::votes_due(TimeMs now, uint32_t node_timeout_ms) {
  recall_vote(now, node_timeout_ms);
  forget_old(now);
  std::vector<std::pair<NodeId, Vote>> votes;
  std::erase_if(kept_, [&](const Kept& kept) {
    const std::optional<RefusalReason> reason = objection(kept.from, kept.request, now);
    if (reason) return !may_pass(*reason);
    grant(kept.from, kept.request, now, node_timeout_ms);
    votes.emplace_back(kept.from, Vote{kept.request.epoch});
    return true;
  });
  for (Given& given : given_) {
    if (now < given.remind_at || !open(given)) continue;
    votes.emplace_back(given.candidate, Vote{given.epoch});
    given.remind_wait = std::min<TimeMs>(given.remind_wait * 2, node_timeout_ms);
    given.remind_at = now + given.remind_wait;
  }
  return votes;
}

std::optional<RefusalReason> Voter::objection(const NodeId& from, const VoteRequest& request,
                                              TimeMs now) const {
  const SlotMap& map = ownership_.map();
  const uint64_t last_vote = ownership_.state().last_vote_epoch;
  if (request.epoch == last_vote) return RefusalReason::kAlreadyVoted;
  // Redis refuses all below its current epoch. Below what it has voted in is enough, and lets
  // elections of two shards that began together end one after the other; but a claim under this
  // epoch must be above all that there are.
  if (request.epoch < last_vote || request.epoch <= map.max_epoch()) {
    return RefusalReason::kStaleEpoch;
  }
  if (!map.owns_slots(ownership_.self())) return RefusalReason::kNotAVoter;
  if (request.electorate != map.owners_hash()) return RefusalReason::kOtherElectorate;
  const bool own = from == request.primary;  // it asks for its own slots
  if (!request.primary || (!own && view_.primary_of(from) != request.primary)) {
    return RefusalReason::kUnknownReplica;
  }
  if (!own && !request.manual && !view_.failed(request.primary)) {
    return RefusalReason::kPrimaryAlive;
  }
  if (claim_is_stale(request)) return RefusalReason::kStaleClaim;
  if (bound_to_other(from, request.primary, now)) return RefusalReason::kVotedForSibling;
  if (busy(from, request.primary, now)) return RefusalReason::kBusy;
  return std::nullopt;
}

void Voter::grant(const NodeId& from, const VoteRequest& request, TimeMs now,
                  uint32_t node_timeout_ms) {
  std::erase_if(given_, [&](const Given& given) { return given.primary == request.primary; });
  note(request.primary, from, request.epoch, now, node_timeout_ms);
  ownership_.vote(request.epoch, from, request.primary);
}

void Voter::note(const NodeId& primary, const NodeId& candidate, uint64_t epoch, TimeMs now,
                 uint32_t node_timeout_ms) {
  given_.push_back({primary, candidate, epoch, now + TimeMs{2} * node_timeout_ms,
                    now + kFirstReminderMs, kFirstReminderMs});
}

void Voter::recall_vote(TimeMs now, uint32_t node_timeout_ms) {
  const OwnershipState& state = ownership_.state();
  if (std::exchange(recalled_, true) || !state.voted_over) return;
  // Who voted for itself knows how that ended.
  if (state.voted_for == ownership_.self()) return;
  note(state.voted_over, state.voted_for, state.last_vote_epoch, now, node_timeout_ms);
}

void Voter::forget_old(TimeMs now) {
  std::erase_if(given_, [&](const Given& given) { return given.until <= now && !open(given); });
  std::erase_if(kept_, [&](const Kept& kept) { return kept.until <= now; });
}

void Voter::step(const NodeId& from, const VoteWithdrawn& message) {
  const auto concerns = [&](const NodeId& primary) {
    return !message.primary || primary == message.primary;
  };
  std::erase_if(given_, [&](const Given& given) {
    return concerns(given.primary) && given.candidate == from && given.epoch <= message.epoch;
  });
  std::erase_if(kept_, [&](const Kept& kept) {
    return kept.from == from && kept.request.epoch <= message.epoch;
  });
  const OwnershipState& state = ownership_.state();
  const bool last = state.voted_for == from && concerns(state.voted_over);
  if (last && state.last_vote_epoch <= message.epoch) ownership_.vote_withdrawn();
}

bool Voter::election_open(const NodeId& primary) const {
  const OwnershipState& state = ownership_.state();
  const Given stored{state.voted_over, state.voted_for, state.last_vote_epoch, 0, 0, 0};
  if (!recalled_ && primary && stored.primary == primary && open(stored)) return true;
  return std::any_of(given_.begin(), given_.end(),
                     [&](const Given& given) { return given.primary == primary && open(given); });
}

TimeMs Voter::next_deadline() const {
  TimeMs next = UINT64_MAX;
  for (const Given& given : given_) {
    next = std::min(next, open(given) ? given.remind_at : given.until);
  }
  return next;
}

bool Voter::open(const Given& given) const {
  const SlotMap& map = ownership_.map();
  if (!map.owns_slots(given.primary)) return false;  // they went to another, under a higher epoch
  const SlotClaim* won = map.claim_of(given.candidate);
  if (won != nullptr && won->epoch >= given.epoch) return false;
  // A claim above that epoch isn't what was voted on.
  const SlotClaim* replaced = map.claim_of(given.primary);
  return replaced != nullptr && replaced->epoch < given.epoch;
}

bool Voter::bound_to_other(const NodeId& candidate, const NodeId& primary, TimeMs now) const {
  return std::any_of(given_.begin(), given_.end(), [&](const Given& given) {
    if (given.primary != primary || given.candidate == candidate) return false;
    if (view_.failed(given.candidate)) return false;
    return now < given.until || (candidate == primary && open(given));
  });
}

bool Voter::busy(const NodeId& candidate, const NodeId& primary, TimeMs now) const {
  const SlotMap& map = ownership_.map();
  return std::any_of(given_.begin(), given_.end(), [&](const Given& given) {
    // Siblings have their own rule: the next one is let in when the first is FAIL.
    if (given.candidate == candidate || given.primary == primary || given.until <= now) {
      return false;
    }
    const SlotClaim* claim = map.claim_of(given.candidate);
    const bool won = claim != nullptr && claim->epoch >= given.epoch;
    return !won && map.owns_slots(given.primary);
  });
}

bool Voter::claim_is_stale(const VoteRequest& request) const {
  const SlotMap& map = ownership_.map();
  return std::any_of(map.claims().begin(), map.claims().end(), [&](const SlotClaim& claim) {
    return claim.owned > 0 && claim.epoch > request.primary_epoch &&
           claim.slots->intersects(*request.slots) &&
           map.slots_of(claim.member).intersects(*request.slots);
  });
}

}  // namespace syntropy
