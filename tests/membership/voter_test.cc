#include "membership/voter.h"

#include <gtest/gtest.h>

#include "tests/membership/slots_support.h"

namespace syntropy {
namespace {

using testing::FakeView;
using testing::kLinger;
using testing::node;

constexpr uint32_t kTimeout = 1000;

// Primaries 1, 2 and 3 own slots under epochs 1, 2 and 3; 11 and 12 are replicas of 1, which is
// FAIL; 21 is one of 2. The voter is 3.
class VoterTest : public ::testing::Test {
 protected:
  VoterTest() : ownership_(node(3), state()), voter_(ownership_, view_) {
    view_.self = node(3);
    view_.primaries = {{node(11), node(1)}, {node(12), node(1)}, {node(21), node(2)}};
    view_.fail = {node(1)};
    ownership_.set_claim(node(1), {1, {{0, 99}}}, kLinger);
    ownership_.set_claim(node(2), {2, {{100, 199}}}, kLinger);
    ownership_.take_ready();
  }

  static OwnershipState state() {
    OwnershipState state;
    state.config_epoch = 3;
    state.slots = {{200, 299}};
    return state;
  }

  VoteRequest request(uint64_t epoch) const {
    return {epoch,
            node(1),
            1,
            std::make_shared<const SlotRanges>(SlotRanges{{0, 99}}),
            ownership_.map().owners_hash(),
            false};
  }

  VoteRequest request_of_2(uint64_t epoch) {
    view_.fail.insert(node(2));
    VoteRequest other = request(epoch);
    other.primary = node(2);
    other.primary_epoch = 2;
    other.slots = std::make_shared<const SlotRanges>(SlotRanges{{100, 199}});
    return other;
  }

  // 0: a vote; otherwise the reason.
  int answer(uint32_t from, const VoteRequest& request, TimeMs now = 0) {
    const ElectionMessage message = voter_.answer(node(from), request, now, kTimeout);
    if (const auto* vote = std::get_if<Vote>(&message)) {
      EXPECT_EQ(vote->epoch, request.epoch);
      return 0;
    }
    const auto& refusal = std::get<VoteRefusal>(message);
    EXPECT_EQ(refusal.epoch, request.epoch);
    EXPECT_EQ(refusal.current_epoch, ownership_.current_epoch());
    return static_cast<int>(refusal.reason);
  }
  static int reason(RefusalReason reason) { return static_cast<int>(reason); }

  FakeView view_;
  Ownership ownership_;
  Voter voter_;
};

TEST_F(VoterTest, VotesForAReplicaOfAFailedPrimaryAndHasItStoredFirst) {
  EXPECT_EQ(answer(11, request(4)), 0);
  EXPECT_TRUE(ownership_.take_ready().persist);
  EXPECT_EQ(ownership_.state().last_vote_epoch, 4u);
  EXPECT_EQ(ownership_.state().voted_for, node(11));
  EXPECT_EQ(ownership_.current_epoch(), 4u);
}

TEST_F(VoterTest, VotesOncePerEpoch) {
  EXPECT_EQ(answer(11, request(4)), 0);
  voter_.step(node(11), VoteWithdrawn{4, node(1)});
  EXPECT_EQ(answer(21, request_of_2(4)), reason(RefusalReason::kAlreadyVoted));
  EXPECT_EQ(answer(21, request_of_2(5)), 0);
}

TEST_F(VoterTest, VotesForNobodyElseWhileItDoesNotKnowHowAnElectionEnded) {
  EXPECT_EQ(answer(11, request(4), 10), 0);
  EXPECT_EQ(answer(21, request_of_2(5), 20), reason(RefusalReason::kBusy));
  EXPECT_EQ(answer(11, request(6), 30), 0) << "itself again";
  EXPECT_EQ(answer(21, request_of_2(7), 30 + 2 * kTimeout - 1), reason(RefusalReason::kBusy));
  EXPECT_EQ(answer(21, request_of_2(7), 30 + 2 * kTimeout), 0);
}

TEST_F(VoterTest, IsFreeAgainOnceTheWinnerClaims) {
  EXPECT_EQ(answer(11, request(4)), 0);
  ownership_.set_claim(node(11), {4, {{0, 99}}}, kLinger);
  EXPECT_EQ(answer(21, request_of_2(5)), 0);
}

TEST_F(VoterTest, IsFreeAgainOnceTheSlotsWentToAnother) {
  EXPECT_EQ(answer(11, request(4)), 0);
  ownership_.set_claim(node(12), {5, {{0, 99}}}, kLinger);
  EXPECT_EQ(answer(21, request_of_2(6)), 0);
}

TEST_F(VoterTest, IsBusyAcrossARestart) {
  EXPECT_EQ(answer(11, request(4)), 0);
  Ownership restarted(node(3), ownership_.state(), ownership_.map());
  Voter voter(restarted, view_);
  EXPECT_EQ(std::get<VoteRefusal>(voter.answer(node(21), request_of_2(5), 1, kTimeout)).reason,
            RefusalReason::kBusy);
}

TEST_F(VoterTest, ElectionIsOpenUntilItIsKnownHowItEnded) {
  EXPECT_FALSE(voter_.election_open(node(1)));
  EXPECT_EQ(answer(11, request(4)), 0);
  EXPECT_TRUE(voter_.election_open(node(1)));
  EXPECT_FALSE(voter_.election_open(node(2)));
  ownership_.set_claim(node(11), {4, {{0, 99}}}, kLinger);
  EXPECT_FALSE(voter_.election_open(node(1))) << "won, and the map says so";
}

TEST_F(VoterTest, ElectionIsOverWhenTheCandidateWithdrewOrTheClaimRose) {
  EXPECT_EQ(answer(11, request(4)), 0);
  voter_.step(node(11), VoteWithdrawn{4, node(1)});
  EXPECT_FALSE(voter_.election_open(node(1)));
  EXPECT_EQ(answer(11, request(5)), 0);
  EXPECT_TRUE(voter_.election_open(node(1)));
  ownership_.set_claim(node(1), {6, {{0, 99}}}, kLinger);
  EXPECT_FALSE(voter_.election_open(node(1)));
}

TEST_F(VoterTest, RemindsTheCandidateOfAVoteUntilItTellsHowTheElectionEnded) {
  EXPECT_EQ(answer(11, request(4), 1000), 0);
  std::vector<TimeMs> reminded;
  while (voter_.next_deadline() < 1000 + 5 * kTimeout) {
    const TimeMs now = voter_.next_deadline();
    for (const auto& [to, vote] : voter_.votes_due(now, kTimeout)) {
      EXPECT_EQ(to, node(11));
      EXPECT_EQ(vote.epoch, 4u);
      reminded.push_back(now - 1000);
    }
  }
  ASSERT_GE(reminded.size(), 5u);
  EXPECT_EQ(reminded[0], 100u);
  EXPECT_EQ(reminded[1], 300u);
  EXPECT_LE(reminded.back() - reminded[reminded.size() - 2], kTimeout);
  EXPECT_TRUE(voter_.election_open(node(1))) << "nobody has said that it is over";
  voter_.step(node(11), VoteWithdrawn{4, NodeId()});
  EXPECT_FALSE(voter_.election_open(node(1)));
  EXPECT_TRUE(voter_.votes_due(1000 + 10 * kTimeout, kTimeout).empty());
  EXPECT_EQ(voter_.next_deadline(), UINT64_MAX);
}

TEST_F(VoterTest, OwnerThatAsksForItsOwnSlotsIsRefusedWhileACandidateMayHaveThem) {
  EXPECT_EQ(answer(11, request(4), 0), 0);
  view_.fail.erase(node(1));
  EXPECT_EQ(answer(1, request(5), 10 * kTimeout), reason(RefusalReason::kVotedForSibling));
  view_.fail.insert(node(11));
  EXPECT_EQ(answer(1, request(6), 10 * kTimeout), 0);
  EXPECT_TRUE(voter_.election_open(node(1))) << "it hasn't claimed them yet";
  ownership_.set_claim(node(1), {6, {{0, 99}}}, kLinger);
  EXPECT_FALSE(voter_.election_open(node(1)));
}

TEST_F(VoterTest, ElectionThatWasGivenUpIsOverAcrossARestart) {
  EXPECT_EQ(answer(11, request(4)), 0);
  ownership_.take_ready();
  voter_.step(node(11), VoteWithdrawn{4, node(1)});
  EXPECT_TRUE(ownership_.take_ready().persist);
  EXPECT_FALSE(voter_.election_open(node(1)));
  Ownership restarted(node(3), ownership_.state(), ownership_.map());
  Voter voter(restarted, view_);
  EXPECT_FALSE(voter.election_open(node(1)));
  voter.votes_due(50, kTimeout);
  EXPECT_FALSE(voter.election_open(node(1)));
  EXPECT_EQ(restarted.state().last_vote_epoch, 4u) << "nobody else gets it";
}

TEST_F(VoterTest, LateWordThatAnEarlierElectionWasGivenUpChangesNothing) {
  EXPECT_EQ(answer(11, request(4)), 0);
  EXPECT_EQ(answer(11, request(5)), 0);
  voter_.step(node(11), VoteWithdrawn{4, node(1)});
  EXPECT_TRUE(voter_.election_open(node(1)));
  EXPECT_EQ(answer(12, request(6)), reason(RefusalReason::kVotedForSibling));
}

TEST_F(VoterTest, ElectionIsOpenAcrossARestart) {
  EXPECT_EQ(answer(11, request(4)), 0);
  Ownership restarted(node(3), ownership_.state(), ownership_.map());
  Voter voter(restarted, view_);
  EXPECT_TRUE(voter.election_open(node(1))) << "before anything was asked of it";
  voter.votes_due(50, kTimeout);
  EXPECT_TRUE(voter.election_open(node(1)));
  EXPECT_EQ(voter.next_deadline(), 50 + 100u) << "a reminder";
  restarted.set_claim(node(11), {4, {{0, 99}}}, kLinger);
  EXPECT_FALSE(voter.election_open(node(1)));
}

TEST_F(VoterTest, VotesOncePerEpochAcrossARestart) {
  EXPECT_EQ(answer(11, request(4)), 0);
  Ownership restarted(node(3), ownership_.state(), ownership_.map());
  Voter voter(restarted, view_);
  EXPECT_TRUE(std::holds_alternative<VoteRefusal>(voter.answer(node(12), request(4), 1, kTimeout)));
  EXPECT_TRUE(std::holds_alternative<Vote>(voter.answer(node(11), request(4), 1, kTimeout)))
      << "the same vote may be sent again";
  EXPECT_FALSE(restarted.take_ready().persist);
}

TEST_F(VoterTest, RepeatsItsVoteForALostAnswer) {
  EXPECT_EQ(answer(11, request(4)), 0);
  EXPECT_EQ(answer(11, request(4)), 0);
}

TEST_F(VoterTest, RefusesWithoutSlots) {
  ownership_.flush_slots();
  EXPECT_EQ(answer(11, request(4)), reason(RefusalReason::kNotAVoter));
}

TEST_F(VoterTest, RefusesAnEpochBelowThatOfItsLastVote) {
  EXPECT_EQ(answer(11, request(6)), 0);
  EXPECT_EQ(answer(11, request(5)), reason(RefusalReason::kStaleEpoch));
}

TEST_F(VoterTest, RefusesAnEpochThatIsNotAboveAllClaims) {
  ownership_.set_claim(node(2), {7, {{100, 199}}}, kLinger);
  EXPECT_EQ(answer(11, request(7)), reason(RefusalReason::kStaleEpoch));
  EXPECT_EQ(answer(11, request(8)), 0);
}

TEST_F(VoterTest, DoesNotMindThatAHigherEpochWasHeardOf) {
  ownership_.observe_epoch(9);
  EXPECT_EQ(answer(11, request(4)), 0);
}

TEST_F(VoterTest, RefusesWhileThePrimaryIsNotFail) {
  view_.fail.clear();
  EXPECT_EQ(answer(11, request(4)), reason(RefusalReason::kPrimaryAlive));
  EXPECT_EQ(ownership_.current_epoch(), 4u) << "the epoch counts nevertheless";
  view_.fail.insert(node(1));
  EXPECT_EQ(answer(11, request(4)), 0) << "a refusal is not a vote";
}

TEST_F(VoterTest, VotesForAManualFailoverOfALivePrimary) {
  view_.fail.clear();
  VoteRequest manual = request(4);
  manual.manual = true;
  EXPECT_EQ(answer(11, manual), 0);
}

TEST_F(VoterTest, RefusesWhoeverIsNoReplicaOfThatPrimary) {
  EXPECT_EQ(answer(21, request(4)), reason(RefusalReason::kUnknownReplica));
  EXPECT_EQ(answer(2, request(4)), reason(RefusalReason::kUnknownReplica));
  VoteRequest of_nobody = request(4);
  of_nobody.primary = NodeId();
  EXPECT_EQ(answer(99, of_nobody), reason(RefusalReason::kUnknownReplica));
}

TEST_F(VoterTest, RefusesToVoteForTwoReplicasOfAPrimaryWithinTwoTimeouts) {
  EXPECT_EQ(answer(11, request(4), 10), 0);
  EXPECT_EQ(answer(12, request(5), 10 + 2 * kTimeout - 1), reason(RefusalReason::kVotedForSibling));
  EXPECT_EQ(answer(12, request(5), 10 + 2 * kTimeout), 0);
}

TEST_F(VoterTest, VotesAgainForTheSameReplicaInANewEpoch) {
  EXPECT_EQ(answer(11, request(4), 10), 0);
  EXPECT_EQ(answer(11, request(5), 20), 0);
  EXPECT_EQ(answer(12, request(6), 30), reason(RefusalReason::kVotedForSibling));
}

TEST_F(VoterTest, VotesForTheSiblingOnceTheFirstGaveUp) {
  EXPECT_EQ(answer(11, request(4), 10), 0);
  voter_.step(node(12), VoteWithdrawn{4, node(1)});
  EXPECT_EQ(answer(12, request(5), 20), reason(RefusalReason::kVotedForSibling))
      << "it was not 12's to withdraw";
  voter_.step(node(11), VoteWithdrawn{4, node(1)});
  EXPECT_EQ(answer(12, request(5), 20), 0);
}

TEST_F(VoterTest, WithdrawnVoteIsNotGivenAgainInItsEpoch) {
  EXPECT_EQ(answer(11, request(4), 10), 0);
  voter_.step(node(11), VoteWithdrawn{4, node(1)});
  EXPECT_EQ(answer(12, request(4), 20), reason(RefusalReason::kAlreadyVoted));
}

TEST_F(VoterTest, VotesForTheSiblingOnceTheFirstFailed) {
  EXPECT_EQ(answer(11, request(4), 10), 0);
  view_.fail.insert(node(11));
  EXPECT_EQ(answer(12, request(5), 20), 0);
}

TEST_F(VoterTest, RefusesSlotsThatWentToAHigherEpochMeanwhile) {
  ownership_.set_claim(node(2), {4, {{99, 199}}}, kLinger);
  EXPECT_EQ(answer(11, request(5)), reason(RefusalReason::kStaleClaim));
  VoteRequest rest = request(5);
  rest.slots = std::make_shared<const SlotRanges>(SlotRanges{{0, 98}});
  EXPECT_EQ(answer(11, rest), 0);
}

TEST_F(VoterTest, DoesNotMindAHigherClaimThatOwnsNoneOfTheSlots) {
  // 2 claims slot 0 under epoch 2, which loses to 1 under 9; 1's epoch is the one that counts.
  ownership_.set_claim(node(1), {9, {{0, 99}}}, kLinger);
  ownership_.set_claim(node(2), {2, {{0, 0}, {100, 199}}}, kLinger);
  VoteRequest of_nine = request(10);
  of_nine.primary_epoch = 9;
  EXPECT_EQ(answer(11, of_nine), 0);
  VoteRequest of_one = request(11);
  EXPECT_EQ(answer(11, of_one), reason(RefusalReason::kStaleClaim));
}

TEST_F(VoterTest, VotesByItselfOnceItHearsOfTheFail) {
  view_.fail.clear();
  EXPECT_EQ(answer(11, request(4)), reason(RefusalReason::kPrimaryAlive));
  EXPECT_TRUE(voter_.votes_due(1, kTimeout).empty());
  view_.fail.insert(node(1));
  const auto votes = voter_.votes_due(2, kTimeout);
  ASSERT_EQ(votes.size(), 1u);
  EXPECT_EQ(votes[0].first, node(11));
  EXPECT_EQ(votes[0].second.epoch, 4u);
  EXPECT_EQ(ownership_.state().last_vote_epoch, 4u);
  EXPECT_TRUE(voter_.votes_due(3, kTimeout).empty());
}

TEST_F(VoterTest, VotesLateForWhomeverAskedFirst) {
  view_.fail.clear();
  answer(12, request(4));
  answer(11, request(4));
  answer(12, request(5));
  view_.fail.insert(node(1));
  const auto votes = voter_.votes_due(1, kTimeout);
  ASSERT_EQ(votes.size(), 1u);
  EXPECT_EQ(votes[0].first, node(12));
  EXPECT_EQ(votes[0].second.epoch, 5u) << "what it asked for last";
}

TEST_F(VoterTest, DoesNotVoteLateForWhoeverWithdrewOrAskedLongAgo) {
  view_.fail.clear();
  answer(11, request(4), 0);
  answer(12, request(4), 1);
  voter_.step(node(11), VoteWithdrawn{4, node(1)});
  view_.fail.insert(node(1));
  EXPECT_TRUE(voter_.votes_due(1 + kTimeout, kTimeout).empty());
}

TEST_F(VoterTest, DoesNotVoteLateWhereTheRefusalWasFinal) {
  EXPECT_EQ(answer(11, request(4), 0), 0);
  EXPECT_EQ(answer(12, request(5), 0), reason(RefusalReason::kVotedForSibling));
  voter_.step(node(11), VoteWithdrawn{4, node(1)});
  EXPECT_TRUE(voter_.votes_due(1, kTimeout).empty());
}

TEST_F(VoterTest, RefusesACandidateOfAnotherElectorate) {
  VoteRequest other = request(4);
  ++other.electorate;
  EXPECT_EQ(answer(11, other), reason(RefusalReason::kOtherElectorate));
}

}  // namespace
}  // namespace syntropy
