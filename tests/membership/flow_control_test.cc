#include "membership/flow_control.h"

#include <gtest/gtest.h>

#include "storage/base/random.h"

namespace syntropy {
namespace {

FlowControlOptions options(uint32_t max_rate) {
  FlowControlOptions o;
  o.max_rate = max_rate;
  o.min_rate = 20;
  o.step = 50;
  o.decrease_percent = 20;
  o.burst = 2;
  return o;
}

TEST(FlowControl, GivesTheBurstAndThenTheRate) {
  FlowControl flow(options(2000), 0);  // 20 a second
  EXPECT_TRUE(flow.take(0));
  EXPECT_TRUE(flow.take(0));
  EXPECT_FALSE(flow.take(0));
  EXPECT_EQ(flow.next_token(), 50u);
  EXPECT_FALSE(flow.take(49));
  EXPECT_TRUE(flow.take(50));
  int taken = 0;
  for (TimeMs now = 51; now <= 10050; ++now) taken += flow.take(now) ? 1 : 0;
  EXPECT_EQ(taken, 200);
}

TEST(FlowControl, DoesNotSaveMoreThanTheBurst) {
  FlowControl flow(options(2000), 0);
  const TimeMs weeks = 1'000'000'000'000;
  EXPECT_TRUE(flow.take(weeks));
  EXPECT_TRUE(flow.take(weeks));
  EXPECT_FALSE(flow.take(weeks));
}

TEST(FlowControl, FallsByAFactorAndRisesByAStepWithinBounds) {
  FlowControl flow(options(1000), 0);
  EXPECT_FALSE(flow.limited());
  flow.on_delta(false);
  EXPECT_EQ(flow.rate(), 800u);
  EXPECT_TRUE(flow.limited());
  flow.on_delta(true);
  EXPECT_EQ(flow.rate(), 850u);
  for (int i = 0; i < 100; ++i) flow.on_delta(false);
  EXPECT_EQ(flow.rate(), 20u);
  for (int i = 0; i < 100; ++i) flow.on_delta(true);
  EXPECT_EQ(flow.rate(), 1000u);
}

TEST(FlowControl, ARateOfZeroIsRaisedSoThatATokenComesSomeDay) {
  FlowControlOptions o = options(0);
  o.min_rate = 0;
  o.burst = 0;
  FlowControl flow(o, 0);
  EXPECT_TRUE(flow.take(0));
  EXPECT_FALSE(flow.take(99'999));
  EXPECT_EQ(flow.next_token(), 100'000u);
  EXPECT_TRUE(flow.take(100'000));
}

TEST(FlowControl, MeasuresItsDemandOverTheLastSeconds) {
  FlowControl flow(options(1000), 0);
  EXPECT_EQ(flow.share(0).demand, 0u);
  for (TimeMs now = 0; now < 10'000; now += 100) flow.want(now);  // 10 a second
  EXPECT_EQ(flow.share(9'999).demand, 1000u);
  EXPECT_EQ(flow.share(12'000).demand, 1000u);
  EXPECT_EQ(flow.share(20'000).demand, 0u);
  flow.want(20'000);
  EXPECT_EQ(flow.share(20'000).demand, 20u);
}

TEST(FairShares, GiveWhatIsWantedAndHalfOfTheRest) {
  EXPECT_EQ(fair_shares({500, 100}, {500, 300}), std::pair(400u, 600u));
}

TEST(FairShares, GiveTheModestWhatTheyWantAndTheOtherTheRest) {
  EXPECT_EQ(fair_shares({500, 100}, {500, 2000}), std::pair(100u, 900u));
  EXPECT_EQ(fair_shares({500, 2000}, {500, 100}), std::pair(900u, 100u));
}

TEST(FairShares, HalveWhenBothWantMore) {
  EXPECT_EQ(fair_shares({100, 900}, {700, 5000}), std::pair(400u, 400u));
}

TEST(FairShares, KeepTheSumAndMirror) {
  SeededRandom random(3);
  for (int i = 0; i < 20000; ++i) {
    const FlowShare a{static_cast<uint32_t>(random.below(3000)),
                      static_cast<uint32_t>(random.below(6000))};
    const FlowShare b{static_cast<uint32_t>(random.below(3000)),
                      static_cast<uint32_t>(random.below(6000))};
    const auto [first, second] = fair_shares(a, b);
    ASSERT_EQ(first + second, a.rate + b.rate);
    const auto mirrored = fair_shares(b, a);
    ASSERT_LE(first > mirrored.second ? first - mirrored.second : mirrored.second - first, 1u);
    // Nobody gets less than it wants while the other gets more than that.
    if (first < a.demand && a.demand > 0) {
      ASSERT_LE(second, std::max(first + 1, b.demand));
    }
  }
}

TEST(FlowControl, PeersOfUnequalRatesMeetInTheMiddleWhenBothAreBusy) {
  FlowControl a(options(2000), 0), b(options(2000), 0);
  for (int i = 0; i < 8; ++i) a.on_delta(false);
  for (int i = 0; i < 500; ++i) {
    a.want(0);
    b.want(0);
  }
  const FlowShare told_a = a.share(0), told_b = b.share(0);
  ASSERT_LT(told_a.rate, told_b.rate);
  a.on_peer(told_a, told_b);
  b.on_peer(told_b, told_a);
  EXPECT_EQ(a.rate(), (told_a.rate + told_b.rate) / 2);
  EXPECT_NEAR(b.rate(), a.rate(), 1);
}

}  // namespace
}  // namespace syntropy
