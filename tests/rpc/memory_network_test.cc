// What the in-memory network alone can show: cuts, time, and the same trace for the same seed.

#include "rpc/memory_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/rpc/transport_fixture.h"

namespace syntropy::testing {
namespace {

using ::testing::HasSubstr;

class CutTest : public TransportTest<MemoryNet> {
 protected:
  void cut(const NodePtr& from, const NodePtr& to) {
    net.network.cut(from->peer.address.host, to->peer.address.host);
  }
  void heal(const NodePtr& from, const NodePtr& to) {
    net.network.heal(from->peer.address.host, to->peer.address.host);
  }
  void pass_ms(uint64_t ms) { net.network.run_until(net.network.now() + ms); }
};

TEST_F(CutTest, WhatIsHeldBackByACutArrivesWhenItHeals) {
  const NodePtr one = start(1);
  const NodePtr two = start(2);
  connect(one, two);
  cut(one, two);
  for (int i = 0; i < 5; ++i) send(one, two->peer, std::to_string(i));
  send(two, one->peer, "the other way is open");
  ASSERT_TRUE(wait_count(one, Event::kMessage, 1));
  pass_ms(10'000);
  EXPECT_EQ(two->count(Event::kMessage), 1u);
  heal(one, two);
  ASSERT_TRUE(wait_count(two, Event::kMessage, 6));
  EXPECT_EQ(two->recorder->last(Event::kMessage).text, "4");
}

TEST_F(CutTest, ConnectionIsLostToItsSenderWhenTheCutLasts) {
  net.network.set_unacknowledged_ms(5000);
  const NodePtr one = start(1);
  const NodePtr two = start(2);
  connect(one, two);
  cut(one, two);
  send(one, two->peer, "lost");
  pass_ms(4990);
  EXPECT_EQ(one->count(Event::kDisconnected), 0u);
  pass_ms(20);
  ASSERT_EQ(one->count(Event::kDisconnected), 1u);
  EXPECT_THAT(one->recorder->last(Event::kDisconnected).text, HasSubstr("timed out"));
  EXPECT_EQ(two->count(Event::kMessage), 1u);
}

TEST_F(CutTest, StreamOutlivesACut) {
  net.network.set_unacknowledged_ms(5000);
  const NodePtr one = start(1);
  const NodePtr two = start(2);
  const StreamId stream = open_stream(one, two->peer);
  ASSERT_TRUE(wait_count(one, Event::kStreamOpen, 1));
  cut(one, two);
  on_loop(one, [&](Transport& transport) { transport.write(stream, kType, "late"); });
  pass_ms(60'000);
  EXPECT_EQ(one->count(Event::kStreamClosed), 0u);
  heal(one, two);
  ASSERT_TRUE(wait_count(two, Event::kStreamFrame, 1));
}

TEST_F(CutTest, DialIntoACutFindsNoAnswer) {
  for (const bool there : {true, false}) {
    const NodePtr one = start(1);
    const NodePtr two = start(2);
    there ? cut(one, two) : cut(two, one);
    send(one, two->peer, "anyone?");
    ASSERT_TRUE(wait_count(one, Event::kUnreachable, 1));
    EXPECT_EQ(one->recorder->last(Event::kUnreachable).type,
              static_cast<int>(Unreachable::kNoAnswer));
    EXPECT_EQ(two->count(Event::kStranger), 0u);
  }
}

TEST_F(CutTest, LatencyIsThatOfTheWay) {
  const NodePtr one = start(1);
  const NodePtr two = start(2);
  connect(one, two);
  net.network.set_latency_ms(70);
  const TimeMs sent = net.network.now();
  send(one, two->peer, "x");
  ASSERT_TRUE(wait_count(two, Event::kMessage, 2));
  EXPECT_EQ(net.network.now(), sent + 70);
}

TEST_F(CutTest, PausesOfTheBackOffDoubleUpToTheirBound) {
  const NodePtr one = start(1);
  const Peer nobody{node_id(2), net.nobody()};
  std::vector<TimeMs> failures;
  for (size_t i = 1; i <= 12; ++i) {
    open_stream(one, nobody);
    ASSERT_TRUE(wait_count(one, Event::kStreamClosed, i));
    failures.push_back(net.network.now());
  }
  uint64_t pause = 50;
  for (size_t i = 1; i < failures.size(); ++i, pause = std::min<uint64_t>(2000, 2 * pause)) {
    const uint64_t waited = failures[i] - failures[i - 1];
    EXPECT_GE(waited, pause / 2) << i;
    EXPECT_LE(waited, pause + 4) << i;  // and the refused dial itself
  }
}

// A trace of two nodes that talk over a network that fails, as text.
std::string trace(uint64_t seed) {
  MemoryNetwork network(seed);
  Signal signal;
  std::vector<NodePtr> nodes;
  for (uint64_t i = 1; i <= 3; ++i) {
    auto node = std::make_unique<Node>();
    BusOptions options;
    options.self = node_id(i);
    const PeerAddress address{"10.0.0." + std::to_string(i), 17379};
    node->peer = {options.self, address};
    node->recorder = std::make_unique<Recorder>(signal);
    node->transport = MemoryTransport::make(network, address.host, options);
    EXPECT_TRUE(node->transport->listen(address).ok());
    EXPECT_TRUE(node->transport->start(*node->recorder).ok());
    nodes.push_back(std::move(node));
  }
  std::string text;
  for (int round = 0; round < 200; ++round) {
    const NodePtr& from = nodes[network.random().below(3)];
    const NodePtr& to = nodes[network.random().below(3)];
    from->transport->send(to->peer, kType, std::string(network.random().below(3000), 'x'));
    if (round == 50) network.cut("10.0.0.1", "10.0.0.2");
    if (round == 120) network.heal("10.0.0.1", "10.0.0.2");
    network.run_until(network.now() + network.random().below(20));
    for (const NodePtr& node : nodes) {
      text += std::to_string(node->count(Event::kMessage)) + "," +
              std::to_string(node->transport->stats().bytes.received) + " ";
    }
  }
  return text;
}

TEST(MemoryNetworkTest, SameSeedIsTheSameTrace) {
  EXPECT_EQ(trace(1), trace(1));
  EXPECT_NE(trace(1), trace(2));
}

TEST(MemoryNetworkTest, EventsRunInTheOrderOfTheirTimesThenOfTheirCalls) {
  MemoryNetwork network(1);
  std::string order;
  network.at(5, [&] { order += "c"; });
  network.at(3, [&] {
    order += "a";
    network.at(1, [&] { order += "b"; });  // in the past: now
  });
  network.at(5, [&] { order += "d"; });
  network.run_until(4);
  EXPECT_EQ(order, "ab");
  EXPECT_EQ(network.now(), 4u);
  network.run_until(10);
  EXPECT_EQ(order, "abcd");
  EXPECT_FALSE(network.run_until([] { return false; }, 20));
  EXPECT_EQ(network.now(), 20u);
}

TEST(MemoryNetworkTest, AddressInUseIsRefused) {
  MemoryNetwork network(1);
  PeerAddress address{"10.0.0.1", 1};
  EXPECT_TRUE(network.listen(&address, [](const MemorySocketPtr&) {}).ok());
  EXPECT_TRUE(
      network.listen(&address, [](const MemorySocketPtr&) {}).is(StatusCode::kAlreadyExists));
  network.unlisten(address);
  EXPECT_TRUE(network.listen(&address, [](const MemorySocketPtr&) {}).ok());
}

}  // namespace
}  // namespace syntropy::testing
