// Commands on keys and databases. Expected replies are those of redis-server 7.0.15.
#include "server/command.h"
#include "tests/commands/command_fixture.h"

namespace syntropy {
namespace {

constexpr std::string_view kSame = "ERR source and destination objects are the same";
constexpr std::string_view kBadDb = "ERR DB index is out of range";
constexpr std::string_view kNotInt32 =
    "ERR value is out of range, value must between -2147483648 and 2147483647";

class KeysTest : public CommandFixture {
 protected:
  void select(uint16_t db) { client_.db = db; }
};

TEST_F(KeysTest, DelAndUnlinkCountWhatTheyDelete) {
  for (const std::string command : {"DEL", "UNLINK"}) {
    run("MSET a 1 b 2 c 3");
    EXPECT_EQ(run(command + " a nosuch b a"), integer(2));
    EXPECT_EQ(run("EXISTS a b c"), integer(1));
    EXPECT_EQ(run(command + " nosuch"), integer(0));
    EXPECT_EQ(run(command), error("ERR wrong number of arguments for '" +
                                  std::string(command == "DEL" ? "del" : "unlink") + "' command"));
  }
}

TEST_F(KeysTest, DeletingWhatIsNotThereWritesNothing) {
  run("SET a 1");
  run("DEL a");
  const uint64_t before = fingerprint("a");
  advance_ms(1);
  EXPECT_EQ(run("DEL a"), integer(0));
  EXPECT_EQ(run("UNLINK a"), integer(0));
  EXPECT_EQ(fingerprint("a"), before);
}

TEST_F(KeysTest, ExistsAndTouchCountRepeatedKeysEachTime) {
  run("MSET a 1 b 2");
  EXPECT_EQ(run("EXISTS a a b nosuch"), integer(3));
  EXPECT_EQ(run("TOUCH a a b nosuch"), integer(3));
  EXPECT_EQ(run("EXISTS nosuch"), integer(0));
}

TEST_F(KeysTest, TouchChangesNothing) {
  run("SET a 1");
  const uint64_t before = fingerprint("a");
  advance_ms(5000);
  run("TOUCH a");
  EXPECT_EQ(fingerprint("a"), before);
}

TEST_F(KeysTest, TypeNamesEveryKind) {
  run("SET s x");
  run("INCR n");
  put_hash("h");
  EXPECT_EQ(run("TYPE s"), "+string\r\n");
  EXPECT_EQ(run("TYPE n"), "+string\r\n");
  EXPECT_EQ(run("TYPE h"), "+hash\r\n");
  EXPECT_EQ(run("TYPE nosuch"), "+none\r\n");
}

TEST_F(KeysTest, ExpiredKeysAreGoneForEachCommand) {
  run("SET a 1 PX 10");
  advance_ms(10);
  EXPECT_EQ(run("EXISTS a"), integer(0));
  EXPECT_EQ(run("TYPE a"), "+none\r\n");
  EXPECT_EQ(run("DEL a"), integer(0));
  EXPECT_EQ(run("RENAME a b"), error("ERR no such key"));
  EXPECT_EQ(run("COPY a b"), integer(0));
  EXPECT_EQ(run("MOVE a 1"), integer(0));
  EXPECT_EQ(run("OBJECT ENCODING a"), kNull);
}

// --- RENAME --------------------------------------------------------------------------------------

TEST_F(KeysTest, RenameKeepsValueAndExpiryAndReplacesTheTarget) {
  run("SET a value PX 5000");
  run("SET b other");
  EXPECT_EQ(run("RENAME a b"), kOk);
  EXPECT_EQ(run("GET b"), bulk("value"));
  EXPECT_EQ(ttl_ms("b"), 5000);
  EXPECT_EQ(run("EXISTS a"), integer(0));
}

TEST_F(KeysTest, RenameToItselfIsFineWhenTheKeyExists) {
  run("SET a 1");
  const uint64_t before = fingerprint("a");
  EXPECT_EQ(run("RENAME a a"), kOk);
  EXPECT_EQ(run("RENAMENX a a"), integer(0));
  EXPECT_EQ(fingerprint("a"), before);
  EXPECT_EQ(run("RENAME nosuch nosuch"), error("ERR no such key"));
  EXPECT_EQ(run("RENAMENX nosuch nosuch"), error("ERR no such key"));
}

TEST_F(KeysTest, RenamenxLeavesAnExistingTarget) {
  run("MSET a 1 b 2");
  EXPECT_EQ(run("RENAMENX a b"), integer(0));
  EXPECT_EQ(run("MGET a b"), array({bulk("1"), bulk("2")}));
  EXPECT_EQ(run("RENAMENX a c"), integer(1));
  EXPECT_EQ(run("MGET a c"), array({std::string(kNull), bulk("1")}));
}

TEST_F(KeysTest, ACopiedCounterIsAStringOfItsValue) {
  run("INCRBY n 41");
  ASSERT_EQ(kind_of("n"), RowKind::kCounter);
  EXPECT_EQ(run("COPY n m"), integer(1));
  EXPECT_EQ(kind_of("m"), RowKind::kString);
  EXPECT_EQ(run("GET m"), bulk("41"));
  EXPECT_EQ(run("RENAME n k"), kOk);
  EXPECT_EQ(kind_of("k"), RowKind::kString);
  EXPECT_EQ(run("INCR k"), integer(42));
  EXPECT_EQ(run("INCR n"), integer(1));
}

// --- COPY, MOVE ----------------------------------------------------------------------------------

TEST_F(KeysTest, CopyTakesValueAndExpiry) {
  run("SET a 1 PX 700");
  EXPECT_EQ(run("COPY a b"), integer(1));
  EXPECT_EQ(ttl_ms("b"), 700);
  EXPECT_EQ(run("COPY a b"), integer(0));
  run("SET a 2");
  EXPECT_EQ(run("COPY a b REPLACE"), integer(1));
  EXPECT_EQ(run("GET b"), bulk("2"));
  EXPECT_EQ(ttl_ms("b"), -1);
  EXPECT_EQ(run("COPY nosuch b REPLACE"), integer(0));
  EXPECT_EQ(run("GET b"), bulk("2"));
}

TEST_F(KeysTest, CopyToAnotherDatabase) {
  run("SET a 1");
  EXPECT_EQ(run("COPY a a DB 3"), integer(1));
  EXPECT_EQ(run("COPY a a db 3"), integer(0));
  EXPECT_EQ(run("COPY a a DB 3 replace"), integer(1));
  select(3);
  EXPECT_EQ(run("GET a"), bulk("1"));
}

TEST_F(KeysTest, CopyChecksItsOptionsBeforeTheKeys) {
  EXPECT_EQ(run("COPY a b DB"), error(kSyntaxError));
  EXPECT_EQ(run("COPY a b DB x"), error(kNotInteger));
  EXPECT_EQ(run("COPY a b DB 16"), error(kBadDb));
  EXPECT_EQ(run("COPY a b DB -1"), error(kBadDb));
  EXPECT_EQ(run("COPY a b DB 99999999999"), error(kNotInt32));
  EXPECT_EQ(run("COPY a b DB 1 DB 99"), error(kBadDb));
  EXPECT_EQ(run("COPY a b nonsense"), error(kSyntaxError));
  EXPECT_EQ(run("COPY a a"), error(kSame));
  EXPECT_EQ(run("COPY a a DB 0"), error(kSame));
}

TEST_F(KeysTest, MoveTakesTheKeyToAnotherDatabase) {
  run("SET a 1 PX 900");
  EXPECT_EQ(run("MOVE a 2"), integer(1));
  EXPECT_EQ(run("EXISTS a"), integer(0));
  select(2);
  EXPECT_EQ(run("GET a"), bulk("1"));
  EXPECT_EQ(ttl_ms("a"), 900);
}

TEST_F(KeysTest, MoveLeavesAnExistingTargetAlone) {
  run("SET a 1");
  select(2);
  run("SET a 2");
  EXPECT_EQ(run("MOVE a 0"), integer(0));
  EXPECT_EQ(run("GET a"), bulk("2"));
  EXPECT_EQ(run("MOVE nosuch 0"), integer(0));
}

TEST_F(KeysTest, MoveChecksTheDatabaseBeforeTheKey) {
  EXPECT_EQ(run("MOVE nosuch x"), error(kNotInteger));
  EXPECT_EQ(run("MOVE nosuch 16"), error(kBadDb));
  EXPECT_EQ(run("MOVE nosuch -1"), error(kBadDb));
  EXPECT_EQ(run("MOVE nosuch 99999999999"), error(kNotInt32));
  EXPECT_EQ(run("MOVE nosuch 99999999999999999999"), error(kNotInteger));
  EXPECT_EQ(run("MOVE nosuch 0"), error(kSame));
}

// --- databases -----------------------------------------------------------------------------------

TEST_F(KeysTest, SwapdbExchangesDatabases) {
  run("SET a zero");
  select(1);
  run("MSET a one b one");
  EXPECT_EQ(run("SWAPDB 0 1"), kOk);
  EXPECT_EQ(run("GET a"), bulk("zero"));
  EXPECT_EQ(run("DBSIZE"), integer(1));
  select(0);
  EXPECT_EQ(run("GET a"), bulk("one"));
  EXPECT_EQ(run("DBSIZE"), integer(2));
  EXPECT_EQ(run("SWAPDB 0 0"), kOk);
  EXPECT_EQ(run("GET a"), bulk("one"));
}

TEST_F(KeysTest, SwapdbRefusesBadNumbers) {
  EXPECT_EQ(run("SWAPDB x y"), error("ERR invalid first DB index"));
  EXPECT_EQ(run("SWAPDB 1 y"), error("ERR invalid second DB index"));
  EXPECT_EQ(run("SWAPDB 0 99999999999"), error("ERR invalid second DB index"));
  EXPECT_EQ(run("SWAPDB 1 16"), error(kBadDb));
  EXPECT_EQ(run("SWAPDB 16 1"), error(kBadDb));
  EXPECT_EQ(run("SWAPDB -1 0"), error(kBadDb));
}

TEST_F(KeysTest, FlushdbEmptiesOneDatabase) {
  run("MSET a 1 b 2");
  select(5);
  run("SET c 3");
  EXPECT_EQ(run("FLUSHDB"), kOk);
  EXPECT_EQ(run("DBSIZE"), integer(0));
  select(0);
  EXPECT_EQ(run("DBSIZE"), integer(2));
  EXPECT_EQ(run("FLUSHDB async"), kOk);
  EXPECT_EQ(run("EXISTS a b"), integer(0));
  run("SET a 3");
  EXPECT_EQ(run("DBSIZE"), integer(1));
}

TEST_F(KeysTest, FlushallEmptiesAllDatabases) {
  for (uint16_t db = 0; db < 16; ++db) {
    select(db);
    run("SET a 1");
  }
  EXPECT_EQ(run("FLUSHALL SYNC"), kOk);
  for (uint16_t db = 0; db < 16; ++db) {
    select(db);
    EXPECT_EQ(run("EXISTS a"), integer(0)) << db;
    EXPECT_EQ(run("DBSIZE"), integer(0)) << db;
  }
}

TEST_F(KeysTest, FlushRefusesOtherOptions) {
  run("SET a 1");
  for (const char* line :
       {"FLUSHDB now", "FLUSHDB ASYNC SYNC", "FLUSHALL now", "FLUSHALL SYNC x"}) {
    EXPECT_EQ(run(line), error(kSyntaxError)) << line;
  }
  EXPECT_EQ(run("EXISTS a"), integer(1));
}

// --- OBJECT --------------------------------------------------------------------------------------

TEST_F(KeysTest, ObjectEncodingFollowsTheValue) {
  const auto encoding_of = [&](const std::string& value) {
    run_args({"SET", "a", value});
    return run("OBJECT ENCODING a");
  };
  EXPECT_EQ(encoding_of("0"), bulk("int"));
  EXPECT_EQ(encoding_of("-9223372036854775808"), bulk("int"));
  EXPECT_EQ(encoding_of("9223372036854775808"), bulk("embstr"));
  EXPECT_EQ(encoding_of("01"), bulk("embstr"));
  EXPECT_EQ(encoding_of(""), bulk("embstr"));
  EXPECT_EQ(encoding_of(std::string(44, 'x')), bulk("embstr"));
  EXPECT_EQ(encoding_of(std::string(45, 'x')), bulk("raw"));
  run("INCR n");
  EXPECT_EQ(run("OBJECT ENCODING n"), bulk("int"));
}

TEST_F(KeysTest, ObjectIdletimeCountsFromTheLastWrite) {
  run("SET a 1");
  EXPECT_EQ(run("OBJECT IDLETIME a"), integer(0));
  advance_ms(2500);
  run("GET a");
  EXPECT_EQ(run("OBJECT IDLETIME a"), integer(2));
  run("SET a 2");
  EXPECT_EQ(run("OBJECT IDLETIME a"), integer(0));
}

TEST_F(KeysTest, ObjectAnswersNullForAbsentKeys) {
  for (const char* subcommand : {"ENCODING", "FREQ", "IDLETIME", "REFCOUNT"}) {
    EXPECT_EQ(run(std::string("OBJECT ") + subcommand + " nosuch"), kNull);
  }
  client_.protocol = 3;
  EXPECT_EQ(run("OBJECT ENCODING nosuch"), "_\r\n");
}

TEST_F(KeysTest, ObjectRefcountAndFreq) {
  run("SET a x");
  EXPECT_EQ(run("OBJECT REFCOUNT a"), integer(1));
  EXPECT_EQ(run("OBJECT FREQ a"),
            error("ERR An LFU maxmemory policy is not selected, access frequency not tracked. "
                  "Please note that when switching between policies at runtime LRU and LFU data "
                  "will take some time to adjust."));
}

TEST_F(KeysTest, ObjectHelpListsEverySubcommand) {
  const std::string help = run("OBJECT HELP");
  EXPECT_TRUE(help.starts_with("*11\r\n+OBJECT <subcommand> ")) << help;
  for (const char* usage : {"+ENCODING key\r\n", "+FREQ key\r\n", "+HELP\r\n", "+IDLETIME key\r\n",
                            "+REFCOUNT key\r\n"}) {
    EXPECT_NE(help.find(usage), help.npos) << usage;
  }
}

}  // namespace
}  // namespace syntropy
