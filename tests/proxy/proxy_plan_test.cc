// Where requests go, and what is made of the replies.
#include "server/proxy/proxy_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/commands/table.h"

namespace syntropy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using Args = std::vector<std::string_view>;

NodeId node_id(char digit) { return *NodeId::parse(std::string(40, digit)); }

/// "b" is in slot 3300, of node 1, which is this one; "a" in 15495 and "c" in 7365... of node 2.
Routing routing() {
  Routing routing;
  routing.self = node_id('1');
  routing.nodes = {{node_id('1'), "10.0.0.1", 7001, false},
                   {node_id('2'), "10.0.0.2", 7002, false}};
  for (size_t slot = 0; slot < kSlotCount; ++slot) routing.owner[slot] = slot <= 8000 ? 0 : 1;
  return routing;
}

ProxyPlan plan(const Args& args, bool always = false) {
  const CommandSpec* spec = find_command(args[0]);
  if (!spec->subcommands.empty() && args.size() > 1) spec = find_subcommand(*spec, args[1]);
  return plan_proxy(routing(), *spec, args, always);
}

std::vector<std::string> where(const ProxyPlan& plan) {
  std::vector<std::string> nodes;
  for (const ProxyPart& part : plan.parts) nodes.push_back(part.node);
  return nodes;
}

TEST(ProxyPlan, AKeyGoesToItsOwner) {
  EXPECT_TRUE(plan({"GET", "b"}).local);
  const ProxyPlan get = plan({"GET", "a"});
  EXPECT_FALSE(get.local);
  EXPECT_THAT(where(get), ElementsAre("10.0.0.2:7002"));
  EXPECT_EQ(get.parts[0].requests, "*2\r\n$3\r\nGET\r\n$1\r\na\r\n");
  EXPECT_TRUE(get.parts[0].repeatable);
  EXPECT_FALSE(plan({"INCR", "a"}).parts[0].repeatable);
  EXPECT_THAT(where(plan({"GET", "b"}, true)), ElementsAre("10.0.0.1:7001"));
}

// These needn't wait for each other; all others come one behind the other.
TEST(ProxyPlan, TellsWhatIsAboutOneSlotAlone) {
  EXPECT_TRUE(plan({"GET", "b"}).one_slot);
  EXPECT_TRUE(plan({"GET", "a"}).one_slot);
  EXPECT_TRUE(plan({"MSET", "{a}1", "1", "{a}2", "2"}).one_slot);
  EXPECT_FALSE(plan({"GET", "b"}, true).one_slot) << "it isn't told where this node can't serve it";
  for (const Args& args : {Args{"MSET", "a", "1", "b", "2"}, Args{"FLUSHALL"}, Args{"SCAN", "0"},
                           Args{"PING"}, Args{"DBSIZE"}}) {
    EXPECT_FALSE(plan(args).one_slot) << args[0];
  }
}

TEST(ProxyPlan, WhatHasNoKeysStays) {
  for (const Args& args :
       {Args{"PING"}, Args{"CLUSTER", "INFO"}, Args{"SUBSCRIBE", "x"}, Args{"INFO"}}) {
    EXPECT_TRUE(plan(args).local) << args[0];
  }
}

TEST(ProxyPlan, ManyKeysAreSplitBySlotAndJoined) {
  const ProxyPlan mget = plan({"MGET", "a", "b", "{a}2", "b"});
  EXPECT_THAT(where(mget), ElementsAre("10.0.0.1:7001", "10.0.0.2:7002"));
  EXPECT_EQ(mget.parts[0].requests, "*3\r\n$4\r\nMGET\r\n$1\r\nb\r\n$1\r\nb\r\n");
  EXPECT_EQ(join_replies(mget, {"*2\r\n$1\r\n1\r\n$-1\r\n", "*2\r\n$1\r\n3\r\n$1\r\n4\r\n"}),
            "*4\r\n$1\r\n3\r\n$1\r\n1\r\n$1\r\n4\r\n$-1\r\n");
  EXPECT_EQ(join_replies(mget, {"*2\r\n_\r\n_\r\n", "-LOADING wait\r\n"}), "-LOADING wait\r\n");

  const ProxyPlan mset = plan({"MSET", "a", "1", "b", "2"});
  EXPECT_EQ(mset.parts.size(), 2u);
  EXPECT_EQ(join_replies(mset, {"+OK\r\n", "+OK\r\n"}), "+OK\r\n");
  EXPECT_EQ(join_replies(mset, {"+OK\r\n", "-OOM no\r\n"}), "-OOM no\r\n");
  EXPECT_TRUE(plan({"MSET", "a", "1", "b"}).local);

  const ProxyPlan del = plan({"DEL", "a", "b"});
  EXPECT_EQ(join_replies(del, {":1\r\n", ":1\r\n"}), ":2\r\n");
  // Of one slot it isn't split.
  EXPECT_EQ(plan({"DEL", "a", "{a}2"}).parts.size(), 1u);
  EXPECT_THAT(plan({"RENAME", "a", "b"}).error, StartsWith("-CROSSSLOT "));
  EXPECT_THAT(plan({"MSETNX", "a", "1", "b", "2"}).error, StartsWith("-CROSSSLOT "));
}

TEST(ProxyPlan, SomeGoToEveryPrimary) {
  const ProxyPlan size = plan({"DBSIZE"});
  EXPECT_EQ(size.parts.size(), 2u);
  EXPECT_EQ(join_replies(size, {":3\r\n", ":4\r\n"}), ":7\r\n");
  const ProxyPlan keys = plan({"KEYS", "*"});
  EXPECT_EQ(join_replies(keys, {"*1\r\n$1\r\nb\r\n", "*0\r\n"}), "*1\r\n$1\r\nb\r\n");
  EXPECT_EQ(join_replies(plan({"FLUSHALL"}), {"+OK\r\n", "+OK\r\n"}), "+OK\r\n");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(join_replies(plan({"RANDOMKEY"}), {"$-1\r\n", "$1\r\na\r\n"}), "$1\r\na\r\n");
  }
  EXPECT_EQ(join_replies(plan({"RANDOMKEY"}), {"_\r\n", "_\r\n"}), "_\r\n");
}

std::string request(const Args& args) {
  std::string text = "*" + std::to_string(args.size()) + "\r\n";
  for (const std::string_view arg : args) {
    text += "$" + std::to_string(arg.size()) + "\r\n" + std::string(arg) + "\r\n";
  }
  return text;
}

TEST(ProxyPlan, WhatAnotherNodesKeyIsIsAskedForAndToldWithTheTransaction) {
  EXPECT_TRUE(plan({"WATCH", "b"}).local);
  const ProxyPlan watch = plan({"WATCH", "a", "{a}2"});
  ASSERT_EQ(watch.parts.size(), 1u);
  EXPECT_EQ(watch.parts[0].requests, request({"CLIENT", "WATCH-STATE", "a", "{a}2"}));
  Client client;
  EXPECT_EQ(take_watched(watch.watched, "-ERR no\r\n", &client), "-ERR no\r\n");
  EXPECT_TRUE(client.watched.empty());
  EXPECT_EQ(take_watched(watch.watched, "*4\r\n:7\r\n:100\r\n:-2\r\n:100\r\n", &client), "+OK\r\n");
  client.queue = {{find_command("incr"), {"INCR", "a"}}};
  const ProxyPlan exec = plan_transaction(routing(), client);
  ASSERT_EQ(exec.parts.size(), 1u);
  EXPECT_EQ(exec.parts[0].requests,
            request({"MULTI"}) +
                request({"CLIENT", "WATCH-AT", "a", "7", "100", "{a}2", "-2", "100"}) +
                request({"INCR", "a"}) + request({"EXEC"}));
  EXPECT_EQ(exec.parts[0].replies, 4u);
  EXPECT_EQ(exec.parts[0].counts, 3u);
  client.queue = {{find_command("incr"), {"INCR", "b"}}};
  EXPECT_THAT(plan_transaction(routing(), client).error, StartsWith("-CROSSSLOT"));
}

TEST(ProxyPlan, AScanWalksFromOwnerToOwner) {
  const ProxyPlan begin = plan({"SCAN", "0"});
  EXPECT_THAT(where(begin), ElementsAre("10.0.0.1:7001"));
  const std::string next = std::to_string(int64_t{8001} << 32);
  EXPECT_EQ(join_replies(begin, {"*2\r\n$1\r\n0\r\n*1\r\n$1\r\nb\r\n"}),
            "*2\r\n$" + std::to_string(next.size()) + "\r\n" + next + "\r\n*1\r\n$1\r\nb\r\n");
  // A cursor within what the owner has stays.
  const std::string within = std::to_string(int64_t{3300} << 32 | 5);
  const std::string reply =
      "*2\r\n$" + std::to_string(within.size()) + "\r\n" + within + "\r\n*1\r\n$1\r\nb\r\n";
  EXPECT_EQ(join_replies(begin, {reply}), reply);
  const ProxyPlan rest = plan({"SCAN", next});
  EXPECT_THAT(where(rest), ElementsAre("10.0.0.2:7002"));
  // What lies behind the range is for those who follow.
  EXPECT_EQ(join_replies(rest, {"*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\nc\r\n"}),
            "*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\nc\r\n");
  EXPECT_TRUE(plan({"SCAN", "x"}).local);
  EXPECT_TRUE(plan({"SCAN", std::to_string(int64_t{20000} << 32)}).local);
}

TEST(ProxyPlan, ATransactionGoesAsAWhole) {
  Client client;
  client.queue = {{find_command("incr"), {"INCR", "a"}}, {find_command("get"), {"GET", "{a}2"}}};
  const ProxyPlan plan = plan_transaction(routing(), client);
  EXPECT_THAT(where(plan), ElementsAre("10.0.0.2:7002"));
  EXPECT_EQ(plan.parts[0].replies, 4u);
  EXPECT_EQ(plan.parts[0].counts, 3u);
  EXPECT_THAT(plan.parts[0].requests, StartsWith("*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n"));
  const ProxyPart asked = asking(plan.parts[0]);
  EXPECT_THAT(asked.requests, StartsWith("*1\r\n$6\r\nASKING\r\n*1\r\n$5\r\nMULTI"));
  EXPECT_EQ(asked.replies, 5u);
  EXPECT_EQ(asked.counts, 4u);
  const ProxyPart held = with_write_acks(plan.parts[0], WriteAcks::kAll);
  EXPECT_THAT(held.requests, HasSubstr("WRITE-ACKS\r\n$3\r\nALL"));
  EXPECT_EQ(held.replies, 6u);
  EXPECT_EQ(held.counts, 4u);
  client.queue = {{find_command("incr"), {"INCR", "b"}}};
  EXPECT_TRUE(plan_transaction(routing(), client).local);
  client.queue.push_back({find_command("incr"), {"INCR", "a"}});
  EXPECT_THAT(plan_transaction(routing(), client).error, StartsWith("-CROSSSLOT "));
  client.queue = {{find_command("ping"), {"PING"}}};
  EXPECT_TRUE(plan_transaction(routing(), client).local);
}

TEST(ProxyPlan, ASlotThatNobodyHasIsAnError) {
  Routing holes = routing();
  holes.owner[15495] = Routing::kNobody;
  const Args args = {"GET", "a"};
  EXPECT_THAT(plan_proxy(holes, *find_command("get"), args, false).error,
              StartsWith("-CLUSTERDOWN Hash slot not served"));
  const Args all = {"DBSIZE"};
  EXPECT_THAT(plan_proxy(holes, *find_command("dbsize"), all, false).error,
              StartsWith("-CLUSTERDOWN "));
}

}  // namespace
}  // namespace syntropy
