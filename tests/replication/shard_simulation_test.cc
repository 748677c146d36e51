// Seeds of the shard simulation; and that it finds what is broken on purpose.
#include "tests/replication/shard_simulation.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace syntropy::testing {
namespace {

// SYNTROPY_SEEDS: so many; SYNTROPY_FIRST_SEED: from there on, to see one again that failed.
uint64_t from_environment(const char* name, uint64_t usual) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::strtoull(value, nullptr, 10) : usual;
}

TEST(ShardSimulation, NothingAcknowledgedIsLostAndAllReplicasEndEqual) {
  ShardSimulation::Figures sum;
  const uint64_t first = from_environment("SYNTROPY_FIRST_SEED", 1);
  const uint64_t seeds = from_environment("SYNTROPY_SEEDS", 60);
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
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
    sum.checks += figures.checks;
  }
  std::printf(
      "%llu writes, %llu required, %llu promotions, %llu crashes, %llu copies, "
      "%llu continuations, %llu hand-overs, %llu checks\n",
      static_cast<unsigned long long>(sum.writes),
      static_cast<unsigned long long>(sum.acknowledged),
      static_cast<unsigned long long>(sum.promotions), static_cast<unsigned long long>(sum.crashes),
      static_cast<unsigned long long>(sum.copies),
      static_cast<unsigned long long>(sum.continuations),
      static_cast<unsigned long long>(sum.hand_overs), static_cast<unsigned long long>(sum.checks));
  // All ways to begin were taken.
  EXPECT_GT(sum.copies, 0u);
  EXPECT_GT(sum.continuations, 0u);
  EXPECT_GT(sum.hand_overs, 0u);
  EXPECT_GT(sum.checks, 0u);
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
    {"StaleRows", ShardFault::kStaleRows, ReplicationFault::kNone},
    {"AckReceived", ShardFault::kNone, ReplicationFault::kAckReceived},
    {"CheckAnywhere", ShardFault::kNone, ReplicationFault::kCheckAnywhere},
    {"ForgetOwed", ShardFault::kNone, ReplicationFault::kForgetOwed},
};

INSTANTIATE_TEST_SUITE_P(All, ShardMutant, ::testing::ValuesIn(kMutants),
                         [](const auto& mutant) { return std::string(mutant.param.name); });

}  // namespace
}  // namespace syntropy::testing
