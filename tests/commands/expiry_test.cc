// EXPIRE, TTL and their kin. Expected replies are those of redis-server 7.0.15.
#include "server/command.h"
#include "tests/commands/command_fixture.h"

namespace syntropy {
namespace {

class ExpiryTest : public CommandFixture {
 protected:
  std::string at_seconds(int64_t from_now) {
    return std::to_string(static_cast<int64_t>(now_ms() / 1000) + from_now);
  }
};

std::string invalid_time(std::string_view command) {
  return error("ERR invalid expire time in '" + std::string(command) + "' command");
}

TEST_F(ExpiryTest, EachUnitAndBaseSetsTheSameTime) {
  run("MSET a 1 b 1 c 1 d 1");
  EXPECT_EQ(run("EXPIRE a 100"), integer(1));
  EXPECT_EQ(run("PEXPIRE b 100000"), integer(1));
  EXPECT_EQ(run("EXPIREAT c " + at_seconds(100)), integer(1));
  EXPECT_EQ(run("PEXPIREAT d " + at_seconds(100) + "000"), integer(1));
  for (const char* key : {"a", "b", "c", "d"}) EXPECT_EQ(ttl_ms(key), 100'000) << key;
}

TEST_F(ExpiryTest, AKeyIsGoneAtItsVeryMillisecond) {
  run("SET a 1");
  run("PEXPIRE a 10");
  advance_ms(9);
  EXPECT_EQ(run("PTTL a"), integer(1));
  advance_ms(1);
  EXPECT_EQ(run("PTTL a"), integer(-2));
  EXPECT_EQ(run("GET a"), kNull);
}

TEST_F(ExpiryTest, TtlRoundsToTheNearestSecond) {
  run("SET a 1 PX 1499");
  EXPECT_EQ(run("TTL a"), integer(1));
  run("SET a 1 PX 1500");
  EXPECT_EQ(run("TTL a"), integer(2));
  run("SET a 1 PX 1");
  EXPECT_EQ(run("TTL a"), integer(0));
  EXPECT_EQ(run("PTTL a"), integer(1));
}

TEST_F(ExpiryTest, ExpiretimeIsTheUnixTime) {
  run("SET a 1");
  run("EXPIREAT a 33177117420");
  EXPECT_EQ(run("EXPIRETIME a"), integer(33177117420));
  EXPECT_EQ(run("PEXPIRETIME a"), integer(33177117420000));
}

TEST_F(ExpiryTest, AbsentAndLastingKeysHaveTheirNumbers) {
  run("SET a 1");
  for (const std::string command : {"TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"}) {
    EXPECT_EQ(run(command + " nosuch"), integer(-2));
    EXPECT_EQ(run(command + " a"), integer(-1));
  }
  EXPECT_EQ(run("EXPIRE nosuch 10"), integer(0));
}

TEST_F(ExpiryTest, ATimeThatHasComeDeletesTheKey) {
  for (const char* line : {"EXPIRE a 0", "EXPIRE a -1", "PEXPIRE a 0", "EXPIREAT a 0",
                           "EXPIREAT a 1", "PEXPIREAT a -5", "PEXPIRE a -9223372036854775808"}) {
    run("SET a 1");
    EXPECT_EQ(run(line), integer(1)) << line;
    EXPECT_EQ(run("EXISTS a"), integer(0)) << line;
  }
  EXPECT_EQ(run("DBSIZE"), integer(0));
}

TEST_F(ExpiryTest, TimesOutOfRangeAreRefusedWithTheCommandsName) {
  run("SET a 1");
  EXPECT_EQ(run("EXPIRE a 9223372036854775807"), invalid_time("expire"));
  EXPECT_EQ(run("EXPIRE a -9223372036854775808"), invalid_time("expire"));
  EXPECT_EQ(run("PEXPIRE a 9223372036854775807"), invalid_time("pexpire"));
  EXPECT_EQ(run("EXPIREAT a 9223372036854776"), invalid_time("expireat"));
  EXPECT_EQ(run("EXPIRE nosuch 9223372036854775807"), invalid_time("expire"));
  EXPECT_EQ(ttl_ms("a"), -1);
}

TEST_F(ExpiryTest, TheGreatestTimeIsKept) {
  run("SET a 1");
  EXPECT_EQ(run("PEXPIREAT a 9223372036854775807"), integer(1));
  EXPECT_EQ(run("PEXPIRETIME a"), integer(9223372036854775807));
  EXPECT_EQ(run("EXPIRETIME a"), integer(9223372036854776));
  EXPECT_EQ(run("EXPIREAT a 9223372036854775"), integer(1));
  EXPECT_EQ(run("PEXPIRETIME a"), integer(9223372036854775000));
}

TEST_F(ExpiryTest, NumbersAreReadStrictly) {
  run("SET a 1");
  for (const char* number : {"x", "''", "' 1'", "+1", "01", "1.0", "9223372036854775808"}) {
    EXPECT_EQ(run(std::string("EXPIRE a ") + number), error(kNotInteger)) << number;
  }
}

// --- conditions ----------------------------------------------------------------------------------

TEST_F(ExpiryTest, NxAndXxAskWhetherThereIsAnExpiry) {
  run("SET a 1");
  EXPECT_EQ(run("EXPIRE a 10 XX"), integer(0));
  EXPECT_EQ(run("EXPIRE a 10 NX"), integer(1));
  EXPECT_EQ(run("EXPIRE a 20 NX"), integer(0));
  EXPECT_EQ(run("EXPIRE a 30 xx"), integer(1));
  EXPECT_EQ(ttl_ms("a"), 30'000);
  EXPECT_EQ(run("EXPIRE nosuch 10 NX"), integer(0));
}

TEST_F(ExpiryTest, GtAndLtTakeALastingKeyForTheLatest) {
  run("SET a 1");
  EXPECT_EQ(run("EXPIRE a 10 GT"), integer(0));
  EXPECT_EQ(run("EXPIRE a 10 LT"), integer(1));
  EXPECT_EQ(run("EXPIRE a 10 GT"), integer(0));
  EXPECT_EQ(run("EXPIRE a 10 LT"), integer(0));
  EXPECT_EQ(run("EXPIRE a 11 LT"), integer(0));
  EXPECT_EQ(run("EXPIRE a 11 GT"), integer(1));
  EXPECT_EQ(run("EXPIRE a 20 XX GT"), integer(1));
  EXPECT_EQ(run("EXPIRE a 5 XX LT LT"), integer(1));
  EXPECT_EQ(ttl_ms("a"), 5000);
}

TEST_F(ExpiryTest, APastTimeObeysTheConditionToo) {
  run("SET a 1");
  EXPECT_EQ(run("EXPIREAT a 0 GT"), integer(0));
  EXPECT_EQ(run("EXISTS a"), integer(1));
  EXPECT_EQ(run("EXPIREAT a 0 LT"), integer(1));
  EXPECT_EQ(run("EXISTS a"), integer(0));
}

TEST_F(ExpiryTest, OptionsAreCheckedBeforeTheTimeAndTheKey) {
  const auto nx_clash =
      error("ERR NX and XX, GT or LT options at the same time are not compatible");
  EXPECT_EQ(run("EXPIRE a x foo"), error("ERR Unsupported option foo"));
  EXPECT_EQ(run("EXPIRE a x NX foo XX"), error("ERR Unsupported option foo"));
  EXPECT_EQ(run("EXPIRE a x NX XX"), nx_clash);
  EXPECT_EQ(run("EXPIRE a x NX GT"), nx_clash);
  EXPECT_EQ(run("EXPIRE a x LT NX"), nx_clash);
  EXPECT_EQ(run("EXPIRE a x NX GT LT"), nx_clash);
  EXPECT_EQ(run("EXPIRE a x GT LT"),
            error("ERR GT and LT options at the same time are not compatible"));
  EXPECT_EQ(run("EXPIRE a x"), error(kNotInteger));
  EXPECT_EQ(run_args({"EXPIRE", "a", "1", "b\r\nc"}), error("ERR Unsupported option b  c"));
  EXPECT_EQ(run_args({"EXPIRE", "a", "1", std::string("b\0c", 3)}),
            error("ERR Unsupported option b"));
}

TEST_F(ExpiryTest, ARefusedConditionWritesNothing) {
  run("SET a 1 PX 5000");
  const uint64_t before = fingerprint("a");
  run("EXPIRE a 1 GT");
  run("EXPIRE a 100 NX");
  EXPECT_EQ(fingerprint("a"), before);
}

// --- PERSIST -------------------------------------------------------------------------------------

TEST_F(ExpiryTest, PersistRemovesAnExpiry) {
  run("SET a 1 PX 100");
  EXPECT_EQ(run("PERSIST a"), integer(1));
  EXPECT_EQ(run("PERSIST a"), integer(0));
  EXPECT_EQ(run("PERSIST nosuch"), integer(0));
  advance_ms(1000);
  EXPECT_EQ(run("GET a"), bulk("1"));
  EXPECT_EQ(run("TTL a"), integer(-1));
}

TEST_F(ExpiryTest, ACounterKeepsItsValueAndKind) {
  run("INCRBY n 5");
  EXPECT_EQ(run("PEXPIRE n 100"), integer(1));
  EXPECT_EQ(run("INCR n"), integer(6));
  EXPECT_EQ(ttl_ms("n"), 100);
  EXPECT_EQ(run("PERSIST n"), integer(1));
  EXPECT_EQ(run("GET n"), bulk("6"));
  EXPECT_EQ(kind_of("n"), RowKind::kCounter);
}

}  // namespace
}  // namespace syntropy
