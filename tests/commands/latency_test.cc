// LATENCY. Expected replies are those of redis-server 7.0.15, texts for people apart.

#include "server/commands/table.h"
#include "tests/commands/command_fixture.h"

namespace syntropy {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class LatencyTest : public CommandFixture {
 protected:
  void spike(std::string_view event, uint64_t millis) {
    server().latency.set_threshold_ms(1);
    server().latency.record(event, millis * 1000, now_ms() / 1000);
  }
  void record(const CommandSpec& spec, std::chrono::microseconds elapsed) {
    server().stats.record_command(server().stats.slot(0), command_index(spec), elapsed,
                                  Outcome::kOk);
  }
};

TEST_F(LatencyTest, LatestGivesTheNewestAndTheLongestOfEachEvent) {
  EXPECT_EQ(run("LATENCY LATEST"), array({}));
  spike("commit", 100);
  advance_ms(1000);
  spike("commit", 20);
  const auto now = static_cast<int64_t>(now_ms() / 1000);
  EXPECT_EQ(run("LATENCY LATEST"),
            array({array({bulk("commit"), integer(now), integer(20), integer(100)})}));
  EXPECT_EQ(run("LATENCY HISTORY commit"),
            array({array({integer(now - 1), integer(100)}), array({integer(now), integer(20)})}));
  EXPECT_EQ(run("LATENCY HISTORY nosuch"), array({}));
}

TEST_F(LatencyTest, ResetCountsTheEventsThatItForgot) {
  for (const auto event : {"commit", "fsync", "fetch"}) spike(event, 5);
  EXPECT_EQ(run("LATENCY RESET fsync nosuch fsync"), integer(1));
  EXPECT_EQ(run("LATENCY RESET"), integer(2));
  EXPECT_EQ(run("LATENCY RESET"), integer(0));
}

TEST_F(LatencyTest, GraphNeedsSamples) {
  EXPECT_EQ(run("LATENCY GRAPH commit"), error("ERR No samples available for event 'commit'"));
  spike("commit", 100);
  EXPECT_THAT(run("LATENCY GRAPH commit"),
              HasSubstr("commit - high 100 ms, low 100 ms (all time high 100 ms)\n"));
}

TEST_F(LatencyTest, DoctorLooksAtTheEvents) {
  EXPECT_THAT(run("LATENCY DOCTOR"), HasSubstr("monitoring is off"));
  spike("fsync", 100);
  EXPECT_THAT(run("LATENCY DOCTOR"), HasSubstr("1. fsync: 1 spike, 100 ms on average"));
  client_.protocol = 3;
  EXPECT_THAT(run("LATENCY DOCTOR"), StartsWith("="));
}

TEST_F(LatencyTest, HistogramIsAMapByCommand) {
  EXPECT_EQ(run("LATENCY HISTOGRAM"), array({}));
  const CommandSpec& get = *find_command("get");
  const CommandSpec& client = *find_command("client");
  record(get, std::chrono::microseconds(1));
  record(get, std::chrono::microseconds(30));
  record(*find_subcommand(client, "id"), std::chrono::microseconds(1));
  record(*find_subcommand(client, "list"), std::chrono::microseconds(1));
  const std::string of_get =
      bulk("get") + array({bulk("calls"), integer(2), bulk("histogram_usec"),
                           array({integer(1), integer(1), integer(33), integer(2)})});
  EXPECT_EQ(run("LATENCY HISTOGRAM GET nosuch"), "*2\r\n" + of_get);
  EXPECT_THAT(run("LATENCY HISTOGRAM"), StartsWith("*6\r\n"));
  EXPECT_THAT(run("LATENCY HISTOGRAM client"), StartsWith("*4\r\n"));
  EXPECT_THAT(run("LATENCY HISTOGRAM client|id client|nosuch"),
              StartsWith("*2\r\n$9\r\nclient|id\r\n"));
  client_.protocol = 3;
  EXPECT_THAT(run("LATENCY HISTOGRAM get"), StartsWith("%1\r\n$3\r\nget\r\n%2\r\n"));
  EXPECT_EQ(run("LATENCY HISTOGRAM set"), "%0\r\n");
}

}  // namespace
}  // namespace syntropy
