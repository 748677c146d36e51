// The dispatcher in cluster mode: what is refused, in which order, and what that does to
// transactions. The replies are those of redis-server 7.0.15 in the same cluster.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/cluster/redirect.h"
#include "server/proxy/proxy_pool.h"
#include "tests/server/test_node.h"
#include "tests/support/fake_cluster.h"

namespace syntropy {
namespace {

using namespace testing;  // NOLINT: the vocabulary of these tests
using ::testing::HasSubstr;

const std::string kMoved = error("MOVED 15495 127.0.0.1:7002");  // of key "a"
const std::string kCross = error("CROSSSLOT Keys in request don't hash to the same slot");
const std::string kAborted = error("EXECABORT Transaction discarded because of previous errors.");

class ClusterRoutingTest : public ::testing::Test {
 protected:
  ClusterRoutingTest() {
    // "b" is in slot 3300, "a" in 15495; 1 and 2 are primaries, 3 a replica of 1; this is 1.
    cluster_ = std::make_unique<FakeCluster>(std::vector<FakeMember>{
        {.id = node_id('1'), .slots = {{0, 8000}}, .epoch = 1, .port = 7001},
        {.id = node_id('2'), .slots = {{8001, 16383}}, .epoch = 2, .port = 7002},
        {.id = node_id('3'), .primary = node_id('1'), .port = 7003}});
    node_.context.cluster = cluster_.get();
  }

  std::string send(std::string_view bytes) { return node_.exchange(session_, bytes); }
  void set_config(const std::string& name, const std::string& value) {
    const Status set = node_.config.set({{name, value}});
    EXPECT_TRUE(set.ok()) << set.message();
  }
  /// Changes what clients are told.
  template <class Change>
  void change(Change change) {
    Routing routing = cluster_->current_routing();
    change(routing);
    cluster_->gate().publish(std::make_shared<const Routing>(std::move(routing)));
  }
  void become_replica_of_first() {
    change([](Routing& routing) {
      routing.self = node_id('3');
      routing.primary = node_id('1');
    });
  }
  /// Slot 3300 of this node is on its way to the second.
  void migrate() {
    change([](Routing& routing) { routing.migrating = {{3300, routing.owner[15495]}}; });
  }
  void import() {
    change([](Routing& routing) { routing.importing = {{15495, routing.owner[15495]}}; });
  }

  TestNode node_;
  std::unique_ptr<FakeCluster> cluster_;
  Session& session_ = node_.connect();
  const std::string ok_{kOk};
  const std::string queued_{kQueued};
};

// --- single commands -----------------------------------------------------------------------------

TEST_F(ClusterRoutingTest, KeysOfOthersAreSentThere) {
  EXPECT_EQ(send("SET b 1\r\nGET b\r\nSET a 1\r\nGET a\r\n"), ok_ + bulk("1") + kMoved + kMoved);
  EXPECT_EQ(send("MGET b a\r\nMGET b b\r\n"), kCross + array({bulk("1"), bulk("1")}));
  EXPECT_EQ(send("WATCH a\r\n"), kMoved);
  EXPECT_EQ(send("DBSIZE\r\nPING\r\n"), integer(1) + "+PONG\r\n");
}

TEST_F(ClusterRoutingTest, RefusedCommandsAreCountedAsRejected) {
  send("GET a\r\n");
  EXPECT_EQ(node_.command_totals("get").rejected, 1u);
  EXPECT_EQ(node_.command_totals("get").calls, 0u);
}

TEST_F(ClusterRoutingTest, WithoutAClusterNothingIsChecked) {
  node_.context.cluster = nullptr;
  EXPECT_EQ(send("SET a 1\r\nMGET a b\r\n"), ok_ + array({bulk("1"), std::string(kNull)}));
}

TEST_F(ClusterRoutingTest, ArityComesBeforeTheSlot) {
  EXPECT_EQ(send("GET a b\r\n"), error("ERR wrong number of arguments for 'get' command"));
}

TEST_F(ClusterRoutingTest, ATurnSeesOneView) {
  node_.begin_tick();
  node_.run(session_, "GET a\r\n");
  change(
      [](Routing& routing) { std::fill(routing.owner.begin(), routing.owner.end(), uint16_t{0}); });
  node_.run(session_, "GET a\r\n");
  EXPECT_TRUE(node_.end_tick().ok());
  EXPECT_EQ(TestNode::take_output(session_), kMoved + kMoved);
  EXPECT_EQ(send("GET a\r\n"), std::string(kNull));
}

// --- health --------------------------------------------------------------------------------------

TEST_F(ClusterRoutingTest, ANodeThatMayHaveBeenReplacedServesNothing) {
  cluster_->gate().set_serve_until(0);
  const std::string down = error(kClusterDown);
  EXPECT_EQ(send("GET b\r\nSET b 1\r\nFLUSHALL\r\nPING\r\n"), down + down + down + "+PONG\r\n");
  set_config("cluster-allow-reads-when-down", "yes");
  EXPECT_EQ(
      send("GET b\r\nSET b 1\r\n"),
      std::string(kNull) + error("CLUSTERDOWN The cluster is down and only accepts read commands"));
}

TEST_F(ClusterRoutingTest, BeforeTheFirstViewNothingIsServed) {
  cluster_->gate().publish(nullptr);
  EXPECT_EQ(send("GET b\r\n"), error(kClusterDown));
}

TEST_F(ClusterRoutingTest, TooFewReplicasRefuseWrites) {
  const std::string refused = error("NOREPLICAS Not enough good replicas to write.");
  set_config("min-replicas-to-write", "1");
  EXPECT_EQ(send("SET b 1\r\nGET b\r\nSET a 1\r\n"), refused + std::string(kNull) + kMoved);
  EXPECT_EQ(send("MULTI\r\nSET b 1\r\nEXEC\r\n"), ok_ + refused + kAborted);
  cluster_->good = 1;
  EXPECT_EQ(send("SET b 1\r\n"), ok_);
  cluster_->good = 0;
  set_config("min-replicas-max-lag", "0");
  EXPECT_EQ(send("SET b 1\r\n"), ok_);
}

TEST_F(ClusterRoutingTest, TooFewReplicasAbortATransactionThatWasQueuedBefore) {
  set_config("min-replicas-to-write", "1");
  cluster_->good = 1;
  EXPECT_EQ(send("MULTI\r\nSET b 1\r\n"), ok_ + queued_);
  cluster_->good = 0;
  EXPECT_EQ(send("EXEC\r\n"),
            error("EXECABORT Transaction discarded because of: NOREPLICAS Not enough good replicas "
                  "to write."));
}

// --- replicas ------------------------------------------------------------------------------------

TEST_F(ClusterRoutingTest, AReplicaAnswersReadsAfterReadonly) {
  const std::string to_primary = error("MOVED 3300 127.0.0.1:7001");
  send("SET b 1\r\n");
  become_replica_of_first();
  EXPECT_EQ(send("GET b\r\nREADONLY\r\nGET b\r\nSET b 2\r\nGET a\r\n"),
            to_primary + ok_ + bulk("1") + to_primary + kMoved);
  EXPECT_EQ(send("MULTI\r\nGET b\r\nEXEC\r\n"), ok_ + queued_ + array({bulk("1")}));
  EXPECT_EQ(send("MULTI\r\nGET b\r\nSET b 1\r\nEXEC\r\n"), ok_ + queued_ + to_primary + kAborted);
  EXPECT_EQ(send("READWRITE\r\nGET b\r\n"), ok_ + to_primary);
}

TEST_F(ClusterRoutingTest, AReplicaFlushesNothing) {
  become_replica_of_first();
  EXPECT_EQ(send("FLUSHALL\r\n"), error(kReadOnlyReplica));
  EXPECT_EQ(send("SWAPDB 0 0\r\n"), error(kReadOnlyReplica));
}

// --- transactions --------------------------------------------------------------------------------

TEST_F(ClusterRoutingTest, ACommandForAnotherNodeAbortsTheTransaction) {
  EXPECT_EQ(send("MULTI\r\nGET b\r\nGET a\r\nEXEC\r\n"), ok_ + queued_ + kMoved + kAborted);
  EXPECT_EQ(send("MULTI\r\nMGET a b\r\nEXEC\r\n"), ok_ + kCross + kAborted);
}

TEST_F(ClusterRoutingTest, ExecAnswersForAllKeysTogether) {
  change(
      [](Routing& routing) { std::fill(routing.owner.begin(), routing.owner.end(), uint16_t{0}); });
  EXPECT_EQ(
      send("MULTI\r\nSET b 1\r\nSET a 1\r\nEXEC\r\nEXEC\r\nGET b\r\n"),
      ok_ + queued_ + queued_ + kCross + error("ERR EXEC without MULTI") + std::string(kNull));
}

TEST_F(ClusterRoutingTest, ASlotThatLeftBeforeExecIsFollowed) {
  EXPECT_EQ(send("MULTI\r\nSET b 1\r\n"), ok_ + queued_);
  change([](Routing& routing) { routing.owner[3300] = routing.owner[15495]; });
  EXPECT_EQ(send("EXEC\r\nEXEC\r\n"),
            error("MOVED 3300 127.0.0.1:7002") + error("ERR EXEC without MULTI"));
}

TEST_F(ClusterRoutingTest, ATransactionWithoutKeysRunsAnywhere) {
  EXPECT_EQ(send("MULTI\r\nPING\r\nEXEC\r\n"), ok_ + queued_ + array({"+PONG\r\n"}));
}

TEST_F(ClusterRoutingTest, QuestionsToTheLoopAreInTransactionsAmongTheirLike) {
  const std::string self = bulk(std::string(40, '1'));
  const std::string refused = error("ERR Command not allowed inside a transaction");
  EXPECT_EQ(send("MULTI\r\nCLUSTER MYID\r\nCLUSTER BUMPEPOCH\r\nEXEC\r\n").substr(0, 23),
            ok_ + queued_ + queued_);
  EXPECT_EQ(send("MULTI\r\nCLUSTER MYID\r\nCLUSTER MYID\r\nEXEC\r\nPING\r\n"),
            ok_ + queued_ + queued_ + array({self, self}) + "+PONG\r\n");
  EXPECT_EQ(send("MULTI\r\nCLUSTER MYID\r\nGET b\r\nEXEC\r\n"), ok_ + queued_ + refused + kAborted);
  EXPECT_EQ(send("MULTI\r\nGET b\r\nCLUSTER MYID\r\nEXEC\r\n"), ok_ + queued_ + refused + kAborted);
  EXPECT_EQ(send("MULTI\r\nMIGRATE h 1 b 0 1\r\nEXEC\r\n"), ok_ + refused + kAborted);
  EXPECT_EQ(send("MULTI\r\nCLUSTER KEYSLOT b\r\nEXEC\r\n"), ok_ + queued_ + array({integer(3300)}));
}

TEST_F(ClusterRoutingTest, SubcommandsAreAnsweredByAWorker) {
  EXPECT_EQ(send("CLUSTER MYID\r\nCLUSTER KEYSLOT b\r\n"),
            bulk(std::string(40, '1')) + integer(3300));
}

// --- slots on their way --------------------------------------------------------------------------

TEST_F(ClusterRoutingTest, AKeyThatHasLeftIsAskedForAtTheTarget) {
  const std::string ask = error("ASK 3300 127.0.0.1:7002");
  const std::string again = error("TRYAGAIN Multiple keys request during rehashing of slot");
  send("SET {b}1 x\r\n");
  migrate();
  EXPECT_EQ(send("GET {b}1\r\nGET {b}2\r\nSET {b}2 v\r\n"), bulk("x") + ask + ask);
  EXPECT_EQ(send("MGET {b}1 {b}2\r\nMGET {b}3 {b}2\r\nMGET {b}1 {b}1\r\n"),
            again + ask + array({bulk("x"), bulk("x")}));
  EXPECT_EQ(send("MULTI\r\nGET {b}1\r\nGET {b}2\r\nEXEC\r\n"), ok_ + queued_ + ask + kAborted);
}

TEST_F(ClusterRoutingTest, TheLookBeforeAnAskIsNotTheClients) {
  send("SET {b}1 x\r\n");
  migrate();
  send("GET {b}2\r\n");
  EXPECT_EQ(node_.stat(kKeyspaceMisses), 0u);
  send("GET {b}1\r\n");
  EXPECT_EQ(node_.stat(kKeyspaceHits), 1u);
}

TEST_F(ClusterRoutingTest, ColdRowsOfASlotOnItsWayAreFetchedFirst) {
  send("SET {b}1 x\r\n");
  migrate();
  node_.keyspace->set_row_cache_bytes(0);
  node_.keyspace->set_row_cache_bytes(1 << 20);
  node_.engine.set_cold(true);
  EXPECT_EQ(send("GET {b}1\r\nGET {b}2\r\n"), bulk("x") + error("ASK 3300 127.0.0.1:7002"));
  EXPECT_GE(node_.stat(kFetches), 1u);
  EXPECT_EQ(node_.command_totals("get").calls, 1u);
}

TEST_F(ClusterRoutingTest, AskingGoesForOneCommand) {
  import();
  EXPECT_EQ(send("GET a\r\nASKING\r\nSET a 1\r\nGET a\r\n"), kMoved + ok_ + ok_ + kMoved);
  EXPECT_EQ(send("ASKING\r\nMGET a {a}1\r\n"),
            ok_ + error("TRYAGAIN Multiple keys request during rehashing of slot"));
  EXPECT_EQ(send("ASKING\r\nPING\r\nGET a\r\n"), ok_ + "+PONG\r\n" + kMoved);
}

TEST_F(ClusterRoutingTest, AskingGoesForATransaction) {
  import();
  EXPECT_EQ(send("ASKING\r\nMULTI\r\nSET a 1\r\nGET a\r\nEXEC\r\nGET a\r\n"),
            ok_ + ok_ + queued_ + queued_ + array({ok_, bulk("1")}) + kMoved);
}

// --- the rest ------------------------------------------------------------------------------------

TEST_F(ClusterRoutingTest, WaitParksTheConnectionBehindWhatItWrote) {
  node_.begin_tick();
  node_.run(session_, "SET b 1\r\nWAIT 1 0\r\nGET b\r\n");
  EXPECT_EQ(session_.wait(), Session::Wait::kReplicas);
  EXPECT_TRUE(node_.end_tick().ok());
  EXPECT_EQ(TestNode::take_output(session_), kOk);
  Dispatcher::reply_replicas(session_, 1);
  session_.resume();
  session_.client().replica_wait.reset();
  EXPECT_EQ(send(""), integer(1) + bulk("1"));
}

TEST_F(ClusterRoutingTest, WaitIsSilentWhenRepliesAreOff) {
  session_.client().reply_mode = Client::ReplyMode::kOff;
  Dispatcher::reply_replicas(session_, 1);
  EXPECT_EQ(TestNode::take_output(session_), "");
  session_.client().reply_mode = Client::ReplyMode::kSkipThis;
  Dispatcher::reply_replicas(session_, 1);
  EXPECT_EQ(TestNode::take_output(session_), "");
  EXPECT_EQ(session_.client().reply_mode, Client::ReplyMode::kOn);
}

TEST_F(ClusterRoutingTest, ACommitThatIsRefusedSaysThatTheNodeWasReplaced) {
  EXPECT_EQ(disk_error(Status::unavailable("gone")), "CLUSTERDOWN gone");
  EXPECT_THAT(disk_error(Status::io_error("full")), HasSubstr("MISCONF Errors writing to disk"));
}

TEST_F(ClusterRoutingTest, RestoreAskingNeedsNoAskingBefore) {
  import();
  send(request({"ASKING"}));
  EXPECT_EQ(send(request({"SET", "a", "1"})), ok_);
  const std::vector<std::string> dumped =
      split_replies(send(request({"ASKING"}) + request({"DUMP", "a"})));
  const std::string payload = dumped.at(1).substr(dumped.at(1).find("\r\n") + 2);
  const std::string bytes = payload.substr(0, payload.size() - 2);
  EXPECT_EQ(send(request({"RESTORE", "a", "0", bytes, "REPLACE"})), kMoved);
  EXPECT_EQ(send(request({"RESTORE-ASKING", "a", "0", bytes, "REPLACE"})), ok_);
}

TEST_F(ClusterRoutingTest, WhatIsForwardedKeepsItsPlaceWhenAReplyBecomesAnError) {
  ProxyPool pool(node_.context);
  node_.context.proxy = &pool;
  session_.client().proxied = true;
  node_.begin_tick();
  node_.run(session_, request({"SET", "b", "1"}) + request({"GET", "a"}) + request({"GET", "a"}));
  EXPECT_EQ(session_.wait(), Session::Wait::kForward);
  session_.replace_replies({{0, ok_.size()}}, "MISCONF no");
  Session::Forwards forwards = session_.take_forwards();
  EXPECT_EQ(forwards.requests.size(), 2u);
  for (Session::Forwards::Request& forward : forwards.requests) forward.reply = "$1\r\nx\r\n";
  session_.take_in(forwards);
  EXPECT_EQ(TestNode::take_output(session_), error("MISCONF no") + bulk("x") + bulk("x"));
  node_.context.proxy = nullptr;
}

}  // namespace
}  // namespace syntropy
