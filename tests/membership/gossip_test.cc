// What the messages of an exchange do.
#include "membership/gossip.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/membership/gossip_fixture.h"

namespace syntropy {
namespace {

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

}  // namespace
}  // namespace syntropy
