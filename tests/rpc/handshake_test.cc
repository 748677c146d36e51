#include "rpc/handshake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "storage/base/random.h"

namespace syntropy {
namespace {

using ::testing::HasSubstr;

const ClusterKey& key_of(const std::string& secret) {
  static std::map<std::string, ClusterKey> keys;
  const auto found = keys.find(secret);
  if (found != keys.end()) return found->second;
  return keys.emplace(secret, ClusterKey::derive(secret)).first->second;
}

NodeId node(uint64_t number) {
  SeededRandom random(number);
  return NodeId::random(random);
}

HandshakeConfig config(uint64_t number, const std::string& secret = "") {
  HandshakeConfig config;
  config.self = node(number);
  config.instance = number * 10;
  config.key = key_of(secret);
  return config;
}

HandshakeNonce nonce(char fill) {
  HandshakeNonce bytes;
  bytes.fill(fill);
  return bytes;
}

// One side, with the parser in front of it.
struct Side {
  explicit Side(Handshake made) : handshake(std::move(made)) {}

  // Feeds what the other side wrote; the answer.
  std::string take(std::string_view bytes) {
    while (status.ok()) {
      const auto frame = parser.next(&bytes);
      if (!frame.ok()) status = frame.status();
      if (!frame.ok() || !frame->has_value()) break;
      status = handshake.step(**frame);
    }
    return handshake.take_output();
  }

  Handshake handshake;
  FrameParser parser{kMaxHandshakePayload};
  Status status;
};

// Changes what passes: (message number from 0, bytes).
using Meddle = std::function<void(int, std::string*)>;

// The frame in `bytes` with its payload changed and its check made right again.
void alter(std::string* bytes, const std::function<void(std::string*)>& change) {
  const auto type = static_cast<uint8_t>((*bytes)[3]);
  std::string payload = bytes->substr(kFrameHeaderBytes);
  change(&payload);
  FrameCheck check;
  bytes->clear();
  append_frame(type, payload, &check, bytes);
}

struct Meeting {
  Side dialing;
  Side dialed;

  Meeting(const HandshakeConfig& i, const HandshakeConfig& r, const NodeId& expected = {},
          const Meddle& meddle = {})
      : dialing(Handshake::initiator(i, expected, 7, nonce('i'))),
        dialed(Handshake::responder(r, nonce('r'))) {
    std::string bytes = dialing.handshake.take_output();
    for (int message = 0; !bytes.empty(); ++message) {
      if (meddle) meddle(message, &bytes);
      bytes = message % 2 == 0 ? dialed.take(bytes) : dialing.take(bytes);
    }
  }

  bool both_done() const { return dialing.handshake.done() && dialed.handshake.done(); }
};

class HandshakeTest : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Modes, HandshakeTest, ::testing::Values("", "a secret"),
                         [](const auto& mode) { return mode.param.empty() ? "open" : "secret"; });

TEST_P(HandshakeTest, BothSidesLearnWhoTheOtherIs) {
  Meeting meeting(config(1, GetParam()), config(2, GetParam()), node(2));
  ASSERT_TRUE(meeting.both_done());
  const HandshakeResult at_i = meeting.dialing.handshake.take_result();
  const HandshakeResult at_r = meeting.dialed.handshake.take_result();
  EXPECT_EQ(at_i.peer, node(2));
  EXPECT_EQ(at_r.peer, node(1));
  EXPECT_EQ(at_i.peer_instance, 20u);
  EXPECT_EQ(at_r.peer_instance, 10u);
  EXPECT_EQ(at_r.purpose, 7);
  EXPECT_EQ(at_i.version, 1);
}

TEST_P(HandshakeTest, FramesPassAfterwardsInBothDirections) {
  Meeting meeting(config(1, GetParam()), config(2, GetParam()));
  ASSERT_TRUE(meeting.both_done());
  HandshakeResult at_i = meeting.dialing.handshake.take_result();
  HandshakeResult at_r = meeting.dialed.handshake.take_result();
  const auto passes = [](FrameCheck& from, FrameCheck to) {
    std::string bytes;
    append_frame(16, "hello", &from, &bytes);
    FrameParser parser(100);
    parser.set_check(std::move(to));
    std::string_view input(bytes);
    return parser.next(&input).ok();
  };
  if (!GetParam().empty()) {
    // What I sends can't be thrown back at it.
    Meeting again(config(1, GetParam()), config(2, GetParam()));
    HandshakeResult other = again.dialing.handshake.take_result();
    EXPECT_FALSE(passes(other.send, std::move(other.receive)));
  }
  EXPECT_TRUE(passes(at_i.send, std::move(at_r.receive)));
  EXPECT_TRUE(passes(at_r.send, std::move(at_i.receive)));
}

TEST_P(HandshakeTest, AnotherNodeAtTheAddressIsRefused) {
  Meeting meeting(config(1, GetParam()), config(2, GetParam()), node(3));
  EXPECT_FALSE(meeting.dialing.handshake.done() || meeting.dialed.handshake.done());
  EXPECT_EQ(meeting.dialing.handshake.refusal(), Refusal::kOtherNode);
  EXPECT_EQ(meeting.dialed.handshake.refusal(), Refusal::kOtherNode);
}

TEST_P(HandshakeTest, NodeRefusesItself) {
  Meeting meeting(config(1, GetParam()), config(1, GetParam()));
  EXPECT_FALSE(meeting.dialing.handshake.done() || meeting.dialed.handshake.done());
  EXPECT_EQ(meeting.dialing.handshake.refusal(), Refusal::kSelf);
  EXPECT_THAT(std::string(meeting.dialing.status.message()), HasSubstr("leads back"));
}

TEST_P(HandshakeTest, VersionsMustOverlap) {
  HandshakeConfig newer = config(2, GetParam());
  newer.lowest_version = 2;
  newer.highest_version = 3;
  EXPECT_EQ(Meeting(config(1, GetParam()), newer).dialing.handshake.refusal(), Refusal::kVersion);
  EXPECT_EQ(Meeting(newer, config(1, GetParam())).dialing.handshake.refusal(), Refusal::kVersion);
  newer.lowest_version = 1;
  Meeting meeting(newer, config(1, GetParam()));
  ASSERT_TRUE(meeting.both_done());
  EXPECT_EQ(meeting.dialing.handshake.take_result().version, 1);
}

TEST_P(HandshakeTest, FramesOutOfTurnAreRefused) {
  for (uint8_t type = 1; type < 20; ++type) {
    Handshake dialing = Handshake::initiator(config(1, GetParam()), {}, 0, nonce('i'));
    EXPECT_TRUE(type == 2 || !dialing.step({type, std::string(36, 'x')}).ok()) << int(type);
    Handshake dialed = Handshake::responder(config(1, GetParam()), nonce('r'));
    if (type == 1) continue;
    EXPECT_FALSE(dialed.step({type, std::string(36, 'x')}).ok()) << int(type);
    EXPECT_EQ(dialed.take_output(), "");
  }
}

TEST_P(HandshakeTest, PayloadsOfOtherSizesAreRefused) {
  for (int wrong = 0; wrong < 4; ++wrong) {
    for (const int change : {-1, 1}) {
      Meeting meeting(config(1, GetParam()), config(2, GetParam()), {},
                      [&](int message, std::string* bytes) {
                        if (message != wrong) return;
                        alter(bytes, [&](std::string* payload) {
                          payload->resize(payload->size() + static_cast<size_t>(change));
                        });
                      });
      EXPECT_FALSE(meeting.both_done()) << wrong;
    }
  }
}

TEST(HandshakeSecretTest, WrongSecretGetsNothing) {
  std::string heard;
  Meeting meeting(config(1, "a secret"), config(2, "another"), {},
                  [&](int message, std::string* bytes) {
                    if (message % 2 == 1) heard += *bytes;
                  });
  EXPECT_FALSE(meeting.dialing.handshake.done() || meeting.dialed.handshake.done());
  EXPECT_EQ(meeting.dialed.handshake.refusal(), Refusal::kWrongSecret);
  EXPECT_EQ(meeting.dialing.handshake.refusal(), Refusal::kWrongSecret);
  EXPECT_THAT(std::string(meeting.dialing.status.message()), HasSubstr("secrets differ"));
  // A nonce and a refusal: no node id and nothing that depends on the secret.
  EXPECT_EQ(heard.find(std::string(node(2).bytes())), std::string::npos);
  EXPECT_EQ(heard.size(), 2 * kFrameHeaderBytes + 34 + 1);
}

TEST(HandshakeSecretTest, OneSideWithoutSecretIsRefusedByEitherSide) {
  Meeting asks(config(1), config(2, "a secret"));
  EXPECT_FALSE(asks.dialing.handshake.done() || asks.dialed.handshake.done());
  EXPECT_EQ(asks.dialing.handshake.refusal(), Refusal::kSecretNeeded);
  Meeting asked(config(1, "a secret"), config(2));
  EXPECT_FALSE(asked.dialing.handshake.done() || asked.dialed.handshake.done());
  EXPECT_EQ(asked.dialing.handshake.refusal(), Refusal::kSecretUnwanted);
}

TEST(HandshakeSecretTest, NobodyTalksANodeOutOfItsSecret) {
  // Somebody in between claims that neither side has one.
  const auto claim_open = [](int message, std::string* bytes) {
    if (message > 1) return;
    alter(bytes, [&](std::string* payload) { (*payload)[message == 0 ? 2 : 1] = 0; });
  };
  Meeting both(config(1, "a secret"), config(2, "a secret"), {}, claim_open);
  EXPECT_FALSE(both.dialing.handshake.done() || both.dialed.handshake.done());
  Meeting one(config(1, "a secret"), config(2), {}, claim_open);
  EXPECT_FALSE(one.dialing.handshake.done());
}

// Every bit of every payload, changed on the way with the frame's check made right again: no side
// may end up with another idea of the meeting than the other.
TEST(HandshakeSecretTest, EveryChangedBitIsFound) {
  for (int where = 0; where < 4; ++where) {
    for (size_t bit = 0; bit < 8 * kMaxHandshakePayload; ++bit) {
      bool changed = false;
      Meeting meeting(
          config(1, "a secret"), config(2, "a secret"), {}, [&](int message, std::string* bytes) {
            if (message != where) return;
            if (kFrameHeaderBytes + bit / 8 >= bytes->size()) return;
            alter(bytes, [&](std::string* payload) {
              (*payload)[bit / 8] = static_cast<char>((*payload)[bit / 8] ^ (1 << bit % 8));
            });
            changed = true;
          });
      if (!changed) break;
      EXPECT_FALSE(meeting.dialing.handshake.done()) << where << ", bit " << bit;
      // R has no answer to the welcome to wait for; the keys are right, and I never uses them.
      EXPECT_TRUE(where == 3 || !meeting.dialed.handshake.done()) << where << ", bit " << bit;
    }
  }
}

TEST(HandshakeSecretTest, RecordingIsWorthNothing) {
  std::vector<std::string> said;
  const Meeting recorded(config(1, "a secret"), config(2, "a secret"), {},
                         [&](int, std::string* bytes) { said.push_back(*bytes); });
  ASSERT_TRUE(recorded.both_done());
  // To the one who was dialed then: its nonce is another one now.
  Side dialed(Handshake::responder(config(2, "a secret"), nonce('s')));
  EXPECT_NE(dialed.take(said[0]), "");
  dialed.take(said[2]);
  EXPECT_FALSE(dialed.handshake.done());
  EXPECT_EQ(dialed.handshake.refusal(), Refusal::kWrongSecret);
  // To the one who dialed.
  Side dialing(Handshake::initiator(config(1, "a secret"), {}, 7, nonce('j')));
  dialing.handshake.take_output();
  EXPECT_NE(dialing.take(said[1]), "");
  dialing.take(said[3]);
  EXPECT_FALSE(dialing.handshake.done());
  EXPECT_EQ(dialing.handshake.refusal(), Refusal::kWrongSecret);
}

TEST(HandshakeSecretTest, ProofCannotBeReflected) {
  // A stranger whom node 1 dials passes everything back to node 1's own listener.
  Side dialing(Handshake::initiator(config(1, "a secret"), {}, 7, nonce('i')));
  Side listener(Handshake::responder(config(1, "a secret"), nonce('r')));
  const std::string proof = dialing.take(listener.take(dialing.handshake.take_output()));
  listener.take(proof);
  EXPECT_FALSE(listener.handshake.done());
  EXPECT_EQ(listener.handshake.refusal(), Refusal::kSelf);
  // And the mac of a proof is none of a welcome.
  std::string welcome;
  FrameCheck check;
  append_frame(4, proof.substr(kFrameHeaderBytes, 20) + proof.substr(kFrameHeaderBytes + 40, 40),
               &check, &welcome);
  dialing.take(welcome);
  EXPECT_FALSE(dialing.handshake.done());
}

TEST(HandshakeSecretTest, KeysDifferBetweenMeetingsAndFromTheirOwnReverse) {
  const auto first_frame = [](Meeting& meeting) {
    HandshakeResult result = meeting.dialing.handshake.take_result();
    std::string bytes;
    append_frame(16, "x", &result.send, &bytes);
    return bytes;
  };
  Meeting one(config(1, "a secret"), config(2, "a secret"));
  HandshakeConfig later = config(2, "a secret");
  later.instance = 99;
  Meeting two(config(1, "a secret"), later);
  ASSERT_TRUE(one.both_done() && two.both_done());
  EXPECT_NE(first_frame(one), first_frame(two));
}

TEST(HandshakeSecretTest, RefusalsAreWordsForAnOperator) {
  EXPECT_THAT(describe(Refusal::kBusy, true), HasSubstr("the peer refused us: too many"));
  EXPECT_THAT(describe(static_cast<Refusal>(99), false),
              HasSubstr("we refused the peer: reason 99"));
}

TEST(ClusterKeyTest, EmptySecretIsNone) {
  EXPECT_FALSE(ClusterKey::derive(""));
  EXPECT_TRUE(key_of("x"));
  EXPECT_NE(key_of("x").bytes(), key_of("y").bytes());
}

}  // namespace
}  // namespace syntropy
