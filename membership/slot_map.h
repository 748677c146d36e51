// SlotMap: who owns which slot in this node's view, worked out from what the members claim.
//
// Of the members that claim a slot the one with the higher config epoch owns it; of equal epochs
// the one with the greater node id. So the map is a function of the claims: views that hold the
// same claims hold the same map, in whatever order these came. A claim that loses stays known, and
// counts again when the winner takes its own back.
//
// Hints are an operator's word about a slot (CLUSTER SETSLOT NODE, DELSLOTS), ahead of gossip: they
// hold in this view alone, till another has the slot by claims or they expire. Where no operator
// has said anything, a slot that its owner has just given up stays that one's for a while, as it is
// likely that gossip brings the claim of the next one later.
//
// Invariants
//   1. The runs are ascending, don't overlap, and two that touch have different owners.
//   2. A slot is owned exactly when a member claims it.
//
// Cost: one allocation shared by all copies until one of them changes (copy on write); about 24
// bytes a run and 56 a claimant. set_claim is O(ranges * log runs) when slots are won, and O(all
// claims) when slots that this member owned are given up. owner() is O(log runs).
//
// Thread safety: none; all copies on one thread. Others are given view().
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "membership/entry.h"
#include "membership/node_id.h"
#include "storage/base/slot_ranges.h"

namespace syntropy {

/// What a member claims. Never null, never empty: an empty claim is none.
struct SlotClaim {
  NodeId member;
  uint64_t epoch = 0;
  std::shared_ptr<const SlotRanges> slots;
  uint32_t owned = 0;  // slots of it that the member owns in this map
};

/// Slots side by side with one owner.
struct SlotRun {
  SlotRange range;
  NodeId owner;
};

/// A change of owner; no node stands for nobody.
struct SlotMove {
  SlotRange range;
  NodeId from;
  NodeId to;
  bool operator==(const SlotMove&) const = default;
};

class SlotMap {
 public:
  /// Nobody owns anything.
  SlotMap();

  /// `member` now claims `slots` with `epoch`, and nothing else. Returns what changed hands,
  /// ascending. The same claim again changes nothing.
  std::vector<SlotMove> set_claim(const NodeId& member, uint64_t epoch, SlotRanges slots);
  std::vector<SlotMove> set_claim(const NodeId& member, uint64_t epoch,
                                  std::shared_ptr<const SlotRanges> slots);
  /// As a claim of nothing; hints that name the member go as well.
  std::vector<SlotMove> remove(const NodeId& member);

  /// No node when nobody owns it. A hint comes before the claims.
  NodeId owner(uint16_t slot) const;
  /// The same without hints.
  NodeId owner_by_claims(uint16_t slot) const;
  /// What `member` owns, which may be less than it claims.
  SlotRanges slots_of(const NodeId& member) const;
  uint32_t count_of(const NodeId& member) const;
  bool owns_slots(const NodeId& member) const { return count_of(member) > 0; }
  /// Whether by claims others own what `member` claims: it will give that up once it hears of them.
  bool is_superseded(const NodeId& member) const;
  /// Null when it claims nothing. Valid until the map changes.
  const SlotClaim* claim_of(const NodeId& member) const;
  /// All claims, ascending by member.
  const std::vector<SlotClaim>& claims() const { return table_->claims; }
  /// Who owns what, ascending, by claims.
  const std::vector<SlotRun>& runs() const { return table_->runs; }
  /// Who owns what, ascending, as owner() answers: what clients are told.
  std::vector<SlotRun> view() const;

  /// Slots with an owner, out of kSlotCount.
  uint32_t covered() const { return table_->covered; }
  bool complete() const { return covered() == kSlotCount; }
  /// The first slot of `slots` that has an owner (`owned`) or has none (not `owned`). What has been
  /// given up has none.
  std::optional<uint16_t> first_with_owner(const SlotRanges& slots, bool owned) const;

  /// The electorate: the members that own a slot by claims, ascending.
  std::vector<NodeId> owners() const;
  uint32_t owner_count() const { return table_->owners; }
  /// Says which members they are: views with the same electorate have the same hash.
  uint64_t owners_hash() const { return table_->owners_hash; }
  /// The highest epoch claimed; 0 for none.
  uint64_t max_epoch() const;

  /// In this view `owner` (or nobody) has these slots until somebody else has them by claims, or
  /// `now` reaches `until`. Counts for owner() and view() alone, not for what is owned by claims.
  void hint(const SlotRanges& slots, const NodeId& owner, TimeMs until);
  /// As a hint, for those of them of which nobody is the owner, nor is hinted to be.
  void linger(const SlotRanges& slots, const NodeId& last_owner, TimeMs until);
  void drop_hints(const SlotRanges& slots);
  /// Drops the hints whose time has come; says whether there were any.
  bool expire_hints(TimeMs now);
  bool has_hints() const { return !hints_.empty(); }
  /// UINT64_MAX without hints.
  TimeMs next_hint_expiry() const;

  /// Equal claims (so equal owners). Cheap for copies of one map.
  bool same_claims(const SlotMap& other) const;
  /// Lets go of its own table for the one of `other`, which must hold the same claims.
  void share(const SlotMap& other) { table_ = other.table_; }

 private:
  struct Table {
    std::vector<SlotClaim> claims;  // ascending by member
    std::vector<SlotRun> runs;
    uint32_t covered = 0;
    uint32_t owners = 0;
    uint64_t owners_hash = 0;
  };
  struct Hint {
    uint16_t slot;
    NodeId owner;
    TimeMs until;
    bool lingers;  // nobody's word
  };

  /// The table, for itself alone. It must be called before any of the following.
  Table& own_table();
  /// Gives to `owner`, or to nobody; counts and notes what changed.
  void give(SlotRange range, const NodeId& owner, std::vector<SlotMove>* moves);
  /// Gives a claim the slots that it takes from others.
  void win(const NodeId& member, uint64_t epoch, const SlotRanges& slots,
           std::vector<SlotMove>* moves);
  /// Gives each slot of `open` to the best of all claims.
  void settle(SlotRanges open, std::vector<SlotMove>* moves);
  void count(const NodeId& member, int32_t slots);
  void drop_hints_of(const std::vector<SlotMove>& moves);
  const Hint* hint_of(uint16_t slot) const;
  void sort_hints();

  std::shared_ptr<Table> table_;
  std::vector<Hint> hints_;  // ascending by slot
};

}  // namespace syntropy
