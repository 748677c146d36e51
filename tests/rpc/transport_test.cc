// Messages between nodes, on sockets and in memory.

#include "rpc/transport.h"

#include "tests/rpc/transport_fixture.h"

namespace syntropy::testing {
namespace {

using ::testing::HasSubstr;

template <class Net>
class MessagesTest : public TransportTest<Net> {};
TYPED_TEST_SUITE(MessagesTest, Nets, NetNames);

BusOptions with_secret(const std::string& secret) {
  BusOptions options;
  options.key = key_of(secret);
  return options;
}

TYPED_TEST(MessagesTest, MessageArrivesWithItsSender) {
  for (const char* secret : {"", "a secret"}) {
    const NodePtr one = this->start(1, with_secret(secret));
    const NodePtr two = this->start(2, with_secret(secret));
    const std::string payload("bytes\0and \xff more", 16);
    this->send(one, two->peer, payload, 33);
    ASSERT_TRUE(this->wait_count(two, Event::kMessage, 1));
    const Event message = two->recorder->last(Event::kMessage);
    EXPECT_EQ(message.peer, node_id(1));
    EXPECT_EQ(message.type, 33);
    EXPECT_EQ(message.text, payload);
    EXPECT_EQ(two->recorder->last(Event::kConnected).peer, node_id(1));
    EXPECT_FALSE(two->recorder->last(Event::kConnected).outbound);
    EXPECT_TRUE(one->recorder->last(Event::kConnected).outbound);
  }
}

TYPED_TEST(MessagesTest, MessagesOfAConnectionKeepTheirOrder) {
  const NodePtr one = this->start(1, with_secret("a secret"));
  const NodePtr two = this->start(2, with_secret("a secret"));
  this->on_loop(one, [&](Transport& transport) {
    for (int i = 0; i < 1000; ++i) transport.send(two->peer, kType, std::to_string(i));
  });
  ASSERT_TRUE(this->wait_count(two, Event::kMessage, 1000));
  const auto messages = two->recorder->events(Event::kMessage);
  for (int i = 0; i < 1000; ++i)
    ASSERT_EQ(messages[static_cast<size_t>(i)].text, std::to_string(i));
}

TYPED_TEST(MessagesTest, AnswerTakesTheConnectionOfTheQuestion) {
  const NodePtr one = this->start(1);
  Node* answering = nullptr;
  const NodePtr two = this->start(2, {}, [&](Recorder& recorder) {
    recorder.on_each_message = [&](const Remote& from, uint8_t, std::string_view) {
      // The address isn't needed, nor is it known.
      answering->transport->send(Peer{from.id, {}}, kType, "answer");
      return Status();
    };
  });
  answering = two.get();
  this->send(one, two->peer, "question");
  ASSERT_TRUE(this->wait_count(one, Event::kMessage, 1));
  EXPECT_EQ(one->recorder->last(Event::kMessage).peer, node_id(2));
  EXPECT_EQ(one->transport->links().size(), 1u);
  EXPECT_EQ(two->transport->links().size(), 1u);
  EXPECT_EQ(two->transport->stats().dials, 0u);
}

TYPED_TEST(MessagesTest, WhoeverIsAtAnAddressCanBeMet) {
  const NodePtr one = this->start(1);
  const NodePtr two = this->start(2);
  const Peer unknown{NodeId(), two->peer.address};
  this->on_loop(one, [&](Transport& transport) {
    transport.send(unknown, kType, "meet");
    transport.send(unknown, kType, "meet again");
  });
  ASSERT_TRUE(this->wait_count(two, Event::kMessage, 2));
  EXPECT_EQ(one->recorder->last(Event::kConnected).peer, node_id(2));
  // From now on it is known by its id, without an address.
  this->send(one, Peer{node_id(2), {}}, "by id");
  this->send(one, unknown, "by address");
  ASSERT_TRUE(this->wait_count(two, Event::kMessage, 4));
  EXPECT_EQ(one->transport->stats().dials, 1u);
}

TYPED_TEST(MessagesTest, OtherNodeAtTheAddressGetsNothing) {
  const NodePtr one = this->start(1);
  const NodePtr two = this->start(2);
  this->send(one, Peer{node_id(3), two->peer.address}, "for three");
  ASSERT_TRUE(this->wait_count(one, Event::kUnreachable, 1));
  EXPECT_EQ(one->recorder->last(Event::kUnreachable).type,
            static_cast<int>(Unreachable::kOtherNode));
  EXPECT_EQ(one->recorder->last(Event::kUnreachable).peer, node_id(3));
  ASSERT_TRUE(this->wait_count(two, Event::kStranger, 1));
  EXPECT_EQ(two->count(Event::kMessage), 0u);
  EXPECT_EQ(two->count(Event::kConnected), 0u);
  EXPECT_EQ(one->transport->stats().dropped_unreachable, 1u);
}

TYPED_TEST(MessagesTest, NodeDoesNotTalkToItself) {
  const NodePtr one = this->start(1);
  this->send(one, Peer{NodeId(), one->peer.address}, "hello me");
  ASSERT_TRUE(this->wait_count(one, Event::kUnreachable, 1));
  EXPECT_EQ(one->recorder->last(Event::kUnreachable).type,
            static_cast<int>(Unreachable::kNotAdmitted));
  EXPECT_THAT(one->recorder->last(Event::kUnreachable).text, HasSubstr("leads back"));
  EXPECT_EQ(one->count(Event::kMessage), 0u);
}

TYPED_TEST(MessagesTest, RefusalOfALiveHostIsToldAtOnce) {
  const NodePtr one = this->start(1);
  this->send(one, Peer{node_id(2), this->net.nobody()}, "anyone?");
  ASSERT_TRUE(this->wait_count(one, Event::kUnreachable, 1));
  EXPECT_EQ(one->recorder->last(Event::kUnreachable).type, static_cast<int>(Unreachable::kRefused));
  EXPECT_EQ(one->transport->stats().dropped_unreachable, 1u);
  EXPECT_TRUE(one->transport->links().empty());
}

TYPED_TEST(MessagesTest, SilentHostIsGivenUp) {
  BusOptions options;
  options.limits.handshake_ms = 30;
  const NodePtr one = this->start(1, options);
  this->send(one, Peer{node_id(2), this->net.silent_host()}, "anyone?");
  ASSERT_TRUE(this->wait_count(one, Event::kUnreachable, 1));
  EXPECT_EQ(one->recorder->last(Event::kUnreachable).type,
            static_cast<int>(Unreachable::kNoAnswer));
  EXPECT_THAT(one->recorder->last(Event::kUnreachable).text, HasSubstr("within 30 ms"));
}

TYPED_TEST(MessagesTest, AddressThatIsNoneIsUnreachable) {
  const NodePtr one = this->start(1);
  this->send(one, Peer{node_id(2), {"not-an-address", 1}}, "x");
  ASSERT_TRUE(this->wait_count(one, Event::kUnreachable, 1));
  this->send(one, Peer{node_id(2), {}}, "x");
  EXPECT_EQ(one->transport->stats().dropped_unreachable, 2u);
  EXPECT_EQ(one->transport->stats().dials, 1u);
}

TYPED_TEST(MessagesTest, WhoDidNotAnswerIsDialedAgainAfterAPause) {
  BusOptions options;
  options.limits.back_off_first_ms = 5;
  options.limits.back_off_most_ms = 20;
  const NodePtr one = this->start(1, options);
  NodePtr two = this->start(2);
  const Peer peer = two->peer;
  two.reset();
  this->on_loop(one, [&](Transport& transport) { transport.send(peer, kType, "lost"); });
  ASSERT_TRUE(this->wait_count(one, Event::kUnreachable, 1));
  // Within the pause nobody is dialed.
  this->on_loop(one, [&](Transport& transport) {
    for (int i = 0; i < 10; ++i) transport.send(peer, kType, "lost");
  });
  EXPECT_LE(one->transport->stats().dials, 2u);
  EXPECT_GE(one->transport->stats().dropped_unreachable, 10u);

  two = this->start(2, {}, {}, peer.address);
  this->on_loop(one, [&](Transport& transport) { transport.set_alarm(transport.now() + 20); });
  ASSERT_TRUE(this->wait_count(one, Event::kAlarm, 1));
  this->send(one, peer, "again");
  ASSERT_TRUE(this->wait_count(two, Event::kMessage, 1));
}

TYPED_TEST(MessagesTest, WrongSecretLearnsAndChangesNothing) {
  const NodePtr one = this->start(1, with_secret("a secret"));
  const NodePtr two = this->start(2, with_secret("another"));
  const NodePtr none = this->start(3);
  for (const NodePtr& other : {std::cref(two), std::cref(none)}) {
    this->send(other, Peer{NodeId(), one->peer.address}, "let me in");
    ASSERT_TRUE(this->wait_count(other, Event::kUnreachable, 1));
    EXPECT_EQ(other->recorder->last(Event::kUnreachable).type,
              static_cast<int>(Unreachable::kNotAdmitted));
    EXPECT_THAT(other->recorder->last(Event::kUnreachable).text, HasSubstr("secret"));
    EXPECT_EQ(other->count(Event::kConnected), 0u);
  }
  ASSERT_TRUE(this->wait_count(one, Event::kStranger, 2));
  EXPECT_EQ(one->count(Event::kConnected) + one->count(Event::kMessage), 0u);
  EXPECT_TRUE(one->transport->links().empty());
  EXPECT_EQ(one->transport->stats().refused, 2u);
  // The other way round: dialed by who has the secret.
  this->send(one, none->peer, "hello");
  ASSERT_TRUE(this->wait_count(one, Event::kUnreachable, 1));
  EXPECT_EQ(none->count(Event::kConnected) + none->count(Event::kMessage), 0u);
}

TYPED_TEST(MessagesTest, NodesThatDialEachOtherBothGetThrough) {
  for (int round = 0; round < 5; ++round) {
    const NodePtr one = this->start(1, with_secret("a secret"));
    const NodePtr two = this->start(2, with_secret("a secret"));
    one->transport->post([&] { one->transport->send(two->peer, kType, "from one"); });
    two->transport->post([&] { two->transport->send(one->peer, kType, "from two"); });
    ASSERT_TRUE(this->wait_count(one, Event::kMessage, 1));
    ASSERT_TRUE(this->wait_count(two, Event::kMessage, 1));
    EXPECT_LE(one->transport->links().size(), 2u);
    EXPECT_EQ(one->count(Event::kDisconnected) + two->count(Event::kDisconnected), 0u);
  }
}

TYPED_TEST(MessagesTest, LargeMessagesPassUpToTheLimit) {
  BusOptions options;
  options.limits.message_bytes = 300'000;
  const NodePtr one = this->start(1, options);
  const NodePtr two = this->start(2, options);
  this->send(one, two->peer, std::string(300'001, 'x'));
  this->send(one, two->peer, std::string(300'000, 'x'));
  ASSERT_TRUE(this->wait_count(two, Event::kMessage, 1));
  EXPECT_EQ(two->recorder->last(Event::kMessage).text, std::string(300'000, 'x'));
  EXPECT_EQ(one->transport->stats().dropped_large, 1u);
}

TYPED_TEST(MessagesTest, IdleConnectionIsClosedAndMadeAgain) {
  BusOptions options;
  options.limits.idle_ms = 40;
  const NodePtr one = this->start(1, options);
  const NodePtr two = this->start(2, options);
  this->connect(one, two);
  ASSERT_TRUE(this->wait_count(one, Event::kDisconnected, 1));
  EXPECT_EQ(one->recorder->last(Event::kDisconnected).code, StatusCode::kOk);
  ASSERT_TRUE(this->wait_count(two, Event::kDisconnected, 1));
  EXPECT_TRUE(one->transport->links().empty());
  this->connect(one, two);
  EXPECT_EQ(one->transport->stats().dials, 2u);
}

TYPED_TEST(MessagesTest, IdlestConnectionGivesWayWhenThereAreTooMany) {
  BusOptions options;
  options.limits.links = 3;
  const NodePtr one = this->start(1, options);
  std::vector<NodePtr> others;
  for (uint64_t i = 0; i < 5; ++i) {
    others.push_back(this->start(10 + i));
    this->connect(one, others.back());
    if (i > 0) this->connect(one, others.front());  // that is never the idlest
  }
  EXPECT_LE(one->transport->links().size(), 3u);
  EXPECT_EQ(others.front()->count(Event::kDisconnected), 0u);
  EXPECT_EQ(one->count(Event::kDisconnected), 2u);
}

TYPED_TEST(MessagesTest, RestartedNodeReplacesItsOldConnections) {
  const NodePtr one = this->start(1);
  const NodePtr before = this->start(2);
  this->connect(before, one);
  // The same identity, another process; the old one hasn't gone in the eyes of the network.
  const NodePtr after = this->start(2);
  this->connect(after, one);
  ASSERT_TRUE(this->wait_count(one, Event::kDisconnected, 1));
  EXPECT_THAT(one->recorder->last(Event::kDisconnected).text, HasSubstr("restarted"));
  ASSERT_TRUE(this->wait_count(before, Event::kDisconnected, 1));
  this->send(one, after->peer, "to the living");
  ASSERT_TRUE(this->wait_count(after, Event::kMessage, 1));
}

TYPED_TEST(MessagesTest, OneNodeHasSoManyConnectionsAndNoMore) {
  BusOptions options;
  options.instance = 7;
  options.limits.links_per_peer = 2;
  const NodePtr one = this->start(1, options);
  std::vector<NodePtr> copies;  // of one process, as far as node 1 can tell
  for (size_t i = 0; i < 4; ++i) {
    copies.push_back(this->start(2, options));
    this->connect(copies.back(), one);
  }
  ASSERT_TRUE(this->wait_count(one, Event::kDisconnected, 2));
  EXPECT_EQ(one->transport->links().size(), 2u);
  EXPECT_EQ(copies.back()->count(Event::kDisconnected), 0u);
}

TYPED_TEST(MessagesTest, ForgottenNodeIsDisconnectedWithoutAWord) {
  const NodePtr one = this->start(1);
  const NodePtr two = this->start(2);
  this->connect(one, two);
  this->connect(two, one);
  this->on_loop(one, [&](Transport& transport) { transport.disconnect(node_id(2)); });
  EXPECT_TRUE(one->transport->links().empty());
  ASSERT_TRUE(this->wait_count(two, Event::kDisconnected, 1));
  EXPECT_EQ(one->count(Event::kDisconnected), 0u);
}

TYPED_TEST(MessagesTest, NodeGetsAnotherIdentity) {
  const NodePtr one = this->start(1);
  const NodePtr two = this->start(2);
  this->connect(one, two);
  this->on_loop(one, [&](Transport& transport) { transport.set_self(node_id(9)); });
  this->connect(one, two);
  EXPECT_EQ(two->recorder->last(Event::kMessage).peer, node_id(9));
}

TYPED_TEST(MessagesTest, StoppedNodeIsSeenToGo) {
  const NodePtr one = this->start(1);
  NodePtr two = this->start(2);
  this->connect(one, two);
  two.reset();
  ASSERT_TRUE(this->wait_count(one, Event::kDisconnected, 1));
  EXPECT_EQ(one->recorder->last(Event::kDisconnected).code, StatusCode::kUnavailable);
  EXPECT_EQ(one->recorder->last(Event::kDisconnected).peer, node_id(2));
}

TYPED_TEST(MessagesTest, AlarmRingsOnceAndTheLastOneCounts) {
  const NodePtr one = this->start(1);
  this->on_loop(one, [](Transport& transport) {
    transport.set_alarm(transport.now() + 1);
    transport.set_alarm(Transport::kNoAlarm);
    transport.set_alarm(transport.now() + 3'600'000);
    transport.set_alarm(transport.now() + 20);
  });
  ASSERT_TRUE(this->wait_count(one, Event::kAlarm, 1));
  this->on_loop(one, [](Transport& transport) { transport.set_alarm(transport.now()); });
  ASSERT_TRUE(this->wait_count(one, Event::kAlarm, 2));
  this->on_loop(one, [](Transport&) {});
  EXPECT_EQ(one->count(Event::kAlarm), 2u);
}

TYPED_TEST(MessagesTest, LinksAndCountersShowWhatThereIs) {
  const NodePtr one = this->start(1);
  const NodePtr two = this->start(2);
  this->send(one, two->peer, "12345", 77);
  ASSERT_TRUE(this->wait_count(two, Event::kMessage, 1));
  ASSERT_TRUE(this->wait([&] { return !one->transport->links().front().writing; }));
  const LinkInfo out = one->transport->links().front();
  const LinkInfo in = two->transport->links().front();
  EXPECT_TRUE(out.outbound && out.ready && in.ready && !in.outbound);
  EXPECT_EQ(out.peer, node_id(2));
  EXPECT_EQ(in.peer, node_id(1));
  EXPECT_EQ(out.address, two->peer.address);
  EXPECT_GT(out.created_ms, 1'600'000'000'000u);
  EXPECT_EQ(out.send_buffer_used, 0u);
  const TransportStats sent = one->transport->stats();
  const TransportStats received = two->transport->stats();
  EXPECT_EQ(sent.frames[77].sent, 1u);
  EXPECT_EQ(received.frames[77].received, 1u);
  EXPECT_EQ(sent.bytes.sent, received.bytes.received);
  EXPECT_EQ(sent.dials, 1u);
  EXPECT_EQ(received.accepted, 1u);
}

}  // namespace
}  // namespace syntropy::testing
