#include "membership/failure_detector.h"

#include <algorithm>
#include <utility>

namespace syntropy {
namespace {

constexpr TimeMs kNever = BallotBox::kNever;
constexpr TimeMs kMinIntervalMs = 50;
constexpr TimeMs kMaxIntervalMs = 1'000;
constexpr TimeMs kMinFastIntervalMs = 10;
/// Ballots must have the time to reach everybody, however short the node timeout.
constexpr TimeMs kMinBallotLifeMs = 4'000;
constexpr size_t kHelpers = 3;
/// Weight of one message in the measured loss: a memory of one or two seconds.
constexpr double kLossWeight = 1.0 / 64;

TimeMs interval_of(TimeMs node_timeout) {
  return std::clamp(node_timeout / 5, kMinIntervalMs, kMaxIntervalMs);
}

BallotBox::Config ballot_config(const DetectorConfig& config) {
  return {config.fanout, config.batch_ms, std::max(2 * config.node_timeout, kMinBallotLifeMs)};
}

}  // namespace

void FailureDetector::Ready::clear() {
  raise_incarnation.reset();
  suspects.reset();
  failed.clear();
  refuted.clear();
  send.clear();
}

FailureDetector::FailureDetector(const DetectorConfig& config, const NodeId& self,
                                 const Roster& roster, Random& random)
    : config_(config),
      self_(self),
      roster_(roster),
      random_(random),
      ring_(config.ring_seed, config.observers),
      box_(ballot_config(config), self, roster_, ring_, *this, random_, events_) {
  interval_ = interval_of(config.node_timeout);
  fast_interval_ = std::max(interval_ / 4, kMinFastIntervalMs);
}

void FailureDetector::start(TimeMs now) {
  started_ = true;
  started_at_ = now;
  caught_up_at_ = now;
  box_.start();
  refresh_neighbours(now);
  // Observers of one node shouldn't all lose patience at the same moment.
  round_at_ = now + random_.below(interval_);
  settle(now);
}

void FailureDetector::set_node_timeout(TimeMs node_timeout, TimeMs now) {
  config_.node_timeout = node_timeout;
  interval_ = interval_of(node_timeout);
  fast_interval_ = std::max(interval_ / 4, kMinFastIntervalMs);
  box_.set_life(ballot_config(config_).life_ms);
  certain_until_ = 0;
  if (!started_) return;
  // Nobody is blamed for a silence that was within the old bounds.
  for (Watch& watch : watches_) {
    if (!watch.silent) watch.beat.listen_from(now);
  }
  round_at_ = std::min(round_at_, now + interval_);
  alarm_at_ = now;
  settle(now);
}

FailureDetector::Watch* FailureDetector::find(const NodeId& id) {
  return const_cast<Watch*>(std::as_const(*this).find(id));
}

const FailureDetector::Watch* FailureDetector::find(const NodeId& id) const {
  const uint64_t key = id.prefix();
  for (size_t i = 0; i < keys_.size(); ++i) {
    if (keys_[i] == key && watches_[i].id == id) return &watches_[i];
  }
  return nullptr;
}

void FailureDetector::send(const NodeId& to, const DetectorMessage& message) {
  events_.send.push_back({to, message});
}

void FailureDetector::notice_pause(TimeMs now) {
  notice_lapse(now);
  const TimeMs due = std::max(std::min(round_at_, alarm_at_), caught_up_at_);
  if (due == kNever || now <= due + fast_interval_) return;
  // We were stopped, or are too busy: what others sent meanwhile, and what we didn't ask, isn't
  // their fault. The leases that we hold have run on, though.
  const TimeMs late = now - due;
  for (Watch& watch : watches_) {
    if (!watch.silent) watch.beat.listen_from(std::min(now, watch.beat.heard_at() + late));
  }
  caught_up_at_ = now;
}

void FailureDetector::step(const NodeId& from, const DetectorMessage& message, TimeMs now) {
  if (!started_ || from == self_) return;
  notice_pause(now);
  if (const auto* ping = std::get_if<Ping>(&message)) {
    on_ping(from, *ping, now);
  } else if (const auto* ack = std::get_if<Ack>(&message)) {
    on_numbers(from, *ack, true, now);
  } else if (const auto* news = std::get_if<BallotNews>(&message)) {
    box_.receive(from, *news, now);
  } else {
    on_relay(from, message, now);
  }
  settle(now);
}

void FailureDetector::on_ping(const NodeId& from, const Ping& ping, TimeMs now) {
  on_numbers(from, ping, true, now);
  // It gets no lease before it has refuted that: it might serve what others have taken over.
  if (box_.is_failed(from)) return box_.inform(from, now);
  Watch* watch = find(from);
  if (watch == nullptr) {
    send(from, Ack{0, ping.seq, roster_.lease_withheld(from)});
    return;
  }
  const Heartbeat::Numbers numbers = watch->beat.next(now);
  send(from, Ack{numbers.seq, numbers.seen, roster_.lease_withheld(from)});
}

void FailureDetector::on_relay(const NodeId& from, const DetectorMessage& message, TimeMs now) {
  if (const auto* probe = std::get_if<IndirectProbe>(&message)) {
    if (probe->subject == self_ || !roster_.rank_of(probe->subject).has_value()) return;
    send(probe->subject, RelayedPing{from, probe->seq, probe->seen, probe->no_lease});
  } else if (const auto* relayed = std::get_if<RelayedPing>(&message)) {
    answer_relayed(from, *relayed, now);
  } else if (const auto* back = std::get_if<RelayedAck>(&message)) {
    if (back->origin == self_ || !roster_.rank_of(back->origin).has_value()) return;
    send(back->origin, IndirectAck{from, back->seq, back->seen, back->no_lease});
  } else if (const auto* ack = std::get_if<IndirectAck>(&message)) {
    on_numbers(ack->subject, *ack, false, now);
  }
}

void FailureDetector::answer_relayed(const NodeId& helper, const RelayedPing& ping, TimeMs now) {
  if (ping.origin == self_ || box_.is_failed(ping.origin)) return;
  on_numbers(ping.origin, ping, false, now);
  Heartbeat::Numbers numbers{0, ping.seq};
  if (Watch* watch = find(ping.origin)) numbers = watch->beat.next(now);
  // The direct way as well: it may be open in this direction.
  const bool no_lease = roster_.lease_withheld(ping.origin);
  send(helper, RelayedAck{ping.origin, numbers.seq, numbers.seen, no_lease});
  send(ping.origin, Ack{numbers.seq, numbers.seen, no_lease});
}

template <typename Numbers>
void FailureDetector::on_numbers(const NodeId& from, const Numbers& numbers, bool direct,
                                 TimeMs now) {
  Watch* watch = find(from);
  if (watch == nullptr) return;
  const bool had_lease = watch->beat.lease_from() != 0;
  const Heartbeat::Received received =
      watch->beat.receive(numbers.seq, numbers.seen, numbers.no_lease, now);
  if (direct) count_loss(received);
  if (!received.heard) return;
  if (watch->silent) {
    watch->silent = false;
    majority_stale();
    alarm_at_ = std::min(alarm_at_, now + fast_interval_);
    if (watch->suspected) box_.set_own(from, false, now);
    watch->suspected = false;
    publish_suspects();
  }
  // It now knows us by our first message; only a second one shows it that we hear it.
  const bool awaits_lease = !had_lease && !numbers.no_lease;
  if (awaits_lease && !watch->failed && now > watch->pinged_at) ping(*watch, now, false);
}

void FailureDetector::count_loss(const Heartbeat::Received& received) {
  if (!received.in_order) return;
  for (uint32_t i = 0; i < received.missing; ++i) loss_ += (1 - loss_) * kLossWeight;
  loss_ -= loss_ * kLossWeight;
}

void FailureDetector::ping(Watch& watch, TimeMs now, bool with_helpers) {
  const Heartbeat::Numbers numbers = watch.beat.next(now);
  watch.pinged_at = now;
  const bool no_lease = roster_.lease_withheld(watch.id);
  send(watch.id, Ping{numbers.seq, numbers.seen, no_lease});
  if (!with_helpers) return;
  std::vector<const Watch*> helpers;
  for (const Watch& other : watches_) {
    const bool fresh = now - other.beat.heard_at() < 2 * interval_;
    if (&other != &watch && !other.failed && !other.silent && fresh) helpers.push_back(&other);
  }
  for (size_t i = 0; i < std::min(kHelpers, helpers.size()); ++i) {
    std::swap(helpers[i], helpers[i + random_.below(helpers.size() - i)]);
    send(helpers[i]->id, IndirectProbe{watch.id, numbers.seq, numbers.seen, no_lease});
  }
}

void FailureDetector::send_round(TimeMs now) {
  round_at_ = std::max(round_at_ + interval_, now + 1);
  for (Watch& watch : watches_) {
    const bool regular = watch.initiates && !watch.failed && !watch.silent;
    if (regular && !lagging(watch, now)) ping(watch, now, false);
  }
}

TimeMs FailureDetector::patience(const Watch& watch) const {
  const bool refused = watch.refused_at > watch.beat.heard_at();
  return refused ? config_.node_timeout / 2 : config_.node_timeout;
}

bool FailureDetector::lagging(const Watch& watch, TimeMs now) const {
  if (now - watch.beat.heard_at() >= 2 * interval_) return true;
  const TimeMs lease = watch.beat.lease_from();
  return lease == 0 || now - lease >= config_.node_timeout / 2;
}

void FailureDetector::service(Watch& watch, TimeMs now) {
  if (watch.failed) {
    if (now - watch.pinged_at >= config_.node_timeout) ping(watch, now, false);
    return;
  }
  const TimeMs unheard = now - watch.beat.heard_at();
  if (!watch.suspected && unheard >= patience(watch)) {
    watch.silent = true;
    const unsigned times = caution(now);
    watch.suspected = times > 0 && unheard >= times * patience(watch);
    if (watch.suspected) box_.set_own(watch.id, true, now);
    publish_suspects();
    majority_stale();
  }
  const TimeMs pause = watch.silent ? interval_ : fast_interval_;
  if (!watch.silent && !lagging(watch, now)) return;
  if (watch.pinged_at != 0 && now - watch.pinged_at < pause) return;
  const bool late = unheard >= 3 * interval_ && watch.beat.ever_heard();
  ping(watch, now, late && (watch.silent || ++watch.probes % 2 == 0));
}

TimeMs FailureDetector::alarm(const Watch& watch, TimeMs now) const {
  const TimeMs heard = watch.beat.heard_at();
  if (watch.failed) return watch.pinged_at + config_.node_timeout;
  if (watch.silent) {
    const TimeMs second = heard + 2 * patience(watch);
    const TimeMs probe = watch.pinged_at + interval_;
    return watch.suspected || second <= now ? probe : std::min(probe, second);
  }
  const TimeMs end = heard + patience(watch);
  if (lagging(watch, now)) return std::min(end, watch.pinged_at + fast_interval_);
  return std::min({end, heard + 2 * interval_, watch.beat.lease_from() + config_.node_timeout / 2});
}

void FailureDetector::tick(TimeMs now) {
  if (!started_) return;
  notice_pause(now);
  if (now >= round_at_) send_round(now);
  if (now >= alarm_at_ || !watches_.empty()) {
    for (Watch& watch : watches_) service(watch, now);
    alarm_at_ = kNever;
    for (const Watch& watch : watches_) alarm_at_ = std::min(alarm_at_, alarm(watch, now));
  }
  settle(now);
}

TimeMs FailureDetector::next_deadline() const {
  if (!started_) return kNever;
  const TimeMs beats = watches_.empty() ? kNever : std::min(round_at_, alarm_at_);
  const TimeMs refutation = box_.accused_at().has_value() ? refute_at_ : kNever;
  return std::min({beats, box_.next_deadline(), majority_check_at_, refutation, hold_until_});
}

bool FailureDetector::has_ready() const {
  return !events_.send.empty() || !events_.failed.empty() || !events_.refuted.empty() ||
         to_publish_.has_value() || to_raise_.has_value();
}

void FailureDetector::take_ready(Ready& ready) {
  ready.clear();
  std::swap(ready.raise_incarnation, to_raise_);
  std::swap(ready.suspects, to_publish_);
  std::swap(ready.failed, events_.failed);
  std::swap(ready.refuted, events_.refuted);
  std::swap(ready.send, events_.send);
  failed_handled_ = 0;
  refuted_handled_ = 0;
}

}  // namespace syntropy
