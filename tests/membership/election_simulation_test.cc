// Elections of whole clusters, in virtual time. SYNTROPY_SEEDS=n runs n seeds instead of a few;
// a failure names its seed.
#include "tests/membership/election_simulation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

namespace syntropy::testing {
namespace {

uint64_t seeds(uint64_t few) {
  const char* wanted = std::getenv("SYNTROPY_SEEDS");
  return wanted == nullptr ? few : std::strtoull(wanted, nullptr, 10);
}

// One primary dies, its replicas being at random offsets. Milliseconds from the first FAIL to the
// win; the winner must be the best.
std::vector<TimeMs> times_to_win(const SimulationOptions& options, uint64_t runs,
                                 uint64_t* wrong_winners) {
  std::vector<TimeMs> times;
  for (uint64_t seed = 1; seed <= runs; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ElectionSimulation simulation(seed, options);
    SeededRandom random(seed);
    const size_t victim = random.below(options.primaries);
    size_t best = 0;
    uint64_t best_offset = 0;
    for (size_t i = 0; i < options.replicas; ++i) {
      const uint64_t offset = (1 + random.below(1000)) * options.replicas + i;  // no two the same
      simulation.set_offset(simulation.replica(victim, i), offset);
      if (offset > best_offset) {
        best_offset = offset;
        best = simulation.replica(victim, i);
      }
    }
    simulation.crash(victim);
    simulation.run_until(6000);
    EXPECT_EQ(simulation.violation(), "");
    if (simulation.wins().size() != 1) {
      ADD_FAILURE() << simulation.wins().size() << " wins";
      continue;
    }
    const SimulatedWin win = simulation.wins()[0];
    EXPECT_EQ(win.over, victim);
    if (win.node != best) ++*wrong_winners;
    times.push_back(win.at - simulation.failed_at(victim));
    simulation.heal();
    simulation.run_until(9000);
    EXPECT_EQ(simulation.check_settled(), "");
  }
  std::sort(times.begin(), times.end());
  return times;
}

TEST(ElectionSimulation, BestReplicaTakesTheSlotsWithin100MsOfTheFailInAHealthyNetwork) {
  SimulationOptions options;
  options.replicas = 3;
  uint64_t wrong = 0;
  const std::vector<TimeMs> times = times_to_win(options, seeds(60), &wrong);
  ASSERT_FALSE(times.empty());
  RecordProperty("median_ms", static_cast<int>(times[times.size() / 2]));
  RecordProperty("longest_ms", static_cast<int>(times.back()));
  EXPECT_EQ(wrong, 0u);
  EXPECT_LE(times[times.size() / 2], 60u);
  EXPECT_LE(times.back(), 100u);
}

TEST(ElectionSimulation, ManyShardsAndSlowLinksStillTakeAFractionOfASecond) {
  SimulationOptions options;
  options.primaries = 15;
  options.replicas = 2;
  options.min_delay = 5;
  options.max_delay = 30;
  uint64_t wrong = 0;
  const std::vector<TimeMs> times = times_to_win(options, seeds(10), &wrong);
  ASSERT_FALSE(times.empty());
  EXPECT_LE(times.back(), 350u);
}

TEST(ElectionSimulation, AThirdOfTheMessagesLostThereIsAWinnerSoon) {
  SimulationOptions options;
  options.loss_permille = 300;
  options.duplicate_permille = 100;
  options.max_delay = 20;
  uint64_t wrong = 0;
  const std::vector<TimeMs> times = times_to_win(options, seeds(40), &wrong);
  ASSERT_FALSE(times.empty());
  EXPECT_LE(times[times.size() / 2], 200u);
  EXPECT_LE(times.back(), 2000u);
}

TEST(ElectionSimulation, PrimariesThatFailTogetherAreAllReplacedSoon) {
  for (uint64_t seed = 1; seed <= seeds(40); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SimulationOptions options;
    options.primaries = 7;
    ElectionSimulation simulation(seed, options);
    for (size_t i = 0; i < 3; ++i) simulation.crash(i);
    simulation.run_until(6000);
    ASSERT_EQ(simulation.violation(), "");
    ASSERT_EQ(simulation.wins().size(), 3u);
    TimeMs last = 0;
    for (const SimulatedWin& win : simulation.wins()) last = std::max(last, win.at);
    EXPECT_LE(last - simulation.failed_at(0), 300u);
  }
}

TEST(ElectionSimulation, BestReplicaDiesWhileItAsksAndTheNextTakesItsPlace) {
  for (uint64_t seed = 1; seed <= seeds(30); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SimulationOptions options;
    ElectionSimulation simulation(seed, options);
    simulation.set_offset(simulation.replica(0, 0), 10);
    simulation.set_offset(simulation.replica(0, 1), 20);
    simulation.crash(0);
    TimeMs time = 0;
    while (simulation.failed_at(0) == UINT64_MAX) simulation.run_until(++time);
    // At various moments of its election.
    simulation.run_until(time + seed % 40);
    simulation.crash(simulation.replica(0, 1));
    simulation.run_until(time + 3000);
    ASSERT_EQ(simulation.violation(), "");
    const std::vector<SimulatedWin>& wins = simulation.wins();
    ASSERT_FALSE(wins.empty());
    EXPECT_EQ(wins.back().node, simulation.replica(0, 0));
    simulation.heal();
    simulation.run_until(time + 6000);
    EXPECT_EQ(simulation.check_settled(), "");
  }
}

TEST(ElectionSimulation, MinorityElectsNobody) {
  for (uint64_t seed = 1; seed <= seeds(30); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SimulationOptions options;
    ElectionSimulation simulation(seed, options);
    // Primaries 0 and 1 and both replicas of 2 on one side.
    std::vector<size_t> side{0, 1, simulation.replica(2, 0), simulation.replica(2, 1)};
    for (const size_t a : side) {
      for (size_t b = 0; b < simulation.size(); ++b) {
        if (std::count(side.begin(), side.end(), b) > 0) continue;
        simulation.cut(a, b, true);
        simulation.cut(b, a, true);
      }
    }
    simulation.run_until(10'000);
    ASSERT_EQ(simulation.violation(), "");
    for (const SimulatedWin& win : simulation.wins()) {
      EXPECT_EQ(std::count(side.begin(), side.end(), win.node), 0) << "won by a minority";
    }
    EXPECT_EQ(simulation.wins().size(), 2u) << "0 and 1 are replaced by the majority";
    simulation.heal();
    simulation.run_until(14'000);
    EXPECT_EQ(simulation.check_settled(), "");
  }
}

TEST(ElectionSimulation, ManualFailoverTakesOverWithoutAFailure) {
  for (uint64_t seed = 1; seed <= seeds(30); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SimulationOptions options;
    options.loss_permille = seed % 2 == 0 ? 200 : 0;
    ElectionSimulation simulation(seed, options);
    simulation.run_until(500);
    ASSERT_TRUE(simulation.fail_over(simulation.replica(0, 1), FailoverMode::kDefault).ok());
    simulation.run_until(5000);
    ASSERT_EQ(simulation.wins().size(), 1u);
    EXPECT_EQ(simulation.wins()[0].node, simulation.replica(0, 1));
    if (options.loss_permille == 0) {
      EXPECT_LE(simulation.wins()[0].at, 550u);
    }
    simulation.run_until(7000);
    EXPECT_EQ(simulation.check_settled(), "");
  }
}

SimulationOptions everything_at_once(uint64_t seed) {
  SimulationOptions options;
  options.faults = true;
  options.faults_until = 12'000;
  options.loss_permille = static_cast<uint32_t>(seed % 4) * 100;
  options.duplicate_permille = 100;
  options.max_delay = seed % 3 == 0 ? 40 : 8;
  return options;
}

// The first broken rule of a seed; empty for none.
std::string run_everything(uint64_t seed, Mutant mutant) {
  SimulationOptions options = everything_at_once(seed);
  options.mutant = mutant;
  ElectionSimulation simulation(seed, options);
  simulation.run_until(options.faults_until);
  if (simulation.violation().empty()) simulation.heal();
  simulation.run_until(options.faults_until + 12'000);
  return simulation.check_settled();
}

TEST(ElectionSimulation, KeepsItsRulesUnderLossCrashesCutsAndFalseFails) {
  for (uint64_t seed = 1; seed <= seeds(60); ++seed) {
    EXPECT_EQ(run_everything(seed, Mutant::kNone), "") << "seed " << seed;
  }
}

TEST(ElectionSimulation, SameSeedGivesTheSameRun) {
  std::vector<SimulatedWin> wins[2];
  for (auto& run : wins) {
    ElectionSimulation simulation(7, everything_at_once(7));
    simulation.run_until(12'000);
    run = simulation.wins();
  }
  ASSERT_EQ(wins[0].size(), wins[1].size());
  ASSERT_GT(wins[0].size(), 3u);
  for (size_t i = 0; i < wins[0].size(); ++i) {
    EXPECT_EQ(wins[0][i].at, wins[1][i].at);
    EXPECT_EQ(wins[0][i].node, wins[1][i].node);
    EXPECT_EQ(wins[0][i].epoch, wins[1][i].epoch);
  }
}

class ElectionMutant : public ::testing::TestWithParam<Mutant> {};

TEST_P(ElectionMutant, IsFoundWithin200Seeds) {
  uint64_t seed = 1;
  while (seed <= 200 && run_everything(seed, GetParam()).empty()) ++seed;
  EXPECT_LE(seed, 200u);
  RecordProperty("seed", static_cast<int>(seed));
}

INSTANTIATE_TEST_SUITE_P(Each, ElectionMutant,
                         ::testing::Values(Mutant::kForgetsVotes, Mutant::kSendsBeforeStore,
                                           Mutant::kVotesTwice, Mutant::kCountsTwice,
                                           Mutant::kKeepsLostSlots, Mutant::kWritesOn));

TEST(ElectionMutantRank, IsFoundByTheWrongWinner) {
  SimulationOptions options;
  options.mutant = Mutant::kIgnoresRank;
  uint64_t wrong = 0;
  (void)times_to_win(options, 20, &wrong);
  EXPECT_GT(wrong, 0u);
}

}  // namespace
}  // namespace syntropy::testing
