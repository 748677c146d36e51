#include "membership/node_id.h"

#include <gtest/gtest.h>

namespace syntropy {
namespace {

TEST(NodeId, IsWrittenAs40HexDigitsAndReadBack) {
  SeededRandom random(7);
  const NodeId id = NodeId::random(random);
  EXPECT_EQ(id.hex().size(), 40u);
  const Result<NodeId> parsed = NodeId::parse(id.hex());
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(*parsed, id);
  const Result<NodeId> copied = NodeId::from_bytes(id.bytes());
  ASSERT_TRUE(copied.ok());
  EXPECT_EQ(*copied, id);
}

TEST(NodeId, OfTheSameSeedIsTheSame) {
  SeededRandom a(7), b(7), c(8);
  const NodeId id = NodeId::random(a);
  EXPECT_EQ(id, NodeId::random(b));
  EXPECT_NE(id, NodeId::random(c));
  EXPECT_NE(id, NodeId::random(a));
}

TEST(NodeId, AcceptsUpperCaseAndWritesLowerCase) {
  const Result<NodeId> id = NodeId::parse("ABCDEF0123456789abcdef0123456789ABCDEF01");
  ASSERT_TRUE(id.ok());
  EXPECT_EQ(id->hex(), "abcdef0123456789abcdef0123456789abcdef01");
}

TEST(NodeId, RefusesWhatIsNoId) {
  EXPECT_FALSE(NodeId::parse("").ok());
  EXPECT_FALSE(NodeId::parse(std::string(39, 'a')).ok());
  EXPECT_FALSE(NodeId::parse(std::string(41, 'a')).ok());
  EXPECT_FALSE(NodeId::parse(std::string(39, 'a') + "g").ok());
  EXPECT_FALSE(NodeId::from_bytes("short").ok());
}

TEST(NodeId, DefaultIsNoNode) {
  SeededRandom random(7);
  EXPECT_FALSE(static_cast<bool>(NodeId()));
  EXPECT_TRUE(static_cast<bool>(NodeId::random(random)));
}

}  // namespace
}  // namespace syntropy
