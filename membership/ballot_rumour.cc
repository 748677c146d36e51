// The part of BallotBox that passes ballots on: at once and then in batches while there is news
// (infect and die), and again at growing intervals while a case is open, because rumours get lost.
#include <algorithm>
#include <utility>

#include "membership/failure_ballot.h"
#include "membership/member_list.h"

namespace syntropy {
namespace {

constexpr size_t kRepeatPeers = 2;
constexpr size_t kMaxNewsBytes = 48 * 1024;
/// To each peer, when very many are suspect at once.
constexpr size_t kBytesPerMs = 1024;

}  // namespace

void BallotBox::repeat_later(Case& c, TimeMs now) {
  if (c.repeat_at == kNever) c.repeat_at = now + c.repeat_gap;
  repeat_at_ = std::min(repeat_at_, c.repeat_at);
}

void BallotBox::note_news(Case& c, TimeMs now) {
  c.news = true;
  flush_at_ = std::min(flush_at_, std::max(now, flush_from_));
}

Ballot BallotBox::ballot_of(const NodeId& subject, const Case& c, TimeMs now) const {
  Ballot ballot;
  ballot.subject = subject;
  ballot.incarnation = c.incarnation;
  ballot.decided = c.decided;
  if (c.decided) return ballot;
  if (c.since < now) ballot.age_ms = static_cast<uint32_t>(now - c.since);
  for (const Accuser& accuser : c.accusers) ballot.accusers.push_back(accuser.observer);
  if (!c.votes.empty()) {
    ballot.roster_hash = roster_hash_;
    ballot.votes = c.votes;
  }
  return ballot;
}

std::vector<NodeId> BallotBox::peers(size_t count) {
  std::vector<NodeId> chosen;
  const size_t size = roster_.size();
  const auto fits = [&](const NodeId& id) { return id != self_ && !failed_.contains(id); };
  if (size <= 4 * count) {
    for (size_t rank = 0; rank < size; ++rank) {
      if (fits(roster_.id(rank))) chosen.push_back(roster_.id(rank));
    }
    for (size_t i = 0; i < chosen.size() && i < count; ++i) {
      std::swap(chosen[i], chosen[i + random_.below(chosen.size() - i)]);
    }
    if (chosen.size() > count) chosen.resize(count);
    return chosen;
  }
  for (size_t tries = 8 * count; tries > 0 && chosen.size() < count; --tries) {
    const NodeId& id = roster_.id(random_.below(size));
    const bool taken = std::find(chosen.begin(), chosen.end(), id) != chosen.end();
    if (!taken && fits(id)) chosen.push_back(id);
  }
  return chosen;
}

void BallotBox::send(const std::vector<NodeId>& to, const std::vector<Ballot>& ballots) {
  if (ballots.empty()) return;
  for (const NodeId& id : to) events_.send.push_back({id, BallotNews{ballots}});
}

bool BallotBox::gather(const NodeId& subject, const Case& c, TimeMs now,
                       std::vector<Ballot>& ballots, size_t& bytes) const {
  Ballot ballot = ballot_of(subject, c, now);
  bytes += wire_size(ballot);
  if (bytes > kMaxNewsBytes && !ballots.empty()) return false;
  ballots.push_back(std::move(ballot));
  return true;
}

void BallotBox::flush(TimeMs now) {
  flush_at_ = kNever;
  std::vector<Ballot> ballots;
  size_t bytes = 0;
  bool full = false;
  auto at = cases_.upper_bound(flushed_to_);
  for (size_t left = cases_.size(); left > 0; --left, ++at) {
    if (at == cases_.end()) at = cases_.begin();
    Case& c = at->second;
    if (!c.news) continue;
    if (!gather(at->first, c, now, ballots, bytes)) {
      full = true;
      break;
    }
    c.news = false;
    flushed_to_ = at->first;
  }
  flush_from_ = now + config_.batch_ms + bytes / kBytesPerMs;
  if (full) flush_at_ = flush_from_;
  if (!ballots.empty()) send(peers(config_.fanout), ballots);
}

void BallotBox::repeat(TimeMs now) {
  std::vector<NodeId> due;
  for (const auto& [subject, c] : cases_) {
    if (now >= c.repeat_at) due.push_back(subject);
  }
  std::vector<Ballot> ballots;
  size_t bytes = 0;
  for (const NodeId& subject : due) {
    Case& c = cases_.at(subject);
    c.repeat_at = kNever;
    c.repeat_gap = std::min(c.repeat_gap + c.repeat_gap / 2, config_.life_ms / 4);
    review(subject, now);
    const auto at = cases_.find(subject);
    if (at == cases_.end() || at->second.decided) continue;
    const Case& open_case = at->second;
    if (open_case.pfail || !open_case.votes.empty()) {
      gather(subject, open_case, now, ballots, bytes);
    }
  }
  repeat_at_ = kNever;
  for (const auto& [subject, c] : cases_) repeat_at_ = std::min(repeat_at_, c.repeat_at);
  if (!ballots.empty()) send(peers(kRepeatPeers), ballots);
}

void BallotBox::inform(const NodeId& failed, TimeMs now) {
  const auto at = cases_.find(failed);
  if (at != cases_.end() && at->second.decided)
    send({failed}, {ballot_of(failed, at->second, now)});
}

std::optional<BallotNews> BallotBox::failures() const {
  BallotNews news;
  for (const NodeId& id : failed_) news.ballots.push_back(ballot_of(id, cases_.at(id), 0));
  if (news.ballots.empty()) return std::nullopt;
  return news;
}

void BallotBox::tick(TimeMs now) {
  if (now >= recheck_at_) review_all(now);
  if (now >= repeat_at_) repeat(now);
  if (now >= flush_at_) flush(now);
}

}  // namespace syntropy
