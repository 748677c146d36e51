// Peers that keep no rules: before they have authenticated and after.

#include "rpc/handshake.h"
#include "storage/base/coding.h"
#include "tests/rpc/transport_fixture.h"

namespace syntropy::testing {
namespace {

using ::testing::HasSubstr;

std::string framed(uint8_t type, const std::string& payload, FrameCheck* check) {
  std::string out;
  append_frame(type, payload, check, &out);
  return out;
}
std::string framed(uint8_t type, const std::string& payload) {
  FrameCheck open;
  return framed(type, payload, &open);
}

// A node of the test's own that speaks the handshake by the book and nothing afterwards.
struct Member {
  Member(std::unique_ptr<RawPeer> connected, uint64_t number, uint8_t purpose,
         const ClusterKey& key)
      : raw(std::move(connected)) {
    HandshakeConfig config;
    config.self = node_id(number);
    config.instance = number;
    config.key = key;
    Handshake handshake = Handshake::initiator(config, {}, purpose, HandshakeNonce{});
    FrameParser parser(kMaxHandshakePayload);
    size_t read = 0;
    while (!handshake.done()) {
      const std::string output = handshake.take_output();
      if (!output.empty()) raw->send(output);
      const std::string all = raw->receive(read + 1);
      if (all.size() == read) return;
      std::string_view fresh = std::string_view(all).substr(read);
      read = all.size();
      for (;;) {
        const auto frame = parser.next(&fresh);
        if (!frame.ok() || !frame->has_value()) break;
        if (!handshake.step(**frame).ok()) return;
      }
    }
    admitted = true;
    check = handshake.take_result().send;
    received = read;
  }

  std::unique_ptr<RawPeer> raw;
  FrameCheck check;
  size_t received = 0;  // bytes of the handshake
  bool admitted = false;
};

template <class Net>
class HostilePeerTest : public TransportTest<Net> {
 protected:
  std::unique_ptr<RawPeer> raw(const NodePtr& node) {
    return this->net.connect(node->peer.address);
  }
  Member member(const NodePtr& node, uint8_t purpose = kMessages, const ClusterKey& key = {}) {
    return Member(raw(node), 66, purpose, key);
  }
  // The node still does its work.
  void expect_alive(const NodePtr& node, const BusOptions& options = {}) {
    const NodePtr friendly = this->start(77, options);
    this->connect(friendly, node);
  }
};
TYPED_TEST_SUITE(HostilePeerTest, Nets, NetNames);

TYPED_TEST(HostilePeerTest, WhatIsNoHandshakeIsClosedUnanswered) {
  BusOptions options;
  options.key = key_of("a secret");
  const NodePtr node = this->start(1, options);
  std::string wrong_check = framed(1, std::string(36, 'x'));
  wrong_check.back() = 'y';
  std::string oversized = framed(1, std::string(36, 'x'));
  store_le<uint32_t>(oversized.data() + 4, kMaxHandshakePayload + 1);
  std::string newer = framed(1, std::string(36, 'x'));
  newer[2] = 2;
  const std::pair<std::string, const char*> cases[] = {
      {"GET / HTTP/1.1\r\n\r\n", "not a frame of the cluster bus"},
      {"*1\r\n$4\r\nPING\r\n", "not a frame of the cluster bus"},
      {wrong_check, "check is wrong"},
      {oversized, "81 bytes"},
      {newer, "format version 2"},
      {framed(1, "short"), "ill-formed"},
      {framed(3, std::string(80, 'x')), "out of turn"},
      {framed(20, "a message"), "out of turn"},
      {framed(5, "\x04"), "the peer refused us"},
  };
  size_t strangers = 0;
  for (const auto& [bytes, why] : cases) {
    const auto peer = this->raw(node);
    peer->send(bytes);
    EXPECT_TRUE(peer->wait_closed()) << why;
    EXPECT_EQ(peer->receive(0), "") << why;
    ASSERT_TRUE(this->wait_count(node, Event::kStranger, ++strangers)) << why;
    EXPECT_THAT(node->recorder->last(Event::kStranger).text, HasSubstr(why));
  }
  EXPECT_EQ(node->count(Event::kConnected) + node->count(Event::kMessage), 0u);
  EXPECT_EQ(node->transport->stats().refused, strangers);
  this->expect_alive(node, options);
}

TYPED_TEST(HostilePeerTest, GuessedProofGetsARefusalAndNothingElse) {
  BusOptions options;
  options.key = key_of("a secret");
  const NodePtr node = this->start(1, options);
  const auto peer = this->raw(node);
  peer->send(framed(1, std::string("\x01\x01\x01\x00", 4) + std::string(32, 'n')));
  ASSERT_EQ(peer->receive(50).size(), 50u);
  peer->send(framed(3, std::string(80, 'g')) + framed(kType, "and a message"));
  EXPECT_TRUE(peer->wait_closed());
  EXPECT_EQ(peer->receive(0).size(), 50u + kFrameHeaderBytes + 1);
  ASSERT_TRUE(this->wait_count(node, Event::kStranger, 1));
  EXPECT_THAT(node->recorder->last(Event::kStranger).text, HasSubstr("secrets differ"));
  EXPECT_EQ(node->count(Event::kMessage), 0u);
}

TYPED_TEST(HostilePeerTest, WhoIsSlowBeforeAuthenticationIsClosedAtTheDeadline) {
  BusOptions options;
  options.limits.handshake_ms = 50;
  const NodePtr node = this->start(1, options);
  const auto silent = this->raw(node);
  const auto slow = this->raw(node);
  slow->send(framed(1, std::string(36, 'x')).substr(0, 20));
  ASSERT_TRUE(this->wait_count(node, Event::kStranger, 2));
  EXPECT_THAT(node->recorder->last(Event::kStranger).text, HasSubstr("within 50 ms"));
  EXPECT_TRUE(silent->wait_closed());
  EXPECT_TRUE(slow->wait_closed());
}

TYPED_TEST(HostilePeerTest, StrangersAreBounded) {
  BusOptions options;
  options.limits.strangers = 4;
  options.limits.handshake_ms = 3'600'000;
  const NodePtr node = this->start(1, options);
  std::vector<std::unique_ptr<RawPeer>> peers;
  for (int i = 0; i < 10; ++i) peers.push_back(this->raw(node));
  ASSERT_TRUE(this->wait_count(node, Event::kStranger, 6));
  // By the loop: the last one takes the place of who has just been told of.
  size_t links = 0;
  this->on_loop(node, [&links](Transport& transport) { links = transport.links().size(); });
  EXPECT_EQ(links, 4u);
  EXPECT_TRUE(peers.front()->wait_closed()) << "the oldest goes";
  this->expect_alive(node);
}

TYPED_TEST(HostilePeerTest, MemberThatSendsRubbishIsDisconnected) {
  for (const char* secret : {"", "a secret"}) {
    BusOptions options;
    options.key = key_of(secret);
    options.limits.message_bytes = 1000;
    const NodePtr node = this->start(1, options);
    const auto expect_closed = [&](const std::function<std::string(Member&)>& bytes,
                                   const char* why) {
      Member peer = this->member(node, kMessages, options.key);
      ASSERT_TRUE(peer.admitted);
      const size_t before = node->count(Event::kDisconnected);
      std::string sent = framed(kType, "fine", &peer.check);
      sent += bytes(peer);
      peer.raw->send(sent);
      EXPECT_TRUE(peer.raw->wait_closed()) << why;
      ASSERT_TRUE(this->wait_count(node, Event::kDisconnected, before + 1));
      EXPECT_THAT(node->recorder->last(Event::kDisconnected).text, HasSubstr(why));
      EXPECT_EQ(node->recorder->last(Event::kDisconnected).code, StatusCode::kCorruption);
      EXPECT_EQ(node->recorder->last(Event::kMessage).text, "fine");
    };
    expect_closed([](Member&) { return std::string("rubbish"); }, "not a frame");
    expect_closed(
        [](Member& peer) {
          std::string frame = framed(kType, "abc", &peer.check);
          frame.back() = 'x';
          return frame;
        },
        "check is wrong");
    expect_closed([](Member& peer) { return framed(kType, std::string(1001, 'x'), &peer.check); },
                  "1001 bytes where at most 1000");
    expect_closed([](Member& peer) { return framed(3, "again", &peer.check); }, "handshake");
    EXPECT_EQ(node->transport->stats().broken, 4u);
    this->expect_alive(node, options);
  }
}

TYPED_TEST(HostilePeerTest, OpenFrameOfAMemberWithSecretIsRefused) {
  BusOptions options;
  options.key = key_of("a secret");
  const NodePtr node = this->start(1, options);
  Member peer = this->member(node, kMessages, options.key);
  ASSERT_TRUE(peer.admitted);
  peer.raw->send(framed(kType, "no tag"));
  ASSERT_TRUE(this->wait_count(node, Event::kDisconnected, 1));
  EXPECT_EQ(node->count(Event::kMessage), 0u);
}

TYPED_TEST(HostilePeerTest, MessageThatTheHandlerRefusesEndsTheConnection) {
  const NodePtr node = this->start(1, {}, [](Recorder& recorder) {
    recorder.on_each_message = [](const Remote&, uint8_t type, std::string_view) {
      return type == 200 ? Status::corruption("unknown type 200") : Status();
    };
  });
  Member peer = this->member(node);
  peer.raw->send(framed(kType, "known") + framed(200, "unknown") + framed(kType, "not read"));
  EXPECT_TRUE(peer.raw->wait_closed());
  ASSERT_TRUE(this->wait_count(node, Event::kDisconnected, 1));
  EXPECT_EQ(node->recorder->last(Event::kDisconnected).text, "unknown type 200");
  EXPECT_EQ(node->count(Event::kMessage), 2u);
}

TYPED_TEST(HostilePeerTest, BrokenStreamIsClosed) {
  const NodePtr node = this->start(1);
  Member peer = this->member(node, 5);
  ASSERT_TRUE(this->wait_count(node, Event::kStreamOpen, 1));
  peer.raw->send(framed(kType, "fine") + "rubbish");
  EXPECT_TRUE(peer.raw->wait_closed());
  ASSERT_TRUE(this->wait_count(node, Event::kStreamClosed, 1));
  EXPECT_EQ(node->recorder->last(Event::kStreamClosed).code, StatusCode::kCorruption);
  EXPECT_EQ(node->count(Event::kStreamFrame), 1u);
}

TYPED_TEST(HostilePeerTest, HalfAMessageDoesNotHoldAConnectionForEver) {
  BusOptions options;
  options.limits.idle_ms = 20;
  const NodePtr node = this->start(1, options);
  Member peer = this->member(node);
  ASSERT_TRUE(peer.admitted);
  peer.raw->send(framed(kType, "a message").substr(0, 20));
  EXPECT_TRUE(peer.raw->wait_closed());
  EXPECT_EQ(node->count(Event::kMessage), 0u);
}

TYPED_TEST(HostilePeerTest, PeerThatDoesNotReadLosesTheOldestMessages) {
  BusOptions options;
  options.limits.message_queue_bytes = 200'000;
  const NodePtr node = this->start(1, options);
  Member peer = this->member(node);
  ASSERT_TRUE(this->wait_count(node, Event::kConnected, 1));
  const Peer to{node_id(66), {}};
  // More than any system buffers.
  constexpr int kMessages = 3000;
  for (int i = 0; i < kMessages; i += 100) {
    this->on_loop(node, [&](Transport& transport) {
      for (int j = i; j < i + 100; ++j) {
        std::string payload = std::to_string(j);
        payload.resize(10'000, ' ');
        transport.send(to, kType, payload);
      }
    });
    EXPECT_LE(node->transport->links().front().send_buffer_used, 200'000u + 2 * 64 * 1024);
  }
  const uint64_t dropped = node->transport->stats().dropped_full;
  EXPECT_GT(dropped, 100u);
  // What it reads at last is whole frames, in order, and the newest are among them.
  const size_t frames = kMessages - dropped;
  std::string all = peer.raw->receive(peer.received + frames * (10'000 + kFrameHeaderBytes));
  std::string_view rest = std::string_view(all).substr(peer.received);
  FrameParser parser(20'000);
  int last = -1;
  size_t count = 0;
  for (;;) {
    const auto frame = parser.next(&rest);
    ASSERT_TRUE(frame.ok()) << frame.status().message();
    if (!frame->has_value()) break;
    const int number = std::stoi(std::string((*frame)->payload.substr(0, 10)));
    EXPECT_GT(number, last);
    last = number;
    ++count;
  }
  EXPECT_EQ(count, frames);
  EXPECT_EQ(last, kMessages - 1);
}

TYPED_TEST(HostilePeerTest, FloodOfMessagesReachesTheHandlerOneByOne) {
  const NodePtr node = this->start(1);
  Member peer = this->member(node);
  std::string flood;
  for (int i = 0; i < 20'000; ++i) flood += framed(kType, "");
  peer.raw->send(flood);
  ASSERT_TRUE(this->wait_count(node, Event::kMessage, 20'000));
  this->expect_alive(node);
}

}  // namespace
}  // namespace syntropy::testing
