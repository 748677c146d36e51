#include "membership/ownership.h"

#include <gtest/gtest.h>

#include "storage/base/random.h"
#include "tests/membership/slots_support.h"

namespace syntropy {
namespace {

using testing::kLinger;
using testing::node;

OwnershipState claiming(uint64_t epoch, SlotRanges slots) {
  OwnershipState state;
  state.current_epoch = epoch;
  state.config_epoch = epoch;
  state.slots = std::move(slots);
  return state;
}

TEST(Ownership, StateComesBackFromItsBytes) {
  OwnershipState state = claiming(300, {{0, 99}, {200, 200}});
  state.current_epoch = 400;
  state.last_vote_epoch = 399;
  state.voted_for = node(7);
  state.voted_over = node(8);
  state.migrating = {{3, node(1)}, {9, node(2)}};
  state.importing = {{16383, node(3)}};
  state.given = {{5, 7}, {200, 200}};
  state.given_to = node(9);
  state.spare = {{100, 150}};
  const std::string bytes = encode(state);
  const Result<OwnershipState> back = decode_ownership_state(bytes);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, state);
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    EXPECT_FALSE(decode_ownership_state(std::string_view(bytes).substr(0, cut)).ok());
  }
  EXPECT_FALSE(decode_ownership_state(bytes + '\0').ok());
  std::string other_format = bytes;
  other_format[0] = 3;
  EXPECT_FALSE(decode_ownership_state(other_format).ok());
  // What was stored before slots could be given away.
  OwnershipState before = state;
  before.given.clear();
  before.given_to = NodeId();
  before.spare.clear();
  std::string old = encode(before);
  old[0] = 1;
  old.resize(old.size() - NodeId::kBytes - 2 * SlotRanges().encoded_size());
  EXPECT_EQ(*decode_ownership_state(old), before);
  // Slots that aren't its own can't be given, nor rows of its own be spare.
  state.given = {{300, 300}};
  EXPECT_FALSE(decode_ownership_state(encode(state)).ok());
  state.given.clear();
  state.spare = {{99, 100}};
  EXPECT_FALSE(decode_ownership_state(encode(state)).ok());
}

TEST(Ownership, StateFromHostileBytesIsRefusedOrEncodesToTheSameBytes) {
  OwnershipState state = claiming(300, {{0, 99}, {200, 200}});
  state.migrating = {{3, node(1)}, {9, node(2)}};
  state.importing = {{16383, node(3)}};
  const std::string good = encode(state);
  SeededRandom random(31);
  int decoded = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string bytes = good;
    for (uint64_t changes = 1 + random.below(3); changes > 0; --changes) {
      bytes[random.below(bytes.size())] = static_cast<char>(random.next());
    }
    const Result<OwnershipState> back = decode_ownership_state(bytes);
    if (!back.ok()) continue;
    ++decoded;
    ASSERT_EQ(encode(*back), bytes);
  }
  EXPECT_GT(decoded, 1000);
}

TEST(Ownership, ClaimsWhatWasStored) {
  Ownership own(node(1), claiming(5, {{0, 9}}));
  EXPECT_EQ(own.claim(), (SlotsFact{5, {{0, 9}}}));
  EXPECT_TRUE(own.owns(9));
  EXPECT_FALSE(own.owns(10));
  const OwnershipReady ready = own.take_ready();
  EXPECT_TRUE(ready.view_changed);
  EXPECT_FALSE(ready.persist) << "it is stored already";
}

TEST(Ownership, LostToAHigherEpochIsGivenUpAtOnce) {
  Ownership own(node(2), claiming(5, {{0, 9}}));
  own.take_ready();
  own.set_claim(node(1), {6, {{5, 9}}}, kLinger);
  EXPECT_FALSE(own.owns(5));
  EXPECT_EQ(own.claim(), (SlotsFact{5, {{0, 4}}}));
  const OwnershipReady ready = own.take_ready();
  EXPECT_TRUE(ready.persist);
  EXPECT_TRUE(ready.publish);
  EXPECT_FALSE(ready.follow) << "it owns slots still";
  EXPECT_EQ(ready.moves, (std::vector<SlotMove>{{{5, 9}, node(2), node(1)}}));
  // And isn't claimed again when the other gives it up.
  own.remove(node(1));
  EXPECT_FALSE(own.owns(5));
}

TEST(Ownership, PrimaryThatLostItsLastSlotFollowsTheNewOwner) {
  Ownership own(node(2), claiming(5, {{0, 9}}));
  own.take_ready();
  own.set_claim(node(1), {6, {{0, 9}}}, kLinger);
  EXPECT_EQ(own.take_ready().follow, node(1));
  EXPECT_TRUE(own.state().slots.empty());
}

TEST(Ownership, RestartedWithAClaimThatWasLostMeanwhileFollowsTheNewOwner) {
  SlotMap map;
  map.set_claim(node(1), 6, {{0, 9}});
  Ownership own(node(2), claiming(5, {{0, 9}}), map);
  EXPECT_FALSE(own.owns(0));
  const OwnershipReady ready = own.take_ready();
  EXPECT_EQ(ready.follow, node(1));
  EXPECT_TRUE(ready.publish);
  EXPECT_EQ(own.current_epoch(), 6u);
}

TEST(Ownership, ReplicaFollowsWhoeverTookItsPrimarysSlots) {
  Ownership own(node(3), {});
  own.set_primary(node(2));
  own.set_claim(node(2), {5, {{0, 9}}}, kLinger);
  own.set_claim(node(1), {6, {{0, 4}}}, kLinger);
  EXPECT_FALSE(own.take_ready().follow) << "its primary owns slots still";
  own.set_claim(node(1), {6, {{0, 9}}}, kLinger);
  EXPECT_EQ(own.take_ready().follow, node(1));
}

TEST(Ownership, ReplicaStaysWhenItsPrimaryGaveItsSlotsUpToNobody) {
  Ownership own(node(3), {});
  own.set_primary(node(2));
  own.set_claim(node(2), {5, {{0, 9}}}, kLinger);
  own.set_claim(node(2), {5, {}}, kLinger);
  EXPECT_FALSE(own.take_ready().follow);
}

TEST(Ownership, WithoutReplicaMigrationOnlyAFailoverIsFollowed) {
  for (const bool failover : {false, true}) {
    Ownership own(node(2), claiming(5, {{0, 9}}));
    own.allow_replica_migration(false);
    if (!failover) own.set_claim(node(1), {6, {{100, 109}}}, kLinger);
    own.take_ready();
    own.set_claim(node(1), {7, failover ? SlotRanges{{0, 9}} : SlotRanges{{0, 9}, {100, 109}}}, kLinger);
    EXPECT_EQ(own.take_ready().follow, failover ? node(1) : NodeId());
    EXPECT_TRUE(own.state().slots.empty());
  }
}

TEST(Ownership, EqualEpochsTheGreaterIdKeepsItsEpoch) {
  Ownership own(node(2), claiming(5, {{0, 9}}));
  own.set_claim(node(1), {5, {{10, 19}}}, kLinger);
  own.take_ready();
  EXPECT_EQ(own.config_epoch(), 5u);
}

TEST(Ownership, EqualEpochsTheSmallerIdTakesANewOneWithoutTheSlotsThatBothClaim) {
  Ownership own(node(2), claiming(5, {{0, 9}}));
  own.take_ready();
  own.set_claim(node(3), {5, {{5, 19}}}, kLinger);
  EXPECT_TRUE(own.take_ready().persist);
  EXPECT_EQ(own.claim(), (SlotsFact{7, {{0, 4}}}));
  EXPECT_EQ(own.map().owner(5), node(3));
}

TEST(Ownership, EqualEpochsOfManyAreResolvedInOneStep) {
  constexpr uint16_t kNodes = 40;
  std::set<uint64_t> epochs;
  for (uint16_t i = 0; i < kNodes; ++i) {
    Ownership own(node(i), claiming(0, {{i, i}}));
    for (uint16_t other = 0; other < kNodes; ++other)
      own.set_claim(node(other), {0, {{other, other}}}, kLinger);
    own.take_ready();
    epochs.insert(own.config_epoch());
  }
  EXPECT_EQ(epochs.size(), kNodes);
  EXPECT_EQ(*epochs.begin(), 0u);
  EXPECT_EQ(*epochs.rbegin(), 2 * kNodes - 3u);
}

// So none of the one is one of the other's, whatever those who choose them have heard.
TEST(Ownership, EpochsOfElectionsAreEvenThoseOfANodesOwnWordOdd) {
  Ownership own(node(1), claiming(4, {{0, 9}}));
  EXPECT_EQ(own.next_epoch(), 5u);
  EXPECT_EQ(own.next_epoch(), 7u);
  EXPECT_EQ(own.next_election_epoch(), 8u);
  EXPECT_EQ(own.next_election_epoch(), 10u);
  EXPECT_EQ(own.next_epoch(), 11u);
}

TEST(Ownership, EqualEpochOfANodeWithoutSlotsIsNoCollision) {
  Ownership empty(node(1), claiming(5, {}));
  empty.set_claim(node(2), {5, {{0, 9}}}, kLinger);
  empty.take_ready();
  EXPECT_EQ(empty.config_epoch(), 5u);
  Ownership own(node(1), claiming(5, {{10, 19}}));
  own.set_claim(node(2), {5, {}}, kLinger);
  own.take_ready();
  EXPECT_EQ(own.config_epoch(), 5u);
}

TEST(Ownership, FirstClaimUnderAnEpochInUseTakesANewOne) {
  Ownership own(node(1), {});
  own.set_claim(node(2), {0, {{0, 9}}}, kLinger);
  ASSERT_TRUE(own.add_slots({{10, 19}}).ok());
  own.take_ready();
  EXPECT_EQ(own.config_epoch(), 1u);
  EXPECT_EQ(own.map().slots_of(node(1)).text(), "10-19");
}

TEST(Ownership, EpochsOfOthersRaiseTheCurrentOneAndAreNotAReasonToStore) {
  Ownership own(node(1), {});
  own.take_ready();
  own.set_claim(node(2), {9, {}}, kLinger);
  EXPECT_EQ(own.current_epoch(), 9u);
  own.observe_epoch(12);
  own.observe_epoch(11);
  EXPECT_EQ(own.current_epoch(), 12u);
  EXPECT_FALSE(own.take_ready().persist);
}

TEST(Ownership, NextEpochVoteAndWinAreStoredFirst) {
  Ownership own(node(1), {});
  own.set_primary(node(2));
  own.set_claim(node(2), {4, {{0, 9}}}, kLinger);
  own.take_ready();
  EXPECT_EQ(own.next_epoch(), 5u);
  EXPECT_TRUE(own.take_ready().persist);
  own.vote(7, node(3), node(4));
  EXPECT_TRUE(own.take_ready().persist);
  EXPECT_EQ(own.state().last_vote_epoch, 7u);
  EXPECT_EQ(own.state().voted_for, node(3));
  EXPECT_EQ(own.state().voted_over, node(4));
  EXPECT_EQ(own.current_epoch(), 7u);
  own.win(5, {{0, 9}});
  const OwnershipReady ready = own.take_ready();
  EXPECT_TRUE(ready.persist && ready.publish);
  EXPECT_FALSE(ready.follow) << "nobody follows itself";
  EXPECT_EQ(own.claim(), (SlotsFact{5, {{0, 9}}}));
  EXPECT_TRUE(own.owns(0));
}

TEST(Ownership, RestoredFromAnOldDiskVotesForNoEpochThatItMayHaveVotedIn) {
  Ownership own(node(1), claiming(3, {{0, 9}}));
  own.set_claim(node(2), {8, {{5, 5}}}, kLinger);
  own.restore_claim({7, {{0, 4}, {20, 29}}});
  EXPECT_EQ(own.claim(), (SlotsFact{7, {{0, 4}, {20, 29}}}));
  EXPECT_EQ(own.state().last_vote_epoch, 8u);
  EXPECT_FALSE(own.state().voted_for);
  EXPECT_EQ(own.map().owner(5), node(2)) << "under its newer epoch it doesn't take it back";
  own.take_ready();
  own.restore_claim(own.claim());
  EXPECT_FALSE(own.take_ready().publish) << "an echo of what it says itself";
  own.restore_claim({6, {{0, 1}}});
  EXPECT_FALSE(own.take_ready().publish) << "older than the disk";
}

TEST(Ownership, WhatIsGivenStaysClaimedUntilItIsTaken) {
  Ownership own(node(2), claiming(5, {{0, 9}}));
  own.take_ready();
  own.give({{3, 4}}, node(100));
  OwnershipReady ready = own.take_ready();
  EXPECT_TRUE(ready.persist);
  EXPECT_TRUE(ready.view_changed);
  EXPECT_FALSE(ready.publish) << "who takes its place takes them too";
  EXPECT_TRUE(own.owns(3));
  own.set_claim(node(1), {6, {{3, 3}}}, kLinger);
  EXPECT_EQ(own.state().given, (SlotRanges{{4, 4}}));
  own.set_claim(node(1), {6, {{3, 4}}}, kLinger);
  EXPECT_TRUE(own.state().given.empty());
  EXPECT_FALSE(own.state().given_to);
  EXPECT_EQ(own.state().spare, (SlotRanges{{3, 4}})) << "the other has it all";
  own.remove_spare({{3, 3}});
  EXPECT_EQ(own.state().spare, (SlotRanges{{4, 4}}));
}

TEST(Ownership, WhatNobodyIsLeftToTakeStaysUnderANewEpoch) {
  Ownership own(node(2), claiming(5, {{0, 9}}));
  own.give({{3, 4}}, node(100));
  own.take_ready();
  own.take_back();
  const OwnershipReady ready = own.take_ready();
  EXPECT_TRUE(ready.persist && ready.publish && ready.view_changed);
  EXPECT_TRUE(own.state().given.empty());
  EXPECT_FALSE(own.state().given_to);
  EXPECT_TRUE(own.state().spare.empty());
  EXPECT_EQ(own.claim(), (SlotsFact{7, {{0, 9}}}));
}

TEST(Ownership, WhatWasLostWithoutHavingBeenGivenIsNotSpare) {
  Ownership own(node(2), claiming(5, {{0, 9}}));
  own.give({{3, 4}}, node(100));
  own.set_claim(node(1), {6, {{4, 6}}}, kLinger);
  EXPECT_EQ(own.state().spare, (SlotRanges{{4, 4}}));
  EXPECT_EQ(own.state().given, (SlotRanges{{3, 3}}));
  EXPECT_TRUE(own.owns(3));
}

TEST(Ownership, WhatIsTakenIsClaimedUnderANewEpochAndSpareNoMore) {
  Ownership own(node(2), claiming(5, {{0, 9}}));
  own.set_claim(node(1), {7, {{20, 29}}}, kLinger);
  own.add_spare({{0, 3}, {20, 25}});
  EXPECT_EQ(own.state().spare, (SlotRanges{{20, 25}})) << "rows of its own slots aren't";
  own.take_ready();
  own.take({{20, 23}});
  EXPECT_EQ(own.claim(), (SlotsFact{9, {{0, 9}, {20, 23}}}));
  EXPECT_TRUE(own.owns(20));
  EXPECT_EQ(own.state().spare, (SlotRanges{{24, 25}}));
  EXPECT_TRUE(own.take_ready().persist);
}

TEST(Ownership, WhatAPromotedReplicaHoldsIsNotKnownToBeSpare) {
  OwnershipState state;
  state.spare = {{3, 4}};
  Ownership own(node(3), state);
  own.set_primary(node(2));
  own.win(9, {{0, 1}});
  EXPECT_TRUE(own.state().spare.empty());
}

TEST(OwnershipCommands, AddSlotsTakesOnlyThoseWithoutOwner) {
  Ownership own(node(1), {});
  own.set_claim(node(2), {1, {{5, 5}}}, kLinger);
  EXPECT_TRUE(own.add_slots({{0, 9}}).is(StatusCode::kAlreadyExists));
  EXPECT_TRUE(own.state().slots.empty());
  own.take_ready();
  EXPECT_TRUE(own.add_slots({{0, 4}}).ok());
  EXPECT_EQ(own.state().slots.text(), "0-4");
  const OwnershipReady ready = own.take_ready();
  EXPECT_TRUE(ready.persist && ready.publish && ready.view_changed);
  EXPECT_TRUE(own.add_slots({{4, 4}}).is(StatusCode::kAlreadyExists)) << "its own";
}

TEST(OwnershipCommands, DelSlotsGivesUpItsOwnAndUnassignsOthersInThisViewForAWhile) {
  Ownership own(node(1), claiming(5, {{0, 9}}));
  own.set_claim(node(2), {4, {{10, 19}}}, kLinger);
  EXPECT_TRUE(own.del_slots({{19, 20}}, 100).is(StatusCode::kNotFound));
  EXPECT_TRUE(own.owns(9));
  own.take_ready();
  ASSERT_TRUE(own.del_slots({{8, 11}}, 100).ok());
  EXPECT_EQ(own.state().slots.text(), "0-7");
  EXPECT_FALSE(own.map().owner(10));
  EXPECT_TRUE(own.take_ready().view_changed);
  EXPECT_EQ(own.next_deadline(), 100u);
  own.tick(100);
  EXPECT_EQ(own.map().owner(10), node(2));
  EXPECT_FALSE(own.map().owner(8));
  EXPECT_TRUE(own.take_ready().view_changed);
}

TEST(OwnershipCommands, DelSlotsThenAddSlotsTakesASlotFromItsOwner) {
  Ownership own(node(1), claiming(5, {{0, 9}}));
  own.set_claim(node(2), {7, {{10, 19}}}, kLinger);
  ASSERT_TRUE(own.del_slots({{10, 10}}, 100).ok());
  ASSERT_TRUE(own.add_slots({{10, 10}}).ok());
  EXPECT_EQ(own.config_epoch(), 9u) << "under its old epoch the claim would lose";
  EXPECT_EQ(own.map().owner_by_claims(10), node(1));
}

TEST(OwnershipCommands, FlushSlotsGivesUpAll) {
  Ownership own(node(1), claiming(5, {{0, 9}}));
  own.flush_slots();
  EXPECT_EQ(own.claim(), (SlotsFact{5, {}}));
  EXPECT_EQ(own.map().covered(), 0u);
}

TEST(OwnershipCommands, SetSlotMigratingAndImportingAndStable) {
  Ownership own(node(1), claiming(5, {{0, 9}}));
  EXPECT_TRUE(own.set_migrating(10, node(2)).is(StatusCode::kInvalidArgument));
  EXPECT_TRUE(own.set_importing(9, node(2)).is(StatusCode::kInvalidArgument));
  ASSERT_TRUE(own.set_migrating(9, node(2)).ok());
  ASSERT_TRUE(own.set_migrating(9, node(3)).ok());
  ASSERT_TRUE(own.set_migrating(2, node(2)).ok());
  ASSERT_TRUE(own.set_importing(10, node(2)).ok());
  EXPECT_EQ(own.state().migrating,
            (std::vector<std::pair<uint16_t, NodeId>>{{2, node(2)}, {9, node(3)}}));
  EXPECT_EQ(own.state().importing, (std::vector<std::pair<uint16_t, NodeId>>{{10, node(2)}}));
  own.take_ready();
  ASSERT_TRUE(own.set_migrating(3, node(2)).ok());
  EXPECT_TRUE(own.take_ready().view_changed) << "clients are sent there from now on";
  ASSERT_TRUE(own.set_importing(11, node(2)).ok());
  EXPECT_TRUE(own.take_ready().view_changed);
  own.set_stable(3);
  EXPECT_TRUE(own.take_ready().view_changed);
  own.set_stable(11);
  own.set_stable(9);
  own.set_stable(10);
  EXPECT_TRUE(own.take_ready().persist);
  EXPECT_EQ(own.state().migrating.size(), 1u);
  EXPECT_TRUE(own.state().importing.empty());
  own.set_stable(9);
  EXPECT_FALSE(own.take_ready().persist);
}

TEST(OwnershipCommands, MigrationEndsWithTheSlot) {
  Ownership own(node(1), claiming(5, {{0, 9}}));
  ASSERT_TRUE(own.set_migrating(9, node(2)).ok());
  own.set_claim(node(2), {6, {{9, 9}}}, kLinger);
  EXPECT_TRUE(own.state().migrating.empty());
}

TEST(OwnershipCommands, SetSlotNodeOfAnImportedSlotTakesANewEpoch) {
  Ownership target(node(1), claiming(5, {{0, 9}}));
  target.set_claim(node(2), {5 - 1, {{10, 19}}}, kLinger);
  target.observe_epoch(6);
  ASSERT_TRUE(target.set_importing(10, node(2)).ok());
  target.set_owner(10, node(1), 100);
  EXPECT_EQ(target.config_epoch(), 7u);
  EXPECT_TRUE(target.owns(10));
  EXPECT_TRUE(target.state().importing.empty());
  EXPECT_EQ(target.map().owner_by_claims(10), node(1));
}

TEST(OwnershipCommands, SetSlotNodeAtTheSourcePointsToTheTargetUntilThatHasIt) {
  Ownership source(node(2), claiming(5, {{10, 19}}));
  ASSERT_TRUE(source.set_migrating(10, node(1)).ok());
  source.set_owner(10, node(1), 100);
  EXPECT_EQ(source.map().owner(10), node(1)) << "before the target's claim arrives";
  EXPECT_EQ(source.claim().slots.text(), "11-19") << "at once: it may serve it no more";
  EXPECT_TRUE(source.state().migrating.empty());
  const OwnershipReady ready = source.take_ready();
  EXPECT_TRUE(ready.persist && ready.publish && ready.view_changed);
  EXPECT_FALSE(ready.follow);
  source.set_claim(node(1), {6, {{10, 10}}}, kLinger);
  source.tick(100);
  EXPECT_EQ(source.map().owner(10), node(1));
}

TEST(OwnershipCommands, ASlotThatAnOperatorGaveAwayIsNotTakenBackByALaterEpoch) {
  Ownership source(node(2), claiming(5, {{10, 19}}));
  source.set_owner(10, node(1), 100);
  source.take({{30, 39}});  // before the target's claim arrives
  source.set_claim(node(1), {6, {{10, 10}}}, kLinger);
  EXPECT_EQ(source.claim(), (SlotsFact{7, {{11, 19}, {30, 39}}}));
  EXPECT_EQ(source.map().owner_by_claims(10), node(1));
}

TEST(OwnershipCommands, WhatAnOperatorGaveAwayHasNoOwnerWithoutTheTarget) {
  Ownership source(node(2), claiming(5, {{10, 19}}));
  source.set_owner(10, node(1), 100);
  source.tick(100);
  EXPECT_FALSE(source.map().owner(10));
}

TEST(Ownership, WhatIsGivenUpLingersUntilTheNextOwnerIsHeardOf) {
  Ownership third(node(3), claiming(5, {{0, 9}}));
  third.set_claim(node(2), {4, {{10, 19}}}, 100);
  third.set_claim(node(2), {4, {{12, 19}}}, 100);  // no more 10 and 11
  EXPECT_EQ(third.map().owner(10), node(2));
  EXPECT_FALSE(third.map().owner_by_claims(10));
  EXPECT_TRUE(third.add_slots({{11, 11}}).ok()) << "it may be assigned";
  EXPECT_EQ(third.map().owner(11), node(3));
  third.set_claim(node(1), {6, {{10, 10}}}, 100);
  EXPECT_EQ(third.map().owner(10), node(1));
  third.set_claim(node(1), {6, {}}, 200);
  third.tick(199);
  EXPECT_EQ(third.map().owner(10), node(1));
  third.take_ready();
  third.tick(200);
  EXPECT_FALSE(third.map().owner(10));
  EXPECT_TRUE(third.take_ready().view_changed);
}

TEST(Ownership, AnOperatorsWordGoesBeforeWhatLingers) {
  Ownership third(node(3), claiming(5, {{0, 9}}));
  third.set_claim(node(2), {4, {{10, 19}}}, kLinger);
  third.set_owner(10, node(1), 100);
  third.set_claim(node(2), {4, {{11, 19}}}, kLinger);
  EXPECT_EQ(third.map().owner(10), node(1));
  third.tick(kLinger);
  EXPECT_EQ(third.map().owner(10), node(1));
  third.remove(node(1));
  EXPECT_FALSE(third.map().owner(10)) << "nobody lingers for one who is forgotten";
}

TEST(OwnershipCommands, SetSlotNodeOfTheLastSlotMakesTheSourceFollow) {
  for (const bool migration : {false, true}) {
    Ownership source(node(2), claiming(5, {{10, 10}}));
    source.allow_replica_migration(migration);
    source.set_owner(10, node(1), 100);
    EXPECT_EQ(source.take_ready().follow, migration ? node(1) : NodeId());
    source.set_claim(node(1), {6, {{10, 10}, {12, 13}}}, kLinger);
    EXPECT_FALSE(source.take_ready().follow);
  }
}

TEST(OwnershipCommands, SetSlotNodeAtAThirdNodeIsAHint) {
  Ownership third(node(3), claiming(5, {{0, 9}}));
  third.set_claim(node(2), {4, {{10, 19}}}, kLinger);
  third.take_ready();
  third.set_owner(10, node(1), 100);
  EXPECT_EQ(third.map().owner(10), node(1));
  const OwnershipReady ready = third.take_ready();
  EXPECT_TRUE(ready.view_changed);
  EXPECT_FALSE(ready.publish);
  third.tick(100);
  EXPECT_EQ(third.map().owner(10), node(2));
}

TEST(OwnershipCommands, SetConfigEpochOnlyOnceAndAlone) {
  Ownership own(node(1), {});
  EXPECT_TRUE(own.set_config_epoch(0, false).is(StatusCode::kInvalidArgument));
  EXPECT_TRUE(own.set_config_epoch(3, true).is(StatusCode::kInvalidArgument));
  ASSERT_TRUE(own.set_config_epoch(3, false).ok());
  EXPECT_EQ(own.current_epoch(), 3u);
  EXPECT_TRUE(own.take_ready().persist);
  EXPECT_TRUE(own.set_config_epoch(4, false).is(StatusCode::kInvalidArgument));
  EXPECT_EQ(own.config_epoch(), 3u);
}

TEST(OwnershipCommands, BumpEpochOnlyWhereItIsNotTheHighestAlready) {
  Ownership own(node(1), {});
  EXPECT_EQ(own.bump_epoch(), 1u);
  EXPECT_EQ(own.bump_epoch(), std::nullopt);
  own.observe_epoch(6);
  EXPECT_EQ(own.bump_epoch(), 7u);
  EXPECT_EQ(own.config_epoch(), 7u);
}

TEST(OwnershipCommands, ResetForgetsTheEpochsOnlyWhenHard) {
  for (const bool hard : {false, true}) {
    Ownership own(node(1), claiming(5, {{0, 9}}));
    own.vote(6, node(2), node(3));
    ASSERT_TRUE(own.set_migrating(3, node(2)).ok());
    own.reset(hard);
    EXPECT_TRUE(own.state().slots.empty() && own.state().migrating.empty());
    EXPECT_EQ(own.current_epoch(), hard ? 0u : 6u);
    EXPECT_EQ(own.state().last_vote_epoch, hard ? 0u : 6u);
    EXPECT_EQ(own.map().covered(), 0u);
  }
}

}  // namespace
}  // namespace syntropy
