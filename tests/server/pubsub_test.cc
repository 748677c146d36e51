// Pub/Sub through sessions: what listeners get, what a connection that listens may do, and what of
// it others see. The replies are those of redis-server 7.0.15.
#include "server/pubsub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/test_node.h"
#include "tests/support/fake_cluster.h"

namespace syntropy {
namespace {

using namespace testing;  // NOLINT: the vocabulary of these tests
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string told(std::string_view verb, std::string_view name, int64_t count) {
  return array({bulk(verb), bulk(name), integer(count)});
}

class PubSubTest : public ::testing::Test {
 protected:
  /// A client, and what was pushed to it.
  struct Listener {
    Session& session;
    std::shared_ptr<std::string> pushed = std::make_shared<std::string>();

    std::string take() { return std::exchange(*pushed, {}); }
  };

  Listener connect() {
    Listener listener{node_.connect()};
    listener.session.client().push = [pushed = listener.pushed](const std::string& bytes) {
      pushed->append(bytes);
    };
    return listener;
  }
  std::string send(Listener& from, const std::vector<std::string>& args) {
    return node_.exchange(from.session, request(args));
  }

  TestNode node_;
  Listener a_ = connect();
  Listener b_ = connect();
};

TEST_F(PubSubTest, AMessageGoesToThoseWhoListen) {
  EXPECT_EQ(send(a_, {"SUBSCRIBE", "news", "sport"}),
            told("subscribe", "news", 1) + told("subscribe", "sport", 2));
  EXPECT_EQ(send(a_, {"SUBSCRIBE", "news"}), told("subscribe", "news", 2));
  EXPECT_EQ(send(b_, {"PUBLISH", "news", "hello"}), integer(1));
  EXPECT_EQ(a_.take(), array({bulk("message"), bulk("news"), bulk("hello")}));
  EXPECT_EQ(b_.take(), "");
  EXPECT_EQ(send(b_, {"PUBLISH", "weather", "rain"}), integer(0));
  EXPECT_EQ(a_.take(), "");
}

TEST_F(PubSubTest, PatternsCountBesideChannels) {
  EXPECT_EQ(send(a_, {"PSUBSCRIBE", "n*", "?ews"}),
            told("psubscribe", "n*", 1) + told("psubscribe", "?ews", 2));
  EXPECT_EQ(send(a_, {"SUBSCRIBE", "news"}), told("subscribe", "news", 3));
  EXPECT_EQ(send(b_, {"PUBLISH", "news", "x"}), integer(3));
  EXPECT_EQ(a_.take(), array({bulk("message"), bulk("news"), bulk("x")}) +
                           array({bulk("pmessage"), bulk("?ews"), bulk("news"), bulk("x")}) +
                           array({bulk("pmessage"), bulk("n*"), bulk("news"), bulk("x")}));
  EXPECT_EQ(send(a_, {"PUNSUBSCRIBE", "n*"}), told("punsubscribe", "n*", 2));
  EXPECT_EQ(send(b_, {"PUBLISH", "news", "x"}), integer(2));
}

TEST_F(PubSubTest, ShardChannelsAreNamesOfTheirOwn) {
  EXPECT_EQ(send(a_, {"SSUBSCRIBE", "news"}), told("ssubscribe", "news", 1));
  EXPECT_EQ(send(b_, {"PUBLISH", "news", "x"}), integer(0));
  EXPECT_EQ(send(b_, {"SPUBLISH", "news", "x"}), integer(1));
  EXPECT_EQ(a_.take(), array({bulk("smessage"), bulk("news"), bulk("x")}));
  EXPECT_EQ(send(a_, {"SUNSUBSCRIBE"}), told("sunsubscribe", "news", 0));
  EXPECT_EQ(send(b_, {"SPUBLISH", "news", "x"}), integer(0));
}

TEST_F(PubSubTest, EndsOfListening) {
  const std::string nothing = array({bulk("unsubscribe"), std::string(kNull), integer(0)});
  EXPECT_EQ(send(a_, {"UNSUBSCRIBE"}), nothing);
  EXPECT_EQ(send(a_, {"UNSUBSCRIBE", "x"}), told("unsubscribe", "x", 0));
  send(a_, {"SUBSCRIBE", "b", "a"});
  EXPECT_EQ(send(a_, {"UNSUBSCRIBE"}), told("unsubscribe", "a", 1) + told("unsubscribe", "b", 0));
  EXPECT_EQ(send(a_, {"GET", "k"}), std::string(kNull));
}

TEST_F(PubSubTest, InResp2AConnectionThatListensDoesNothingElse) {
  send(a_, {"SUBSCRIBE", "c"});
  EXPECT_EQ(send(a_, {"GET", "k"}),
            error("ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
                  "RESET are allowed in this context"));
  EXPECT_THAT(send(a_, {"PUBLISH", "c", "x"}), HasSubstr("Can't execute 'publish'"));
  EXPECT_THAT(send(a_, {"CLIENT", "ID"}), HasSubstr("Can't execute 'client|id'"));
  EXPECT_EQ(send(a_, {"PING"}), array({bulk("pong"), bulk("")}));
  EXPECT_EQ(send(a_, {"PING", "hi"}), array({bulk("pong"), bulk("hi")}));
  EXPECT_EQ(send(a_, {"RESET"}), "+RESET\r\n");
  EXPECT_EQ(send(a_, {"PING"}), "+PONG\r\n");
  EXPECT_EQ(send(b_, {"PUBLISH", "c", "x"}), integer(0));
}

TEST_F(PubSubTest, InResp3MessagesArePushesBesideReplies) {
  send(a_, {"HELLO", "3"});
  EXPECT_EQ(send(a_, {"SUBSCRIBE", "c"}), ">3\r\n" + bulk("subscribe") + bulk("c") + integer(1));
  EXPECT_EQ(send(a_, {"SET", "k", "1"}), std::string(kOk));
  EXPECT_EQ(send(a_, {"PUBLISH", "c", "x"}), integer(1));
  EXPECT_EQ(a_.take(), ">3\r\n" + bulk("message") + bulk("c") + bulk("x"));
  EXPECT_EQ(send(a_, {"PING"}), "+PONG\r\n");
}

TEST_F(PubSubTest, PubSubTellsWhoListens) {
  send(a_, {"SUBSCRIBE", "one", "two"});
  send(b_, {"SUBSCRIBE", "two"});
  Listener c = connect();
  EXPECT_EQ(send(c, {"PUBSUB", "CHANNELS"}), array({bulk("one"), bulk("two")}));
  EXPECT_EQ(send(c, {"PUBSUB", "CHANNELS", "*e"}), array({bulk("one")}));
  EXPECT_EQ(send(c, {"PUBSUB", "NUMSUB", "two", "none"}),
            array({bulk("two"), integer(2), bulk("none"), integer(0)}));
  EXPECT_EQ(send(c, {"PUBSUB", "NUMPAT"}), integer(0));
  send(b_, {"PSUBSCRIBE", "x*"});
  EXPECT_EQ(send(c, {"PUBSUB", "NUMPAT"}), integer(1));
  send(b_, {"SSUBSCRIBE", "s"});
  EXPECT_EQ(send(c, {"PUBSUB", "SHARDCHANNELS"}), array({bulk("s")}));
  EXPECT_EQ(send(c, {"PUBSUB", "SHARDNUMSUB", "s"}), array({bulk("s"), integer(1)}));
  EXPECT_THAT(send(c, {"CLIENT", "LIST"}),
              ::testing::AllOf(HasSubstr("sub=2 psub=0 ssub=0"), HasSubstr("sub=1 psub=1 ssub=1"),
                               HasSubstr("flags=P ")));
  EXPECT_EQ(send(c, {"CLIENT", "KILL", "TYPE", "pubsub"}), integer(2));
}

TEST_F(PubSubTest, WhoIsGoneListensNoMore) {
  send(a_, {"SUBSCRIBE", "c"});
  send(a_, {"PSUBSCRIBE", "*"});
  node_.pubsub.forget(a_.session.client());
  EXPECT_THAT(node_.pubsub.channels(Listening::kChannel), IsEmpty());
  EXPECT_EQ(node_.pubsub.publish("c", "x"), 0u);
}

// --- in a cluster --------------------------------------------------------------------------------

class PubSubInClusterTest : public PubSubTest {
 protected:
  PubSubInClusterTest() {
    // "b" is in slot 3300, "a" in 15495; 1 and 2 are primaries, 3 a replica of 1; this is 1.
    node_.context.cluster = &cluster_;
  }

  FakeCluster cluster_{{{.id = node_id('1'), .slots = {{0, 8000}}, .epoch = 1, .port = 7001},
                        {.id = node_id('2'), .slots = {{8001, 16383}}, .epoch = 2, .port = 7002},
                        {.id = node_id('3'), .primary = node_id('1'), .port = 7003}}};
};

TEST_F(PubSubInClusterTest, WhatIsPublishedIsSpread) {
  EXPECT_EQ(send(a_, {"PUBLISH", "a", "x"}), integer(0));
  EXPECT_EQ(send(a_, {"SPUBLISH", "b", "y"}), integer(0));
  EXPECT_THAT(cluster_.published, ElementsAre("a x", "shard b y"));
  cluster_.publishes = false;
  EXPECT_THAT(send(a_, {"PUBLISH", "a", "x"}), HasSubstr("too large for the cluster's bus"));
}

TEST_F(PubSubInClusterTest, ShardChannelsAreServedWhereTheirSlotIs) {
  const std::string moved = error("MOVED 15495 127.0.0.1:7002");
  EXPECT_EQ(send(a_, {"SSUBSCRIBE", "a"}), moved);
  EXPECT_EQ(send(a_, {"SPUBLISH", "a", "x"}), moved);
  EXPECT_EQ(send(a_, {"SSUBSCRIBE", "a", "b"}),
            error("CROSSSLOT Keys in request don't hash to the same slot"));
  EXPECT_EQ(send(a_, {"SUBSCRIBE", "a"}), told("subscribe", "a", 1));
  // A replica serves its shard's.
  Routing routing = cluster_.current_routing();
  routing.self = node_id('3');
  routing.primary = node_id('1');
  cluster_.gate().publish(std::make_shared<const Routing>(routing));
  EXPECT_EQ(send(a_, {"SSUBSCRIBE", "b"}), told("ssubscribe", "b", 1));
}

TEST_F(PubSubInClusterTest, ASlotThatMovesHasNoKeysToLookFor) {
  Routing routing = cluster_.current_routing();
  routing.migrating = {{3300, routing.owner[15495]}};
  cluster_.gate().publish(std::make_shared<const Routing>(routing));
  EXPECT_EQ(send(a_, {"SSUBSCRIBE", "b"}), told("ssubscribe", "b", 1));
}

TEST_F(PubSubInClusterTest, WhenTheSlotIsGoneListenersAreTold) {
  send(a_, {"SSUBSCRIBE", "b", "{b}2"});
  node_.pubsub.end_shard_channels([](std::string_view channel) { return channel == "b"; });
  EXPECT_EQ(a_.take(), told("sunsubscribe", "{b}2", 1));
  EXPECT_THAT(node_.pubsub.channels(Listening::kShardChannel), ElementsAre("b"));
}

}  // namespace
}  // namespace syntropy
