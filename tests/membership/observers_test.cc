#include "membership/observers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/membership/detector_roster.h"

namespace syntropy {
namespace {

using Ids = std::vector<NodeId>;

Ids ids_of(const std::vector<ObserverRing::Neighbour>& neighbours) {
  Ids ids;
  for (const auto& neighbour : neighbours) ids.push_back(neighbour.id);
  return ids;
}

std::vector<ObserverRing::Neighbour> neighbours(const ObserverRing& ring, const Roster& roster,
                                                const std::set<NodeId>& failed,
                                                const NodeId& node) {
  ObserverRing::Reach reach;
  return ring.neighbours(roster, failed, node, reach);
}

TEST(Roster, FindsRanks) {
  const TestRoster roster(5);
  EXPECT_EQ(roster.rank_of(roster.id(0)), 0u);
  EXPECT_EQ(roster.rank_of(roster.id(4)), 4u);
  EXPECT_EQ(roster.rank_of(TestRoster::make_id(2.5)), std::nullopt);
  EXPECT_EQ(roster.rank_of(TestRoster::make_id(9)), std::nullopt);
  EXPECT_EQ(roster.members_below(TestRoster::make_id(2.5)), 3u);
  EXPECT_EQ(TestRoster(0).rank_of(roster.id(0)), std::nullopt);
}

TEST(ObserverRing, GivesEachNodeEightObserversAndEightToWatch) {
  const ObserverRing ring(1, 8);
  const TestRoster roster(200);
  std::map<NodeId, size_t> watching;
  for (size_t i = 0; i < roster.size(); ++i) {
    const Ids observers = ring.observers(roster, {}, roster.id(i));
    EXPECT_EQ(observers.size(), 8u);
    EXPECT_TRUE(std::is_sorted(observers.begin(), observers.end()));
    EXPECT_EQ(std::count(observers.begin(), observers.end(), roster.id(i)), 0);
    for (const NodeId& observer : observers) ++watching[observer];
    EXPECT_EQ(ids_of(neighbours(ring, roster, {}, roster.id(i))), observers);
  }
  for (const auto& [node, count] : watching) EXPECT_EQ(count, 8u);
}

TEST(ObserverRing, InASmallClusterAllWatchAll) {
  const ObserverRing ring(1, 8);
  for (size_t size = 1; size <= 9; ++size) {
    const TestRoster roster(size);
    for (size_t i = 0; i < size; ++i) {
      EXPECT_EQ(ring.observers(roster, {}, roster.id(i)).size(), size - 1);
    }
  }
}

TEST(ObserverRing, DependsOnTheSeed) {
  const TestRoster roster(100);
  const NodeId node = roster.id(50);
  EXPECT_EQ(ObserverRing(1, 8).observers(roster, {}, node),
            ObserverRing(1, 8).observers(roster, {}, node));
  EXPECT_NE(ObserverRing(1, 8).observers(roster, {}, node),
            ObserverRing(2, 8).observers(roster, {}, node));
}

TEST(ObserverRing, TheNextTakesThePlaceOfAFailedObserver) {
  const ObserverRing ring(1, 8);
  const TestRoster roster(100);
  const NodeId node = roster.id(50);
  const Ids before = ring.observers(roster, {}, node);
  const Ids after = ring.observers(roster, {before[3]}, node);
  EXPECT_EQ(after.size(), 8u);
  Ids kept;
  std::set_intersection(before.begin(), before.end(), after.begin(), after.end(),
                        std::back_inserter(kept));
  EXPECT_EQ(kept.size(), 7u);
  EXPECT_EQ(std::count(after.begin(), after.end(), before[3]), 0);
  // Who is FAIL itself is watched as before.
  EXPECT_EQ(ring.observers(roster, {node}, node), before);
}

TEST(ObserverRing, AFailedNodeIsStillWatchedByItsObservers) {
  const ObserverRing ring(1, 8);
  const TestRoster roster(100);
  const std::set<NodeId> failed{roster.id(7), roster.id(20), roster.id(21), roster.id(90)};
  for (size_t i = 0; i < roster.size(); ++i) {
    const NodeId& subject = roster.id(i);
    const Ids observers = ring.observers(roster, failed, subject);
    EXPECT_EQ(observers.size(), 8u);
    for (size_t j = 0; j < roster.size(); ++j) {
      if (failed.contains(roster.id(j))) continue;
      const auto watched = neighbours(ring, roster, failed, roster.id(j));
      const auto at = std::find_if(watched.begin(), watched.end(),
                                   [&](const auto& n) { return n.id == subject; });
      const bool observes = std::binary_search(observers.begin(), observers.end(), roster.id(j));
      EXPECT_EQ(at != watched.end(), observes) << i << " " << j;
      if (at == watched.end()) continue;
      EXPECT_EQ(at->failed, failed.contains(subject));
    }
  }
}

TEST(ObserverRing, OfEachPairExactlyOneInitiates) {
  const ObserverRing ring(1, 8);
  for (const size_t size : {2u, 3u, 5u, 8u, 9u, 10u, 50u}) {
    const TestRoster roster(size);
    std::map<std::pair<NodeId, NodeId>, int> initiated;
    std::map<NodeId, size_t> load;
    for (size_t i = 0; i < size; ++i) {
      for (const auto& n : neighbours(ring, roster, {}, roster.id(i))) {
        initiated[std::minmax(roster.id(i), n.id)] += n.initiates;
        load[roster.id(i)] += n.initiates;
      }
    }
    for (const auto& [pair, count] : initiated) EXPECT_EQ(count, 1) << size;
    if (size > 9) {
      for (const auto& [node, count] : load) EXPECT_EQ(count, 4u);
    }
  }
}

TEST(ObserverRing, OnlyAMemberWithinReachChangesTheNeighbours) {
  const ObserverRing ring(1, 8);
  TestRoster roster(60);
  const NodeId node = roster.id(30);
  size_t inside = 0;
  for (size_t i = 0; i < 60; ++i) {
    ObserverRing::Reach reach;
    const Ids before = ids_of(ring.neighbours(roster, {}, node, reach));
    const NodeId fresh = TestRoster::make_id(static_cast<double>(i) + 0.5);
    const bool within = ring.within(reach, node, fresh);
    inside += within;
    roster.add(fresh);
    EXPECT_EQ(ids_of(neighbours(ring, roster, {}, node)) != before, within) << i;
  }
  EXPECT_GT(inside, 3u);
  ObserverRing::Reach all;
  ring.neighbours(TestRoster(4), {}, TestRoster(4).id(0), all);
  EXPECT_TRUE(ring.within(all, roster.id(0), roster.id(17)));
}

TEST(ObserverRing, OrderLeavesOutTheFailed) {
  const ObserverRing ring(1, 8);
  const TestRoster roster(40);
  const auto order = ring.order(roster, {roster.id(3), roster.id(9)});
  EXPECT_EQ(order.size(), 38u);
  for (size_t i = 0; i < order.size(); ++i) {
    EXPECT_NE(order[i].rank, 3u);
    EXPECT_NE(order[i].rank, 9u);
    EXPECT_EQ(order[i].position, ring.position(roster.id(order[i].rank)));
    EXPECT_TRUE(i == 0 || order[i - 1].position < order[i].position);
  }
}

}  // namespace
}  // namespace syntropy
