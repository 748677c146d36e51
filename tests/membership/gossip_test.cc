// What single messages do: two or three cores, and every message looked at.
#include "membership/gossip.h"

#include <gtest/gtest.h>

#include <deque>

#include "tests/membership/gossip_support.h"

namespace syntropy {
namespace {

/// A few cores whose messages arrive at once, in order, unless a test takes them out.
class GossipTest : public testing::Test {
 protected:
  struct Letter {
    NodeId from, to;
    GossipMessage message;
  };

  Gossip& add(uint64_t seed, const GossipOptions& options = {}) {
    nodes.push_back(std::make_unique<Gossip>(options, id_of(seed), random, now));
    return *nodes.back();
  }
  /// Cores with these ids that know each other, at version 1 each.
  void add_agreed(size_t count, const GossipOptions& options = {}) {
    MemberList view;
    for (size_t i = 0; i < count; ++i) {
      view.put(record_of(id_of(i), {entry_of(EntryKey::kAddress, 1, "somewhere")}));
    }
    for (size_t i = 0; i < count; ++i) add(i, options).start_with(view);
  }
  Gossip& at(const NodeId& id) {
    for (auto& node : nodes) {
      if (node->self() == id) return *node;
    }
    ADD_FAILURE() << "no such node";
    return *nodes[0];
  }

  void collect(Gossip& node) {
    GossipReady ready;
    node.take_ready(ready);
    for (GossipSend& send : ready.sends) {
      letters.push_back({node.self(), send.to, std::move(send.message)});
    }
    for (MemberChange& change : ready.changes) changes.push_back({node.self(), std::move(change)});
    for (const NodeId& peer : ready.extra_differs) extra_differs.push_back({node.self(), peer});
    if (ready.restamped) restamped.push_back(node.self());
    for (Entry& entry : ready.echoed) echoed.push_back(std::move(entry));
  }
  void collect_all() {
    for (auto& node : nodes) collect(*node);
  }
  /// Delivers the oldest letter.
  Letter deliver() {
    Letter letter = letters.front();
    letters.pop_front();
    Gossip& to = at(letter.to);
    to.step(letter.from, letter.message, now);
    collect(to);
    return letter;
  }
  /// Delivers until nothing is under way; returns the kinds of messages (index in GossipMessage).
  std::vector<size_t> deliver_all() {
    std::vector<size_t> kinds;
    while (!letters.empty()) {
      kinds.push_back(deliver().message.index());
      EXPECT_LT(kinds.size(), 10'000u);
      if (kinds.size() >= 10'000u) break;
    }
    return kinds;
  }
  /// One exchange from `a` to `b`, all of its messages.
  std::vector<size_t> exchange(Gossip& a, const Gossip& b) {
    a.exchange_with(b.self(), now);
    EXPECT_LE(a.next_deadline(), now);
    a.tick(now);
    collect(a);
    return deliver_all();
  }
  /// Lets time pass without rounds of nodes, so that changes are no longer recent.
  void age() { now += 100'000; }

  static constexpr size_t kSyn = 0, kAck = 1, kPush = 2, kAgree = 3;
  SeededRandom random{5};
  TimeMs now = 1000;
  std::vector<std::unique_ptr<Gossip>> nodes;
  std::deque<Letter> letters;
  std::vector<std::pair<NodeId, MemberChange>> changes;
  std::vector<std::pair<NodeId, NodeId>> extra_differs;
  std::vector<NodeId> restamped;
  std::vector<Entry> echoed;
};

GossipOptions no_rounds(GossipMode mode = GossipMode::kPushPull) {
  GossipOptions options;
  options.mode = mode;
  options.fan_out = 0;
  options.rumour_fan_out = 0;
  return options;
}

GossipOptions no_eager() {
  GossipOptions options = no_rounds();
  options.max_eager_bytes = 0;
  return options;
}

TEST_F(GossipTest, ViewsThatAreEqualFindOutByTwoSmallMessages) {
  add_agreed(3, no_rounds());
  nodes[0]->exchange_with(nodes[1]->self(), now);
  nodes[0]->tick(now);
  collect(*nodes[0]);
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(wire_size(letters[0].message), 9u);
  EXPECT_EQ(deliver_all(), (std::vector<size_t>{kSyn, kAgree}));
  EXPECT_EQ(nodes[0]->stats().agreements, 1u);
  EXPECT_EQ(nodes[1]->stats().agreements, 1u);
  EXPECT_TRUE(changes.empty());
}

TEST_F(GossipTest, AFreshChangeOfTheInitiatorGoesWithTheFirstMessage) {
  add_agreed(2, no_rounds());
  nodes[0]->set_own(EntryKey::kSoftware, "v2", now);
  EXPECT_EQ(exchange(*nodes[0], *nodes[1]), (std::vector<size_t>{kSyn, kAgree}));
  EXPECT_EQ(nodes[0]->hash(), nodes[1]->hash());
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[1].first, nodes[1]->self());
  EXPECT_EQ(changes[1].second.keys, KeySet{EntryKey::kSoftware});
  EXPECT_EQ(changes[1].second.after->value(EntryKey::kSoftware), "v2");
}

TEST_F(GossipTest, AChangeOfTheInitiatorThatIsOnlyNamedIsAskedForInThreeMessages) {
  add_agreed(2, no_eager());
  nodes[0]->set_own(EntryKey::kSoftware, "v2", now);
  EXPECT_EQ(exchange(*nodes[0], *nodes[1]), (std::vector<size_t>{kSyn, kAck, kPush}));
  EXPECT_EQ(nodes[0]->hash(), nodes[1]->hash());
}

TEST_F(GossipTest, AChangeOfTheResponderComesBackWithTheSecondMessage) {
  add_agreed(2, no_eager());
  nodes[1]->set_own(EntryKey::kSoftware, "v2", now);
  EXPECT_EQ(exchange(*nodes[0], *nodes[1]), (std::vector<size_t>{kSyn, kAck}));
  EXPECT_EQ(nodes[0]->hash(), nodes[1]->hash());
}

TEST_F(GossipTest, ChangesOnBothSidesCrossInOneExchange) {
  add_agreed(2, no_eager());
  nodes[0]->set_own(EntryKey::kSoftware, "a", now);
  nodes[1]->set_own(EntryKey::kSoftware, "b", now);
  EXPECT_EQ(exchange(*nodes[0], *nodes[1]), (std::vector<size_t>{kSyn, kAck, kPush}));
  EXPECT_EQ(nodes[0]->hash(), nodes[1]->hash());
}

TEST_F(GossipTest, PullTakesTwoMessagesAndFetchesOnly) {
  add_agreed(2, no_rounds(GossipMode::kPull));
  nodes[0]->set_own(EntryKey::kSoftware, "a", now);
  nodes[1]->set_own(EntryKey::kSoftware, "b", now);
  EXPECT_EQ(exchange(*nodes[0], *nodes[1]), (std::vector<size_t>{kSyn, kAck}));
  EXPECT_NE(nodes[0]->members().find(nodes[1]->self()), nullptr);
  EXPECT_EQ((*nodes[0]->members().find(nodes[1]->self()))->value(EntryKey::kSoftware), "b");
  EXPECT_EQ((*nodes[1]->members().find(nodes[0]->self()))->value(EntryKey::kSoftware), "");
}

TEST_F(GossipTest, PushTakesOneMessageAndTellsOnly) {
  add_agreed(2, no_rounds(GossipMode::kPush));
  nodes[0]->set_own(EntryKey::kSoftware, "a", now);
  nodes[1]->set_own(EntryKey::kSoftware, "b", now);
  EXPECT_EQ(exchange(*nodes[0], *nodes[1]), (std::vector<size_t>{kPush}));
  EXPECT_EQ((*nodes[0]->members().find(nodes[1]->self()))->value(EntryKey::kSoftware), "");
  EXPECT_EQ((*nodes[1]->members().find(nodes[0]->self()))->value(EntryKey::kSoftware), "a");
}

TEST_F(GossipTest, OfSeveralRecentChangesOnlyTheOneThatThePeerMissedIsSent) {
  add_agreed(9, no_eager());
  for (size_t i = 2; i < 9; ++i) {
    nodes[i]->set_own(EntryKey::kSoftware, "x", now);
    exchange(*nodes[0], *nodes[i]);
    if (i != 5) exchange(*nodes[1], *nodes[i]);
  }
  now += 2000;  // too old to be named
  nodes[0]->set_own(EntryKey::kLoad, "y", now);
  letters.clear();
  changes.clear();
  nodes[1]->exchange_with(nodes[0]->self(), now);
  nodes[1]->tick(now);
  collect(*nodes[1]);
  deliver();
  ASSERT_EQ(letters.size(), 1u);
  const auto& ack = std::get<GossipAck>(letters[0].message);
  EXPECT_TRUE(ack.residual == 0 || ack.deltas.size() == 1u);
  deliver_all();
  exchange(*nodes[1], *nodes[0]);
  EXPECT_EQ(nodes[0]->hash(), nodes[1]->hash());
}

TEST_F(GossipTest, ASettledChangeThatAPeerMissedIsFoundByTheHashes) {
  add_agreed(12, no_rounds());
  nodes[0]->set_own(EntryKey::kSoftware, "x", now);
  // All but node 11 know it, and node 0 has seen often that they do.
  for (size_t i = 1; i < 11; ++i) exchange(*nodes[0], *nodes[i]);
  for (size_t i = 1; i < 11; ++i) exchange(*nodes[0], *nodes[i]);
  nodes[0]->exchange_with(nodes[11]->self(), now);
  nodes[0]->tick(now);
  collect(*nodes[0]);
  EXPECT_EQ(wire_size(letters[0].message), 9u);  // it isn't named any more
  EXPECT_EQ(deliver_all(), (std::vector<size_t>{kSyn, kAck, kPush}));
  EXPECT_EQ(nodes[0]->hash(), nodes[11]->hash());
}

TEST_F(GossipTest, AnOldDifferenceIsFoundByFullDigests) {
  add_agreed(6, no_rounds());
  nodes[0]->set_own(EntryKey::kSoftware, "x", now);
  nodes[3]->set_own(EntryKey::kSoftware, "y", now);
  age();
  nodes[0]->tick(now);
  nodes[3]->tick(now);
  for (int i = 0; i < 3; ++i) exchange(*nodes[0], *nodes[3]);
  EXPECT_EQ(nodes[0]->hash(), nodes[3]->hash());
  EXPECT_GT(nodes[0]->stats().deep, 0u);
}

TEST_F(GossipTest, WithManyMembersOnlyTheGroupsThatDifferAreListed) {
  add_agreed(2000, no_rounds());
  for (size_t i = 10; i < 13; ++i) nodes[i]->set_own(EntryKey::kSoftware, "x", now);
  for (size_t i = 10; i < 13; ++i) exchange(*nodes[0], *nodes[i]);
  age();
  nodes[0]->tick(now);
  nodes[1]->tick(now);
  std::vector<size_t> sizes;
  for (int i = 0; i < 3; ++i) {
    nodes[1]->exchange_with(nodes[0]->self(), now);
    nodes[1]->tick(now);
    collect(*nodes[1]);
    while (!letters.empty()) sizes.push_back(wire_size(deliver().message));
  }
  EXPECT_EQ(nodes[0]->hash(), nodes[1]->hash());
  // 64 sums and three groups of about 31 members, instead of 2,000.
  EXPECT_LT(*std::max_element(sizes.begin(), sizes.end()), 2500u);
  EXPECT_GT(*std::max_element(sizes.begin(), sizes.end()), 500u);
}

TEST_F(GossipTest, ANewcomerGetsEverythingFromItsContactAtOnce) {
  GossipOptions options = no_rounds();
  add_agreed(1000, options);
  Gossip& newcomer = add(5000, options);
  newcomer.set_own(EntryKey::kAddress, "here", now);
  collect(newcomer);
  EXPECT_TRUE(newcomer.add_contact(nodes[0]->self(), now));
  EXPECT_TRUE(nodes[0]->add_contact(newcomer.self(), now));
  newcomer.tick(now);
  collect(newcomer);
  nodes[0]->tick(now);
  collect(*nodes[0]);
  deliver_all();
  EXPECT_EQ(newcomer.members().size(), 1001u);
  EXPECT_EQ(newcomer.hash(), nodes[0]->hash());
}

TEST_F(GossipTest, NothingIsSentThatIsLargerThanTheBudget) {
  GossipOptions options = no_rounds();
  options.limits.max_entry_bytes = 500;
  options.max_delta_bytes = 2000;
  add_agreed(60, options);
  for (auto& node : nodes) node->set_own(EntryKey::kSlots, std::string(400, 's'), now);
  for (int round = 0; round < 400 && nodes[0]->hash() != nodes[59]->hash(); ++round) {
    for (auto& node : nodes) {
      node->exchange_with(nodes[random.below(nodes.size())]->self(), now);
      node->tick(now);
      collect(*node);
      while (!letters.empty()) EXPECT_LT(wire_size(deliver().message), 2000 + 1100u);
    }
    now += 50;
  }
  EXPECT_EQ(nodes[0]->hash(), nodes[59]->hash());
}

TEST_F(GossipTest, ALostThirdMessageIsMadeUpForByTheNextExchange) {
  add_agreed(2, no_eager());
  nodes[0]->set_own(EntryKey::kSoftware, "x", now);
  nodes[0]->exchange_with(nodes[1]->self(), now);
  nodes[0]->tick(now);
  collect(*nodes[0]);
  deliver();
  deliver();
  ASSERT_EQ(letters.size(), 1u);
  letters.clear();
  exchange(*nodes[1], *nodes[0]);
  EXPECT_EQ(nodes[0]->hash(), nodes[1]->hash());
}

TEST_F(GossipTest, MessagesThatComeTwiceOrLateChangeNothing) {
  add_agreed(2, no_eager());
  nodes[0]->set_own(EntryKey::kSoftware, "1", now);
  nodes[0]->exchange_with(nodes[1]->self(), now);
  nodes[0]->tick(now);
  collect(*nodes[0]);
  std::vector<Letter> log;
  while (!letters.empty()) log.push_back(deliver());
  nodes[0]->set_own(EntryKey::kSoftware, "2", now);
  exchange(*nodes[0], *nodes[1]);
  const uint64_t hash = nodes[1]->hash();
  ASSERT_EQ(nodes[0]->hash(), hash);
  for (const Letter& letter : log) {
    letters.push_back(letter);
    deliver_all();
  }
  EXPECT_EQ(nodes[0]->hash(), hash);
  EXPECT_EQ(nodes[1]->hash(), hash);
  EXPECT_EQ((*nodes[1]->members().find(nodes[0]->self()))->value(EntryKey::kSoftware), "2");
}

TEST_F(GossipTest, AHoleIsAskedForInTheNextDigest) {
  add_agreed(3, no_eager());
  const NodeId third = nodes[2]->self();
  GossipPush push;
  push.deltas = {delta_of(third, 7, {entry_of(EntryKey::kSoftware, 8, "late")})};
  nodes[0]->step(nodes[1]->self(), push, now);
  EXPECT_EQ(nodes[0]->stats().holes, 1u);
  for (int i = 0; i < 6; ++i) {
    nodes[0]->exchange_with(nodes[1]->self(), now);
    nodes[0]->tick(now);
    collect(*nodes[0]);
    const auto& syn = std::get<GossipSyn>(letters[0].message);
    if (i < 4) {
      ASSERT_EQ(syn.digest.size(), 1u);
      EXPECT_EQ(syn.digest[0], (DigestItem{digest_id(third), 1}));
    } else {
      EXPECT_TRUE(syn.digest.empty());  // whoever lies about a version isn't asked for ever
    }
    letters.clear();
  }
}

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

TEST_F(GossipTest, AnotherExtraHashIsReportedOnBothSidesAndCostsNothingWhenZero) {
  add_agreed(2, no_rounds());
  exchange(*nodes[0], *nodes[1]);
  EXPECT_TRUE(extra_differs.empty());
  nodes[0]->set_extra_hash(77);
  EXPECT_EQ(exchange(*nodes[0], *nodes[1]), (std::vector<size_t>{kSyn, kAgree}));
  ASSERT_EQ(extra_differs.size(), 2u);
  EXPECT_EQ(extra_differs[0], std::pair(nodes[1]->self(), nodes[0]->self()));
  EXPECT_EQ(extra_differs[1], std::pair(nodes[0]->self(), nodes[1]->self()));
  nodes[1]->set_extra_hash(77);
  exchange(*nodes[0], *nodes[1]);
  EXPECT_EQ(extra_differs.size(), 2u);
}

TEST_F(GossipTest, AForgottenMemberLeavesAndStaysAwayWhileOthersStillHaveIt) {
  add_agreed(4, no_rounds());
  const NodeId gone = nodes[3]->self();
  EXPECT_TRUE(nodes[0]->forget(gone, 0));
  EXPECT_FALSE(nodes[0]->forget(gone, 0));
  for (int i = 0; i < 5; ++i) {
    exchange(*nodes[0], *nodes[1]);
    exchange(*nodes[2], *nodes[0]);
  }
  EXPECT_EQ(nodes[0]->members().find(gone), nullptr);
  nodes[3]->set_own(EntryKey::kLoad, "still alive", now);
  exchange(*nodes[3], *nodes[1]);
  for (int i = 0; i < 5; ++i) exchange(*nodes[1], *nodes[0]);
  EXPECT_EQ(nodes[0]->members().find(gone), nullptr);
  nodes[3]->set_own(EntryKey::kJoined, encode_join_stamp(1), now);
  exchange(*nodes[3], *nodes[1]);
  for (int i = 0; i < 5; ++i) exchange(*nodes[1], *nodes[0]);
  EXPECT_NE(nodes[0]->members().find(gone), nullptr);
  EXPECT_EQ(nodes[0]->hash(), nodes[1]->hash());
}

TEST_F(GossipTest, AfterARestartWithAnEmptyDiskTheOwnerIsToldAndOthersTakeTheNewEntries) {
  add_agreed(5, no_rounds());
  MemberList view = nodes[0]->members();
  view.put(record_of(nodes[0]->self(), {entry_of(EntryKey::kStore, 90'000, "old disk"),
                                        entry_of(EntryKey::kIncarnation, 90'001, "7")}));
  for (size_t i = 1; i < 5; ++i) nodes[i]->start_with(view);
  const NodeId self = nodes[0]->self();
  nodes[0] = std::make_unique<Gossip>(no_rounds(), self, random, now);
  nodes[0]->set_own(EntryKey::kStore, "new disk", now);
  nodes[0]->add_contact(nodes[1]->self(), now);
  nodes[0]->tick(now);
  collect(*nodes[0]);
  deliver_all();
  ASSERT_EQ(restamped, std::vector<NodeId>{self});
  ASSERT_EQ(echoed.size(), 2u);
  EXPECT_EQ(*echoed[1].value, "7");
  exchange(*nodes[0], *nodes[1]);
  exchange(*nodes[0], *nodes[1]);
  EXPECT_EQ((*nodes[1]->members().find(self))->value(EntryKey::kStore), "new disk");
  EXPECT_EQ(nodes[0]->hash(), nodes[1]->hash());
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

/// Random messages, among them half-true ones: nothing breaks, and nothing grows beyond the limits.
TEST_F(GossipTest, HostileMessagesNeitherBreakNorGrowIt) {
  GossipOptions options;
  options.limits.max_members = 50;
  options.limits.max_entry_bytes = 100;
  options.limits.max_record_bytes = 300;
  options.limits.max_entries = 8;
  add_agreed(20, options);
  Gossip& node = *nodes[0];
  SeededRandom wild(77);
  const auto some_id = [&] { return id_of(wild.below(60)); };
  const auto some_version = [&] { return wild.one_in(20) ? wild.next() : wild.below(60); };
  const auto some_digest = [&] {
    Digest digest;
    for (uint64_t i = wild.below(30); i > 0; --i) {
      digest.push_back({wild.one_in(3) ? wild.next() : digest_id(some_id()), some_version()});
    }
    if (!wild.one_in(4)) {
      std::sort(digest.begin(), digest.end(),
                [](const auto& a, const auto& b) { return a.id < b.id; });
    }
    return digest;
  };
  const auto some_deltas = [&] {
    std::vector<MemberDelta> deltas;
    for (uint64_t i = wild.below(40); i > 0; --i) {
      std::vector<Entry> entries;
      EntryVersion version = wild.below(50);
      const EntryVersion from = wild.one_in(3) ? some_version() : version;
      for (uint64_t j = wild.below(6); j > 0; --j) {
        version += wild.one_in(10) ? 0 : 1 + wild.below(5);
        entries.push_back(entry_of(static_cast<EntryKey>(wild.below(12)),
                                   wild.one_in(30) ? some_version() : version,
                                   std::string(wild.below(120), 'h')));
      }
      deltas.push_back(delta_of(wild.one_in(50) ? NodeId() : some_id(), from, entries));
    }
    return deltas;
  };
  for (int i = 0; i < 20'000; ++i) {
    now += wild.below(50);
    GossipMessage message;
    switch (wild.below(4)) {
      case 0: {
        GossipSyn syn;
        syn.hash = wild.one_in(2) ? wild.next() : node.hash();
        syn.extra = wild.below(2);
        syn.digest = some_digest();
        syn.covered = wild.one_in(2) ? wild.next() : 0;
        syn.pull = wild.one_in(3);
        syn.sums_wanted = wild.one_in(2);
        syn.rate = static_cast<uint32_t>(wild.one_in(2) ? wild.next() : wild.below(3000));
        syn.demand = static_cast<uint32_t>(wild.next());
        if (wild.one_in(2)) syn.deltas = some_deltas();
        message = std::move(syn);
        break;
      }
      case 1: {
        GossipAck ack;
        ack.residual = wild.one_in(2) ? wild.next() : 0;
        ack.digest = some_digest();
        ack.deltas = some_deltas();
        for (uint64_t j = wild.one_in(2) ? 64 : wild.below(70); j > 0; --j) {
          ack.sums.push_back(static_cast<uint32_t>(wild.next()));
        }
        ack.more = wild.one_in(2);
        ack.rate = static_cast<uint32_t>(wild.next());
        ack.demand = static_cast<uint32_t>(wild.next());
        ack.deep = wild.one_in(2);
        message = std::move(ack);
        break;
      }
      case 2:
        message = GossipPush{wild.one_in(2) ? wild.next() : 0, wild.below(2), some_deltas()};
        break;
      default:
        message = GossipAgree{wild.below(3), wild.one_in(2)};
    }
    if (wild.one_in(30)) node.forget(some_id(), wild.below(3));
    if (wild.one_in(30)) node.set_own(EntryKey::kLoad, std::to_string(i), now);
    node.step(id_of(1 + wild.below(19)), message, now);
    node.tick(now);
    GossipReady ready;
    node.take_ready(ready);
    ASSERT_LE(ready.sends.size(), 2 + 1 + 3u);  // answers, a round, a rumour
    ASSERT_LE(node.members().size(), 50u);
    ASSERT_NE(node.members().find(node.self()), nullptr);
    ASSERT_GT(node.next_deadline(), now);
  }
  for (const MemberRecordPtr& record : node.members()) {
    size_t bytes = 0;
    EntryVersion last = 0;
    for (const Entry& entry : record->entries) {
      bytes += entry.value->size();
      EXPECT_GT(entry.version, last);
      last = entry.version;
    }
    EXPECT_LE(bytes, 300u);
    EXPECT_LE(record->entries.size(), 8u);
  }
  EXPECT_GE(node.flow().rate(), 20u);
  EXPECT_LE(node.flow().rate(), 2000u);
}

}  // namespace
}  // namespace syntropy
