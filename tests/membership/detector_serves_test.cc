// When a node may serve: its leases, and whether it is with the majority.
#include <gtest/gtest.h>

#include "membership/failure_detector.h"
#include "tests/membership/detector_world.h"

namespace syntropy {
namespace {

using World = DetectorWorld;

TEST(FailureDetector, MayNotServeAfterAPause) {
  World world(6, 3);
  world.run_for(3'000);
  ASSERT_TRUE(world.detector.may_serve(world.now));
  EXPECT_LE(world.detector.serve_until(), world.now + 1'000);
  EXPECT_FALSE(world.detector.may_serve(world.now + 1'000));  // before anything was called
  world.now += 1'500;
  world.detector.tick(world.now);
  world.take();
  world.run_for(100);
  EXPECT_FALSE(world.detector.may_serve(world.now));  // heard again, but not for long enough
  world.run_for(1'000);
  EXPECT_TRUE(world.detector.may_serve(world.now));
}

TEST(FailureDetector, ServesOnlyOnceEnoughHaveHeardIt) {
  World world(6, 3);
  EXPECT_FALSE(world.detector.may_serve(world.now));
  for (size_t i = 1; i < 6; ++i) world.peer(i).alive = false;
  world.run_for(3'000);
  EXPECT_FALSE(world.detector.may_serve(world.now));
  // One of two other primaries is enough: without it no majority can vote.
  world.peer(1).alive = true;
  world.run_for(1'500);
  EXPECT_TRUE(world.detector.may_serve(world.now));
}

TEST(FailureDetector, DoesNotServeWithoutALeaseAlthoughItIsHeard) {
  World world(6, 3);
  world.peer(1).no_lease = world.peer(2).no_lease = true;
  world.run_for(3'000);
  EXPECT_FALSE(world.detector.may_serve(world.now));
  EXPECT_TRUE(world.suspects.empty());
  EXPECT_LT(world.count<Ping>(world.roster.id(1)), 3'000u / 40) << "it asks faster, with a bound";
  world.peer(1).no_lease = false;
  world.run_for(1'500);
  EXPECT_TRUE(world.detector.may_serve(world.now));
}

TEST(FailureDetector, SaysInEachMessageThatItWithholdsItsLease) {
  World world(6, 3);
  world.roster.members[1].lease_withheld = true;
  world.run_for(3'000);
  size_t others = 0;
  for (const DetectorOutgoing& out : world.sent) {
    const bool withheld = out.to == world.roster.id(1);
    if (const auto* ping = std::get_if<Ping>(&out.message)) {
      EXPECT_EQ(ping->no_lease, withheld);
      others += !withheld;
    } else if (const auto* ack = std::get_if<Ack>(&out.message)) {
      EXPECT_EQ(ack->no_lease, withheld);
    }
  }
  EXPECT_GT(world.count<Ping>(world.roster.id(1)), 0u);
  EXPECT_GT(others, 0u);
}

TEST(FailureDetector, StopsServingWhenTheOtherPrimariesFallSilent) {
  World world(6, 3);
  world.run_for(3'000);
  world.peer(1).alive = false;
  world.run_for(3'000);
  EXPECT_TRUE(world.detector.may_serve(world.now));
  world.peer(2).alive = false;
  world.run_for(550);
  EXPECT_TRUE(world.detector.may_serve(world.now));
  world.run_for(460);
  EXPECT_FALSE(world.detector.may_serve(world.now));
}

TEST(FailureDetector, AloneOrWithoutSlotsItServes) {
  World alone(1, 1);
  EXPECT_TRUE(alone.detector.may_serve(alone.now));
  EXPECT_EQ(alone.detector.serve_until(), BallotBox::kNever);
  World empty(4, 0);
  EXPECT_TRUE(empty.detector.may_serve(empty.now));
}

TEST(FailureDetector, AJoiningMemberDoesNotTakeTheLeaseAway) {
  World world(12, 12);
  world.run_for(3'000);
  for (double number : {1.5, 3.5, 5.5, 7.5, 9.5}) {
    const NodeId fresh = TestRoster::make_id(number);
    world.roster.add(fresh, true);
    world.detector.member_added(fresh, world.now);
    EXPECT_TRUE(world.detector.may_serve(world.now));
  }
  world.run_for(100);
  EXPECT_TRUE(world.detector.may_serve(world.now));
  // They never answer, though.
  world.run_for(1'100);
  EXPECT_FALSE(world.suspects.empty());
}

TEST(FailureDetector, ServesAgainWhenAllThatItDidNotHearWereRestarted) {
  World world(6, 3);
  world.run_for(3'000);
  for (size_t i = 1; i < 6; ++i) world.peer(i).alive = false;
  world.run_for(3'000);
  ASSERT_FALSE(world.detector.with_majority());
  // That they were restarted comes before their first heartbeat.
  for (size_t i = 1; i < 6; ++i) {
    world.roster.members[i].incarnation = 1;
    world.detector.incarnation_changed(world.roster.id(i), world.now);
    world.peer(i).alive = true;
  }
  world.take();
  world.run_for(2'000);
  EXPECT_TRUE(world.detector.with_majority());
  EXPECT_TRUE(world.detector.may_serve(world.now));
}

}  // namespace
}  // namespace syntropy
