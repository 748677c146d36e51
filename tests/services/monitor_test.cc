// What MONITOR and the slow log may show.

#include "server/monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/client.h"
#include "server/redaction.h"

namespace syntropy {
namespace {

using ::testing::ElementsAre;
using Args = std::vector<std::string_view>;

TEST(MonitorTest, LineHasTheFormOfRedis) {
  const Args args = {"set", "a b\"", std::string_view("x\n\x01\xff", 4)};
  EXPECT_EQ(monitor_line(1'795'272'126'799'559, 0, "127.0.0.1:49786", args),
            "+1795272126.799559 [0 127.0.0.1:49786] \"set\" \"a b\\\"\" \"x\\n\\x01\\xff\"\r\n");
  EXPECT_EQ(monitor_line(5'000'042, 15, "unix:/tmp/s", Args{"ping"}),
            "+5.000042 [15 unix:/tmp/s] \"ping\"\r\n");
}

TEST(MonitorTest, FeedsEveryMonitorAndNobodyElse) {
  ClientRegistry clients;
  std::vector<std::string> received;
  for (int i = 0; i < 3; ++i) {
    auto client = std::make_shared<Client>();
    client->push = [&received, i](const std::string& line) {
      received.push_back(std::to_string(i) + line);
    };
    clients.add(client);
    if (i != 1) clients.set_monitor(*client, true);
  }
  Client source;
  source.address = "10.0.0.1:5";
  source.db = 2;
  feed_monitors(clients, 1'000'000, source, "auth", Args{"AUTH", "secret"});
  EXPECT_THAT(received, ElementsAre("0+1.000000 [2 10.0.0.1:5] \"AUTH\" \"(redacted)\"\r\n",
                                    "2+1.000000 [2 10.0.0.1:5] \"AUTH\" \"(redacted)\"\r\n"));
}

TEST(MonitorTest, ClientOfAUnixSocketIsNamedByThePath) {
  ClientRegistry clients;
  std::string received;
  auto monitor = std::make_shared<Client>();
  monitor->push = [&received](const std::string& line) { received = line; };
  clients.add(monitor);
  clients.set_monitor(*monitor, true);
  Client source;
  source.address = "/run/syntropy.sock:0";
  source.shared.unix_socket = true;
  feed_monitors(clients, 0, source, "ping", Args{"ping"});
  EXPECT_EQ(received, "+0.000000 [0 unix:/run/syntropy.sock] \"ping\"\r\n");
}

Args shown(std::string_view command, const Args& args) {
  static std::vector<std::string_view> storage;
  const auto result = redact_arguments(command, args, &storage);
  return {result.begin(), result.end()};
}

TEST(RedactionTest, HidesCredentials) {
  EXPECT_THAT(shown("auth", {"auth", "pw"}), ElementsAre("auth", "(redacted)"));
  EXPECT_THAT(shown("auth", {"auth", "user", "pw"}),
              ElementsAre("auth", "(redacted)", "(redacted)"));
  EXPECT_THAT(shown("hello", {"hello", "3", "AUTH", "user", "pw", "setname", "x"}),
              ElementsAre("hello", "3", "AUTH", "(redacted)", "(redacted)", "setname", "x"));
  EXPECT_THAT(shown("config|set", {"config", "set", "maxclients", "5", "RequirePass", "pw"}),
              ElementsAre("config", "set", "maxclients", "5", "RequirePass", "(redacted)"));
}

TEST(RedactionTest, LeavesEverythingElse) {
  EXPECT_THAT(shown("set", {"set", "auth", "pw"}), ElementsAre("set", "auth", "pw"));
  EXPECT_THAT(shown("hello", {"hello", "3", "setname", "auth"}),
              ElementsAre("hello", "3", "setname", "auth"));
  EXPECT_THAT(shown("config|get", {"config", "get", "requirepass"}),
              ElementsAre("config", "get", "requirepass"));
  EXPECT_THAT(shown("config|set", {"config", "set", "requirepass"}),
              ElementsAre("config", "set", "requirepass"));
}

}  // namespace
}  // namespace syntropy
