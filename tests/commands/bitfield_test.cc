// BITFIELD and BITFIELD_RO as redis-server 7.0.15 answers them.
#include "tests/commands/command_fixture.h"

namespace syntropy {
namespace {

constexpr std::string_view kSyntax = "-ERR syntax error\r\n";
constexpr std::string_view kBadType =
    "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 "
    "is.\r\n";
constexpr std::string_view kBadOffset = "-ERR bit offset is not an integer or out of range\r\n";
constexpr std::string_view kWrongKind =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

class BitfieldTest : public CommandFixture {
 protected:
  /// The reply's array, with "nil" for null: "1 -2 nil"; or the error.
  std::string fields(std::string_view line) {
    const std::string reply = run(line);
    if (!reply.starts_with('*')) return reply;
    std::string shown;
    for (size_t at = reply.find('\n') + 1; at < reply.size();) {
      const size_t end = reply.find('\r', at);
      if (!shown.empty()) shown += ' ';
      shown += reply[at] == ':' ? reply.substr(at + 1, end - at - 1) : "nil";
      at = end + 2;
    }
    return shown;
  }
};

TEST_F(BitfieldTest, SetGetAndIncrement) {
  EXPECT_EQ(fields("BITFIELD k SET u8 0 255 GET u8 0 GET i8 0"), "0 255 -1");
  EXPECT_EQ(fields("BITFIELD k INCRBY i5 100 1 GET u4 0"), "1 15");
  EXPECT_EQ(run("STRLEN k"), integer(14));
  EXPECT_EQ(fields("BITFIELD k SET i64 1 -2 GET i64 1 GET u63 2"),
            "-144115188075855872 -2 9223372036854775806");
  EXPECT_EQ(fields("BITFIELD k"), "");
  EXPECT_EQ(fields("BITFIELD k GET u8 100000"), "0");
}

TEST_F(BitfieldTest, HashOffsetsCountInFields) {
  EXPECT_EQ(fields("BITFIELD k SET u8 #0 1 SET u8 #1 2 SET u8 #2 3"), "0 0 0");
  EXPECT_EQ(run("GET k"), bulk("\x01\x02\x03"));
  EXPECT_EQ(fields("BITFIELD k GET u8 #1 GET u16 #0 GET u8 8"), "2 258 2");
  EXPECT_EQ(fields("BITFIELD k GET u8 #"), kBadOffset);
  EXPECT_EQ(fields("BITFIELD k GET u8 #-1"), kBadOffset);
  EXPECT_EQ(fields("BITFIELD k GET u8 #9223372036854775807"), kBadOffset);
}

TEST_F(BitfieldTest, WrapsByDefault) {
  EXPECT_EQ(fields("BITFIELD k SET u8 0 257 GET u8 0"), "0 1");
  EXPECT_EQ(fields("BITFIELD k SET u8 0 -1 GET u8 0"), "1 255");
  EXPECT_EQ(fields("BITFIELD k INCRBY u8 0 2"), "1");
  EXPECT_EQ(fields("BITFIELD k INCRBY u8 0 -3"), "254");
  EXPECT_EQ(fields("BITFIELD k SET i8 0 127 INCRBY i8 0 1 INCRBY i8 0 -1"), "-2 -128 127");
  EXPECT_EQ(fields("BITFIELD k SET i64 0 9223372036854775807 INCRBY i64 0 1"),
            "9151314442816847872 -9223372036854775808");
  EXPECT_EQ(fields("BITFIELD k INCRBY i64 0 -1"), "9223372036854775807");
}

TEST_F(BitfieldTest, Saturates) {
  EXPECT_EQ(fields("BITFIELD k OVERFLOW SAT SET u4 0 99 GET u4 0"), "0 15");
  EXPECT_EQ(fields("BITFIELD k OVERFLOW SAT SET u4 0 -1 GET u4 0"), "15 15");
  EXPECT_EQ(fields("BITFIELD k OVERFLOW SAT INCRBY u4 0 -16"), "0");
  EXPECT_EQ(fields("BITFIELD k OVERFLOW SAT SET i4 0 -99 GET i4 0 INCRBY i4 0 99"), "0 -8 7");
  EXPECT_EQ(fields("BITFIELD k OVERFLOW SAT INCRBY u63 0 9223372036854775807"),
            "9223372036854775807");
  EXPECT_EQ(fields("BITFIELD k OVERFLOW SAT SET i64 0 -9223372036854775808 INCRBY i64 0 -1"),
            "-2 -9223372036854775808");
}

TEST_F(BitfieldTest, FailLeavesTheFieldAndAnswersNull) {
  EXPECT_EQ(fields("BITFIELD k OVERFLOW FAIL INCRBY u2 0 3 INCRBY u2 0 1 SET u2 0 4 GET u2 0"),
            "3 nil nil 3");
  EXPECT_EQ(fields("BITFIELD k OVERFLOW FAIL INCRBY u2 0 1 OVERFLOW WRAP INCRBY u2 0 1"), "nil 0");
  client_.protocol = 3;
  EXPECT_EQ(run("BITFIELD k OVERFLOW FAIL SET u1 0 2"), "*1\r\n_\r\n");
}

TEST_F(BitfieldTest, GrowsTheStringEvenWhenAllFails) {
  EXPECT_EQ(fields("BITFIELD k OVERFLOW FAIL SET u2 30 4"), "nil");
  EXPECT_EQ(run("STRLEN k"), integer(4));
}

TEST_F(BitfieldTest, WhatChangesNothingWritesNothing) {
  run("SET k a EX 10");
  const uint64_t before = fingerprint("k");
  EXPECT_EQ(fields("BITFIELD k SET u8 0 97 INCRBY u8 0 0 GET u8 0"), "97 97 97");
  EXPECT_EQ(fingerprint("k"), before);
  EXPECT_EQ(fields("BITFIELD k INCRBY u8 0 1"), "98");
  EXPECT_NE(fingerprint("k"), before);
  EXPECT_EQ(ttl_ms("k"), 10'000);
}

TEST_F(BitfieldTest, Types) {
  for (const char* type : {"u64", "i65", "u0", "i0", "u", "i", "8", "U8", "x8", "u-1", "u08", ""}) {
    EXPECT_EQ(run_args({"BITFIELD", "k", "GET", type, "0"}), kBadType) << type;
  }
  EXPECT_EQ(fields("BITFIELD k GET i64 0 GET u63 0 GET i1 0 GET u1 0"), "0 0 0 0");
  EXPECT_EQ(fields("BITFIELD k SET i1 0 1 GET i1 0"), "0 -1");
}

TEST_F(BitfieldTest, AnErrorAnywhereLeavesTheString) {
  EXPECT_EQ(fields("BITFIELD k SET u8 0 1 GET"), kSyntax);
  EXPECT_EQ(fields("BITFIELD k SET u8 0 1 GET u8"), kSyntax);
  EXPECT_EQ(fields("BITFIELD k SET u8 0"), kSyntax);
  EXPECT_EQ(fields("BITFIELD k SET u8 0 1 FOO u8 0"), kSyntax);
  EXPECT_EQ(fields("BITFIELD k OVERFLOW"), kSyntax);
  EXPECT_EQ(fields("BITFIELD k SET u8 0 1 OVERFLOW FOO"),
            error("ERR Invalid OVERFLOW type specified"));
  EXPECT_EQ(fields("BITFIELD k SET u8 -1 1"), kBadOffset);
  EXPECT_EQ(fields("BITFIELD k SET u8 0 1 SET u8 0 a"),
            error("ERR value is not an integer or out of range"));
  EXPECT_EQ(kind_of("k"), RowKind::kTombstone);
}

TEST_F(BitfieldTest, WrongKindComesAfterTheSyntax) {
  put_hash("h");
  EXPECT_EQ(fields("BITFIELD h"), kWrongKind);
  EXPECT_EQ(fields("BITFIELD h GET u8 0"), kWrongKind);
  EXPECT_EQ(fields("BITFIELD h SET u8 0 1"), kWrongKind);
  EXPECT_EQ(fields("BITFIELD h SET u8 0"), kSyntax);
  EXPECT_EQ(fields("BITFIELD_RO h SET u8 0 1"),
            error("ERR BITFIELD_RO only supports the GET subcommand"));
}

TEST_F(BitfieldTest, ReadOnlyVariant) {
  run("SET k ab");
  EXPECT_EQ(fields("BITFIELD_RO k GET u8 #0 get u8 #1 OVERFLOW SAT GET u8 16"), "97 98 0");
  EXPECT_EQ(fields("BITFIELD_RO k INCRBY u8 0 1"),
            error("ERR BITFIELD_RO only supports the GET subcommand"));
}

}  // namespace
}  // namespace syntropy
