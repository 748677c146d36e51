// Rows that aren't in memory: the session parks, others go on, and the command takes place once.
#include <gtest/gtest.h>

#include "tests/server/test_node.h"

namespace syntropy {
namespace {

using namespace testing;  // NOLINT: the vocabulary of these tests

class ColdReadTest : public ::testing::Test {
 protected:
  ColdReadTest() {
    node_.exchange(session_, "SET a 1\r\nSET b 2\r\nAPPEND text x\r\n");
    make_cold();
  }

  /// Empties the row cache and makes the engine answer nothing from memory.
  void make_cold() {
    node_.keyspace->set_row_cache_bytes(0);
    node_.keyspace->set_row_cache_bytes(1 << 20);
    node_.engine.set_cold(true);
  }

  TestNode node_;
  Session& session_ = node_.connect();
  Session& other_ = node_.connect();
};

TEST_F(ColdReadTest, ReadParksAndIsAnsweredAfterTheFetch) {
  node_.begin_tick();
  node_.run(session_, "PING\r\nGET a\r\nPING\r\n");
  EXPECT_EQ(session_.wait(), Session::Wait::kFetch);
  EXPECT_EQ(session_.misses().size(), 1u);
  ASSERT_TRUE(node_.end_tick().ok());
  EXPECT_EQ(TestNode::take_output(session_), "+PONG\r\n");

  node_.serve_fetch(session_);
  node_.begin_tick();
  node_.run(session_);
  ASSERT_TRUE(node_.end_tick().ok());
  EXPECT_EQ(session_.wait(), Session::Wait::kNone);
  EXPECT_EQ(TestNode::take_output(session_), bulk("1") + "+PONG\r\n");
  EXPECT_EQ(node_.command_totals("get").calls, 1u);
  EXPECT_EQ(node_.stat(kKeyspaceHits), 1u);
  EXPECT_EQ(node_.stat(kFetches), 1u);
}

TEST_F(ColdReadTest, WriteTakesPlaceOnce) {
  EXPECT_EQ(node_.exchange(session_, "APPEND text y\r\nINCRBY a 5\r\nGET text\r\n"),
            integer(2) + integer(6) + bulk("xy"));
  EXPECT_EQ(node_.command_totals("append").calls, 2u);  // one is the constructor's
  EXPECT_EQ(node_.command_totals("incrby").calls, 1u);
  EXPECT_EQ(node_.stat(kFetches), 1u);
}

TEST_F(ColdReadTest, APipelineOfColdRowsIsFetchedAtOnce) {
  node_.engine.set_cold(false);
  std::string gets;
  std::string replies;
  for (int i = 0; i < 200; ++i) {
    const std::string key = "k" + std::to_string(i);
    node_.exchange(session_, "SET " + key + " v\r\n");
    gets += "GET " + key + "\r\n";
    replies += bulk("v");
  }
  make_cold();
  EXPECT_EQ(node_.exchange(session_, gets + "NOSUCH\r\nGET\r\nPING\r\n" + "GET k1\r\nGET k"),
            replies + error("ERR unknown command 'NOSUCH', with args beginning with: ") +
                error("ERR wrong number of arguments for 'get' command") + "+PONG\r\n" + bulk("v"));
  EXPECT_EQ(node_.stat(kFetches), 1u);
  EXPECT_EQ(node_.exchange(session_, "2\r\n"), bulk("v"));
}

TEST_F(ColdReadTest, AllRowsOfACommandAreFetchedAtOnce) {
  node_.begin_tick();
  node_.run(session_, "MGET a b text\r\n");
  ASSERT_TRUE(node_.end_tick().ok());
  EXPECT_EQ(session_.misses().size(), 3u);
  node_.serve_fetch(session_);
  EXPECT_EQ(node_.exchange(session_, {}), array({bulk("1"), bulk("2"), bulk("x")}));
  EXPECT_EQ(node_.stat(kFetches), 1u);
}

TEST_F(ColdReadTest, CommandThatMetAMissHalfwayLeavesNothingBehind) {
  // `b` is in memory, `a` is not: MSETNX has looked at one of them when it meets the miss.
  EXPECT_EQ(node_.exchange(other_, "GET b\r\n"), bulk("2"));
  node_.begin_tick();
  node_.run(session_, "RENAME b a\r\n");
  node_.run(other_, "GET b\r\n");
  ASSERT_TRUE(node_.end_tick().ok());
  EXPECT_EQ(TestNode::take_output(other_), bulk("2"));
  EXPECT_EQ(session_.wait(), Session::Wait::kFetch);
  node_.serve_fetch(session_);
  EXPECT_EQ(node_.exchange(session_, "MGET a b\r\n"),
            std::string(kOk) + array({bulk("2"), std::string(kNull)}));
  EXPECT_EQ(node_.command_totals("rename").calls, 1u);
}

TEST_F(ColdReadTest, OthersGoOnMeanwhileAndTheRetrySeesWhatTheyWrote) {
  node_.begin_tick();
  node_.run(session_, "INCR a\r\n");
  node_.run(other_, "SET fresh 1\r\nSET fresh 2\r\n");
  ASSERT_TRUE(node_.end_tick().ok());
  EXPECT_EQ(session_.wait(), Session::Wait::kFetch);
  node_.exchange(other_, "SET a 100\r\n");
  node_.serve_fetch(session_);
  EXPECT_EQ(node_.exchange(session_, {}), integer(101));
}

TEST_F(ColdReadTest, WatchIsRegisteredOnceItsRowIsKnown) {
  EXPECT_EQ(node_.exchange(session_, "WATCH a\r\n"), kOk);
  EXPECT_EQ(session_.client().watched.size(), 1u);
  EXPECT_EQ(node_.exchange(session_, "MULTI\r\nGET b\r\nEXEC\r\n"),
            std::string(kOk) + std::string(kQueued) + array({bulk("2")}));
}

TEST_F(ColdReadTest, RowsEvictedFasterThanTheyAreUsedAreReadInPlace) {
  node_.keyspace->set_row_cache_bytes(0);  // fetched rows are gone at once
  EXPECT_EQ(node_.exchange(session_, "MGET a b\r\n"), array({bulk("1"), bulk("2")}));
  EXPECT_EQ(node_.stat(kFetches), 3u);
  EXPECT_EQ(node_.command_totals("mget").calls, 1u);
  EXPECT_EQ(node_.stat(kKeyspaceHits), 2u);
}

TEST_F(ColdReadTest, ReadErrorIsAnsweredAndTheSessionGoesOn) {
  node_.keyspace->set_row_cache_bytes(0);
  node_.begin_tick();
  node_.run(session_, "GET a\r\nPING\r\n");
  ASSERT_TRUE(node_.end_tick().ok());
  // The fetch fails, and so does the read of the command that is executed anew.
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(session_.wait(), Session::Wait::kFetch);
    session_.resume();
    if (i == 2) node_.engine.fail_next_read(Status::io_error("bad sector"));
    node_.begin_tick();
    node_.run(session_);
    ASSERT_TRUE(node_.end_tick().ok());
  }
  EXPECT_EQ(TestNode::take_output(session_),
            error("ERR reading from disk failed: bad sector") + "+PONG\r\n");
  EXPECT_EQ(node_.exchange(session_, "GET a\r\n"), bulk("1"));
}

TEST_F(ColdReadTest, ReadErrorUndoesTheCommand) {
  node_.keyspace->set_row_cache_bytes(0);
  node_.engine.set_cold(false);
  node_.engine.fail_next_read(Status::corruption("000007.sst"));
  EXPECT_EQ(node_.exchange(session_, "INCR a\r\nGET a\r\n"),
            error("ERR reading from disk failed: 000007.sst") + bulk("1"));
}

}  // namespace
}  // namespace syntropy
