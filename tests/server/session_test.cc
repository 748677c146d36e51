// A session alone: pipelines, input in pieces, refusals, reply modes, pauses.
#include "server/session.h"

#include <gtest/gtest.h>

#include "tests/server/test_node.h"

namespace syntropy {
namespace {

using namespace testing;  // NOLINT: the vocabulary of these tests

class SessionTest : public ::testing::Test {
 protected:
  std::string send(std::string_view bytes) { return node_.exchange(session_, bytes); }

  TestNode node_;
  Session& session_ = node_.connect();
};

TEST_F(SessionTest, PipelineIsAnsweredInOrderByOneWrite) {
  const uint64_t writes = node_.engine.writes();
  EXPECT_EQ(
      send("SET k 1\r\nINCR k\r\nGET k\r\nDEL k\r\nGET k\r\nPING\r\n"),
      std::string(kOk) + integer(2) + bulk("2") + integer(1) + std::string(kNull) + "+PONG\r\n");
  EXPECT_EQ(node_.engine.writes(), writes + 1);
}

TEST_F(SessionTest, RequestInPiecesIsExecutedOnceItIsWhole) {
  const std::string bytes = request({"APPEND", "k", "piece"}) + request({"GET", "k"});
  std::string replies;
  for (const char byte : bytes) replies += send(std::string(1, byte));
  EXPECT_EQ(replies, integer(5) + bulk("piece"));
}

TEST_F(SessionTest, SpentTurnLeavesTheRestForTheNext) {
  node_.begin_tick(2);
  node_.run(session_, "SET a 1\r\nSET b 2\r\nGET a\r\n");
  ASSERT_TRUE(node_.end_tick().ok());
  EXPECT_TRUE(session_.has_more());
  EXPECT_EQ(TestNode::take_output(session_), std::string(kOk) + std::string(kOk));
  EXPECT_EQ(send({}), bulk("1"));
  EXPECT_FALSE(session_.has_more());
}

TEST_F(SessionTest, UnknownCommandNamesItselfAndItsArguments) {
  EXPECT_EQ(send("NOSUCH a b\r\n"),
            error("ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' "));
  EXPECT_EQ(send("nosuch\r\n"), error("ERR unknown command 'nosuch', with args beginning with: "));
  EXPECT_EQ(send("CLIENT NOSUCH\r\n"), error("ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP."));
}

TEST_F(SessionTest, UnknownCommandShowsNoMoreThan128Bytes) {
  const std::string reply = send(request({std::string(1000, 'x'), std::string(1000, 'y')}));
  EXPECT_EQ(reply, error("ERR unknown command '" + std::string(128, 'x') +
                         "', with args beginning with: '" + std::string(128, 'y') + "' "));
}

TEST_F(SessionTest, WrongNumberOfArgumentsIsRefusedAndCounted) {
  EXPECT_EQ(send("GET\r\n"), error("ERR wrong number of arguments for 'get' command"));
  EXPECT_EQ(send("CLIENT SETNAME\r\n"),
            error("ERR wrong number of arguments for 'client|setname' command"));
  EXPECT_EQ(node_.command_totals("get").rejected, 1u);
  EXPECT_EQ(node_.command_totals("get").calls, 0u);
  EXPECT_EQ(node_.stat(kErrorReplies), 2u);
}

TEST_F(SessionTest, ProtocolErrorIsAnsweredBehindEarlierRepliesAndCloses) {
  EXPECT_EQ(send("PING\r\n*1\r\n+x\r\nPING\r\n"),
            "+PONG\r\n" + error("ERR Protocol error: expected '$', got '+'"));
  EXPECT_TRUE(session_.client().close_after_reply);
}

TEST_F(SessionTest, NothingBehindQuitIsExecuted) {
  EXPECT_EQ(send("QUIT\r\nSET k 1\r\n"), kOk);
  EXPECT_TRUE(session_.client().close_after_reply);
  EXPECT_EQ(node_.exchange(node_.connect(), "GET k\r\n"), kNull);
}

TEST_F(SessionTest, UnauthenticatedClientMayOnlyAuthenticate) {
  ASSERT_TRUE(node_.config.set({{"requirepass", "secret"}}).ok());
  session_.client().authenticated = false;
  EXPECT_EQ(send("GET k\r\nAUTH secret\r\nGET k\r\n"),
            error("NOAUTH Authentication required.") + std::string(kOk) + std::string(kNull));
}

TEST_F(SessionTest, SaysWhichRowsItsNextCommandsAreAbout) {
  Tick tick(*node_.keyspace);
  const auto warmed = [&](std::string_view bytes) {
    tick.prefetch();
    session_.warm(bytes, tick);
    return tick.warmed();
  };
  EXPECT_EQ(warmed("GET a\r\nMGET b c\r\nPING\r\nNOSUCH d\r\nSET e\r\nGET f"), 3u);
  EXPECT_EQ(warmed("*1\r\n$x"), 0u);
  session_.client().authenticated = false;
  EXPECT_EQ(warmed("GET a\r\n"), 0u) << "what it says may be refused";
  session_.client().authenticated = true;
  EXPECT_EQ(send("GET a\r\nGET"), kNull);
  EXPECT_EQ(warmed(" b\r\n"), 0u) << "the rest of a command";
}

// --- worker commands ---------------------------------------------------------------------------

TEST_F(SessionTest, WorkerCommandParksThePipelineBehindIt) {
  node_.begin_tick();
  node_.run(session_, "SET k 1\r\nDBSIZE\r\nSET j 1\r\nDBSIZE\r\n");
  EXPECT_EQ(session_.wait(), Session::Wait::kWorker);
  ASSERT_TRUE(node_.end_tick().ok());
  EXPECT_EQ(session_.output(), kOk);
  node_.serve_worker(session_);
  EXPECT_EQ(session_.output(), std::string(kOk) + integer(1));
  EXPECT_EQ(send({}), std::string(kOk) + integer(1) + std::string(kOk) + integer(2));
  EXPECT_EQ(node_.command_totals("dbsize").calls, 2u);
}

TEST_F(SessionTest, ParkedSessionKeepsWhatArrives) {
  node_.begin_tick();
  node_.run(session_, "DBSIZE\r\nPI");
  node_.run(session_, "NG\r\n");
  ASSERT_TRUE(node_.end_tick().ok());
  EXPECT_EQ(session_.output(), "");
  node_.serve_worker(session_);
  EXPECT_EQ(send({}), integer(0) + "+PONG\r\n");
}

TEST_F(SessionTest, WorkerCommandSeesExpiredKeysGoneAtOnce) {
  EXPECT_EQ(send("SET k 1 PX 10\r\nSET j 1\r\nDBSIZE\r\n"),
            std::string(kOk) + std::string(kOk) + integer(2));
  node_.clock.advance_ms(10);
  EXPECT_EQ(send("DBSIZE\r\nMULTI\r\nDBSIZE\r\nEXEC\r\n"),
            integer(1) + std::string(kOk) + std::string(kQueued) + array({integer(1)}));
}

// --- CLIENT REPLY ------------------------------------------------------------------------------

TEST_F(SessionTest, ReplyOffSilencesUntilOn) {
  EXPECT_EQ(send("CLIENT REPLY OFF\r\nSET k 1\r\nGET k\r\nNOSUCH\r\nDBSIZE\r\nCLIENT REPLY ON\r\n"
                 "GET k\r\n"),
            std::string(kOk) + bulk("1"));
}

TEST_F(SessionTest, ReplySkipSilencesOneCommand) {
  EXPECT_EQ(send("CLIENT REPLY SKIP\r\nSET k 1\r\nGET k\r\n"), bulk("1"));
  EXPECT_EQ(send("CLIENT REPLY SKIP\r\nNOSUCH\r\nGET k\r\n"), bulk("1"));
  EXPECT_EQ(send("CLIENT REPLY SKIP\r\nDBSIZE\r\nGET k\r\n"), bulk("1"));
}

TEST_F(SessionTest, ReplySkipHoldsForTheRetryOfAColdRead) {
  send("SET k 1\r\nSET j 2\r\n");
  node_.keyspace->set_row_cache_bytes(0);
  node_.engine.set_cold(true);
  EXPECT_EQ(send("CLIENT REPLY SKIP\r\nGET k\r\nGET j\r\n"), bulk("2"));
}

// --- CLIENT PAUSE ------------------------------------------------------------------------------

TEST_F(SessionTest, PauseWriteHoldsWritesAndLetsReadsPass) {
  Session& other = node_.connect();
  EXPECT_EQ(send("SET k 1\r\nCLIENT PAUSE 1000 WRITE\r\n"), std::string(kOk) + std::string(kOk));
  EXPECT_EQ(node_.exchange(other, "GET k\r\nSET k 2\r\nGET k\r\n"), bulk("1"));
  EXPECT_EQ(other.wait(), Session::Wait::kPause);
  EXPECT_EQ(send("GET k\r\n"), bulk("1"));

  node_.clock.advance_ms(999);
  other.resume();
  EXPECT_EQ(node_.exchange(other, {}), "");
  node_.clock.advance_ms(1);
  other.resume();
  EXPECT_EQ(node_.exchange(other, {}), std::string(kOk) + bulk("2"));
  EXPECT_EQ(node_.command_totals("set").calls, 2u);
}

TEST_F(SessionTest, PauseWriteHoldsATransactionThatWrites) {
  Session& other = node_.connect();
  EXPECT_EQ(send("CLIENT PAUSE 1000 WRITE\r\n"), kOk);
  EXPECT_EQ(node_.exchange(other, "MULTI\r\nSET k 1\r\nEXEC\r\n"),
            std::string(kOk) + std::string(kQueued));
  EXPECT_EQ(other.wait(), Session::Wait::kPause);
  EXPECT_EQ(send("CLIENT UNPAUSE\r\nGET k\r\n"), std::string(kOk) + std::string(kNull));
  other.resume();
  EXPECT_EQ(node_.exchange(other, {}), array({std::string(kOk)}));
}

TEST_F(SessionTest, PauseAllHoldsReadsAndWorkerCommands) {
  Session& other = node_.connect();
  EXPECT_EQ(send("CLIENT PAUSE 1000\r\n"), kOk);
  EXPECT_EQ(node_.exchange(other, "GET k\r\nDBSIZE\r\n"), "");
  EXPECT_EQ(other.wait(), Session::Wait::kPause);
  node_.clock.advance_ms(1000);
  other.resume();
  EXPECT_EQ(node_.exchange(other, {}), std::string(kNull) + integer(0));
}

}  // namespace
}  // namespace syntropy
