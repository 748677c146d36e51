// Statistics: sums over threads, resets, rates, histograms.

#include "server/stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace syntropy {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using ::testing::ElementsAre;
using ::testing::Pair;

constexpr size_t kGet = 3;
constexpr size_t kSet = 4;

TEST(ServerStatsTest, SumsTheSlotsOfAllThreads) {
  ServerStats stats(2, 8);
  stats.slot(0).add(kInputBytes, 10);
  stats.slot(1).add(kInputBytes, 5);
  stats.slot(1).add(kReads);
  EXPECT_EQ(stats.totals()[kInputBytes], 15u);
  EXPECT_EQ(stats.totals()[kReads], 1u);
  EXPECT_EQ(stats.totals()[kWrites], 0u);
}

TEST(ServerStatsTest, CountsCommandsByHowTheyEnded) {
  ServerStats stats(2, 8);
  stats.record_command(stats.slot(0), kGet, microseconds(5), Outcome::kOk);
  stats.record_command(stats.slot(1), kGet, microseconds(7), Outcome::kFailed);
  stats.record_command(stats.slot(1), kGet, microseconds(9), Outcome::kRejected);
  const ServerStats::CommandTotals get = stats.command(kGet);
  EXPECT_EQ(get.calls, 2u);
  EXPECT_EQ(get.nanos, 12'000u);
  EXPECT_EQ(get.failed, 1u);
  EXPECT_EQ(get.rejected, 1u);
  EXPECT_TRUE(stats.command(kSet).empty());
  EXPECT_EQ(stats.totals()[kCommandsProcessed], 2u);
  EXPECT_EQ(stats.latency(kGet).total, 2u);
}

TEST(ServerStatsTest, ResetStartsAgainFromZeroAndKeepsCounting) {
  ServerStats stats(1, 8);
  stats.record_command(stats.slot(0), kGet, microseconds(5), Outcome::kOk);
  stats.record_error(stats.slot(0), "ERR no");
  stats.slot(0).add(kChanges, 3);
  stats.reset(17);
  EXPECT_TRUE(stats.command(kGet).empty());
  EXPECT_EQ(stats.latency(kGet).total, 0u);
  EXPECT_TRUE(stats.errors().empty());
  EXPECT_EQ(stats.totals()[kCommandsProcessed], 0u);
  EXPECT_EQ(stats.expired_keys_baseline(), 17u);
  EXPECT_EQ(stats.changes_since_start(), 3u);
  stats.record_command(stats.slot(0), kGet, microseconds(6), Outcome::kOk);
  EXPECT_EQ(stats.command(kGet).calls, 1u);
  EXPECT_EQ(stats.command(kGet).nanos, 6000u);
  EXPECT_EQ(stats.latency(kGet).total, 1u);
}

TEST(ServerStatsTest, LatencyTrackingCanBeTurnedOff) {
  ServerStats stats(1, 8);
  stats.set_latency_tracking(false);
  stats.record_command(stats.slot(0), kGet, microseconds(5), Outcome::kOk);
  EXPECT_EQ(stats.command(kGet).calls, 1u);
  EXPECT_EQ(stats.latency(kGet).total, 0u);
}

TEST(ServerStatsTest, CountsErrorsByTheirFirstWord) {
  ServerStats stats(2, 8);
  stats.record_error(stats.slot(0), "ERR syntax error");
  stats.record_error(stats.slot(1), "ERR no such key");
  stats.record_error(stats.slot(1), "WRONGTYPE Operation");
  stats.record_error(stats.slot(1), "LOADING");
  EXPECT_THAT(stats.errors(),
              ElementsAre(Pair("ERR", 2), Pair("LOADING", 1), Pair("WRONGTYPE", 1)));
  EXPECT_EQ(stats.totals()[kErrorReplies], 4u);
}

TEST(ServerStatsTest, ErrorPrefixesAreBounded) {
  ServerStats stats(1, 8);
  for (int i = 0; i < 1000; ++i) stats.record_error(stats.slot(0), "E" + std::to_string(i) + " x");
  EXPECT_EQ(stats.errors().size(), 128u);
  EXPECT_EQ(stats.totals()[kErrorReplies], 1000u);
}

TEST(ServerStatsTest, RatesAreMeansOfTheLastSamples) {
  ServerStats stats(1, 8);
  EXPECT_EQ(stats.rates().ops, 0u);
  stats.sample(1000);
  EXPECT_EQ(stats.rates().ops, 0u);
  for (int i = 0; i < 50; ++i) {
    stats.record_command(stats.slot(0), kGet, microseconds(1), Outcome::kOk);
  }
  stats.slot(0).add(kInputBytes, 2048);
  stats.slot(0).add(kOutputBytes, 512);
  stats.sample(1500);
  EXPECT_EQ(stats.rates().ops, 100u);
  EXPECT_DOUBLE_EQ(stats.rates().input_bytes, 4096);
  EXPECT_DOUBLE_EQ(stats.rates().output_bytes, 1024);
  // Sixteen quiet samples later nothing is left of it.
  for (uint64_t i = 1; i <= 16; ++i) stats.sample(1500 + i * 100);
  EXPECT_EQ(stats.rates().ops, 0u);
}

TEST(ServerStatsTest, MemoryPeakNeverFalls) {
  const ServerStats stats(1, 8);
  EXPECT_EQ(stats.memory_peak(100), 100u);
  EXPECT_EQ(stats.memory_peak(50), 100u);
  EXPECT_EQ(stats.memory_peak(200), 200u);
}

TEST(ServerStatsTest, WorkersBorrowSlotsOfTheirOwn) {
  ServerStats stats(1, 8);
  {
    auto first = stats.borrow_worker_slot();
    auto second = stats.borrow_worker_slot();
    EXPECT_NE(&*first, &*second);
    stats.record_command(*first, kSet, microseconds(1), Outcome::kOk);
    stats.record_command(*second, kSet, microseconds(1), Outcome::kOk);
  }
  auto again = stats.borrow_worker_slot();
  stats.record_command(*again, kSet, microseconds(1), Outcome::kOk);
  EXPECT_EQ(stats.command(kSet).calls, 3u);
}

TEST(ServerStatsTest, ReadersAndResetsMayRunWhileThreadsCount) {
  constexpr uint64_t kCalls = 20'000;
  ServerStats stats(2, 8);
  uint64_t seen = 0;
  {
    std::vector<std::jthread> threads;
    for (size_t t = 0; t < 2; ++t) {
      threads.emplace_back([&stats, t] {
        for (uint64_t i = 0; i < kCalls; ++i) {
          stats.record_command(stats.slot(t), kGet, nanoseconds(i), Outcome::kOk);
        }
      });
    }
    for (int i = 0; i < 100; ++i) {
      // A baseline taken later than a sum would make this huge.
      EXPECT_LE(stats.command(kGet).calls, 2 * kCalls);
      seen = std::max(seen, stats.latency(kGet).total);
      stats.reset(0);
    }
  }
  stats.reset(0);
  EXPECT_EQ(stats.command(kGet).calls, 0u);
  EXPECT_LE(seen, 2 * kCalls);
}

// --- histograms ----------------------------------------------------------------------------------

TEST(LatencyHistogramTest, EveryLatencyLiesInItsBucket) {
  uint64_t previous_end = 0;
  for (size_t i = 0; i < LatencyHistogram::kBuckets; ++i) {
    const uint64_t end = LatencyHistogram::bucket_end_ns(i);
    EXPECT_EQ(LatencyHistogram::bucket_of(end), i);
    if (i > 0) {
      EXPECT_EQ(LatencyHistogram::bucket_of(previous_end + 1), i);
      EXPECT_GT(end, previous_end);
    }
    // Past the first microsecond a bucket is at most 1/16 of its values wide.
    if (previous_end > 1000) {
      EXPECT_LE(end - previous_end, previous_end / 15) << i;
    }
    previous_end = end;
  }
  EXPECT_EQ(LatencyHistogram::bucket_of(UINT64_MAX), LatencyHistogram::kBuckets - 1);
  EXPECT_EQ(LatencyHistogram::bucket_of(0), 0u);
}

LatencyCounts counts_of(const std::vector<uint64_t>& latencies_ns) {
  LatencyHistogram histogram;
  for (const uint64_t latency : latencies_ns) histogram.add(latency);
  LatencyCounts counts{std::vector<uint64_t>(LatencyHistogram::kBuckets), latencies_ns.size()};
  histogram.add_to(&counts.buckets);
  return counts;
}

TEST(LatencyCountsTest, ReportsTheBoundsThatRedisReports) {
  std::vector<uint64_t> latencies;
  for (uint64_t bound = 1031; bound < 600'000; bound = bound * 2 + 1) latencies.push_back(bound);
  std::vector<uint64_t> micros;
  for (const auto& point : counts_of(latencies).cumulative()) micros.push_back(point.micros);
  EXPECT_THAT(micros, ElementsAre(1, 2, 4, 8, 16, 33, 66, 132, 264, 528));
}

TEST(LatencyCountsTest, CumulativePointsStandOnlyWhereThereAreCalls) {
  const auto points = counts_of({10, 900, 1031, 1032, 30'000, 30'000}).cumulative();
  ASSERT_EQ(points.size(), 3u);
  EXPECT_EQ(points[0].micros, 1u);
  EXPECT_EQ(points[0].calls, 3u);
  EXPECT_EQ(points[1].micros, 2u);
  EXPECT_EQ(points[1].calls, 4u);
  EXPECT_EQ(points[2].micros, 33u);
  EXPECT_EQ(points[2].calls, 6u);
}

TEST(LatencyCountsTest, PercentilesAreTheEndsOfTheirBuckets) {
  std::vector<uint64_t> latencies(99, 5000);
  latencies.push_back(1'000'000);
  const LatencyCounts counts = counts_of(latencies);
  const uint64_t low = LatencyHistogram::bucket_end_ns(LatencyHistogram::bucket_of(5000));
  const uint64_t high = LatencyHistogram::bucket_end_ns(LatencyHistogram::bucket_of(1'000'000));
  EXPECT_EQ(counts.percentile_ns(0), low);
  EXPECT_EQ(counts.percentile_ns(50), low);
  EXPECT_EQ(counts.percentile_ns(99), low);
  EXPECT_EQ(counts.percentile_ns(99.9), high);
  EXPECT_EQ(counts.percentile_ns(100), high);
  EXPECT_EQ(LatencyCounts().percentile_ns(50), 0u);
}

}  // namespace
}  // namespace syntropy
