#include "membership/slot_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>

#include "storage/base/random.h"
#include "tests/membership/slots_support.h"

namespace syntropy {
namespace {

using testing::node;

struct Claim {
  uint64_t epoch = 0;
  SlotRanges slots;
};
using Claims = std::map<NodeId, Claim>;

// The rule as it is said, slot by slot.
NodeId rightful_owner(const Claims& claims, uint16_t slot) {
  NodeId owner;
  uint64_t epoch = 0;
  for (const auto& [member, claim] : claims) {
    if (!claim.slots.contains(slot)) continue;
    if (!owner || claim.epoch > epoch || (claim.epoch == epoch && member > owner)) {
      owner = member;
      epoch = claim.epoch;
    }
  }
  return owner;
}

constexpr uint16_t kUsed = 48;  // slots that random claims are about, so that they collide

SlotRanges random_slots(Random& random) {
  SlotRanges slots;
  for (uint64_t i = random.below(4); i > 0; --i) {
    const auto first = static_cast<uint16_t>(random.below(kUsed));
    const auto last =
        static_cast<uint16_t>(std::min<uint64_t>(kUsed - 1, first + random.below(12)));
    slots.add({first, last});
  }
  return slots;
}

void expect_rightful(const SlotMap& map, const Claims& claims) {
  uint32_t covered = 0;
  std::map<NodeId, SlotRanges> owned;
  for (uint16_t slot = 0; slot < kUsed + 2; ++slot) {
    const NodeId owner = rightful_owner(claims, slot);
    ASSERT_EQ(map.owner(slot), owner) << "slot " << slot;
    if (!owner) continue;
    ++covered;
    owned[owner].add({slot, slot});
  }
  EXPECT_EQ(map.covered(), covered);
  EXPECT_EQ(map.owner_count(), owned.size());
  std::vector<NodeId> owners;
  for (const auto& [member, slots] : owned) {
    owners.push_back(member);
    EXPECT_EQ(map.slots_of(member), slots);
    EXPECT_EQ(map.count_of(member), slots.count());
  }
  EXPECT_EQ(map.owners(), owners);
  for (size_t i = 1; i < map.runs().size(); ++i) {
    const SlotRun& before = map.runs()[i - 1];
    const SlotRun& run = map.runs()[i];
    ASSERT_LT(before.range.last, run.range.first);
    EXPECT_FALSE(before.owner == run.owner && before.range.last + 1 == run.range.first);
  }
}

TEST(SlotMap, IsEmptyAtFirst) {
  const SlotMap map;
  EXPECT_FALSE(map.owner(0));
  EXPECT_EQ(map.covered(), 0u);
  EXPECT_FALSE(map.complete());
  EXPECT_EQ(map.max_epoch(), 0u);
  EXPECT_EQ(map.claim_of(node(1)), nullptr);
  EXPECT_TRUE(map.owners().empty());
}

TEST(SlotMap, GivesASlotToTheHigherEpoch) {
  SlotMap map;
  map.set_claim(node(2), 7, {{0, 9}});
  const std::vector<SlotMove> moves = map.set_claim(node(1), 8, {{5, 12}});
  EXPECT_EQ(moves, (std::vector<SlotMove>{{{5, 9}, node(2), node(1)}, {{10, 12}, {}, node(1)}}));
  EXPECT_EQ(map.owner(4), node(2));
  EXPECT_EQ(map.owner(5), node(1));
  EXPECT_TRUE(map.set_claim(node(3), 7, {{0, 9}}).front().range == (SlotRange{0, 4}));
}

TEST(SlotMap, GivesASlotOfEqualEpochsToTheGreaterId) {
  for (const bool reversed : {false, true}) {
    SlotMap map;
    map.set_claim(node(reversed ? 2 : 1), 3, {{0, 9}});
    map.set_claim(node(reversed ? 1 : 2), 3, {{0, 9}});
    EXPECT_EQ(map.owner(0), node(2));
    EXPECT_EQ(map.owner_count(), 1u);
  }
}

TEST(SlotMap, KnowsWhoseClaimIsSuperseded) {
  SlotMap map;
  map.set_claim(node(1), 1, {{0, 9}});
  EXPECT_FALSE(map.is_superseded(node(1)));
  EXPECT_FALSE(map.is_superseded(node(2))) << "it claims nothing";
  map.set_claim(node(2), 2, {{9, 9}});
  EXPECT_TRUE(map.is_superseded(node(1)));
  EXPECT_FALSE(map.is_superseded(node(2)));
  map.set_claim(node(1), 1, {{0, 8}});
  EXPECT_FALSE(map.is_superseded(node(1)));
  map.hint({{0, 0}}, node(2), 100);
  EXPECT_FALSE(map.is_superseded(node(1))) << "an operator's word is no claim";
}

TEST(SlotMap, FallsBackOnTheLoserWhenTheWinnerGivesUp) {
  SlotMap map;
  map.set_claim(node(1), 1, {{0, 9}});
  map.set_claim(node(2), 2, {{0, 9}});
  map.set_claim(node(3), 3, {{4, 9}});
  EXPECT_EQ(map.set_claim(node(3), 3, {{8, 9}}),
            (std::vector<SlotMove>{{{4, 7}, node(3), node(2)}}));
  EXPECT_EQ(map.set_claim(node(2), 0, {{0, 9}}),
            (std::vector<SlotMove>{{{0, 7}, node(2), node(1)}}));
  EXPECT_EQ(map.remove(node(3)), (std::vector<SlotMove>{{{8, 9}, node(3), node(1)}}));
  EXPECT_EQ(map.remove(node(1)), (std::vector<SlotMove>{{{0, 9}, node(1), node(2)}}));
  EXPECT_EQ(map.remove(node(2)), (std::vector<SlotMove>{{{0, 9}, node(2), {}}}));
  EXPECT_TRUE(map.claims().empty());
}

TEST(SlotMap, IsTheSameInWhateverOrderClaimsArrive) {
  SeededRandom random(11);
  for (int round = 0; round < 400; ++round) {
    Claims claims;
    for (uint32_t member = 1; member <= 6; ++member) {
      claims[node(member)] = {random.below(4), random_slots(random)};
    }
    std::vector<NodeId> order;
    for (const auto& [member, claim] : claims) order.push_back(member);
    SlotMap first;
    for (const NodeId& member : order) {
      first.set_claim(member, claims[member].epoch, claims[member].slots);
    }
    expect_rightful(first, claims);
    for (int shuffle = 0; shuffle < 5; ++shuffle) {
      for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
      SlotMap map;
      for (const NodeId& member : order) {
        // An older claim comes first, now and then.
        if (random.one_in(3)) map.set_claim(member, random.below(4), random_slots(random));
        map.set_claim(member, claims[member].epoch, claims[member].slots);
        if (random.one_in(4)) map.set_claim(member, claims[member].epoch, claims[member].slots);
      }
      expect_rightful(map, claims);
      EXPECT_EQ(map.owners_hash(), first.owners_hash());
      EXPECT_TRUE(map.same_claims(first));
    }
  }
}

TEST(SlotMap, StaysRightUnderRandomChangesAndTellsEachOfThem) {
  SeededRandom random(12);
  for (int round = 0; round < 60; ++round) {
    SlotMap map;
    Claims claims;
    std::array<NodeId, kUsed> owners;
    for (int step = 0; step < 80; ++step) {
      const NodeId member = node(1 + static_cast<uint32_t>(random.below(6)));
      claims[member] = {random.below(5), random_slots(random)};
      const SlotMap before = map;
      const std::vector<SlotMove> moves =
          map.set_claim(member, claims[member].epoch, claims[member].slots);
      expect_rightful(map, claims);
      for (uint16_t slot = 0; slot < kUsed; ++slot) {
        ASSERT_EQ(before.owner(slot), owners[slot]) << "a copy changed with the original";
      }
      for (size_t i = 0; i < moves.size(); ++i) {
        if (i > 0) {
          ASSERT_LT(moves[i - 1].range.last, moves[i].range.first);
        }
        for (uint32_t slot = moves[i].range.first; slot <= moves[i].range.last; ++slot) {
          ASSERT_EQ(owners[slot], moves[i].from);
          ASSERT_NE(moves[i].from, moves[i].to);
          owners[slot] = moves[i].to;
        }
      }
      for (uint16_t slot = 0; slot < kUsed; ++slot) ASSERT_EQ(map.owner(slot), owners[slot]);
    }
  }
}

TEST(SlotMap, KnowsWhenAllSlotsHaveOwners) {
  SlotMap map;
  map.set_claim(node(1), 1, {{0, 8191}});
  EXPECT_FALSE(map.complete());
  map.set_claim(node(2), 2, {{8192, 16383}});
  EXPECT_TRUE(map.complete());
  EXPECT_EQ(map.max_epoch(), 2u);
  EXPECT_EQ(map.first_with_owner(SlotRanges::all(), false), std::nullopt);
  map.set_claim(node(2), 2, {{8192, 16382}});
  EXPECT_EQ(map.first_with_owner(SlotRanges::all(), false), 16383);
  EXPECT_EQ(map.first_with_owner({{16383, 16383}}, true), std::nullopt);
}

TEST(SlotMap, ElectorateHashSaysWhoOwnsSlots) {
  SlotMap map;
  const uint64_t none = map.owners_hash();
  map.set_claim(node(1), 1, {{0, 9}});
  const uint64_t one = map.owners_hash();
  EXPECT_NE(one, none);
  map.set_claim(node(1), 5, {{3, 3}});
  EXPECT_EQ(map.owners_hash(), one) << "which slots and which epoch doesn't matter";
  map.set_claim(node(2), 6, {{3, 3}});
  EXPECT_NE(map.owners_hash(), one) << "another owner, as many as before";
  EXPECT_EQ(map.owner_count(), 1u);
  map.remove(node(2));
  EXPECT_EQ(map.owners_hash(), one);
}

TEST(SlotMap, CopiesShareOneTableUntilOneChanges) {
  SlotMap a;
  a.set_claim(node(1), 1, {{0, 9}});
  SlotMap b = a;
  EXPECT_EQ(a.runs().data(), b.runs().data());
  b.set_claim(node(2), 2, {{0, 9}});
  EXPECT_EQ(a.owner(0), node(1));
  a.set_claim(node(2), 2, {{0, 9}});
  EXPECT_NE(a.runs().data(), b.runs().data());
  ASSERT_TRUE(a.same_claims(b));
  a.share(b);
  EXPECT_EQ(a.runs().data(), b.runs().data());
}

TEST(SlotMapHint, HoldsInThisViewUntilTheClaimChangesHands) {
  SlotMap map;
  map.set_claim(node(1), 1, {{0, 9}});
  map.hint({{4, 5}}, node(2), 100);
  EXPECT_EQ(map.owner(4), node(2));
  EXPECT_EQ(map.owner_by_claims(4), node(1));
  EXPECT_EQ(map.slots_of(node(1)).count(), 10u);
  ASSERT_EQ(map.view().size(), 3u);
  EXPECT_EQ(map.view()[1].owner, node(2));
  EXPECT_EQ(map.view()[1].range, (SlotRange{4, 5}));
  map.set_claim(node(3), 2, {{4, 4}});
  EXPECT_EQ(map.owner(4), node(3));
  EXPECT_EQ(map.owner(5), node(2)) << "that claim was about another slot";
}

TEST(SlotMapHint, ExpiresAtItsTime) {
  SlotMap map;
  map.set_claim(node(1), 1, {{0, 9}});
  EXPECT_EQ(map.next_hint_expiry(), UINT64_MAX);
  map.hint({{4, 5}}, NodeId(), 100);
  EXPECT_FALSE(map.owner(4));
  EXPECT_EQ(map.next_hint_expiry(), 100u);
  EXPECT_FALSE(map.expire_hints(99));
  EXPECT_TRUE(map.expire_hints(100));
  EXPECT_EQ(map.owner(4), node(1));
  EXPECT_EQ(map.next_hint_expiry(), UINT64_MAX);
}

TEST(SlotMapHint, OutlivesTheClaimOfTheLastOwner) {
  SlotMap map;
  map.set_claim(node(1), 1, {{0, 9}});
  map.hint({{4, 5}}, node(2), 100);
  map.set_claim(node(1), 1, {{0, 4}});
  EXPECT_EQ(map.owner(5), node(2)) << "nobody has it by claims yet";
  map.set_claim(node(3), 2, {{5, 5}});
  EXPECT_EQ(map.owner(5), node(3));
}

TEST(SlotMapHint, LingersWhereNobodyHasTheSlotOrIsHinted) {
  SlotMap map;
  map.set_claim(node(1), 1, {{0, 3}});
  map.hint({{4, 4}}, node(2), 100);
  map.linger({{2, 6}}, node(3), 50);
  EXPECT_EQ(map.owner(3), node(1));
  EXPECT_EQ(map.owner(4), node(2));
  EXPECT_EQ(map.owner(5), node(3));
  EXPECT_FALSE(map.owner_by_claims(5));
  EXPECT_FALSE(map.complete());
  EXPECT_EQ(map.first_with_owner({{5, 6}}, true), std::nullopt) << "it may be assigned";
  ASSERT_EQ(map.view().size(), 3u);
  EXPECT_EQ(map.view()[2].range, (SlotRange{5, 6})) << "side by side they are one";
  EXPECT_TRUE(map.expire_hints(50));
  EXPECT_FALSE(map.owner(5));
  EXPECT_TRUE(map.has_hints());
}

TEST(SlotMapHint, IsNoneWhereItSaysWhatTheClaimsSay) {
  SlotMap map;
  map.set_claim(node(1), 1, {{0, 9}});
  map.hint({{0, 9}}, node(1), 100);
  EXPECT_EQ(map.next_hint_expiry(), UINT64_MAX);
}

TEST(SlotMapHint, GoesWithTheNodeItNames) {
  SlotMap map;
  map.set_claim(node(1), 1, {{0, 9}});
  map.hint({{4, 5}}, node(2), 100);
  map.remove(node(2));
  EXPECT_EQ(map.owner(4), node(1));
}

}  // namespace
}  // namespace syntropy
