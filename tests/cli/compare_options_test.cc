// Which way two sides are compared.
#include <gtest/gtest.h>

#include "tools/cli/compare.h"

namespace syntropy {
namespace {

Result<CompareWay> way(std::string_view a, std::string_view b, const CompareOptions& options = {}) {
  return way_of(*parse_endpoint(a), *parse_endpoint(b), options);
}

TEST(CompareWayTest, NodesAndDirectoriesGoByRows) {
  for (const char* a : {"one:7379", "./data"}) {
    for (const char* b : {"other:7379", "/snapshots/today"}) {
      ASSERT_TRUE(way(a, b).ok());
      EXPECT_EQ(*way(a, b), CompareWay::kRows) << a << " " << b;
    }
  }
}

TEST(CompareWayTest, UrlsGoByKeys) {
  EXPECT_EQ(*way("redis://old", "new:7379"), CompareWay::kKeys);
  EXPECT_EQ(*way("new:7379", "redis://old"), CompareWay::kKeys);
  EXPECT_FALSE(way("redis://old", "./data").ok());
}

TEST(CompareWayTest, WhatOnlyKeysHaveNeedsServers) {
  CompareOptions match;
  match.scan.match = "user:*";
  EXPECT_EQ(*way("one:7379", "other:7379", match), CompareWay::kKeys);
  const Status refused = way("one:7379", "./data", match).status();
  EXPECT_NE(refused.message().find("--match"), std::string_view::npos) << refused.message();
  CompareOptions erase;
  erase.repair.emplace().erase = true;
  EXPECT_EQ(*way("one:7379", "other:7379", erase), CompareWay::kKeys);
  EXPECT_FALSE(way("./data", "other:7379", erase).ok());
}

}  // namespace
}  // namespace syntropy
