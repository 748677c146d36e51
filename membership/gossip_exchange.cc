// Gossip: making and answering the messages of an exchange.
#include <algorithm>
#include <bit>
#include <utility>

#include "membership/gossip.h"

namespace syntropy {
namespace {

constexpr size_t kDigestItemBytes = 11;  // id and a version of three bytes
constexpr size_t kMaxWanted = 32;
constexpr uint32_t kMaxAsked = 4;
/// After so many exchanges in a row with equal hashes, recent changes are taken to be known by all.
constexpr uint32_t kSettledStreak = 8;
/// After so many that didn't end in agreement, exchanges go deep.
constexpr uint32_t kDeepAfter = 2;
/// Each agreement takes one off; so between two halves that differ, exchanges go on being deep.
constexpr uint32_t kMaxUnsettled = 4;
/// A deep exchange is the repair of what naming changes left behind. Where so much changes that
/// views never agree it finds little that wouldn't have come anyway, and becomes rare.
constexpr TimeMs kMinDeepBackoffMs = 200;
constexpr TimeMs kMaxDeepBackoffMs = 6400;
/// How many Syns bring a change along before they only name it.
constexpr uint8_t kEagerTells = 10;
/// Who learns of so many members at once is catching up: that is no news to others.
constexpr size_t kBulk = 24;
constexpr uint64_t kAllGroups = ~uint64_t{0};

/// Digests ascend strictly: one that doesn't is hostile.
bool ascending(const Digest& digest) {
  return std::adjacent_find(digest.begin(), digest.end(), [](const auto& a, const auto& b) {
           return a.id >= b.id;
         }) == digest.end();
}

bool covers(uint64_t groups, uint64_t digest_id) {
  return (groups >> MemberList::group_of(digest_id)) & 1;
}

bool names(const Digest& digest, uint64_t id) {
  const auto found =
      std::lower_bound(digest.begin(), digest.end(), id,
                       [](const DigestItem& item, uint64_t wanted) { return item.id < wanted; });
  return found != digest.end() && found->id == id;
}

}  // namespace

/// What is known of how a peer's view differs from ours.
struct Gossip::Difference {
  std::vector<DeltaSource> sources;  // what the peer lacks
  Digest requests;                   // what we lack
  /// Its hash less ours, less what is explained: 0 when nothing else differs (modulo 2^64).
  uint64_t residual = 0;
};

GossipSyn Gossip::make_syn(TimeMs now) {
  GossipSyn syn;
  syn.hash = hash();
  syn.extra = extra_;
  syn.pull = options_.mode == GossipMode::kPull;
  name_recent(syn.digest, now);
  if (options_.mode == GossipMode::kPushPull) add_eager(syn, now);
  const bool deep = may_go_deep(now);
  syn.covered = choose_groups(deep);
  syn.sums_wanted = deep && syn.covered == 0;
  if (syn.covered != 0) {
    ++stats_.deep;
    const Digest full = build_digest(members(), syn.covered);
    syn.digest.insert(syn.digest.end(), full.begin(), full.end());
  }
  // Named twice, a member has the same version.
  std::sort(syn.digest.begin(), syn.digest.end(),
            [](const DigestItem& a, const DigestItem& b) { return a.id < b.id; });
  syn.digest.erase(std::unique(syn.digest.begin(), syn.digest.end()), syn.digest.end());
  if (flow_.limited()) {
    const FlowShare share = flow_.share(now);
    syn.rate = share.rate;
    syn.demand = share.demand;
  }
  return syn;
}

void Gossip::look_deep() {
  unsettled_ = std::max(unsettled_, kDeepAfter);
  deep_backoff_ = deep_after_ = 0;
}

bool Gossip::may_go_deep(TimeMs now) const {
  return unsettled_ >= kDeepAfter && now >= deep_after_;
}

void Gossip::name_recent(Digest& digest, TimeMs now) {
  const auto name = [&](uint64_t id) { digest.push_back({id, state_.version_of(id)}); };
  if (state_.listening()) name(digest_id(self()));
  for (Wanted& wanted : wanted_) {
    name(wanted.id);
    ++wanted.asked;
  }
  std::erase_if(wanted_, [](const Wanted& wanted) { return wanted.asked >= kMaxAsked; });

  std::vector<uint64_t> fresh;  // newest first
  const auto& items = recent_.items();
  for (auto item = items.rbegin(); item != items.rend(); ++item) {
    if (named(*item, now)) fresh.push_back(item->id);
  }
  if (fresh.size() > options_.max_recent) {
    // The newest half, and a random choice of the others so that none is left out for good.
    for (size_t i = options_.max_recent / 2; i < options_.max_recent; ++i) {
      std::swap(fresh[i], fresh[i + random_.below(fresh.size() - i)]);
    }
    fresh.resize(options_.max_recent);
  }
  for (const uint64_t id : fresh) name(id);
}

void Gossip::add_eager(GossipSyn& syn, TimeMs now) {
  size_t room = options_.max_eager_bytes;
  const auto& items = recent_.items();
  for (size_t i = 0; i < items.size(); ++i) {
    const RecentChange& item = items[i];
    if (!named(item, now) || item.told >= kEagerTells) continue;
    const MemberRecordPtr* record = members().find_digest(item.id);
    if (record == nullptr || (*record)->max_version <= item.base) continue;
    std::vector<DeltaSource> source = {{*record, item.base}};
    DeltaResult delta = build_delta(source, options_.order, room, random_);
    if (!delta.complete) {
      // So much changes that peers mostly know it already: digests are cheaper.
      syn.deltas.clear();
      return;
    }
    recent_.note_told(i);
    room -= wire_size(delta.deltas.front());
    syn.deltas.push_back(std::move(delta.deltas.front()));
  }
}

/// Whether digests name the change.
bool Gossip::named(const RecentChange& item, TimeMs now) const {
  return !item.settled && now - item.last < options_.fresh_age_ms;
}

uint64_t Gossip::choose_groups(bool deep) {
  if (deep && members().size() * kDigestItemBytes <= options_.small_digest_bytes) {
    return kAllGroups;
  }
  if (differing_ == 0) return 0;
  // From a random group on, so that the peers of a round are asked for different ones.
  uint64_t chosen = 0;
  size_t room = options_.max_digest_bytes / kDigestItemBytes;
  size_t group = random_.below(MemberList::kGroups);
  for (size_t i = 0; i < MemberList::kGroups; ++i, group = (group + 1) % MemberList::kGroups) {
    if (((differing_ >> group) & 1) == 0) continue;
    const size_t count = members().group_end(group) - members().group_begin(group);
    // One group always goes, whatever its size: ids of an odd distribution must not block it.
    if (count > room && chosen != 0) break;
    room -= std::min(room, count);
    chosen |= uint64_t{1} << group;
  }
  differing_ &= ~chosen;
  return chosen;
}

Gossip::Difference Gossip::compare(const GossipSyn& syn) const {
  Difference difference;
  difference.residual = syn.hash - hash();
  for (const DigestItem& item : syn.digest) {
    const MemberRecordPtr* mine = members().find_digest(item.id);
    const EntryVersion version = mine == nullptr ? 0 : (*mine)->max_version;
    difference.residual -= member_hash(item.id, item.version) - member_hash(item.id, version);
    if (version > item.version) {
      difference.sources.push_back({*mine, item.version});
    } else if (version < item.version && item.version <= kMaxEntryVersion &&
               state_.wants(item.id, item.version)) {
      difference.requests.push_back({item.id, version});
    }
  }
  for (size_t group = 0; group < MemberList::kGroups; ++group) {
    if (((syn.covered >> group) & 1) == 0) continue;
    for (size_t i = members().group_begin(group); i < members().group_end(group); ++i) {
      const MemberRecordPtr& mine = members().at(i);
      const uint64_t id = digest_id(mine->id);
      if (mine->max_version == 0 || names(syn.digest, id)) continue;
      difference.residual += member_hash(id, mine->max_version);
      difference.sources.push_back({mine, 0});
    }
  }
  return difference;
}

/// Adds those of our recent changes that the peer seems to lack. What it has told of is skipped.
void Gossip::add_recent(Difference& difference, TimeMs now,
                        const std::function<bool(const RecentChange&)>& skip) const {
  if (difference.residual == 0) return;
  // A peer that is behind a little lacks the newest: try how many of them explain the hashes.
  std::vector<DeltaSource> candidates;
  size_t fresh = 0;
  uint64_t residual = difference.residual;
  const auto& items = recent_.items();
  for (auto item = items.rbegin(); item != items.rend() && residual != 0; ++item) {
    const MemberRecordPtr* mine = members().find_digest(item->id);
    if (mine == nullptr || (*mine)->max_version <= item->base || skip(*item)) continue;
    const uint64_t lacking =
        member_hash(item->id, item->base) - member_hash(item->id, (*mine)->max_version);
    // Or this one alone: it was lost, and later ones weren't.
    if (difference.residual == lacking) {
      candidates.clear();
      residual = 0;
    } else {
      residual -= lacking;
    }
    candidates.push_back({*mine, item->base});
    if (now - item->last < options_.fresh_age_ms) fresh = candidates.size();
  }
  // If it can't be told, the peer may lack what is fresh, and older ones hardly.
  if (residual != 0) candidates.resize(fresh);
  difference.residual = residual;
  difference.sources.insert(difference.sources.end(), candidates.begin(), candidates.end());
}

void Gossip::on(const NodeId& from, const GossipSyn& syn, TimeMs now) {
  compare_extra(from, syn.extra);
  if (!ascending(syn.digest)) {
    ++stats_.refused;
    return;
  }
  const size_t news = apply(syn.deltas, false, now);
  if (syn.hash == hash()) {
    note_agreement(news > 0, now);
    send(from, GossipAgree{extra_, news > 0});
    return;
  }
  equal_streak_ = 0;
  Difference difference = compare(syn);
  add_recent(difference, now, [&syn](const RecentChange& item) {
    return covers(syn.covered, item.id) || names(syn.digest, item.id);
  });

  GossipAck ack;
  ack.extra = extra_;
  ack.residual = difference.residual;
  ack.deep = syn.covered != 0;
  DeltaResult delta =
      build_delta(difference.sources, options_.order, options_.max_delta_bytes, random_);
  ack.deltas = std::move(delta.deltas);
  ack.more = !delta.complete;
  if (!difference.sources.empty()) flow_.on_delta(delta.complete);
  if (!syn.pull) {
    const size_t most = options_.max_digest_bytes / kDigestItemBytes;
    if (difference.requests.size() > most) {
      difference.requests.resize(most);
      ack.more = true;
    }
    ack.digest = std::move(difference.requests);
  }
  if (syn.sums_wanted && ack.residual != 0) {
    ack.sums.reserve(MemberList::kGroups);
    for (size_t group = 0; group < MemberList::kGroups; ++group) {
      ack.sums.push_back(static_cast<uint32_t>(members().group_sum(group)));
    }
  }
  if (syn.rate != 0) {
    const FlowShare share = flow_.share(now);
    ack.rate = share.rate;
    ack.demand = share.demand;
    flow_.on_peer(share, {syn.rate, syn.demand});
  }
  send(from, std::move(ack));
}

void Gossip::on(const NodeId& from, const GossipAck& ack, TimeMs now) {
  compare_extra(from, ack.extra);
  equal_streak_ = 0;
  if (!ascending(ack.digest)) {
    ++stats_.refused;
    return;
  }
  const size_t news = apply(ack.deltas, ack.deep, now);
  Difference difference;
  for (const DigestItem& item : ack.digest) {
    const MemberRecordPtr* mine = members().find_digest(item.id);
    if (mine != nullptr && (*mine)->max_version > item.version) {
      difference.sources.push_back({*mine, item.version});
    }
  }
  // Changes that our Syn didn't name, because everybody seemed to know them.
  Difference settled;
  settled.residual = 0 - ack.residual;
  if (options_.mode == GossipMode::kPushPull) {
    add_recent(settled, now, [&](const RecentChange& item) { return named(item, now); });
  }
  if (settled.residual == 0) {
    difference.sources.insert(difference.sources.end(), settled.sources.begin(),
                              settled.sources.end());
  }
  note_settled(settled.residual == 0 && !ack.more);
  if (ack.deep && unsettled_ > 0) {
    deep_backoff_ =
        news >= kBulk ? 0 : std::clamp(2 * deep_backoff_, kMinDeepBackoffMs, kMaxDeepBackoffMs);
    deep_after_ = now + deep_backoff_;
  }
  const bool sums = ack.sums.size() == MemberList::kGroups;
  if (sums) note_sums(ack);
  if (ack.rate != 0) flow_.on_peer(flow_.share(now), {ack.rate, ack.demand});

  if (!difference.sources.empty()) {
    DeltaResult delta =
        build_delta(difference.sources, options_.order, options_.max_delta_bytes, random_);
    flow_.on_delta(delta.complete);
    if (!delta.deltas.empty()) send(from, GossipPush{0, 0, std::move(delta.deltas), ack.deep});
  }
  // Now that we know where we differ, or that there is much more: on with the same peer. Unless
  // something is learnt each time, this ends.
  if ((sums && differing_ != 0) || (news >= kBulk && (ack.more || differing_ != 0))) {
    begin_exchange(from, now);
  } else {
    differing_ = 0;  // other peers differ elsewhere
  }
}

void Gossip::note_settled(bool settled) {
  if (!settled) {
    unsettled_ = std::min(unsettled_ + 1, kMaxUnsettled);
    return;
  }
  if (unsettled_ > 0) --unsettled_;
  deep_backoff_ = 0;
  deep_after_ = 0;
}

void Gossip::note_sums(const GossipAck& ack) {
  std::vector<uint32_t> sums = ack.sums;
  for (const DigestItem& item : ack.digest) {
    // The peer will have had these from us by the next exchange.
    sums[MemberList::group_of(item.id)] += static_cast<uint32_t>(
        member_hash(item.id, state_.version_of(item.id)) - member_hash(item.id, item.version));
  }
  differing_ = 0;
  for (size_t group = 0; group < MemberList::kGroups; ++group) {
    if (sums[group] != static_cast<uint32_t>(members().group_sum(group))) {
      differing_ |= uint64_t{1} << group;
    }
  }
}

void Gossip::on(const NodeId& from, const GossipPush& push, TimeMs now) {
  const size_t news = apply(push.deltas, push.deep, now);
  if (push.hash == 0) return;  // no view to compare with
  compare_extra(from, push.extra);
  if (push.hash == hash()) {
    note_agreement(news > 0, now);
    return;
  }
  // In this mode nobody can ask. Whoever agreed with others just now tells the one that differs.
  if (options_.mode == GossipMode::kPush && equal_streak_ > 0) {
    ++stats_.exchanges;
    send_push(from, true);
  }
  equal_streak_ = 0;
}

void Gossip::on(const NodeId& from, const GossipAgree& agree, TimeMs now) {
  compare_extra(from, agree.extra);
  note_agreement(agree.learnt, now);
}

size_t Gossip::apply(const std::vector<MemberDelta>& deltas, bool deep, TimeMs now) {
  size_t news = 0;
  const bool bulk = deep && deltas.size() > kBulk;
  for (const MemberDelta& delta : deltas) {
    MemberChange change;
    switch (state_.apply(delta, &change)) {
      case GossipState::Applied::kNews: {
        ++news;
        ++stats_.deltas_applied;
        const uint64_t id = digest_id(delta.id);
        std::erase_if(wanted_, [id](const Wanted& wanted) { return wanted.id == id; });
        if (bulk) {
          ready_.changes.push_back(std::move(change));
        } else {
          note_change(std::move(change), true, now);
        }
        break;
      }
      case GossipState::Applied::kEcho:
        ready_.restamped = true;
        ready_.echoed.insert(ready_.echoed.end(), delta.entries.begin(), delta.entries.end());
        note_change(std::move(change), true, now);
        break;
      case GossipState::Applied::kOld:
        ++stats_.deltas_old;
        break;
      case GossipState::Applied::kHole:
        ++stats_.holes;
        want(digest_id(delta.id));
        break;
      case GossipState::Applied::kRefused:
        ++stats_.refused;
        break;
    }
  }
  return news;
}

void Gossip::compare_extra(const NodeId& from, uint64_t extra) {
  if (extra != extra_) ready_.extra_differs.push_back(from);
}

void Gossip::note_agreement(bool learnt, TimeMs now) {
  ++stats_.agreements;
  agreed_at_ = now;
  note_settled(true);
  // Views that were made equal just now say nothing of what the others know.
  equal_streak_ = learnt ? 0 : equal_streak_ + 1;
  if (equal_streak_ >= kSettledStreak) recent_.settle();
}

void Gossip::want(uint64_t id) {
  const auto known = std::find_if(wanted_.begin(), wanted_.end(),
                                  [id](const Wanted& wanted) { return wanted.id == id; });
  if (known != wanted_.end() || wanted_.size() >= kMaxWanted) return;
  wanted_.push_back({id});
}

}  // namespace syntropy
