#include "membership/failure_ballot.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "membership/member_list.h"
#include "storage/base/coding.h"

namespace syntropy {
namespace {

/// Of one case; a suspect has eight observers, and a few more while views differ.
constexpr size_t kMaxAccusers = 32;

uint64_t member_mark(const NodeId& id) { return XXH3_64bits(id.bytes().data(), id.bytes().size()); }

uint64_t failure_mark(const NodeId& id, uint64_t incarnation) {
  char bytes[NodeId::kBytes + 8];
  std::copy(id.bytes().begin(), id.bytes().end(), bytes);
  store_le<uint64_t>(bytes + NodeId::kBytes, incarnation);
  return XXH3_64bits(bytes, sizeof(bytes));
}

/// The lowest of all ids with this digest id.
NodeId first_id_of(uint64_t digest_id) {
  char bytes[NodeId::kBytes] = {};
  store_be<uint64_t>(bytes, digest_id);
  return *NodeId::from_bytes({bytes, sizeof(bytes)});
}

}  // namespace

size_t accusers_needed(size_t observers, double loss) {
  if (observers <= 2) return observers;
  const double share = (3.0 + 3.0 * std::clamp(loss / 0.3, 0.0, 1.0)) / 8.0;
  const auto needed = static_cast<size_t>(std::lround(share * static_cast<double>(observers)));
  return std::clamp<size_t>(needed, 2, observers);
}

BallotBox::BallotBox(const Config& config, const NodeId& self, const Roster& roster,
                     const ObserverRing& ring, const Witness& witness, Random& random,
                     Events& events)
    : config_(config),
      self_(self),
      roster_(roster),
      ring_(ring),
      witness_(witness),
      random_(random),
      events_(events) {}

void BallotBox::start() {
  roster_hash_ = 0;
  for (size_t rank = 0; rank < roster_.size(); ++rank) {
    roster_hash_ += member_mark(roster_.id(rank));
  }
}

BallotBox::Case* BallotBox::open(const NodeId& subject, uint64_t incarnation) {
  const std::optional<size_t> rank = roster_.rank_of(subject);
  if (!rank.has_value() || incarnation < roster_.incarnation(*rank)) return nullptr;
  if (incarnation >= kDoubtful) return nullptr;  // a doubt accuses nobody
  const auto at = cases_.find(subject);
  if (at != cases_.end()) {
    if (at->second.incarnation > incarnation) return nullptr;
    if (at->second.incarnation == incarnation) return &at->second;
    close(at);
  }
  Case& fresh = cases_[subject];
  fresh.incarnation = incarnation;
  if (subject == self_) own_case_ = &fresh;
  return &fresh;
}

void BallotBox::close(Cases::iterator at) {
  if (at->second.decided) {
    failed_.erase(at->first);
    failed_hash_ -= failure_mark(at->first, at->second.incarnation);
    events_.refuted.push_back(at->first);
    recheck_soon();
  }
  if (&at->second == own_case_) own_case_ = nullptr;
  cases_.erase(at);
  ++revision_;
}

void BallotBox::recheck_soon() {
  // Decisions on many come together, and each takes an accuser away: not once for each of them.
  if (!cases_.empty()) recheck_at_ = std::min(recheck_at_, rechecked_at_ + config_.batch_ms);
}

bool BallotBox::accuse(Case& c, uint64_t observer, bool published) {
  const auto at =
      std::lower_bound(c.accusers.begin(), c.accusers.end(), observer,
                       [](const Accuser& a, uint64_t wanted) { return a.observer < wanted; });
  if (at != c.accusers.end() && at->observer == observer) {
    at->published = at->published || published;
    return false;
  }
  if (c.accusers.size() >= kMaxAccusers && !published) return false;
  c.accusers.insert(at, {observer, published});
  ++revision_;
  return true;
}

bool BallotBox::withdraw(Case& c, uint64_t observer) {
  const auto same = [&](const Accuser& a) { return a.observer == observer; };
  if (std::erase_if(c.accusers, same) == 0) return false;
  ++revision_;
  return true;
}

void BallotBox::set_own(const NodeId& subject, bool suspect, TimeMs now) {
  const uint64_t self = digest_id(self_);
  if (!suspect) {
    const auto at = cases_.find(subject);
    if (at == cases_.end() || at->second.decided || !withdraw(at->second, self)) return;
    review(subject, now);
    return;
  }
  const std::optional<size_t> rank = roster_.rank_of(subject);
  if (!rank.has_value()) return;
  Case* c = open(subject, roster_.incarnation(*rank));
  if (c == nullptr || c->decided || !accuse(*c, self, true)) return;
  if (c->pfail || !c->votes.empty()) note_news(*c, now);
  tell_observers(subject, *c, now);
  review(subject, now);
}

void BallotBox::set_published(const NodeId& observer, std::span<const Suspect> suspects,
                              TimeMs now) {
  if (observer == self_) return;
  const uint64_t accuser = digest_id(observer);
  note_doubts(accuser, suspects);
  std::vector<NodeId> changed;
  for (auto& [subject, c] : cases_) {
    const Suspect named{subject, c.incarnation};
    const bool stands = std::find(suspects.begin(), suspects.end(), named) != suspects.end();
    if (!c.decided && !stands && withdraw(c, accuser)) changed.push_back(subject);
  }
  for (const Suspect& suspect : suspects) {
    Case* c = open(suspect.subject, suspect.incarnation);
    if (c == nullptr || c->decided || !accuse(*c, accuser, true)) continue;
    if (c->pfail || !c->votes.empty()) note_news(*c, now);
    changed.push_back(suspect.subject);
  }
  for (const NodeId& subject : changed) review(subject, now);
}

void BallotBox::note_doubts(uint64_t observer, std::span<const Suspect> suspects) {
  if (doubts_.erase(observer) > 0) ++revision_;
  for (const Suspect& suspect : suspects) {
    if ((suspect.incarnation & kDoubtful) == 0) continue;
    doubts_[observer].push_back({suspect.subject, suspect.incarnation & ~kDoubtful});
    ++revision_;
  }
}

size_t BallotBox::observer_count() const {
  const size_t others = roster_.size() - std::min(roster_.size(), failed_.size() + 1);
  return std::min<size_t>(ring_.observers_each(), others);
}

bool BallotBox::counts(uint64_t observer) const {
  const size_t rank = roster_.members_below(first_id_of(observer));
  if (rank == roster_.size()) return false;
  const NodeId& id = roster_.id(rank);
  return digest_id(id) == observer && !failed_.contains(id);
}

void BallotBox::tell_observers(const NodeId& subject, Case& c, TimeMs now) {
  std::vector<NodeId> others = ring_.observers(roster_, failed_, subject);
  std::erase(others, self_);
  send(others, {ballot_of(subject, c, now)});
}

void BallotBox::receive(const NodeId& from, const BallotNews& news, TimeMs now) {
  for (const Ballot& ballot : news.ballots) merge(from, ballot, now);
}

void BallotBox::merge(const NodeId& from, const Ballot& ballot, TimeMs now) {
  const auto known = cases_.find(ballot.subject);
  if (known != cases_.end()) drop_expired(known->second, now);
  if (known != cases_.end() && known->second.decided &&
      ballot.incarnation <= known->second.incarnation) {
    // Who still votes on what is decided missed the decision.
    if (!ballot.decided) send({from}, {ballot_of(ballot.subject, known->second, now)});
    return;
  }
  const bool fresh = ballot.decided || ballot.age_ms < config_.life_ms / 2;
  const bool under_way =
      known != cases_.end() && known->second.since != kNever && ballot.age_ms < config_.life_ms;
  if (!fresh && !under_way) return;
  Case* c = open(ballot.subject, ballot.incarnation);
  if (c == nullptr) return;
  if (ballot.decided) {
    decide(ballot.subject, *c, now);
    return;
  }
  const bool news = take_in(*c, ballot, now);
  if (news && (c->pfail || !c->votes.empty())) note_news(*c, now);
  review(ballot.subject, now);
}

bool BallotBox::take_in(Case& c, const Ballot& ballot, TimeMs now) {
  bool news = false;
  const uint64_t self = digest_id(self_);
  for (const uint64_t observer : ballot.accusers) {
    // Nobody else knows better whom we suspect.
    if (observer != self) news = accuse(c, observer, false) || news;
  }
  const size_t words = (roster_.size() + 63) / 64;
  if (ballot.roster_hash == roster_hash_ && ballot.votes.words().size() <= words) {
    news = c.votes.merge(ballot.votes) || news;
  }
  const TimeMs age = std::min<TimeMs>(ballot.age_ms, now);
  c.since = std::min(c.since, now - age);
  return news;
}

void BallotBox::decide(const NodeId& subject, Case& c, TimeMs now) {
  Case decided;
  decided.incarnation = c.incarnation;
  decided.decided = true;
  c = std::move(decided);
  failed_.insert(subject);
  ++revision_;
  failed_hash_ += failure_mark(subject, c.incarnation);
  events_.failed.push_back({subject, c.incarnation});
  note_news(c, now);
  recheck_soon();
}

void BallotBox::drop_expired(Case& c, TimeMs now) {
  if (c.since == kNever || now - c.since < config_.life_ms) return;
  c.votes.clear();
  std::erase_if(c.accusers, [](const Accuser& a) { return !a.published; });
  c.since = kNever;
  c.pfail = false;
  c.news = false;
  ++revision_;
  c.repeat_gap = kFirstRepeatMs;
}

bool BallotBox::may_vote(const NodeId& subject, const Case& c, size_t accusing) const {
  if (subject == self_) return false;
  switch (witness_.sight(subject)) {
    case Sight::kHears:
      return false;
    case Sight::kNone:
      return c.pfail;
    case Sight::kSilent:
      // It knows for itself; the majority of the others who vote are what makes it several.
      return accusing >= std::min<size_t>(2, observer_count());
  }
  return false;
}

void BallotBox::review(const NodeId& subject, TimeMs now) {
  const auto at = cases_.find(subject);
  if (at == cases_.end() || at->second.decided) return;
  Case& c = at->second;
  drop_expired(c, now);
  if (c.accusers.empty() && c.votes.empty()) {
    close(at);
    return;
  }
  // Not whether each is an observer, which would cost a pass over the roster in every view: nobody
  // publishes whom it doesn't watch, and who is no longer to watch takes it back.
  size_t accusing = 0;
  for (const Accuser& accuser : c.accusers) accusing += counts(accuser.observer);
  const bool was_pfail = c.pfail;
  c.pfail = accusing > 0 && accusing >= accusers_needed(observer_count(), witness_.loss());
  if (c.pfail && !was_pfail) note_news(c, now);
  if (may_vote(subject, c, accusing)) {
    const std::optional<size_t> rank = roster_.rank_of(self_);
    if (rank.has_value() && roster_.votes(*rank) && c.votes.add(*rank)) {
      c.since = std::min(c.since, now);
      note_news(c, now);
    }
  }
  if (!c.votes.empty() && voter_count() > 0 && c.votes.count_in(voters()) >= majority()) {
    decide(subject, c, now);
  } else if (c.pfail || c.since != kNever) {
    repeat_later(c, now);
  }
}

void BallotBox::review_all(TimeMs now) {
  recheck_at_ = kNever;
  rechecked_at_ = now;
  std::vector<NodeId> subjects;
  for (const auto& [subject, c] : cases_) {
    if (!c.decided) subjects.push_back(subject);
  }
  for (const NodeId& subject : subjects) review(subject, now);
}

void BallotBox::member_added(const NodeId& id) {
  roster_hash_ += member_mark(id);
  const size_t rank = roster_.members_below(id);
  for (auto& [subject, c] : cases_) c.votes.make_room(rank);
  if (voters_.has_value()) {
    voters_->make_room(rank);
    if (roster_.votes(rank)) voters_->add(rank);
  }
  recheck_soon();
}

void BallotBox::member_removed(const NodeId& id) {
  roster_hash_ -= member_mark(id);
  doubts_.erase(digest_id(id));
  const auto at = cases_.find(id);
  if (at != cases_.end()) close(at);
  const size_t rank = roster_.members_below(id);
  for (auto& [subject, c] : cases_) {
    c.votes.close_gap(rank);
    withdraw(c, digest_id(id));
  }
  if (voters_.has_value()) voters_->close_gap(rank);
  recheck_soon();
}

void BallotBox::incarnation_changed(const NodeId& id) {
  ++revision_;  // doubts of what it was before are void
  const auto at = cases_.find(id);
  const std::optional<size_t> rank = roster_.rank_of(id);
  if (at == cases_.end() || !rank.has_value()) return;
  if (at->second.incarnation < roster_.incarnation(*rank)) close(at);
}

void BallotBox::electorate_changed(std::span<const NodeId> members) {
  for (const NodeId& id : members) {
    const std::optional<size_t> rank = roster_.rank_of(id);
    if (!voters_.has_value() || !rank.has_value()) continue;
    if (roster_.votes(*rank)) {
      voters_->add(*rank);
    } else {
      voters_->remove(*rank);
    }
  }
  recheck_soon();
}

const VoterSet& BallotBox::voters() const {
  if (!voters_.has_value()) {
    VoterSet::Words words((roster_.size() + 63) / 64);
    for (size_t rank = 0; rank < roster_.size(); ++rank) {
      if (roster_.votes(rank)) words[rank / 64] |= uint64_t{1} << rank % 64;
    }
    voters_.emplace(std::move(words));
  }
  return *voters_;
}

size_t BallotBox::voter_count() const { return voters().count(); }

size_t BallotBox::majority() const { return voter_count() / 2 + 1; }

bool BallotBox::is_suspect(const NodeId& id) const {
  const auto at = cases_.find(id);
  return at != cases_.end() && at->second.pfail;
}

size_t BallotBox::accusers(const NodeId& id) const {
  const auto at = cases_.find(id);
  return at == cases_.end() ? 0 : at->second.accusers.size();
}

std::optional<uint64_t> BallotBox::accused() const {
  const Case& c = *own_case_;
  if (!c.decided && !c.pfail && c.votes.empty()) return std::nullopt;
  return c.incarnation;
}

size_t BallotBox::doubts() const {
  size_t count = 0;
  for (const auto& [observer, subjects] : doubts_) count += subjects.size();
  return count;
}

std::vector<std::pair<uint64_t, uint64_t>> BallotBox::silences() const {
  std::vector<std::pair<uint64_t, uint64_t>> pairs;
  for (const auto& [subject, c] : cases_) {
    for (const Accuser& accuser : c.accusers) {
      pairs.emplace_back(accuser.observer, digest_id(subject));
    }
  }
  for (const auto& [observer, subjects] : doubts_) {
    for (const Suspect& doubt : subjects) {
      const std::optional<size_t> rank = roster_.rank_of(doubt.subject);
      const bool stands = rank.has_value() && doubt.incarnation >= roster_.incarnation(*rank);
      if (stands) pairs.emplace_back(observer, digest_id(doubt.subject));
    }
  }
  return pairs;
}

}  // namespace syntropy
