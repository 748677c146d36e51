#include "membership/manual_failover.h"

#include <gtest/gtest.h>

#include "membership/election.h"
#include "storage/base/random.h"
#include "tests/membership/slots_support.h"

namespace syntropy {
namespace {

using testing::FakeView;
using testing::lineage;
using testing::kLinger;
using testing::node;

// One node's election, in a cluster of primaries 1, 2 and 3 and a replica 11 of 1.
struct Node {
  explicit Node(uint32_t number)
      : random(number),
        ownership(node(number), {}),
        election(ownership, view, random, ElectionOptions{}) {
    view.self = node(number);
    view.primaries = {{node(11), node(1)}};
    view.lineages = {{node(1), lineage(1)}};
    view.own = {lineage(1), 50, true, 0};
    if (number == 11) ownership.set_primary(node(1));
    for (uint32_t i = 1; i <= 3; ++i) {
      const SlotsFact fact{i,
                           {{static_cast<uint16_t>(100 * i), static_cast<uint16_t>(100 * i + 9)}}};
      if (i == number) {
        EXPECT_TRUE(ownership.set_config_epoch(i, false).ok());
        EXPECT_TRUE(ownership.add_slots(fact.slots).ok());
      } else {
        ownership.set_claim(node(i), fact, kLinger);
      }
    }
    take();
  }
  ElectionReady take() {
    ownership.take_ready();
    return election.take_ready();
  }
  ElectionReady step(uint32_t from, const ElectionMessage& message, TimeMs now) {
    election.step(node(from), message, now);
    return take();
  }
  ElectionReady tick(TimeMs now) {
    election.tick(now);
    return take();
  }

  FakeView view;
  SeededRandom random;
  Ownership ownership;
  Election election;
};

template <class M>
const M* only(const ElectionReady& ready, uint32_t to) {
  if (ready.send.size() != 1 || ready.send[0].first != node(to)) return nullptr;
  return std::get_if<M>(&ready.send[0].second);
}

size_t requests(const ElectionReady& ready) {
  size_t count = 0;
  for (const auto& [to, message] : ready.send) {
    const auto* request = std::get_if<VoteRequest>(&message);
    if (request != nullptr && request->manual) ++count;
  }
  return count;
}

bool has(const ElectionReady& ready, ElectionEvent::Kind kind) {
  for (const ElectionEvent& event : ready.events) {
    if (event.kind == kind) return true;
  }
  return false;
}

TEST(ManualFailover, PausesThePrimaryAndTakesOverAtItsOffset) {
  Node primary(1), voter(2), replica(11);
  ASSERT_TRUE(replica.election.start_manual(FailoverMode::kDefault, 0).ok());
  EXPECT_TRUE(replica.election.manual_in_progress());
  ElectionReady ready = replica.take();
  const auto* start = only<MfStart>(ready, 1);
  ASSERT_NE(start, nullptr);

  ElectionReady paused = primary.step(11, *start, 5);
  EXPECT_EQ(paused.pause_writes_until, 5u + 5000);
  EXPECT_TRUE(paused.send.empty()) << "not before writes have stopped";
  primary.election.writes_paused(lineage(1), 60);
  paused = primary.take();
  const auto* offset = only<MfPaused>(paused, 11);
  ASSERT_NE(offset, nullptr);

  ready = replica.step(1, *offset, 10);
  EXPECT_EQ(requests(ready), 0u) << "10 behind";
  replica.view.own.offset = 59;
  EXPECT_EQ(requests(replica.tick(20)), 0u);
  replica.view.own.offset = 60;
  ready = replica.tick(30);
  ASSERT_EQ(requests(ready), 3u) << "the primary votes as well";
  const uint64_t epoch = std::get<VoteRequest>(ready.send[0].second).epoch;

  ElectionReady answer = voter.step(11, ready.send[1].second, 40);
  ASSERT_NE(only<Vote>(answer, 11), nullptr) << "although the primary is alive";
  replica.step(2, Vote{epoch}, 45);
  ready = replica.step(1, Vote{epoch}, 45);
  ASSERT_TRUE(has(ready, ElectionEvent::kWon));
  EXPECT_FALSE(has(ready, ElectionEvent::kManualFailed));
  EXPECT_TRUE(ready.send.empty()) << "MfCancel could overtake the claim and let the primary write";
  EXPECT_FALSE(replica.election.manual_in_progress());
  replica.view.primaries.clear();
  ready = replica.tick(46);
  EXPECT_TRUE(ready.send.empty() && ready.events.empty());

  primary.ownership.set_claim(node(11), replica.ownership.claim(), kLinger);
  EXPECT_TRUE(primary.tick(60).resume_writes) << "clients are sent to the new owner";
}

TEST(ManualFailover, OffsetOfAnotherLineageIsNotTheSame) {
  Node replica(11);
  ASSERT_TRUE(replica.election.start_manual(FailoverMode::kDefault, 0).ok());
  const ElectionReady started = replica.take();
  const uint64_t attempt = only<MfStart>(started, 1)->attempt;
  EXPECT_EQ(requests(replica.step(1, MfPaused{attempt, lineage(2), 50}, 10)), 0u);
}

TEST(ManualFailover, OffsetOfAnotherAttemptOrNodeIsNotTaken) {
  Node replica(11);
  ASSERT_TRUE(replica.election.start_manual(FailoverMode::kDefault, 0).ok());
  const ElectionReady started = replica.take();
  const uint64_t attempt = only<MfStart>(started, 1)->attempt;
  EXPECT_EQ(requests(replica.step(1, MfPaused{attempt + 1, lineage(1), 50}, 10)), 0u);
  EXPECT_EQ(requests(replica.step(2, MfPaused{attempt, lineage(1), 50}, 10)), 0u);
  EXPECT_EQ(requests(replica.step(1, MfPaused{attempt, lineage(1), 50}, 10)), 3u);
}

TEST(ManualFailover, LostStartOrAnswerIsRepeated) {
  Node primary(1), replica(11);
  ASSERT_TRUE(replica.election.start_manual(FailoverMode::kDefault, 0).ok());
  replica.take();
  const ElectionReady again = replica.tick(20);
  const auto* start = only<MfStart>(again, 1);
  ASSERT_NE(start, nullptr);
  primary.step(11, *start, 25);
  primary.election.writes_paused(lineage(1), 60);
  primary.take();
  ElectionReady repeated = primary.step(11, *start, 45);
  ASSERT_NE(only<MfPaused>(repeated, 11), nullptr);
  EXPECT_EQ(repeated.pause_writes_until, 0u) << "the pause isn't made longer";
}

TEST(ManualFailover, ReplicaThatDoesNotCatchUpGivesUpBeforeThePauseEnds) {
  Node primary(1), replica(11);
  ASSERT_TRUE(replica.election.start_manual(FailoverMode::kDefault, 0).ok());
  const ElectionReady started = replica.take();
  const uint64_t attempt = only<MfStart>(started, 1)->attempt;
  primary.step(11, MfStart{attempt}, 1);
  replica.step(1, MfPaused{attempt, lineage(1), 1000}, 10);
  replica.tick(4499);
  EXPECT_TRUE(replica.election.manual_in_progress());
  const ElectionReady given_up = replica.tick(4500);
  EXPECT_TRUE(has(given_up, ElectionEvent::kManualFailed));
  const auto* cancel = only<MfCancel>(given_up, 1);
  ASSERT_NE(cancel, nullptr);
  EXPECT_FALSE(replica.election.manual_in_progress());
  EXPECT_TRUE(primary.step(11, *cancel, 4501).resume_writes);
  const ElectionReady late = primary.step(11, MfStart{attempt}, 4502);
  EXPECT_EQ(late.pause_writes_until, 0u) << "a start that comes late pauses nothing";
}

TEST(ManualFailover, CancelThatOvertakesItsStartPreventsThePause) {
  Node primary(1);
  primary.step(11, MfCancel{7}, 1);
  EXPECT_EQ(primary.step(11, MfStart{7}, 2).pause_writes_until, 0u);
}

TEST(ManualFailover, PauseEndsInTimeWithoutTheReplica) {
  Node primary(1);
  primary.step(11, MfStart{7}, 1);
  EXPECT_EQ(primary.election.next_deadline(), 5001u);
  EXPECT_FALSE(primary.tick(5000).resume_writes);
  EXPECT_TRUE(primary.tick(5001).resume_writes);
  EXPECT_EQ(primary.election.next_deadline(), UINT64_MAX);
}

TEST(ManualFailover, OnlyItsOwnReplicaMayPauseAPrimary) {
  Node primary(1), other(2);
  EXPECT_EQ(primary.step(2, MfStart{7}, 1).pause_writes_until, 0u);
  EXPECT_EQ(other.step(11, MfStart{7}, 1).pause_writes_until, 0u);
  primary.step(11, MfStart{8}, 1);
  EXPECT_FALSE(primary.step(2, MfCancel{8}, 2).resume_writes);
}

TEST(ManualFailover, ForceAsksForVotesWithoutThePrimary) {
  Node replica(11);
  replica.view.fail = {node(1)};
  EXPECT_TRUE(
      replica.election.start_manual(FailoverMode::kDefault, 0).is(StatusCode::kUnavailable));
  ASSERT_TRUE(replica.election.start_manual(FailoverMode::kForce, 0).ok());
  const ElectionReady ready = replica.take();
  EXPECT_EQ(requests(ready), 2u);
  EXPECT_TRUE(replica.election.manual_in_progress());
}

TEST(ManualFailover, ForceDoesNotMindOldDataNorNoFailover) {
  Node replica(11);
  ElectionOptions never;
  never.replica_no_failover = true;
  replica.election.set_options(never);
  replica.view.own.data_age_ms = 1'000'000'000;
  ASSERT_TRUE(replica.election.start_manual(FailoverMode::kForce, 0).ok());
  EXPECT_EQ(requests(replica.take()), 3u);
}

TEST(ManualFailover, TakeoverClaimsTheSlotsWithoutVotes) {
  Node replica(11);
  ASSERT_TRUE(replica.election.start_manual(FailoverMode::kTakeover, 0).ok());
  const OwnershipReady ownership = replica.ownership.take_ready();
  EXPECT_TRUE(ownership.persist && ownership.publish);
  const ElectionReady ready = replica.election.take_ready();
  EXPECT_TRUE(ready.send.empty());
  EXPECT_EQ(ready.events, (std::vector<ElectionEvent>{{ElectionEvent::kWon, 5, node(1)}}));
  EXPECT_EQ(replica.ownership.claim(), (SlotsFact{5, {{100, 109}}}));
}

TEST(ManualFailover, IsRefusedToAPrimaryAndWhereThereAreNoSlots) {
  Node primary(1), replica(11);
  for (const FailoverMode mode :
       {FailoverMode::kDefault, FailoverMode::kForce, FailoverMode::kTakeover}) {
    EXPECT_TRUE(primary.election.start_manual(mode, 0).is(StatusCode::kInvalidArgument));
  }
  replica.ownership.set_claim(node(1), {1, {}}, kLinger);
  for (const FailoverMode mode :
       {FailoverMode::kDefault, FailoverMode::kForce, FailoverMode::kTakeover}) {
    EXPECT_TRUE(replica.election.start_manual(mode, 0).is(StatusCode::kNotFound));
  }
}

TEST(ManualFailover, FailureOfThePrimaryInTheMidstOfItIsAnOrdinaryElection) {
  Node replica(11);
  ASSERT_TRUE(replica.election.start_manual(FailoverMode::kDefault, 0).ok());
  replica.take();
  replica.view.fail = {node(1)};
  const ElectionReady ready = replica.tick(100);
  size_t asked = 0;
  uint64_t epoch = 0;
  for (const auto& [to, message] : ready.send) {
    if (const auto* request = std::get_if<VoteRequest>(&message)) {
      ++asked;
      epoch = request->epoch;
      EXPECT_FALSE(request->manual);
    }
  }
  EXPECT_EQ(asked, 2u);
  replica.step(2, Vote{epoch}, 101);
  EXPECT_TRUE(has(replica.step(3, Vote{epoch}, 101), ElectionEvent::kWon));
  EXPECT_FALSE(replica.election.manual_in_progress());
}

TEST(ManualFailover, WithoutAMajorityEndsAtItsTime) {
  Node replica(11);
  ASSERT_TRUE(replica.election.start_manual(FailoverMode::kForce, 0).ok());
  replica.take();
  bool failed = false;
  TimeMs last = 0;
  while (replica.election.next_deadline() < 100'000) {
    last = replica.election.next_deadline();
    failed |= has(replica.tick(last), ElectionEvent::kManualFailed);
  }
  EXPECT_TRUE(failed);
  EXPECT_EQ(last, 4500u);
  EXPECT_FALSE(replica.election.manual_in_progress());
}

TEST(ManualFailover, AnotherReplicaWaitsUnlessTheFirstFailed) {
  Node primary(1);
  primary.view.primaries[node(12)] = node(1);
  primary.step(11, MfStart{7}, 0);
  primary.election.writes_paused(lineage(1), 60);
  primary.take();
  EXPECT_EQ(primary.step(12, MfStart{8}, 100).pause_writes_until, 0u);
  EXPECT_FALSE(primary.step(12, MfCancel{8}, 200).resume_writes);
  primary.view.fail = {node(11)};
  EXPECT_EQ(primary.step(12, MfStart{9}, 300).pause_writes_until, 5300u);
  EXPECT_FALSE(primary.step(11, MfCancel{7}, 400).resume_writes);
  primary.election.writes_paused(lineage(1), 60);
  EXPECT_NE(only<MfPaused>(primary.take(), 12), nullptr);
}

TEST(ManualFailover, BegunAgainByTheSameReplicaReplacesItsPause) {
  Node primary(1);
  primary.step(11, MfStart{7}, 0);
  EXPECT_EQ(primary.step(11, MfStart{8}, 100).pause_writes_until, 5100u);
  EXPECT_FALSE(primary.step(11, MfCancel{7}, 200).resume_writes) << "late, and of the first";
  EXPECT_TRUE(primary.step(11, MfCancel{8}, 300).resume_writes);
}

}  // namespace
}  // namespace syntropy
