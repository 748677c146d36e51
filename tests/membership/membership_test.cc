#include "membership/membership.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/membership/small_cluster.h"

namespace syntropy {
namespace {

// Three primaries, 0 to 2, with a third of the slots each, and their replicas, 3 to 5.
class MembershipTest : public ::testing::Test {
 protected:
  MembershipTest() : cluster(6) {
    cluster.meet_all();
    EXPECT_TRUE(cluster.run_until([&] { return everyone_knows(6); }));
    const SlotRange thirds[] = {{0, 5460}, {5461, 10922}, {10923, 16383}};
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_TRUE(cluster.node(i).add_slots({thirds[i]}, cluster.now()).ok());
      cluster.settle(i);
    }
    EXPECT_TRUE(cluster.run_until([&] { return cluster.node(3).slots().complete(); }));
    for (size_t i = 3; i < 6; ++i) {
      EXPECT_TRUE(cluster.node(i).replicate(cluster.id(i - 3), cluster.now()).ok());
      cluster.settle(i);
    }
    cluster.run_for(3000);
  }

  bool everyone_knows(size_t members) {
    for (size_t i = 0; i < 6; ++i) {
      if (cluster.node(i).members().size() != members) return false;
    }
    return true;
  }

  bool in_view(size_t viewer, size_t node, Liveness liveness) {
    return cluster.node(viewer).liveness(cluster.id(node)) == liveness;
  }

  SmallCluster cluster;
};

TEST_F(MembershipTest, NodesThatWereIntroducedKnowEachOtherAndServe) {
  EXPECT_TRUE(cluster.agreed());
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(cluster.node(i).health(cluster.now()), ClusterHealth::kOk) << i;
    const std::optional<MemberView> view = cluster.node(i).member(cluster.id(0));
    ASSERT_TRUE(view);
    EXPECT_EQ(view->address.host, "10.0.0.1") << "as the others see it";
    EXPECT_EQ(view->address.port, 7000);
    EXPECT_EQ(cluster.node(i).slots().count_of(cluster.id(0)), 5461u);
  }
  EXPECT_EQ(cluster.node(4).primary(), cluster.id(1));
  EXPECT_EQ(cluster.node(4).shard(), cluster.node(1).shard());
}

TEST_F(MembershipTest, ReplicaOfADeadPrimaryTakesItsSlotsWithinTwoTimeouts) {
  const TimeMs died = cluster.now();
  cluster.kill(0);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_see_owner(0, 3); }));
  EXPECT_LE(cluster.now() - died, 2000u);
  EXPECT_FALSE(cluster.node(3).primary());
  EXPECT_EQ(cluster.node(3).health(cluster.now()), ClusterHealth::kOk);
}

TEST_F(MembershipTest, ReturningPrimaryFollowsWhoeverReplacedIt) {
  cluster.kill(0);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_see_owner(0, 3); }));
  cluster.restart(0);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.node(0).primary() == cluster.id(3); }));
  EXPECT_TRUE(cluster.run_until([&] { return in_view(1, 0, Liveness::kAlive); }));
  cluster.run_for(3000);
  EXPECT_TRUE(cluster.all_see_owner(0, 3));
  EXPECT_TRUE(cluster.agreed());
}

TEST_F(MembershipTest, PrimaryThatIsCutOffStopsServingAndIsReplaced) {
  for (size_t i = 1; i < 6; ++i) cluster.cut(0, i);
  const TimeMs cut = cluster.now();
  ASSERT_TRUE(cluster.run_until([&] { return cluster.node(3).slots().owner(0) == cluster.id(3); }));
  EXPECT_EQ(cluster.node(0).health(cluster.now()), ClusterHealth::kCutOff);
  const NodeId self = cluster.node(0).self();
  EXPECT_TRUE(cluster.node(0).set_slot_owner(kSlotCount - 1, self, cluster.now()).is(
      StatusCode::kUnavailable))
      << "its other slots would come with it, and may be another's";
  EXPECT_LE(cluster.node(0).serve_until(), cut + 1000) << "before anyone else was elected";
  cluster.heal();
  EXPECT_TRUE(cluster.run_until([&] { return cluster.node(0).primary() == cluster.id(3); }));
}

// A winner that nobody heard of may have served: the old owner serves again under a higher epoch.
TEST_F(MembershipTest, OwnerThatMayHaveBeenReplacedServesAgainUnderAHigherEpoch) {
  cluster.kill(0);
  ASSERT_TRUE(cluster.run_until([&] { return !cluster.node(3).primary(); }));
  const uint64_t won = cluster.node(3).epochs().config_epoch;
  cluster.kill(3);
  ASSERT_FALSE(cluster.all_see_owner(0, 3)) << "or there is nothing to be shown";
  cluster.restart(0);
  const auto serves = [&](size_t i) {
    return cluster.node(i).health(cluster.now()) != ClusterHealth::kCutOff;
  };
  ASSERT_TRUE(cluster.run_until([&] { return serves(0); }));
  EXPECT_GT(cluster.node(0).epochs().config_epoch, won);
  EXPECT_TRUE(cluster.run_until([&] { return cluster.all_see_owner(0, 0); }));
  cluster.restart(3);
  EXPECT_TRUE(cluster.run_until([&] { return cluster.node(3).primary() == cluster.id(0); }));
  cluster.run_for(3000);
  EXPECT_TRUE(cluster.all_see_owner(0, 0));
  EXPECT_TRUE(cluster.agreed());
}

TEST_F(MembershipTest, OwnerServesAgainSoonWhenTheCandidateSaysThatItGaveUp) {
  cluster.kill(0);
  ASSERT_TRUE(cluster.run_until([&] { return in_view(3, 0, Liveness::kFailed); }));
  cluster.kill(3);  // when its requests are under way, and no vote has come back
  cluster.run_for(100);
  ASSERT_EQ(cluster.node(1).epochs().voted_over, cluster.id(0))
      << "or there is nothing to be shown";
  cluster.restart(0);
  cluster.restart(3);
  const uint64_t epoch = cluster.node(0).epochs().config_epoch;
  const auto serves = [&](size_t i) {
    return cluster.node(i).health(cluster.now()) != ClusterHealth::kCutOff;
  };
  ASSERT_TRUE(cluster.run_until([&] { return serves(0); }, 3000));
  EXPECT_EQ(cluster.node(0).epochs().config_epoch, epoch);
}

TEST_F(MembershipTest, PrimaryThatReturnsUnderItsIdentityWithAnEmptyDiskIsReplaced) {
  cluster.kill(0);
  cluster.run_for(100);  // long before it would be FAIL
  cluster.restart_empty(0);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_see_owner(0, 3); }));
  EXPECT_FALSE(cluster.node(3).primary());
  EXPECT_TRUE(cluster.run_until([&] { return cluster.node(0).primary() == cluster.id(3); }));
  const auto& seen = cluster.failed_seen_by(1);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), cluster.id(0)), 0) << "it was never FAIL";
  cluster.run_for(3000);
  EXPECT_TRUE(cluster.agreed());
}

TEST_F(MembershipTest, PrimaryWithAnEmptyDiskNeverServesWhileAReplicaHasItsData) {
  cluster.kill(0);
  cluster.run_for(100);
  cluster.restart_empty(0);
  EXPECT_TRUE(cluster.run_until([&] {
    const bool serves =
        !cluster.node(0).primary() && cluster.node(0).health(cluster.now()) == ClusterHealth::kOk;
    EXPECT_FALSE(serves);
    return cluster.all_see_owner(0, 3);
  }));
}

TEST_F(MembershipTest, PrimaryWithAnOldDiskIsReplaced) {
  const MembershipState old = cluster.stored(0);
  cluster.set_replication(0, 5000);
  cluster.set_replication(3, 5000);
  cluster.run_for(5000);  // the others know of offset 5000
  // Versions that were told since the copy was made lie above what it reserves.
  MembershipState copied = old;
  copied.version_bound = 8;
  cluster.kill(0);
  cluster.set_replication(0, 100);
  cluster.restart_with(0, copied);
  EXPECT_TRUE(cluster.run_until([&] { return cluster.all_see_owner(0, 3); }));
}

// The disk is from before it was elected, and so little older that the versions of its next life are
// above all that it had told: who believes its new word forgets the old one.
TEST_F(MembershipTest, WhoStartsAgainBelievesNoSingleOneWhoIsBehind) {
  const MembershipState before = cluster.stored(3);
  cluster.kill(4);  // it hears nothing of what follows
  cluster.kill(0);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_see_owner(0, 3); }));
  cluster.restart(0);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.node(0).primary() == cluster.id(3); }));
  cluster.kill(3);
  for (const size_t other : {0, 1, 2, 5}) {
    cluster.cut(3, other);
    cluster.cut(4, other);
  }
  cluster.restart(4);
  cluster.restart_with(3, before);
  cluster.run_for(300);
  EXPECT_FALSE(cluster.node(3).health(cluster.now()) == ClusterHealth::kOk);
  cluster.heal();
  EXPECT_TRUE(cluster.run_until([&] { return cluster.agreed() && cluster.all_see_owner(0, 3); }));
}

// A part of what it had was lost while it was down: syntropy salvage.
TEST_F(MembershipTest, PrimaryWhoseStoreIsAnotherOneIsReplacedByItsReplica) {
  MembershipState state = cluster.stored(0);
  state.store += 1000;
  cluster.kill(0);
  cluster.set_replication(0, 0, false);
  cluster.run_for(100);  // long before it would be FAIL
  cluster.restart_with(0, state);
  EXPECT_TRUE(cluster.run_until([&] {
    const bool serves =
        !cluster.node(0).primary() && cluster.node(0).health(cluster.now()) == ClusterHealth::kOk;
    EXPECT_FALSE(serves);
    return cluster.all_see_owner(0, 3);
  }));
  EXPECT_TRUE(cluster.run_until([&] { return cluster.node(0).primary() == cluster.id(3); }));
  EXPECT_FALSE(cluster.node(0).has_lost_data());
  const auto& seen = cluster.failed_seen_by(1);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), cluster.id(0)), 0) << "it was never FAIL";
}

// An older record of the cluster has come back.
TEST_F(MembershipTest, PrimaryWhoseStoreKnowsNobodyIsToldWhoItWasAndReplaced) {
  MembershipState state = cluster.stored(0);
  const Entry* store = state.own->find(EntryKey::kStore);
  ASSERT_NE(store, nullptr);
  MemberRecord own;
  own.id = state.id;
  own.max_version = store->version;
  own.entries.push_back(*store);
  state.own = std::make_shared<const MemberRecord>(own);
  state.others.clear();
  state.version_bound = own.max_version;
  state.store += 1000;
  cluster.kill(0);
  cluster.set_replication(0, 0, false);
  cluster.run_for(100);
  cluster.restart_with(0, state);
  EXPECT_TRUE(cluster.run_until([&] {
    const bool serves =
        !cluster.node(0).primary() && cluster.node(0).health(cluster.now()) == ClusterHealth::kOk;
    EXPECT_FALSE(serves);
    return cluster.all_see_owner(0, 3);
  }));
  EXPECT_TRUE(cluster.run_until([&] { return cluster.node(0).primary() == cluster.id(3); }));
}

TEST(MembershipAloneTest, NodeWhoseStoreIsAnotherOneGoesOnWhenNobodySpeaksToIt) {
  SmallCluster cluster(1);
  ASSERT_TRUE(cluster.node(0).add_slots({{0, 16383}}, cluster.now()).ok());
  cluster.settle(0);
  cluster.run_for(1000);
  MembershipState state = cluster.stored(0);
  state.store += 1000;
  cluster.kill(0);
  cluster.restart_with(0, state);
  EXPECT_NE(cluster.node(0).health(cluster.now()), ClusterHealth::kOk);
  EXPECT_TRUE(cluster.run_until(
      [&] { return cluster.node(0).health(cluster.now()) == ClusterHealth::kOk; }, 5000));
  EXPECT_EQ(cluster.node(0).slots().owner(0), cluster.id(0));
}

TEST_F(MembershipTest, PrimaryWhoseStoreIsAnotherOneRemembersThatOverARestart) {
  MembershipState state = cluster.stored(0);
  state.store += 1000;
  cluster.kill(0);
  cluster.kill(3);
  cluster.set_replication(0, 0, false);
  cluster.restart_with(0, state);
  cluster.run_for(500);
  EXPECT_TRUE(cluster.node(0).has_lost_data());
  cluster.kill(0);
  cluster.restart(0);
  EXPECT_TRUE(cluster.node(0).has_lost_data());
  // Nobody has more: it goes on with what it has.
  EXPECT_TRUE(cluster.run_until(
      [&] { return cluster.node(0).health(cluster.now()) == ClusterHealth::kOk; }, 30'000));
  cluster.kill(0);
  cluster.restart(0);
  EXPECT_FALSE(cluster.node(0).has_lost_data());
}

// Slots are given to the shard of nodes 1 and 4, and these are gone for good.
class GivenSlotsTest : public MembershipTest {
 protected:
  void SetUp() override {
    const NodeId shard = cluster.node(1).shard();
    ASSERT_TRUE(cluster.node(0).give_slots(given, shard, cluster.now()).ok());
    cluster.settle(0);
    before = cluster.node(0).epochs().config_epoch;
    cluster.kill(1);
    cluster.kill(4);
    ASSERT_TRUE(cluster.run_until(
        [&] { return in_view(2, 1, Liveness::kFailed) && in_view(2, 4, Liveness::kFailed); }));
  }

  void forget(size_t teller, size_t node) {
    ASSERT_TRUE(cluster.node(teller).forget(cluster.id(node), cluster.now()).ok());
    cluster.settle(teller);
  }

  bool has_taken_back() {
    const OwnershipState& own = cluster.node(0).epochs();
    return own.given.empty() && !own.given_to && own.slots.contains(given) &&
           own.config_epoch > before;
  }

  const SlotRanges given{{0, 99}};
  uint64_t before = 0;
};

TEST_F(GivenSlotsTest, StayWhenNoNodeIsLeftOfTheShardThatGetsThem) {
  forget(2, 1);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.node(0).has_forgotten(cluster.id(1)); }));
  cluster.run_for(3000);
  EXPECT_EQ(cluster.node(0).epochs().given, given) << "node 4 might take them";
  forget(2, 4);
  ASSERT_TRUE(cluster.run_until([&] { return has_taken_back(); }));
  EXPECT_EQ(cluster.stored(0).ownership, cluster.node(0).epochs());
}

TEST_F(GivenSlotsTest, WhoWasAwayForgetsADeadOwnerAsTheOthersDid) {
  cluster.kill(0);
  forget(2, 1);
  cluster.run_for(200);
  cluster.restart(0);
  EXPECT_TRUE(cluster.run_until([&] {
    return cluster.node(0).members().find(cluster.id(1)) == nullptr && cluster.agreed();
  }));
}

TEST_F(GivenSlotsTest, StayWhenTheirOwnerHearsOnlyAfterARestartThatNoNodeIsLeft) {
  cluster.kill(0);
  forget(2, 1);
  forget(2, 4);
  cluster.run_for(200);
  cluster.restart(0);
  EXPECT_TRUE(cluster.run_until([&] { return has_taken_back(); }));
}

// Requests for the slots wait at the giver until it hears of the claim.
TEST_F(MembershipTest, WhoTakesSlotsTellsTheGiverBeforeRumoursBegin) {
  const SlotRanges moved = {{0, 99}};
  ASSERT_TRUE(cluster.node(0).give_slots(moved, cluster.node(1).shard(), cluster.now()).ok());
  cluster.settle(0);
  ASSERT_TRUE(cluster.node(1).take_slots(moved, cluster.id(0), cluster.now()).ok());
  cluster.settle(1);
  const TimeMs patience = GossipOptions().rumour_delay_ms - 1;
  EXPECT_TRUE(cluster.run_until(
      [&] { return cluster.node(0).slots().owner(0) == cluster.id(1); }, patience));
  EXPECT_TRUE(cluster.node(0).epochs().given.empty());
}

TEST_F(MembershipTest, ForgottenNodeIsForgottenByAllAndDoesNotComeBackByRumour) {
  cluster.kill(5);
  ASSERT_TRUE(cluster.run_until([&] { return in_view(1, 5, Liveness::kFailed); }));
  ASSERT_TRUE(cluster.node(1).forget(cluster.id(5), cluster.now()).ok());
  cluster.settle(1);
  const auto forgotten = [&] {
    for (size_t i = 0; i < 5; ++i) {
      if (cluster.node(i).members().find(cluster.id(5)) != nullptr) return false;
    }
    return true;
  };
  ASSERT_TRUE(cluster.run_until(forgotten));
  cluster.restart(5);  // it knows all of them still
  cluster.run_for(10'000);
  EXPECT_TRUE(forgotten());
  EXPECT_NE(cluster.node(5).health(cluster.now()), ClusterHealth::kOk);
}

TEST_F(MembershipTest, WhoIsForgottenIsKnownFromTheDiskToo) {
  ASSERT_TRUE(cluster.node(1).forget(cluster.id(5), cluster.now()).ok());
  cluster.settle(1);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.node(2).has_forgotten(cluster.id(5)); }));
  cluster.run_for(3000);
  cluster.kill(1);  // nobody else tells of it
  cluster.kill(2);
  cluster.restart(2);
  EXPECT_TRUE(cluster.node(2).has_forgotten(cluster.id(5)));
}

TEST_F(MembershipTest, WhatANodeIsToldToForgetBeforeItHeardTheOthersIsForgottenByAll) {
  cluster.kill(1);
  cluster.kill(5);
  ASSERT_TRUE(cluster.run_until([&] { return in_view(0, 5, Liveness::kFailed); }));
  for (size_t i = 0; i < 5; ++i) cluster.cut(1, i);
  cluster.restart(1);
  cluster.run_for(500);
  ASSERT_TRUE(cluster.node(1).forget(cluster.id(5), cluster.now()).ok());
  cluster.settle(1);
  cluster.heal();
  EXPECT_TRUE(cluster.run_until([&] {
    for (size_t i = 0; i < 5; ++i) {
      if (!cluster.node(i).has_forgotten(cluster.id(5))) return false;
    }
    return true;
  }));
}

TEST_F(MembershipTest, ForgottenNodeReturnsWhenItIsIntroducedAgain) {
  ASSERT_TRUE(cluster.node(1).forget(cluster.id(5), cluster.now()).ok());
  cluster.settle(1);
  cluster.run_for(3000);
  cluster.meet(2, 5);
  EXPECT_TRUE(cluster.run_until([&] { return everyone_knows(6); }));
  cluster.run_for(3000);
  EXPECT_TRUE(everyone_knows(6));
  EXPECT_TRUE(cluster.agreed());
}

TEST_F(MembershipTest, StrangersAreNotListenedTo) {
  SeededRandom random(99);
  const NodeId stranger = NodeId::random(random);
  MemberDelta claim;
  claim.id = stranger;
  SlotsFact fact;
  fact.epoch = 1000;
  fact.slots = SlotRanges::all();
  claim.entries.push_back({EntryKey::kSlots, 1, std::make_shared<const std::string>(encode(fact))});
  cluster.node(0).step(stranger, GossipMessage(GossipPush{0, 0, {claim}}), "10.9.9.9",
                       cluster.now());
  EXPECT_EQ(cluster.node(0).members().find(stranger), nullptr);
  EXPECT_EQ(cluster.node(0).slots().owner(0), cluster.id(0));
}

TEST_F(MembershipTest, ManualFailoverMovesTheSlotsWithoutADeath) {
  ASSERT_TRUE(cluster.node(3).fail_over(FailoverMode::kTakeover, cluster.now()).ok());
  cluster.settle(3);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_see_owner(0, 3); }));
  EXPECT_TRUE(cluster.run_until([&] { return cluster.node(0).primary() == cluster.id(3); }));
}

TEST_F(MembershipTest, RefusesWhatMakesNoSense) {
  const TimeMs now = cluster.now();
  Membership& node = cluster.node(0);
  SeededRandom random(99);
  const NodeId stranger = NodeId::random(random);
  EXPECT_TRUE(node.forget(stranger, now).is(StatusCode::kNotFound));
  EXPECT_TRUE(node.forget(node.self(), now).is(StatusCode::kInvalidArgument));
  EXPECT_TRUE(cluster.node(3).forget(cluster.id(0), now).is(StatusCode::kInvalidArgument));
  EXPECT_TRUE(node.replicate(stranger, now).is(StatusCode::kNotFound));
  EXPECT_TRUE(node.replicate(cluster.id(1), now).is(StatusCode::kUnavailable)) << "it owns slots";
  EXPECT_TRUE(node.replicate(cluster.id(4), now).is(StatusCode::kInvalidArgument)) << "a replica";
  EXPECT_TRUE(node.meet("no host", 1, now).is(StatusCode::kInvalidArgument));
  EXPECT_TRUE(node.meet("10.0.0.1", 0, now).is(StatusCode::kInvalidArgument));
  EXPECT_TRUE(node.add_slots({{0, 0}}, now).is(StatusCode::kAlreadyExists));
}

}  // namespace
}  // namespace syntropy
