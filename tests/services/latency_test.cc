// The latency monitor and the texts that are made of its samples.

#include "server/latency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/latency_report.h"

namespace syntropy {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(LatencyMonitorTest, RecordsNothingWithoutAThreshold) {
  LatencyMonitor monitor;
  monitor.record(kLatencyCommand, 1'000'000, 100);
  EXPECT_TRUE(monitor.all().empty());
}

TEST(LatencyMonitorTest, RecordsWhatReachesTheThreshold) {
  LatencyMonitor monitor;
  monitor.set_threshold_ms(10);
  monitor.record(kLatencyCommand, 9'999, 100);
  EXPECT_TRUE(monitor.all().empty());
  monitor.record(kLatencyCommand, 10'000, 100);
  const LatencyHistory history = monitor.history(kLatencyCommand);
  ASSERT_EQ(history.samples.size(), 1u);
  EXPECT_EQ(history.samples[0].unix_time_s, 100u);
  EXPECT_EQ(history.samples[0].millis, 10u);
  EXPECT_EQ(history.longest_ms, 10u);
}

TEST(LatencyMonitorTest, KeepsTheLongestOfASecond) {
  LatencyMonitor monitor;
  monitor.set_threshold_ms(1);
  monitor.record(kLatencyCommit, 20'000, 100);
  monitor.record(kLatencyCommit, 50'000, 100);
  monitor.record(kLatencyCommit, 30'000, 100);
  ASSERT_EQ(monitor.history(kLatencyCommit).samples.size(), 1u);
  EXPECT_EQ(monitor.history(kLatencyCommit).samples[0].millis, 50u);
}

TEST(LatencyMonitorTest, Keeps160SecondsAndTheLongestEver) {
  LatencyMonitor monitor;
  monitor.set_threshold_ms(1);
  monitor.record(kLatencyFsync, 900'000, 1);
  for (uint64_t second = 2; second <= 200; ++second) monitor.record(kLatencyFsync, 5'000, second);
  const LatencyHistory history = monitor.history(kLatencyFsync);
  EXPECT_EQ(history.samples.size(), 160u);
  EXPECT_EQ(history.samples.front().unix_time_s, 41u);
  EXPECT_EQ(history.samples.back().unix_time_s, 200u);
  EXPECT_EQ(history.longest_ms, 900u);
}

TEST(LatencyMonitorTest, ResetForgetsOneOrAll) {
  LatencyMonitor monitor;
  monitor.set_threshold_ms(1);
  for (const auto event : {kLatencyFsync, kLatencyCommit, kLatencyFetch}) {
    monitor.record(event, 5'000, 1);
  }
  EXPECT_TRUE(monitor.reset(kLatencyFsync));
  EXPECT_FALSE(monitor.reset(kLatencyFsync));
  EXPECT_TRUE(monitor.history(kLatencyFsync).samples.empty());
  EXPECT_EQ(monitor.reset_all(), 2u);
  EXPECT_TRUE(monitor.all().empty());
}

TEST(LatencyGraphTest, DrawsOneColumnASample) {
  const LatencyHistory history{{{940, 10}, {990, 40}, {1000, 120}}, 300};
  EXPECT_EQ(latency_graph("command", history, 1000),
            "command - high 120 ms, low 10 ms (all time high 300 ms)\n" + std::string(80, '-') +
                "\n"
                "  #\n"
                "  #\n"
                " _#\n"
                "_##\n"
                "\n"
                "110\n"
                "m0s\n"
                " s\n");
}

TEST(LatencyGraphTest, ShowsTheNewest80Samples) {
  LatencyHistory history;
  for (uint64_t second = 0; second < 100; ++second) history.samples.push_back({second, 7});
  const std::string graph = latency_graph("fsync", history, 99);
  EXPECT_THAT(graph, HasSubstr("\n" + std::string(80, '#') + "\n"));
  EXPECT_THAT(graph, Not(HasSubstr(std::string(81, '#'))));
}

TEST(LatencyAdviceTest, SaysWhenThereIsNothingToJudgeBy) {
  EXPECT_THAT(latency_advice({}, 0, 10'000), HasSubstr("latency-monitor-threshold"));
  EXPECT_THAT(latency_advice({}, 100, 10'000), HasSubstr("No step of the server took 100 ms"));
}

TEST(LatencyAdviceTest, SummarizesEachEvent) {
  const std::map<std::string, LatencyHistory, std::less<>> events = {
      {"fsync", {{{100, 20}, {110, 40}}, 60}}};
  const std::string advice = latency_advice(events, 10, 10'000);
  EXPECT_THAT(advice, HasSubstr("1. fsync: 2 spikes, 30 ms on average, mean deviation 10 ms, one "
                                "every 10.00 s, the longest ever 60 ms."));
  EXPECT_THAT(advice, HasSubstr("appendfsync everysec"));
  EXPECT_THAT(advice, Not(HasSubstr("slowlog")));
}

TEST(LatencyAdviceTest, TellsWhenTheSlowLogMissesWhatWasSeen) {
  const std::map<std::string, LatencyHistory, std::less<>> events = {
      {"command", {{{100, 20}}, 20}}};
  const std::string hint = "set slowlog-log-slower-than to 10000";
  EXPECT_THAT(latency_advice(events, 10, -1), HasSubstr(hint));
  EXPECT_THAT(latency_advice(events, 10, 50'000), HasSubstr(hint));
  EXPECT_THAT(latency_advice(events, 10, 10'000), Not(HasSubstr(hint)));
}

}  // namespace
}  // namespace syntropy
