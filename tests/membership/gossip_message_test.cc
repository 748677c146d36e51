// The sizes are counted by hand from the schema in the header; rpc/ holds them against the encoder.
#include "membership/gossip_message.h"

#include <gtest/gtest.h>

#include "tests/membership/gossip_support.h"

namespace syntropy {
namespace {

TEST(GossipMessage, NodesAtRestExchangeNineBytesAndNone) {
  GossipSyn syn;
  syn.hash = 0x1234;
  EXPECT_EQ(wire_size(syn), 9u);
  EXPECT_EQ(wire_size(GossipAgree{}), 0u);
  EXPECT_EQ(wire_size(GossipMessage(syn)), 9u);
}

TEST(GossipMessage, AnEntryIsItsFieldsWithTagsAndLengths) {
  // 1 + 1 (entry) + 2 (key) + 1 + 2 (version 300) + 1 + 1 + 3 (value)
  EXPECT_EQ(wire_size(entry_of(EntryKey::kLoad, 300, "abc")), 12u);
  // An empty value isn't written.
  EXPECT_EQ(wire_size(entry_of(EntryKey::kLoad, 1, "")), 6u);
  // From 128 bytes on, lengths take two: 1 + 2 + 2 + 2 + 1 + 2 + 200.
  EXPECT_EQ(wire_size(entry_of(EntryKey::kLoad, 1, std::string(200, 'x'))), 210u);
}

TEST(GossipMessage, ADeltaAddsItsIdAndWhereItBegins) {
  const Entry entry = entry_of(EntryKey::kLoad, 300, "abc");
  EXPECT_EQ(wire_size(delta_of(id_of(1), 0, {entry})), 2 + 22 + 12u);
  EXPECT_EQ(wire_size(delta_of(id_of(1), 299, {entry})), 2 + 22 + 3 + 12u);
}

TEST(GossipMessage, DigestsTakeEightBytesAndAVersionPerMember) {
  GossipSyn syn;
  syn.hash = 1;
  syn.digest = {{1, 5}, {2, 300}};
  EXPECT_EQ(wire_size(syn), 9 + (2 + 16) + (2 + 3u));
  syn.covered = 1;
  syn.pull = true;
  syn.sums_wanted = true;
  syn.extra = 7;
  syn.rate = 300;
  syn.demand = 1;
  EXPECT_EQ(wire_size(syn), 32 + 9 + 2 + 2 + 9 + 3 + 2u);
  syn.deltas = {delta_of(id_of(1), 0, {entry_of(EntryKey::kLoad, 300, "abc")})};
  EXPECT_EQ(wire_size(syn), 59 + 36u);
}

TEST(GossipMessage, AcksAndPushesAreTheirParts) {
  GossipAck ack;
  EXPECT_EQ(wire_size(ack), 0u);
  ack.residual = 1;
  ack.extra = 1;
  ack.digest = {{1, 0}};
  ack.deltas = {delta_of(id_of(1), 0, {entry_of(EntryKey::kLoad, 300, "abc")})};
  ack.sums.assign(64, 1);
  ack.more = true;
  ack.rate = 1;
  ack.demand = 1;
  ack.deep = true;
  EXPECT_EQ(wire_size(ack), 9 + 9 + 10 + 3 + 36 + (1 + 2 + 256) + 2 + 2 + 2 + 2u);
  GossipPush push;
  push.hash = 1;
  push.extra = 1;
  push.deltas = ack.deltas;
  EXPECT_EQ(wire_size(push), 9 + 9 + 36u);
  push.deep = true;
  EXPECT_EQ(wire_size(push), 9 + 9 + 36 + 2u);
  EXPECT_EQ(wire_size(GossipAgree{1, true}), 11u);
}

}  // namespace
}  // namespace syntropy
