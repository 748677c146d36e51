#include "membership/failure_ballot.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "membership/member_list.h"
#include "tests/membership/detector_roster.h"

namespace syntropy {
namespace {

struct FakeWitness final : Witness {
  Sight sight(const NodeId& id) const override {
    const auto at = sights.find(id);
    return at == sights.end() ? Sight::kNone : at->second;
  }
  double loss() const override { return lost; }

  std::map<NodeId, Sight> sights;
  double lost = 0;
};

/// One view: this node is the first member and, unless said otherwise, the first so many vote.
struct View {
  explicit View(size_t size = 20, size_t voters = 9)
      : roster(size, voters),
        box({3, 20, 4'000}, roster.id(0), roster, ring, witness, random, events) {
    box.start();
    look_at(std::min<size_t>(15, size - 1));
  }

  void look_at(size_t member) {
    subject = roster.id(member);
    observers = ring.observers(roster, {}, subject);
    std::erase(observers, roster.id(0));
  }

  /// The first `count` observers of the subject, this node apart, publish that they suspect it.
  void publish(size_t count, uint64_t incarnation = 0) {
    const std::vector<Suspect> list{{subject, incarnation}};
    for (size_t i = 0; i < count; ++i) box.set_published(observers[i], list, now);
  }
  void withdraw(size_t index) { box.set_published(observers[index], {}, now); }

  Ballot ballot(size_t accusers, std::initializer_list<size_t> voters, uint32_t age = 0) {
    Ballot b;
    b.subject = subject;
    b.age_ms = age;
    for (size_t i = 0; i < accusers; ++i) b.accusers.push_back(digest_id(observers[i]));
    std::sort(b.accusers.begin(), b.accusers.end());
    if (voters.size() > 0) b.roster_hash = roster_hash();
    for (const size_t voter : voters) b.votes.add(voter);
    return b;
  }
  /// As another box with this roster gives it, once it has voted on something.
  uint64_t roster_hash() {
    BallotBox::Events sent;
    BallotBox other({3, 20, 4'000}, roster.id(0), roster, ring, witness, random, sent);
    other.start();
    const NodeId& suspect = roster.id(15);
    const std::vector<Suspect> list{{suspect, roster.incarnation(15)}};
    for (const NodeId& observer : ring.observers(roster, {}, suspect)) {
      other.set_published(observer, list, now);
    }
    other.tick(now);
    for (const auto& out : sent.send) {
      const Ballot& b = std::get<BallotNews>(out.message).ballots[0];
      if (b.roster_hash != 0) return b.roster_hash;
    }
    return 0;
  }
  void receive(const Ballot& b) { box.receive(roster.id(3), BallotNews{{b}}, now); }
  void tick_to(TimeMs time) {
    for (; now < time; ++now) {
      if (now >= box.next_deadline()) box.tick(now);
    }
  }
  bool voted() {
    // What it sends next says so.
    events.send.clear();
    tick_to(now + 1'200);
    for (const auto& out : events.send) {
      const auto& news = std::get<BallotNews>(out.message);
      for (const Ballot& b : news.ballots) {
        if (b.subject == subject && (b.decided || b.votes.contains(0))) return true;
      }
    }
    return false;
  }

  TestRoster roster;
  ObserverRing ring{1, 8};
  FakeWitness witness;
  SeededRandom random{1};
  BallotBox::Events events;
  BallotBox box;
  NodeId subject;
  std::vector<NodeId> observers;
  TimeMs now = 1'000'000;
};

TEST(AccusersNeeded, IsThreeOfEightAndSixWhereMuchIsLost) {
  EXPECT_EQ(accusers_needed(8, 0), 3u);
  EXPECT_EQ(accusers_needed(8, 0.15), 5u);
  EXPECT_EQ(accusers_needed(8, 0.3), 6u);
  EXPECT_EQ(accusers_needed(8, 0.9), 6u);
  EXPECT_EQ(accusers_needed(0, 0), 0u);
  EXPECT_EQ(accusers_needed(1, 0.9), 1u);
  EXPECT_EQ(accusers_needed(2, 0), 2u);
  for (size_t observers = 3; observers <= 8; ++observers) {
    EXPECT_GE(accusers_needed(observers, 0), 2u);
    EXPECT_LE(accusers_needed(observers, 1), observers);
  }
}

TEST(BallotBox, SuspectsWhenEnoughObserversDo) {
  View view;
  view.publish(2);
  EXPECT_FALSE(view.box.is_suspect(view.subject));
  EXPECT_EQ(view.box.accusers(view.subject), 2u);
  EXPECT_FALSE(view.voted());
  view.publish(3);
  EXPECT_TRUE(view.box.is_suspect(view.subject));
  EXPECT_TRUE(view.voted());
}

TEST(BallotBox, WantsMoreAccusersWhereMessagesAreLost) {
  View view;
  view.witness.lost = 0.3;
  view.publish(5);
  EXPECT_FALSE(view.box.is_suspect(view.subject));
  view.publish(6);
  EXPECT_TRUE(view.box.is_suspect(view.subject));
}

TEST(BallotBox, CountsOnlyMembersThatAreNotFailed) {
  View view;
  Ballot strange = view.ballot(2, {});
  strange.accusers = {1, strange.accusers[0], strange.accusers[1], ~uint64_t{0}};
  view.receive(strange);
  EXPECT_FALSE(view.box.is_suspect(view.subject));
  view.publish(3);
  EXPECT_TRUE(view.box.is_suspect(view.subject));
  Ballot decided;
  decided.subject = view.observers[0];
  decided.decided = true;
  view.receive(decided);
  view.tick_to(view.now + 50);
  EXPECT_FALSE(view.box.is_suspect(view.subject));
}

TEST(BallotBox, NeedsFewerWhereFewAreAlive) {
  View view(6, 3);
  view.look_at(5);
  view.publish(1);
  EXPECT_FALSE(view.box.is_suspect(view.subject));
  for (size_t i = 1; i < 5; ++i) {
    if (view.roster.id(i) == view.observers[0]) continue;
    Ballot decided;
    decided.subject = view.roster.id(i);
    decided.decided = true;
    view.receive(decided);
  }
  // Only this node and the accuser are left; two of two.
  view.tick_to(view.now + 50);
  EXPECT_FALSE(view.box.is_suspect(view.subject));
  view.box.set_own(view.subject, true, view.now);
  EXPECT_TRUE(view.box.is_suspect(view.subject));
}

TEST(BallotBox, AnEntryTakesBackWhatItSaid) {
  View view;
  view.publish(3);
  view.withdraw(1);
  view.tick_to(view.now + 200);
  EXPECT_FALSE(view.box.is_suspect(view.subject));
  view.withdraw(0);
  view.withdraw(2);
  EXPECT_EQ(view.box.accusers(view.subject), 0u);
}

TEST(BallotBox, AnEntryTakesBackWhatABallotSaid) {
  View view;
  view.receive(view.ballot(3, {}));
  EXPECT_TRUE(view.box.is_suspect(view.subject));
  view.withdraw(1);
  EXPECT_FALSE(view.box.is_suspect(view.subject));
}

TEST(BallotBox, DoubtsAccuseNobodyAndAreTold) {
  View view;
  const std::vector<Suspect> list{{view.subject, 0 | kDoubtful}};
  for (const NodeId& observer : view.observers) view.box.set_published(observer, list, view.now);
  EXPECT_FALSE(view.box.is_suspect(view.subject));
  EXPECT_EQ(view.box.doubts(), view.observers.size());
  const auto silences = view.box.silences();
  const std::pair said(digest_id(view.observers[0]), digest_id(view.subject));
  EXPECT_NE(std::find(silences.begin(), silences.end(), said), silences.end());
  // At a higher incarnation they are void; and each list replaces the one before.
  const uint64_t revision = view.box.revision();
  view.roster.members[15].incarnation = 1;
  view.box.incarnation_changed(view.subject);
  EXPECT_TRUE(view.box.silences().empty());
  EXPECT_NE(view.box.revision(), revision);
  for (const NodeId& observer : view.observers) view.box.set_published(observer, {}, view.now);
  EXPECT_EQ(view.box.doubts(), 0u);
}

TEST(BallotBox, APrimaryThatHearsTheSuspectDoesNotVote) {
  View view;
  view.witness.sights[view.subject] = Sight::kHears;
  view.publish(6);
  EXPECT_TRUE(view.box.is_suspect(view.subject));
  EXPECT_FALSE(view.voted());
}

TEST(BallotBox, APrimaryThatSuspectsItselfVotesWithOneOther) {
  View view;
  view.witness.sights[view.subject] = Sight::kSilent;
  view.publish(1);
  EXPECT_FALSE(view.voted());
  view.publish(2);
  EXPECT_FALSE(view.box.is_suspect(view.subject));
  EXPECT_TRUE(view.voted());
}

TEST(BallotBox, WhoOwnsNoSlotsDoesNotVote) {
  View view;
  view.roster.members[0].votes = false;
  view.box.electorate_changed({&view.roster.members[0].id, 1});
  view.publish(6);
  EXPECT_FALSE(view.voted());
  view.roster.members[0].votes = true;
  view.box.electorate_changed({&view.roster.members[0].id, 1});
  EXPECT_TRUE(view.voted());
}

TEST(BallotBox, DecidesByAMajorityOfTheVotersOnly) {
  View view;  // voters 0 .. 8: five make a majority
  view.receive(view.ballot(0, {1, 2, 3, 4, 9, 10, 11, 12}));
  EXPECT_FALSE(view.box.is_failed(view.subject));
  view.receive(view.ballot(0, {5}));
  EXPECT_TRUE(view.box.is_failed(view.subject));
  EXPECT_EQ(view.events.failed, (std::vector<Suspect>{{view.subject, 0}}));
  EXPECT_FALSE(view.box.is_suspect(view.subject));
}

TEST(BallotBox, ItsOwnVoteCompletesAMajority) {
  View view;
  view.receive(view.ballot(3, {1, 2, 3, 4}));
  EXPECT_TRUE(view.box.is_failed(view.subject));
}

TEST(BallotBox, CannotDecideWithoutVoters) {
  View view(20, 0);
  view.receive(view.ballot(8, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
  EXPECT_FALSE(view.box.is_failed(view.subject));
}

TEST(BallotBox, TakesADecisionAsItIs) {
  View view;
  Ballot decided;
  decided.subject = view.subject;
  decided.decided = true;
  view.receive(decided);
  EXPECT_TRUE(view.box.is_failed(view.subject));
  const uint64_t hash = view.box.failed_hash();
  EXPECT_NE(hash, 0u);
  view.receive(decided);
  EXPECT_EQ(view.events.failed.size(), 1u);
  EXPECT_EQ(view.box.failed_hash(), hash);
  ASSERT_TRUE(view.box.failures().has_value());
  EXPECT_EQ(view.box.failures()->ballots, std::vector<Ballot>{decided});
  View other;
  other.receive(view.box.failures()->ballots[0]);
  EXPECT_EQ(other.box.failed_hash(), hash);
}

TEST(BallotBox, AHigherIncarnationVoidsAll) {
  View view;
  view.receive(view.ballot(3, {1, 2, 3}));
  view.roster.members[15].incarnation = 1;
  view.box.incarnation_changed(view.subject);
  EXPECT_EQ(view.box.accusers(view.subject), 0u);
  view.receive(view.ballot(3, {1, 2}));  // of the incarnation before
  EXPECT_EQ(view.box.accusers(view.subject), 0u);
  view.receive(view.ballot(3, {1, 2, 3, 4, 5}));
  EXPECT_FALSE(view.box.is_failed(view.subject));
  view.publish(8);
  EXPECT_FALSE(view.box.is_suspect(view.subject));
  view.publish(7, 1);
  EXPECT_TRUE(view.box.is_suspect(view.subject));
}

TEST(BallotBox, AHigherIncarnationClearsADecision) {
  View view;
  view.receive(view.ballot(0, {1, 2, 3, 4, 5}));
  ASSERT_TRUE(view.box.is_failed(view.subject));
  view.box.incarnation_changed(view.subject);  // it didn't
  EXPECT_TRUE(view.box.is_failed(view.subject));
  view.roster.members[15].incarnation = 1;
  view.box.incarnation_changed(view.subject);
  EXPECT_FALSE(view.box.is_failed(view.subject));
  EXPECT_EQ(view.box.failed_hash(), 0u);
  EXPECT_EQ(view.events.refuted, std::vector<NodeId>{view.subject});
  EXPECT_FALSE(view.box.failures().has_value());
}

TEST(BallotBox, ABallotOfAHigherIncarnationReplacesTheCase) {
  View view;
  view.receive(view.ballot(0, {1, 2, 3, 4}));
  Ballot later = view.ballot(0, {5});
  later.incarnation = 4;
  view.receive(later);
  EXPECT_FALSE(view.box.is_failed(view.subject));  // the four votes were on another incarnation
  Ballot more = view.ballot(2, {6});
  more.incarnation = 4;
  view.receive(more);
  view.receive(view.ballot(3, {7}));  // of the earlier one: changes nothing
  EXPECT_EQ(view.box.accusers(view.subject), 2u);
  later.incarnation = kDoubtful;  // nonsense
  later.decided = true;
  view.receive(later);
  EXPECT_FALSE(view.box.is_failed(view.subject));
}

TEST(BallotBox, VotesOfAnotherMemberListAreNotCounted) {
  View view;
  Ballot foreign = view.ballot(1, {1, 2, 3, 4, 5, 6});
  foreign.roster_hash ^= 1;
  view.receive(foreign);
  EXPECT_FALSE(view.box.is_failed(view.subject));
  EXPECT_EQ(view.box.accusers(view.subject), 1u);  // who accuses is said by name
}

TEST(BallotBox, VotesOfMoreThanAllMembersAreNonsense) {
  View view;
  view.receive(view.ballot(0, {1, 2, 3, 4, 5, 100'000}));
  EXPECT_FALSE(view.box.is_failed(view.subject));
}

TEST(BallotBox, VotesFollowTheMembersThatComeAndGo) {
  View view;
  view.receive(view.ballot(0, {1, 3, 5, 10}));
  const NodeId fresh = TestRoster::make_id(2.5);
  view.roster.add(fresh);
  view.box.member_added(fresh);
  const NodeId gone = view.roster.id(2);
  view.roster.remove(gone);
  view.box.member_removed(gone);
  // Ranks: 0, 1, fresh, 3 and so on. A vote by 3, 5, 1 are there; 2, 4 and 6 are wanted.
  view.receive(view.ballot(0, {4}));
  EXPECT_FALSE(view.box.is_failed(view.subject));
  view.receive(view.ballot(0, {6}));
  EXPECT_TRUE(view.box.is_failed(view.subject));
}

TEST(BallotBox, WhoHasAVoteFollowsTheMembersThatCome) {
  View view;  // voters 0 .. 8
  view.receive(view.ballot(0, {1, 2, 3, 4}));
  const NodeId fresh = TestRoster::make_id(2.5);
  view.roster.add(fresh, true);
  view.box.member_added(fresh);
  // Now 0 .. 9, and six make a majority: the vote of 9, who was 8 before, and of the one who came.
  view.receive(view.ballot(0, {9}));
  EXPECT_FALSE(view.box.is_failed(view.subject));
  view.receive(view.ballot(0, {10}));
  EXPECT_FALSE(view.box.is_failed(view.subject));
  view.receive(view.ballot(0, {3}));
  EXPECT_TRUE(view.box.is_failed(view.subject));
}

TEST(BallotBox, AForgottenMemberTakesItsCaseAndItsWordAlong) {
  View view;
  view.publish(3);
  const NodeId observer = view.observers[0];
  view.roster.remove(observer);
  view.box.member_removed(observer);
  EXPECT_EQ(view.box.accusers(view.subject), 2u);
  view.roster.remove(view.subject);
  view.box.member_removed(view.subject);
  EXPECT_EQ(view.box.accusers(view.subject), 0u);
  view.receive(view.ballot(3, {}));
  EXPECT_EQ(view.box.accusers(view.subject), 0u);
}

TEST(BallotBox, WhatCameByBallotEnds) {
  View view;
  view.receive(view.ballot(3, {1, 2}, 1'000));
  EXPECT_TRUE(view.box.is_suspect(view.subject));
  view.tick_to(view.now + 4'500);
  EXPECT_EQ(view.box.accusers(view.subject), 0u);
  EXPECT_EQ(view.box.next_deadline(), BallotBox::kNever);
}

TEST(BallotBox, WhatWasPublishedStaysAndIsVotedOnAnew) {
  View view;
  view.publish(3);
  view.receive(view.ballot(0, {1, 2}));
  view.tick_to(view.now + 5'500);
  EXPECT_TRUE(view.box.is_suspect(view.subject));
  EXPECT_TRUE(view.voted());
  // The votes of the first time are gone.
  view.receive(view.ballot(0, {3, 4}));
  EXPECT_FALSE(view.box.is_failed(view.subject));
}

TEST(BallotBox, TakesNothingInThatIsOld) {
  View view;
  view.receive(view.ballot(3, {1}, 2'000));
  EXPECT_EQ(view.box.accusers(view.subject), 0u);
  view.receive(view.ballot(1, {1}, 1'999));
  EXPECT_EQ(view.box.accusers(view.subject), 1u);
  // While a case is open, older ballots still complete it.
  view.receive(view.ballot(2, {2}, 3'000));
  EXPECT_EQ(view.box.accusers(view.subject), 2u);
  view.receive(view.ballot(3, {3}, 4'000));
  EXPECT_EQ(view.box.accusers(view.subject), 2u);
}

TEST(BallotBox, TwoNodesDoNotKeepAnOldBallotAlive) {
  View a, b;
  a.receive(a.ballot(3, {1, 2}));
  for (int i = 0; i < 300 && a.now < 1'020'000; ++i) {
    a.tick_to(a.now + 100);
    b.tick_to(a.now);
    for (auto& out : std::exchange(a.events.send, {})) {
      b.receive(std::get<BallotNews>(out.message).ballots[0]);
    }
    for (auto& out : std::exchange(b.events.send, {})) {
      a.receive(std::get<BallotNews>(out.message).ballots[0]);
    }
  }
  EXPECT_EQ(a.box.accusers(a.subject), 0u);
  EXPECT_EQ(b.box.accusers(b.subject), 0u);
}

TEST(BallotBox, TellsTheOtherObserversOfItsOwnSuspicionAtOnce) {
  View view;
  size_t index = 1;
  const auto observes = [&](size_t i) {
    const auto all = view.ring.observers(view.roster, {}, view.roster.id(i));
    return std::find(all.begin(), all.end(), view.roster.id(0)) != all.end();
  };
  while (!observes(index)) ++index;
  const NodeId subject = view.roster.id(index);
  view.box.set_own(subject, true, view.now);
  ASSERT_EQ(view.events.send.size(), 7u);
  const Ballot told = std::get<BallotNews>(view.events.send[0].message).ballots[0];
  EXPECT_EQ(told.accusers, std::vector<uint64_t>{digest_id(view.roster.id(0))});
  view.events.send.clear();
  view.box.set_own(subject, true, view.now);
  EXPECT_TRUE(view.events.send.empty());
  // Nobody else can say it, or keep saying it, for this node.
  view.box.set_own(subject, false, view.now);
  EXPECT_EQ(view.box.accusers(subject), 0u);
  view.receive(told);
  EXPECT_EQ(view.box.accusers(subject), 0u);
}

TEST(BallotBox, PassesNewsOnAtOnceAndThenInBatches) {
  View view(100, 51);
  view.look_at(80);
  view.receive(view.ballot(3, {1}));
  EXPECT_LE(view.box.next_deadline(), view.now);
  view.box.tick(view.now);
  EXPECT_EQ(view.events.send.size(), 3u);
  view.events.send.clear();
  view.receive(view.ballot(0, {2}));
  view.receive(view.ballot(0, {3}));
  EXPECT_EQ(view.box.next_deadline(), view.now + 20);
  view.tick_to(view.now + 21);
  ASSERT_EQ(view.events.send.size(), 3u);
  const Ballot& passed = std::get<BallotNews>(view.events.send[0].message).ballots[0];
  EXPECT_EQ(passed.votes.count(), 4u);
  EXPECT_EQ(passed.age_ms, 20u);
  // Nothing new, nothing sent, until it is repeated.
  view.events.send.clear();
  view.receive(view.ballot(0, {2}));
  view.tick_to(view.now + 40);
  EXPECT_TRUE(view.events.send.empty());
  view.tick_to(view.now + 100);
  EXPECT_EQ(view.events.send.size(), 2u);
}

TEST(BallotBox, RepeatsAnOpenCaseLessAndLessOften) {
  View view;
  view.publish(3);
  view.tick_to(view.now + 1'000);
  const size_t first = view.events.send.size();
  view.tick_to(view.now + 10'000);
  view.events.send.clear();
  view.tick_to(view.now + 1'000);
  const size_t last = view.events.send.size();
  EXPECT_GE(first, 8u);
  EXPECT_GT(last, 0u);
  EXPECT_LT(last, first);
}

TEST(BallotBox, AnswersALateBallotWithTheDecision) {
  View view;
  view.receive(view.ballot(0, {1, 2, 3, 4, 5}));
  ASSERT_TRUE(view.box.is_failed(view.subject));
  view.tick_to(view.now + 500);
  view.events.send.clear();
  view.receive(view.ballot(0, {1}));
  ASSERT_EQ(view.events.send.size(), 1u);
  EXPECT_EQ(view.events.send[0].to, view.roster.id(3));
  EXPECT_TRUE(std::get<BallotNews>(view.events.send[0].message).ballots[0].decided);
  view.events.send.clear();
  view.box.inform(view.subject, view.now);
  ASSERT_EQ(view.events.send.size(), 1u);
  EXPECT_EQ(view.events.send[0].to, view.subject);
  view.box.inform(view.roster.id(4), view.now);
  EXPECT_EQ(view.events.send.size(), 1u);
}

TEST(BallotBox, KnowsWhenItIsItselfAccused) {
  View view;
  view.look_at(0);
  view.publish(2);
  EXPECT_FALSE(view.box.accused_at().has_value());
  view.publish(3);
  EXPECT_EQ(view.box.accused_at(), 0u);
  EXPECT_FALSE(view.voted());
  View voted;
  voted.look_at(0);
  voted.receive(voted.ballot(0, {1}));
  EXPECT_EQ(voted.box.accused_at(), 0u);
  voted.roster.members[0].incarnation = 1;
  voted.box.incarnation_changed(voted.subject);
  EXPECT_FALSE(voted.box.accused_at().has_value());
}

TEST(BallotBox, SpeaksOfManySuspectsInOneMessage) {
  View view(60, 31);
  for (size_t i = 20; i < 50; ++i) {
    view.look_at(i);
    view.receive(view.ballot(3, {}));
    EXPECT_TRUE(view.box.is_suspect(view.subject)) << i;
  }
  EXPECT_EQ(view.box.suspects(), 30u);
  // All go out, in as many messages as the budget asks for.
  view.events.send.clear();
  view.tick_to(view.now + 50);
  std::set<NodeId> told;
  for (const auto& out : view.events.send) {
    for (const Ballot& b : std::get<BallotNews>(out.message).ballots) told.insert(b.subject);
  }
  EXPECT_EQ(told.size(), 30u);
}

TEST(BallotBox, SendsNothingToTheFailedAndNothingTwice) {
  View view(20, 9);
  for (size_t i = 1; i < 12; ++i) {
    Ballot decided;
    decided.subject = view.roster.id(i);
    decided.decided = true;
    view.receive(decided);
  }
  view.tick_to(view.now + 200);
  view.events.send.clear();
  view.receive(view.ballot(1, {15}));
  view.tick_to(view.now + 1'000);
  ASSERT_FALSE(view.events.send.empty());
  for (const auto& out : view.events.send) {
    EXPECT_FALSE(view.box.is_failed(out.to));
    // The decisions were news before.
    EXPECT_EQ(std::get<BallotNews>(out.message).ballots.size(), 1u);
  }
}

TEST(BallotBox, AMessageHasABudget) {
  View view(10'000, 5'001);
  for (size_t i = 1'000; i < 1'100; ++i) {
    const std::vector<Suspect> list{{view.roster.id(i), 0}};
    view.box.set_published(view.roster.id(1), list, view.now);
  }
  const uint64_t hash = view.roster_hash();
  for (size_t i = 1'000; i < 1'100; ++i) {
    Ballot b;
    b.subject = view.roster.id(i);
    b.roster_hash = hash;
    b.votes.add(9'999);
    view.receive(b);
  }
  view.events.send.clear();
  std::set<NodeId> told;
  for (size_t i = 0; i < 400; ++i) {
    view.tick_to(view.now + 1);
    // There is always news of the first forty; the others have their turn all the same.
    for (size_t j = 1'000; j < 1'040; ++j) {
      Ballot b;
      b.subject = view.roster.id(j);
      b.roster_hash = hash;
      b.votes.add(2'000 + i);
      view.receive(b);
    }
    for (const auto& out : view.events.send) {
      EXPECT_LE(wire_size(out.message), 50'000u);
      for (const Ballot& b : std::get<BallotNews>(out.message).ballots) told.insert(b.subject);
    }
    view.events.send.clear();
  }
  EXPECT_EQ(told.size(), 100u);
}

}  // namespace
}  // namespace syntropy
