#include "membership/candidate.h"

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

// Primaries 1 to 5 own slots; 12 (under test), 11 and 13 replicate 1, whose lineage is 1.
class CandidateTest : public ::testing::Test {
 protected:
  CandidateTest()
      : random_(1), ownership_(node(12), {}), election_(ownership_, view_, random_, options()) {
    view_.self = node(12);
    view_.primaries = {{node(11), node(1)}, {node(12), node(1)}, {node(13), node(1)}};
    view_.lineages = {{node(1), lineage(1)}};
    gossip(11, 90);
    gossip(13, 80);
    view_.own = {lineage(1), 100, true, 0};
    ownership_.set_primary(node(1));
    for (uint32_t i = 1; i <= 5; ++i) {
      const auto first = static_cast<uint16_t>(100 * i);
      ownership_.set_claim(node(i), {i, {{first, static_cast<uint16_t>(first + 99)}}}, kLinger);
    }
    ownership_.take_ready();
  }

  static ElectionOptions options() {
    ElectionOptions options;
    options.node_timeout_ms = 1000;
    return options;
  }

  void gossip(uint32_t id, uint64_t offset) {
    view_.standings[node(id)] = {node(id), lineage(1), offset, true, false, false};
  }
  Standing standing(uint64_t offset) const {
    return {node(1), lineage(1), offset, true, true, false};
  }
  void fail_primary(TimeMs now) {
    view_.fail.insert(node(1));
    tick(now);
  }
  void tell(uint32_t from, const ElectionMessage& message, TimeMs now) {
    election_.step(node(from), message, now);
    take();
  }
  void tick(TimeMs now) {
    election_.tick(now);
    take();
  }
  // Ticks whenever it is due, up to `until`.
  void run(TimeMs until) {
    while (election_.next_deadline() <= until) tick(election_.next_deadline());
  }
  void take() {
    OwnershipReady ownership = ownership_.take_ready();
    persisted_ |= ownership.persist;
    ElectionReady ready = election_.take_ready();
    sent_.insert(sent_.end(), ready.send.begin(), ready.send.end());
    for (const ElectionEvent& event : ready.events) {
      events_.push_back(event);
      if (event.kind == ElectionEvent::kWon) view_.primaries.erase(node(12));
    }
  }
  template <class M>
  std::vector<std::pair<NodeId, M>> sent() {
    std::vector<std::pair<NodeId, M>> found;
    for (const auto& [to, message] : sent_) {
      if (const M* m = std::get_if<M>(&message)) found.emplace_back(to, *m);
    }
    return found;
  }
  bool has(ElectionEvent::Kind kind) const {
    for (const ElectionEvent& event : events_) {
      if (event.kind == kind) return true;
    }
    return false;
  }
  // All siblings have told that they are behind, so it asks at once.
  uint64_t asking() {
    fail_primary(1000);
    tell(11, standing(90), 1001);
    tell(13, standing(80), 1002);
    const auto requests = sent<VoteRequest>();
    EXPECT_EQ(requests.size(), 4u);
    return requests.empty() ? 0 : requests[0].second.epoch;
  }
  VoteRefusal refusal(uint64_t epoch, RefusalReason reason) const { return {epoch, epoch, reason}; }

  FakeView view_;
  SeededRandom random_;
  Ownership ownership_;
  Election election_;
  std::vector<std::pair<NodeId, ElectionMessage>> sent_;
  std::vector<ElectionEvent> events_;
  bool persisted_ = false;
};

TEST_F(CandidateTest, DoesNothingWhileThePrimaryIsNotFail) {
  run(100'000);
  EXPECT_TRUE(sent_.empty());
  EXPECT_EQ(election_.next_deadline(), UINT64_MAX);
}

TEST_F(CandidateTest, BestAsksAllLivingVotersOnceItsSiblingsHaveTold) {
  fail_primary(1000);
  EXPECT_EQ(sent<Standing>().size(), 2u);
  EXPECT_TRUE(sent<VoteRequest>().empty());
  tell(11, standing(90), 1001);
  EXPECT_TRUE(sent<VoteRequest>().empty()) << "13 may be better";
  tell(13, standing(80), 1002);
  const auto requests = sent<VoteRequest>();
  ASSERT_EQ(requests.size(), 4u) << "not the one that is FAIL";
  for (const auto& [to, request] : requests) {
    EXPECT_NE(to, node(1));
    EXPECT_EQ(request.epoch, 6u);
    EXPECT_EQ(request.primary, node(1));
    EXPECT_EQ(request.primary_epoch, 1u);
    EXPECT_EQ(request.slots->text(), "100-199");
    EXPECT_EQ(request.electorate, ownership_.map().owners_hash());
    EXPECT_FALSE(request.manual);
  }
  EXPECT_TRUE(persisted_) << "its epoch, before it asks";
  EXPECT_EQ(events_, (std::vector<ElectionEvent>{{ElectionEvent::kStarted, 6, node(1)}}));
}

TEST_F(CandidateTest, WithoutLivingSiblingsAsksAtOnce) {
  view_.fail = {node(11)};
  view_.standings[node(13)].no_failover = true;
  fail_primary(1000);
  EXPECT_EQ(sent<VoteRequest>().size(), 4u);
}

TEST_F(CandidateTest, SilentSiblingIsAskedAgainAndWaitedForOnlyAWhile) {
  fail_primary(1000);
  tell(11, standing(90), 1001);
  run(1039);
  EXPECT_TRUE(sent<VoteRequest>().empty());
  EXPECT_EQ(sent<Standing>().size(), 3u) << "13 again, 11 not";
  run(1040);
  EXPECT_EQ(sent<VoteRequest>().size(), 4u);
}

TEST_F(CandidateTest, SilentSiblingThatGossipedABetterOffsetGoesFirst) {
  gossip(13, 200);
  fail_primary(1000);
  tell(11, standing(90), 1001);
  run(1000 + 40 + 49);
  EXPECT_TRUE(sent<VoteRequest>().empty());
  run(1000 + 40 + 50 + 13);
  EXPECT_EQ(sent<VoteRequest>().size(), 4u);
}

TEST_F(CandidateTest, WaitsItsTurnBehindEachBetterSibling) {
  fail_primary(1000);
  tell(11, standing(101), 1001);
  tell(13, standing(102), 1001);
  run(1000 + 99);
  EXPECT_TRUE(sent<VoteRequest>().empty());
  run(1000 + 100 + 13);
  EXPECT_EQ(sent<VoteRequest>().size(), 4u);
}

TEST_F(CandidateTest, EqualOffsetsGoBySmallerId) {
  fail_primary(1000);
  tell(11, standing(100), 1001);
  tell(13, standing(100), 1001);
  EXPECT_TRUE(sent<VoteRequest>().empty()) << "11 first";
  run(1000 + 50 + 13);
  EXPECT_EQ(sent<VoteRequest>().size(), 4u) << "13 later";
}

TEST_F(CandidateTest, GreaterOffsetOfAnotherLineageIsNoBetter) {
  fail_primary(1000);
  Standing foreign = standing(1'000'000);
  foreign.lineage = lineage(9);
  tell(11, foreign, 1001);
  tell(13, standing(80), 1001);
  EXPECT_EQ(sent<VoteRequest>().size(), 4u);
}

TEST_F(CandidateTest, SiblingThatMayNotStandIsNoBetter) {
  fail_primary(1000);
  Standing old = standing(1'000'000);
  old.eligible = false;
  tell(11, old, 1001);
  Standing incomplete = standing(1'000'000);
  incomplete.complete = false;
  tell(13, incomplete, 1001);
  EXPECT_EQ(sent<VoteRequest>().size(), 4u);
}

TEST_F(CandidateTest, WithDataTooOldDoesNotStand) {
  view_.own.data_age_ms = 1000 + 10'000 + 10'000 + 1;
  fail_primary(1000);
  run(100'000);
  EXPECT_TRUE(sent_.empty());
  view_.own.data_age_ms -= 1;
  tick(100'000);
  EXPECT_EQ(sent<Standing>().size(), 2u);
}

TEST_F(CandidateTest, WithValidityFactorZeroStandsHoweverOldItsData) {
  ElectionOptions any_age = options();
  any_age.replica_validity_factor = 0;
  election_.set_options(any_age);
  view_.own.data_age_ms = 1'000'000'000;
  fail_primary(1000);
  EXPECT_EQ(sent<Standing>().size(), 2u);
}

TEST_F(CandidateTest, WithNoFailoverOrWithoutAFirstSyncDoesNotStand) {
  ElectionOptions never = options();
  never.replica_no_failover = true;
  election_.set_options(never);
  fail_primary(1000);
  EXPECT_TRUE(sent_.empty());
  election_.set_options(options());
  view_.own.complete = false;
  tick(1001);
  EXPECT_TRUE(sent_.empty());
}

TEST_F(CandidateTest, OfAPrimaryWithoutSlotsDoesNotStand) {
  ownership_.set_claim(node(1), {1, {}}, kLinger);
  fail_primary(1000);
  EXPECT_TRUE(sent_.empty());
}

TEST_F(CandidateTest, AnswersASiblingThatKnowsOfTheFailureFirst) {
  Standing asks = standing(90);
  asks.reply_wanted = true;
  tell(11, asks, 999);
  auto told = sent<Standing>();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].first, node(11));
  EXPECT_EQ(told[0].second.offset, 100u);
  EXPECT_TRUE(told[0].second.eligible);
  EXPECT_FALSE(told[0].second.reply_wanted);
  fail_primary(1000);
  tell(13, standing(80), 1001);
  EXPECT_EQ(sent<VoteRequest>().size(), 4u) << "11 has told already";
  asks.primary = node(2);
  tell(11, asks, 1002);
  EXPECT_FALSE(sent<Standing>().back().second.eligible) << "not a replica of 2";
}

TEST_F(CandidateTest, ReplicasOfAnotherFailedPrimaryGoFirst) {
  view_.primaries[node(21)] = node(0);
  ownership_.set_claim(node(0), {9, {{0, 9}}}, kLinger);
  view_.fail.insert(node(0));
  fail_primary(1000);
  tell(11, standing(90), 1001);
  tell(13, standing(80), 1002);
  EXPECT_TRUE(sent<VoteRequest>().empty());
  run(1020);
  EXPECT_EQ(sent<VoteRequest>().size(), 4u);
}

TEST_F(CandidateTest, WinsWithAMajorityOfAllSlotOwners) {
  const uint64_t epoch = asking();
  tell(2, Vote{epoch}, 1003);
  tell(2, Vote{epoch}, 1003);
  tell(3, Vote{epoch}, 1003);
  EXPECT_FALSE(has(ElectionEvent::kWon)) << "3 of 5 are needed, and 2 counts once";
  persisted_ = false;
  tell(4, Vote{epoch}, 1004);
  EXPECT_EQ(events_.back(), (ElectionEvent{ElectionEvent::kWon, epoch, node(1)}));
  EXPECT_TRUE(persisted_);
  EXPECT_EQ(ownership_.claim(), (SlotsFact{epoch, {{100, 199}}}));
  EXPECT_EQ(ownership_.map().owner(100), node(12));
  sent_.clear();
  run(100'000);
  EXPECT_TRUE(sent_.empty());
}

TEST_F(CandidateTest, VotesOfOtherEpochsAndOfStrangersDoNotCount) {
  const uint64_t epoch = asking();
  tell(2, Vote{epoch}, 1003);
  tell(3, Vote{epoch - 1}, 1003);
  tell(3, Vote{epoch + 1}, 1003);
  tell(11, Vote{epoch}, 1003);
  tell(99, Vote{epoch}, 1003);
  tell(4, Vote{epoch}, 1003);
  EXPECT_FALSE(has(ElectionEvent::kWon));
}

TEST_F(CandidateTest, AsksAgainWhoIsSilentOrMayChangeItsMind) {
  const uint64_t epoch = asking();
  tell(2, Vote{epoch}, 1003);
  tell(3, refusal(epoch, RefusalReason::kPrimaryAlive), 1003);
  sent_.clear();
  run(1022);
  const auto again = sent<VoteRequest>();
  ASSERT_EQ(again.size(), 3u);
  EXPECT_EQ(again[0].first, node(3));
  EXPECT_EQ(again[0].second.epoch, epoch) << "the same epoch";
  tell(3, Vote{epoch}, 1023);
  tell(4, Vote{epoch}, 1023);
  EXPECT_TRUE(has(ElectionEvent::kWon));
}

TEST_F(CandidateTest, CutOffAsksAtGrowingIntervals) {
  asking();
  sent_.clear();
  run(1002 + 1999);
  EXPECT_LE(sent<VoteRequest>().size(), 4u * 12);
  EXPECT_GE(sent<VoteRequest>().size(), 4u * 6);
}

TEST_F(CandidateTest, WithoutAMajorityInTimeAsksInANewEpoch) {
  const uint64_t epoch = asking();
  run(1002 + 2000);
  EXPECT_TRUE(has(ElectionEvent::kLost));
  run(1002 + 2000 + 21);
  EXPECT_EQ(sent<VoteRequest>().back().second.epoch, epoch + 2);
}

TEST_F(CandidateTest, RefusedByTooManyAsksInANewEpochAtOnce) {
  const uint64_t epoch = asking();
  tell(2, refusal(epoch, RefusalReason::kAlreadyVoted), 1003);
  EXPECT_FALSE(has(ElectionEvent::kLost)) << "3, 4 and 5 are left; 1 is FAIL";
  tell(3, VoteRefusal{epoch, epoch + 7, RefusalReason::kStaleEpoch}, 1003);
  EXPECT_TRUE(has(ElectionEvent::kLost));
  run(1003 + 21);
  EXPECT_EQ(sent<VoteRequest>().back().second.epoch, epoch + 8) << "above what the refusal told";
  EXPECT_FALSE(sent<VoteWithdrawn>().empty()) << "its voters are free for others meanwhile";
}

TEST_F(CandidateTest, CutOffFromTheMajorityDoesNotRunThroughTheEpochs) {
  const uint64_t epoch = asking();
  view_.fail.insert(node(2));
  view_.fail.insert(node(3));
  tell(4, refusal(epoch, RefusalReason::kAlreadyVoted), 1003);
  tell(5, refusal(epoch, RefusalReason::kAlreadyVoted), 1003);
  run(1002 + 1999);
  EXPECT_EQ(ownership_.current_epoch(), epoch);
}

TEST_F(CandidateTest, AfterASplitVoteTheWorseLetsTheBetterGo) {
  fail_primary(1000);
  tell(11, standing(101), 1001);
  tell(13, standing(80), 1001);
  run(1063);
  const uint64_t epoch = sent<VoteRequest>().at(0).second.epoch;
  tell(2, Vote{epoch}, 1064);
  tell(3, refusal(epoch, RefusalReason::kVotedForSibling), 1064);
  tell(4, refusal(epoch, RefusalReason::kVotedForSibling), 1064);
  ASSERT_TRUE(has(ElectionEvent::kLost));
  const auto withdrawn = sent<VoteWithdrawn>();
  ASSERT_EQ(withdrawn.size(), 2u) << "from the one that voted for it, and one that may have";
  EXPECT_EQ(withdrawn[0].first, node(2));
  EXPECT_EQ(withdrawn[1].first, node(5));
  run(1064 + 20);
  EXPECT_EQ(sent<VoteWithdrawn>().size(), 4u) << "again, for it may be lost";
  sent_.clear();
  run(1064 + 100);
  EXPECT_TRUE(sent<VoteRequest>().empty());
  run(1064 + 100 + 21);
  EXPECT_EQ(sent<VoteRequest>().size(), 4u) << "should the better one have died";
}

TEST_F(CandidateTest, StopsWhenThePrimaryIsBack) {
  const uint64_t epoch = asking();
  tell(2, Vote{epoch}, 1003);
  view_.fail.clear();
  tick(1004);
  EXPECT_FALSE(sent<VoteWithdrawn>().empty());
  EXPECT_TRUE(has(ElectionEvent::kLost));
  tell(3, Vote{epoch}, 1005);
  tell(4, Vote{epoch}, 1005);
  EXPECT_FALSE(has(ElectionEvent::kWon));
}

TEST_F(CandidateTest, LastVoteAfterThePrimaryIsBackWinsNothing) {
  const uint64_t epoch = asking();
  tell(2, Vote{epoch}, 1003);
  tell(3, Vote{epoch}, 1003);
  view_.fail.clear();
  tell(4, Vote{epoch}, 1004);
  EXPECT_FALSE(has(ElectionEvent::kWon));
}

TEST_F(CandidateTest, StopsWhenASiblingHasWon) {
  const uint64_t epoch = asking();
  ownership_.set_claim(node(11), {epoch + 1, {{100, 199}}}, kLinger);
  tell(2, Vote{epoch}, 1003);
  tell(3, Vote{epoch}, 1003);
  tell(4, Vote{epoch}, 1003);
  EXPECT_FALSE(has(ElectionEvent::kWon));
  EXPECT_EQ(election_.next_deadline(), UINT64_MAX);
}

TEST_F(CandidateTest, ElectorateThatChangesIsAskedAnewInANewEpoch) {
  const uint64_t epoch = asking();
  tell(2, Vote{epoch}, 1003);
  tell(3, Vote{epoch}, 1003);
  ownership_.set_claim(node(6), {7, {{600, 699}}}, kLinger);
  sent_.clear();
  tick(1004);
  const auto requests = sent<VoteRequest>();
  ASSERT_EQ(requests.size(), 5u);
  EXPECT_EQ(requests[0].second.epoch, 8u);
  tell(4, Vote{epoch}, 1005);
  tell(5, Vote{epoch}, 1005);
  EXPECT_FALSE(has(ElectionEvent::kWon)) << "those votes were for another electorate";
}

TEST_F(CandidateTest, SlotsThatMovedAwayMeanwhileAreNotTaken) {
  asking();
  ownership_.set_claim(node(2), {8, {{150, 150}, {200, 299}}}, kLinger);
  sent_.clear();
  tick(1003);
  const auto requests = sent<VoteRequest>();
  ASSERT_EQ(requests.size(), 4u);
  EXPECT_EQ(requests[0].second.slots->text(), "100-149 151-199");
}

TEST_F(CandidateTest, HostileEpochsNeitherWrapNorStick) {
  const uint64_t epoch = asking();
  tell(2, VoteRefusal{epoch, UINT64_MAX, RefusalReason::kStaleEpoch}, 1003);
  EXPECT_EQ(ownership_.current_epoch(), epoch);
  VoteRequest request;
  request.epoch = UINT64_MAX;
  request.slots = std::make_shared<const SlotRanges>();
  tell(2, request, 1003);
  EXPECT_EQ(ownership_.current_epoch(), epoch);
  EXPECT_TRUE(sent<VoteRefusal>().empty());
}

TEST_F(CandidateTest, VoterThatHasNotHeardHowItEndedIsToldThatItWasGivenUp) {
  const uint64_t epoch = asking();
  tell(2, Vote{epoch - 1}, 1003);
  const auto withdrawn = sent<VoteWithdrawn>();
  ASSERT_EQ(withdrawn.size(), 1u);
  EXPECT_EQ(withdrawn[0].first, node(2));
  EXPECT_EQ(withdrawn[0].second.epoch, epoch - 1);
  for (uint32_t voter : {2, 3, 4}) tell(voter, Vote{epoch}, 1004);
  ASSERT_TRUE(has(ElectionEvent::kWon));
  tell(5, Vote{epoch}, 1005);
  EXPECT_EQ(sent<VoteWithdrawn>().size(), 1u) << "that one was won";
}

}  // namespace
}  // namespace syntropy
