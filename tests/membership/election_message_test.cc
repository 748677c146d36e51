#include "membership/election_message.h"

#include <gtest/gtest.h>

#include "tests/membership/slots_support.h"

namespace syntropy {
namespace {

using testing::lineage;
using testing::node;

// The sizes of the schema in the header, added up by hand; rpc's test compares with the encoding.
TEST(ElectionMessage, WireSizesAreThoseOfTheSchema) {
  VoteRequest request;
  request.slots = std::make_shared<const SlotRanges>();
  EXPECT_EQ(wire_size(request), 0u);
  request.epoch = 300;
  request.primary = node(1);
  request.primary_epoch = 1;
  request.slots = std::make_shared<const SlotRanges>(SlotRanges{{0, 5460}});  // 01 00 D4 2A
  request.electorate = 1;
  request.manual = true;
  EXPECT_EQ(wire_size(request), 3u + 22 + 2 + (2 + 4) + 9 + 2);
  EXPECT_EQ(wire_size(Vote{}), 0u);
  EXPECT_EQ(wire_size(Vote{127}), 2u);
  EXPECT_EQ(wire_size(VoteRefusal{128, 1, RefusalReason::kPrimaryAlive}), 3u + 2 + 2);
  EXPECT_EQ(wire_size(VoteWithdrawn{1, node(1)}), 2u + 22);
  EXPECT_EQ(wire_size(Standing{node(1), lineage(1), 128, true, true, true}), 22u + 22 + 3 + 6);
  EXPECT_EQ(wire_size(Standing{}), 0u);
  EXPECT_EQ(wire_size(MfStart{1}), 9u);
  EXPECT_EQ(wire_size(MfPaused{1, lineage(1), 0}), 9u + 22);
  EXPECT_EQ(wire_size(MfCancel{1}), 9u);
  EXPECT_EQ(wire_size(ElectionMessage(Vote{127})), 2u);
}

}  // namespace
}  // namespace syntropy
