// Ownership: the epochs and the slots that this node claims, beside the map of what all claim.
//
// Epochs (Redis Cluster specification, "Configuration epochs"): the current epoch is the greatest
// that this node has heard of, the config epoch the one under which it claims its slots. An
// election takes the next even one, CLUSTER BUMPEPOCH and what else a node does unasked the next odd
// one, so that neither has the other's, however little its nodes have heard.
//
// Rules
//   1. A node that sees a slot of its claim owned by another (higher epoch, or equal epoch and
//      greater id) takes the slot out of its claim at once.
//   2. Two claimants of equal epoch: the greater id keeps the epoch, the others take new ones, as
//      in Redis. Redis lets one step per message; here all who see the same claims do it in one:
//      the k-th below the greatest takes the k-th. In Redis the one that takes a new epoch
//      thereby wins slots that both claim; here they stay with the greater id (rule 1 comes first),
//      so that the map doesn't turn twice.
//   3. A node whose last slot, or whose primary's last slot, went to another follows that one.
//   4. Epochs never fall, across restarts: state() is stored before anything that speaks of it is
//      sent.
//
// Slots on the move (server/cluster/slot_mover.h). Their owner *gives* them to a shard: from then on
// it serves them no longer, and the primary of that shard may take them, under a new epoch. Until
// that is heard of, the owner goes on claiming them, so that whoever takes its place takes them with
// the rest. *Spare* rows are those of slots of another node of which nothing is here that their
// owner hasn't got: what was given away, or has come and was never given.
//
// Thread safety: none; one thread. SlotMap copies may go to others.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "membership/facts.h"
#include "membership/slot_map.h"

namespace syntropy {

/// What has to survive a restart.
struct OwnershipState {
  uint64_t current_epoch = 0;
  uint64_t config_epoch = 0;
  uint64_t last_vote_epoch = 0;  // no vote in this epoch or below, ever again, ...
  NodeId voted_for;              // ... but the same one again to the same node
  NodeId voted_over;             // the primary that it wants to replace; no node: it gave up
  SlotRanges slots;              // claimed
  std::vector<std::pair<uint16_t, NodeId>> migrating;  // ascending by slot; to whom
  std::vector<std::pair<uint16_t, NodeId>> importing;  // ascending by slot; from whom
  SlotRanges given;                                    // among `slots`
  NodeId given_to;                                     // a shard
  SlotRanges spare;                                    // none of `slots`
  bool operator==(const OwnershipState&) const = default;
};

/// state := format:u8=2 current:varint config:varint last_vote:varint voted_for:id voted_over:id
///          ranges moving moving ranges id ranges;  moving := count:varint (slot:u16 id)*
///          (slots, migrating, importing, given, given_to, spare). Format 1 ends behind importing.
std::string encode(const OwnershipState& state);
/// kCorruption when the bytes are not what encode() writes.
Result<OwnershipState> decode_ownership_state(std::string_view bytes);

struct OwnershipReady {
  /// First: state() must be durable before `publish` and before anything of an ElectionReady that
  /// is taken after this one goes out.
  bool persist = false;
  /// Then: the claim changed; claim() becomes this node's kSlots entry, urgently.
  bool publish = false;
  /// What changed hands in this view, in the order in which it did.
  std::vector<SlotMove> moves;
  /// What clients are told changed: the map (moves, or a hint came or went), or slots on the move.
  bool view_changed = false;
  /// Become a replica of this node, unless that is this node or already so; no node: nothing to do.
  NodeId follow;
};

class Ownership {
 public:
  /// `stored` is what state() was when it was stored last; `map` may be a shared one, holding
  /// others' claims.
  Ownership(const NodeId& self, OwnershipState stored, SlotMap map = {});

  const NodeId& self() const { return self_; }
  const SlotMap& map() const { return map_; }
  const OwnershipState& state() const { return state_; }
  SlotsFact claim() const { return {state_.config_epoch, state_.slots}; }
  uint64_t current_epoch() const { return state_.current_epoch; }
  uint64_t config_epoch() const { return state_.config_epoch; }
  bool owns(uint16_t slot) const { return map_.owner(slot) == self_; }

  /// cluster-allow-replica-migration; without it rule 3 applies only when the other took exactly
  /// what this node or its primary had.
  void allow_replica_migration(bool allow) { migration_ = allow; }
  /// The primary that this node replicates; no node for a primary. To be told of every change.
  void set_primary(const NodeId& primary) { primary_ = primary; }

  /// A member's kSlots entry as it is now. Ignored for this node itself: what others hold of us is
  /// told by restore_claim(). What it gives up, and nobody claims, lingers till `until`
  /// (SlotMap::linger).
  void set_claim(const NodeId& member, const SlotsFact& fact, TimeMs until);
  /// Our own entry came back from others, newer than our disk: its claim is ours, and no vote is
  /// given in an epoch that we have heard of, for one may have been.
  void restore_claim(const SlotsFact& fact);
  /// The member is forgotten.
  void remove(const NodeId& member);
  /// Another node speaks of `epoch`.
  void observe_epoch(uint64_t epoch);
  /// Hints expire.
  void tick(TimeMs now);
  TimeMs next_deadline() const { return map_.next_hint_expiry(); }

  /// To be taken once per message or tick, after all of its claims. The next one is empty until
  /// something happens.
  OwnershipReady take_ready();

  // Elections (membership/election.h).

  /// The next odd one, from now on the current epoch: for what nobody is asked about.
  uint64_t next_epoch();
  /// The next even one, likewise: for an election. So what one side decides by itself and the other
  /// by votes, without having heard of it, never has the same epoch.
  uint64_t next_election_epoch();
  /// A vote for `candidate`, which wants to replace `primary`, in `epoch`, which must be above
  /// last_vote_epoch (an assertion).
  void vote(uint64_t epoch, const NodeId& candidate, const NodeId& primary);
  /// The candidate of the last vote gave up.
  void vote_withdrawn();
  /// This node won `slots` (election, takeover) under `epoch`: it claims them with it.
  void win(uint64_t epoch, const SlotRanges& slots);

  // Slots on the move. What may be done is decided by the caller.

  /// `slots` are this node's, and nothing is given yet.
  void give(const SlotRanges& slots, const NodeId& shard);
  /// They were given to this node's shard: claims them under a new epoch.
  void take(const SlotRanges& slots);
  /// Nobody is left who could take what is given: it stays, under a new epoch, above that of a claim
  /// which hasn't been heard of.
  void take_back();
  /// Rows of these, of other nodes, are copies from now on; or there are none any more.
  void add_spare(const SlotRanges& slots);
  void remove_spare(const SlotRanges& slots);

  // CLUSTER commands. What may be asked of a replica is decided by the caller.

  /// kAlreadyExists: one of them has an owner (map().first_with_owner says which); nothing is done.
  Status add_slots(const SlotRanges& slots);
  /// kNotFound: one of them has none. Those of others are unassigned in this view alone, till
  /// `until` or their claim changes, as Redis does till the next heartbeat of the owner.
  Status del_slots(const SlotRanges& slots, TimeMs until);
  /// All of this node's own. Also what a node does to become a replica.
  void flush_slots();
  /// kInvalidArgument: not the owner.
  Status set_migrating(uint16_t slot, const NodeId& to);
  /// kInvalidArgument: already the owner.
  Status set_importing(uint16_t slot, const NodeId& from);
  void set_stable(uint16_t slot);
  /// This node: claims it, with a new epoch where the claim would lose or the slot was importing.
  /// Another node: hints till `until`, and neither serves nor claims it any longer. The caller has
  /// checked that no key is left behind, that the node is known and is a primary.
  void set_owner(uint16_t slot, const NodeId& node, TimeMs until);
  /// kInvalidArgument: 0, or `knows_others`, or a config epoch is set.
  Status set_config_epoch(uint64_t epoch, bool knows_others);
  /// The new config epoch; nothing when it is the highest of all already ("STILL").
  std::optional<uint64_t> bump_epoch();
  /// Soft: claims and migrations go. Hard: the epochs as well (the caller makes a new id, and a new
  /// Ownership with it).
  void reset(bool hard);

 private:
  /// Tells the map, and the rest by way of ready_.
  void claim_changed();
  void settle(std::vector<SlotMove> moves);
  void yield_lost();
  void follow_winner(const std::vector<SlotMove>& moves);
  void follow(const NodeId& winner, uint32_t taken);
  void resolve_collision();
  /// Claims what the caller says, under a new epoch where the claim would lose otherwise.
  void claim_more(const SlotRanges& slots);

  const NodeId self_;
  NodeId primary_;
  bool migration_ = true;
  bool may_collide_ = false;  // another may claim slots with our config epoch
  OwnershipState state_;
  SlotMap map_;  // holds our own claim as well
  OwnershipReady ready_;
};

}  // namespace syntropy
