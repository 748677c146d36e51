// Commands that read or write whole strings: replies and error texts as redis-server 7.0.15 gives
// them, and what stays in the row.
#include "tests/commands/command_fixture.h"

namespace syntropy {
namespace {

constexpr std::string_view kSyntax = "-ERR syntax error\r\n";
constexpr std::string_view kNotAnInteger = "-ERR value is not an integer or out of range\r\n";
constexpr std::string_view kWrongKind =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

class StringsTest : public CommandFixture {};

TEST_F(StringsTest, SetThenGet) {
  EXPECT_EQ(run("GET k"), kNull);
  EXPECT_EQ(run("SET k value"), kOk);
  EXPECT_EQ(run("get k"), bulk("value"));
  EXPECT_EQ(run_args({"SET", "", std::string("a\0\r\n", 4)}), kOk);
  EXPECT_EQ(run_args({"GET", ""}), bulk(std::string("a\0\r\n", 4)));
  EXPECT_EQ(run("SET empty \"\""), kOk);
  EXPECT_EQ(run("GET empty"), bulk(""));
}

TEST_F(StringsTest, AbsentValueIsNullInEitherProtocol) {
  client_.protocol = 3;
  EXPECT_EQ(run("GET k"), "_\r\n");
  EXPECT_EQ(run("SET k v XX"), "_\r\n");
  EXPECT_EQ(run("MGET k"), "*1\r\n_\r\n");
}

TEST_F(StringsTest, SetDropsTheExpiryUnlessKeepttl) {
  run("SET k v EX 100");
  EXPECT_EQ(ttl_ms("k"), 100'000);
  run("SET k w KEEPTTL");
  EXPECT_EQ(ttl_ms("k"), 100'000);
  run("SET k w");
  EXPECT_EQ(ttl_ms("k"), -1);
  EXPECT_EQ(run("SET absent v KEEPTTL"), kOk);
  EXPECT_EQ(ttl_ms("absent"), -1);
}

TEST_F(StringsTest, SetTakesAnExpiryInFourForms) {
  run("SET k v ex 7");
  EXPECT_EQ(ttl_ms("k"), 7000);
  run("SET k v Px 7");
  EXPECT_EQ(ttl_ms("k"), 7);
  run("SET k v EXAT " + std::to_string(now_ms() / 1000 + 9));
  EXPECT_EQ(ttl_ms("k"), 9000);
  run("SET k v PXAT " + std::to_string(now_ms() + 11));
  EXPECT_EQ(ttl_ms("k"), 11);
  EXPECT_EQ(run("SET k v EX 5 EX 6"), kOk);
  EXPECT_EQ(ttl_ms("k"), 6000);
}

TEST_F(StringsTest, ExpiredKeyReadsAsAbsent) {
  run("SET k v PX 10");
  advance_ms(9);
  EXPECT_EQ(run("GET k"), bulk("v"));
  advance_ms(1);
  EXPECT_EQ(run("GET k"), kNull);
  EXPECT_EQ(run("SETNX k w"), integer(1));
}

TEST_F(StringsTest, SetWithAPastTimeLeavesNoKey) {
  run("SET k v");
  EXPECT_EQ(run("SET k w PXAT 1"), kOk);
  EXPECT_EQ(run("GET k"), kNull);
}

TEST_F(StringsTest, SetConditions) {
  EXPECT_EQ(run("SET k v XX"), kNull);
  EXPECT_EQ(run("SET k v NX"), kOk);
  EXPECT_EQ(run("SET k w NX"), kNull);
  EXPECT_EQ(run("GET k"), bulk("v"));
  EXPECT_EQ(run("SET k w XX"), kOk);
  EXPECT_EQ(run("GET k"), bulk("w"));
}

TEST_F(StringsTest, SetGetReturnsTheFormerValue) {
  EXPECT_EQ(run("SET k a GET"), kNull);
  EXPECT_EQ(run("SET k b GET"), bulk("a"));
  EXPECT_EQ(run("SET k c NX GET"), bulk("b"));
  EXPECT_EQ(run("GET k"), bulk("b"));
  EXPECT_EQ(run("SET new c GET NX"), kNull);
  EXPECT_EQ(run("GET new"), bulk("c"));
  EXPECT_EQ(run("SET absent c XX GET"), kNull);
  EXPECT_EQ(run("GET absent"), kNull);
}

TEST_F(StringsTest, SetGetRefusesOtherTypesAndPlainSetReplacesThem) {
  put_hash("h");
  EXPECT_EQ(run("SET h v GET"), kWrongKind);
  EXPECT_EQ(kind_of("h"), RowKind::kHash);
  EXPECT_EQ(run("SET h v NX"), kNull);
  EXPECT_EQ(run("SET h v"), kOk);
  EXPECT_EQ(run("GET h"), bulk("v"));
}

TEST_F(StringsTest, SetRefusesContradictoryOptions) {
  for (const char* options : {"NX XX", "XX NX", "EX", "EX 1 PX 1", "KEEPTTL EX 1", "EX 1 KEEPTTL",
                              "PERSIST", "foo", "EX 1 EXAT 1", "GET foo", "NX EX"}) {
    EXPECT_EQ(run("SET k v " + std::string(options)), kSyntax) << options;
  }
  EXPECT_EQ(run("GET k"), kNull);
}

TEST_F(StringsTest, SetRefusesBadExpiries) {
  for (const char* number : {"0", "-1", "9223372036854775807", "9223372036854776"}) {
    EXPECT_EQ(run("SET k v EX " + std::string(number)),
              error("ERR invalid expire time in 'set' command"));
  }
  EXPECT_EQ(run("SET k v PX 9223372036854775807"),
            error("ERR invalid expire time in 'set' command"));
  for (const char* number : {"x", "1.5", "\"\"", "01", "+1", "9223372036854775808"}) {
    EXPECT_EQ(run("SET k v PX " + std::string(number)), kNotAnInteger) << number;
  }
  EXPECT_EQ(run("SET k v PXAT 9223372036854775807"), kOk);
}

TEST_F(StringsTest, SetexAndPsetex) {
  EXPECT_EQ(run("SETEX k 3 v"), kOk);
  EXPECT_EQ(ttl_ms("k"), 3000);
  EXPECT_EQ(run("PSETEX k 3 w"), kOk);
  EXPECT_EQ(ttl_ms("k"), 3);
  EXPECT_EQ(run("GET k"), bulk("w"));
  EXPECT_EQ(run("SETEX k 0 v"), error("ERR invalid expire time in 'setex' command"));
  EXPECT_EQ(run("PSETEX k -5 v"), error("ERR invalid expire time in 'psetex' command"));
  EXPECT_EQ(run("SETEX k a v"), kNotAnInteger);
}

TEST_F(StringsTest, Getset) {
  EXPECT_EQ(run("GETSET k a"), kNull);
  run("SET k a EX 10");
  EXPECT_EQ(run("GETSET k b"), bulk("a"));
  EXPECT_EQ(ttl_ms("k"), -1);
  put_hash("h");
  EXPECT_EQ(run("GETSET h b"), kWrongKind);
  EXPECT_EQ(kind_of("h"), RowKind::kHash);
}

TEST_F(StringsTest, Getdel) {
  run("SET k v");
  EXPECT_EQ(run("GETDEL k"), bulk("v"));
  EXPECT_EQ(run("GETDEL k"), kNull);
  put_hash("h");
  EXPECT_EQ(run("GETDEL h"), kWrongKind);
  EXPECT_EQ(kind_of("h"), RowKind::kHash);
}

TEST_F(StringsTest, GetexChangesTheExpiryAlone) {
  run("SET k v");
  EXPECT_EQ(run("GETEX k EX 5"), bulk("v"));
  EXPECT_EQ(ttl_ms("k"), 5000);
  EXPECT_EQ(run("GETEX k"), bulk("v"));
  EXPECT_EQ(ttl_ms("k"), 5000);
  EXPECT_EQ(run("GETEX k PERSIST"), bulk("v"));
  EXPECT_EQ(ttl_ms("k"), -1);
  EXPECT_EQ(run("GETEX k PXAT " + std::to_string(now_ms() + 3)), bulk("v"));
  EXPECT_EQ(ttl_ms("k"), 3);
  EXPECT_EQ(run("GETEX k EXAT 1"), bulk("v"));
  EXPECT_EQ(ttl_ms("k"), -2);
}

TEST_F(StringsTest, GetexErrorsInTheOrderOfRedis) {
  EXPECT_EQ(run("GETEX absent EX 0"), kNull);
  EXPECT_EQ(run("GETEX absent FOO"), kSyntax);
  EXPECT_EQ(run("GETEX absent KEEPTTL"), kSyntax);
  EXPECT_EQ(run("GETEX absent PERSIST EX 1"), kSyntax);
  put_hash("h");
  EXPECT_EQ(run("GETEX h EX 0"), kWrongKind);
  run("SET k v EX 50");
  EXPECT_EQ(run("GETEX k EX 0"), error("ERR invalid expire time in 'getex' command"));
  EXPECT_EQ(run("GETEX k EX a"), kNotAnInteger);
  EXPECT_EQ(ttl_ms("k"), 50'000);
}

TEST_F(StringsTest, SetnxLeavesWhatIsThere) {
  EXPECT_EQ(run("SETNX k a"), integer(1));
  EXPECT_EQ(run("SETNX k b"), integer(0));
  EXPECT_EQ(run("GET k"), bulk("a"));
  put_hash("h");
  EXPECT_EQ(run("SETNX h b"), integer(0));
}

TEST_F(StringsTest, MsetAndMget) {
  run("SET a old EX 10");
  EXPECT_EQ(run("MSET a 1 b 2 a 3"), kOk);
  EXPECT_EQ(ttl_ms("a"), -1);
  put_hash("h");
  EXPECT_EQ(run("MGET a b none h a"),
            array({bulk("3"), bulk("2"), std::string(kNull), std::string(kNull), bulk("3")}));
  EXPECT_EQ(run("MSET a 1 b"), error("ERR wrong number of arguments for 'mset' command"));
}

TEST_F(StringsTest, MsetnxSetsAllOrNone) {
  EXPECT_EQ(run("MSETNX a 1 b 2"), integer(1));
  EXPECT_EQ(run("MSETNX c 1 a 2"), integer(0));
  EXPECT_EQ(run("MGET a b c"), array({bulk("1"), bulk("2"), std::string(kNull)}));
  EXPECT_EQ(run("MSETNX d 1 d 2"), integer(1));
  EXPECT_EQ(run("GET d"), bulk("2"));
  EXPECT_EQ(run("MSETNX a 1 b"), error("ERR wrong number of arguments for 'msetnx' command"));
}

TEST_F(StringsTest, CounterIsAStringToReaders) {
  run("INCRBY n -12");
  ASSERT_EQ(kind_of("n"), RowKind::kCounter);
  EXPECT_EQ(run("GET n"), bulk("-12"));
  EXPECT_EQ(run("MGET n"), array({bulk("-12")}));
  EXPECT_EQ(run("STRLEN n"), integer(3));
  EXPECT_EQ(run("GETRANGE n 1 -1"), bulk("12"));
  EXPECT_EQ(run("GETBIT n 2"), integer(1));  // '-' is 0x2d
  EXPECT_EQ(run("GETEX n"), bulk("-12"));
  EXPECT_EQ(run("SET n x GET"), bulk("-12"));
  run("INCR m");
  EXPECT_EQ(run("GETSET m 5"), bulk("1"));
  EXPECT_EQ(run("INCR m"), integer(6));
  EXPECT_EQ(run("GETDEL m"), bulk("6"));
}

}  // namespace
}  // namespace syntropy
