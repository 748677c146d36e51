#include "membership/detector_message.h"

#include <gtest/gtest.h>

namespace syntropy {
namespace {

TEST(DetectorMessage, AHeartbeatIsEightBytesOrSo) {
  EXPECT_EQ(wire_size(Ping{0, 0}), 0u);
  EXPECT_EQ(wire_size(Ping{1, 0}), 2u);
  EXPECT_EQ(wire_size(Ping{127, 128}), 2u + 3u);
  EXPECT_EQ(wire_size(Ack{1u << 20, 1u << 20}), 8u);
  EXPECT_EQ(wire_size(Ack{1, 1, true}), 6u);
  EXPECT_EQ(wire_size(DetectorMessage(Ack{0xFFFFFFFF, 1})), 6u + 2u);
}

TEST(DetectorMessage, IndirectOnesNameANodeMore) {
  EXPECT_EQ(wire_size(IndirectProbe{{}, 1, 1}), 22u + 4u);
  EXPECT_EQ(wire_size(RelayedPing{{}, 1, 1}), 22u + 4u);
  EXPECT_EQ(wire_size(RelayedAck{{}, 1, 1}), 22u + 4u);
  EXPECT_EQ(wire_size(IndirectAck{{}, 1, 0, true}), 22u + 2u + 2u);
}

TEST(DetectorMessage, ABallotCostsABitPerMember) {
  Ballot ballot;
  EXPECT_EQ(wire_size(ballot), 22u);
  ballot.incarnation = 3;
  ballot.decided = true;
  EXPECT_EQ(wire_size(ballot), 22u + 2u + 2u);
  ballot.decided = false;
  ballot.age_ms = 300;
  ballot.accusers = {1, 2, 3};
  EXPECT_EQ(wire_size(ballot), 22u + 2u + 3u + 2u + 24u);
  ballot.roster_hash = 1;
  ballot.votes.add(7);
  EXPECT_EQ(wire_size(ballot), 22u + 2u + 3u + 26u + 9u + 2u + 1u);
  ballot.votes.add(9'999);
  EXPECT_EQ(wire_size(ballot), 22u + 2u + 3u + 26u + 9u + 3u + 1'250u);
  EXPECT_EQ(wire_size(BallotNews{{Ballot{}, ballot}}), 24u + 3u + wire_size(ballot));
}

}  // namespace
}  // namespace syntropy
