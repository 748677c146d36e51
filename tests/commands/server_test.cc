// TIME, saving, SHUTDOWN, DEBUG, MONITOR, MEMORY and CONFIG. Expected replies are those of
// redis-server 7.0.15.

#include "tests/commands/command_fixture.h"

namespace syntropy {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view kSyntax = "ERR syntax error";

class ServerCommandTest : public CommandFixture {
 protected:
  ServerCommandTest() {
    client_.address = "127.0.0.1:40000";
    server().shutdown = [this](ShutdownRequest request) { shutdowns_.push_back(request); };
    server().stall = [this](uint64_t micros) { stalls_.push_back(micros); };
    server().clients.add(std::shared_ptr<Client>(&client_, [](Client*) {}));
  }
  ~ServerCommandTest() override { server().clients.remove(client_.id); }

  std::vector<ShutdownRequest> shutdowns_;
  std::vector<uint64_t> stalls_;
};

TEST_F(ServerCommandTest, TimeIsSecondsAndMicroseconds) {
  advance_ms(42);
  EXPECT_EQ(run("TIME"), array({bulk("1700000000"), bulk("42000")}));
}

TEST_F(ServerCommandTest, ShutdownPassesItsOptionsOnWithoutAReply) {
  EXPECT_EQ(run("SHUTDOWN"), "");
  EXPECT_EQ(run("SHUTDOWN SAVE"), "");
  EXPECT_EQ(run("SHUTDOWN nosave NOW force"), "");
  ASSERT_EQ(shutdowns_.size(), 3u);
  EXPECT_FALSE(shutdowns_[0].save || shutdowns_[0].force);
  EXPECT_TRUE(shutdowns_[1].save);
  EXPECT_FALSE(shutdowns_[2].save);
  EXPECT_TRUE(shutdowns_[2].force);
}

TEST_F(ServerCommandTest, ShutdownRefusesContradictions) {
  for (const std::string options : {"x", "SAVE NOSAVE", "ABORT NOW", "ABORT SAVE"}) {
    EXPECT_EQ(run("SHUTDOWN " + options), error(kSyntax)) << options;
  }
  EXPECT_EQ(run("SHUTDOWN ABORT"), error("ERR No shutdown in progress."));
  EXPECT_TRUE(shutdowns_.empty());
}

TEST_F(ServerCommandTest, DebugIsOffByDefault) {
  EXPECT_THAT(run("DEBUG SLEEP 0"), StartsWith("-ERR DEBUG command not allowed. If the "));
  EXPECT_TRUE(stalls_.empty());
}

TEST_F(ServerCommandTest, MonitorListsTheClientOnce) {
  EXPECT_EQ(run("MONITOR"), kOk);
  EXPECT_TRUE(server().clients.has_monitors());
  EXPECT_EQ(run("MONITOR"), "");
  EXPECT_EQ(server().clients.monitors().size(), 1u);
}

TEST_F(ServerCommandTest, MonitorIsRefusedInsideATransaction) {
  client_.in_transaction = true;
  EXPECT_EQ(run("MONITOR"), error("ERR MONITOR isn't allowed for DENY BLOCKING client"));
  EXPECT_FALSE(server().clients.has_monitors());
}

TEST_F(ServerCommandTest, BgsaveTakesNothingButSchedule) {
  EXPECT_EQ(run("BGSAVE x"), error(kSyntax));
  EXPECT_EQ(run("BGSAVE SCHEDULE x"), error(kSyntax));
  EXPECT_EQ(server().snapshots.info().saves, 0u);
}

TEST_F(ServerCommandTest, SaveMakesASnapshot) {
  ASSERT_TRUE(server().snapshots.start().ok());
  run("SET a 1");
  advance_ms(5000);
  EXPECT_EQ(run("SAVE"), kOk);
  EXPECT_EQ(run("LASTSAVE"), integer(1'700'000'005));
  EXPECT_EQ(run("BGSAVE"), "+Background saving started\r\n");
  server().snapshots.wait();
  EXPECT_EQ(run("BGSAVE SCHEDULE"), "+Background saving started\r\n");
  server().snapshots.wait();
  EXPECT_EQ(server().snapshots.info().saves, 3u);
}

TEST_F(ServerCommandTest, MemoryUsageCountsTheRowAsStored) {
  EXPECT_EQ(run("MEMORY USAGE nosuch"), kNull);
  run("SET a b");
  // Row key 2+2+4+1+1, value 1+1+8+8+1, 8 of the engine.
  EXPECT_EQ(run("MEMORY USAGE a"), integer(10 + 19 + 8));
  EXPECT_EQ(run("MEMORY USAGE a SAMPLES 0"), integer(37));
  run("SET a b EX 100");
  // The expiry in the row, and the expiry record: 1+8 before the row key, 8 of the engine.
  EXPECT_EQ(run("MEMORY USAGE a"), integer(10 + 27 + 8 + 9 + 10 + 8));
}

TEST_F(ServerCommandTest, MemoryUsageRefusesBadOptions) {
  EXPECT_EQ(run("MEMORY USAGE a SAMPLES"), error(kSyntax));
  EXPECT_EQ(run("MEMORY USAGE a SAMPLES -1"), error(kSyntax));
  EXPECT_EQ(run("MEMORY USAGE a x 1"), error(kSyntax));
  EXPECT_EQ(run("MEMORY USAGE a SAMPLES x"), error("ERR value is not an integer or out of range"));
}

TEST_F(ServerCommandTest, MemoryReportsAreReal) {
  EXPECT_THAT(run("MEMORY STATS"), HasSubstr("total.allocated\r\n:"));
  EXPECT_THAT(run("MEMORY DOCTOR"), StartsWith("$"));
  EXPECT_GT(run("MEMORY MALLOC-STATS").size(), 100u);
  EXPECT_EQ(run("MEMORY PURGE"), kOk);
  client_.protocol = 3;
  EXPECT_THAT(run("MEMORY STATS"), StartsWith("%"));
}

TEST_F(ServerCommandTest, ConfigGetIsAMap) {
  EXPECT_EQ(run("CONFIG GET timeout TIMEOUT nosuch"), array({bulk("timeout"), bulk("0")}));
  EXPECT_EQ(run("CONFIG GET nosuch"), array({}));
  client_.protocol = 3;
  EXPECT_EQ(run("CONFIG GET timeout"), "%1\r\n" + bulk("timeout") + bulk("0"));
}

TEST_F(ServerCommandTest, ConfigSetSetsAllOrNothing) {
  EXPECT_EQ(run("CONFIG SET timeout 5 slowlog-max-len 7"), kOk);
  EXPECT_EQ(server().config.current()->clients.timeout_s, 5);
  EXPECT_EQ(run("CONFIG SET timeout 6 slowlog-max-len x"),
            error("ERR CONFIG SET failed (possibly related to argument 'slowlog-max-len') - "
                  "argument couldn't be parsed into an integer"));
  EXPECT_EQ(server().config.current()->clients.timeout_s, 5);
  EXPECT_EQ(run("CONFIG SET nosuch 1"),
            error("ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"));
  EXPECT_EQ(run("CONFIG SET timeout 1 x"), error(kSyntax));
}

TEST_F(ServerCommandTest, ConfigRewriteNeedsAFile) {
  EXPECT_EQ(run("CONFIG REWRITE"), error("ERR The server is running without a config file"));
}

// --- SYNC, FUNCTION ------------------------------------------------------------------------------

TEST_F(ServerCommandTest, SyncIsNoReplicationForRedis) {
  EXPECT_EQ(run("REPLCONF listening-port 1 ip-address 10.0.0.1"), kOk);
  EXPECT_THAT(run("SYNC"), StartsWith("-ERR a redis-server can't follow this node"));
  EXPECT_EQ(run("REPLCONF capa eof capa psync2"), kOk);
  EXPECT_EQ(run("REPLCONF rdb-only x"), error("ERR value is not an integer or out of range"));
  EXPECT_EQ(run("REPLCONF rdb-filter-only functions"),
            error("ERR Unrecognized REPLCONF option: rdb-filter-only"));
  EXPECT_EQ(run("REPLCONF rdb-only"), error("ERR syntax error"));
  EXPECT_THAT(run("PSYNC ? -1"), StartsWith("-ERR a redis-server can't follow this node"));
}

TEST_F(ServerCommandTest, ThereAreNoFunctions) {
  EXPECT_EQ(run("FUNCTION LIST"), array({}));
  EXPECT_EQ(run("FUNCTION LIST LIBRARYNAME x* WITHCODE"), array({}));
  EXPECT_EQ(run("FUNCTION LIST LIBRARYNAME"), error("ERR library name argument was not given"));
  // What redis-server 7.0.15 dumps when it has none.
  const std::string payload("\x0a\x00\xdd\xb4\xea\x6d\x8b\xcb\xd8\x6f", 10);
  const std::string dumped = run("FUNCTION DUMP");
  EXPECT_EQ(dumped.substr(0, 7), "$10\r\n" + payload.substr(0, 2));
  const std::string ours = dumped.substr(5, 10);
  EXPECT_EQ(run_args({"FUNCTION", "RESTORE", ours}), kOk);
  EXPECT_EQ(run_args({"FUNCTION", "RESTORE", ours, "FLUSH"}), kOk);
  EXPECT_THAT(run_args({"FUNCTION", "RESTORE", ours, "MERGE"}),
              StartsWith("-ERR Wrong restore policy given"));
  EXPECT_EQ(run_args({"FUNCTION", "RESTORE", "x"}),
            error("ERR DUMP payload version or checksum are wrong"));
  EXPECT_EQ(run("FUNCTION LOAD code"), error("ERR unknown subcommand"));
}

}  // namespace
}  // namespace syntropy
