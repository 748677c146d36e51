#include "tools/cli/cluster_plan.h"

#include <gtest/gtest.h>

namespace syntropy {
namespace {

ClusterMember primary(char id, SlotRanges slots) {
  ClusterMember member;
  member.id = std::string(40, id);
  member.host = "10.0.0.1";
  member.port = static_cast<uint16_t>(7000 + id - 'a');
  member.slots = std::move(slots);
  return member;
}

std::string id(char letter) { return std::string(40, letter); }

// Where all slots are once the moves are done.
std::map<std::string, uint32_t> after(const std::vector<ClusterMember>& members,
                                      const std::vector<PlannedMove>& moves) {
  std::map<std::string, SlotRanges> slots;
  for (const ClusterMember& member : members) slots[member.id] = member.slots;
  for (const PlannedMove& move : moves) {
    EXPECT_TRUE(slots[move.from].contains(move.slots)) << move.slots.text();
    slots[move.from].remove(move.slots);
    slots[move.to].add(move.slots);
  }
  std::map<std::string, uint32_t> counts;
  for (const auto& [node, owned] : slots) counts[node] = owned.count();
  return counts;
}

TEST(ClusterPlan, ReadsWhatClusterNodesAnswers) {
  const std::string a = id('a');
  const std::string b = id('b');
  const std::string c = id('c');
  const auto members = parse_cluster_nodes(
      a + " 10.0.0.1:7000@17000,db1 myself,master - 0 5 1 connected 0-5 9 [3->-" + b + "]\n" + b +
      " ::1:7001@17001 slave,fail? " + a + " 0 5 1 connected\r\n" + c +
      " :0@0 handshake,noaddr - 0 0 0 connected\n");
  ASSERT_TRUE(members.ok()) << members.status().message();
  ASSERT_EQ(members->size(), 3u);
  EXPECT_EQ((*members)[0].slots, (SlotRanges{{0, 5}, {9, 9}}));
  EXPECT_TRUE((*members)[0].myself);
  EXPECT_EQ((*members)[0].address(), "10.0.0.1:7000");
  EXPECT_EQ((*members)[0].bus_port, 17000);
  EXPECT_EQ((*members)[1].host, "::1");
  EXPECT_EQ((*members)[1].primary, a);
  EXPECT_TRUE((*members)[1].failed);
  EXPECT_FALSE((*members)[1].is_primary());
  EXPECT_TRUE((*members)[2].handshake);
  EXPECT_FALSE((*members)[2].is_primary());
  for (const char* const broken :
       {"x", "id 1:2 master - 0 0 0 connected", "id h:1@2 master - 0 0 0 connected 5-x",
        "id h:1@2 master - 0 0 0 connected 0-16384"}) {
    EXPECT_TRUE(parse_cluster_nodes(broken).status().is(StatusCode::kCorruption)) << broken;
  }
}

TEST(ClusterPlan, FindsANodeByWhateverNamesIt) {
  std::vector<ClusterMember> members = {primary('a', {}), primary('b', {})};
  members[1].id = "ab" + id('b').substr(2);
  EXPECT_EQ((*find_member(members, "10.0.0.1:7001"))->id, members[1].id);
  EXPECT_EQ((*find_member(members, members[0].id))->port, 7000);
  EXPECT_EQ((*find_member(members, "ab"))->port, 7001);
  EXPECT_FALSE(find_member(members, "a").ok()) << "both begin so";
  EXPECT_FALSE(find_member(members, "").ok());
  EXPECT_FALSE(find_member(members, "10.0.0.1:7002").ok());
}

TEST(ClusterPlan, MovesAsLittleAsItTakes) {
  const std::vector<ClusterMember> members = {primary('a', {{0, 8191}}),
                                              primary('b', {{8192, 16383}}), primary('c', {})};
  const auto moves = plan_rebalance(members, {}, 2);
  ASSERT_TRUE(moves.ok());
  ASSERT_EQ(moves->size(), 2u) << "one from each, to the new one";
  const auto counts = after(members, *moves);
  EXPECT_EQ(counts.at(id('c')), 5461u);
  for (const auto& [node, count] : counts) EXPECT_LE(count, 5462u);
  for (const PlannedMove& move : *moves) EXPECT_EQ(move.slots.ranges().size(), 1u);
}

TEST(ClusterPlan, AnEvenClusterStaysAsItIs) {
  const std::vector<ClusterMember> members = {
      primary('a', {{0, 5460}}), primary('b', {{5461, 10922}}), primary('c', {{10923, 16383}})};
  EXPECT_TRUE(plan_rebalance(members, {}, 0.1)->empty());
  EXPECT_TRUE(plan_rebalance(members, {}, 0)->empty()) << "the one left over lies well where it is";
  const std::vector<ClusterMember> nearly = {primary('a', {{0, 8100}}),
                                             primary('b', {{8101, 16383}})};
  EXPECT_TRUE(plan_rebalance(nearly, {}, 2)->empty());
  EXPECT_EQ(plan_rebalance(nearly, {}, 1)->size(), 1u);
}

TEST(ClusterPlan, WeightsAreShares) {
  const std::vector<ClusterMember> members = {
      primary('a', {{0, 5460}}), primary('b', {{5461, 10922}}), primary('c', {{10923, 16383}})};
  const auto doubled = plan_rebalance(members, {{id('a'), 2}}, 2);
  EXPECT_EQ(after(members, *doubled).at(id('a')), 8192u);
  const auto drained = plan_rebalance(members, {{id('b'), 0}}, 2);
  const auto counts = after(members, *drained);
  EXPECT_EQ(counts.at(id('b')), 0u);
  EXPECT_EQ(counts.at(id('a')), 8192u);
  EXPECT_EQ(counts.at(id('c')), 8192u);
  EXPECT_FALSE(plan_rebalance(members, {{id('a'), 0}, {id('b'), 0}, {id('c'), 0}}, 2).ok());
}

std::vector<ClusterMember> three_primaries() {
  return {primary('a', {{0, 5460}}), primary('b', {{5461, 10922}}), primary('c', {{10923, 16383}})};
}

TEST(ClusterPlan, SharesLoadWithAsFewSlotsAsHaveIt) {
  const auto members = three_primaries();
  std::vector<double> loads(kSlotCount);
  for (unsigned slot = 0; slot < kSlotCount; ++slot) {
    loads[slot] = members[0].slots.contains(static_cast<uint16_t>(slot)) ? 4 : 1;
  }
  const auto moves = plan_rebalance_of(loads, members, {}, 2);
  ASSERT_TRUE(moves.ok());
  ASSERT_EQ(moves->size(), 2u);
  std::map<std::string, double> after;
  for (const ClusterMember& member : members) {
    for (const SlotRange& range : member.slots.ranges()) {
      for (unsigned slot = range.first; slot <= range.last; ++slot) after[member.id] += loads[slot];
    }
  }
  const double total = after[id('a')] + after[id('b')] + after[id('c')];
  for (const PlannedMove& move : *moves) {
    EXPECT_EQ(move.from, id('a'));
    EXPECT_EQ(move.slots.ranges().size(), 1u) << "slots that lie together";
    after[move.from] -= 4 * move.slots.count();
    after[move.to] += 4 * move.slots.count();
  }
  for (const char name : {'a', 'b', 'c'}) EXPECT_NEAR(after[id(name)], total / 3, 4);
}

TEST(ClusterPlan, LeavesASlotThatWeighsTooMuchAndThoseThatWeighNothing) {
  const auto members = three_primaries();
  std::vector<double> loads(kSlotCount);
  const uint16_t last = members[0].slots.ranges().back().last;
  loads[last] = 1000;  // wherever it is, it is too much
  for (uint16_t i = 1; i <= 30; ++i) loads[last - 2 * i] = 1;
  const auto moves = plan_rebalance_of(loads, members, {}, 2);
  ASSERT_TRUE(moves.ok());
  uint32_t moved = 0;
  for (const PlannedMove& move : *moves) {
    EXPECT_FALSE(move.slots.contains(last));
    moved += move.slots.count();
  }
  EXPECT_EQ(moved, 30u);
}

TEST(ClusterPlan, TakesAllSlotsWhereTheWeightIsNothing) {
  const auto members = three_primaries();
  const std::vector<double> loads(kSlotCount, 1);
  const auto moves = plan_rebalance_of(loads, members, {{id('b'), 0}}, 2);
  ASSERT_TRUE(moves.ok());
  EXPECT_EQ(after(members, *moves).at(id('b')), 0u);
  std::vector<double> some(kSlotCount);
  some[6000] = 1;
  const auto drained = plan_rebalance_of(some, members, {{id('b'), 0}}, 2);
  EXPECT_EQ(after(members, *drained).at(id('b')), 0u);
  const std::vector<double> none(kSlotCount);
  const auto idle = plan_rebalance_of(none, members, {{id('b'), 0}}, 2);
  EXPECT_EQ(after(members, *idle).at(id('b')), 0u) << "slots that weigh nothing, too";
  EXPECT_TRUE(plan_rebalance_of(none, members, {}, 2)->empty());
}

TEST(ClusterPlan, ReadsWhatSlotsWeigh) {
  const std::vector<std::string> words = {"3", "key-count", "7", "disk-bytes", "100",
                                          "4", "key-count", "1", "disk-bytes", "50"};
  std::vector<double> loads;
  ASSERT_TRUE(add_slot_loads(words, SlotLoad::kKeys, &loads).ok());
  EXPECT_EQ(loads[3], 7);
  EXPECT_EQ(loads[4], 1);
  ASSERT_TRUE(add_slot_loads(words, SlotLoad::kBytes, &loads).ok());
  EXPECT_EQ(loads[3], 107) << "added";
  EXPECT_TRUE(add_slot_loads(words, SlotLoad::kTraffic, &loads).is(StatusCode::kUnavailable));
  EXPECT_TRUE(
      add_slot_loads({"x", "key-count", "7"}, SlotLoad::kKeys, &loads).is(StatusCode::kCorruption));
  EXPECT_TRUE(add_slot_loads({"16384", "key-count", "7"}, SlotLoad::kKeys, &loads)
                  .is(StatusCode::kCorruption));
}

TEST(ClusterPlan, ANewClusterCoversAllSlotsAndSpreadsReplicasOverHosts) {
  const auto plan = plan_cluster({"a:1", "b:1", "c:1", "a:2", "b:2", "c:2"}, 1);
  ASSERT_TRUE(plan.ok());
  ASSERT_EQ(plan->primaries.size(), 3u);
  SlotRanges all;
  for (const PlannedCluster::Primary& planned : plan->primaries) {
    EXPECT_FALSE(all.intersects(planned.slots));
    all.add(planned.slots);
    ASSERT_EQ(planned.replicas.size(), 1u);
  }
  EXPECT_EQ(all, SlotRanges::all());
  EXPECT_NE(plan->primaries[0].replicas[0], "a:2");
  EXPECT_EQ(plan_cluster({"a:1", "a:2", "a:3"}, 0)->primaries.size(), 3u);
  EXPECT_FALSE(plan_cluster({"a:1"}, 1).ok());
}

}  // namespace
}  // namespace syntropy
