// SETBIT, GETBIT, BITCOUNT, BITPOS and BITOP as redis-server 7.0.15 answers them.
#include "tests/commands/command_fixture.h"

namespace syntropy {
namespace {

constexpr std::string_view kSyntax = "-ERR syntax error\r\n";
constexpr std::string_view kNotAnInteger = "-ERR value is not an integer or out of range\r\n";
constexpr std::string_view kBadOffset = "-ERR bit offset is not an integer or out of range\r\n";
constexpr std::string_view kBadBit = "-ERR bit is not an integer or out of range\r\n";
constexpr std::string_view kWrongKind =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

class BitmapsTest : public CommandFixture {};

TEST_F(BitmapsTest, SetbitGrowsAndKeepsTheExpiry) {
  EXPECT_EQ(run("SETBIT k 7 1"), integer(0));
  EXPECT_EQ(run("GET k"), bulk("\x01"));
  run("GETEX k EX 10");
  EXPECT_EQ(run("SETBIT k 7 0"), integer(1));
  EXPECT_EQ(run("SETBIT k 17 1"), integer(0));
  EXPECT_EQ(run("GET k"), bulk(std::string("\0\0\x40", 3)));
  EXPECT_EQ(ttl_ms("k"), 10'000);
  EXPECT_EQ(run("GETBIT k 17"), integer(1));
  EXPECT_EQ(run("GETBIT k 16"), integer(0));
  EXPECT_EQ(run("GETBIT k 4000000000"), integer(0));
  EXPECT_EQ(run("GETBIT absent 0"), integer(0));
  EXPECT_EQ(run("SETBIT zero 9 0"), integer(0));
  EXPECT_EQ(run("STRLEN zero"), integer(2));
}

TEST_F(BitmapsTest, SetbitThatChangesNothingWritesNothing) {
  run("SET k a");
  const uint64_t before = fingerprint("k");
  EXPECT_EQ(run("SETBIT k 1 1"), integer(1));
  EXPECT_EQ(run("SETBIT k 0 0"), integer(0));
  EXPECT_EQ(fingerprint("k"), before);
  EXPECT_EQ(run("SETBIT k 0 1"), integer(0));
  EXPECT_NE(fingerprint("k"), before);
}

TEST_F(BitmapsTest, SetbitAndGetbitErrors) {
  for (const char* offset : {"-1", "a", "4294967296", "9223372036854775807", "#1", "1.0"}) {
    EXPECT_EQ(run("SETBIT k " + std::string(offset) + " 2"), kBadOffset) << offset;
    EXPECT_EQ(run("GETBIT k " + std::string(offset)), kBadOffset) << offset;
  }
  for (const char* bit : {"2", "-1", "a", "01"}) {
    EXPECT_EQ(run("SETBIT k 0 " + std::string(bit)), kBadBit) << bit;
  }
  put_hash("h");
  EXPECT_EQ(run("SETBIT h 0 1"), kWrongKind);
  EXPECT_EQ(run("SETBIT h 0 2"), kBadBit);
  EXPECT_EQ(run("GETBIT h 0"), kWrongKind);
  set_config("proto-max-bulk-len", "1mb");
  EXPECT_EQ(run("SETBIT k 8388608 1"), kBadOffset);
  EXPECT_EQ(run("SETBIT k 8388607 1"), integer(0));
}

TEST_F(BitmapsTest, BitcountRanges) {
  run("SET k foobar");
  const struct {
    const char* range;
    int count;
  } cases[] = {{"", 26},          {"0 0", 4},        {"1 1", 6},       {"0 -1", 26},
               {"-2 -1", 7},      {"-1 -2", 0},      {"5 30 bit", 17}, {"0 0 BIT", 0},
               {"1 1 BIT", 1},    {"0 -1 BYTE", 26}, {"-8 -1 bit", 4}, {"0 -100", 4},
               {"10 20", 0},      {"-100 100", 26},  {"3 2", 0},       {"-100 -50 bit", 0},
               {"1 -1000 bit", 0}};
  for (const auto& c : cases) {
    EXPECT_EQ(run("BITCOUNT k " + std::string(c.range)), integer(c.count)) << c.range;
  }
}

TEST_F(BitmapsTest, BitcountErrors) {
  run("SET k a");
  EXPECT_EQ(run("BITCOUNT k 1"), kSyntax);
  EXPECT_EQ(run("BITCOUNT k 1 2 foo"), kSyntax);
  EXPECT_EQ(run("BITCOUNT k -1 -2 foo"), integer(0));
  EXPECT_EQ(run("BITCOUNT k 1 2 bit 3"), kSyntax);
  EXPECT_EQ(run("BITCOUNT k 0 a foo"), kNotAnInteger);
  EXPECT_EQ(run("BITCOUNT absent a b"), integer(0));
  put_hash("h");
  EXPECT_EQ(run("BITCOUNT h 1"), kWrongKind);
}

TEST_F(BitmapsTest, BitposRanges) {
  run_args({"SET", "k", "\xff\xf0" + std::string(1, '\0')});
  run_args({"SET", "ones", "\xff\xff"});
  run("SET empty \"\"");
  const struct {
    const char* request;
    int position;
  } cases[] = {
      {"k 0", 12},          {"k 1", 0},          {"k 1 1", 8},        {"k 1 2", -1},
      {"k 0 0 0", -1},      {"k 0 0 0 bit", -1}, {"k 1 9 20 BIT", 9}, {"k 0 13 20 bit", 13},
      {"k 0 0 1 byte", 12}, {"k 1 -3 -1", 0},    {"k 1 2 1", -1},     {"ones 0", 16},
      {"ones 0 1", 16},     {"ones 0 0 -1", -1}, {"ones 0 2", -1},    {"ones 0 0 100", -1},
      {"empty 0", -1},      {"empty 1", -1},     {"absent 0", 0},     {"absent 1", -1},
      {"absent 0 a", 0},    {"k 1 -1 -100", -1}, {"k 1 -100 -100", 0}};
  for (const auto& c : cases) {
    EXPECT_EQ(run("BITPOS " + std::string(c.request)), integer(c.position)) << c.request;
  }
}

TEST_F(BitmapsTest, BitposErrors) {
  run("SET k a");
  EXPECT_EQ(run("BITPOS k 2"), error("ERR The bit argument must be 1 or 0."));
  EXPECT_EQ(run("BITPOS k a"), kNotAnInteger);
  EXPECT_EQ(run("BITPOS k 1 a 1 foo"), kNotAnInteger);
  EXPECT_EQ(run("BITPOS k 1 1 a foo"), kSyntax);
  EXPECT_EQ(run("BITPOS k 1 1 a"), kNotAnInteger);
  EXPECT_EQ(run("BITPOS k 1 1 2 bit 3"), kSyntax);
  put_hash("h");
  EXPECT_EQ(run("BITPOS h 1"), kWrongKind);
  EXPECT_EQ(run("BITPOS h 2"), error("ERR The bit argument must be 1 or 0."));
}

TEST_F(BitmapsTest, Bitop) {
  run("SET a foobar");
  run("SET b abcdefgh");
  EXPECT_EQ(run("BITOP AND d a b"), integer(8));
  EXPECT_EQ(run("GET d"), bulk(std::string("`bc`ab\0\0", 8)));
  EXPECT_EQ(run("BITOP or d a b"), integer(8));
  EXPECT_EQ(run("GET d"), bulk("goofevgh"));
  EXPECT_EQ(run("BITOP Xor d a b"), integer(8));
  EXPECT_EQ(run("GET d"), bulk(std::string("\x07\x0d\x0c\x06\x04\x14gh", 8)));
  EXPECT_EQ(run("BITOP XOR d a a"), integer(6));
  EXPECT_EQ(run("GET d"), bulk(std::string(6, '\0')));
  run_args({"SET", "c", std::string("\x0f\xff", 2)});
  EXPECT_EQ(run("BITOP NOT d c"), integer(2));
  EXPECT_EQ(run("GET d"), bulk(std::string("\xf0\0", 2)));
  EXPECT_EQ(run("BITOP AND d a absent"), integer(6));
  EXPECT_EQ(run("GET d"), bulk(std::string(6, '\0')));
  EXPECT_EQ(run("BITOP OR a a b"), integer(8));
  EXPECT_EQ(run("GET a"), bulk("goofevgh"));
}

TEST_F(BitmapsTest, BitopReplacesTheTarget) {
  run("SET a x");
  run("SET d v EX 100");
  EXPECT_EQ(run("BITOP OR d a"), integer(1));
  EXPECT_EQ(ttl_ms("d"), -1);
  EXPECT_EQ(run("BITOP AND d absent absent2"), integer(0));
  EXPECT_EQ(kind_of("d"), RowKind::kTombstone);
  put_hash("h");
  EXPECT_EQ(run("BITOP OR h a"), integer(1));
  EXPECT_EQ(run("GET h"), bulk("x"));
}

TEST_F(BitmapsTest, BitopErrors) {
  run("SET a x");
  put_hash("h");
  EXPECT_EQ(run("BITOP NAND d a"), kSyntax);
  EXPECT_EQ(run("BITOP NOT d a a"),
            error("ERR BITOP NOT must be called with a single source key."));
  EXPECT_EQ(run("BITOP OR d a h"), kWrongKind);
  EXPECT_EQ(kind_of("d"), RowKind::kTombstone);
}

}  // namespace
}  // namespace syntropy
