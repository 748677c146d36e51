#include "server/config/config_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace syntropy {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

std::string message(const Status& status) { return std::string(status.message()); }

TEST(ConfigGet, NamesPatternsAliasesAndCase) {
  const ConfigStore store{Config()};
  EXPECT_THAT(store.get({"port"}), ElementsAre(Pair("port", "7379")));
  EXPECT_THAT(store.get({"PORT", "po*"}), ElementsAre(Pair("PORT", "7379")));
  EXPECT_THAT(store.get({"TIME[a-z]ut"}), ElementsAre(Pair("timeout", "0")));
  EXPECT_THAT(store.get({"lua-time-limit"}), ElementsAre(Pair("lua-time-limit", "0")));
  EXPECT_THAT(store.get({"busy*", "*time-limit"}),
              ElementsAre(Pair("busy-reply-threshold", "0"), Pair("lua-time-limit", "0")));
  EXPECT_THAT(store.get({"save", "appendonly"}),
              ElementsAre(Pair("appendonly", "yes"), Pair("save", "")));
  EXPECT_THAT(store.get({"nope", "maxmemory-sample?"}), IsEmpty());
  EXPECT_THAT(store.get({}), IsEmpty());
}

TEST(ConfigGet, StarGivesEveryOptionButThoseOfFilesOnly) {
  const ConfigStore store{Config()};
  const auto all = store.get({"*"});
  EXPECT_THAT(all, Contains(Key("requirepass")));
  EXPECT_THAT(all, Not(Contains(Key("rename-command"))));
  EXPECT_THAT(all, Not(Contains(Key("include"))));
  EXPECT_GT(all.size(), 50U);
}

TEST(ConfigSet, PublishesASnapshotAndRaisesTheGeneration) {
  ConfigStore store{Config()};
  const auto before = store.current();
  const auto generation = store.generation();
  ASSERT_TRUE(store.set({{"timeout", "5"}, {"HZ", "20"}}).ok());
  EXPECT_EQ(store.generation(), generation + 1);
  EXPECT_EQ(store.current()->clients.timeout_s, 5);
  EXPECT_EQ(store.current()->general.hz, 20);
  EXPECT_EQ(before->clients.timeout_s, 0) << "a published snapshot never changes";
}

TEST(ConfigSet, SettingTheSameValuePublishesNothing) {
  ConfigStore store{Config()};
  const auto before = store.current();
  ASSERT_TRUE(store.set({{"hz", "10"}, {"save", ""}, {"appendonly", "yes"}}).ok());
  EXPECT_EQ(store.current(), before);
}

// The texts are those of Redis 7.0.15.
TEST(ConfigSet, ErrorTextsAreThoseOfRedis) {
  ConfigStore store{Config()};
  EXPECT_EQ(message(store.set({{"nope", "1"}})),
            "Unknown option or number of arguments for CONFIG SET - 'nope'");
  EXPECT_EQ(message(store.set({{"rename-command", "a b"}})),
            "Unknown option or number of arguments for CONFIG SET - 'rename-command'");
  EXPECT_EQ(message(store.set({{"databases", "3"}})),
            "CONFIG SET failed (possibly related to argument 'databases') - can't set immutable "
            "config");
  EXPECT_EQ(message(store.set({{"databases", "3"}, {"databases", "3"}})),
            "CONFIG SET failed (possibly related to argument 'databases') - can't set immutable "
            "config");
  EXPECT_EQ(message(store.set({{"timeout", "1"}, {"TIMEOUT", "2"}})),
            "CONFIG SET failed (possibly related to argument 'TIMEOUT') - duplicate parameter");
  EXPECT_EQ(message(store.set({{"timeout", "abc"}})),
            "CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be "
            "parsed into an integer");
  EXPECT_EQ(message(store.set({{"timeout", "x"}, {"nope", "1"}})),
            "Unknown option or number of arguments for CONFIG SET - 'nope'")
      << "names are checked before values";
}

TEST(ConfigSet, AllPairsOrNone) {
  ConfigStore store{Config()};
  const auto before = store.current();
  EXPECT_FALSE(store.set({{"timeout", "7"}, {"client-query-buffer-limit", "3"}}).ok());
  EXPECT_FALSE(store.set({{"timeout", "7"}, {"nope", "3"}}).ok());
  EXPECT_EQ(store.current(), before);
  EXPECT_EQ(store.generation(), 1U);
}

TEST(ConfigSet, ListsAreSplitAtBlanks) {
  ConfigStore store{Config()};
  ASSERT_TRUE(store.set({{"client-output-buffer-limit", "normal 1 2 3 pubsub 4 5 6"}}).ok());
  const auto& limits = store.current()->clients.output_limits;
  EXPECT_EQ(limits[0], (OutputLimit{1, 2, 3}));
  EXPECT_EQ(limits[1], Config().clients.output_limits[1]);
  EXPECT_EQ(limits[2], (OutputLimit{4, 5, 6}));
}

TEST(ConfigSet, ListenersSeeTheChangeBeforeItIsPublished) {
  ConfigStore store{Config()};
  std::vector<int> seen;
  store.on_change([&](const Config& previous, const Config& next) {
    seen = {previous.general.hz, next.general.hz, store.current()->general.hz};
    return Status();
  });
  ASSERT_TRUE(store.set({{"hz", "50"}}).ok());
  EXPECT_THAT(seen, ElementsAre(10, 50, 10));
}

TEST(ConfigSet, RefusalByAListenerUndoesTheOthers) {
  ConfigStore store{Config()};
  int applied = 10;
  store.on_change([&](const Config&, const Config& next) {
    applied = next.general.hz;
    return Status();
  });
  store.on_change([](const Config&, const Config& next) {
    return next.general.hz == 13 ? Status::unavailable("no luck") : Status();
  });
  EXPECT_EQ(message(store.set({{"hz", "13"}})),
            "CONFIG SET failed (possibly related to argument 'hz') - no luck");
  EXPECT_EQ(applied, 10);
  EXPECT_EQ(store.current()->general.hz, 10);
  EXPECT_EQ(store.generation(), 1U);
  ASSERT_TRUE(store.set({{"hz", "14"}}).ok());
  EXPECT_EQ(applied, 14);
}

TEST(ConfigRewrite, WithoutAFileSaysSo) {
  ConfigStore store{Config()};
  EXPECT_EQ(message(store.rewrite()), "The server is running without a config file");
}

TEST(ConfigStoreThreads, ReadersSeeWholeSnapshotsThatOnlyMoveForward) {
  Config config;
  config.monitor.slowlog_max_len = 0;
  ConfigStore store{config};
  constexpr int kRounds = 300;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&store] {
      int last = 0;
      while (last < kRounds) {
        const auto generation = store.generation();
        const auto snapshot = store.current();
        // The timeout counts the changes, the generation does so from 1.
        EXPECT_GE(snapshot->clients.timeout_s + 1, static_cast<int>(generation));
        EXPECT_EQ(static_cast<std::uint64_t>(snapshot->clients.timeout_s),
                  snapshot->monitor.slowlog_max_len);
        EXPECT_GE(snapshot->clients.timeout_s, last);
        last = snapshot->clients.timeout_s;
      }
    });
  }
  for (int i = 1; i <= kRounds; ++i) {
    const std::string value = std::to_string(i);
    ASSERT_TRUE(store.set({{"timeout", value}, {"slowlog-max-len", value}}).ok());
  }
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace syntropy
