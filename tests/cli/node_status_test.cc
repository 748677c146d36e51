#include "tools/cli/node_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace syntropy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kInfo[] =
    "# Server\r\nredis_version:7.0.15\r\nsyntropy_version:0.1.0\r\nprocess_id:42\r\n"
    "server_time_usec:1700000002500000\r\nuptime_in_seconds:93784\r\nconfig_file:\r\n\r\n"
    "# Clients\r\nconnected_clients:3\r\nmaxclients:10000\r\nblocked_clients:1\r\n"
    "# Memory\r\nused_memory_rss:1048576\r\n"
    "# Persistence\r\nloading:0\r\nrdb_last_bgsave_status:ok\r\nrdb_saves:2\r\nsnapshots:1\r\n"
    "snapshot_last:20260131T235959Z-000001\r\naof_last_write_status:ok\r\n"
    "aof_last_sync_time_ms:1700000001000\r\n"
    "# Storage\r\nstorage_status:ok\r\nclock_refused_stamps:0\r\n"
    "# Stats\r\ninstantaneous_ops_per_sec:12345\r\ninstantaneous_input_kbps:7.25\r\n"
    "# Replication\r\nrole:master\r\n"
    "# Keyspace\r\ndb0:keys=1234567,expires=12,avg_ttl=0\r\ndb12:keys=5,expires=0,avg_ttl=0\r\n"
    "db2:keys=1,expires=1,avg_ttl=0\r\n";

NodeStatus status_with(const std::string& field, const std::string& value) {
  InfoFields fields = parse_info(kInfo);
  if (!field.empty()) fields[field] = value;
  Result<NodeStatus> status = read_node_status(fields, "everysec");
  EXPECT_TRUE(status.ok()) << status.status().message();
  return std::move(*status);
}

TEST(NodeStatusTest, FieldsAreReadFromInfo) {
  const NodeStatus status = status_with({}, {});
  EXPECT_EQ(status.version, "0.1.0");
  EXPECT_EQ(status.role, "primary");
  EXPECT_EQ(status.uptime_s, 93784u);
  EXPECT_EQ(status.clients, 3u);
  EXPECT_EQ(status.waiting_clients, 1u);
  EXPECT_EQ(status.ops_per_s, 12345u);
  EXPECT_DOUBLE_EQ(status.input_kib_per_s, 7.25);
  EXPECT_EQ(status.sync_policy, "everysec");
  EXPECT_EQ(status.snapshot_last, "20260131T235959Z-000001");
  ASSERT_EQ(status.databases.size(), 3u);
  EXPECT_EQ(status.databases[1].number, 2u);
  EXPECT_EQ(status.databases[2].number, 12u);
  EXPECT_EQ(status.databases[0].keys, 1234567u);
  EXPECT_EQ(status.databases[0].expiring, 12u);
}

TEST(NodeStatusTest, RedisIsNoSyntropyNode) {
  InfoFields fields = parse_info(kInfo);
  fields.erase("syntropy_version");
  EXPECT_EQ(read_node_status(fields, "no").status().code(), StatusCode::kInvalidArgument);
}

TEST(NodeStatusTest, HealthyNodeHasNothingToReport) {
  const NodeStatus status = status_with({}, {});
  EXPECT_THAT(status.problems(), IsEmpty());
  EXPECT_THAT(status.warnings(), IsEmpty());
  EXPECT_THAT(status_text(status, "h:1"), HasSubstr("h:1: healthy\n"));
}

TEST(NodeStatusTest, EachFailureIsAProblem) {
  EXPECT_THAT(status_with("storage_status", "degraded").problems(),
              ElementsAre(HasSubstr("writes are refused")));
  EXPECT_THAT(status_with("aof_last_write_status", "err").problems(),
              ElementsAre(HasSubstr("last sync")));
  EXPECT_THAT(status_with("rdb_last_bgsave_status", "err").problems(),
              ElementsAre(HasSubstr("last snapshot failed")));
  EXPECT_THAT(status_with("loading", "1").problems(), ElementsAre(HasSubstr("starting")));
}

TEST(NodeStatusTest, DegradedNodeSaysWhyAndIsUnhealthy) {
  InfoFields fields = parse_info(kInfo);
  fields["storage_status"] = "degraded";
  fields["storage_error"] = "No space left on device";
  const Result<NodeStatus> status = read_node_status(fields, "always");
  ASSERT_TRUE(status.ok());
  const std::string text = status_text(*status, "h:1");
  EXPECT_THAT(text, HasSubstr("h:1: UNHEALTHY\n"));
  EXPECT_THAT(text, HasSubstr("PROBLEM  the disk failed"));
  EXPECT_THAT(text, HasSubstr("No space left on device"));
  EXPECT_EQ(status_json(*status, "h:1")["healthy"], false);
}

TEST(NodeStatusTest, WhatSomebodyShouldLookAtIsAWarningOnly) {
  for (const auto& [field, value] : {std::pair{"clock_refused_stamps", "3"},
                                     {"storage_write_stalled", "1"},
                                     {"storage_rocksdb_recoveries", "1"},
                                     {"storage_rocksdb_unsynced_tail_dropped_at_start", "1"},
                                     {"connected_clients", "9500"}}) {
    const NodeStatus status = status_with(field, value);
    EXPECT_EQ(status.warnings().size(), 1u) << field;
    EXPECT_THAT(status.problems(), IsEmpty()) << field;
  }
}

TEST(NodeStatusTest, ScreenShowsWhatMatters) {
  const std::string text = status_text(status_with({}, {}), "h:1");
  for (const char* part :
       {"Syntropy 0.1.0", "primary", "1d 2h 3m", "12,345 commands/s", "1,234,567",
        "appendfsync "
        "everysec; last sync 1s ago, ok",
        "20260131T235959Z-000001", "no alarms"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 24) << "one screen";
}

TEST(NodeStatusTest, ManyDatabasesStillFitOnOneScreen) {
  NodeStatus status = status_with({}, {});
  for (uint32_t db = 20; db < 120; ++db) status.databases.push_back({db, 1, 0});
  const std::string text = status_text(status, "h:1");
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 24);
  EXPECT_THAT(text, HasSubstr("and 95 more databases"));
  EXPECT_EQ(status_json(status, "h:1")["databases"].size(), 103u);
}

}  // namespace
}  // namespace syntropy
