// WAIT on real connections: who waits is parked, and answered or given up.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "tests/server/pool_peer.h"
#include "tests/server/test_node.h"
#include "tests/support/fake_cluster.h"

namespace syntropy::testing {
namespace {

class ReplicaWaitTest : public ::testing::Test {
 protected:
  ReplicaWaitTest() {
    cluster_.on_wait = [this](FakeCluster::Wait wait) { asked_.set_value(std::move(wait)); };
    pool_.start();
  }
  ~ReplicaWaitTest() override { pool_.stop(std::chrono::steady_clock::now()); }

  /// Before the first connection.
  void join() { node_.context.cluster = &cluster_; }

  TestNode node_;
  FakeCluster cluster_{{{.id = node_id('1'), .slots = SlotRanges::all(), .epoch = 1}}};
  std::promise<FakeCluster::Wait> asked_;
  std::atomic<uint64_t> stall_until_us_{0};
  Workers workers_{node_.stats, 1, 1};
  IoPool pool_{1, /*fixed=*/true, node_.context, node_.durability, workers_, stall_until_us_};
};

TEST_F(ReplicaWaitTest, TheClusterAnswersOnceForAllThatCameBefore) {
  join();
  const PoolPeer c = connect(pool_);
  EXPECT_EQ(c.peer->call("SET b 1"), kOk);
  ASSERT_TRUE(c.peer->send("WAIT 2 500"));
  ASSERT_TRUE(c.peer->send("GET b"));
  const FakeCluster::Wait wait = asked_.get_future().get();
  EXPECT_EQ(wait.replicas, 2u);
  EXPECT_EQ(wait.timeout_ms, 500u);
  EXPECT_EQ(c.peer->arrived(), RespPeer::Arrived::kNothing);
  wait.done(1);
  EXPECT_EQ(c.peer->read_line(), ":1\r\n");
  EXPECT_EQ(c.peer->read_line(), "$1\r\n");
}

TEST_F(ReplicaWaitTest, WithoutAClusterItLastsAsLongAsItMay) {
  const PoolPeer c = connect(pool_);
  EXPECT_EQ(c.peer->call("WAIT 0 0"), ":0\r\n");
  EXPECT_EQ(c.peer->call("WAIT 1 5"), ":0\r\n");
  EXPECT_EQ(c.peer->call("PING"), "+PONG\r\n");
}

TEST_F(ReplicaWaitTest, AClientThatLeavesMeanwhileIsForgotten) {
  join();
  PoolPeer c = connect(pool_);
  ASSERT_TRUE(c.peer->send("WAIT 1 0"));
  const FakeCluster::Wait wait = asked_.get_future().get();
  c.peer.reset();
  while (node_.clients.size() != 0) std::this_thread::yield();
  wait.done(1);  // too late, and harmless
}

}  // namespace
}  // namespace syntropy::testing
