#include "membership/election.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace syntropy {

Election::Election(Ownership& ownership, const ElectionView& view, Random& random,
                   const ElectionOptions& options)
    : ownership_(ownership),
      view_(view),
      options_(options),
      voter_(ownership, view),
      candidate_(ownership, view, random, options_, ready_),
      handshake_(ownership, view, random, options_, ready_) {}

void Election::set_options(const ElectionOptions& options) { options_ = options; }

void Election::step(const NodeId& from, const ElectionMessage& message, TimeMs now) {
  if (from == ownership_.self()) return;
  if (const auto* request = std::get_if<VoteRequest>(&message)) {
    if (request->slots == nullptr || request->epoch > kMaxEpoch) return;
    ready_.send.emplace_back(from, voter_.answer(from, *request, now, options_.node_timeout_ms));
  } else if (const auto* withdrawn = std::get_if<VoteWithdrawn>(&message)) {
    voter_.step(from, *withdrawn);
  } else if (const auto* vote = std::get_if<Vote>(&message)) {
    candidate_.step(from, *vote, now);
  } else if (const auto* refusal = std::get_if<VoteRefusal>(&message)) {
    if (refusal->current_epoch <= kMaxEpoch) candidate_.step(from, *refusal, now);
  } else if (const auto* standing = std::get_if<Standing>(&message)) {
    candidate_.step(from, *standing, now);
  } else if (const auto* start = std::get_if<MfStart>(&message)) {
    handshake_.step(from, *start, now);
  } else if (const auto* paused = std::get_if<MfPaused>(&message)) {
    handshake_.step(from, *paused);
  } else if (const auto* cancel = std::get_if<MfCancel>(&message)) {
    handshake_.step(from, *cancel);
  }
  tick(now);
}

void Election::tick(TimeMs now) {
  if (won()) handshake_.finish();
  const bool was_manual = handshake_.in_progress();
  handshake_.tick(now);
  if (was_manual && !handshake_.in_progress()) candidate_.end_manual(now);
  if (handshake_.may_ask()) candidate_.ask_manually(now);
  candidate_.tick(now);
  for (const auto& [candidate, vote] : voter_.votes_due(now, options_.node_timeout_ms)) {
    ready_.send.emplace_back(candidate, vote);
  }
}

bool Election::won() const {
  return std::any_of(ready_.events.begin(), ready_.events.end(),
                     [](const ElectionEvent& event) { return event.kind == ElectionEvent::kWon; });
}

Status Election::start_manual(FailoverMode mode, TimeMs now) {
  const NodeId primary = view_.primary_of(ownership_.self());
  if (!primary) return Status::invalid_argument("a failover is asked of a replica");
  if (!ownership_.map().owns_slots(primary)) {
    return Status::not_found("the primary of this replica owns no slots in its view");
  }
  if (mode == FailoverMode::kDefault && view_.failed(primary)) {
    return Status::unavailable("the primary has failed: it can't stop writing first");
  }
  candidate_.end_manual(now);
  handshake_.finish();
  if (mode == FailoverMode::kTakeover) {
    candidate_.take_over(now);
  } else {
    handshake_.start(primary, mode == FailoverMode::kDefault, now);
    tick(now);
  }
  return {};
}

void Election::writes_paused(const LineageId& lineage, uint64_t offset) {
  handshake_.writes_paused(lineage, offset);
}

TimeMs Election::next_deadline() const {
  return std::min({candidate_.next_deadline(), handshake_.next_deadline(), voter_.next_deadline()});
}

ElectionReady Election::take_ready() { return std::exchange(ready_, {}); }

}  // namespace syntropy
