#include "rpc/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "rpc/publication.h"
#include "storage/base/random.h"

namespace syntropy {
namespace {

using ::testing::HasSubstr;

// Messages with every field at random, of every size of number, also zero and empty.
class Maker {
 public:
  explicit Maker(uint64_t seed) : random_(seed) {}

  uint64_t number() { return random_.one_in(4) ? 0 : random_.next() >> random_.below(64); }
  uint32_t number32() { return static_cast<uint32_t>(number() & UINT32_MAX); }
  uint64_t epoch() { return number() & (kMaxEpoch - 1); }
  uint64_t attempt() { return random_.next() | 1; }
  bool flag() { return random_.one_in(2); }
  NodeId node() { return NodeId::random(random_); }
  NodeId maybe_node() { return flag() ? node() : NodeId(); }
  LineageId maybe_lineage() { return flag() ? LineageId::random(random_) : LineageId(); }
  size_t count(size_t most) { return random_.below(most + 1); }

  MemberDelta delta() {
    MemberDelta delta;
    delta.id = node();
    delta.from = number() >> 1;
    EntryVersion version = delta.from;
    for (size_t i = count(4) + 1; i > 0; --i) {
      version += 1 + count(300);
      delta.entries.push_back({static_cast<EntryKey>(1 + random_.below(255)), version,
                               std::make_shared<const std::string>(count(300), 'v')});
    }
    return delta;
  }
  std::vector<MemberDelta> deltas() {
    std::vector<MemberDelta> deltas(count(3));
    for (MemberDelta& made : deltas) made = delta();
    return deltas;
  }
  Digest digest() {
    Digest digest(count(40));
    for (DigestItem& item : digest) item = {random_.next(), number()};
    return digest;
  }
  GossipSyn syn() {
    return {number(), number(),   digest(),   number(), flag(),
            flag(),   number32(), number32(), deltas()};
  }
  GossipAck ack() {
    GossipAck ack{number(), number(),   digest(),   deltas(), {},
                  flag(),   number32(), number32(), flag()};
    if (flag()) ack.sums.resize(64);
    for (uint32_t& sum : ack.sums) sum = number32();
    return ack;
  }
  Ballot ballot() {
    Ballot ballot{node(), number(), flag(), 0, {}, 0, {}};
    if (ballot.decided) return ballot;
    ballot.age_ms = number32();
    std::set<uint64_t> accusers;
    for (size_t i = count(8); i > 0; --i) accusers.insert(random_.next());
    ballot.accusers.assign(accusers.begin(), accusers.end());
    ballot.roster_hash = number();
    for (size_t i = count(3); i > 0; --i) ballot.votes.add(count(1500));
    return ballot;
  }
  BallotNews news() {
    BallotNews news;
    for (size_t i = 1 + count(4); i > 0; --i) news.ballots.push_back(ballot());
    return news;
  }
  VoteRequest request() {
    SlotRanges slots;
    for (size_t i = count(5); i > 0; --i) {
      const auto slot = static_cast<uint16_t>(random_.below(kSlotCount));
      slots.add({slot, slot});
    }
    return {epoch(),  maybe_node(), epoch(), std::make_shared<const SlotRanges>(slots),
            number(), flag()};
  }
  Meet meet() { return {delta(), flag() ? "10.0.0.1" : "", number(), number(), flag()}; }

  /// One of each type.
  std::vector<Message> all() {
    return {
        GossipMessage(syn()),
        GossipMessage(ack()),
        GossipMessage(GossipPush{number(), number(), deltas(), flag()}),
        GossipMessage(GossipAgree{number(), flag()}),
        meet(),
        DetectorMessage(Ping{number32(), number32(), flag()}),
        DetectorMessage(Ack{number32(), number32(), flag()}),
        DetectorMessage(IndirectProbe{node(), number32(), number32(), flag()}),
        DetectorMessage(RelayedPing{node(), number32(), number32(), flag()}),
        DetectorMessage(RelayedAck{node(), number32(), number32(), flag()}),
        DetectorMessage(IndirectAck{node(), number32(), number32(), flag()}),
        DetectorMessage(news()),
        ElectionMessage(request()),
        ElectionMessage(Vote{epoch()}),
        ElectionMessage(VoteRefusal{epoch(), epoch(), static_cast<RefusalReason>(1 + count(8))}),
        ElectionMessage(VoteWithdrawn{epoch(), maybe_node()}),
        ElectionMessage(Standing{maybe_node(), maybe_lineage(), number(), flag(), flag(), flag()}),
        ElectionMessage(MfStart{attempt()}),
        ElectionMessage(MfPaused{attempt(), maybe_lineage(), number()}),
        ElectionMessage(MfCancel{attempt()}),
    };
  }

 private:
  SeededRandom random_;
};

// A field that is added to a struct stops the compilation here: it belongs into Maker, the schema
// and both directions of the codec.
[[maybe_unused]] void count_fields() {
  [[maybe_unused]] const auto& [s1, s2, s3, s4, s5, s6, s7, s8, s9] = GossipSyn();
  [[maybe_unused]] const auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9] = GossipAck();
  [[maybe_unused]] const auto& [p1, p2, p3, p4] = GossipPush();
  [[maybe_unused]] const auto& [g1, g2] = GossipAgree();
  [[maybe_unused]] const auto& [d1, d2, d3, whole] = MemberDelta();
  [[maybe_unused]] const auto& [e1, e2, e3] = Entry();
  [[maybe_unused]] const auto& [h1, h2, h3] = Ping();
  [[maybe_unused]] const auto& [i1, i2, i3, i4] = IndirectProbe();
  [[maybe_unused]] const auto& [b1, b2, b3, b4, b5, b6, b7] = Ballot();
  [[maybe_unused]] const auto& [n1] = BallotNews();
  [[maybe_unused]] const auto& [v1, v2, v3, v4, v5, v6] = VoteRequest();
  [[maybe_unused]] const auto& [o1] = Vote();
  [[maybe_unused]] const auto& [r1, r2, r3] = VoteRefusal();
  [[maybe_unused]] const auto& [w1, w2] = VoteWithdrawn();
  [[maybe_unused]] const auto& [t1, t2, t3, t4, t5, t6] = Standing();
  [[maybe_unused]] const auto& [f1, f2, f3] = MfPaused();
  [[maybe_unused]] const auto& [m1, m2, m3, m4, m5] = Meet();
}

uint8_t type_of(const Message& message) { return static_cast<uint8_t>(message_type(message)); }

std::string name_of(const Message& message) {
  return std::string(message_type_name(type_of(message)));
}

// What another node makes of `message`.
Result<Message> received(const Message& message) {
  return decode_message(type_of(message), encode_message(message));
}

template <class Family>
bool refused(const Family& message) {
  const Result<Message> result = received(message);
  return !result.ok() && result.status().code() == StatusCode::kCorruption;
}
bool refused_gossip(const GossipMessage& message) { return refused(message); }
bool refused_detector(const DetectorMessage& message) { return refused(message); }
bool refused_election(const ElectionMessage& message) { return refused(message); }

TEST(CodecTest, EveryMessageComesBackAsItWas) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    for (const Message& message : Maker(seed).all()) {
      const std::string bytes = encode_message(message);
      const Result<Message> back = decode_message(type_of(message), bytes);
      ASSERT_TRUE(back.ok()) << name_of(message) << ", seed " << seed << ": "
                             << back.status().message();
      EXPECT_EQ(type_of(*back), type_of(message));
      // Equal bytes mean equal fields: nothing that differs is encoded alike.
      EXPECT_EQ(encode_message(*back), bytes) << name_of(message) << ", seed " << seed;
    }
  }
}

TEST(CodecTest, FieldsKeepTheirPlaces) {
  Maker maker(7);
  const GossipSyn syn{1, 2, {{3, 4}, {5, 6}}, 7, true, false, 8, 9, {maker.delta()}};
  const GossipSyn back =
      std::get<GossipSyn>(std::get<GossipMessage>(*received(GossipMessage(syn))));
  EXPECT_EQ(back.hash, 1u);
  EXPECT_EQ(back.extra, 2u);
  EXPECT_EQ(back.digest, syn.digest);
  EXPECT_EQ(back.covered, 7u);
  EXPECT_TRUE(back.pull && !back.sums_wanted);
  EXPECT_EQ(back.rate, 8u);
  EXPECT_EQ(back.demand, 9u);
  ASSERT_EQ(back.deltas.size(), 1u);
  EXPECT_EQ(back.deltas[0].id, syn.deltas[0].id);
  EXPECT_EQ(back.deltas[0].from, syn.deltas[0].from);
  ASSERT_EQ(back.deltas[0].entries.size(), syn.deltas[0].entries.size());
  EXPECT_EQ(back.deltas[0].entries[0].key, syn.deltas[0].entries[0].key);
  EXPECT_EQ(back.deltas[0].entries[0].version, syn.deltas[0].entries[0].version);
  EXPECT_EQ(*back.deltas[0].entries[0].value, *syn.deltas[0].entries[0].value);
  EXPECT_EQ(back.deltas[0].whole, nullptr);

  const BallotNews news = maker.news();
  EXPECT_EQ(std::get<BallotNews>(std::get<DetectorMessage>(*received(DetectorMessage(news)))),
            news);
  const IndirectProbe probe{maker.node(), 10, 11};
  EXPECT_EQ(std::get<IndirectProbe>(std::get<DetectorMessage>(*received(DetectorMessage(probe)))),
            probe);
  const VoteRequest request = maker.request();
  const VoteRequest asked =
      std::get<VoteRequest>(std::get<ElectionMessage>(*received(ElectionMessage(request))));
  EXPECT_EQ(asked.epoch, request.epoch);
  EXPECT_EQ(asked.primary_epoch, request.primary_epoch);
  EXPECT_EQ(asked.primary, request.primary);
  EXPECT_EQ(*asked.slots, *request.slots);
  EXPECT_EQ(asked.electorate, request.electorate);
  EXPECT_EQ(asked.manual, request.manual);
}

TEST(CodecTest, WireSizeIsTheSizeOnTheWire) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    for (const Message& message : Maker(seed).all()) {
      EXPECT_EQ(wire_size(message), encode_message(message).size())
          << name_of(message) << ", seed " << seed;
    }
  }
  for (const Message& message :
       {Message(GossipMessage(GossipSyn())), Message(GossipMessage(GossipAck())),
        Message(GossipMessage(GossipPush())), Message(GossipMessage(GossipAgree())),
        Message(DetectorMessage(Ping())), Message(DetectorMessage(Ack())),
        Message(ElectionMessage(Vote()))}) {
    EXPECT_EQ(wire_size(message), 0u) << name_of(message);
    EXPECT_EQ(encode_message(message), "") << name_of(message);
    EXPECT_TRUE(received(message).ok()) << name_of(message);
  }
}

TEST(CodecTest, TypesAreKnownByNumberAndName) {
  std::set<uint8_t> types;
  for (const Message& message : Maker(1).all()) {
    EXPECT_TRUE(types.insert(type_of(message)).second);
    EXPECT_NE(name_of(message), "");
    EXPECT_GE(type_of(message), 16);
  }
  EXPECT_EQ(types.size(), 20u);
  EXPECT_EQ(message_type_name(static_cast<uint8_t>(MessageType::kBallotNews)), "BallotNews");
  for (int type = 0; type < 256; ++type) {
    if (types.contains(static_cast<uint8_t>(type))) continue;
    EXPECT_EQ(message_type_name(static_cast<uint8_t>(type)), "");
    const Result<Message> decoded = decode_message(static_cast<uint8_t>(type), "");
    ASSERT_FALSE(decoded.ok());
    EXPECT_THAT(std::string(decoded.status().message()),
                HasSubstr("unknown type " + std::to_string(type)));
  }
}

TEST(CodecTest, WhatWasPublishedArrivesAsItWas) {
  for (const bool to_shard : {false, true}) {
    const Publication sent{std::string("a\0channel", 9), std::string(100'000, '\xFF'), to_shard};
    const Result<Publication> received = decode_publication(encode_publication(sent));
    ASSERT_TRUE(received.ok());
    EXPECT_EQ(received->channel, sent.channel);
    EXPECT_EQ(received->message, sent.message);
    EXPECT_EQ(received->to_shard, to_shard);
  }
  EXPECT_TRUE(decode_publication("").ok());
  EXPECT_EQ(decode_publication("\x0a\x05"
                               "ab")
                .status()
                .code(),
            StatusCode::kCorruption);
}

TEST(CodecTest, TruncatedBytesAreRefusedOrAnotherWellFormedMessage) {
  for (const Message& message : Maker(5).all()) {
    const std::string bytes = encode_message(message);
    for (size_t size = 0; size < bytes.size(); ++size) {
      const Result<Message> decoded = decode_message(type_of(message), bytes.substr(0, size));
      if (decoded.ok()) {
        EXPECT_EQ(encode_message(*decoded).size(), size) << name_of(message);
      } else {
        EXPECT_EQ(decoded.status().code(), StatusCode::kCorruption);
        EXPECT_THAT(std::string(decoded.status().message()), HasSubstr(name_of(message)));
      }
    }
  }
}

TEST(CodecTest, FieldsOfANewerVersionArePassedOver) {
  // Field 100, a varint.
  const std::string newer = encode_message(GossipMessage(GossipAgree{5, true})) + "\xA0\x06\x01";
  const Result<Message> decoded =
      decode_message(static_cast<uint8_t>(MessageType::kGossipAgree), newer);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(std::get<GossipAgree>(std::get<GossipMessage>(*decoded)).extra, 5u);
}

TEST(CodecTest, IllFormedDeltasAreRefused) {
  Maker maker(3);
  const auto refused_with = [&](const std::function<void(MemberDelta&)>& change) {
    MemberDelta delta = maker.delta();
    delta.from = 5;
    const auto value = std::make_shared<const std::string>("v");
    delta.entries = {{EntryKey::kRole, 6, value}, {EntryKey::kSlots, 9, value}};
    EXPECT_FALSE(refused_gossip(GossipPush{0, 0, {delta}, false}));
    change(delta);
    return refused_gossip(GossipPush{0, 0, {delta}, false}) &&
           refused_gossip(GossipSyn{0, 0, {}, 0, false, false, 0, 0, {delta}}) &&
           (delta.entries.empty() || refused(Meet{delta, "", 0, 0, false}));
  };
  EXPECT_TRUE(refused_with([](MemberDelta& delta) { delta.id = NodeId(); }));
  EXPECT_TRUE(refused_with([](MemberDelta& delta) { delta.entries.clear(); }));
  EXPECT_TRUE(refused_with([](MemberDelta& delta) { delta.from = 6; }));
  EXPECT_TRUE(refused_with([](MemberDelta& delta) { delta.entries[1].version = 6; }));
  EXPECT_TRUE(refused_with([](MemberDelta& delta) { delta.entries[0].version = 0; }));
  EXPECT_TRUE(refused_with([](MemberDelta& delta) { delta.entries[0].key = EntryKey(0); }));
}

TEST(CodecTest, IllFormedGossipIsRefused) {
  GossipAck ack;
  ack.sums.resize(63);
  EXPECT_TRUE(refused_gossip(ack));
  // A digest id without its version: field 3, packed, 8 bytes.
  EXPECT_FALSE(decode_message(16,
                              "\x1A\x08"
                              "12345678")
                   .ok());
  EXPECT_TRUE(decode_message(16,
                             "\x1A\x08"
                             "12345678"
                             "\x22\x01\x05")
                  .ok());
  // An id of 19 bytes in a delta.
  const std::string id(19, 'i');
  EXPECT_FALSE(decode_message(18, "\x1A\x1B\x0A\x13" + id + "\x1A\x04\x08\x01\x10\x01").ok());
}

TEST(CodecTest, IllFormedMeetIsRefused) {
  Meet meet = Maker(1).meet();
  for (const char* host : {"10.0.0.1 ", "a,b", "new\nline"}) {
    meet.your_host = host;
    EXPECT_TRUE(refused(meet)) << host;
  }
  meet.your_host = std::string(256, 'a');
  EXPECT_TRUE(refused(meet));
}

TEST(CodecTest, AMeetOfANodeThatHasToldNothingHasNoRecord) {
  Meet meet = Maker(1).meet();
  meet.self = {};
  const Result<Message> decoded = decode_message(type_of(meet), encode_message(meet));
  ASSERT_TRUE(decoded.ok());
  EXPECT_TRUE(std::get<Meet>(*decoded).self.entries.empty());
}

TEST(CodecTest, IllFormedBallotsAreRefused) {
  Maker maker(4);
  EXPECT_TRUE(refused_detector(BallotNews{}));
  const Ballot decided{maker.node(), 3, true, 0, {}, 0, {}};
  EXPECT_FALSE(refused_detector(BallotNews{{decided}}));
  const auto refused_with = [&](const std::function<void(Ballot&)>& change) {
    Ballot ballot = decided;
    change(ballot);
    return refused_detector(BallotNews{{decided, ballot}});
  };
  EXPECT_TRUE(refused_with([](Ballot& ballot) { ballot.subject = NodeId(); }));
  EXPECT_TRUE(refused_with([](Ballot& ballot) { ballot.age_ms = 1; }));
  EXPECT_TRUE(refused_with([](Ballot& ballot) { ballot.accusers = {1}; }));
  EXPECT_TRUE(refused_with([](Ballot& ballot) { ballot.votes.add(3); }));
  EXPECT_TRUE(refused_with([](Ballot& ballot) {
    ballot.decided = false;
    ballot.accusers = {2, 1};
  }));
  EXPECT_TRUE(refused_with([](Ballot& ballot) {
    ballot.decided = false;
    ballot.accusers = {2, 2};
  }));
  // Votes with a zero at the end: another spelling of the same set.
  const std::string subject = "\x0A\x14" + std::string(maker.node().bytes());
  EXPECT_TRUE(decode_message(30, "\x0A\x19" + subject + "\x3A\x01\x05").ok());
  EXPECT_FALSE(decode_message(30, "\x0A\x1A" + subject + std::string("\x3A\x02\x05\x00", 4)).ok());
}

TEST(CodecTest, RelayedHeartbeatsNameANode) {
  EXPECT_TRUE(refused_detector(IndirectProbe{NodeId(), 1, 1}));
  EXPECT_TRUE(refused_detector(RelayedPing{NodeId(), 1, 1}));
  EXPECT_TRUE(refused_detector(RelayedAck{NodeId(), 1, 1}));
  EXPECT_TRUE(refused_detector(IndirectAck{NodeId(), 1, 1}));
}

TEST(CodecTest, IllFormedElectionMessagesAreRefused) {
  const auto slots = std::make_shared<const SlotRanges>();
  EXPECT_FALSE(refused_election(Vote{kMaxEpoch}));
  EXPECT_TRUE(refused_election(Vote{kMaxEpoch + 1}));
  EXPECT_TRUE(refused_election(VoteRequest{kMaxEpoch + 1, {}, 0, slots, 0, false}));
  EXPECT_TRUE(refused_election(VoteRequest{0, {}, kMaxEpoch + 1, slots, 0, false}));
  EXPECT_TRUE(refused_election(VoteRefusal{kMaxEpoch + 1, 0, RefusalReason::kNotAVoter}));
  EXPECT_TRUE(refused_election(VoteRefusal{0, kMaxEpoch + 1, RefusalReason::kNotAVoter}));
  EXPECT_TRUE(refused_election(VoteRefusal{0, 0, static_cast<RefusalReason>(0)}));
  EXPECT_TRUE(refused_election(VoteRefusal{0, 0, static_cast<RefusalReason>(10)}));
  EXPECT_TRUE(refused_election(VoteWithdrawn{kMaxEpoch + 1, {}}));
  EXPECT_TRUE(refused_election(MfStart{0}));
  EXPECT_TRUE(refused_election(MfCancel{0}));
  EXPECT_TRUE(refused_election(MfPaused{0, {}, 0}));
  // Slots that aren't what SlotRanges writes: none, and bytes behind the end.
  EXPECT_FALSE(decode_message(32, std::string("\x22\x01\x00", 3)).ok());
  EXPECT_TRUE(decode_message(32, std::string("\x22\x03\x01\x00\x00", 5)).ok());
  EXPECT_FALSE(decode_message(32, std::string("\x22\x04\x01\x00\x00\x00", 6)).ok());
  // An id of a wrong size.
  EXPECT_FALSE(decode_message(35,
                              "\x12\x03"
                              "abc")
                   .ok());
  EXPECT_FALSE(decode_message(36,
                              "\x12\x03"
                              "abc")
                   .ok());
}

}  // namespace
}  // namespace syntropy
