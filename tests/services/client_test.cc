// The list of clients: ids, order, monitors.

#include "server/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace syntropy {
namespace {

using ::testing::ElementsAre;

std::shared_ptr<Client> added(ClientRegistry& clients) {
  auto client = std::make_shared<Client>();
  clients.add(client);
  return client;
}

std::vector<uint64_t> ids(const std::vector<std::shared_ptr<Client>>& clients) {
  std::vector<uint64_t> result;
  for (const auto& client : clients) result.push_back(client->id);
  return result;
}

TEST(ClientRegistryTest, GivesGrowingIdsThatAreNotReused) {
  ClientRegistry clients;
  EXPECT_EQ(added(clients)->id, 1u);
  EXPECT_EQ(added(clients)->id, 2u);
  clients.remove(2);
  EXPECT_EQ(added(clients)->id, 3u);
  EXPECT_THAT(ids(clients.all()), ElementsAre(1, 3));
  EXPECT_EQ(clients.size(), 2u);
}

TEST(ClientRegistryTest, FindsByIdWhatIsListed) {
  ClientRegistry clients;
  const auto first = added(clients);
  added(clients);
  EXPECT_EQ(clients.find(1), first);
  clients.remove(1);
  EXPECT_EQ(clients.find(1), nullptr);
  EXPECT_EQ(clients.find(99), nullptr);
  clients.remove(99);
  EXPECT_EQ(clients.size(), 1u);
}

TEST(ClientRegistryTest, CountsBlockedClients) {
  ClientRegistry clients;
  added(clients);
  EXPECT_EQ(clients.blocked(), 0u);
  added(clients)->shared.blocked = true;
  EXPECT_EQ(clients.blocked(), 1u);
}

TEST(ClientRegistryTest, KnowsMonitorsUntilTheyStopOrLeave) {
  ClientRegistry clients;
  const auto first = added(clients);
  const auto second = added(clients);
  EXPECT_FALSE(clients.has_monitors());
  clients.set_monitor(*first, true);
  clients.set_monitor(*first, true);
  clients.set_monitor(*second, true);
  EXPECT_THAT(ids(clients.monitors()), ElementsAre(1, 2));
  clients.set_monitor(*first, false);
  EXPECT_THAT(ids(clients.monitors()), ElementsAre(2));
  EXPECT_TRUE(clients.has_monitors());
  clients.remove(2);
  EXPECT_FALSE(clients.has_monitors());
  EXPECT_TRUE(clients.monitors().empty());
}

TEST(ClientRegistryTest, MonitorOfAnUnlistedClientIsIgnored) {
  ClientRegistry clients;
  Client stranger;
  stranger.id = 7;
  clients.set_monitor(stranger, true);
  EXPECT_FALSE(clients.has_monitors());
  EXPECT_FALSE(stranger.shared.monitor);
}

}  // namespace
}  // namespace syntropy
