// Connections that move between the I/O threads of a pool.
#include "server/io_pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/server/pool_peer.h"
#include "tests/server/test_node.h"

namespace syntropy::testing {
namespace {

constexpr size_t kThreads = 2;
constexpr std::string_view kPong = "+PONG\r\n";

class IoPoolTest : public ::testing::Test {
 protected:
  IoPoolTest() { pool_.start(); }
  ~IoPoolTest() override { pool_.stop(std::chrono::steady_clock::now()); }

  // Eight connections, of which those of one thread are closed again: the other has four too many
  // for its share, which is two.
  std::vector<PoolPeer> crowd_one_thread() {
    std::vector<PoolPeer> all;
    for (int i = 0; i < 8; ++i) all.push_back(connect(pool_));
    IoThread* const emptied = all.front().first_home;
    std::erase_if(all, [&](const PoolPeer& c) { return c.first_home == emptied; });
    while (emptied->connections() != 0) std::this_thread::yield();
    EXPECT_EQ(all.size(), 4u);
    return all;
  }

  TestNode node_;
  std::atomic<uint64_t> stall_until_us_{0};
  Workers workers_{node_.stats, kThreads, 1};
  IoPool pool_{kThreads,         /*fixed=*/true, node_.context,
               node_.durability, workers_,       stall_until_us_};
};

TEST_F(IoPoolTest, ConnectionsMoveToTheThreadWithRoom) {
  std::vector<PoolPeer> crowd = crowd_one_thread();
  IoThread& crowded = *crowd.front().first_home;
  EXPECT_EQ(crowded.connections(), 4u);
  pool_.rebalance();
  for (int round = 0; round < 4; ++round) {
    for (PoolPeer& c : crowd) ASSERT_EQ(c.peer->call("PING"), kPong);
  }
  EXPECT_EQ(crowded.connections(), 2u);
}

TEST_F(IoPoolTest, ATransactionSurvivesTheMove) {
  std::vector<PoolPeer> crowd = crowd_one_thread();
  pool_.rebalance();
  for (PoolPeer& c : crowd) {
    EXPECT_EQ(c.peer->call("CLIENT SETNAME mover"), kOk);
    EXPECT_EQ(c.peer->call("MULTI"), kOk);
    EXPECT_EQ(c.peer->call("INCR moved"), kQueued);
  }
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(crowd[static_cast<size_t>(i)].peer->call("EXEC"), "*1\r\n");
    EXPECT_EQ(crowd[static_cast<size_t>(i)].peer->call(""), integer(i + 1));
    EXPECT_EQ(crowd[static_cast<size_t>(i)].peer->call("CLIENT GETNAME"), bulk("mover"));
  }
}

TEST_F(IoPoolTest, AMovedConnectionIsReachedFromOutside) {
  std::vector<PoolPeer> crowd = crowd_one_thread();
  pool_.rebalance();
  for (int round = 0; round < 4; ++round) {
    for (PoolPeer& c : crowd) ASSERT_EQ(c.peer->call("PING"), kPong);
  }
  for (PoolPeer& c : crowd) {
    c.client->push("+pushed\r\n");
    EXPECT_EQ(c.peer->call(""), "+pushed\r\n");
    c.client->request_close();
    EXPECT_EQ(c.peer->read_line(), "");
  }
}

TEST_F(IoPoolTest, ConnectionsThatStayBalancedDoNotMove) {
  std::vector<PoolPeer> all;
  for (int i = 0; i < 4; ++i) all.push_back(connect(pool_));
  pool_.rebalance();
  for (PoolPeer& c : all) ASSERT_EQ(c.peer->call("PING"), kPong);
  for (PoolPeer& c : all) EXPECT_EQ(c.first_home->connections(), 2u);
}

}  // namespace
}  // namespace syntropy::testing
