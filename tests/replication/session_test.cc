// One primary and one replica: each way to begin, and what happens when messages are lost, the
// backlog is overrun, somebody is silent, or says what can't be.
#include <memory>
#include <string>
#include <vector>

#include "tests/replication/session_pair.h"

namespace syntropy {
namespace {

using testing::id;
class Session : public testing::SessionTest {};

TEST_F(Session, NewReplicaCopiesAndThenFollows) {
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(primary_.put("k" + std::to_string(i), "v").ok());
  settle();
  expect_equal();
  EXPECT_GT(copied_, 0);
  EXPECT_EQ(handed_over_, 0);
  ASSERT_TRUE(primary_.put("more", "v").ok());
  settle();
  expect_equal();
}

TEST_F(Session, LogGoesOnWhileTheCopyIsUnderWay) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(primary_.put("k" + std::to_string(i), "v").ok());
  int written = 0;
  while (replica_session_->state() != ReplicaSession::State::kFollowing) {
    ASSERT_TRUE(primary_.put("k" + std::to_string(written), "new").ok());
    ASSERT_LT(++written, 1000);
    turn_replica();
    turn_primary();
    // Nobody may count a replica that is not complete.
    if (replica_session_->state() == ReplicaSession::State::kCopying && primary_session_) {
      EXPECT_EQ(primary_session_->acknowledged(), 0u);
      EXPECT_FALSE(primary_session_->following());
    }
  }
  EXPECT_GT(written, 10);
  settle();
  expect_equal();
}

TEST_F(Session, ReplicaContinuesByOffsetWhenTheBacklogReachesBack) {
  ASSERT_TRUE(primary_.put("a", "1").ok());
  settle();
  copied_ = 0;
  for (int i = 0; i < 10; ++i) {
    primary_session_.reset();
    replica_session_->disconnected(now_);
    ASSERT_TRUE(primary_.put("b" + std::to_string(i), "2").ok());
    pass(6000);
  }
  expect_equal();
  EXPECT_EQ(copied_, 0);
  EXPECT_EQ(connections_, 11);
}

TEST_F(Session, OldPrimaryHandsOverItsLogAndContinues) {
  ASSERT_TRUE(primary_.put("common", "1").ok());
  settle();
  copied_ = 0;
  // The replica is cut off and becomes primary itself; then it follows the other again.
  ASSERT_TRUE(replica_.applier->begin_lineage(id('b')).ok());
  ASSERT_TRUE(replica_.put("alone", "2").ok());
  ASSERT_TRUE(primary_.put("here", "3").ok());
  ASSERT_TRUE(replica_.applier->stop_writing().ok());
  new_replica();
  primary_session_.reset();
  settle();
  expect_equal();
  EXPECT_EQ(replica_.rows().size(), 3u);
  EXPECT_EQ(copied_, 0);
  EXPECT_GT(handed_over_, 0);
}

TEST_F(Session, StrangerHandsOverAllItsRowsAndCopies) {
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(primary_.put("p" + std::to_string(i), "v").ok());
  ASSERT_TRUE(replica_.applier->begin_lineage(id('b')).ok());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(replica_.put("r" + std::to_string(i), "v").ok());
  ASSERT_TRUE(replica_.applier->stop_writing().ok());
  settle();
  expect_equal();
  EXPECT_EQ(replica_.rows().size(), 80u);
}

TEST_F(Session, CopyThatBrokeOffBeginsAnewAndHandsNothingBack) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(primary_.put("k" + std::to_string(i), "v").ok());
  while (replica_.rows().size() < 20) {
    turn_replica();
    turn_primary();
  }
  EXPECT_TRUE(replica_.log().position().owed);
  primary_session_.reset();
  replica_session_->disconnected(now_);
  pass(500);
  expect_equal();
  EXPECT_EQ(handed_over_, 0);
}

TEST_F(Session, EveryMessageMayBeLost) {
  for (int begin = 0; begin < 3; ++begin) {
    for (int lost = 1; lost < 12; ++lost) {
      SCOPED_TRACE(std::to_string(begin) + " " + std::to_string(lost));
      if (begin == 1) {
        ASSERT_TRUE(replica_.applier->begin_lineage(LineageId::random(random_)).ok());
        ASSERT_TRUE(replica_.put("alone" + std::to_string(lost), std::string(250, 'x')).ok());
        ASSERT_TRUE(replica_.applier->stop_writing().ok());
      }
      if (begin == 2) {
        for (int i = 0; i < 30; ++i) ASSERT_TRUE(primary_.put("k", std::string(150, 'x')).ok());
      }
      primary_session_.reset();
      new_replica();
      for (int i = 0; i < lost; ++i) {
        turn_replica();
        turn_primary();
      }
      lose_ = 1 + lost % 3;
      pass(3000);
      expect_equal();
    }
  }
}

TEST_F(Session, OverrunBacklogEndsTheSessionAndTheNextOneCopies) {
  settle();
  copied_ = 0;
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(primary_.put("k", std::string(150, 'x')).ok());
  pass(1000);
  EXPECT_NE(refusal_.find("backlog"), std::string::npos) << refusal_;
  expect_equal();
  EXPECT_GT(copied_, 0);
}

TEST_F(Session, RecordAboveTheWindowArrives) {
  settle();
  ASSERT_TRUE(primary_.put("large", std::string(5000, 'x')).ok());
  pass(1000);
  expect_equal();
  ASSERT_TRUE(primary_.put("large", std::string(6000, 'x')).ok());
  replica_session_->disconnected(now_);
  primary_session_.reset();
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(primary_.put("k", std::string(150, 'x')).ok());
  pass(1000);
  expect_equal();
}

TEST_F(Session, SilenceEndsBothSides) {
  settle();
  const TimeMs since = now_;
  now_ += options_.timeout_ms;
  EXPECT_TRUE(primary_session_->take_ready(now_).close);
  const ReplicaSession::Ready ready = replica_session_->take_ready(now_);
  EXPECT_TRUE(ready.disconnect);
  EXPECT_EQ(replica_session_->state(), ReplicaSession::State::kIdle);
  EXPECT_GT(now_, since);
}

TEST_F(Session, HeartbeatsKeepAnIdleSessionAlive) {
  settle();
  pass(10 * options_.timeout_ms);
  EXPECT_EQ(connections_, 1);
  EXPECT_GE(primary_session_->last_heard() + options_.heartbeat_ms + 20, now_);
  EXPECT_EQ(replica_session_->primary_log_end(), primary_.log().offset());
}

TEST_F(Session, BackOffDoublesUpToItsBound) {
  std::vector<TimeMs> tries;
  for (; now_ < 60'000; now_ = std::max(now_ + 1, replica_session_->next_deadline())) {
    if (!replica_session_->take_ready(now_).connect) continue;
    tries.push_back(now_);
    replica_session_->disconnected(now_);
  }
  ASSERT_GT(tries.size(), 10u);
  EXPECT_LE(tries[1] - tries[0], options_.backoff_min_ms);
  for (size_t i = 8; i < tries.size(); ++i) {
    EXPECT_GE(tries[i] - tries[i - 1], options_.backoff_max_ms / 2);
    EXPECT_LE(tries[i] - tries[i - 1], options_.backoff_max_ms);
  }
}

TEST_F(Session, NodeThatIsNoPrimaryRefuses) {
  ASSERT_TRUE(primary_.applier->stop_writing().ok());
  settle();
  EXPECT_NE(refusal_.find("no primary"), std::string::npos);
  EXPECT_EQ(replica_session_->state(), ReplicaSession::State::kIdle);
  EXPECT_EQ(replica_session_->last_error(), refusal_);
}

TEST_F(Session, PrimaryThatLosesItsRoleEndsItsSessions) {
  settle();
  ASSERT_TRUE(primary_.applier->begin_lineage(id('c')).ok());
  EXPECT_TRUE(primary_session_->take_ready(now_).close);
}

TEST_F(Session, AcknowledgementOfAnEarlierSessionSaysNothing) {
  settle();
  ASSERT_TRUE(primary_.put("k", "v").ok());
  replica_session_->acknowledged(/*session=*/12345, UINT64_MAX);
  const uint64_t before = primary_session_->acknowledged();
  turn_primary();
  // It has been received and applied, and is not yet durable.
  ReplicaSession::Ready ready = replica_session_->take_ready(now_);
  ASSERT_TRUE(ready.op);
  ASSERT_TRUE(apply_store_op(*replica_.applier, *ready.op).status.ok());
  replica_session_->stored({}, now_);
  turn_replica();
  EXPECT_EQ(last_ack_.applied, primary_.log().offset());
  EXPECT_EQ(last_ack_.acknowledged, before);
  replica_session_->acknowledged(ready.op->session, primary_.log().offset());
  turn_replica();
  EXPECT_EQ(last_ack_.acknowledged, primary_.log().offset());
}

TEST_F(Session, NonsenseEndsTheSession) {
  settle();
  const ReplicationSessionId session = last_ack_.session;
  const uint64_t offset = replica_.log().offset();
  replica_session_->step(LogData{session + 1, {offset, "garbage!", false}, 0}, now_);
  EXPECT_EQ(replica_session_->state(), ReplicaSession::State::kFollowing) << "not its session";
  replica_session_->step(LogData{session, {offset, "garbage!", false}, 0}, now_);
  EXPECT_EQ(replica_session_->state(), ReplicaSession::State::kIdle);
  EXPECT_FALSE(replica_session_->last_error().empty());
  EXPECT_EQ(replica_.rows(), primary_.rows());
}

TEST_F(Session, AcknowledgementBeyondTheLogIsIgnored) {
  settle();
  primary_session_->step(ReplicaAck{last_ack_.session, 0, true, UINT64_MAX, UINT64_MAX}, now_);
  EXPECT_EQ(primary_session_->acknowledged(), primary_.log().offset());
}

}  // namespace
}  // namespace syntropy
