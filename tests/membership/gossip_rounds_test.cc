// Whom a core talks to and when: rounds, rumours, avoided members, own entries that wait.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "membership/gossip.h"
#include "tests/membership/gossip_fixture.h"

namespace syntropy {
namespace {

TEST_F(GossipTest, UrgentNewsArePushedOnAfterAMomentAndOnce) {
  GossipOptions options = no_rounds();
  options.rumour_fan_out = 2;
  add_agreed(10, options);
  nodes[0]->set_own(EntryKey::kSuspects, "s1", now);
  nodes[0]->set_own(EntryKey::kSuspects, "s2", now + 5);
  EXPECT_EQ(nodes[0]->next_deadline(), now + 20);
  nodes[0]->tick(now + 19);
  collect(*nodes[0]);
  EXPECT_TRUE(letters.empty());
  now += 20;
  nodes[0]->tick(now);
  collect(*nodes[0]);
  ASSERT_EQ(letters.size(), 2u);
  EXPECT_NE(letters[0].to, letters[1].to);
  EXPECT_NE(letters[0].to, nodes[0]->self());
  const Letter first = letters[0];
  EXPECT_EQ(std::get<GossipPush>(first.message).deltas.size(), 1u);
  // Who learns it does the same; who knows it doesn't.
  Gossip& peer = at(first.to);
  peer.step(first.from, first.message, now);
  EXPECT_EQ(peer.next_deadline(), now + 20);
  peer.tick(now + 20);
  letters.clear();
  collect(peer);
  EXPECT_EQ(letters.size(), 2u);
  peer.step(first.from, first.message, now + 21);
  EXPECT_GT(peer.next_deadline(), now + 1000);
}

TEST_F(GossipTest, WhatIsNotUrgentWaitsForTheRounds) {
  GossipOptions options = no_rounds();
  options.rumour_fan_out = 2;
  add_agreed(10, options);
  nodes[0]->set_own(EntryKey::kSoftware, "v", now);
  EXPECT_GT(nodes[0]->next_deadline(), now + 1000);
}

TEST_F(GossipTest, RoundsGoToDifferentPeersAndAreSpreadOverTheInterval) {
  GossipOptions options;
  options.fan_out = 4;
  options.interval_ms = 200;
  add_agreed(50, options);
  std::vector<TimeMs> times;
  const TimeMs end = now + 20'000;
  while (nodes[0]->next_deadline() < end) {
    now = nodes[0]->next_deadline();
    nodes[0]->tick(now);
    times.push_back(now);
  }
  collect(*nodes[0]);
  EXPECT_NEAR(static_cast<double>(letters.size()), 400.0, 4.0);
  for (size_t i = 1; i < times.size(); ++i) EXPECT_EQ(times[i] - times[i - 1], 50u);
  std::map<NodeId, int> count;
  for (const Letter& letter : letters) ++count[letter.to];
  EXPECT_EQ(count.count(nodes[0]->self()), 0u);
  EXPECT_GE(count.size(), 45u);
}

TEST_F(GossipTest, WhoWasPausedDoesNotMakeUpForMissedRounds) {
  GossipOptions options;
  add_agreed(10, options);
  now = nodes[0]->next_deadline();
  nodes[0]->tick(now);
  now += 60'000;
  nodes[0]->tick(now);
  EXPECT_GT(nodes[0]->next_deadline(), now);
  collect(*nodes[0]);
  EXPECT_EQ(letters.size(), 2u);
}

TEST_F(GossipTest, AvoidedMembersArePickedSeldomAndForRumoursNever) {
  GossipOptions options;
  options.rumour_fan_out = 1;
  options.rumour_delay_ms = 1;
  add_agreed(40, options);
  Gossip& node = *nodes[0];
  node.set_avoided([](const NodeId& id) { return id.prefix() % 2 == 0; });
  size_t avoided = 0, syns = 0;
  for (int i = 0; i < 4000; ++i) {
    now = node.next_deadline();
    if (i % 8 == 0) node.set_own(EntryKey::kSuspects, std::to_string(i), now);
    node.tick(now);
    collect(node);
    for (const Letter& letter : letters) {
      const bool is_avoided = letter.to.prefix() % 2 == 0;
      if (letter.message.index() == kPush) {
        EXPECT_FALSE(is_avoided);
      } else {
        ++syns;
        avoided += is_avoided ? 1 : 0;
      }
    }
    letters.clear();
  }
  // One pick in ten may be an avoided one, and about half of the members are.
  EXPECT_GT(avoided, syns / 40);
  EXPECT_LT(avoided, syns / 12);
}

TEST_F(GossipTest, IfAllAreAvoidedTheyAreTriedAllTheSame) {
  add_agreed(4);
  nodes[0]->set_avoided([](const NodeId&) { return true; });
  for (int i = 0; i < 20; ++i) {
    now = nodes[0]->next_deadline();
    nodes[0]->tick(now);
  }
  collect(*nodes[0]);
  EXPECT_EQ(letters.size(), 20u);
}

TEST_F(GossipTest, TheOneThatIsNotAvoidedIsFoundAmongMany) {
  add_agreed(200);
  const NodeId good = nodes[77]->self();
  nodes[0]->set_avoided([&](const NodeId& id) { return id != good; });
  for (int i = 0; i < 100; ++i) {
    now = nodes[0]->next_deadline();
    nodes[0]->tick(now);
  }
  collect(*nodes[0]);
  size_t to_good = 0;
  for (const Letter& letter : letters) to_good += letter.to == good ? 1 : 0;
  EXPECT_GT(to_good, 75u);
}

TEST_F(GossipTest, ALoneNodeIsSilent) {
  add_agreed(1);
  for (int i = 0; i < 10; ++i) {
    now = nodes[0]->next_deadline();
    nodes[0]->tick(now);
  }
  collect(*nodes[0]);
  EXPECT_TRUE(letters.empty());
}

TEST_F(GossipTest, OwnEntriesThatChangeTooOftenAreCoalescedAndTheLastOneIsWritten) {
  add_agreed(2, no_rounds());
  for (int i = 0; i < 1010; ++i) {
    ASSERT_TRUE(nodes[0]->set_own(EntryKey::kReplication, std::to_string(i), now));
    ++now;
    nodes[0]->tick(now);
  }
  // 20 a second, and a burst of two.
  EXPECT_LE(nodes[0]->own()->max_version, 1 + 23u);
  EXPECT_GE(nodes[0]->own()->max_version, 1 + 18u);
  const TimeMs last = nodes[0]->next_deadline();
  EXPECT_LE(last, now + 50);
  nodes[0]->tick(last);
  EXPECT_EQ(nodes[0]->own()->value(EntryKey::kReplication), "1009");
  EXPECT_GT(nodes[0]->next_deadline(), last + 1000);
  nodes[0]->set_own(EntryKey::kRole, "a", last);
  EXPECT_EQ(nodes[0]->own()->value(EntryKey::kRole), "a");
}

TEST_F(GossipTest, AnOwnValueThatIsTooLargeIsRefused) {
  add_agreed(2, no_rounds());
  EXPECT_FALSE(nodes[0]->set_own(EntryKey::kSlots, std::string((16 << 10) + 1, 'x'), now));
  EXPECT_EQ(nodes[0]->own()->find(EntryKey::kSlots), nullptr);
  EXPECT_TRUE(nodes[0]->set_own(EntryKey::kSlots, std::string(16 << 10, 'x'), now));
  // Even the largest gets through.
  for (int i = 0; i < 3; ++i) exchange(*nodes[1], *nodes[0]);
  EXPECT_EQ(nodes[0]->hash(), nodes[1]->hash());
}

}  // namespace
}  // namespace syntropy
