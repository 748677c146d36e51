// Seeds of the shard simulation; and that it finds what is broken on purpose.
#include "tests/replication/shard_simulation.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace syntropy::testing {
namespace {

uint64_t seeds_from_environment(uint64_t usual) {
  const char* seeds = std::getenv("SYNTROPY_SEEDS");
  return seeds != nullptr ? std::strtoull(seeds, nullptr, 10) : usual;
}

TEST(ShardSimulation, NothingAcknowledgedIsLostAndAllReplicasEndEqual) {
  ShardSimulation::Figures sum;
  for (uint64_t seed = 1; seed <= seeds_from_environment(60); ++seed) {
    ShardSimulation simulation({.seed = seed});
    ASSERT_EQ(simulation.run(), "") << "seed " << seed;
    const ShardSimulation::Figures& figures = simulation.figures();
    sum.writes += figures.writes;
    sum.acknowledged += figures.acknowledged;
    sum.promotions += figures.promotions;
    sum.crashes += figures.crashes;
    sum.copies += figures.copies;
    sum.continuations += figures.continuations;
    sum.hand_overs += figures.hand_overs;
  }
  std::printf(
      "%llu writes, %llu required, %llu promotions, %llu crashes, %llu copies, "
      "%llu continuations, %llu hand-overs\n",
      static_cast<unsigned long long>(sum.writes),
      static_cast<unsigned long long>(sum.acknowledged),
      static_cast<unsigned long long>(sum.promotions), static_cast<unsigned long long>(sum.crashes),
      static_cast<unsigned long long>(sum.copies),
      static_cast<unsigned long long>(sum.continuations),
      static_cast<unsigned long long>(sum.hand_overs));
  // All ways to begin were taken.
  EXPECT_GT(sum.copies, 0u);
  EXPECT_GT(sum.continuations, 0u);
  EXPECT_GT(sum.hand_overs, 0u);
}

TEST(ShardSimulation, SameSeedGivesTheSameRun) {
  ShardSimulation a({.seed = 5});
  ShardSimulation b({.seed = 5});
  EXPECT_EQ(a.run(), b.run());
  EXPECT_EQ(a.figures().writes, b.figures().writes);
  EXPECT_EQ(a.figures().copies, b.figures().copies);
}

struct Mutant {
  const char* name;
  ShardFault fault;
  ReplicationFault session_fault;
};

class ShardMutant : public ::testing::TestWithParam<Mutant> {};

TEST_P(ShardMutant, IsFoundWithin200Seeds) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    ShardSimulation simulation(
        {.seed = seed, .fault = GetParam().fault, .session_fault = GetParam().session_fault});
    const std::string violation = simulation.run();
    if (violation.empty()) continue;
    std::printf("seed %llu, %s\n", static_cast<unsigned long long>(seed), violation.c_str());
    return;
  }
  FAIL() << "not found";
}

constexpr Mutant kMutants[] = {
    {"SameLineageAfterRestart", ShardFault::kSameLineageAfterRestart, ReplicationFault::kNone},
    {"OffsetSyncedApart", ShardFault::kOffsetSyncedApart, ReplicationFault::kNone},
    {"AcknowledgeBeforeSync", ShardFault::kAcknowledgeBeforeSync, ReplicationFault::kNone},
    {"PurgeAtOnce", ShardFault::kPurgeAtOnce, ReplicationFault::kNone},
    {"NoHandOver", ShardFault::kNone, ReplicationFault::kNoHandOver},
    {"StaleCopy", ShardFault::kStaleCopy, ReplicationFault::kNone},
    {"AckReceived", ShardFault::kNone, ReplicationFault::kAckReceived},
    {"ForgetOwed", ShardFault::kNone, ReplicationFault::kForgetOwed},
};

INSTANTIATE_TEST_SUITE_P(All, ShardMutant, ::testing::ValuesIn(kMutants),
                         [](const auto& mutant) { return std::string(mutant.param.name); });

}  // namespace
}  // namespace syntropy::testing
