#include "server/replication/ack_tracker.h"

#include <gtest/gtest.h>

namespace syntropy {
namespace {

using Outcomes = std::vector<AckTracker::Outcome>;

TEST(WriteAcks, MajorityCountsThePrimary) {
  EXPECT_EQ(replicas_needed(WriteAcks::kOne, 3), 0u);
  EXPECT_EQ(replicas_needed(WriteAcks::kAll, 3), 3u);
  // Replicas of a shard, and how many of them are needed.
  const size_t majorities[] = {0, 1, 1, 2, 2, 3};
  for (size_t replicas = 0; replicas < std::size(majorities); ++replicas) {
    EXPECT_EQ(replicas_needed(WriteAcks::kMajority, replicas), majorities[replicas]) << replicas;
  }
}

TEST(AckTracker, WaitIsMetWhenEnoughReplicasHaveTheOffset) {
  AckTracker tracker;
  tracker.acknowledged(1, 5, 0);
  tracker.acknowledged(2, 5, 0);
  tracker.acknowledged(3, 5, 0);
  const AckTracker::Token two = tracker.wait(10, 2, UINT64_MAX);
  tracker.acknowledged(1, 10, 0);
  EXPECT_TRUE(tracker.take_outcomes().empty());
  tracker.acknowledged(2, 9, 0);
  EXPECT_TRUE(tracker.take_outcomes().empty());
  tracker.acknowledged(3, 12, 0);
  const Outcomes outcomes = tracker.take_outcomes();
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].token, two);
  EXPECT_TRUE(outcomes[0].met);
  EXPECT_EQ(outcomes[0].replicas, 2u);
  EXPECT_EQ(tracker.waiting(), 0u);
}

TEST(AckTracker, WaitForWhatIsThereIsMetAtOnce) {
  AckTracker tracker;
  tracker.wait(10, 0, UINT64_MAX);
  tracker.acknowledged(1, 10, 0);
  tracker.wait(10, 1, UINT64_MAX);
  const Outcomes outcomes = tracker.take_outcomes();
  ASSERT_EQ(outcomes.size(), 2u);
  EXPECT_TRUE(outcomes[0].met && outcomes[1].met);
}

TEST(AckTracker, EachNumberOfReplicasIsMetByItself) {
  AckTracker tracker;
  const AckTracker::Token all = tracker.wait(10, 3, UINT64_MAX);
  const AckTracker::Token one = tracker.wait(20, 1, UINT64_MAX);
  tracker.acknowledged(1, 20, 0);
  ASSERT_EQ(tracker.take_outcomes().at(0).token, one);
  tracker.acknowledged(2, 10, 0);
  EXPECT_TRUE(tracker.take_outcomes().empty());
  tracker.acknowledged(3, 10, 0);
  ASSERT_EQ(tracker.take_outcomes().at(0).token, all);
}

TEST(AckTracker, ReplicaThatFellBackOrLeftNoLongerCounts) {
  AckTracker tracker;
  tracker.acknowledged(1, 20, 0);
  tracker.acknowledged(1, 5, 0);  // it crashed and came back with less
  EXPECT_EQ(tracker.replicas_at(10), 0u);
  tracker.wait(10, 2, UINT64_MAX);
  tracker.acknowledged(1, 10, 0);
  tracker.remove(1);
  tracker.acknowledged(2, 10, 0);
  EXPECT_TRUE(tracker.take_outcomes().empty());
}

TEST(AckTracker, DeadlineAndLossOfTheRoleEndWaitsUnmet) {
  AckTracker tracker;
  tracker.acknowledged(1, 10, 0);
  const AckTracker::Token early = tracker.wait(10, 2, 100);
  const AckTracker::Token late = tracker.wait(10, 2, 200);
  EXPECT_EQ(tracker.next_deadline(), 100u);
  tracker.tick(99);
  EXPECT_TRUE(tracker.take_outcomes().empty());
  tracker.tick(100);
  Outcomes outcomes = tracker.take_outcomes();
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].token, early);
  EXPECT_FALSE(outcomes[0].met);
  EXPECT_EQ(outcomes[0].replicas, 1u);
  tracker.fail_all();
  outcomes = tracker.take_outcomes();
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].token, late);
  EXPECT_EQ(tracker.next_deadline(), UINT64_MAX);
}

TEST(AckTracker, CancelledWaitHasNoOutcome) {
  AckTracker tracker;
  const AckTracker::Token token = tracker.wait(10, 1, 100);
  tracker.cancel(token);
  tracker.cancel(token);
  tracker.acknowledged(1, 10, 0);
  tracker.tick(100);
  EXPECT_TRUE(tracker.take_outcomes().empty());
}

TEST(AckTracker, ReplicasAreAliveAsLongAsTheyWereHeardLately) {
  AckTracker tracker;
  tracker.acknowledged(1, 0, 1000);
  tracker.acknowledged(2, 0, 4000);
  EXPECT_EQ(tracker.replicas_alive(5000, 4000), 2u);
  EXPECT_EQ(tracker.replicas_alive(5001, 4000), 1u);
}

}  // namespace
}  // namespace syntropy
