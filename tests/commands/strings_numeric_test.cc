// INCR and its kin: counters that merge, and INCRBYFLOAT.
#include "tests/commands/command_fixture.h"

namespace syntropy {
namespace {

constexpr std::string_view kNotAnInteger = "-ERR value is not an integer or out of range\r\n";
constexpr std::string_view kNoFloat = "-ERR value is not a valid float\r\n";
constexpr std::string_view kWouldOverflow = "-ERR increment or decrement would overflow\r\n";
constexpr std::string_view kWrongKind =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

class StringsNumericTest : public CommandFixture {};

TEST_F(StringsNumericTest, CountsFromZero) {
  EXPECT_EQ(run("INCR n"), integer(1));
  EXPECT_EQ(run("INCRBY n 41"), integer(42));
  EXPECT_EQ(run("DECR n"), integer(41));
  EXPECT_EQ(run("DECRBY n 50"), integer(-9));
  EXPECT_EQ(run("DECRBY n -9"), integer(0));
  EXPECT_EQ(run("GET n"), bulk("0"));
  EXPECT_EQ(run("DECR m"), integer(-1));
}

TEST_F(StringsNumericTest, CountsOnFromAStringAndKeepsTheExpiry) {
  run("SET n 10 EX 100");
  EXPECT_EQ(run("INCR n"), integer(11));
  EXPECT_EQ(run("INCR n"), integer(12));
  EXPECT_EQ(ttl_ms("n"), 100'000);
  EXPECT_EQ(run("APPEND n 0"), integer(3));
  EXPECT_EQ(run("INCR n"), integer(121));
  EXPECT_EQ(ttl_ms("n"), 100'000);
}

TEST_F(StringsNumericTest, RefusesWhatIsNoInteger) {
  for (const char* text : {"\"\"", "a", "1.0", "01", "+1", " 1", "1 ", "-0", "-", "0x1",
                           "9223372036854775808", "-9223372036854775809"}) {
    ASSERT_EQ(run_args({"SET", "n", text == std::string_view("\"\"") ? "" : text}), kOk);
    EXPECT_EQ(run("INCR n"), kNotAnInteger) << text;
    EXPECT_EQ(run_args({"INCRBY", "m", text == std::string_view("\"\"") ? "" : text}),
              kNotAnInteger)
        << text;
  }
  EXPECT_EQ(kind_of("m"), RowKind::kTombstone);
  put_hash("h");
  EXPECT_EQ(run("INCR h"), kWrongKind);
  EXPECT_EQ(run("DECRBY h 1"), kWrongKind);
  EXPECT_EQ(run("INCRBY h x"), kNotAnInteger);
}

TEST_F(StringsNumericTest, RefusesSumsBeyond64Bits) {
  run("SET n 9223372036854775806");
  EXPECT_EQ(run("INCR n"), integer(INT64_MAX));
  EXPECT_EQ(run("INCR n"), kWouldOverflow);
  EXPECT_EQ(run("INCRBY n 9223372036854775807"), kWouldOverflow);
  EXPECT_EQ(run("GET n"), bulk("9223372036854775807"));
  EXPECT_EQ(run("INCRBY n -9223372036854775808"), integer(-1));
  EXPECT_EQ(run("DECRBY n 9223372036854775807"), integer(INT64_MIN));
  EXPECT_EQ(run("DECR n"), kWouldOverflow);
  EXPECT_EQ(run("DECRBY n -9223372036854775808"), error("ERR decrement would overflow"));
  EXPECT_EQ(run("GET n"), bulk("-9223372036854775808"));
}

// A counter begun where a flushed row lies must not take a version from that row's expiry, which is
// still to come: no later flush would reach it.
TEST_F(StringsNumericTest, CounterBegunAfterAFlushIsFlushedAgain) {
  run("SET n 5 EX 1000000");
  run("FLUSHALL");
  EXPECT_EQ(run("INCR n"), integer(1));
  run("FLUSHALL");
  EXPECT_EQ(run("GET n"), kNull);
  EXPECT_EQ(run("INCR n"), integer(1));
}

TEST_F(StringsNumericTest, DamagedCounterIsAnErrorUntilItIsReplaced) {
  put_row("n", RowKind::kCounter, "junk");
  EXPECT_TRUE(read_error("n").is(StatusCode::kCorruption));
  EXPECT_EQ(run("SET n 4"), kOk);
  EXPECT_EQ(run("INCR n"), integer(5));
}

// One writer's running total leaves 64 bits long before the counter's value does.
TEST_F(StringsNumericTest, SwingsBetweenTheBoundsAgainAndAgain) {
  run("SET n -9223372036854775808");
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(run("INCRBY n 9223372036854775807"), integer(-1));
    ASSERT_EQ(run("INCRBY n 9223372036854775807"), integer(INT64_MAX - 1));
    ASSERT_EQ(run("DECRBY n 9223372036854775807"), integer(-1));
    ASSERT_EQ(run("DECRBY n 9223372036854775807"), integer(INT64_MIN));
  }
}

TEST_F(StringsNumericTest, FloatsPrintWithoutExponentAndTrailingZeros) {
  EXPECT_EQ(run("INCRBYFLOAT f 10.50"), bulk("10.5"));
  EXPECT_EQ(run("INCRBYFLOAT f 0.1"), bulk("10.6"));
  EXPECT_EQ(run("INCRBYFLOAT f -5"), bulk("5.6"));
  // Not 5005.6: Redis adds long doubles and shows 17 digits behind the point.
  EXPECT_EQ(run("INCRBYFLOAT f 5.0e3"), bulk("5005.60000000000000009"));
  run("SET f 3.0e3");
  EXPECT_EQ(run("INCRBYFLOAT f 0"), bulk("3000"));
  EXPECT_EQ(run("INCRBYFLOAT f 1e-17"), bulk("3000"));
  EXPECT_EQ(run("INCRBYFLOAT zero 0"), bulk("0"));
  EXPECT_EQ(run("INCRBYFLOAT zero -0.0"), bulk("0"));
  EXPECT_EQ(run("INCRBYFLOAT zero -1e-30"), bulk("0"));
  EXPECT_EQ(run("INCRBYFLOAT hex 0x10"), bulk("16"));
  EXPECT_EQ(run("INCRBYFLOAT big 1e30"), bulk("1000000000000000000024696061952"));
}

TEST_F(StringsNumericTest, FloatKeepsTheExpiryAndWritesAString) {
  run("INCR n");
  run("GETEX n EX 10");
  EXPECT_EQ(run("INCRBYFLOAT n 1"), bulk("2"));
  EXPECT_EQ(kind_of("n"), RowKind::kString);
  EXPECT_EQ(ttl_ms("n"), 10'000);
  EXPECT_EQ(run("INCR n"), integer(3));
}

TEST_F(StringsNumericTest, FloatRefusesWhatIsNoNumber) {
  for (const char* text : {"", " ", "a", " 1", "1 ", "1a", "nan", "1e5000", "1e-5000"}) {
    EXPECT_EQ(run_args({"INCRBYFLOAT", "f", text}), kNoFloat) << text;
    ASSERT_EQ(run_args({"SET", "g", text}), kOk);
    EXPECT_EQ(run("INCRBYFLOAT g 1"), kNoFloat) << text;
  }
  EXPECT_EQ(run_args({"INCRBYFLOAT", "f", std::string("1\0", 2)}), kNoFloat);
  EXPECT_EQ(run_args({"INCRBYFLOAT", "f", std::string(6000, '1')}), kNoFloat);
  put_hash("h");
  EXPECT_EQ(run("INCRBYFLOAT h a"), kWrongKind);
}

TEST_F(StringsNumericTest, FloatRefusesInfinity) {
  EXPECT_EQ(run("INCRBYFLOAT f inf"), error("ERR increment would produce NaN or Infinity"));
  run("SET f -inf");
  EXPECT_EQ(run("INCRBYFLOAT f inf"), error("ERR increment would produce NaN or Infinity"));
  EXPECT_EQ(run("GET f"), bulk("-inf"));
}

}  // namespace
}  // namespace syntropy
