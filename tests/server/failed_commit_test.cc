// A commit or sync that fails: exactly the replies that depend on it become errors.
#include <gtest/gtest.h>

#include "tests/server/test_node.h"

namespace syntropy {
namespace {

using namespace testing;  // NOLINT: the vocabulary of these tests

class FailedCommitTest : public ::testing::Test {
 protected:
  FailedCommitTest() { node_.exchange(a_, "SET old 1\r\nSET other 1\r\n"); }

  void fail_commit() {
    node_.engine.fail_next_write(Status::no_space("No space left on device"));
    EXPECT_FALSE(node_.end_tick().ok());
  }
  std::string misconf() { return error(disk_error(node_.engine.health())); }

  TestNode node_;
  Session& a_ = node_.connect();
  Session& b_ = node_.connect();
  Session& c_ = node_.connect();
  const std::string ok_{kOk};
};

TEST_F(FailedCommitTest, DependentRepliesOfAPipelineBecomeErrorsInTheirPlaces) {
  node_.begin_tick();
  node_.run(a_, "PING\r\nGET old\r\nSET old 2\r\nGET old\r\nGET other\r\nINCR old\r\nPING\r\n");
  fail_commit();
  EXPECT_EQ(TestNode::take_output(a_),
            "+PONG\r\n" + bulk("1") + misconf() + misconf() + bulk("1") + misconf() + "+PONG\r\n");
  EXPECT_EQ(node_.exchange(a_, "GET old\r\n"), bulk("1"));
}

TEST_F(FailedCommitTest, MessageSaysWhatHappenedAndWhatGoesOn) {
  node_.begin_tick();
  node_.run(a_, "SET k 1\r\n");
  fail_commit();
  EXPECT_EQ(TestNode::take_output(a_),
            error("MISCONF Errors writing to disk: No space left on device. Writes are refused "
                  "until the disk is well again; reads go on."));
}

TEST_F(FailedCommitTest, SessionsThatTookTurnsEachGetTheirOwnErrors) {
  node_.begin_tick();
  node_.run(a_, "SET k 1\r\nPING\r\n");
  node_.run(b_, "GET k\r\nGET other\r\nEXISTS k old\r\n");
  node_.run(c_, "GET old\r\n");
  node_.run(a_, "GET other\r\nAPPEND k 2\r\n");
  fail_commit();
  EXPECT_EQ(TestNode::take_output(a_), misconf() + "+PONG\r\n" + bulk("1") + misconf());
  EXPECT_EQ(TestNode::take_output(b_), misconf() + bulk("1") + misconf());
  EXPECT_EQ(TestNode::take_output(c_), bulk("1"));
}

TEST_F(FailedCommitTest, RepliesOfEarlierTicksStay) {
  node_.begin_tick();
  node_.run(a_, "SET k 1\r\nGET k\r\n");
  ASSERT_TRUE(node_.end_tick().ok());
  node_.begin_tick();  // the client has not taken its replies yet
  node_.run(a_, "GET k\r\nSET k 2\r\n");
  fail_commit();
  EXPECT_EQ(TestNode::take_output(a_), ok_ + bulk("1") + bulk("1") + misconf());
}

TEST_F(FailedCommitTest, WriteThatChangedNothingDependsOnNothing) {
  node_.begin_tick();
  node_.run(a_, "DEL absent\r\nSETNX old 5\r\nSET k 1\r\n");
  fail_commit();
  EXPECT_EQ(TestNode::take_output(a_), integer(0) + integer(0) + misconf());
}

TEST_F(FailedCommitTest, TransactionFailsAsAWhole) {
  node_.begin_tick();
  node_.run(a_, "MULTI\r\nGET other\r\nSET k 1\r\nEXEC\r\nGET other\r\n");
  fail_commit();
  EXPECT_EQ(TestNode::take_output(a_),
            ok_ + std::string(kQueued) + std::string(kQueued) + misconf() + bulk("1"));
  EXPECT_EQ(node_.exchange(a_, "GET k\r\n"), kNull);
}

TEST_F(FailedCommitTest, AbortedTransactionKeepsItsOwnError) {
  node_.begin_tick();
  node_.run(a_, "SET k 1\r\nMULTI\r\nGET k\r\nNOSUCH\r\nEXEC\r\n");
  fail_commit();
  EXPECT_EQ(TestNode::take_output(a_),
            misconf() + ok_ + std::string(kQueued) +
                error("ERR unknown command 'NOSUCH', with args beginning with: ") +
                error("EXECABORT Transaction discarded because of previous errors."));
}

TEST_F(FailedCommitTest, WatchOfARowThatDidNotLastMakesExecNull) {
  node_.begin_tick();
  node_.run(a_, "SET k 1\r\nWATCH k\r\n");
  fail_commit();
  EXPECT_EQ(TestNode::take_output(a_), misconf() + misconf());
  ASSERT_TRUE(node_.engine.recover().ok());
  EXPECT_EQ(node_.exchange(a_, "MULTI\r\nGET old\r\nEXEC\r\n"),
            ok_ + std::string(kQueued) + std::string(kNullArray));
}

TEST_F(FailedCommitTest, SilencedRepliesStaySilent) {
  node_.begin_tick();
  node_.run(a_, "CLIENT REPLY OFF\r\nSET k 1\r\nSET j 1\r\nCLIENT REPLY ON\r\nGET k\r\n");
  node_.run(b_, "CLIENT REPLY SKIP\r\nSET k 2\r\nGET other\r\nGET k\r\n");
  fail_commit();
  EXPECT_EQ(TestNode::take_output(a_), ok_ + misconf());
  EXPECT_EQ(TestNode::take_output(b_), bulk("1") + misconf());
}

TEST_F(FailedCommitTest, FlushedDatabaseIsAsItWas) {
  node_.begin_tick();
  node_.run(a_, "FLUSHDB\r\nGET old\r\n");
  fail_commit();
  EXPECT_EQ(TestNode::take_output(a_), misconf() + misconf());
  ASSERT_TRUE(node_.engine.recover().ok());
  EXPECT_EQ(node_.exchange(a_, "GET old\r\nDBSIZE\r\n"), bulk("1") + integer(2));
}

TEST_F(FailedCommitTest, CountAndWalkOverUncommittedKeysAreDependent) {
  node_.begin_tick();
  node_.run(a_, "MULTI\r\nDBSIZE\r\nEXEC\r\n");  // before anything is written
  node_.run(b_, "SET k 1\r\n");
  node_.run(a_, "MULTI\r\nDBSIZE\r\nEXEC\r\nMULTI\r\nKEYS *\r\nEXEC\r\n");
  fail_commit();
  const std::string begun = ok_ + std::string(kQueued);
  EXPECT_EQ(TestNode::take_output(a_),
            begun + array({integer(2)}) + begun + misconf() + begun + misconf());
}

TEST_F(FailedCommitTest, SwappedDatabasesAreAsTheyWere) {
  node_.begin_tick();
  node_.run(a_, "SWAPDB 0 1\r\nGET old\r\n");
  fail_commit();
  EXPECT_EQ(TestNode::take_output(a_), misconf() + misconf());
  EXPECT_EQ(node_.exchange(a_, "GET old\r\n"), bulk("1"));
}

TEST_F(FailedCommitTest, ParkedCommandIsNotAmongTheDependentsAndSucceedsLater) {
  node_.keyspace->set_row_cache_bytes(0);
  node_.keyspace->set_row_cache_bytes(1 << 20);
  node_.engine.set_cold(true);
  node_.begin_tick();
  node_.run(a_, "INCR old\r\n");  // parks
  node_.engine.set_cold(false);
  node_.run(b_, "SET k 1\r\n");
  fail_commit();
  EXPECT_EQ(TestNode::take_output(a_), "");
  EXPECT_EQ(TestNode::take_output(b_), misconf());
  ASSERT_TRUE(node_.engine.recover().ok());
  node_.serve_fetch(a_);
  EXPECT_EQ(node_.exchange(a_, {}), integer(2));
}

TEST_F(FailedCommitTest, WriteThatCouldNotBeStoredIsAnErrorThoughTheRowsStay) {
  node_.begin_tick();
  node_.run(a_, "GET old\r\nSET old 2\r\nDEL other\r\n");
  node_.run(b_, "GET absent\r\n");
  node_.engine.fail_next_store(Status::no_space("No space left on device"));
  EXPECT_FALSE(node_.end_tick().ok());
  EXPECT_EQ(TestNode::take_output(a_), bulk("1") + misconf() + misconf());
  EXPECT_EQ(TestNode::take_output(b_), kNull);
  EXPECT_EQ(node_.exchange(b_, "GET old\r\nDBSIZE\r\nSET old 3\r\n"),
            bulk("2") + integer(1) + misconf());
  ASSERT_TRUE(node_.engine.recover().ok());
  EXPECT_EQ(node_.exchange(b_, "SET old 3\r\nGET old\r\nDBSIZE\r\n"), ok_ + bulk("3") + integer(1));
}

TEST_F(FailedCommitTest, FailedSyncIsAnErrorThoughTheRowsStay) {
  node_.begin_tick();
  node_.run(a_, "GET old\r\nSET old 2\r\n");
  node_.run(b_, "GET other\r\n");
  node_.engine.fail_next_sync(Status::io_error("fsync: Input/output error"));
  EXPECT_FALSE(node_.end_tick(/*sync=*/true).ok());
  EXPECT_EQ(TestNode::take_output(a_), bulk("1") + misconf());
  EXPECT_EQ(TestNode::take_output(b_), bulk("1"));
}

TEST_F(FailedCommitTest, DegradedEngineRefusesWritesAndServesReads) {
  node_.begin_tick();
  node_.run(a_, "SET k 1\r\n");
  fail_commit();
  TestNode::take_output(a_);
  EXPECT_EQ(node_.exchange(b_,
                           "GET old\r\nSET old 9\r\nDEL old\r\nEXISTS old\r\nDBSIZE\r\n"
                           "KEYS old\r\nPING\r\n"),
            bulk("1") + misconf() + misconf() + integer(1) + integer(2) + array({bulk("old")}) +
                "+PONG\r\n");
  EXPECT_EQ(node_.command_totals("del").rejected, 1u);

  ASSERT_TRUE(node_.engine.recover().ok());
  EXPECT_EQ(node_.exchange(b_, "SET old 9\r\nGET old\r\n"), ok_ + bulk("9"));
}

TEST_F(FailedCommitTest, DegradedEngineAbortsTransactionsThatWrite) {
  EXPECT_EQ(node_.exchange(c_, "MULTI\r\nSET k 1\r\n"), ok_ + std::string(kQueued));
  node_.begin_tick();
  node_.run(a_, "SET k 1\r\n");
  fail_commit();
  TestNode::take_output(a_);
  const std::string why = disk_error(node_.engine.health());
  EXPECT_EQ(node_.exchange(b_, "MULTI\r\nGET old\r\nEXEC\r\nMULTI\r\nSET k 1\r\nEXEC\r\n"),
            ok_ + std::string(kQueued) + array({bulk("1")}) + ok_ + misconf() +
                error("EXECABORT Transaction discarded because of previous errors."));
  EXPECT_EQ(node_.exchange(c_, "EXEC\r\nEXEC\r\n"),
            error("EXECABORT Transaction discarded because of: " + why) +
                error("ERR EXEC without MULTI"));
}

}  // namespace
}  // namespace syntropy
