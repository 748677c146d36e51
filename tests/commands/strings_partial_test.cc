// Commands that read or write parts of a string.
#include "tests/commands/command_fixture.h"

namespace syntropy {
namespace {

constexpr std::string_view kNotAnInteger = "-ERR value is not an integer or out of range\r\n";
constexpr std::string_view kTooLong =
    "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
constexpr std::string_view kWrongKind =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

class StringsPartialTest : public CommandFixture {};

TEST_F(StringsPartialTest, Append) {
  EXPECT_EQ(run("APPEND k ab"), integer(2));
  run("GETEX k EX 10");
  EXPECT_EQ(run("APPEND k cd"), integer(4));
  EXPECT_EQ(run("GET k"), bulk("abcd"));
  EXPECT_EQ(ttl_ms("k"), 10'000);
  EXPECT_EQ(run("APPEND k \"\""), integer(4));
  EXPECT_EQ(run("APPEND empty \"\""), integer(0));
  EXPECT_EQ(run("GET empty"), bulk(""));
  put_hash("h");
  EXPECT_EQ(run("APPEND h x"), kWrongKind);
}

TEST_F(StringsPartialTest, Strlen) {
  EXPECT_EQ(run("STRLEN k"), integer(0));
  run("SET k hello");
  EXPECT_EQ(run("STRLEN k"), integer(5));
  put_hash("h");
  EXPECT_EQ(run("STRLEN h"), kWrongKind);
}

TEST_F(StringsPartialTest, GetrangeIndexes) {
  run("SET k abcdef");
  const struct {
    const char* range;
    const char* part;
  } cases[] = {{"0 2", "abc"},
               {"0 -1", "abcdef"},
               {"-3 -1", "def"},
               {"2 2", "c"},
               {"4 100", "ef"},
               {"100 200", ""},
               {"3 2", ""},
               {"-1 -3", ""},
               {"-100 2", "abc"},
               {"-100 -50", "a"},
               {"-50 -100", ""},
               {"0 -100", "a"},
               {"5 -100", ""},
               {"-6 -6", "a"},
               {"6 6", ""},
               {"1 -9223372036854775808", ""},
               {"-9223372036854775808 9223372036854775807", "abcdef"}};
  for (const auto& c : cases) {
    EXPECT_EQ(run("GETRANGE k " + std::string(c.range)), bulk(c.part)) << c.range;
    EXPECT_EQ(run("SUBSTR k " + std::string(c.range)), bulk(c.part)) << c.range;
  }
  EXPECT_EQ(run("GETRANGE absent 0 -1"), bulk(""));
  EXPECT_EQ(run("GETRANGE absent a -1"), kNotAnInteger);
  EXPECT_EQ(run("GETRANGE absent 0 1.0"), kNotAnInteger);
  run("SET empty \"\"");
  EXPECT_EQ(run("GETRANGE empty 0 -1"), bulk(""));
  EXPECT_EQ(run("GETRANGE empty -1 0"), bulk(""));
  put_hash("h");
  EXPECT_EQ(run("GETRANGE h 0 0"), kWrongKind);
}

TEST_F(StringsPartialTest, SetrangeOverwritesAndGrows) {
  run("SET k hello EX 10");
  EXPECT_EQ(run("SETRANGE k 1 EY"), integer(5));
  EXPECT_EQ(run("GET k"), bulk("hEYlo"));
  EXPECT_EQ(ttl_ms("k"), 10'000);
  EXPECT_EQ(run("SETRANGE k 4 XYZ"), integer(7));
  EXPECT_EQ(run("GET k"), bulk("hEYlXYZ"));
  EXPECT_EQ(run("SETRANGE new 3 a"), integer(4));
  EXPECT_EQ(run("GET new"), bulk(std::string("\0\0\0a", 4)));
}

TEST_F(StringsPartialTest, SetrangeOfNothingWritesNothing) {
  EXPECT_EQ(run("SETRANGE k 10 \"\""), integer(0));
  EXPECT_EQ(kind_of("k"), RowKind::kTombstone);
  run("SET k abc");
  const uint64_t before = fingerprint("k");
  EXPECT_EQ(run("SETRANGE k 10 \"\""), integer(3));
  EXPECT_EQ(fingerprint("k"), before);
}

TEST_F(StringsPartialTest, SetrangeErrors) {
  EXPECT_EQ(run("SETRANGE k -1 x"), error("ERR offset is out of range"));
  EXPECT_EQ(run("SETRANGE k a x"), kNotAnInteger);
  EXPECT_EQ(run("SETRANGE k 536870912 x"), kTooLong);
  EXPECT_EQ(run("SETRANGE k 9223372036854775807 x"), kTooLong);
  put_hash("h");
  EXPECT_EQ(run("SETRANGE h 0 x"), kWrongKind);
  EXPECT_EQ(run("SETRANGE h 0 \"\""), kWrongKind);
  EXPECT_EQ(run("SETRANGE h -1 x"), error("ERR offset is out of range"));
}

TEST_F(StringsPartialTest, TheBoundOnLengthsIsTheOption) {
  set_config("proto-max-bulk-len", "2mb");
  const int size = 2 << 20;
  EXPECT_EQ(run("SETRANGE k " + std::to_string(size) + " x"), kTooLong);
  EXPECT_EQ(run("SETRANGE k " + std::to_string(size - 1) + " x"), integer(size));
  EXPECT_EQ(run("APPEND k x"), kTooLong);
  EXPECT_EQ(run("STRLEN k"), integer(size));
}

TEST_F(StringsPartialTest, NoOptionAllowsAStringThatNoRowCanHold) {
  set_config("proto-max-bulk-len", "9223372036854775807");
  EXPECT_EQ(run("SETRANGE k 9000000000000000000 x"), kTooLong);
  EXPECT_EQ(run("SETRANGE k 2147483648 x"), kTooLong);
  EXPECT_EQ(run("SETBIT k 9223372036854775807 1"),
            error("ERR bit offset is not an integer or out of range"));
  EXPECT_EQ(kind_of("k"), RowKind::kTombstone);
}

}  // namespace
}  // namespace syntropy
