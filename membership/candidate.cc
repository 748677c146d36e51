#include "membership/candidate.h"

#include <algorithm>
#include <tuple>

namespace syntropy {
namespace {

// Standings older than this say nothing about the failure at hand.
constexpr TimeMs kStandingLifeMs = 2000;
// As in Redis: the time in which a majority must have answered.
constexpr TimeMs kMinAskMs = 2000;
// Later shards than this one go together with it, and sort themselves out by asking again.
constexpr uint32_t kMaxStagger = 8;
// Between attempts: up to this many doublings of the first wait.
constexpr uint32_t kMaxDoublings = 5;

}  // namespace

bool Candidate::eligible() const {
  const OwnReplication own = view_.own_replication();
  if (options_.replica_no_failover || !own.complete) return false;
  if (options_.replica_validity_factor == 0) return true;
  const uint64_t timeout = options_.node_timeout_ms;
  // The node timeout passes before anybody knows that the primary failed: it doesn't count.
  const uint64_t age = own.data_age_ms > timeout ? own.data_age_ms - timeout : own.data_age_ms;
  return age <= options_.repl_ping_period_ms + timeout * options_.replica_validity_factor;
}

NodeId Candidate::target() const {
  const NodeId primary = view_.primary_of(ownership_.self());
  return !primary && view_.doubted() ? ownership_.self() : primary;
}

bool Candidate::wanted() const {
  if (!primary_ || target() != primary_ || !ownership_.map().owns_slots(primary_)) return false;
  return manual_ || primary_ == ownership_.self() || (view_.failed(primary_) && eligible());
}

const Candidate::Told* Candidate::told_by(const NodeId& id) const {
  const auto at =
      std::find_if(told_.begin(), told_.end(), [&](const Told& t) { return t.id == id; });
  return at == told_.end() ? nullptr : &*at;
}

uint32_t Candidate::better_siblings() const {
  const LineageId lineage = view_.lineage_of(primary_);
  const OwnReplication own = view_.own_replication();
  const auto standing = [&](bool complete, const LineageId& of, uint64_t offset) {
    return std::tuple(complete, of == lineage, offset);
  };
  const auto mine = standing(own.complete, own.lineage, own.offset);
  uint32_t better = 0;
  for (const ReplicaView& replica : view_.replicas_of(primary_)) {
    if (replica.failed || replica.no_failover) continue;
    const Told* told = told_by(replica.id);
    if (told != nullptr && !told->eligible) continue;
    const auto theirs = told != nullptr
                            ? standing(told->complete, told->lineage, told->offset)
                            : standing(replica.complete, replica.lineage, replica.offset);
    if (theirs > mine || (theirs == mine && replica.id < ownership_.self())) ++better;
  }
  return better;
}

bool Candidate::all_told() const {
  const std::vector<ReplicaView> replicas = view_.replicas_of(primary_);
  return std::all_of(replicas.begin(), replicas.end(), [&](const ReplicaView& replica) {
    return replica.failed || replica.no_failover || told_by(replica.id) != nullptr;
  });
}

uint32_t Candidate::failed_before() const {
  uint32_t before = 0;
  for (const SlotClaim& claim : ownership_.map().claims()) {
    if (claim.member >= primary_ || before == kMaxStagger) break;
    if (claim.owned > 0 && view_.failed(claim.member) && !view_.replicas_of(claim.member).empty()) {
      ++before;
    }
  }
  return before;
}

TimeMs Candidate::turn() const {
  const TimeMs from = all_told() ? began_ : began_ + options_.standing_wait_ms;
  const uint32_t rank = better_siblings();
  const TimeMs behind = TimeMs{rank} * options_.rank_delay_ms + (rank > 0 ? jitter_ : 0);
  return from + behind + TimeMs{failed_before()} * options_.stagger_ms;
}

void Candidate::stand(TimeMs now) {
  phase_ = Phase::kStanding;
  attempts_ = 0;
  began_ = now;
  jitter_ = random_.below(options_.rank_delay_ms / 4 + 1);
  std::erase_if(told_, [&](const Told& told) { return told.at + kStandingLifeMs < now; });
  send_standing(now);
}

void Candidate::send_standing(TimeMs now) {
  const OwnReplication own = view_.own_replication();
  for (const ReplicaView& replica : view_.replicas_of(primary_)) {
    if (replica.failed || replica.no_failover || told_by(replica.id) != nullptr) continue;
    ready_.send.emplace_back(replica.id, Standing{primary_, own.lineage, own.offset, own.complete,
                                                  eligible(), /*reply_wanted=*/true});
  }
  next_send_ = now + options_.resend_ms;
}

void Candidate::step(const NodeId& from, const Standing& message, TimeMs now) {
  const NodeId mine = view_.primary_of(ownership_.self());
  const bool same = mine && mine == message.primary;
  if (message.reply_wanted) {
    const OwnReplication own = view_.own_replication();
    ready_.send.emplace_back(from, Standing{message.primary, own.lineage, own.offset, own.complete,
                                            same && eligible(), /*reply_wanted=*/false});
  }
  if (!same) return;
  if (phase_ == Phase::kIdle && primary_ != mine) {
    told_.clear();
    primary_ = mine;
  }
  std::erase_if(told_, [&](const Told& told) { return told.id == from; });
  told_.push_back({from, message.lineage, message.offset, message.complete, message.eligible, now});
  tick(now);
}

TimeMs Candidate::longest_ask() const {
  return std::max<TimeMs>(kMinAskMs, TimeMs{2} * options_.node_timeout_ms);
}

void Candidate::ask(TimeMs now) {
  const SlotMap& map = ownership_.map();
  phase_ = Phase::kAsking;
  ++attempts_;
  epoch_ = ownership_.next_election_epoch();
  slots_ = std::make_shared<const SlotRanges>(map.slots_of(primary_));
  primary_epoch_ = map.claim_of(primary_)->epoch;
  electorate_ = map.owners_hash();
  split_with_sibling_ = false;
  asked_.clear();
  for (const NodeId& voter : map.owners()) {
    asked_.push_back({voter});
    if (voter != ownership_.self()) continue;
    ownership_.vote(epoch_, voter, primary_);
    asked_.back().answer = Answer::kGranted;
  }
  send_interval_ = options_.resend_ms;
  ask_until_ = now + longest_ask();
  ready_.events.push_back({ElectionEvent::kStarted, epoch_, primary_});
  send_requests(now);
}

void Candidate::send_requests(TimeMs now) {
  for (const Asked& voter : asked_) {
    if (voter.answer == Answer::kGranted || voter.answer == Answer::kFinal) continue;
    if (view_.failed(voter.id)) continue;
    ready_.send.emplace_back(
        voter.id, VoteRequest{epoch_, primary_, primary_epoch_, slots_, electorate_, manual_});
  }
  next_send_ = now + send_interval_;
  const TimeMs longest = std::max<TimeMs>(options_.resend_ms, options_.node_timeout_ms / 4);
  send_interval_ = std::min(longest, send_interval_ * 2);
}

void Candidate::step(const NodeId& from, const Vote& message, TimeMs now) {
  if (phase_ != Phase::kAsking || message.epoch != epoch_) {
    // The voter hasn't heard how that election ended. A claim it hears of by gossip.
    const bool gave_up = ownership_.config_epoch() < message.epoch;
    if (gave_up) ready_.send.emplace_back(from, VoteWithdrawn{message.epoch, NodeId()});
    return;
  }
  for (Asked& voter : asked_) {
    if (voter.id == from) voter.answer = Answer::kGranted;
  }
  tick(now);
}

void Candidate::step(const NodeId& from, const VoteRefusal& message, TimeMs now) {
  ownership_.observe_epoch(message.current_epoch);
  if (phase_ != Phase::kAsking || message.epoch != epoch_) return;
  for (Asked& voter : asked_) {
    if (voter.id != from || voter.answer == Answer::kGranted) continue;
    voter.answer = may_pass(message.reason) ? Answer::kMayPass : Answer::kFinal;
    if (message.reason == RefusalReason::kVotedForSibling) split_with_sibling_ = true;
  }
  tick(now);
}

void Candidate::count_votes(TimeMs now) {
  const size_t quorum = asked_.size() / 2 + 1;
  size_t granted = 0;
  size_t refused = 0;
  size_t gone = 0;  // FAIL, and haven't said anything final
  for (const Asked& voter : asked_) {
    if (voter.answer == Answer::kGranted) {
      ++granted;
    } else if (voter.answer == Answer::kFinal) {
      ++refused;
    } else if (view_.failed(voter.id)) {
      ++gone;
    }
  }
  if (granted >= quorum) {
    win(now);
  } else if (asked_.size() - gone >= quorum && asked_.size() - gone - refused < quorum) {
    // Not where it is cut off from the majority: it would run through the epochs.
    give_up_epoch(now);
  }
}

void Candidate::win(TimeMs now) {
  // What the voters agreed to, as far as the old primary still has it.
  const SlotRanges slots = slots_->intersection(ownership_.map().slots_of(primary_));
  const NodeId old = primary_;
  const uint64_t epoch = epoch_;
  stop(/*withdraw_votes=*/false, now);
  ownership_.win(epoch, slots);
  const bool own = old == ownership_.self();
  ready_.events.push_back({own ? ElectionEvent::kKept : ElectionEvent::kWon, epoch, old});
}

void Candidate::take_over(TimeMs now) {
  const NodeId old = view_.primary_of(ownership_.self());
  const SlotRanges slots = ownership_.map().slots_of(old);
  stop(/*withdraw_votes=*/true, now);
  const uint64_t epoch = ownership_.next_epoch();
  ownership_.win(epoch, slots);
  ready_.events.push_back({ElectionEvent::kWon, epoch, old});
}

void Candidate::withdraw(TimeMs now) {
  for (const Asked& voter : asked_) {
    if (voter.answer == Answer::kFinal || view_.failed(voter.id)) continue;
    if (voter.id == ownership_.self()) continue;
    ready_.send.emplace_back(voter.id, VoteWithdrawn{epoch_, primary_});
  }
  // Again while it waits, for each may be lost.
  next_send_ = now + send_interval_;
  send_interval_ *= 2;
}

void Candidate::give_up_epoch(TimeMs now) {
  ready_.events.push_back({ElectionEvent::kLost, epoch_, primary_});
  phase_ = Phase::kWaiting;
  const uint32_t doublings = std::min(attempts_, kMaxDoublings);
  const bool own = primary_ == ownership_.self();
  const bool yields = !manual_ && !own && better_siblings() > 0;
  const TimeMs longest = TimeMs{options_.resend_ms} << (doublings - 1);
  wait_until_ = now + 1 + random_.below(longest + 1);
  if (own) wait_until_ += options_.node_timeout_ms;
  if (split_with_sibling_ && yields) wait_until_ += TimeMs{options_.rank_delay_ms} << doublings;
  // Those who voted for it are free for others meanwhile.
  send_interval_ = options_.resend_ms;
  withdraw(now);
}

void Candidate::stop(bool withdraw_votes, TimeMs now) {
  if (phase_ == Phase::kAsking && withdraw_votes) {
    withdraw(now);
    ready_.events.push_back({ElectionEvent::kLost, epoch_, primary_});
  }
  phase_ = Phase::kIdle;
  manual_ = false;
  primary_ = NodeId();
  told_.clear();
  asked_.clear();
  slots_.reset();
}

void Candidate::ask_manually(TimeMs now) {
  if (manual_) return;
  primary_ = view_.primary_of(ownership_.self());
  manual_ = true;
  attempts_ = 0;
  ask(now);
}

void Candidate::end_manual(TimeMs now) {
  if (!manual_) return;
  stop(/*withdraw_votes=*/true, now);
  tick(now);
}

void Candidate::tick(TimeMs now) {
  if (phase_ == Phase::kIdle) {
    const NodeId whom = target();
    if (primary_ != whom) told_.clear();
    primary_ = whom;
    if (!wanted()) return;
    if (whom == ownership_.self()) {
      attempts_ = 0;
      ask(now);
    } else {
      stand(now);
    }
  } else if (!wanted()) {
    stop(/*withdraw_votes=*/true, now);
    return;
  }
  if (phase_ == Phase::kStanding) {
    if (now >= turn()) {
      ask(now);
    } else if (now >= next_send_) {
      send_standing(now);
    }
  }
  if (phase_ == Phase::kAsking) {
    const SlotMap& map = ownership_.map();
    if (map.owners_hash() != electorate_ || *slots_ != map.slots_of(primary_) ||
        primary_epoch_ != map.claim_of(primary_)->epoch) {
      // What was asked for no longer holds: votes for it mustn't count for what holds now.
      ask(now);
    } else if (now >= ask_until_) {
      give_up_epoch(now);
    } else if (now >= next_send_) {
      send_requests(now);
    }
  }
  if (phase_ == Phase::kAsking) count_votes(now);
  if (phase_ == Phase::kWaiting) {
    if (now >= wait_until_) {
      ask(now);
    } else if (now >= next_send_) {
      withdraw(now);
    }
  }
}

TimeMs Candidate::next_deadline() const {
  switch (phase_) {
    case Phase::kIdle:
      return UINT64_MAX;
    case Phase::kStanding:
      return std::min(next_send_, turn());
    case Phase::kAsking:
      return std::min(next_send_, ask_until_);
    case Phase::kWaiting:
      return std::min(wait_until_, next_send_);
  }
  return UINT64_MAX;
}

}  // namespace syntropy
