// The part of FailureDetector that looks at the whole: whom to watch, whether to trust ourselves,
// whom to publish as suspect, and whether we may serve.
#include <algorithm>
#include <functional>
#include <utility>

#include "membership/failure_detector.h"
#include "membership/member_list.h"

namespace syntropy {
namespace {

constexpr TimeMs kNever = BallotBox::kNever;
constexpr uint64_t kSeqStarts = 1 << 20;
/// Above so many members the check of the majority costs enough to be made less often.
constexpr size_t kLargeCluster = 64;
constexpr TimeMs kMajorityCheckMs = 50;
constexpr TimeMs kMinHoldMs = 150;
constexpr TimeMs kMaxHoldMs = 1'000;

}  // namespace

Sight FailureDetector::sight(const NodeId& id) const {
  const Watch* watch = find(id);
  if (watch == nullptr) return Sight::kNone;
  if (watch->suspected) return Sight::kSilent;
  return watch->beat.ever_heard() && !watch->silent ? Sight::kHears : Sight::kNone;
}

unsigned FailureDetector::caution(TimeMs now) const {
  size_t live = 0;
  size_t fresh = 0;
  for (const Watch& watch : watches_) {
    if (watch.failed) continue;
    ++live;
    fresh += now - watch.beat.heard_at() < config_.node_timeout / 2;
  }
  // Deaf: of two or more neighbours none is heard, so the fault is here, or nobody would listen.
  if (live >= 2 && fresh == 0) return 0;
  // Where all watch all, primaries vote by what they see themselves, and need no such caution.
  const bool all_watched = watches_.size() + 1 >= roster_.size();
  return all_watched || 2 * fresh >= live ? 1 : 2;
}

void FailureDetector::refresh_neighbours(TimeMs now) {
  const std::vector<ObserverRing::Neighbour> neighbours =
      ring_.neighbours(roster_, box_.failed(), self_, reach_);
  std::vector<Watch> before = std::exchange(watches_, {});
  watches_.reserve(neighbours.size());
  auto old = before.begin();
  std::vector<NodeId> dropped;
  for (const ObserverRing::Neighbour& neighbour : neighbours) {
    for (; old != before.end() && old->id < neighbour.id; ++old) {
      if (old->suspected) dropped.push_back(old->id);
    }
    const bool known = old != before.end() && old->id == neighbour.id;
    if (known) {
      watches_.push_back(std::move(*old++));
    } else {
      const auto first_seq = static_cast<uint32_t>(1 + random_.below(kSeqStarts));
      watches_.push_back(Watch{neighbour.id, Heartbeat(first_seq, now)});
      // At the start nobody's lease is taken for granted; later, who is new needs a moment.
      if (now - started_at_ > config_.node_timeout) {
        watches_.back().grace_until = now + config_.node_timeout / 2;
      }
    }
    Watch& watch = watches_.back();
    if (watch.failed && !neighbour.failed) {
      watch.beat.listen_from(now);
      watch.silent = watch.suspected = false;
    }
    watch.initiates = neighbour.initiates;
    watch.failed = neighbour.failed;
  }
  for (; old != before.end(); ++old) {
    if (old->suspected) dropped.push_back(old->id);
  }
  keys_.clear();
  for (const Watch& watch : watches_) keys_.push_back(watch.id.prefix());
  refresh_voters();
  for (const NodeId& id : dropped) box_.set_own(id, false, now);
  publish_suspects();
  alarm_at_ = now;
  majority_stale();
}

void FailureDetector::refresh_voters() {
  certain_until_ = 0;
  for (Watch& watch : watches_) {
    const std::optional<size_t> rank = roster_.rank_of(watch.id);
    watch.votes = rank.has_value() && roster_.votes(*rank);
  }
}

void FailureDetector::publish_suspects() {
  std::vector<Suspect> suspects;
  for (const Watch& watch : watches_) {
    if (!watch.silent || watch.failed) continue;
    const std::optional<size_t> rank = roster_.rank_of(watch.id);
    if (!rank.has_value()) continue;
    const uint64_t doubt = watch.suspected ? 0 : kDoubtful;
    suspects.push_back({watch.id, roster_.incarnation(*rank) | doubt});
  }
  if (suspects == published_) return;
  published_ = suspects;
  to_publish_ = std::move(suspects);
}

void FailureDetector::member_added(const NodeId& id, TimeMs now) {
  if (!started_) return;
  certain_until_ = 0;
  box_.member_added(id);
  if (ring_.within(reach_, self_, id)) refresh_neighbours(now);
  majority_stale();
  settle(now);
}

void FailureDetector::member_removed(const NodeId& id, TimeMs now) {
  if (!started_) return;
  certain_until_ = 0;
  box_.member_removed(id);
  if (find(id) != nullptr) refresh_neighbours(now);
  majority_stale();
  settle(now);
}

void FailureDetector::incarnation_changed(const NodeId& id, TimeMs now) {
  if (!started_) return;
  if (Watch* watch = find(id)) {
    // What was held against it is void; it gets the whole time again.
    watch->beat.listen_from(now);
    watch->refused_at = 0;
    watch->silent = false;
    if (std::exchange(watch->suspected, false)) box_.set_own(id, false, now);
    publish_suspects();
    majority_stale();
    alarm_at_ = now;
  }
  box_.incarnation_changed(id);
  settle(now);
}

void FailureDetector::electorate_changed(std::span<const NodeId> members, TimeMs now) {
  if (!started_) return;
  electorate_stale_.insert(electorate_stale_.end(), members.begin(), members.end());
  majority_stale();
  settle(now);
}

void FailureDetector::suspects_changed(const NodeId& observer, std::span<const Suspect> suspects,
                                       TimeMs now) {
  if (!started_) return;
  box_.set_published(observer, suspects, now);
  settle(now);
}

void FailureDetector::unreachable(const NodeId& node, TimeMs now) {
  Watch* watch = find(node);
  if (watch == nullptr || watch->failed) return;
  watch->refused_at = now;
  alarm_at_ = std::min(alarm_at_, std::max(now, watch->beat.heard_at() + patience(*watch)));
}

void FailureDetector::settle(TimeMs now) {
  if (now >= box_.next_deadline()) box_.tick(now);
  bool near = false;
  for (; failed_handled_ < events_.failed.size(); ++failed_handled_) {
    const NodeId& failed = events_.failed[failed_handled_].subject;
    near = near || find(failed) != nullptr;
    if (failed == self_) certain_until_ = 0;
  }
  for (; refuted_handled_ < events_.refuted.size(); ++refuted_handled_) {
    near = near || find(events_.refuted[refuted_handled_]) != nullptr;
  }
  if (near) refresh_neighbours(now);
  if (now >= refute_at_) refute(now);
  if (majority_revision_ != box_.revision()) {
    majority_revision_ = box_.revision();
    majority_stale();
  }
  if (now >= majority_check_at_) check_majority(now);
  if (held_ || now >= certain_until_) notice_lapse(now);
}

void FailureDetector::refute(TimeMs now) {
  const std::optional<uint64_t> accused = box_.accused_at();
  if (!accused.has_value()) return;
  const std::optional<size_t> rank = roster_.rank_of(self_);
  const uint64_t own = rank.has_value() ? roster_.incarnation(*rank) : 0;
  raised_ = std::max({*accused, own, raised_}) + 1;
  to_raise_ = raised_;
  // A node that is heard by few would go on like this for ever; not faster than it is judged.
  refute_at_ = now + config_.node_timeout;
}

void FailureDetector::majority_stale() {
  const bool large = roster_.size() > kLargeCluster;
  const TimeMs next = large ? majority_checked_at_ + kMajorityCheckMs : 0;
  majority_check_at_ = std::min(majority_check_at_, next);
}

void FailureDetector::check_majority(TimeMs now) {
  majority_check_at_ = kNever;
  majority_checked_at_ = now;
  if (!electorate_stale_.empty()) {
    box_.electorate_changed(electorate_stale_);
    electorate_stale_.clear();
    refresh_voters();
  }
  const size_t voters = box_.voter_count();
  if (voters == 0) {
    with_majority_ = true;
    return;
  }
  // Who is out of reach is FAIL, or not heard by somebody, or behind at least eight such nodes.
  const size_t lost = box_.failed().size() + config_.observers;
  size_t named = box_.suspects() + box_.doubts();
  for (const Watch& watch : watches_) named += watch.silent;
  const bool few = named < config_.observers && roster_.size() > kLargeCluster;
  with_majority_ = (few && voters >= box_.majority() + lost) || reaches_majority();
  if (!with_majority_) certain_until_ = 0;
}

bool FailureDetector::reaches_majority() const {
  // From this node along all pairs of neighbours of which neither accuses the other. Whoever is cut
  // off with us says so, and from the others nothing can come: what is left is our side.
  const std::vector<ObserverRing::Place> order = ring_.order(roster_, box_.failed());
  std::vector<uint64_t> ids;
  ids.reserve(order.size());
  size_t start = order.size();
  for (size_t i = 0; i < order.size(); ++i) {
    if (roster_.id(order[i].rank) == self_) start = i;
    ids.push_back(digest_id(roster_.id(order[i].rank)));
  }
  if (start == order.size()) return false;
  std::vector<std::pair<uint64_t, uint64_t>> broken = box_.silences();
  for (const Watch& watch : watches_) {
    if (watch.silent) broken.emplace_back(digest_id(self_), digest_id(watch.id));
  }
  std::sort(broken.begin(), broken.end());
  const auto accuses = [&](uint64_t a, uint64_t b) {
    return std::binary_search(broken.begin(), broken.end(), std::pair(a, b));
  };
  std::vector<bool> reached(order.size());
  std::vector<size_t> open{start};
  reached[start] = true;
  size_t votes = 0;
  while (!open.empty()) {
    const size_t at = open.back();
    open.pop_back();
    votes += roster_.votes(order[at].rank);
    const size_t side = std::min<size_t>(ring_.each_side(), order.size() - 1);
    for (size_t step = 1; step <= side; ++step) {
      for (const size_t next :
           {(at + step) % order.size(), (at + order.size() - step) % order.size()}) {
        if (reached[next] || accuses(ids[at], ids[next]) || accuses(ids[next], ids[at])) continue;
        reached[next] = true;
        open.push_back(next);
      }
    }
  }
  return votes >= box_.majority();
}

TimeMs FailureDetector::leases_until() const {
  const size_t voters = box_.voter_count();
  if (voters == 0) return kNever;
  const TimeMs length = config_.node_timeout - config_.node_timeout / 64;  // for clocks that drift
  std::vector<TimeMs> ends;
  std::vector<TimeMs> voter_ends;
  for (const Watch& watch : watches_) {
    if (watch.failed) continue;
    const TimeMs from = watch.beat.lease_from();
    const TimeMs end = std::max(from == 0 ? 0 : from + length, watch.grace_until);
    ends.push_back(end);
    if (watch.votes) voter_ends.push_back(end);
  }
  // A decision takes a majority that votes, and each that votes and watches us lost its lease
  // first; one that doesn't watch us has seen enough accusers.
  const std::optional<size_t> rank = roster_.rank_of(self_);
  const size_t others = voters - (rank.has_value() && roster_.votes(*rank) ? 1 : 0);
  const size_t majority = box_.majority();
  if (others < majority || ends.empty()) return kNever;
  const size_t enough = std::min(accusers_needed(ends.size(), 0), majority);
  std::nth_element(ends.begin(), ends.begin() + static_cast<ptrdiff_t>(enough - 1), ends.end());
  const TimeMs until = ends[enough - 1];
  const size_t spare = others - majority;  // voters beyond which each lease forbids a decision
  if (voter_ends.size() <= spare) return until;
  const auto at = voter_ends.begin() + static_cast<ptrdiff_t>(spare);
  std::nth_element(voter_ends.begin(), at, voter_ends.end(), std::greater<>());
  return std::max(until, *at);
}

TimeMs FailureDetector::certain_until() const {
  return with_majority_ && !box_.is_failed(self_) ? leases_until() : 0;
}

TimeMs FailureDetector::serve_until() const { return !started_ || held_ ? 0 : certain_until(); }

void FailureDetector::notice_lapse(TimeMs now) {
  if (now >= certain_until_) certain_until_ = certain_until();
  if (now >= certain_until_) {
    // Observers that are heard again take their word back, but votes that were cast on it may still
    // come together, and a decision may be on its way.
    held_ = true;
    hold_until_ = now + std::clamp(config_.node_timeout / 2, kMinHoldMs, kMaxHoldMs);
  } else if (now >= hold_until_) {
    held_ = false;
    hold_until_ = kNever;
  }
}

Liveness FailureDetector::liveness(const NodeId& id) const {
  if (box_.is_failed(id)) return Liveness::kFailed;
  if (id == self_) return Liveness::kAlive;
  const Watch* watch = find(id);
  const bool silent = watch != nullptr && watch->silent;
  return silent || box_.is_suspect(id) ? Liveness::kSuspect : Liveness::kAlive;
}

size_t FailureDetector::failure_reports(const NodeId& id) const { return box_.accusers(id); }

uint64_t FailureDetector::failed_hash() const { return box_.failed_hash(); }

std::optional<BallotNews> FailureDetector::failures() const { return box_.failures(); }

}  // namespace syntropy
