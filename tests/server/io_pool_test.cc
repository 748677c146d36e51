// Connections that move between the I/O threads of a pool.
#include "server/io_pool.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/server/resp_peer.h"
#include "tests/server/test_node.h"

namespace syntropy::testing {
namespace {

constexpr size_t kThreads = 2;
constexpr std::string_view kPong = "+PONG\r\n";

class IoPoolTest : public ::testing::Test {
 protected:
  IoPoolTest() { pool_.start(); }
  ~IoPoolTest() override { pool_.stop(std::chrono::steady_clock::now()); }

  struct Connected {
    std::unique_ptr<RespPeer> peer;
    std::shared_ptr<Client> client;
    IoThread* first_home;
  };

  Connected connect() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    IoThread& home = pool_.next();
    const boost::asio::generic::stream_protocol protocol(AF_UNIX, 0);
    IoThread::Socket socket(home.context(), protocol, ends[0]);
    auto client = std::make_shared<Client>();
    client->authenticated = true;
    home.adopt(std::move(socket), client);
    Connected made{std::make_unique<RespPeer>(ends[1]), client, &home};
    EXPECT_EQ(made.peer->call("PING"), kPong);
    return made;
  }

  // Eight connections, of which those of one thread are closed again: the other has four too many
  // for its share, which is two.
  std::vector<Connected> crowd_one_thread() {
    std::vector<Connected> all;
    for (int i = 0; i < 8; ++i) all.push_back(connect());
    IoThread* const emptied = all.front().first_home;
    std::erase_if(all, [&](const Connected& c) { return c.first_home == emptied; });
    while (emptied->connections() != 0) std::this_thread::yield();
    EXPECT_EQ(all.size(), 4u);
    return all;
  }

  TestNode node_;
  std::atomic<uint64_t> stall_until_us_{0};
  Workers workers_{node_.stats, kThreads, 1};
  IoPool pool_{kThreads,           /*fixed=*/true, node_.context(),
               node_.durability(), workers_,       stall_until_us_};
};

TEST_F(IoPoolTest, ConnectionsMoveToTheThreadWithRoom) {
  std::vector<Connected> crowd = crowd_one_thread();
  IoThread& crowded = *crowd.front().first_home;
  EXPECT_EQ(crowded.connections(), 4u);
  pool_.rebalance();
  for (int round = 0; round < 4; ++round) {
    for (Connected& c : crowd) ASSERT_EQ(c.peer->call("PING"), kPong);
  }
  EXPECT_EQ(crowded.connections(), 2u);
}

TEST_F(IoPoolTest, ATransactionSurvivesTheMove) {
  std::vector<Connected> crowd = crowd_one_thread();
  pool_.rebalance();
  for (Connected& c : crowd) {
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
  std::vector<Connected> crowd = crowd_one_thread();
  pool_.rebalance();
  for (int round = 0; round < 4; ++round) {
    for (Connected& c : crowd) ASSERT_EQ(c.peer->call("PING"), kPong);
  }
  for (Connected& c : crowd) {
    c.client->push("+pushed\r\n");
    EXPECT_EQ(c.peer->call(""), "+pushed\r\n");
    c.client->request_close();
    EXPECT_EQ(c.peer->call("PING"), "");
  }
}

TEST_F(IoPoolTest, ConnectionsThatStayBalancedDoNotMove) {
  std::vector<Connected> all;
  for (int i = 0; i < 4; ++i) all.push_back(connect());
  pool_.rebalance();
  for (Connected& c : all) ASSERT_EQ(c.peer->call("PING"), kPong);
  for (Connected& c : all) EXPECT_EQ(c.first_home->connections(), 2u);
}

}  // namespace
}  // namespace syntropy::testing
