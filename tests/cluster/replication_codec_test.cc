// The bytes of replication's messages: what is written is read back, and nothing else is taken.
#include "server/cluster/replication_codec.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "storage/base/random.h"

namespace syntropy {
namespace {

LineageId lineage(uint64_t seed) {
  SeededRandom random(seed);
  return LineageId::random(random);
}

std::vector<ReplicaMessage> replica_messages() {
  Follow follow{7, {}, 12345};
  follow.position.history = {{lineage(1), 0}, {lineage(2), 500}};
  follow.position.offset = 700;
  follow.position.owed = LogPoint{lineage(3), 1'000'000};
  return {Follow{1, {}, 0},
          follow,
          HandOverData{2, {300, "rows", true}},
          ReplicaAck{3, UINT64_MAX, true, 4, 3},
          ReplicaAck{3, 1, false, 0, 0},
          Ask{4, 2, {0, "what", false}},
          ReplyAck{4, 300, 7}};
}

std::vector<PrimaryMessage> primary_messages() {
  Begin begin;
  begin.session = 9;
  begin.history = {{lineage(4), 12}};
  begin.common = 12;
  begin.owed = LogPoint{lineage(4), 20};
  begin.copy = true;
  begin.log_offset = 15;
  begin.marks = {"flushes", UINT64_MAX, 5, SlotRanges{{3, 7}, {9, 9}}};
  Begin bare;
  bare.session = 10;
  return {Refused{0, "not now"},
          HandOver{1, std::nullopt},
          HandOver{1, 300},
          HandOverAck{2, 77},
          begin,
          bare,
          LogData{3, {5, "x", false}, 600},
          PrimaryHeartbeat{1, 300},
          Compare{5, 3, 1000, {"", 77, 0, SlotRanges::all()}},
          Compare{5, 300, 1000, {"flushes", 77, 1, {}}},
          AskAck{4, 2, 300},
          Reply{4, 2, {0, "", true}}};
}

TEST(ReplicationCodec, WhatIsWrittenIsReadBack) {
  for (const ReplicaMessage& message : replica_messages()) {
    const ReplicationFrame frame = encode_frame(message);
    const Result<ReplicaMessage> read = decode_replica_message(frame.type, frame.payload);
    ASSERT_TRUE(read.ok()) << int{frame.type};
    EXPECT_EQ(read->index(), message.index());
    EXPECT_EQ(encode_frame(*read).payload, frame.payload);
    EXPECT_FALSE(decode_primary_message(frame.type, frame.payload).ok());
  }
  for (const PrimaryMessage& message : primary_messages()) {
    const ReplicationFrame frame = encode_frame(message);
    const Result<PrimaryMessage> read = decode_primary_message(frame.type, frame.payload);
    ASSERT_TRUE(read.ok()) << int{frame.type};
    EXPECT_EQ(read->index(), message.index());
    EXPECT_EQ(encode_frame(*read).payload, frame.payload);
    EXPECT_FALSE(decode_replica_message(frame.type, frame.payload).ok());
  }
}

TEST(ReplicationCodec, MessagesAboutSlotsAreReadBackAndNothingElseIs) {
  const SlotRanges slots = {{0, 5}, {9, 16383}};
  const std::vector<SlotMessage> messages = {
      SlotOffer{1, true, slots},       SlotOffer{2, false, {}}, SlotAccept{3, UINT64_MAX},
      SlotRefusal{4, true, "not now"}, SlotConfirm{5, 300},     SlotReady{6, 300},
      SlotGrant{7, SlotRanges::all()}};
  for (const SlotMessage& message : messages) {
    const ReplicationFrame frame = encode_frame(message);
    EXPECT_TRUE(is_slot_message(frame.type));
    const Result<SlotMessage> read = decode_slot_message(frame.type, frame.payload);
    ASSERT_TRUE(read.ok()) << int{frame.type};
    EXPECT_EQ(read->index(), message.index());
    EXPECT_EQ(encode_frame(*read).payload, frame.payload);
    EXPECT_FALSE(decode_replica_message(frame.type, frame.payload).ok());
    EXPECT_FALSE(decode_primary_message(frame.type, frame.payload).ok());
    if (std::holds_alternative<SlotRefusal>(message)) continue;  // its text is the rest
    for (size_t size = 0; size < frame.payload.size(); ++size) {
      const auto cut = decode_slot_message(frame.type, frame.payload.substr(0, size));
      EXPECT_TRUE(cut.status().is(StatusCode::kCorruption)) << int{frame.type} << " at " << size;
    }
    EXPECT_FALSE(decode_slot_message(frame.type, frame.payload + '\0').ok());
  }
  EXPECT_FALSE(is_slot_message(63));
  EXPECT_FALSE(is_slot_message(70));
  EXPECT_FALSE(decode_slot_message(70, {}).ok());
}

TEST(ReplicationCodec, FieldsKeepTheirValues) {
  const ReplicationFrame frame = encode_frame(replica_messages()[1]);
  const Result<ReplicaMessage> read = decode_replica_message(frame.type, frame.payload);
  ASSERT_TRUE(read.ok());
  const auto& follow = std::get<Follow>(*read);
  EXPECT_EQ(follow.session, 7u);
  EXPECT_EQ(follow.position.offset, 700u);
  EXPECT_EQ(follow.purged, 12345u);
  ASSERT_TRUE(follow.position.owed);
  EXPECT_EQ(follow.position.owed->offset, 1'000'000u);
  ASSERT_EQ(follow.position.history.size(), 2u);
  EXPECT_EQ(follow.position.history[1].start, 500u);
}

TEST(ReplicationCodec, AHeartbeatIsTheCheckVector) {
  const ReplicationFrame frame = encode_frame(PrimaryMessage(PrimaryHeartbeat{1, 300}));
  EXPECT_EQ(frame.type, 53);
  EXPECT_EQ(frame.payload, std::string("\x01\0\0\0\0\0\0\0\xAC\x02", 10));
}

TEST(ReplicationCodec, WhatIsCutOrTooLongIsRefused) {
  for (const ReplicaMessage& message : replica_messages()) {
    // The bytes of these are the rest.
    if (std::holds_alternative<HandOverData>(message) || std::holds_alternative<Ask>(message)) {
      continue;
    }
    const ReplicationFrame frame = encode_frame(message);
    for (size_t size = 0; size < frame.payload.size(); ++size) {
      const auto cut = decode_replica_message(frame.type, frame.payload.substr(0, size));
      EXPECT_TRUE(cut.status().is(StatusCode::kCorruption)) << int{frame.type} << " at " << size;
    }
    EXPECT_FALSE(decode_replica_message(frame.type, frame.payload + '\0').ok());
  }
}

TEST(ReplicationCodec, WhatNobodyWritesIsRefused) {
  EXPECT_FALSE(decode_replica_message(0, "").ok());
  EXPECT_FALSE(decode_primary_message(99, std::string(8, '\1')).ok());
  // No session.
  EXPECT_FALSE(decode_primary_message(53, std::string(8, '\0') + '\1').ok());
  // A flag that is neither yes nor no.
  EXPECT_FALSE(decode_primary_message(49, std::string(8, '\1') + '\2').ok());
}

}  // namespace
}  // namespace syntropy
