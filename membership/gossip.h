// Gossip: how what each node tells about itself comes to be known by all of them.
//
// Every `interval_ms` a node picks `fan_out` peers at random and starts an exchange with each:
// push, pull or push-pull (membership/gossip_message.h has the messages).
//
// Views that agree find out by one hash, eight bytes there and none back. Where they differ, most
// differences are changes of the last seconds: the Syn names these (id and version) and, while they
// are few, brings them along; the Ack adds the recent changes that the Syn doesn't name. Hashes
// being sums, the receiver of a Syn can tell whether what it sees explains the difference of the
// two hashes, and which of its own recent changes the peer lacks. Where that doesn't end in
// agreement (after a partition, for a newcomer) the exchange goes *deep*: the Ack tells 64 sums,
// one per group of members, and following Syns carry the full digests of the groups that differ,
// within a budget. Who has few members sends the full digest right away, and who is told that there
// is more asks on at once.
//
// Urgent entries (`urgent_keys`) are pushed on as a rumour besides: to `rumour_fan_out` peers, once
// per node and change, `rumour_delay_ms` after it was learnt so that several go together. Rounds
// repair what rumours miss.
//
// How the owner drives it: step() with each gossip message of a *known member or contact* (who that
// is, is the owner's decision), tick() at next_deadline(), and take_ready() after each of these and
// after set_own, add_contact and forget.
//
// Invariants
//   1. Same calls and same seed: same messages.
//   2. Memory: the members within limits, and a bounded list of recent changes.
//   3. No message makes us send more than two, nor one with more than `max_delta_bytes` of deltas.
//
// Source: van Renesse, Dumitriu, Gough, Thomas, LADIS 2008; Demers et al., "Epidemic algorithms for
// replicated database maintenance", PODC 1987 (push, pull, rumours, checksums with recent updates:
// section 1.3).
//
// Thread safety: belongs to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "membership/delta.h"
#include "membership/entry.h"
#include "membership/flow_control.h"
#include "membership/gossip_message.h"
#include "membership/gossip_state.h"
#include "membership/recent_changes.h"
#include "storage/base/random.h"

namespace syntropy {

enum class GossipMode : uint8_t { kPush, kPull, kPushPull };

struct GossipOptions {
  GossipMode mode = GossipMode::kPushPull;
  uint32_t fan_out = 2;         // exchanges begun each round, evenly spread over it; 0: none
  TimeMs interval_ms = 200;     // of rounds; at least 1
  uint32_t rumour_fan_out = 3;  // 0: no rumours
  TimeMs rumour_delay_ms = 20;
  KeySet urgent_keys = {EntryKey::kRole,     EntryKey::kSlots,     EntryKey::kIncarnation,
                        EntryKey::kSuspects, EntryKey::kForgotten, EntryKey::kJoined};
  /// Own entries of these keys are coalesced by flow control; others never wait.
  KeySet limited_keys = {EntryKey::kReplication, EntryKey::kLoad};
  DeltaOrder order = DeltaOrder::kDepth;  // views are less stale (tests/membership/delta_test.cc)
  size_t max_delta_bytes = 32 << 10;
  size_t max_digest_bytes = 16 << 10;   // of the full digests of a deep exchange
  size_t small_digest_bytes = 1 << 10;  // a full digest up to this size goes before sums are asked
  size_t max_recent = 128;              // members that a digest names because they changed lately
  /// Fresh changes go with the Syn itself (push-pull only) while all together are this small.
  size_t max_eager_bytes = 512;
  TimeMs fresh_age_ms =
      1600;  // how long a digest names a change, if nothing tells that all know it
  TimeMs recent_age_ms = 4000;  // how long a change counts as one; about 20 rounds
  GossipLimits limits;
  FlowControlOptions flow;
};

struct GossipSend {
  NodeId to;
  GossipMessage message;
};

/// What came out since the last take_ready. No field must happen before another.
struct GossipReady {
  std::vector<GossipSend> sends;
  /// In the order in which they happened; those of our own record included.
  std::vector<MemberChange> changes;
  /// Peers whose extra hash is another than ours: the owner exchanges with them what the hash is
  /// of.
  std::vector<NodeId> extra_differs;
  /// Our own record had been known above what we have: we restarted with an old or empty disk, and
  /// have written all entries again (see `changes`). The owner stores the own record.
  bool restamped = false;
  /// What came back of our own record when that was seen: entries of our earlier life (its
  /// incarnation, say), for the owner to look at. Our values of the same keys have prevailed.
  std::vector<Entry> echoed;

  bool empty() const {
    return sends.empty() && changes.empty() && extra_differs.empty() && !restamped;
  }
  /// Keeps the capacity.
  void clear();
};

/// Counts since the start.
struct GossipStats {
  uint64_t exchanges = 0;       // begun by us
  uint64_t agreements = 0;      // exchanges of either side in which the hashes were equal
  uint64_t deep = 0;            // Syns with full digests or a wish for sums
  uint64_t rumours = 0;         // pushes of urgent news
  uint64_t deltas_applied = 0;  // with news
  uint64_t deltas_old = 0;      // without
  uint64_t holes = 0;
  uint64_t refused = 0;  // ill-formed, beyond the limits, of forgotten members
};

class Gossip {
 public:
  /// The first round is at a random time within `interval_ms` after `now`. `random` is not owned
  /// and must live longer.
  Gossip(const GossipOptions& options, const NodeId& self, Random& random, TimeMs now);

  /// Begins with the members of `view` instead of none (GossipState::start_with); no changes are
  /// reported. Lists are shared until they change.
  void start_with(const MemberList& view);

  /// GossipState::listen and speak. One that listens doesn't call set_own, and is told by whoever
  /// answers to its Syn what that one knows of it. It asks at once, and more often than others.
  void listen(TimeMs now);
  void speak(EntryVersion told, TimeMs now);

  /// Members for which `avoided` is true are picked for one exchange in ten only (and for rumours
  /// never), so that two halves that hold each other for dead meet again. Unset: nobody.
  void set_avoided(std::function<bool(const NodeId&)> avoided) { avoided_ = std::move(avoided); }

  /// Writes an own entry. False, and nothing done, when the value is larger than the limits allow.
  /// Limited keys may wait for flow control (the newest value wins); all others are written at
  /// once.
  bool set_own(EntryKey key, std::string_view value, TimeMs now);

  /// A member known by its id alone, after a handshake: an exchange with it begins at once. False
  /// when there is no room. True for one that is known already.
  bool add_contact(const NodeId& id, TimeMs now);

  /// Sends the peer what is new of the own record, now instead of with the next rumours.
  void tell(const NodeId& peer);

  /// GossipState::lift_forgotten.
  void lift_forgotten(const std::function<bool(const NodeId&)>& lifted) {
    state_.lift_forgotten(lifted);
  }
  /// GossipState::forget. False when nothing was dropped.
  bool forget(const NodeId& id, uint64_t stamp);

  /// A hash of what the owner spreads by itself (decided ballots); 0: nothing. When a peer's is
  /// another, Ready.extra_differs names the peer, on both sides.
  void set_extra_hash(uint64_t extra) { extra_ = extra; }

  /// Begins an exchange with `peer` at the next tick, besides the rounds: it came back, say.
  void exchange_with(const NodeId& peer, TimeMs now);

  /// The next exchanges compare full digests: what the others know may be news of long ago.
  void look_deep();

  void step(const NodeId& from, const GossipMessage& message, TimeMs now);
  void tick(TimeMs now);
  /// When tick() has something to do. May be in the past: then at once.
  TimeMs next_deadline() const { return deadline_; }
  bool has_ready() const { return !ready_.empty(); }
  /// Clears `into` and swaps it with what is ready, so that its capacity is used again.
  void take_ready(GossipReady& into);

  const NodeId& self() const { return state_.self(); }
  const MemberList& members() const { return state_.members(); }
  const MemberRecordPtr& own() const { return state_.own(); }
  /// Equal in two views that hold the same members at the same versions.
  uint64_t hash() const { return state_.hash(); }
  const GossipState& state() const { return state_; }
  const GossipStats& stats() const { return stats_; }
  const FlowControl& flow() const { return flow_; }

 private:
  struct PendingOwn {
    EntryKey key;
    std::string value;
  };
  /// A member of which a hole was seen: digests name it until it is filled, a few times at most.
  struct Wanted {
    uint64_t id;
    uint32_t asked = 0;
  };

  // gossip.cc: own entries, rounds, rumours, peers.
  void write_own(EntryKey key, std::string_view value, TimeMs now);
  void write_pending(TimeMs now);
  void note_change(MemberChange change, bool rumour, TimeMs now);
  void begin_exchange(const NodeId& peer, TimeMs now);
  void send_round(TimeMs now);
  void send_push(const NodeId& peer, bool window);
  void send_rumours(TimeMs now);
  void pick_peers(size_t count, bool rumour, std::vector<NodeId>& out);
  NodeId pick_peer(bool rumour, const std::vector<NodeId>& taken);
  void send(const NodeId& to, GossipMessage message);
  void update_deadline();

  // gossip_exchange.cc: the messages.
  struct Difference;
  GossipSyn make_syn(TimeMs now);
  void name_recent(Digest& digest, TimeMs now);
  bool named(const RecentChange& item, TimeMs now) const;
  void add_eager(GossipSyn& syn, TimeMs now);
  uint64_t choose_groups(bool deep);
  Difference compare(const GossipSyn& syn) const;
  void add_recent(Difference& difference, TimeMs now,
                  const std::function<bool(const RecentChange&)>& skip) const;
  void on(const NodeId& from, const GossipSyn& syn, TimeMs now);
  void on(const NodeId& from, const GossipAck& ack, TimeMs now);
  void on(const NodeId& from, const GossipPush& push, TimeMs now);
  void on(const NodeId& from, const GossipAgree& agree, TimeMs now);
  void note_sums(const GossipAck& ack);
  bool may_go_deep(TimeMs now) const;
  void note_settled(bool settled);
  size_t apply(const std::vector<MemberDelta>& deltas, bool deep, TimeMs now);
  void compare_extra(const NodeId& from, uint64_t extra);
  void note_agreement(bool learnt, TimeMs now);
  void want(uint64_t digest_id);

  GossipOptions options_;
  Random& random_;
  GossipState state_;
  RecentChanges recent_;
  FlowControl flow_;
  std::function<bool(const NodeId&)> avoided_;
  GossipReady ready_;
  GossipStats stats_;
  uint64_t extra_ = 0;
  std::vector<PendingOwn> pending_own_;  // waits for flow control; one per key
  std::vector<NodeId> due_;              // exchanges to begin at the next tick
  std::vector<Wanted> wanted_;
  uint64_t differing_ = 0;     // groups in which the peer of this exchange differs, not yet covered
  uint32_t equal_streak_ = 0;  // exchanges in a row that found equal hashes
  uint32_t unsettled_ = 0;     // exchanges that didn't end in agreement, less those that did
  TimeMs deep_backoff_ = 0;    // doubles with each deep exchange that wasn't worth it
  TimeMs deep_after_ = 0;      // none before
  TimeMs agreed_at_;           // last time that hashes were equal
  uint32_t turn_ = 0;          // exchanges begun in this round
  TimeMs next_round_;
  TimeMs rumour_at_;
  TimeMs deadline_;
};

}  // namespace syntropy
