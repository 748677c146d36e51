// Hundreds of gossip cores on a network that delays messages by 1 to 50 ms and loses some.
// tools/simulate measures the same for ten thousand.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "tests/membership/gossip_network.h"

namespace syntropy {
namespace {

GossipNetworkOptions network(size_t nodes, uint32_t loss_percent,
                             GossipMode mode = GossipMode::kPushPull) {
  GossipNetworkOptions options;
  options.nodes = nodes;
  options.loss_percent = loss_percent;
  options.gossip.mode = mode;
  return options;
}

struct Spread {
  std::vector<double> rounds;  // ascending, until the last node knew a change
  double idle_bytes = 0;       // sent and received, per node and second, frames included
  bool equal = true;           // all views after each change
  double p99() const { return rounds[rounds.size() * 99 / 100]; }
  double median() const { return rounds[rounds.size() / 2]; }
};

Spread measure(const GossipNetworkOptions& options, size_t trials, EntryKey key) {
  GossipNetwork net(options);
  Spread spread;
  NodeId who;
  std::vector<bool> knows;
  size_t count = 0;
  net.on_change = [&](size_t node, const MemberChange& change) {
    if (change.id() != who || knows[node]) return;
    knows[node] = true;
    ++count;
  };
  const auto bytes = [&net] { return static_cast<double>(net.sent_bytes + net.received_bytes); };
  net.run_until(1000);
  const double before = bytes();
  net.run_until(4000);
  spread.idle_bytes = (bytes() - before) / 3 / static_cast<double>(net.size());
  SeededRandom random(options.seed + 1);
  for (size_t trial = 0; trial < trials; ++trial) {
    net.run_until(net.now() + random.below(500));
    const size_t origin = random.below(net.size());
    who = net.id(origin);
    knows.assign(net.size(), false);
    count = 0;
    const TimeMs start = net.now();
    net.node(origin).set_own(key, "change " + std::to_string(trial), start);
    net.collect(origin);
    net.run_until(start + 60'000, [&] { return count == net.size(); });
    spread.rounds.push_back(static_cast<double>(net.now() - start) /
                            static_cast<double>(options.gossip.interval_ms));
    net.run_until(net.now() + 2500);
    spread.equal = spread.equal && net.all_equal();
  }
  std::sort(spread.rounds.begin(), spread.rounds.end());
  return spread;
}

TEST(GossipSimulation, AChangeReachesAHundredNodesInFewRounds) {
  struct Bound {
    GossipMode mode;
    const char* name;
    uint32_t loss;
    double p99;
  };
  const Bound bounds[] = {
      {GossipMode::kPushPull, "push-pull", 0, 5},  {GossipMode::kPushPull, "push-pull", 10, 6.5},
      {GossipMode::kPushPull, "push-pull", 30, 8}, {GossipMode::kPush, "push", 0, 7},
      {GossipMode::kPush, "push", 10, 9},          {GossipMode::kPush, "push", 30, 13},
      {GossipMode::kPull, "pull", 0, 9},           {GossipMode::kPull, "pull", 10, 11},
      {GossipMode::kPull, "pull", 30, 19}};
  for (const Bound& bound : bounds) {
    const Spread spread =
        measure(network(100, bound.loss, bound.mode),
                bound.mode == GossipMode::kPushPull ? 100 : 30, EntryKey::kSoftware);
    std::printf("N = 100, %-9s loss %2u %%: rounds median %.1f p99 %.1f; idle %.0f bytes/s\n",
                bound.name, bound.loss, spread.median(), spread.p99(), spread.idle_bytes);
    EXPECT_LE(spread.p99(), bound.p99) << bound.name << " at " << bound.loss;
    EXPECT_TRUE(spread.equal) << bound.name << " at " << bound.loss;
  }
}

TEST(GossipSimulation, AChangeReachesAThousandNodesInFewRounds) {
  for (const auto& [loss, bound] : {std::pair(0u, 7.0), std::pair(30u, 11.0)}) {
    const Spread spread = measure(network(1000, loss), 6, EntryKey::kSoftware);
    std::printf("N = 1000, push-pull loss %2u %%: rounds median %.1f max %.1f; idle %.0f bytes/s\n",
                loss, spread.median(), spread.rounds.back(), spread.idle_bytes);
    EXPECT_LE(spread.rounds.back(), bound);
    EXPECT_TRUE(spread.equal);
  }
}

TEST(GossipSimulation, UrgentNewsTakeAFractionOfTheTime) {
  const Spread urgent = measure(network(300, 0), 20, EntryKey::kSuspects);
  EXPECT_LE(urgent.p99(), 2.5);
  const Spread lossy = measure(network(300, 30), 20, EntryKey::kSuspects);
  EXPECT_LE(lossy.p99(), 7);
}

TEST(GossipSimulation, UrgentNewsOfManyNodesAtOnceAreAsFast) {
  GossipNetwork net(network(200, 0));
  size_t heard = 0;
  net.on_change = [&](size_t, const MemberChange&) { ++heard; };
  net.run_until(1000);
  heard = 0;
  for (size_t i = 0; i < 80; ++i) {
    net.node(i).set_own(EntryKey::kSuspects, "node 199", net.now());
    net.collect(i);
  }
  const TimeMs start = net.now();
  EXPECT_TRUE(net.run_until(start + 5000, [&] { return heard == 80 * net.size(); }));
  EXPECT_LE(net.now() - start, 800u);
  // Each brought news to others and wasn't taken for a repair, so nothing is left for full digests.
  for (size_t i = 0; i < net.size(); ++i) EXPECT_EQ(net.node(i).stats().deep, 0u);
}

TEST(GossipSimulation, AtRestANodeCostsTheSameHoweverManyThereAre) {
  for (const size_t nodes : {10, 100, 400}) {
    const Spread spread = measure(network(nodes, 0), 1, EntryKey::kSoftware);
    // Ten exchanges a second begun and ten answered: 9 + 0 bytes each and two frames of 16.
    EXPECT_NEAR(spread.idle_bytes, 820, 20) << nodes;
  }
}

TEST(GossipSimulation, TheSameSeedGivesTheSameTrace) {
  const auto trace = [](uint64_t seed) {
    GossipNetworkOptions options = network(50, 20);
    options.seed = seed;
    GossipNetwork net(options);
    std::vector<uint64_t> events;
    net.on_change = [&](size_t node, const MemberChange& change) {
      events.push_back(node);
      events.push_back(digest_id(change.id()));
      events.push_back(net.now());
    };
    for (size_t i = 0; i < 20; ++i) {
      net.node(i).set_own(i % 2 == 0 ? EntryKey::kRole : EntryKey::kSoftware, "x", net.now());
      net.collect(i);
      net.run_until(net.now() + 100);
    }
    net.run_until(net.now() + 3000);
    events.push_back(net.sent_bytes);
    return events;
  };
  EXPECT_EQ(trace(1), trace(1));
  EXPECT_NE(trace(1), trace(2));
}

TEST(GossipSimulation, StrangersThatMeetOneOfThemAllKnowEachOtherSoon) {
  for (const uint32_t loss : {0u, 30u}) {
    GossipNetworkOptions options = network(150, loss);
    options.agreed = false;
    GossipNetwork net(options);
    for (size_t i = 1; i < net.size(); ++i) {
      net.node(i).add_contact(net.id(0), 0);
      net.node(0).add_contact(net.id(i), 0);
      net.collect(i);
    }
    net.collect(0);
    EXPECT_TRUE(net.run_until(8000, [&] { return net.all_equal(); })) << loss;
    EXPECT_EQ(net.node(7).members().size(), net.size());
  }
}

class Partitioned : public ::testing::TestWithParam<std::pair<GossipMode, uint32_t>> {};

TEST_P(Partitioned, HalvesThatChangedMuchAgreeAgainAfterHealing) {
  const auto [mode, loss] = GetParam();
  GossipNetwork net(network(120, loss, mode));
  net.run_until(1000);
  net.can_reach = [](size_t a, size_t b) { return (a < 60) == (b < 60); };
  for (size_t i = 0; i < net.size(); ++i) {
    net.node(i).set_own(EntryKey::kRole, "role " + std::to_string(i), net.now());
    net.node(i).set_own(EntryKey::kSlots, std::string(100, 's'), net.now());
    net.collect(i);
  }
  net.run_until(40'000);
  EXPECT_FALSE(net.all_equal());
  for (size_t i = 1; i < 60; ++i) EXPECT_EQ(net.node(i).hash(), net.node(0).hash());
  net.can_reach = [](size_t, size_t) { return true; };
  const TimeMs healed = net.now();
  const TimeMs bound = mode == GossipMode::kPushPull ? 12'000 : 60'000;
  EXPECT_TRUE(net.run_until(healed + bound, [&] { return net.all_equal(); }));
  std::printf("healed in %llu ms\n", static_cast<unsigned long long>(net.now() - healed));
}

INSTANTIATE_TEST_SUITE_P(
    Modes, Partitioned,
    ::testing::Values(std::pair(GossipMode::kPushPull, 0u), std::pair(GossipMode::kPushPull, 30u),
                      std::pair(GossipMode::kPull, 0u), std::pair(GossipMode::kPull, 30u),
                      std::pair(GossipMode::kPush, 0u), std::pair(GossipMode::kPush, 30u)));

TEST(GossipSimulation, AOneWayCutDoesNotKeepViewsApart) {
  GossipNetwork net(network(40, 0));
  // Nothing that half the nodes send to node 3 arrives, and nothing that node 5 sends to them.
  net.can_reach = [](size_t a, size_t b) {
    return !(b == 3 && a % 2 == 0) && !(a == 5 && b % 2 == 0);
  };
  net.run_until(500);
  for (size_t i = 0; i < net.size(); ++i) {
    net.node(i).set_own(EntryKey::kSoftware, "v" + std::to_string(i), net.now());
    net.collect(i);
  }
  EXPECT_TRUE(net.run_until(net.now() + 4000, [&] { return net.all_equal(); }));
}

TEST(GossipSimulation, ANodeThatRestartsWithAnEmptyDiskIsKnownByItsNewEntriesEverywhere) {
  GossipNetwork net(network(80, 10));
  net.run_until(1000);
  net.node(7).set_own(EntryKey::kStore, "first disk", net.now());
  net.collect(7);
  net.run_until(6000);
  for (int life = 0; life < 5; ++life) {
    net.replace(7, MemberList());
    const std::string disk = "disk " + std::to_string(life);
    net.node(7).set_own(EntryKey::kStore, disk, net.now());
    net.node(7).set_own(EntryKey::kAddress, "moved", net.now());
    net.node(7).add_contact(net.id(3), net.now());
    net.collect(7);
    const TimeMs start = net.now();
    EXPECT_TRUE(net.run_until(start + 5000, [&] { return net.all_equal(); }));
    net.run_until(start + 6000);
    for (size_t i = 0; i < net.size(); ++i) {
      const MemberRecordPtr* record = net.node(i).members().find(net.id(7));
      ASSERT_NE(record, nullptr);
      ASSERT_EQ((*record)->value(EntryKey::kStore), disk);
      ASSERT_EQ((*record)->value(EntryKey::kAddress), "moved");
    }
  }
}

TEST(GossipSimulation, AForgottenNodeStaysAwayAlthoughItGossipsOn) {
  GossipNetwork net(network(60, 10));
  const NodeId gone = net.id(9);
  // As the composite does it: whoever hears of the order obeys it.
  net.on_change = [&](size_t node, const MemberChange& change) {
    if (change.after != nullptr && change.keys.contains(EntryKey::kForgotten)) {
      net.node(node).forget(gone, 0);
    }
  };
  net.run_until(1000);
  net.node(2).set_own(EntryKey::kForgotten, "node 9", net.now());
  net.collect(2);
  const auto away = [&] {
    for (size_t i = 0; i < net.size(); ++i) {
      if (i != 9 && net.node(i).members().find(gone) != nullptr) return false;
    }
    return true;
  };
  EXPECT_TRUE(net.run_until(net.now() + 3000, away));
  for (int i = 0; i < 40; ++i) {
    net.node(9).set_own(EntryKey::kRole, "here I am " + std::to_string(i), net.now());
    net.collect(9);
    net.run_until(net.now() + 250);
    ASSERT_TRUE(away());
  }
  for (size_t i = 0; i < net.size(); ++i) {
    if (i == 9) continue;
    ASSERT_EQ(net.node(i).hash(), net.node(2).hash());
  }
}

TEST(GossipSimulation, MuchChangeCostsInProportionAndNotTheWholeState) {
  GossipNetworkOptions options = network(200, 0);
  GossipNetwork net(options);
  SeededRandom random(3);
  net.run_until(1000);
  const uint64_t before = net.sent_bytes;
  for (int i = 0; i < 200; ++i) {  // 20 changes a second for 10 s
    const size_t node = random.below(net.size());
    net.node(node).set_own(EntryKey::kLoad, std::to_string(i), net.now());
    net.collect(node);
    net.run_until(net.now() + 50);
  }
  const double sent = static_cast<double>(net.sent_bytes - before) / 10 / 200;
  std::printf("20 changes a second among 200 nodes: %.0f bytes sent per node and second\n", sent);
  EXPECT_LT(sent, 10'000);
  EXPECT_TRUE(net.run_until(net.now() + 4000, [&] { return net.all_equal(); }));
}

TEST(GossipSimulation, NodesThatWriteMoreThanMessagesHoldSlowDownAndRecover) {
  GossipNetworkOptions options = network(60, 0);
  options.gossip.limits.max_entry_bytes = 400;
  options.gossip.max_delta_bytes = 1500;
  options.gossip.max_eager_bytes = 0;
  GossipNetwork net(options);
  const auto mean_rate = [&net] {
    uint64_t rate = 0;
    for (size_t i = 0; i < net.size(); ++i) rate += net.node(i).flow().rate();
    return rate / net.size();
  };
  EXPECT_EQ(mean_rate(), 2000u);
  for (int step = 0; step < 400; ++step) {
    for (size_t i = 0; i < net.size(); ++i) {
      net.node(i).set_own(EntryKey::kLoad, std::string(300, 'a' + step % 26), net.now());
      net.collect(i);
    }
    net.run_until(net.now() + 50);
  }
  EXPECT_LT(mean_rate(), 1000u);
  EXPECT_LT(net.largest, 4000u);
  EXPECT_TRUE(net.run_until(net.now() + 20'000, [&] { return net.all_equal(); }));
}

}  // namespace
}  // namespace syntropy
