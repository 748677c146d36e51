// The public API on a real store (server/public/syntropy/node.h).
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "syntropy/node.h"
#include "tests/server/resp_peer.h"
#include "tests/support/temp_dir.h"

namespace syntropy {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

using testing::RespPeer;
using testing::TempDir;

class EmbeddedNodeTest : public ::testing::Test {
 protected:
  using Config = std::vector<std::pair<std::string, std::string>>;

  // The store stays small and the disk quiet: these tests are about the API.
  Result<Node> try_open(Config more = {}, const std::string& name = "data") {
    Config config = {{"appendfsync", "no"}, {"io-threads", "1"}, {"read-threads", "1"}};
    config.insert(config.end(), more.begin(), more.end());
    return Node::open({.dir = dir_ / name, .config = config});
  }
  Node open(Config more = {}) {
    Result<Node> node = try_open(std::move(more));
    EXPECT_TRUE(node.ok()) << node.status().message();
    return std::move(*node);
  }

  static std::string value_of(Node& node, std::string_view key) {
    const auto value = node.get(key);
    EXPECT_TRUE(value.ok()) << value.status().message();
    return value.ok() && *value ? **value : "(none)";
  }
  static std::map<std::string, std::string> all(Node& node, std::string_view prefix = {}) {
    std::map<std::string, std::string> found;
    const Status scanned = node.scan(prefix, [&](std::string_view key, std::string_view value) {
      EXPECT_TRUE(found.emplace(key, value).second) << "visited twice: " << key;
      return true;
    });
    EXPECT_TRUE(scanned.ok()) << scanned.message();
    return found;
  }
  static uint64_t count_of(Node& node) {
    const Result<uint64_t> count = node.count();
    EXPECT_TRUE(count.ok()) << count.status().message();
    return count.ok() ? *count : ~uint64_t{0};
  }

  TempDir dir_;
};

TEST_F(EmbeddedNodeTest, WhatWasPutIsReadUntilItIsErased) {
  Node node = open();
  EXPECT_EQ(value_of(node, "k"), "(none)");
  ASSERT_TRUE(node.put("k", "v").ok());
  EXPECT_EQ(value_of(node, "k"), "v");
  ASSERT_TRUE(node.put("k", std::string("\0binary\xff", 8)).ok());
  EXPECT_EQ(value_of(node, "k"), std::string("\0binary\xff", 8));
  ASSERT_TRUE(node.put("empty", "").ok());
  EXPECT_EQ(value_of(node, "empty"), "");
  EXPECT_TRUE(*node.erase("k"));
  EXPECT_FALSE(*node.erase("k"));
  EXPECT_EQ(value_of(node, "k"), "(none)");
}

TEST_F(EmbeddedNodeTest, ReopenedNodeHasEverything) {
  {
    Node node = open();
    for (int i = 0; i < 1000; ++i) {
      ASSERT_TRUE(node.put("k" + std::to_string(i), std::to_string(i)).ok());
    }
    ASSERT_TRUE(node.put("timed", "v", hours(1)).ok());
    ASSERT_TRUE(node.erase("k7").value());
    ASSERT_TRUE(node.close().ok());
  }
  Node node = open();
  EXPECT_EQ(count_of(node), 1000u);
  EXPECT_EQ(all(node).size(), 1000u);
  EXPECT_EQ(value_of(node, "k999"), "999");
  EXPECT_EQ(value_of(node, "timed"), "v");
  EXPECT_EQ(value_of(node, "k7"), "(none)");
}

TEST_F(EmbeddedNodeTest, NodeThatIsLetGoClosesItself) {
  { ASSERT_TRUE(open().put("k", "v").ok()); }
  Node node = open();
  EXPECT_EQ(value_of(node, "k"), "v");
}

TEST_F(EmbeddedNodeTest, MovedNodeGoesOnAndTheOldNameIsClosed) {
  Node first = open();
  ASSERT_TRUE(first.put("k", "v").ok());
  Node second = std::move(first);
  EXPECT_EQ(value_of(second, "k"), "v");
  EXPECT_EQ(first.get("k").status().code(), StatusCode::kUnavailable);  // NOLINT: it says so
}

TEST_F(EmbeddedNodeTest, ClosedNodeRefusesEverything) {
  Node node = open();
  ASSERT_TRUE(node.close().ok());
  WriteBatch batch;
  batch.put("k", "v");
  const auto visit = [](std::string_view, std::string_view) { return true; };
  EXPECT_EQ(node.get("k").status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(node.put("k", "v").code(), StatusCode::kUnavailable);
  EXPECT_EQ(node.erase("k").status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(node.write(batch).code(), StatusCode::kUnavailable);
  EXPECT_EQ(node.scan("", visit).code(), StatusCode::kUnavailable);
  EXPECT_EQ(node.count().status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(node.flush().code(), StatusCode::kUnavailable);
  EXPECT_EQ(node.close().code(), StatusCode::kUnavailable);
  EXPECT_EQ(node.port(), 0);
}

// --- in a cluster --------------------------------------------------------------------------------

TEST_F(EmbeddedNodeTest, JoinsAClusterAndServesItsOwnSlots) {
  const auto member = [&](const std::string& name) {
    Result<Node> node = try_open({{"cluster-enabled", "yes"},
                                  {"cluster-node-timeout", "1000"},
                                  {"unixsocket", dir_ / (name + ".sock")}},
                                 name);
    EXPECT_TRUE(node.ok()) << node.status().message();
    return std::move(*node);
  };
  Node first = member("first");
  Node second = member("second");
  ASSERT_NE(first.bus_port(), 0);
  EXPECT_TRUE(first.put("k", "v").is(StatusCode::kUnavailable)) << "nobody has slots yet";
  RespPeer to_first(dir_ / "first.sock"), to_second(dir_ / "second.sock");
  ASSERT_EQ(to_first.call("CLUSTER ADDSLOTSRANGE 0 8191"), "+OK\r\n");
  ASSERT_EQ(to_second.call("CLUSTER ADDSLOTSRANGE 8192 16383"), "+OK\r\n");
  const Status joined = second.join("127.0.0.1", first.bus_port());
  ASSERT_TRUE(joined.ok()) << joined.message();

  // "foo" has slot 12182, "bar" 5061.
  const auto eventually = [&](auto&& done) {
    for (int i = 0; i < 500 && !done(); ++i) (void)to_first.call("WAIT 9 20");  // takes 20 ms
    return done();
  };
  Status put;
  EXPECT_TRUE(eventually([&] { return (put = second.put("foo", "2")).ok(); })) << put.message();
  EXPECT_TRUE(eventually([&] { return (put = first.put("bar", "1")).ok(); })) << put.message();
  EXPECT_EQ(value_of(second, "foo"), "2");
  const Status moved = first.put("foo", "1");
  EXPECT_TRUE(moved.is(StatusCode::kUnavailable));
  EXPECT_TRUE(moved.message().starts_with("MOVED 12182 ")) << moved.message();
  EXPECT_TRUE(first.get("foo").status().message().starts_with("MOVED "));
  EXPECT_TRUE(first.erase("foo").status().message().starts_with("MOVED "));
  WriteBatch both;
  both.put("foo", "3");
  both.put("bar", "3");
  EXPECT_TRUE(first.write(both).message().starts_with("CROSSSLOT ")) << first.write(both).message();
  EXPECT_EQ(value_of(first, "bar"), "1");
  EXPECT_EQ(count_of(first), 1u);
}

TEST_F(EmbeddedNodeTest, JoiningSaysWhyItCannot) {
  Node alone = open();
  EXPECT_EQ(alone.bus_port(), 0);
  EXPECT_TRUE(alone.join("127.0.0.1", 17379).is(StatusCode::kUnavailable));
  Result<Node> node = try_open({{"cluster-enabled", "yes"}}, "other");
  ASSERT_TRUE(node.ok()) << node.status().message();
  EXPECT_TRUE(node->join("not an address", 17379).is(StatusCode::kInvalidArgument));
  EXPECT_TRUE(node->join("127.0.0.1", 1, milliseconds(50)).is(StatusCode::kUnavailable));
}

// --- errors of open ----------------------------------------------------------------------------

TEST_F(EmbeddedNodeTest, BadOptionsAreNamed) {
  const Status unknown = try_open({{"apendfsync", "always"}}).status();
  EXPECT_EQ(unknown.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(unknown.message().find("apendfsync"), std::string_view::npos) << unknown.message();
  const Status bad_value = try_open({{"appendfsync", "sometimes"}}).status();
  EXPECT_EQ(bad_value.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(bad_value.message().find("appendfsync"), std::string_view::npos) << bad_value.message();
  EXPECT_EQ(Node::open({.dir = "", .config = {}}).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(EmbeddedNodeTest, DirectoryThatIsOpenIsUnavailable) {
  Node node = open();
  const Status second = try_open().status();
  EXPECT_EQ(second.code(), StatusCode::kUnavailable) << second.message();
  EXPECT_NE(second.message().find(dir_ / "data"), std::string_view::npos) << second.message();
  ASSERT_TRUE(node.close().ok());
  EXPECT_TRUE(try_open().ok());
}

TEST_F(EmbeddedNodeTest, DirectoryThatCannotBeMadeIsNamed) {
  std::ofstream(dir_ / "file") << "not a directory";
  const Status failed = try_open({}, "file/data").status();
  EXPECT_EQ(failed.code(), StatusCode::kIoError) << failed.message();
  EXPECT_NE(failed.message().find(dir_ / "file/data"), std::string_view::npos) << failed.message();
}

TEST_F(EmbeddedNodeTest, DirectoryMayHaveAnyName) {
  for (const std::string name : {"with space", "quo\"te", "back\\slash", "--port", "#hash"}) {
    Result<Node> node = try_open({}, name);
    ASSERT_TRUE(node.ok()) << name << ": " << node.status().message();
    EXPECT_TRUE(std::filesystem::exists(dir_ / name + "/CURRENT")) << name;
  }
}

// --- times to live -----------------------------------------------------------------------------

TEST_F(EmbeddedNodeTest, TimeToLiveIsKeptAndPutWithoutOneClearsIt) {
  Node node = open();
  ASSERT_TRUE(node.put("soon", "v", milliseconds(1)).ok());
  ASSERT_TRUE(node.put("later", "v", hours(1)).ok());
  ASSERT_TRUE(node.put("never", "v", milliseconds(1)).ok());
  ASSERT_TRUE(node.put("never", "v").ok());
  while (value_of(node, "soon") != "(none)") std::this_thread::yield();
  EXPECT_EQ(count_of(node), 2u);
  EXPECT_EQ(all(node), (std::map<std::string, std::string>{{"later", "v"}, {"never", "v"}}));
  EXPECT_FALSE(*node.erase("soon"));
}

TEST_F(EmbeddedNodeTest, CountIsExactWhateverHasExpired) {
  Node node = open();
  WriteBatch batch;
  for (int i = 0; i < 3000; ++i) batch.put("soon" + std::to_string(i), "v", milliseconds(1));
  for (int i = 0; i < 50; ++i) batch.put("later" + std::to_string(i), "v", hours(1));
  ASSERT_TRUE(node.write(batch).ok());
  while (value_of(node, "soon2999") != "(none)") std::this_thread::yield();
  EXPECT_EQ(count_of(node), 50u);
}

TEST_F(EmbeddedNodeTest, NegativeTimeToLiveIsRefusedWithTheWholeBatch) {
  Node node = open();
  EXPECT_EQ(node.put("k", "v", milliseconds(-1)).code(), StatusCode::kInvalidArgument);
  WriteBatch batch;
  batch.put("a", "v");
  batch.put("b", "v", milliseconds(-1));
  EXPECT_EQ(node.write(batch).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(count_of(node), 0u);
}

TEST_F(EmbeddedNodeTest, LongestTimeToLiveDoesNotOverflow) {
  Node node = open();
  const Status put = node.put("k", "v", milliseconds::max());
  EXPECT_TRUE(put.ok()) << put.message();
  EXPECT_EQ(value_of(node, "k"), "v");
}

// --- batches and threads -----------------------------------------------------------------------

TEST_F(EmbeddedNodeTest, BatchIsAppliedInOrder) {
  Node node = open();
  ASSERT_TRUE(node.put("gone", "v").ok());
  WriteBatch batch;
  batch.put("k", "1");
  batch.put("k", "2");
  batch.erase("gone");
  batch.put("back", "1");
  batch.erase("back");
  batch.put("back", "2");
  EXPECT_EQ(batch.size(), 6u);
  ASSERT_TRUE(node.write(batch).ok());
  EXPECT_EQ(all(node), (std::map<std::string, std::string>{{"back", "2"}, {"k", "2"}}));
  batch.clear();
  EXPECT_EQ(batch.size(), 0u);
  EXPECT_TRUE(node.write(batch).ok());
}

TEST_F(EmbeddedNodeTest, ReadersNeverSeeABatchGoBackwards) {
  Node node = open();
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int i = 1; i <= 500; ++i) {
      WriteBatch batch;
      batch.put("first", std::to_string(i));
      batch.put("second", std::to_string(i));
      EXPECT_TRUE(node.write(batch).ok());
    }
    done = true;
  });
  // Both change at once: who reads `first` first finds `second` at least as new.
  while (!done) {
    const std::string first = value_of(node, "first");
    const std::string second = value_of(node, "second");
    if (first != "(none)") {
      EXPECT_GE(std::stoi(second), std::stoi(first));
    }
  }
  writer.join();
  EXPECT_EQ(value_of(node, "second"), "500");
}

TEST_F(EmbeddedNodeTest, WritersOfManyThreadsAllLast) {
  constexpr int kThreads = 8;
  constexpr int kKeys = 200;
  {
    Node node = open({{"appendfsync", "always"}});
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&node, t] {
        for (int i = 0; i < kKeys; ++i) {
          const std::string key = std::to_string(t) + ":" + std::to_string(i);
          EXPECT_TRUE(node.put(key, key).ok());
          if (i % 10 == 0) {
            EXPECT_TRUE(node.erase(key).value());
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(count_of(node), static_cast<uint64_t>(kThreads * kKeys * 9 / 10));
  }
  Node node = open();
  const auto rows = all(node);
  EXPECT_EQ(rows.size(), static_cast<size_t>(kThreads * kKeys * 9 / 10));
  for (const auto& [key, value] : rows) EXPECT_EQ(key, value);
}

// --- scan --------------------------------------------------------------------------------------

TEST_F(EmbeddedNodeTest, ScanVisitsEachKeyWithThePrefixOnce) {
  Node node = open();
  WriteBatch batch;
  for (int i = 0; i < 1500; ++i) batch.put("user:" + std::to_string(i), std::to_string(i));
  for (int i = 0; i < 500; ++i) batch.put("order:" + std::to_string(i), "x");
  ASSERT_TRUE(node.write(batch).ok());
  EXPECT_EQ(all(node).size(), 2000u);
  const auto users = all(node, "user:");
  EXPECT_EQ(users.size(), 1500u);
  EXPECT_EQ(users.at("user:1234"), "1234");
  EXPECT_TRUE(all(node, "nobody").empty());
}

TEST_F(EmbeddedNodeTest, ScanStopsWhenTheVisitorHasEnough) {
  Node node = open();
  WriteBatch batch;
  for (int i = 0; i < 1000; ++i) batch.put(std::to_string(i), "x");
  ASSERT_TRUE(node.write(batch).ok());
  int visited = 0;
  EXPECT_TRUE(node.scan("", [&](auto, auto) { return ++visited < 300; }).ok());
  EXPECT_EQ(visited, 300);
}

TEST_F(EmbeddedNodeTest, VisitorMayUseTheNode) {
  Node node = open();
  WriteBatch batch;
  for (int i = 0; i < 1000; ++i) batch.put(std::to_string(i), "x");
  ASSERT_TRUE(node.write(batch).ok());
  const Status scanned = node.scan(
      "", [&](std::string_view key, std::string_view) { return node.erase(key).value(); });
  EXPECT_TRUE(scanned.ok());
  EXPECT_EQ(count_of(node), 0u);
}

// --- with Redis clients ------------------------------------------------------------------------

TEST_F(EmbeddedNodeTest, RedisClientsSeeTheSameKeys) {
  const std::string path = dir_ / "node.sock";
  Node node = open({{"unixsocket", path}});
  EXPECT_EQ(node.port(), 0);
  ASSERT_TRUE(node.put("from-here", "v", hours(1)).ok());
  RespPeer peer(path);
  EXPECT_EQ(peer.call("GET from-here"), "$1\r\nv\r\n");
  EXPECT_EQ(peer.call("INCRBY counter 41"), ":41\r\n");
  EXPECT_EQ(peer.call("INCR counter"), ":42\r\n");
  EXPECT_EQ(value_of(node, "counter"), "42");
  EXPECT_EQ(all(node), (std::map<std::string, std::string>{{"counter", "42"}, {"from-here", "v"}}));
  EXPECT_EQ(peer.call("SELECT 1"), "+OK\r\n");
  EXPECT_EQ(peer.call("SET elsewhere v"), "+OK\r\n");
  EXPECT_EQ(count_of(node), 2u);  // the node is database 0
}

TEST_F(EmbeddedNodeTest, ClosingDisconnectsClients) {
  const std::string path = dir_ / "node.sock";
  Node node = open({{"unixsocket", path}});
  RespPeer peer(path);
  EXPECT_EQ(peer.call("PING"), "+PONG\r\n");
  ASSERT_TRUE(node.close().ok());
  EXPECT_EQ(peer.call("PING"), "");
}

TEST_F(EmbeddedNodeTest, ClientsCannotEndTheProgramsNode) {
  const std::string path = dir_ / "node.sock";
  Node node = open({{"unixsocket", path}});
  RespPeer peer(path);
  EXPECT_EQ(peer.call("SHUTDOWN NOSAVE"),
            "-ERR this node is part of a program, which alone can end it\r\n");
  EXPECT_TRUE(node.put("k", "v").ok());
  EXPECT_EQ(peer.call("GET k"), "$1\r\nv\r\n");
}

}  // namespace
}  // namespace syntropy
