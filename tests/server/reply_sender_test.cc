// What a client gets, and when, while its replies wait for a sync.
#include "server/reply_sender.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "server/monitor.h"
#include "tests/server/pool_peer.h"
#include "tests/server/test_node.h"

namespace syntropy::testing {
namespace {

using Arrived = RespPeer::Arrived;

// A node under "appendfsync always" whose first sync ends when the test says so.
class HeldReplies : public ::testing::Test {
 protected:
  HeldReplies() { pool_.start(); }

  // As a node is taken down: those who sync tell the threads, which have to be there.
  ~HeldReplies() override {
    if (!let_go_) end_sync();
    pool_.stop(std::chrono::steady_clock::now());
    workers_.stop();
    durability_.reset();
  }

  PoolPeer connect() { return testing::connect(pool_); }

  // A client whose write is being synced when this returns: all replies are held from then on.
  PoolPeer connect_writer() {
    PoolPeer made = connect();
    EXPECT_TRUE(made.peer->send("SET held 1"));
    begun_.get_future().wait();
    return made;
  }
  // The client's reply is held when this returns.
  void ask_for_monitor(PoolPeer& client) {
    ASSERT_TRUE(client.peer->send("MONITOR"));
    while (!node_.clients.has_monitors()) std::this_thread::yield();
    settle(client);
  }
  void end_sync() {
    let_go_ = true;
    end_.set_value();
  }

  // Another client's command, as all monitors are shown it. Returns the line.
  std::string show(PoolPeer& to, const std::vector<std::string_view>& args) {
    const Client other;
    feed_monitors(node_.clients, node_.clock.wall_us(), other, "set", args);
    settle(to);
    return monitor_line(node_.clock.wall_us(), other.db, other.address, args);
  }

  // Until the client's thread has done what it was asked for before.
  static void settle(PoolPeer& of) {
    const auto done = std::make_shared<std::promise<void>>();
    of.first_home->post([done] { done->set_value(); });
    done->get_future().wait();
  }

  TestNode node_;

 private:
  void on_synced() {
    std::call_once(first_, [this] {
      begun_.set_value();
      end_.get_future().wait();
    });
  }

  std::once_flag first_;
  std::promise<void> begun_;
  std::promise<void> end_;
  bool let_go_ = false;
  // It tells of a sync before those who wait for it.
  std::unique_ptr<Durability> durability_ = std::make_unique<Durability>(
      node_.engine, node_.clock, SyncPolicy::kAlways,
      Durability::Events{.synced = [this](uint64_t, const Status&) { on_synced(); },
                         .health_changed = {}});
  std::atomic<uint64_t> stall_until_us_{0};
  Workers workers_{node_.stats, 1, 1};
  IoPool pool_{1, /*fixed=*/true, node_.context, *durability_, workers_, stall_until_us_};
};

TEST_F(HeldReplies, MonitorLinesFollowTheReply) {
  PoolPeer monitor = connect();
  const PoolPeer writer = connect_writer();
  ask_for_monitor(monitor);
  std::vector<std::string> lines;
  for (const std::string_view key : {"one", "two", "three"}) {
    lines.push_back(show(monitor, {"SET", key, "2"}));
  }
  EXPECT_EQ(monitor.peer->arrived(), Arrived::kNothing);

  end_sync();
  EXPECT_EQ(monitor.peer->read_line(), kOk);
  // What answers it would come at once if a line were missing.
  ASSERT_TRUE(monitor.peer->send("PING"));
  for (const std::string& line : lines) ASSERT_EQ(monitor.peer->read_line(), line);
  EXPECT_EQ(monitor.peer->read_line(), "+PONG\r\n");
}

TEST_F(HeldReplies, WhatIsPushedFollowsTheErrorOfAFailedSync) {
  node_.engine.fail_next_sync(Status::io_error("injected"));
  PoolPeer writer = connect_writer();
  writer.client->push("+pushed\r\n");
  settle(writer);
  EXPECT_EQ(writer.peer->arrived(), Arrived::kNothing);

  end_sync();
  EXPECT_TRUE(writer.peer->read_line().starts_with("-MISCONF "));
  ASSERT_TRUE(writer.peer->send("PING"));
  ASSERT_EQ(writer.peer->read_line(), "+pushed\r\n");
  EXPECT_EQ(writer.peer->read_line(), "+PONG\r\n");
}

TEST_F(HeldReplies, TooManyMonitorLinesCloseTheClient) {
  ASSERT_TRUE(node_.config.set({{"client-output-buffer-limit", "normal 1000 0 0"}}).ok());
  PoolPeer monitor = connect();
  PoolPeer writer = connect_writer();
  ask_for_monitor(monitor);
  const std::string value(600, 'v');
  show(monitor, {"SET", "within", value});
  EXPECT_EQ(monitor.peer->arrived(), Arrived::kNothing);
  show(monitor, {"SET", "beyond", value});
  EXPECT_EQ(monitor.peer->arrived(), Arrived::kEnd);
  EXPECT_EQ(node_.stat(kOutputLimitClosed), 1u);
  EXPECT_EQ(monitor.first_home->connections(), 1u);

  // Nobody is there for its reply; the writer gets what it waits for.
  end_sync();
  EXPECT_EQ(writer.peer->read_line(), kOk);
  EXPECT_EQ(writer.peer->call("PING"), "+PONG\r\n");
}

}  // namespace
}  // namespace syntropy::testing
