#include "server/replication/follow_plan.h"

#include <gtest/gtest.h>

namespace syntropy {
namespace {

using HandOver = FollowPlan::HandOver;

LineageId id(char letter) { return *LineageId::from_bytes(std::string(LineageId::kBytes, letter)); }

// Promoted at 100, now at 150.
const LogPosition kPrimary{{{id('a'), 0}, {id('b'), 100}}, 150, {}};

FollowPlan plan(const LogPosition& replica) { return plan_to_follow(kPrimary, replica); }

TEST(FollowPlan, ReplicaWithinThePrimarysLogJustContinues) {
  for (const uint64_t offset : {0, 80, 100}) {
    const FollowPlan it = plan({{{id('a'), 0}}, offset, {}});
    EXPECT_EQ(it.common, offset);
    EXPECT_EQ(it.hand_over, HandOver::kNothing);
  }
}

TEST(FollowPlan, OldPrimaryHandsOverWhatItWroteAlone) {
  const FollowPlan it = plan({{{id('a'), 0}}, 130, {}});
  EXPECT_EQ(it.common, 100u);
  EXPECT_EQ(it.hand_over, HandOver::kLog);
}

TEST(FollowPlan, PrimaryThatLostItsTailIsGivenItBack) {
  // It restarted at 120 under a new name; the replica has the old name's log up to 140.
  const LogPosition restarted{{{id('a'), 0}, {id('c'), 120}}, 125, {}};
  const FollowPlan it = plan_to_follow(restarted, {{{id('a'), 0}}, 140, {}});
  EXPECT_EQ(it.common, 120u);
  EXPECT_EQ(it.hand_over, HandOver::kLog);
}

TEST(FollowPlan, StrangerHandsOverEverything) {
  const FollowPlan it = plan({{{id('x'), 0}}, 10, {}});
  EXPECT_EQ(it.common, std::nullopt);
  EXPECT_EQ(it.hand_over, HandOver::kRows);
}

TEST(FollowPlan, NewNodeHasNothingToHandOver) {
  const FollowPlan it = plan({});
  EXPECT_EQ(it.common, std::nullopt);
  EXPECT_EQ(it.hand_over, HandOver::kNothing);
}

TEST(FollowPlan, WhatIsOwedToALogThatThePrimaryHasIsNotHandedOver) {
  EXPECT_EQ(plan({{{id('a'), 0}}, 80, LogPoint{id('b'), 150}}).hand_over, HandOver::kNothing);
  EXPECT_EQ(plan({{}, 0, LogPoint{id('b'), 150}}).hand_over, HandOver::kNothing);
}

TEST(FollowPlan, WhatIsOwedElsewhereIsHandedOver) {
  EXPECT_EQ(plan({{{id('a'), 0}}, 80, LogPoint{id('b'), 151}}).hand_over, HandOver::kRows);
  EXPECT_EQ(plan({{}, 0, LogPoint{id('x'), 1}}).hand_over, HandOver::kRows);
  // Rows from before there was any log.
  EXPECT_EQ(plan({{}, 0, LogPoint{}}).hand_over, HandOver::kRows);
}

}  // namespace
}  // namespace syntropy
