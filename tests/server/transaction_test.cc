// MULTI, EXEC and WATCH over the dispatcher.
#include <gtest/gtest.h>

#include "tests/server/test_node.h"

namespace syntropy {
namespace {

using namespace testing;  // NOLINT: the vocabulary of these tests

class TransactionTest : public ::testing::Test {
 protected:
  std::string send(std::string_view bytes) { return node_.exchange(session_, bytes); }
  std::string other(std::string_view bytes) { return node_.exchange(other_, bytes); }

  TestNode node_;
  Session& session_ = node_.connect();
  Session& other_ = node_.connect();
  const std::string ok_{kOk};
  const std::string queued_{kQueued};
};

TEST_F(TransactionTest, QueuedCommandsAreExecutedTogether) {
  EXPECT_EQ(send("MULTI\r\nSET k 1\r\nINCR k\r\nGET k\r\n"), ok_ + queued_ + queued_ + queued_);
  EXPECT_EQ(other("GET k\r\n"), kNull);
  EXPECT_EQ(send("EXEC\r\nEXEC\r\n"),
            array({ok_, integer(2), bulk("2")}) + error("ERR EXEC without MULTI"));
  EXPECT_EQ(other("GET k\r\n"), bulk("2"));
}

TEST_F(TransactionTest, EachCommandOfATransactionIsCountedByItself) {
  send("MULTI\r\nSET k 1\r\nGET k\r\nGET k\r\nEXEC\r\n");
  EXPECT_EQ(node_.command_totals("get").calls, 2u);
  EXPECT_EQ(node_.command_totals("set").calls, 1u);
  EXPECT_EQ(node_.command_totals("exec").calls, 1u);
  EXPECT_EQ(node_.stat(kKeyspaceHits), 2u);
}

TEST_F(TransactionTest, CommandThatFailsWhenExecutedDoesNotStopTheOthers) {
  EXPECT_EQ(send("SET k text\r\nMULTI\r\nINCR k\r\nSET j 1\r\nEXEC\r\n"),
            ok_ + ok_ + queued_ + queued_ +
                array({error("ERR value is not an integer or out of range"), ok_}));
  EXPECT_EQ(other("GET j\r\n"), bulk("1"));
}

TEST_F(TransactionTest, CommandRefusedWhileQueueingAbortsAll) {
  EXPECT_EQ(send("MULTI\r\nSET k 1\r\nNOSUCH\r\nSET j 1\r\nEXEC\r\nGET k\r\nGET j\r\n"),
            ok_ + queued_ + error("ERR unknown command 'NOSUCH', with args beginning with: ") +
                queued_ + error("EXECABORT Transaction discarded because of previous errors.") +
                std::string(kNull) + std::string(kNull));
}

TEST_F(TransactionTest, NestingAndWatchInsideAreErrorsThatAbortNothing) {
  EXPECT_EQ(send("MULTI\r\nMULTI\r\nWATCH k\r\nSET k 1\r\nEXEC\r\n"),
            ok_ + error("ERR MULTI calls can not be nested") +
                error("ERR WATCH inside MULTI is not allowed") + queued_ + array({ok_}));
}

TEST_F(TransactionTest, DiscardForgetsQueueAndWatch) {
  EXPECT_EQ(send("WATCH k\r\nMULTI\r\nSET k 1\r\nDISCARD\r\nDISCARD\r\nGET k\r\n"),
            ok_ + ok_ + queued_ + ok_ + error("ERR DISCARD without MULTI") + std::string(kNull));
  EXPECT_EQ(other("SET k 2\r\n"), kOk);
  EXPECT_EQ(send("MULTI\r\nGET k\r\nEXEC\r\n"), ok_ + queued_ + array({bulk("2")}));
}

TEST_F(TransactionTest, WatchedKeyThatChangedMakesExecNull) {
  EXPECT_EQ(send("SET k 1\r\nWATCH k\r\nMULTI\r\nSET k 9\r\n"), ok_ + ok_ + ok_ + queued_);
  EXPECT_EQ(other("SET k 1\r\n"), kOk);  // the same value is a change as well
  EXPECT_EQ(send("EXEC\r\nGET k\r\n"), std::string(kNullArray) + bulk("1"));
  // The watch is gone with it.
  EXPECT_EQ(send("MULTI\r\nSET k 9\r\nEXEC\r\n"), ok_ + queued_ + array({ok_}));
}

TEST_F(TransactionTest, WatchedKeyThatWasTouchedByItsOwnClientCountsToo) {
  EXPECT_EQ(send("WATCH k\r\nSET k 1\r\nMULTI\r\nGET k\r\nEXEC\r\n"),
            ok_ + ok_ + ok_ + queued_ + std::string(kNullArray));
}

TEST_F(TransactionTest, WatchedKeyThatExpiredIsAChange) {
  EXPECT_EQ(send("SET k 1 PX 10\r\nWATCH k\r\nMULTI\r\nSET j 1\r\n"), ok_ + ok_ + ok_ + queued_);
  node_.clock.advance_ms(10);
  EXPECT_EQ(send("EXEC\r\n"), kNullArray);
}

TEST_F(TransactionTest, WatchedKeyThatCameAndWentIsAChange) {
  EXPECT_EQ(send("WATCH k\r\nMULTI\r\nGET k\r\n"), ok_ + ok_ + queued_);
  EXPECT_EQ(other("SET k 1\r\nDEL k\r\n"), ok_ + integer(1));
  EXPECT_EQ(send("EXEC\r\n"), kNullArray);
}

TEST_F(TransactionTest, UnwatchForgives) {
  EXPECT_EQ(send("WATCH k\r\n"), kOk);
  EXPECT_EQ(other("SET k 1\r\n"), kOk);
  EXPECT_EQ(send("UNWATCH\r\nMULTI\r\nGET k\r\nEXEC\r\n"),
            ok_ + ok_ + queued_ + array({bulk("1")}));
}

TEST_F(TransactionTest, TransactionsOfOneTickDoNotInterleave) {
  node_.begin_tick();
  node_.run(session_, "MULTI\r\nINCR k\r\nINCR k\r\nGET k\r\n");
  node_.run(other_, "MULTI\r\nINCR k\r\nGET k\r\nEXEC\r\n");
  node_.run(session_, "EXEC\r\n");
  ASSERT_TRUE(node_.end_tick().ok());
  EXPECT_EQ(TestNode::take_output(other_),
            ok_ + queued_ + queued_ + array({integer(1), bulk("1")}));
  EXPECT_EQ(TestNode::take_output(session_),
            ok_ + queued_ + queued_ + queued_ + array({integer(2), integer(3), bulk("3")}));
}

TEST_F(TransactionTest, SelectInsideHoldsForWhatFollows) {
  EXPECT_EQ(
      send("MULTI\r\nSELECT 1\r\nSET k 1\r\nSELECT 0\r\nGET k\r\nEXEC\r\n"),
      ok_ + queued_ + queued_ + queued_ + queued_ + array({ok_, ok_, ok_, std::string(kNull)}));
}

TEST_F(TransactionTest, ColdRowsAreFetchedBeforeAnythingIsExecuted) {
  send("SET a 1\r\nSET b 2\r\nSET w 3\r\nWATCH w\r\n");
  node_.keyspace->set_row_cache_bytes(0);
  node_.keyspace->set_row_cache_bytes(1 << 20);
  node_.engine.set_cold(true);
  node_.begin_tick();
  node_.run(session_, "MULTI\r\nINCR a\r\nINCR b\r\nEXEC\r\nPING\r\n");
  EXPECT_EQ(session_.wait(), Session::Wait::kFetch);
  EXPECT_EQ(session_.misses().size(), 3u);
  ASSERT_TRUE(node_.end_tick().ok());
  EXPECT_EQ(TestNode::take_output(session_), ok_ + queued_ + queued_);
  node_.serve_fetch(session_);
  EXPECT_EQ(node_.exchange(session_, {}), array({integer(2), integer(3)}) + "+PONG\r\n");
  EXPECT_EQ(node_.command_totals("incr").calls, 2u);
  EXPECT_EQ(node_.command_totals("exec").calls, 1u);
}

TEST_F(TransactionTest, AbortedExecReadsNothing) {
  send("SET a 1\r\n");
  node_.keyspace->set_row_cache_bytes(0);
  node_.engine.set_cold(true);
  EXPECT_EQ(send("MULTI\r\nGET a\r\nNOSUCH\r\n"),
            ok_ + queued_ + error("ERR unknown command 'NOSUCH', with args beginning with: "));
  EXPECT_EQ(send("EXEC\r\n"), error("EXECABORT Transaction discarded because of previous errors."));
  EXPECT_EQ(node_.stat(kFetches), 0u);
}

}  // namespace
}  // namespace syntropy
