// Seeds of the simulation of whole clusters; and that it finds what is broken on purpose.
#include "tests/simulation/simulation.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace syntropy::testing {
namespace {

constexpr uint64_t kSeeds = 30;
constexpr uint64_t kMutantSeeds = 200;

class ClusterSimulation : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { spdlog::set_level(spdlog::level::off); }
};

// SYNTROPY_SEED=n runs that seed alone.
TEST_F(ClusterSimulation, NothingIsLostNothingComesBackAndAllEndEqual) {
  const char* only = std::getenv("SYNTROPY_SEED");
  const uint64_t first = only != nullptr ? std::strtoull(only, nullptr, 10) : 1;
  const uint64_t last = only != nullptr ? first : kSeeds;
  SimulationFigures sum;
  for (uint64_t seed = first; seed <= last; ++seed) {
    Simulation simulation({.seed = seed, .trace = only != nullptr});
    ASSERT_EQ(simulation.run(), "") << "replay: SYNTROPY_SEED=" << seed;
    sum.writes += simulation.figures().writes;
    sum.acknowledged += simulation.figures().acknowledged;
    sum.guaranteed += simulation.figures().guaranteed;
    sum.events += simulation.figures().events;
    sum.compared += simulation.figures().compared;
    sum.purged += simulation.figures().purged;
  }
  std::printf("%llu seeds: %llu writes, %llu acknowledged, %llu by several nodes, %llu troubles\n",
              static_cast<unsigned long long>(last - first + 1),
              static_cast<unsigned long long>(sum.writes),
              static_cast<unsigned long long>(sum.acknowledged),
              static_cast<unsigned long long>(sum.guaranteed),
              static_cast<unsigned long long>(sum.events));
  EXPECT_GT(sum.acknowledged, 0u);
  EXPECT_GT(sum.guaranteed, 0u);
  EXPECT_GT(sum.compared, 0u);
  EXPECT_GT(sum.purged, 0u);
}

TEST_F(ClusterSimulation, SameSeedGivesTheSameTrace) {
  Simulation a({.seed = 7, .trouble_ms = 5000});
  Simulation b({.seed = 7, .trouble_ms = 5000});
  EXPECT_EQ(a.run(), b.run());
  EXPECT_EQ(a.figures().trace_hash, b.figures().trace_hash);
  EXPECT_EQ(a.figures().writes, b.figures().writes);
  Simulation c({.seed = 8, .trouble_ms = 5000});
  (void)c.run();
  EXPECT_NE(a.figures().trace_hash, c.figures().trace_hash);
}

struct Mutant {
  const char* name;
  const char* breaks;  // what the violation says that it must lead to
  ClusterFault cluster = ClusterFault::kNone;
  ReplicationDriver::Fault driver = ReplicationDriver::Fault::kNone;
  ReplicationFault replication = ReplicationFault::kNone;
  SlotMover::Fault mover = SlotMover::Fault::kNone;
  WorldFault world = WorldFault::kNone;
  uint64_t found_by = 1;  // where it was found last: tried first, as it saves most of the time
};

class ClusterMutant : public ::testing::TestWithParam<Mutant> {
 protected:
  static void SetUpTestSuite() { spdlog::set_level(spdlog::level::off); }
};

TEST_P(ClusterMutant, IsFoundWithin200Seeds) {
  for (uint64_t tried = 0; tried <= kMutantSeeds; ++tried) {
    const uint64_t seed = tried == 0 ? GetParam().found_by : tried;
    Simulation simulation({.seed = seed,
                           .only = GetParam().breaks,
                           .cluster_fault = GetParam().cluster,
                           .driver_fault = GetParam().driver,
                           .replication_fault = GetParam().replication,
                           .mover_fault = GetParam().mover,
                           .world_fault = GetParam().world});
    const std::string violation = simulation.run();
    if (violation.empty()) continue;
    std::printf("seed %llu, %s\n", static_cast<unsigned long long>(seed), violation.c_str());
    return;
  }
  FAIL() << "not found";
}

constexpr Mutant kMutants[] = {
    {.name = "ForgetsItsState",
     .breaks = "come to rest",
     .cluster = ClusterFault::kForgetState,
     .found_by = 2},
    {.name = "VotesForAll",
     .breaks = "votes twice",
     .cluster = ClusterFault::kVoteForAll,
     .found_by = 2},
    {.name = "ElectsTwo",
     .breaks = "as another did",
     .cluster = ClusterFault::kVoteForAll,
     .found_by = 22},
    {.name = "ServesForever", .breaks = "serves slot", .cluster = ClusterFault::kServeForever},
    {.name = "HearsNoGossip", .breaks = "don't meet", .cluster = ClusterFault::kDropGossip},
    {.name = "HoldsAtOnce",
     .breaks = "has gone",
     .cluster = ClusterFault::kHoldAtOnce,
     .found_by = 169},
    {.name = "KeepsTheLineage",
     .breaks = "lineage",
     .driver = ReplicationDriver::Fault::kKeepLineage},
    {.name = "AcknowledgesUnsynced",
     .breaks = "nodes should have",
     .driver = ReplicationDriver::Fault::kAckUnsynced},
    {.name = "NoHandOver",
     .breaks = "had other rows",
     .replication = ReplicationFault::kNoHandOver},
    {.name = "AcknowledgesTheReceived",
     .breaks = "nodes should have",
     .replication = ReplicationFault::kAckReceived},
    {.name = "RemovesSpareRowsUnasked",
     .breaks = "lost",
     .mover = SlotMover::Fault::kDropUnasked,
     .found_by = 44},
    {.name = "GivesWithoutTheRows",
     .breaks = "lost",
     .world = WorldFault::kGiveUnproved,
     .found_by = 28},
    {.name = "SyncsLie", .breaks = "as synced", .world = WorldFault::kSyncsLie, .found_by = 24},
    {.name = "NoLinger",
     .breaks = "without an owner, which had one",
     .world = WorldFault::kNoLinger,
     .found_by = 10},
    {.name = "TreesForget",
     .breaks = "aren't those of its rows",
     .world = WorldFault::kTreesForget},
    {.name = "ComparesAnywhere",
     .breaks = "had other rows",
     .replication = ReplicationFault::kCheckAnywhere},
    {.name = "ProvedByThePresent",
     .breaks = "acknowledged write is lost",
     .driver = ReplicationDriver::Fault::kProvedByThePresent,
     .found_by = 40},
    {.name = "PurgesTombstones", .breaks = "other rows", .world = WorldFault::kPurge},
};

INSTANTIATE_TEST_SUITE_P(All, ClusterMutant, ::testing::ValuesIn(kMutants),
                         [](const auto& mutant) { return std::string(mutant.param.name); });

}  // namespace
}  // namespace syntropy::testing
