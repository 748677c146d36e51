#include "tools/simulate/scale_study.h"

#include <gtest/gtest.h>

#include "tools/simulate/membership_cluster.h"

namespace syntropy {
namespace {

ScaleSpec small(size_t nodes, double loss) {
  ScaleSpec spec;
  spec.nodes = {nodes};
  spec.losses = {loss};
  spec.modes = {GossipMode::kPushPull};
  spec.changes = 10;
  spec.deaths = 3;
  spec.idle_ms = 2000;
  return spec;
}

ScaleResult run(const ScaleSpec& spec) {
  return run_scale_study(spec, [](const ScaleResult&) {}).front();
}

// The bounds of the design, at the size that a test can afford.
TEST(ScaleStudy, AHundredNodesConvergeDetectAndIdleWithinTheBounds) {
  const ScaleResult result = run(small(100, 0));
  EXPECT_EQ(result.rounds.never, 0u);
  EXPECT_LE(result.rounds.p99, 5);
  EXPECT_LE(result.idle_bytes, 5200);
  EXPECT_EQ(result.detection.samples, 3u);
  EXPECT_LE(result.detection.p99, 1.5);
  EXPECT_EQ(result.false_fails, 0u);
}

TEST(ScaleStudy, AHundredNodesDoSoWithThirtyPercentLoss) {
  const ScaleResult result = run(small(100, 0.3));
  EXPECT_EQ(result.rounds.never, 0u);
  EXPECT_LE(result.rounds.p99, 8);
  EXPECT_LE(result.detection.p99, 2.5);
  EXPECT_EQ(result.false_fails, 0u);
}

TEST(ScaleStudy, TheSameSeedGivesTheSameFigures) {
  const ScaleSpec spec = small(40, 0.1);
  EXPECT_EQ(scale_table_line(run(spec)), scale_table_line(run(spec)));
}

TEST(ScaleStudy, AnotherSeedGivesAnotherRun) {
  ClusterSpec spec;
  spec.nodes = 20;
  spec.network.loss = 0.1;
  MembershipCluster one(spec);
  MembershipCluster same(spec);
  spec.seed = 2;
  MembershipCluster other(spec);
  for (MembershipCluster* cluster : {&one, &same, &other}) cluster->run_until(5000);
  EXPECT_EQ(one.traffic().bytes, same.traffic().bytes);
  EXPECT_NE(one.traffic().bytes, other.traffic().bytes);
  EXPECT_TRUE(one.agreed());
}

TEST(ScaleStudy, NobodyDetectsADeathWhereNobodyMayVote) {
  ClusterSpec spec;
  spec.nodes = 2;  // one primary: alone it is the majority, and it is the one that dies
  MembershipCluster cluster(spec);
  size_t failed = 0;
  cluster.set_observer(
      [&](size_t, const MembershipReady& ready) { failed += ready.failed.size(); });
  cluster.run_until(1000);
  cluster.kill(0);
  cluster.run_until(20'000);
  EXPECT_EQ(failed, 0u);
}

}  // namespace
}  // namespace syntropy
