// The slow log: thresholds, bounds, and what is cut off entries.

#include "server/slowlog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace syntropy {
namespace {

using ::testing::ElementsAre;

void enter(SlowLog& log, const std::vector<std::string>& args, uint64_t micros = 20'000) {
  const std::vector<std::string_view> views(args.begin(), args.end());
  log.add(views, micros, 1'700'000'000, "127.0.0.1:1234", "worker");
}

TEST(SlowLogTest, WantsWhatReachesTheThreshold) {
  SlowLog log;
  EXPECT_FALSE(log.wants(9'999));
  EXPECT_TRUE(log.wants(10'000));
  log.configure(0, 128);
  EXPECT_TRUE(log.wants(0));
  log.configure(-1, 128);
  EXPECT_FALSE(log.wants(UINT64_MAX));
}

TEST(SlowLogTest, GivesTheNewestFirst) {
  SlowLog log;
  enter(log, {"get", "a"}, 11'000);
  enter(log, {"get", "b"}, 12'000);
  const auto entries = log.newest(10);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].id, 1u);
  EXPECT_EQ(entries[0].micros, 12'000u);
  EXPECT_THAT(entries[0].args, ElementsAre("get", "b"));
  EXPECT_EQ(entries[0].unix_time_s, 1'700'000'000u);
  EXPECT_EQ(entries[0].client_address, "127.0.0.1:1234");
  EXPECT_EQ(entries[0].client_name, "worker");
  EXPECT_EQ(entries[1].id, 0u);
  EXPECT_EQ(log.newest(1).size(), 1u);
  EXPECT_TRUE(log.newest(0).empty());
}

TEST(SlowLogTest, KeepsNoMoreThanItsLength) {
  SlowLog log;
  log.configure(0, 2);
  for (int i = 0; i < 5; ++i) enter(log, {"get"});
  EXPECT_EQ(log.size(), 2u);
  EXPECT_EQ(log.newest(10).front().id, 4u);
  log.configure(0, 0);
  enter(log, {"get"});
  EXPECT_EQ(log.size(), 0u);
}

TEST(SlowLogTest, ResetForgetsEntriesButNotIds) {
  SlowLog log;
  enter(log, {"get"});
  log.reset();
  EXPECT_EQ(log.size(), 0u);
  enter(log, {"get"});
  EXPECT_EQ(log.newest(1).front().id, 1u);
}

TEST(SlowLogTest, ArgumentsBeyondThe32ndAreCounted) {
  SlowLog log;
  enter(log, std::vector<std::string>(32, "x"));
  EXPECT_EQ(log.newest(1).front().args.size(), 32u);
  EXPECT_EQ(log.newest(1).front().args.back(), "x");
  enter(log, std::vector<std::string>(41, "x"));
  EXPECT_EQ(log.newest(1).front().args.size(), 32u);
  EXPECT_EQ(log.newest(1).front().args.back(), "... (10 more arguments)");
}

TEST(SlowLogTest, LongArgumentsAreCutAt128Bytes) {
  SlowLog log;
  enter(log, {std::string(128, 'a'), std::string(200, 'b')});
  EXPECT_THAT(log.newest(1).front().args,
              ElementsAre(std::string(128, 'a'), std::string(128, 'b') + "... (72 more bytes)"));
}

}  // namespace
}  // namespace syntropy
