// INFO, and CONFIG RESETSTAT on what it shows.

#include <map>
#include <sstream>

#include "server/commands/table.h"
#include "tests/commands/command_fixture.h"

namespace syntropy {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

class InfoTest : public CommandFixture {
 protected:
  /// The text of a bulk reply.
  std::string text_of(std::string_view line) {
    const std::string reply = run(line);
    const size_t begin = reply.find("\r\n") + 2;
    return reply.substr(begin, reply.size() - begin - 2);
  }
  std::vector<std::string> titles_of(std::string_view line) {
    std::vector<std::string> titles;
    std::istringstream text(text_of(line));
    for (std::string each; std::getline(text, each);) {
      if (each.starts_with("# ")) titles.push_back(each.substr(2, each.size() - 3));
    }
    return titles;
  }
  std::map<std::string, std::string> fields_of(std::string_view line) {
    std::map<std::string, std::string> fields;
    std::istringstream text(text_of(line));
    for (std::string each; std::getline(text, each);) {
      const size_t colon = each.find(':');
      if (colon == each.npos) continue;
      EXPECT_TRUE(
          fields.emplace(each.substr(0, colon), each.substr(colon + 1, each.size() - colon - 2))
              .second)
          << each << " stands twice";
    }
    return fields;
  }
  void record(std::string_view command, uint64_t micros, Outcome outcome) {
    const std::string_view container = command.substr(0, command.find('|'));
    const CommandSpec* spec = find_command(container);
    if (container != command) spec = find_subcommand(*spec, command.substr(container.size() + 1));
    server().stats.record_command(server().stats.slot(0), command_index(*spec),
                                  std::chrono::microseconds(micros), outcome);
  }
};

TEST_F(InfoTest, SectionsComeInRedisOrder) {
  EXPECT_THAT(titles_of("INFO"), ElementsAre("Server", "Clients", "Memory", "Persistence",
                                             "Storage", "Merkle", "Stats", "Replication", "CPU",
                                             "Modules", "Errorstats", "Cluster", "Keyspace"));
  EXPECT_EQ(titles_of("INFO default"), titles_of("INFO"));
  EXPECT_THAT(titles_of("INFO all"),
              ElementsAre("Server", "Clients", "Memory", "Persistence", "Storage", "Merkle",
                          "Stats", "Replication", "CPU", "Commandstats", "Errorstats",
                          "Latencystats", "Cluster", "Keyspace"));
  EXPECT_THAT(titles_of("INFO everything"), AllOf(Contains("Modules"), Contains("Latencystats")));
  EXPECT_THAT(titles_of("INFO keyspace SERVER cpu cpu"), ElementsAre("Server", "CPU", "Keyspace"));
  EXPECT_EQ(run("INFO nosuch"), bulk(""));
}

TEST_F(InfoTest, SectionsAreSeparatedByAnEmptyLine) {
  EXPECT_EQ(text_of("INFO cluster modules"), "# Modules\r\n\r\n# Cluster\r\ncluster_enabled:0\r\n");
  client_.protocol = 3;
  EXPECT_EQ(run("INFO cluster"), "=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n");
}

TEST_F(InfoTest, ToolsFindTheFieldsThatTheyRead) {
  std::vector<std::string> names;
  for (const auto& [name, value] : fields_of("INFO everything")) {
    // A value is missing where there is nothing to name.
    const bool may_miss = name == "config_file" || name == "executable" || name == "snapshot_last";
    EXPECT_TRUE(may_miss || !value.empty()) << name;
    names.push_back(name);
  }
  EXPECT_THAT(names, IsSupersetOf({"redis_version",
                                   "redis_mode",
                                   "os",
                                   "process_id",
                                   "run_id",
                                   "tcp_port",
                                   "uptime_in_seconds",
                                   "uptime_in_days",
                                   "connected_clients",
                                   "maxclients",
                                   "blocked_clients",
                                   "used_memory",
                                   "used_memory_human",
                                   "used_memory_rss",
                                   "used_memory_peak",
                                   "used_memory_dataset",
                                   "maxmemory",
                                   "maxmemory_policy",
                                   "mem_fragmentation_ratio",
                                   "mem_allocator",
                                   "loading",
                                   "rdb_changes_since_last_save",
                                   "rdb_bgsave_in_progress",
                                   "rdb_last_save_time",
                                   "rdb_last_bgsave_status",
                                   "aof_enabled",
                                   "aof_last_write_status",
                                   "total_connections_received",
                                   "total_commands_processed",
                                   "instantaneous_ops_per_sec",
                                   "total_net_input_bytes",
                                   "rejected_connections",
                                   "expired_keys",
                                   "evicted_keys",
                                   "keyspace_hits",
                                   "keyspace_misses",
                                   "role",
                                   "connected_slaves",
                                   "master_replid",
                                   "used_cpu_sys",
                                   "used_cpu_user",
                                   "cluster_enabled"}));
}

TEST_F(InfoTest, FieldsHaveTheFormThatClientsParse) {
  auto fields = fields_of("INFO");
  EXPECT_EQ(fields["redis_version"], "7.0.15");
  EXPECT_EQ(fields["redis_mode"], "standalone");
  EXPECT_EQ(fields["role"], "master");
  EXPECT_EQ(fields["connected_slaves"], "0");
  EXPECT_EQ(fields["loading"], "0");
  EXPECT_EQ(fields["master_replid"].size(), 40u);
  EXPECT_EQ(fields["tcp_port"], "7379");
  EXPECT_GT(std::stoull(fields["used_memory"]), 0u);
  EXPECT_GT(std::stoull(fields["used_memory_rss"]), 0u);
  EXPECT_GE(std::stoull(fields["used_memory_peak"]), std::stoull(fields["used_memory"]));
}

TEST_F(InfoTest, UptimeIsWallTimeSinceTheStart) {
  advance_ms(2 * 86'400'000 + 5'000);
  auto fields = fields_of("INFO server");
  EXPECT_EQ(fields["uptime_in_seconds"], "172805");
  EXPECT_EQ(fields["uptime_in_days"], "2");
}

TEST_F(InfoTest, KeyspaceListsDatabasesThatHoldKeys) {
  EXPECT_THAT(fields_of("INFO keyspace"), ::testing::IsEmpty());
  EXPECT_THAT(text_of("INFO everything"), Not(HasSubstr("db0:")));
  run("MSET a 1 b 2");
  run("SET c 3 EX 100");
  run("SELECT 5");
  run("SET d 4");
  EXPECT_THAT(fields_of("INFO keyspace"), ElementsAre(Pair("db0", "keys=3,expires=1,avg_ttl=0"),
                                                      Pair("db5", "keys=1,expires=0,avg_ttl=0")));
}

TEST_F(InfoTest, CommandstatsCountWhatWasCalled) {
  record("get", 3, Outcome::kOk);
  record("get", 5, Outcome::kFailed);
  record("client|list", 1, Outcome::kRejected);
  auto fields = fields_of("INFO commandstats");
  EXPECT_EQ(fields["cmdstat_get"],
            "calls=2,usec=8,usec_per_call=4.00,rejected_calls=0,failed_calls=1");
  EXPECT_EQ(fields["cmdstat_client|list"],
            "calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0");
  EXPECT_EQ(fields.size(), 2u);
}

TEST_F(InfoTest, LatencystatsFollowTheOptions) {
  record("get", 100, Outcome::kOk);
  auto fields = fields_of("INFO latencystats");
  EXPECT_EQ(fields["latency_percentiles_usec_get"], "p50=103.199,p99=103.199,p99.9=103.199");
  set_config("latency-tracking-info-percentiles", "50 75.5");
  EXPECT_EQ(fields_of("INFO latencystats")["latency_percentiles_usec_get"],
            "p50=103.199,p75.5=103.199");
  set_config("latency-tracking", "no");
  EXPECT_TRUE(fields_of("INFO latencystats").empty());
}

TEST_F(InfoTest, ErrorstatsCountByPrefix) {
  server().stats.record_error(server().stats.slot(0), "WRONGTYPE Operation");
  EXPECT_THAT(fields_of("INFO errorstats"), ElementsAre(Pair("errorstat_WRONGTYPE", "count=1")));
  EXPECT_EQ(fields_of("INFO stats")["total_error_replies"], "1");
}

TEST_F(InfoTest, ResetstatStartsCountsAgain) {
  record("get", 100, Outcome::kOk);
  server().stats.record_error(server().stats.slot(0), "ERR x");
  server().stats.slot(0).add(kKeyspaceHits, 7);
  EXPECT_EQ(fields_of("INFO stats")["keyspace_hits"], "7");
  EXPECT_EQ(run("CONFIG RESETSTAT"), kOk);
  EXPECT_EQ(fields_of("INFO stats")["keyspace_hits"], "0");
  EXPECT_EQ(fields_of("INFO stats")["total_commands_processed"], "0");
  EXPECT_TRUE(fields_of("INFO commandstats").empty());
  EXPECT_TRUE(fields_of("INFO latencystats").empty());
  EXPECT_TRUE(fields_of("INFO errorstats").empty());
}

TEST_F(InfoTest, ClientsAreCountedWithTheirBuffers) {
  auto client = std::make_shared<Client>();
  client->shared.blocked = true;
  client->shared.query_bytes = 4096;
  client->shared.output_bytes = 8192;
  server().clients.add(client);
  auto fields = fields_of("INFO clients");
  EXPECT_EQ(fields["connected_clients"], "1");
  EXPECT_EQ(fields["blocked_clients"], "1");
  EXPECT_EQ(fields["client_recent_max_input_buffer"], "4096");
  EXPECT_EQ(fields["client_recent_max_output_buffer"], "8192");
  EXPECT_GE(std::stoull(fields_of("INFO memory")["mem_clients_normal"]), 12'288u);
}

TEST_F(InfoTest, StorageTellsOfEngineAndClock) {
  EXPECT_THAT(fields_of("INFO storage"),
              AllOf(Contains(Pair("storage_status", "ok")), Contains(Key("storage_live_bytes")),
                    Contains(Key("row_cache_hits")), Contains(Pair("clock_refused_stamps", "0"))));
}

}  // namespace
}  // namespace syntropy
