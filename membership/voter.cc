#include "membership/voter.h"

#include <algorithm>

namespace syntropy {

ElectionMessage Voter::answer(const NodeId& from, const VoteRequest& request, TimeMs now,
                              uint32_t node_timeout_ms) {
  std::erase_if(given_, [&](const Given& given) { return given.until <= now; });
  const auto refuse = [&](RefusalReason reason) {
    return VoteRefusal{request.epoch, ownership_.current_epoch(), reason};
  };
  if (request.epoch < ownership_.current_epoch()) return refuse(RefusalReason::kStaleEpoch);
  ownership_.observe_epoch(request.epoch);
  const SlotMap& map = ownership_.map();
  if (!map.owns_slots(ownership_.self())) return refuse(RefusalReason::kNotAVoter);
  if (request.epoch <= ownership_.state().last_vote_epoch) {
    if (request.epoch == ownership_.state().last_vote_epoch &&
        ownership_.state().voted_for == from) {
      return Vote{request.epoch};
    }
    return refuse(RefusalReason::kAlreadyVoted);
  }
  if (request.electorate != map.owners_hash()) return refuse(RefusalReason::kOtherElectorate);
  if (!request.primary || view_.primary_of(from) != request.primary) {
    return refuse(RefusalReason::kUnknownReplica);
  }
  if (!request.manual && !view_.failed(request.primary)) {
    return refuse(RefusalReason::kPrimaryAlive);
  }
  if (claim_is_stale(request)) return refuse(RefusalReason::kStaleClaim);
  if (bound_to_sibling(from, request.primary)) return refuse(RefusalReason::kVotedForSibling);

  std::erase_if(given_, [&](const Given& given) { return given.primary == request.primary; });
  given_.push_back({request.primary, from, now + uint64_t{2} * node_timeout_ms});
  ownership_.vote(request.epoch, from);
  return Vote{request.epoch};
}

void Voter::step(const NodeId& from, const VoteWithdrawn& message) {
  std::erase_if(given_, [&](const Given& given) {
    return given.primary == message.primary && given.candidate == from;
  });
}

bool Voter::bound_to_sibling(const NodeId& candidate, const NodeId& primary) const {
  return std::any_of(given_.begin(), given_.end(), [&](const Given& given) {
    return given.primary == primary && given.candidate != candidate &&
           !view_.failed(given.candidate);
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
