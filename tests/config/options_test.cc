#include "server/config/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "server/config/values.h"

namespace syntropy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// The option's value after setting it, or the reason why not.
std::string set_and_get(std::string_view name, const std::string& value) {
  const Option* option = find_option(name);
  if (option == nullptr) return "no such option";
  Config config;
  const Status status = set_from_string(*option, config, value);
  return status.ok() ? option->get(config) : "error: " + std::string(status.message());
}

TEST(OptionTable, NamesAreUniqueLowerCaseAndExplained) {
  std::set<std::string> names;
  for (const Option& option : all_options()) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name;
    if (!option.alias.empty()) {
      EXPECT_TRUE(names.insert(option.alias).second) << option.alias;
    }
    EXPECT_EQ(option.name, to_lower(option.name));
    EXPECT_FALSE(option.help.empty()) << option.name;
    EXPECT_EQ(option.help.find('\n'), std::string::npos) << option.name;
    EXPECT_FALSE(option.argument.empty()) << option.name;
    EXPECT_FALSE(option.changeable && option.file_only) << option.name;
  }
}

TEST(OptionTable, SettingWhatGetReturnedChangesNothing) {
  Config config;
  config.security.require_pass = "a b";
  config.clients.max_memory = {12345, 0};
  config.storage.row_cache_size = 7;
  config.storage.bottommost_compression = Compression::kZstd;
  config.network.bind.clear();
  for (const Option& option : all_options()) {
    if (option.file_only) continue;
    Config copy = config;
    const Status status = set_from_string(option, copy, option.get(config));
    EXPECT_TRUE(status.ok()) << option.name << ": " << status.message();
    EXPECT_EQ(copy, config) << option.name;
  }
}

TEST(OptionTable, LinesOfDefaultsAreAcceptedAndChangeNothing) {
  for (const Option& option : all_options()) {
    if (!option.set) continue;
    Config config;
    for (const auto& words : option.lines(config)) {
      const Status status = set_from_words(option, config, words);
      EXPECT_TRUE(status.ok()) << option.name << ": " << status.message();
    }
    EXPECT_EQ(config, Config()) << option.name;
  }
}

TEST(OptionTable, FailedSetLeavesTheConfigUnchanged) {
  int failures = 0;
  for (const Option& option : all_options()) {
    if (!option.set) continue;
    Config config;
    const Status status = option.set(config, {"-", "not a value", "1"});
    if (status.ok()) continue;  // a string takes anything
    ++failures;
    EXPECT_EQ(config, Config()) << option.name;
  }
  EXPECT_GT(failures, 40);
}

TEST(OptionTable, AliasAndUpperCaseFindTheOption) {
  ASSERT_NE(find_option("PORT"), nullptr);
  EXPECT_EQ(find_option("Lua-Time-Limit"), find_option("busy-reply-threshold"));
  EXPECT_EQ(find_option("prot"), nullptr);
  EXPECT_EQ(find_option(""), nullptr);
}

TEST(OptionTable, NearestNameIsSuggestedOnlyWhenNear) {
  EXPECT_EQ(nearest_option("prot"), "port");
  EXPECT_EQ(nearest_option("por"), "port");
  EXPECT_EQ(nearest_option("appendfsyn"), "appendfsync");
  EXPECT_EQ(nearest_option("max-clients"), "maxclients");
  EXPECT_EQ(nearest_option("lua-timelimit"), "lua-time-limit");
  EXPECT_EQ(nearest_option("zzz"), "");
  EXPECT_EQ(nearest_option(std::string(100000, 'a')), "");
}

TEST(OptionTable, OptionsThatOnlyRedisHasAreExplained) {
  EXPECT_THAT(std::string(redis_option_note("hash-max-listpack-entries")), HasSubstr("in memory"));
  EXPECT_THAT(std::string(redis_option_note("ReplicaOf")), HasSubstr("replication"));
  EXPECT_EQ(redis_option_note("xyzzy"), "");
}

TEST(OptionTable, LoggableSettingsHidePasswordsAndDefaults) {
  Config config;
  EXPECT_TRUE(loggable_settings(config).empty());
  config.network.port = 1;
  config.security.require_pass = "hunter2";
  config.storage.append_fsync = FsyncPolicy::kAlways;
  EXPECT_THAT(loggable_settings(config),
              ElementsAre("port 1", "requirepass (hidden)", "appendfsync always"));
}

// The error texts below are those of Redis 7.0.15.

TEST(OptionValues, Integers) {
  EXPECT_EQ(set_and_get("timeout", "5"), "5");
  const std::string unreadable = "error: argument couldn't be parsed into an integer";
  for (const char* text :
       {"", "abc", " 5", "5 ", "0x10", "05", "-0", "+5", "5 6", "1.5", "9223372036854775808"}) {
    EXPECT_EQ(set_and_get("timeout", text), unreadable) << text;
  }
  EXPECT_EQ(set_and_get("timeout", "-1"),
            "error: argument must be between 0 and 2147483647 inclusive");
  EXPECT_EQ(set_and_get("timeout", "99999999999999"),
            "error: argument must be between 0 and 2147483647 inclusive");
  EXPECT_EQ(set_and_get("port", "65536"), "error: argument must be between 0 and 65535 inclusive");
  EXPECT_EQ(set_and_get("slowlog-log-slower-than", "-2"),
            "error: argument must be between -1 and 9223372036854775807 inclusive");
  EXPECT_EQ(set_and_get("slowlog-log-slower-than", "9223372036854775807"), "9223372036854775807");
  EXPECT_EQ(set_and_get("maxclients", "4294967295"), "4294967295");
}

TEST(OptionValues, OpenFilesAreAllOrEnough) {
  EXPECT_EQ(set_and_get("max-open-files", "-1"), "-1");
  EXPECT_EQ(set_and_get("max-open-files", "64"), "64");
  EXPECT_EQ(set_and_get("max-open-files", "63"), "error: argument must be -1 or at least 64");
  EXPECT_EQ(set_and_get("max-open-files", "-2"),
            "error: argument must be between -1 and 2147483647 inclusive");
}

TEST(OptionValues, AutoIsAValueOfItsOwn) {
  EXPECT_EQ(set_and_get("io-threads", "AUTO"), "auto");
  EXPECT_EQ(set_and_get("io-threads", "0"), "auto");
  EXPECT_EQ(set_and_get("io-threads", "3"), "3");
  EXPECT_EQ(set_and_get("io-threads", "129"),
            "error: argument must be between 0 and 128 inclusive");
  EXPECT_EQ(set_and_get("row-cache-size", "auto"), "auto");
  EXPECT_EQ(set_and_get("row-cache-size", "0"), "0");
  EXPECT_EQ(set_and_get("row-cache-size", "1kb"), "1024");
  EXPECT_EQ(set_and_get("bottommost-compression", "auto"), "auto");
  EXPECT_EQ(set_and_get("bottommost-compression", "zstd"), "zstd");
}

TEST(OptionValues, MemorySizes) {
  const auto size = [](const std::string& text) { return set_and_get("row-cache-size", text); };
  EXPECT_EQ(size("1"), "1");
  EXPECT_EQ(size("1B"), "1");
  EXPECT_EQ(size("2k"), "2000");
  EXPECT_EQ(size("2Kb"), "2048");
  EXPECT_EQ(size("3m"), "3000000");
  EXPECT_EQ(size("3mB"), "3145728");
  EXPECT_EQ(size("1g"), "1000000000");
  EXPECT_EQ(size("1GB"), "1073741824");
  const std::string unreadable = "error: argument must be a memory value";
  for (const char* text : {"", "mb", "1kbx", "1.5gb", " 1gb", "-1", "1tb", "99999999999999gb",
                           "18446744073709551616", "9223372036854775808"}) {
    EXPECT_EQ(size(text), unreadable) << text;
  }
  EXPECT_EQ(set_and_get("proto-max-bulk-len", "1k"),
            "error: argument must be between 1048576 and 9223372036854775807 inclusive");
}

TEST(OptionValues, MemoryOrPercent) {
  const auto limit = [](const std::string& text) { return set_and_get("maxmemory-clients", text); };
  EXPECT_EQ(limit("5%"), "5%");
  EXPECT_EQ(limit("100%"), "100%");
  EXPECT_EQ(limit("0%"), "0");
  EXPECT_EQ(limit("1mb"), "1048576");
  EXPECT_EQ(limit("101%"), "error: percentage argument must be less or equal to 100");
  for (const char* text : {"", "%", "5%%", "-5", "-5%", "x"}) {
    EXPECT_EQ(limit(text), "error: argument must be a memory or percent value") << text;
  }
}

TEST(OptionValues, BoolsEnumsAndOctal) {
  EXPECT_EQ(set_and_get("protected-mode", "YES"), "yes");
  EXPECT_EQ(set_and_get("protected-mode", "maybe"), "error: argument must be 'yes' or 'no'");
  EXPECT_EQ(set_and_get("loglevel", "NOTICE"), "notice");
  EXPECT_EQ(set_and_get("appendfsync", "sometimes"),
            "error: argument(s) must be one of the following: everysec, always, no");
  EXPECT_EQ(set_and_get("unixsocketperm", "0755"), "755");
  EXPECT_EQ(set_and_get("unixsocketperm", "8"),
            "error: argument couldn't be parsed as an octal number");
  EXPECT_EQ(set_and_get("unixsocketperm", "1000"),
            "error: argument must be between 0 and 777 inclusive");
}

TEST(OptionValues, BindAddresses) {
  EXPECT_EQ(set_and_get("bind", "* -::*"), "* -::*");
  EXPECT_EQ(set_and_get("bind", ""), "");
  EXPECT_THAT(set_and_get("bind", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"),
              HasSubstr("Too many bind addresses"));
  EXPECT_THAT(set_and_get("bind", "127.0.0.1 -"), HasSubstr("empty"));
  Config config;
  ASSERT_TRUE(find_option("bind")->set(config, {"10.0.0.1", "-::1"}).ok());
  EXPECT_THAT(config.network.bind,
              ElementsAre(BindAddress{"10.0.0.1", false}, BindAddress{"::1", true}));
}

TEST(OptionValues, OutputBufferLimits) {
  const auto limits = [](const std::string& text) {
    return set_and_get("client-output-buffer-limit", text);
  };
  const std::string replica = " slave 268435456 67108864 60";
  const std::string pubsub = " pubsub 33554432 8388608 60";
  EXPECT_EQ(limits(""), "normal 1073741824 268435456 60" + replica + pubsub);
  EXPECT_EQ(limits("NORMAL 1mb 1kb 60 replica 1 2 3"),
            "normal 1048576 1024 60 slave 1 2 3" + pubsub);
  EXPECT_EQ(limits("normal 1"), "error: Wrong number of arguments in buffer limit configuration.");
  EXPECT_EQ(limits("foo 1 1 1"),
            "error: Invalid client class specified in buffer limit configuration.");
  const std::string number =
      "error: Error in hard, soft or soft_seconds setting in buffer limit configuration.";
  EXPECT_EQ(limits("normal a 1 1"), number);
  EXPECT_EQ(limits("normal -1 1 1"), number);
  EXPECT_EQ(limits("normal 1 1 -1"), number);
  EXPECT_EQ(limits("slave 1 1 1 normal 1 1 x"), number);
}

TEST(OptionValues, Percentiles) {
  const auto set = [](const std::string& text) {
    return set_and_get("latency-tracking-info-percentiles", text);
  };
  EXPECT_EQ(set("99.9 33.333 0.1"), "99.9 33.333 0.1");
  EXPECT_EQ(set("0 100"), "0 100");
  EXPECT_EQ(set(""), "");
  EXPECT_EQ(set("a"), "error: Invalid latency-tracking-info-percentiles parameters");
  EXPECT_EQ(set("nan"), "error: Invalid latency-tracking-info-percentiles parameters");
  EXPECT_EQ(set("50 101"),
            "error: latency-tracking-info-percentiles parameters should sit between [0.0,100.0]");
}

TEST(OptionValues, FixedOptionsAcceptTheTruthAndExplainTheRest) {
  EXPECT_EQ(set_and_get("save", ""), "");
  EXPECT_THAT(set_and_get("save", "3600 1"), HasSubstr("snapshot schedule"));
  EXPECT_EQ(set_and_get("appendonly", "YES"), "yes");
  EXPECT_THAT(set_and_get("appendonly", "no"), HasSubstr("the log is how data is stored"));
  EXPECT_EQ(set_and_get("appendonly", "x"), "error: argument must be 'yes' or 'no'");
  EXPECT_EQ(set_and_get("maxmemory", "0mb"), "0");
  EXPECT_THAT(set_and_get("maxmemory", "1gb"), HasSubstr("nothing is evicted"));
  EXPECT_EQ(set_and_get("maxmemory-policy", "NoEviction"), "noeviction");
  EXPECT_THAT(set_and_get("maxmemory-policy", "allkeys-lru"), HasSubstr("noeviction"));
  EXPECT_THAT(set_and_get("notify-keyspace-events", "Ex"), HasSubstr("not supported"));
  EXPECT_EQ(set_and_get("lua-time-limit", "0"), "0");
  EXPECT_THAT(set_and_get("lua-time-limit", "5000"), HasSubstr("scripts"));
  EXPECT_THAT(set_and_get("daemonize", "yes"), HasSubstr("systemd"));
}

TEST(OptionValues, ClusterAndReplicationAreBoundedAndKnowTheirOldNames) {
  EXPECT_EQ(set_and_get("cluster-enabled", "yes"), "yes");
  EXPECT_EQ(set_and_get("cluster-node-timeout", "300"), "300");
  EXPECT_THAT(set_and_get("cluster-node-timeout", "299"), HasSubstr("300"));
  EXPECT_EQ(set_and_get("cluster-write-acks", "MAJORITY"), "majority");
  EXPECT_EQ(set_and_get("cluster-write-acks", "1"), "1");
  EXPECT_THAT(set_and_get("cluster-write-acks", "2"), HasSubstr("1, majority, all"));
  EXPECT_EQ(set_and_get("cluster-slave-no-failover", "yes"), "yes");
  EXPECT_EQ(set_and_get("min-slaves-to-write", "2"), "2");
  EXPECT_EQ(set_and_get("repl-backlog-size", "1mb"), "1048576");
  EXPECT_THAT(set_and_get("repl-backlog-size", "1kb"), HasSubstr("16384"));
}

TEST(ConfigValues, TheClusterPortFollowsTheClientPort) {
  Config config;
  EXPECT_EQ(config.effective_cluster_port(), 17379);
  config.network.port = 0;
  EXPECT_EQ(config.effective_cluster_port(), 0);
  config.cluster.port = 7;
  EXPECT_EQ(config.effective_cluster_port(), 7);
}

TEST(ConfigValues, AutomaticSizesFollowTheirFormulas) {
  StorageConfig storage;
  EXPECT_EQ(storage.effective_row_cache_size(), 256 * kMiB);
  EXPECT_EQ(storage.effective_write_buffer_size(), 56 * kMiB);
  EXPECT_EQ(storage.effective_bottommost_compression(), Compression::kLz4);
  storage.block_cache_size = 64 * kMiB;
  EXPECT_EQ(storage.effective_write_buffer_size(), 8 * kMiB);
  storage.block_cache_size = kMiB;
  EXPECT_EQ(storage.effective_write_buffer_size(), 4 * kMiB);
  storage.block_cache_size = 8 * kGiB;
  EXPECT_EQ(storage.effective_write_buffer_size(), 64 * kMiB);
  storage.row_cache_size = 0;
  EXPECT_EQ(storage.effective_row_cache_size(), 0U);
  GeneralConfig general;
  EXPECT_EQ(general.effective_io_threads(2), 2);
  EXPECT_EQ(general.effective_io_threads(0), 1);
  general.io_threads = 5;
  EXPECT_EQ(general.effective_io_threads(2), 5);
  EXPECT_EQ((MemoryLimit{0, 25}.resolve(1000)), 250U);
  EXPECT_EQ((MemoryLimit{0, 100}.resolve(~0ULL)), ~0ULL);
  EXPECT_EQ((MemoryLimit{77, 0}.resolve(1000)), 77U);
}

TEST(ConfigValues, MemoryIsPrintedInTheLargestExactUnit) {
  EXPECT_EQ(format_memory(0), "0");
  EXPECT_EQ(format_memory(1000), "1000");
  EXPECT_EQ(format_memory(64 * kKiB), "64kb");
  EXPECT_EQ(format_memory(1536 * kMiB), "1536mb");
  EXPECT_EQ(format_memory(2 * kGiB), "2gb");
}

}  // namespace
}  // namespace syntropy
