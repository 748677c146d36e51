#include "membership/failure_detector.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "membership/member_list.h"
#include "tests/membership/detector_world.h"

namespace syntropy {
namespace {

using World = DetectorWorld;

TEST(FailureDetector, DoesNothingBeforeItIsStarted) {
  TestRoster roster(3, 3);
  SeededRandom random(1);
  FailureDetector detector(DetectorConfig{}, roster.id(0), roster, random);
  detector.step(roster.id(1), Ping{1, 0}, 5);
  detector.tick(5);
  EXPECT_FALSE(detector.has_ready());
  EXPECT_FALSE(detector.may_serve(5));
  EXPECT_EQ(detector.next_deadline(), BallotBox::kNever);
}

TEST(FailureDetector, PingsOncePerInterval) {
  World world(3, 3);
  world.run_for(2'000);
  world.sent.clear();
  world.run_for(10'000);
  // With two neighbours one of which it pings, and one of which pings it; or both, or none.
  EXPECT_LE(world.count<Ping>(), 101u);
  EXPECT_EQ(world.count<Ack>(), 100u);
  EXPECT_TRUE(world.suspects.empty());
  EXPECT_EQ(world.count<IndirectProbe>(), 0u);
}

TEST(FailureDetector, TheIntervalIsAFifthOfTheTimeoutWithinBounds) {
  for (const auto& [timeout, pings] : {std::pair<TimeMs, size_t>{300, 167},
                                       {1'000, 50},
                                       {4'000, 12},
                                       {15'000, 10},
                                       {60'000, 10}}) {
    World world(10, 5, timeout);
    for (auto& [id, peer] : world.peers) peer.initiates = false;
    world.run_for(2'000);
    world.sent.clear();
    world.run_for(10'000);
    size_t most = 0;  // to one of those that it is the one to ping
    for (const auto& [id, peer] : world.peers) most = std::max(most, world.count<Ping>(id));
    EXPECT_NEAR(static_cast<double>(most), static_cast<double>(pings), 2.0) << timeout;
  }
}

TEST(FailureDetector, SuspectsAfterTheTimeoutAndNotBefore) {
  World world(6, 3);
  world.run_for(3'000);
  world.peer(2).alive = false;
  world.run_for(780);
  EXPECT_FALSE(world.suspected(2));
  EXPECT_EQ(world.detector.liveness(world.roster.id(2)), Liveness::kAlive);
  world.run_for(230);
  EXPECT_TRUE(world.suspected(2));
  EXPECT_EQ(world.detector.liveness(world.roster.id(2)), Liveness::kSuspect);
  EXPECT_EQ(world.suspects.size(), 1u);
  EXPECT_TRUE(world.failed.empty());
}

TEST(FailureDetector, ANewObserverWaitsTheWholeTimeoutFirst) {
  World world(6, 3);
  world.peer(2).alive = false;
  world.run_for(999);
  EXPECT_FALSE(world.suspected(2));
  world.run_for(10);
  EXPECT_TRUE(world.suspected(2));
}

TEST(FailureDetector, TakesASuspicionBackWhenTheNodeIsHeard) {
  World world(6, 3);
  world.run_for(3'000);
  world.peer(2).alive = false;
  world.run_for(1'500);
  ASSERT_TRUE(world.suspected(2));
  world.peer(2).alive = true;
  world.run_for(300);
  EXPECT_TRUE(world.suspects.empty());
  EXPECT_EQ(world.detector.liveness(world.roster.id(2)), Liveness::kAlive);
  EXPECT_EQ(world.detector.failure_reports(world.roster.id(2)), 0u);
}

TEST(FailureDetector, ProbesFasterAndThroughOthersWhenAnswersAreMissing) {
  World world(6, 3);
  world.run_for(3'000);
  world.peer(2).alive = false;
  world.sent.clear();
  world.run_for(990);
  const NodeId& subject = world.roster.id(2);
  EXPECT_GE(world.count<Ping>(subject), 10u);
  size_t probes = 0;
  for (const auto& out : world.sent) {
    const auto* probe = std::get_if<IndirectProbe>(&out.message);
    if (probe == nullptr) continue;
    ++probes;
    EXPECT_EQ(probe->subject, subject);
    EXPECT_NE(out.to, subject);
  }
  EXPECT_GE(probes, 6u);
  EXPECT_EQ(probes % 3, 0u);
}

TEST(FailureDetector, AnAnswerThroughAHelperCounts) {
  World world(6, 3);
  world.run_for(3'000);
  world.peer(2).alive = false;
  const NodeId& subject = world.roster.id(2);
  for (int i = 0; i < 300; ++i) {
    world.run_for(10);
    for (const auto& out : std::exchange(world.sent, {})) {
      const auto* probe = std::get_if<IndirectProbe>(&out.message);
      if (probe == nullptr) continue;
      world.beat(subject).receive(probe->seq, probe->seen, probe->no_lease, world.now);
      const auto numbers = world.beat(subject).next(world.now);
      world.detector.step(out.to, IndirectAck{subject, numbers.seq, numbers.seen}, world.now);
    }
  }
  EXPECT_TRUE(world.suspects.empty());
}

TEST(FailureDetector, HelpsOthersToProbe) {
  World world(6, 3);
  const NodeId origin = world.roster.id(1);
  const NodeId subject = world.roster.id(2);
  world.sent.clear();
  world.peer(1).alive = world.peer(2).alive = false;
  world.detector.step(origin, IndirectProbe{subject, 11, 12}, world.now);
  world.take();
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(world.sent[0].to, subject);
  EXPECT_EQ(std::get<RelayedPing>(world.sent[0].message), (RelayedPing{origin, 11, 12}));
  world.detector.step(subject, RelayedAck{origin, 13, 11}, world.now);
  world.take();
  ASSERT_EQ(world.sent.size(), 2u);
  EXPECT_EQ(world.sent[1].to, origin);
  EXPECT_EQ(std::get<IndirectAck>(world.sent[1].message), (IndirectAck{subject, 13, 11}));
  // Not for strangers, nor for itself.
  const NodeId stranger = TestRoster::make_id(77);
  world.detector.step(origin, IndirectProbe{stranger, 1, 1}, world.now);
  world.detector.step(origin, IndirectProbe{world.roster.id(0), 1, 1}, world.now);
  world.detector.step(subject, RelayedAck{stranger, 1, 1}, world.now);
  world.detector.step(subject, RelayedAck{world.roster.id(0), 1, 1}, world.now);
  world.detector.step(subject, RelayedPing{world.roster.id(0), 1, 1}, world.now);
  world.take();
  EXPECT_EQ(world.sent.size(), 2u);
}

TEST(FailureDetector, AnswersARelayedPingBothWays) {
  World world(6, 3);
  world.run_for(1'000);
  world.sent.clear();
  const NodeId origin = world.roster.id(1);
  const NodeId helper = world.roster.id(2);
  world.detector.step(helper, RelayedPing{origin, 5'000'000, 0}, world.now);
  world.take();
  ASSERT_EQ(world.sent.size(), 2u);
  EXPECT_EQ(world.sent[0].to, helper);
  const auto& relayed = std::get<RelayedAck>(world.sent[0].message);
  EXPECT_EQ(relayed.origin, origin);
  EXPECT_EQ(relayed.seen, 5'000'000u);
  EXPECT_EQ(world.sent[1].to, origin);
  EXPECT_EQ(std::get<Ack>(world.sent[1].message), (Ack{relayed.seq, relayed.seen}));
}

TEST(FailureDetector, AnswersWhomItDoesNotWatch) {
  World world(30, 9);
  size_t other = 1;
  while (world.watches(world.roster.id(other))) ++other;
  world.peer(other).alive = false;
  world.sent.clear();
  world.detector.step(world.roster.id(other), Ping{41, 17}, world.now);
  world.take();
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(std::get<Ack>(world.sent[0].message), (Ack{0, 41}));
}

TEST(FailureDetector, ARefusedConnectionHalvesTheWait) {
  World world(6, 3);
  world.run_for(3'000);
  world.peer(2).alive = false;
  world.detector.unreachable(world.roster.id(2), world.now);
  world.run_for(280);
  EXPECT_FALSE(world.suspected(2));
  world.run_for(230);
  EXPECT_TRUE(world.suspected(2));
  // Once it is heard, the refusal is past.
  world.peer(2).alive = true;
  world.run_for(500);
  world.peer(2).alive = false;
  world.run_for(700);
  EXPECT_FALSE(world.suspected(2));
  world.detector.unreachable(TestRoster::make_id(99), world.now);
}

TEST(FailureDetector, WhoHearsNobodySuspectsNobody) {
  World world(6, 3);
  world.run_for(3'000);
  for (size_t i = 1; i < 6; ++i) world.peer(i).alive = false;
  world.run_for(10'000);
  for (size_t i = 1; i < 6; ++i) {
    EXPECT_FALSE(world.suspected(i));
    EXPECT_EQ(world.detector.liveness(world.roster.id(i)), Liveness::kSuspect);
  }
  // But it says that it doesn't hear them.
  EXPECT_EQ(world.suspects.size(), 5u);
  EXPECT_FALSE(world.detector.may_serve(world.now));
}

TEST(FailureDetector, WhoHearsFewOfManyWaitsLonger) {
  World world(40, 20);
  world.run_for(3'000);
  size_t silenced = 0, victim = 0;
  for (size_t i = 1; i < 40 && silenced < 5; ++i) {
    if (!world.watches(world.roster.id(i))) continue;
    world.peer(i).alive = false;
    victim = i;
    ++silenced;
  }
  world.run_for(1'500);
  EXPECT_FALSE(world.suspected(victim));
  world.run_for(600);
  EXPECT_TRUE(world.suspected(victim));
}

TEST(FailureDetector, WhoHearsHalfOfManyDoesNotWaitLonger) {
  World world(40, 20);
  world.run_for(3'000);
  size_t silenced = 0, victim = 0;
  for (size_t i = 1; i < 40 && silenced < 4; ++i) {
    if (!world.watches(world.roster.id(i))) continue;
    world.peer(i).alive = false;
    victim = i;
    ++silenced;
  }
  world.run_for(1'050);
  EXPECT_TRUE(world.suspected(victim));
}

TEST(FailureDetector, APauseBlamesNobody) {
  World world(6, 3);
  world.run_for(3'000);
  world.now += 5'000;  // nothing ran
  world.detector.tick(world.now);
  world.take();
  EXPECT_TRUE(world.suspects.empty());
  world.run_for(2'000);
  EXPECT_TRUE(world.suspects.empty());
}

TEST(FailureDetector, APauseShorterThanTheTimeoutBlamesNobodyForItsLength) {
  World world(6, 3);
  world.run_for(3'000);
  world.peer(2).alive = false;
  world.run_for(300);
  world.now += 600;  // nothing ran, nobody was asked
  world.detector.tick(world.now);
  world.take();
  world.run_for(250);
  EXPECT_FALSE(world.suspected(2));
  world.run_for(500);
  EXPECT_TRUE(world.suspected(2));
}

TEST(FailureDetector, AFailedNodeThatComesBackGetsTheWholeTimeout) {
  World world(6, 3);
  world.run_for(3'000);
  world.peer(2).alive = false;
  world.run_for(1'500);
  world.fail(2);
  world.run_for(3'000);
  world.roster.members[2].incarnation = 1;
  world.detector.incarnation_changed(world.roster.id(2), world.now);
  world.take();
  EXPECT_EQ(world.detector.liveness(world.roster.id(2)), Liveness::kAlive);
  world.run_for(990);
  EXPECT_FALSE(world.suspected(2));
  world.run_for(30);
  EXPECT_TRUE(world.suspected(2));
}

TEST(FailureDetector, APauseIsNoticedByTheFirstMessageAsWell) {
  World world(6, 3);
  world.run_for(3'000);
  world.now += 5'000;
  world.detector.step(world.roster.id(3), Ack{0, 0}, world.now);
  world.detector.tick(world.now);
  world.take();
  EXPECT_TRUE(world.suspects.empty());
  // The time is given once: who is dead is found all the same.
  world.peer(2).alive = false;
  world.run_for(1'100);
  EXPECT_TRUE(world.suspected(2));
}

TEST(FailureDetector, RefutesWhenItIsAccusedAndNotTooOften) {
  World world(6, 3);
  world.run_for(3'000);
  world.fail(0, 4);
  EXPECT_EQ(world.raises, 1u);
  EXPECT_EQ(world.roster.members[0].incarnation, 5u);
  EXPECT_EQ(world.detector.liveness(world.roster.id(0)), Liveness::kAlive);
  EXPECT_FALSE(world.detector.may_serve(world.now));
  world.fail(0, 5);
  EXPECT_EQ(world.raises, 1u);
  EXPECT_EQ(world.detector.liveness(world.roster.id(0)), Liveness::kFailed);
  world.run_for(990);
  EXPECT_EQ(world.raises, 1u);
  world.run_for(30);
  EXPECT_EQ(world.raises, 2u);
  EXPECT_EQ(world.roster.members[0].incarnation, 6u);
  world.run_for(1'000);
  EXPECT_TRUE(world.detector.may_serve(world.now));
}

TEST(FailureDetector, TellsAFailedNodeThatPings) {
  World world(6, 3);
  world.run_for(3'000);
  world.fail(2);
  EXPECT_EQ(world.failed, std::vector<NodeId>{world.roster.id(2)});
  world.sent.clear();
  world.detector.step(world.roster.id(2), Ping{1, 0}, world.now);
  world.take();
  EXPECT_EQ(world.count<BallotNews>(world.roster.id(2)), 1u);
  EXPECT_EQ(world.count<Ack>(world.roster.id(2)), 0u) << "no lease before it has refuted that";
}

TEST(FailureDetector, PingsAFailedNodeOncePerTimeout) {
  World world(6, 3);
  world.run_for(3'000);
  world.peer(2).alive = false;
  world.fail(2);
  world.sent.clear();
  world.run_for(10'000);
  EXPECT_NEAR(static_cast<double>(world.count<Ping>(world.roster.id(2))), 10.0, 1.0);
  EXPECT_EQ(world.count<IndirectProbe>(), 0u);
  EXPECT_FALSE(world.suspected(2));
}

TEST(FailureDetector, ARefutedNodeGetsTheWholeTimeoutAgain) {
  World world(6, 3);
  world.run_for(3'000);
  world.peer(2).alive = false;
  world.run_for(1'500);
  ASSERT_TRUE(world.suspected(2));
  world.roster.members[2].incarnation = 1;
  world.detector.incarnation_changed(world.roster.id(2), world.now);
  world.take();
  EXPECT_TRUE(world.suspects.empty());
  world.run_for(990);
  EXPECT_FALSE(world.suspected(2));
  world.run_for(20);
  EXPECT_EQ(world.suspects, (std::vector<Suspect>{{world.roster.id(2), 1}}));
}

TEST(FailureDetector, ANodeThatLeavesItsNeighbourhoodIsNoLongerSuspected) {
  World world(6, 3);
  world.run_for(3'000);
  world.peer(2).alive = false;
  world.run_for(1'500);
  ASSERT_TRUE(world.suspected(2));
  const NodeId gone = world.roster.id(2);
  world.roster.remove(gone);
  world.detector.member_removed(gone, world.now);
  world.take();
  EXPECT_TRUE(world.suspects.empty());
  EXPECT_EQ(world.detector.liveness(gone), Liveness::kAlive);
}

TEST(FailureDetector, ANewNeighbourIsKnownAfterTwoExchanges) {
  World world(6, 3);
  for (auto& [id, peer] : world.peers) peer.initiates = false;
  ++world.now;
  world.detector.tick(world.now);
  ++world.now;
  world.take();
  // The answer to the first ping was answered by a second one, which showed that it had come.
  EXPECT_EQ(world.count<Ping>(world.roster.id(1)), 2u);
  EXPECT_NE(world.beat(world.roster.id(1)).lease_from(), 0u);
}

TEST(FailureDetector, MeasuresLoss) {
  World world(6, 3);
  world.run_for(5'000);
  EXPECT_EQ(world.detector.loss(), 0.0);
  // Every third message of each peer gets lost.
  uint32_t seq = 10'000'000;
  for (int i = 0; i < 600; ++i) {
    ++world.now;
    ++seq;
    if (i % 3 != 0) world.detector.step(world.roster.id(1), Ack{seq, 0}, world.now);
  }
  EXPECT_NEAR(world.detector.loss(), 0.33, 0.1);
}

TEST(FailureDetector, AnotherTimeoutBlamesNobodyForTheOldOne) {
  World world(6, 3, 15'000);
  world.run_for(3'000);
  world.peer(2).alive = false;
  world.run_for(2'000);
  world.detector.set_node_timeout(500, world.now);
  world.take();
  EXPECT_TRUE(world.suspects.empty());
  world.run_for(490);
  EXPECT_FALSE(world.suspected(2));
  world.run_for(20);
  EXPECT_TRUE(world.suspected(2));
}

TEST(FailureDetector, IgnoresNonsense) {
  World world(6, 3);
  world.run_for(3'000);
  const uint64_t hash = world.detector.failed_hash();
  const NodeId stranger = TestRoster::make_id(50);
  Ballot ballot;
  ballot.subject = stranger;
  ballot.decided = true;
  world.detector.step(stranger, BallotNews{{ballot}}, world.now);
  world.detector.step(world.roster.id(0), Ping{1, 1}, world.now);
  world.detector.step(stranger, IndirectAck{stranger, 1, 1}, world.now);
  ballot.subject = world.roster.id(3);
  ballot.decided = false;
  ballot.roster_hash = 1;
  ballot.votes = VoterSet(VoterSet::Words(1'000, ~uint64_t{0}));
  ballot.accusers = std::vector<uint64_t>(1'000, 5);
  ballot.age_ms = ~uint32_t{0};
  world.detector.step(world.roster.id(1), BallotNews{{ballot}}, world.now);
  ballot.age_ms = 0;
  world.detector.step(world.roster.id(1), BallotNews{{ballot}}, world.now);
  world.take();
  EXPECT_EQ(world.detector.failed_hash(), hash);
  EXPECT_TRUE(world.failed.empty());
  EXPECT_EQ(world.detector.liveness(world.roster.id(3)), Liveness::kAlive);
}

}  // namespace
}  // namespace syntropy
