#include "membership/gossip.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace syntropy {
namespace {

constexpr TimeMs kNever = ~TimeMs{0};
/// Changes kept in case a peer hasn't seen them; more than digests name.
constexpr size_t kRecentCapacity = 256;
/// A first version is drawn from this many, so that versions of a life that began with an empty
/// disk aren't those of the life before.
constexpr uint64_t kFirstVersions = 1 << 14;
/// One pick in so many may be an avoided member.
constexpr uint64_t kAvoidedPick = 10;
constexpr int kPickTries = 8;
/// Exchanges a round of a node that listens: it has yet to hear what the others remember of it.
constexpr uint32_t kListeningFanOut = 8;

GossipOptions checked(GossipOptions options) {
  options.interval_ms = std::max<TimeMs>(options.interval_ms, 1);
  // Whatever a member may tell must fit into a message, or it would never be told.
  options.max_delta_bytes = std::max(options.max_delta_bytes, options.limits.max_entry_bytes + 64);
  return options;
}

}  // namespace

void GossipReady::clear() {
  sends.clear();
  changes.clear();
  extra_differs.clear();
  echoed.clear();
  restamped = false;
}

Gossip::Gossip(const GossipOptions& options, const NodeId& self, Random& random, TimeMs now)
    : options_(checked(options)),
      random_(random),
      state_(self, options.limits, random.below(kFirstVersions)),
      recent_(kRecentCapacity, options.recent_age_ms),
      flow_(options.flow, now),
      unsettled_(2),
      agreed_at_(now),
      next_round_(options_.fan_out == 0 ? kNever : now + random.below(options_.interval_ms)),
      rumour_at_(kNever),
      deadline_(next_round_) {}

void Gossip::start_with(const MemberList& view) {
  state_.start_with(view);
  unsettled_ = 0;
}

void Gossip::speak(EntryVersion told, TimeMs now) {
  if (std::optional<MemberChange> change = state_.speak(told)) {
    note_change(std::move(*change), true, now);
  }
}

bool Gossip::set_own(EntryKey key, std::string_view value, TimeMs now) {
  if (value.size() > options_.limits.max_entry_bytes) return false;
  if (!options_.limited_keys.contains(key)) {
    write_own(key, value, now);
    update_deadline();
    return true;
  }
  const auto pending = std::find_if(pending_own_.begin(), pending_own_.end(),
                                    [key](const PendingOwn& own) { return own.key == key; });
  if (pending != pending_own_.end()) {
    flow_.want(now);
    pending->value = value;
  } else if (const Entry* known = state_.own()->find(key);
             known == nullptr || *known->value != value) {
    flow_.want(now);
    pending_own_.push_back({key, std::string(value)});
  }
  write_pending(now);
  update_deadline();
  return true;
}

void Gossip::write_pending(TimeMs now) {
  while (!pending_own_.empty() && flow_.take(now)) {
    const PendingOwn own = std::move(pending_own_.front());
    pending_own_.erase(pending_own_.begin());
    write_own(own.key, own.value, now);
  }
}

void Gossip::write_own(EntryKey key, std::string_view value, TimeMs now) {
  if (std::optional<MemberChange> change = state_.set_own(key, value)) {
    note_change(std::move(*change), true, now);
  }
}

void Gossip::note_change(MemberChange change, bool rumour, TimeMs now) {
  const EntryVersion before = change.before == nullptr ? 0 : change.before->max_version;
  const bool urgent =
      rumour && options_.rumour_fan_out > 0 && change.keys.intersects(options_.urgent_keys);
  recent_.add(digest_id(change.id()), before, urgent, now);
  if (urgent && rumour_at_ == kNever) rumour_at_ = now + options_.rumour_delay_ms;
  ready_.changes.push_back(std::move(change));
}

bool Gossip::add_contact(const NodeId& id, TimeMs now) {
  if (std::optional<MemberChange> change = state_.add_contact(id)) {
    ready_.changes.push_back(std::move(*change));
    // Whoever meets a stranger knows little, or the stranger does.
    unsettled_ = std::max(unsettled_, 2u);
    want(digest_id(id));
    exchange_with(id, now);
  }
  return state_.members().find(id) != nullptr;
}

bool Gossip::forget(const NodeId& id, uint64_t stamp) {
  std::optional<MemberChange> change = state_.forget(id, stamp);
  if (!change) return false;
  recent_.erase(digest_id(id));
  std::erase(due_, id);
  ready_.changes.push_back(std::move(*change));
  return true;
}

void Gossip::exchange_with(const NodeId& peer, TimeMs now) {
  if (peer == self() || std::find(due_.begin(), due_.end(), peer) != due_.end()) return;
  due_.push_back(peer);
  deadline_ = std::min(deadline_, now);
}

void Gossip::step(const NodeId& from, const GossipMessage& message, TimeMs now) {
  if (from == self()) return;
  std::visit([&](const auto& m) { on(from, m, now); }, message);
  update_deadline();
}

void Gossip::tick(TimeMs now) {
  recent_.expire(now);
  write_pending(now);
  if (!due_.empty()) {
    const std::vector<NodeId> due = std::exchange(due_, {});
    for (const NodeId& peer : due) begin_exchange(peer, now);
  }
  if (now >= rumour_at_) send_rumours(now);
  if (now >= next_round_ && options_.fan_out > 0) {
    send_round(now);
    // Whoever was paused doesn't make up for the rounds it missed.
    const TimeMs interval = options_.interval_ms;
    const uint32_t fan_out = state_.listening() ? kListeningFanOut : options_.fan_out;
    const TimeMs step = interval * (turn_ + 1) / fan_out - interval * turn_ / fan_out;
    turn_ = (turn_ + 1) % fan_out;
    next_round_ += step;
    if (next_round_ <= now) next_round_ = now + std::max<TimeMs>(step, 1);
  }
  update_deadline();
}

void Gossip::listen(TimeMs now) {
  state_.listen();
  if (next_round_ != kNever) next_round_ = now;
  update_deadline();
}

void Gossip::take_ready(GossipReady& into) {
  into.clear();
  std::swap(into, ready_);
}

void Gossip::update_deadline() {
  deadline_ = std::min(next_round_, rumour_at_);
  if (!due_.empty()) deadline_ = 0;
  if (!pending_own_.empty()) deadline_ = std::min(deadline_, flow_.next_token());
}

void Gossip::send(const NodeId& to, GossipMessage message) {
  ready_.sends.push_back({to, std::move(message)});
}

void Gossip::begin_exchange(const NodeId& peer, TimeMs now) {
  ++stats_.exchanges;
  if (options_.mode == GossipMode::kPush) {
    send_push(peer, now - agreed_at_ > options_.recent_age_ms || unsettled_ >= 2);
  } else {
    send(peer, make_syn(now));
  }
}

void Gossip::send_round(TimeMs now) {
  const NodeId peer = pick_peer(false, {});
  if (peer) begin_exchange(peer, now);
}

void Gossip::send_push(const NodeId& peer, bool window) {
  std::vector<DeltaSource> sources;
  for (const RecentChange& item : recent_.items()) {
    const MemberRecordPtr* record = state_.members().find_digest(item.id);
    if (record != nullptr && (*record)->max_version > item.base) {
      sources.push_back({*record, item.base});
    }
  }
  GossipPush push;
  push.hash = hash();
  push.extra = extra_;
  DeltaResult news = build_delta(sources, options_.order, options_.max_delta_bytes, random_);
  push.deltas = std::move(news.deltas);
  if (window) {
    push.deep = true;
    // Nobody asks in this mode: whole records from some place on, as many as fit.
    const size_t count = members().size();
    size_t room = options_.max_delta_bytes - std::min(options_.max_delta_bytes, wire_size(push));
    size_t index = random_.below(count);
    for (size_t i = 0; i < count; ++i, index = index + 1 == count ? 0 : index + 1) {
      const MemberRecordPtr& record = members().at(index);
      if (record->entries.empty()) continue;
      MemberDelta delta{record->id, 0, record->entries, record};
      const size_t bytes = wire_size(delta);
      if (bytes > room) break;
      room -= bytes;
      push.deltas.push_back(std::move(delta));
    }
  }
  send(peer, std::move(push));
}

void Gossip::tell(const NodeId& peer) {
  const RecentChange* recent = recent_.find(digest_id(self()));
  if (recent == nullptr || peer == self() || members().find(peer) == nullptr) return;
  std::vector<DeltaSource> sources = {{own(), recent->base}};
  GossipPush push;
  push.deltas = build_delta(sources, options_.order, options_.max_delta_bytes, random_).deltas;
  send(peer, std::move(push));
}

void Gossip::send_rumours(TimeMs) {
  rumour_at_ = kNever;
  std::vector<DeltaSource> sources;
  recent_.take_rumours([&](const RecentChange& item) {
    const MemberRecordPtr* record = state_.members().find_digest(item.id);
    if (record != nullptr && (*record)->max_version > item.base) {
      sources.push_back({*record, item.base});
    }
  });
  if (sources.empty()) return;
  GossipPush push;
  push.deltas = build_delta(sources, options_.order, options_.max_delta_bytes, random_).deltas;
  std::vector<NodeId> peers;
  pick_peers(options_.rumour_fan_out, true, peers);
  for (const NodeId& peer : peers) {
    ++stats_.rumours;
    send(peer, push);
  }
}

void Gossip::pick_peers(size_t count, bool rumour, std::vector<NodeId>& out) {
  for (size_t i = 0; i < count; ++i) {
    const NodeId peer = pick_peer(rumour, out);
    if (!peer) return;
    out.push_back(peer);
  }
}

NodeId Gossip::pick_peer(bool rumour, const std::vector<NodeId>& taken) {
  const MemberList& list = members();
  if (list.size() < 2) return {};
  const bool any = !avoided_ || (!rumour && random_.one_in(kAvoidedPick));
  const auto free = [&](const NodeId& id) {
    return id != self() && std::find(taken.begin(), taken.end(), id) == taken.end();
  };
  for (int i = 0; i < kPickTries; ++i) {
    const NodeId& id = list.at(random_.below(list.size()))->id;
    if (free(id) && (any || !avoided_(id))) return id;
  }
  // Few are left to choose from: whoever comes first from some place on.
  NodeId avoided;
  size_t index = random_.below(list.size());
  for (size_t i = 0; i < list.size(); ++i, index = index + 1 == list.size() ? 0 : index + 1) {
    const NodeId& id = list.at(index)->id;
    if (!free(id)) continue;
    if (any || !avoided_(id)) return id;
    if (!avoided) avoided = id;
  }
  return rumour ? NodeId() : avoided;
}

}  // namespace syntropy
