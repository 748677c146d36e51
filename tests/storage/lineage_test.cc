#include "storage/lineage.h"

#include <gtest/gtest.h>

namespace syntropy {
namespace {

LineageId id(char letter) { return *LineageId::from_bytes(std::string(LineageId::kBytes, letter)); }

LogPosition at(History history, uint64_t offset) { return {std::move(history), offset, {}}; }

TEST(Lineage, IdsAreRandomAndWrittenAsHex) {
  SeededRandom random(1);
  const LineageId a = LineageId::random(random);
  EXPECT_NE(a, LineageId::random(random));
  EXPECT_EQ(a.hex().size(), 40u);
  std::string hex;
  for (int i = 0; i < 20; ++i) hex += "1f";
  EXPECT_EQ(id('\x1f').hex(), hex);
  EXPECT_FALSE(LineageId::from_bytes("short"));
  EXPECT_FALSE(LineageId());
}

TEST(Lineage, CheckVector) {
  std::string bytes;
  for (char i = 1; i <= 20; ++i) bytes.push_back(i);
  std::string encoded;
  encode_history({{*LineageId::from_bytes(bytes), 5}}, &encoded);
  EXPECT_EQ(encoded, "\x01" + bytes + std::string("\x05\0\0\0\0\0\0\0", 8));
}

TEST(Lineage, DecodesWhatItEncodesAndNothingElse) {
  const History history{{id('a'), 0}, {id('b'), 7}, {id('c'), 7}};
  std::string bytes;
  encode_history(history, &bytes);
  EXPECT_EQ(*decode_history(bytes), history);
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    EXPECT_FALSE(decode_history(bytes.substr(0, cut)).ok()) << cut;
  }
  EXPECT_FALSE(decode_history(bytes + "x").ok());
  std::string descending;
  encode_history({{id('a'), 8}, {id('b'), 7}}, &descending);
  EXPECT_FALSE(decode_history(descending).ok());
  std::string none;
  encode_history({{LineageId(), 8}}, &none);
  EXPECT_FALSE(decode_history(none).ok());

  LogPosition position{{}, 9, LogPoint{id('a'), 4}};
  LogPosition again;
  ASSERT_TRUE(decode_position(encode_position(position), &again).ok());
  EXPECT_EQ(again, position);
  position.owed.reset();
  ASSERT_TRUE(decode_position(encode_position(position), &again).ok());
  EXPECT_EQ(again, position);
  EXPECT_FALSE(decode_position("1234567", &again).ok());
  EXPECT_FALSE(decode_position("123456789", &again).ok());
}

TEST(Lineage, ReplicaBehindThePromotionHasItsWholeLogInCommon) {
  const LogPosition primary = at({{id('a'), 0}, {id('b'), 100}}, 150);
  EXPECT_EQ(primary.common_offset(at({{id('a'), 0}}, 80)), 80u);
  EXPECT_EQ(primary.common_offset(at({{id('a'), 0}}, 100)), 100u);
  EXPECT_EQ(primary.common_offset(at({{id('a'), 0}, {id('b'), 100}}, 120)), 120u);
}

TEST(Lineage, ReplicaAheadOfThePromotionHasOnlyUpToItInCommon) {
  const LogPosition primary = at({{id('a'), 0}, {id('b'), 100}}, 150);
  EXPECT_EQ(primary.common_offset(at({{id('a'), 0}}, 120)), 100u);
  EXPECT_EQ(primary.common_offset(at({{id('a'), 0}, {id('x'), 130}}, 140)), 100u);
  // Two promotions apart from each other.
  EXPECT_EQ(primary.common_offset(at({{id('a'), 0}, {id('x'), 60}}, 140)), 60u);
}

TEST(Lineage, StrangersHaveNothingInCommon) {
  const LogPosition primary = at({{id('a'), 0}}, 150);
  EXPECT_EQ(primary.common_offset(at({{id('x'), 0}}, 150)), std::nullopt);
  EXPECT_EQ(primary.common_offset(at({}, 0)), std::nullopt);
}

TEST(Lineage, FollowerThatHasNotReachedItsPrimarysLineageCountsByItsOffset) {
  // It follows b, which began at 100, and stands at 40.
  const LogPosition follower = at({{id('a'), 0}, {id('b'), 100}}, 40);
  EXPECT_EQ(follower.common_offset(at({{id('a'), 0}, {id('c'), 60}}, 90)), 40u);
  EXPECT_EQ(follower.lineage(), id('a'));
  EXPECT_FALSE(follower.contains({id('b'), 101}));
  EXPECT_FALSE(follower.contains({id('a'), 41}));
  EXPECT_TRUE(follower.contains({id('a'), 40}));
}

TEST(Lineage, PromotionForgetsLineagesThatItNeverReached) {
  LogPosition position = at({{id('a'), 0}, {id('b'), 100}}, 40);
  position.begin_lineage(id('c'));
  EXPECT_EQ(position.history, (History{{id('a'), 0}, {id('c'), 40}}));
}

TEST(Lineage, PromotionOfANodeThatOwesRowsLeavesItsAncestorsBehind) {
  LogPosition position = at({{id('a'), 0}}, 40);
  position.owed = LogPoint{id('x'), 50};
  position.begin_lineage(id('c'));
  EXPECT_EQ(position.history, (History{{id('c'), 40}}));
  EXPECT_FALSE(position.owed);
}

TEST(Lineage, WhatIsOwedIsSettledWhereTheLogHasIt) {
  LogPosition position = at({{id('a'), 0}}, 40);
  position.owed = LogPoint{id('a'), 41};
  position.settle();
  EXPECT_TRUE(position.owed);
  position.offset = 41;
  position.settle();
  EXPECT_FALSE(position.owed);
}

TEST(Lineage, HistoryIsBounded) {
  LogPosition position;
  SeededRandom random(1);
  for (size_t i = 0; i < 2 * kMaxLineages; ++i) {
    position.offset += 10;
    position.begin_lineage(LineageId::random(random));
  }
  EXPECT_EQ(position.history.size(), kMaxLineages);
  EXPECT_EQ(position.history.back().start, position.offset);
  std::string bytes;
  encode_history(position.history, &bytes);
  EXPECT_TRUE(decode_history(bytes).ok());
}

}  // namespace
}  // namespace syntropy
