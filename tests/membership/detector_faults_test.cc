// Failure detection in a simulated cluster, fault by fault.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/membership/detector_simulation.h"

namespace syntropy {
namespace {

SimOptions options(size_t nodes, size_t primaries, uint64_t seed = 1, double loss = 0) {
  SimOptions o;
  o.nodes = nodes;
  o.primaries = primaries;
  o.seed = seed;
  o.loss = loss;
  return o;
}

/// Milliseconds from `since` until the last running view decided; 0: some view never did.
TimeMs all_failed_after(DetectorSimulation& sim, size_t subject, TimeMs since) {
  std::set<size_t> views;
  TimeMs last = 0;
  for (const auto& decision : sim.failures()) {
    if (decision.subject != subject) continue;
    views.insert(decision.view);
    last = std::max(last, decision.at - since);
  }
  for (size_t i = 0; i < sim.size(); ++i) {
    if (i != subject && sim.up(i) && !views.contains(i)) return 0;
  }
  return last;
}

size_t serving(DetectorSimulation& sim) {
  size_t count = 0;
  for (size_t i = 0; i < sim.size(); ++i) count += sim.may_serve(i);
  return count;
}

struct Case {
  size_t nodes;
  size_t primaries;
  double loss;
};

class Clusters : public ::testing::TestWithParam<Case> {};

TEST_P(Clusters, FindADeadNodeInTimeAndSuspectNobodyElse) {
  const Case c = GetParam();
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    DetectorSimulation sim(options(c.nodes, c.primaries, seed, c.loss));
    sim.run_for(20'000);
    EXPECT_TRUE(sim.failures().empty()) << "seed " << seed;
    EXPECT_EQ(serving(sim), c.nodes) << "seed " << seed;
    const size_t victim = seed % c.nodes;
    const TimeMs died = sim.now();
    sim.kill(victim);
    sim.run_for(3'000);
    const TimeMs took = all_failed_after(sim, victim, died);
    EXPECT_GT(took, 0u) << "seed " << seed;
    EXPECT_LE(took, c.loss == 0 ? 1'500u : 2'500u) << "seed " << seed;
    for (const auto& decision : sim.failures()) EXPECT_EQ(decision.subject, victim);
    EXPECT_EQ(serving(sim), c.nodes - 1) << "seed " << seed;
    EXPECT_EQ(sim.unsafe(), 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, Clusters,
                         ::testing::Values(Case{3, 3, 0}, Case{6, 3, 0}, Case{6, 3, 0.1},
                                           Case{6, 3, 0.3}, Case{9, 9, 0.3}, Case{10, 3, 0},
                                           Case{20, 10, 0.3}, Case{100, 50, 0},
                                           Case{100, 50, 0.3}));

TEST(DetectorSimulation, OfTheSameSeedIsTheSameRun) {
  const auto run = [](uint64_t seed) {
    DetectorSimulation sim(options(30, 15, seed, 0.2));
    sim.run_for(3'000);
    sim.kill(7);
    sim.run_for(3'000);
    return sim.trace();
  };
  EXPECT_EQ(run(5), run(5));
  EXPECT_NE(run(5), run(6));
}

TEST(Detector, CostsAnIdleNodeTheSameInEveryCluster) {
  for (const size_t nodes : {20u, 200u}) {
    DetectorSimulation sim(options(nodes, nodes));
    sim.run_for(2'000);
    sim.forget_history();
    sim.run_for(10'000);
    // Sent and received: two messages per interval with each of eight neighbours.
    const double bytes = 2.0 * static_cast<double>(sim.detector_bytes()) / 10 / nodes;
    EXPECT_LT(bytes, 2'100) << nodes;
    EXPECT_GT(bytes, 1'500) << nodes;
    EXPECT_EQ(sim.ballot_bytes(), 0u);
  }
}

TEST(Detector, IsSoonerSureWhenTheHostRefusesConnections) {
  DetectorSimulation sim(options(6, 3));
  sim.run_for(3'000);
  const TimeMs died = sim.now();
  sim.kill(0, true);
  sim.run_for(2'000);
  const TimeMs took = all_failed_after(sim, 0, died);
  EXPECT_GT(took, 300u);
  EXPECT_LT(took, 700u);
}

TEST(Detector, FindsOneThatWasDeadFromTheBeginning) {
  DetectorSimulation sim(options(30, 15));
  sim.kill(3);
  sim.run_for(990);
  EXPECT_TRUE(sim.failures().empty());
  sim.run_for(1'000);
  EXPECT_TRUE(sim.all_say(3, Liveness::kFailed));
}

TEST(Detector, FindsSeveralThatDieAtOnceWithTheirObservers) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    DetectorSimulation sim(options(100, 60, seed));
    sim.run_for(3'000);
    std::set<size_t> dead;
    for (size_t i = 0; i < 20; ++i) {
      const size_t victim = (seed * 31 + i * 7) % 100;
      if (dead.insert(victim).second) sim.kill(victim);
    }
    sim.run_for(4'000);
    for (const size_t victim : dead) EXPECT_TRUE(sim.all_say(victim, Liveness::kFailed));
    for (const auto& decision : sim.failures()) EXPECT_TRUE(dead.contains(decision.subject));
    EXPECT_EQ(serving(sim), 100 - dead.size());
    EXPECT_EQ(sim.unsafe(), 0u);
  }
}

TEST(Detector, ClearsANodeThatRestartsAndIsHeardAgain) {
  for (const bool old_disk : {false, true}) {
    DetectorSimulation sim(options(6, 3, 4));
    sim.run_for(3'000);
    sim.kill(1);
    sim.run_for(2'000);
    EXPECT_TRUE(sim.all_say(1, Liveness::kFailed));
    sim.restart(1, old_disk);
    EXPECT_FALSE(sim.may_serve(1));
    sim.run_for(1'500);
    EXPECT_TRUE(sim.all_say(1, Liveness::kAlive));
    EXPECT_EQ(serving(sim), 6u);
    EXPECT_EQ(sim.incarnation(1), 1u);
    // A second death, at the higher incarnation, with what the disk of the first restart had.
    sim.kill(1);
    sim.run_for(2'000);
    EXPECT_TRUE(sim.all_say(1, Liveness::kFailed));
    sim.restart(1, old_disk);
    sim.run_for(1'500);
    EXPECT_TRUE(sim.all_say(1, Liveness::kAlive));
    EXPECT_EQ(sim.incarnation(1), 2u);
  }
}

TEST(Detector, DoesNotMindARestartWithinTheTimeout) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    DetectorSimulation sim(options(12, 6, seed));
    sim.run_for(3'000);
    sim.kill(2);
    sim.run_for(400);
    sim.restart(2);
    sim.run_for(3'000);
    EXPECT_TRUE(sim.failures().empty());
    EXPECT_EQ(sim.incarnation(2), 0u);
    EXPECT_EQ(serving(sim), 12u);
  }
}

TEST(Detector, APausedNodeMayNotServeWhenItWakes) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    DetectorSimulation sim(options(6, 3, seed));
    sim.run_for(3'000);
    sim.pause(0, 3'000);
    sim.run_for(3'000 - 1);
    EXPECT_TRUE(sim.all_say(0, Liveness::kFailed)) << seed;
    // The others were told at the time; it itself hasn't run since.
    EXPECT_FALSE(sim.may_serve(0));
    EXPECT_EQ(sim.unsafe(), 0u);
    sim.run_for(1'500);
    EXPECT_TRUE(sim.all_say(0, Liveness::kAlive)) << seed;
    for (const auto& decision : sim.failures()) EXPECT_EQ(decision.subject, 0u) << seed;
    EXPECT_EQ(serving(sim), 6u);
  }
}

TEST(Detector, APausedObserverBlamesNobody) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    DetectorSimulation sim(options(40, 20, seed));
    sim.run_for(3'000);
    for (size_t i = 0; i < 40; i += 2) sim.pause(i, 650);
    sim.run_for(5'000);
    EXPECT_TRUE(sim.failures().empty()) << seed;
    for (size_t i = 0; i < 40; ++i) EXPECT_TRUE(sim.suspects(i).empty()) << seed;
  }
}

TEST(Detector, LateTicksBlameNobodyAndFindTheDead) {
  SimOptions late = options(20, 10, 3);
  late.tick_late_by = 120;
  DetectorSimulation sim(late);
  sim.run_for(30'000);
  EXPECT_TRUE(sim.failures().empty());
  sim.kill(5);
  sim.run_for(3'000);
  EXPECT_TRUE(sim.all_say(5, Liveness::kFailed));
  EXPECT_EQ(sim.unsafe(), 0u);
}

TEST(Detector, AMuteNodeIsFailedAndKnowsIt) {
  for (const size_t nodes : {6u, 60u}) {
    DetectorSimulation sim(options(nodes, nodes / 2));
    sim.run_for(3'000);
    sim.set_cut([](size_t from, size_t) { return from == 0; });
    sim.run_for(1'010);
    EXPECT_FALSE(sim.may_serve(0)) << nodes;
    sim.run_for(1'000);
    EXPECT_TRUE(sim.all_say(0, Liveness::kFailed)) << nodes;
    EXPECT_EQ(serving(sim), nodes - 1) << nodes;
    EXPECT_EQ(sim.unsafe(), 0u);
    sim.heal();
    sim.run_for(3'000);
    EXPECT_EQ(serving(sim), nodes) << nodes;
    for (const auto& decision : sim.failures()) EXPECT_EQ(decision.subject, 0u) << nodes;
  }
}

TEST(Detector, ADeafNodeIsFailedAndAccusesNobody) {
  for (const size_t nodes : {6u, 60u}) {
    DetectorSimulation sim(options(nodes, nodes / 2));
    sim.run_for(3'000);
    sim.set_cut([](size_t, size_t to) { return to == 0; });
    sim.run_for(1'010);
    EXPECT_FALSE(sim.may_serve(0)) << nodes;
    sim.run_for(5'000);
    EXPECT_TRUE(sim.all_say(0, Liveness::kFailed)) << nodes;
    for (const Suspect& s : sim.suspects(0)) EXPECT_NE(s.incarnation & kDoubtful, 0u);
    EXPECT_EQ(serving(sim), nodes - 1) << nodes;
    EXPECT_EQ(sim.unsafe(), 0u);
    for (const auto& decision : sim.failures()) EXPECT_EQ(decision.subject, 0u) << nodes;
    sim.heal();
    sim.run_for(3'000);
    EXPECT_EQ(serving(sim), nodes) << nodes;
  }
}

TEST(Detector, ALargeDeafGroupTakesHardlyAnybodyDownWithIt) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    DetectorSimulation sim(options(100, 50, seed));
    sim.run_for(3'000);
    const auto inside = [](size_t node) { return node % 10 < 3; };
    sim.set_cut([&](size_t from, size_t to) { return inside(to) && !inside(from); });
    sim.run_for(6'000);
    // Of those that hear one another some trust themselves. Whom they accuse refutes it.
    std::set<size_t> wronged;
    for (const auto& decision : sim.failures()) {
      if (!inside(decision.subject)) wronged.insert(decision.subject);
    }
    EXPECT_LE(wronged.size(), 3u) << seed;
    EXPECT_EQ(serving(sim), 70u) << seed;
    EXPECT_EQ(sim.unsafe(), 0u);
  }
}

TEST(Detector, AMinorityStopsServingAndTheMajorityFailsIt) {
  for (const size_t nodes : {6u, 30u, 100u}) {
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      DetectorSimulation sim(options(nodes, nodes, seed));
      sim.run_for(3'000);
      const auto minor = [&](size_t node) { return node % 3 == 0; };
      sim.set_cut([&](size_t from, size_t to) { return minor(from) != minor(to); });
      // Where not all watch all, the minority must first learn what it is by gossip.
      sim.run_for(nodes == 6 ? 1'010 : 2'300);
      size_t minority = 0;
      for (size_t i = 0; i < nodes; ++i) minority += minor(i) && sim.may_serve(i);
      EXPECT_EQ(minority, 0u) << nodes << " seed " << seed;
      sim.run_for(6'000);
      size_t majority = 0;
      for (size_t i = 0; i < nodes; ++i) {
        if (minor(i)) continue;
        majority += sim.may_serve(i);
        for (size_t j = 0; j < nodes; ++j) {
          EXPECT_EQ(sim.liveness(i, j), minor(j) ? Liveness::kFailed : Liveness::kAlive);
        }
      }
      EXPECT_EQ(majority, nodes - (nodes + 2) / 3) << nodes << " seed " << seed;
      for (const auto& decision : sim.failures()) EXPECT_TRUE(minor(decision.subject));
      EXPECT_EQ(sim.unsafe(), 0u) << nodes << " seed " << seed;
      sim.heal();
      sim.run_for(6'000);
      EXPECT_EQ(serving(sim), nodes) << nodes << " seed " << seed;
    }
  }
}

TEST(Detector, TwoHalvesDecideNothingAndServeNothing) {
  DetectorSimulation sim(options(8, 8));
  sim.run_for(3'000);
  sim.set_cut([](size_t from, size_t to) { return (from < 4) != (to < 4); });
  sim.run_for(6'000);
  EXPECT_TRUE(sim.failures().empty());
  EXPECT_EQ(serving(sim), 0u);
  sim.heal();
  sim.run_for(2'000);
  EXPECT_EQ(serving(sim), 8u);
}

TEST(Detector, ABridgeKeepsASmallClusterWhole) {
  // Primaries 0, 1, 2. Nodes 0, 4 and 1, 3 don't hear each other; 2 and 5 hear all.
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    DetectorSimulation sim(options(6, 3, seed));
    sim.run_for(3'000);
    const auto left = [](size_t node) { return node == 0 || node == 4; };
    const auto bridge = [](size_t node) { return node == 2 || node == 5; };
    sim.set_cut([&](size_t from, size_t to) {
      return !bridge(from) && !bridge(to) && left(from) != left(to);
    });
    sim.run_for(20'000);
    EXPECT_TRUE(sim.failures().empty()) << seed;
    EXPECT_EQ(serving(sim), 6u) << seed;
  }
}

TEST(Detector, OneBrokenLinkFailsNobody) {
  for (const size_t nodes : {5u, 50u}) {
    DetectorSimulation sim(options(nodes, nodes));
    sim.run_for(3'000);
    sim.set_cut(
        [](size_t from, size_t to) { return (from == 0 && to == 1) || (from == 1 && to == 0); });
    sim.run_for(30'000);
    EXPECT_TRUE(sim.failures().empty()) << nodes;
    EXPECT_EQ(serving(sim), nodes) << nodes;
  }
}

TEST(Detector, TwoPrimariesCannotDecideAndStop) {
  DetectorSimulation sim(options(4, 2));
  sim.run_for(3'000);
  sim.kill(1);
  sim.run_for(4'000);
  EXPECT_TRUE(sim.failures().empty());
  EXPECT_TRUE(sim.all_say(1, Liveness::kSuspect));
  EXPECT_FALSE(sim.may_serve(0));
  sim.restart(1);
  sim.run_for(1'000);
  EXPECT_EQ(serving(sim), 4u);
}

TEST(Detector, OnePrimaryDecidesOnItsReplicasAndServesAlone) {
  DetectorSimulation sim(options(3, 1));
  sim.run_for(3'000);
  sim.kill(1);
  sim.run_for(2'000);
  EXPECT_TRUE(sim.all_say(1, Liveness::kFailed));
  sim.kill(2);
  sim.run_for(4'000);
  EXPECT_TRUE(sim.may_serve(0));
  DetectorSimulation alone(options(1, 1));
  alone.run_for(5'000);
  EXPECT_TRUE(alone.may_serve(0));
}

TEST(Detector, WithoutVotersNobodyIsFailed) {
  DetectorSimulation sim(options(6, 0));
  sim.run_for(3'000);
  sim.kill(1);
  sim.run_for(4'000);
  EXPECT_TRUE(sim.failures().empty());
  EXPECT_TRUE(sim.all_say(1, Liveness::kSuspect));
  // As soon as there are slots, there is a majority.
  for (size_t i = 2; i < 5; ++i) sim.set_votes(i, true);
  sim.run_for(1'000);
  EXPECT_TRUE(sim.all_say(1, Liveness::kFailed));
}

TEST(Detector, DecidesWhileAMemberListAndTheElectorateChange) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    DetectorSimulation sim(options(60, 30, seed));
    // Nodes 50 and 51 are about to join; half of the views hear of them later.
    for (size_t view = 0; view < 50; ++view) {
      sim.set_known(view, 50, false);
      sim.set_known(view, 51, false);
    }
    sim.run_for(3'000);
    const TimeMs died = sim.now();
    sim.kill(7);
    sim.run_for(900);
    for (size_t view = 0; view < 50; view += 2) {
      if (sim.up(view)) sim.set_known(view, 50, true);
    }
    sim.set_votes(8, false);
    sim.set_votes(45, true);
    sim.run_for(100);
    for (size_t view = 0; view < 50; ++view) {
      if (!sim.up(view)) continue;
      sim.set_known(view, 50, true);
      sim.set_known(view, 51, true);
    }
    sim.run_for(1'500);
    EXPECT_GT(all_failed_after(sim, 7, died), 0u) << seed;
    EXPECT_LE(all_failed_after(sim, 7, died), 1'900u) << seed;
    for (const auto& decision : sim.failures()) EXPECT_EQ(decision.subject, 7u) << seed;
    sim.run_for(1'000);
    EXPECT_EQ(serving(sim), 59u) << seed;
  }
}

TEST(Detector, AForgottenNodeIsNoLongerWatched) {
  DetectorSimulation sim(options(6, 3));
  sim.run_for(3'000);
  sim.kill(5);
  sim.run_for(2'000);
  ASSERT_TRUE(sim.all_say(5, Liveness::kFailed));
  for (size_t i = 0; i < 5; ++i) sim.set_known(i, 5, false);
  EXPECT_TRUE(sim.all_say(5, Liveness::kAlive));
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(sim.detector(i).failed_hash(), 0u);
  sim.run_for(1'000);
  EXPECT_TRUE(sim.all_say(5, Liveness::kAlive));
}

}  // namespace
}  // namespace syntropy
