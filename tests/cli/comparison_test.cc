#include "tools/cli/comparison.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/cli/fake_key_server.h"
#include "tools/cli/compare.h"

namespace syntropy {
namespace {

using Kind = Difference::Kind;

class ComparisonTest : public testing::Test {
 protected:
  /// Compares; what was found, by key. Each key may be reported once only.
  std::map<std::string, Difference> compare() {
    std::map<std::string, Difference> found;
    Comparison comparison(a, b, options, host, [&](std::span<const Difference> differences) {
      for (const Difference& difference : differences) {
        const bool is_new = found.emplace(difference.key, difference).second;
        EXPECT_TRUE(is_new || !doubles_are_wrong) << difference.key;
        doubles += is_new ? 0 : 1;
      }
      return Status();
    });
    status = comparison.run();
    counts = comparison.counts();
    return found;
  }
  std::map<std::string, Kind> kinds() {
    std::map<std::string, Kind> kinds;
    for (const auto& [key, difference] : compare()) kinds[key] = difference.kind;
    return kinds;
  }
  void fill(int count) {
    for (int i = 0; i < count; ++i) {
      a.set("k" + std::to_string(i), "v" + std::to_string(i));
    }
    b.keys = a.keys;
  }

  FakeKeyServer a;
  FakeKeyServer b;
  FakeHost host;
  ComparisonOptions options;
  Status status;
  ComparisonCounts counts;
  bool doubles_are_wrong = true;
  int doubles = 0;
};

using KindOf = std::map<std::string, Kind>;

TEST_F(ComparisonTest, EqualServersAreEqualWithoutAnyWait) {
  fill(20);
  EXPECT_TRUE(compare().empty());
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(counts.compared, 20u);
  EXPECT_EQ(counts.walked_b, 20u);
  EXPECT_EQ(host.waits, 0u);
}

TEST_F(ComparisonTest, EmptyServersAreEqual) {
  EXPECT_TRUE(compare().empty());
  EXPECT_EQ(counts.compared, 0u);
}

TEST_F(ComparisonTest, EachKindIsFound) {
  fill(20);
  a.set("at a", "");  // an empty string is there
  b.set("at b", "x");
  a.set("k1", "V1");
  a.set("k2", "longer");
  a.set("k3", "v3", 1000);
  b.keys["k4"].type = "hash";
  const auto found = compare();
  ASSERT_EQ(found.size(), 6u);
  EXPECT_EQ(found.at("at a"), (Difference{Kind::kMissingThere, "at a", ""}));
  EXPECT_EQ(found.at("at b"), (Difference{Kind::kMissingHere, "at b", ""}));
  EXPECT_EQ(found.at("k1"), (Difference{Kind::kDifferent, "k1", "value"}));
  EXPECT_EQ(found.at("k2"), (Difference{Kind::kDifferent, "k2", "value"}));
  EXPECT_EQ(found.at("k3"), (Difference{Kind::kDifferent, "k3", "expiry"}));
  EXPECT_EQ(found.at("k4"), (Difference{Kind::kDifferent, "k4", "type"}));
  EXPECT_EQ(counts.total(), 6u);
  EXPECT_EQ(counts.compared, 22u);
}

TEST_F(ComparisonTest, KeysThatAWalkYieldsTwiceCountOnce) {
  fill(3);
  a.set("k1", "other");
  b.set("at b", "x");
  a.pages = {{"k0", "k1", "k1"}, {}, {"k1", "k2"}, {"k1"}};
  b.pages = {{"at b", "at b"}, {"k2"}, {"at b", "k0", "k1"}};
  EXPECT_EQ(kinds(), (KindOf{{"k1", Kind::kDifferent}, {"at b", Kind::kMissingHere}}));
  EXPECT_EQ(counts.total(), 2u);
  EXPECT_TRUE(counts.exact);
}

TEST_F(ComparisonTest, BeyondTheBoundKeysMayCountTwiceAndThatIsTold) {
  doubles_are_wrong = false;
  options.max_remembered = 1;
  fill(2);
  a.set("k0", "other");
  a.set("k1", "other");
  a.pages = {{"k0"}, {"k1"}, {"k1"}, {"k0"}};
  compare();
  EXPECT_FALSE(counts.exact);
  EXPECT_EQ(counts.total(), 3u);  // k0 is remembered
  EXPECT_EQ(doubles, 1);
}

TEST_F(ComparisonTest, WhatIsOnItsWayIsNoDifference) {
  fill(5);
  a.set("k1", "new");
  a.set("fresh", "x");
  b.set("gone soon", "x");
  host.on_wait = [&] {
    if (host.waits == 3) b.keys = a.keys;  // the last look is the one that sees it
  };
  EXPECT_TRUE(compare().empty());
  EXPECT_EQ(counts.total(), 0u);
}

TEST_F(ComparisonTest, WhatArrivesAfterTheLastLookIsADifference) {
  fill(5);
  a.set("k1", "new");
  host.on_wait = [&] {
    if (host.waits == 4) b.keys = a.keys;
  };
  EXPECT_EQ(kinds(), (KindOf{{"k1", Kind::kDifferent}}));
  EXPECT_EQ(host.waits, 3u);
  EXPECT_EQ(host.now, 300u);
}

TEST_F(ComparisonTest, KeyThatKeepsChangingIsReportedAsSuch) {
  fill(5);
  a.set("k1", "new");
  b.set("k2", "stable");
  host.on_wait = [&] { a.set("k1", "x" + std::to_string(host.waits % 10)); };
  EXPECT_EQ(kinds(), (KindOf{{"k1", Kind::kChanging}, {"k2", Kind::kDifferent}}));
}

TEST_F(ComparisonTest, ChangeLongBeforeTheLastLooksDoesNotMakeItChanging) {
  fill(5);
  a.set("k1", "new");
  host.on_wait = [&] {
    if (host.waits == 1) a.set("k1", "newer");
  };
  EXPECT_EQ(kinds(), (KindOf{{"k1", Kind::kDifferent}}));
}

TEST_F(ComparisonTest, KeyDeletedOnBothSidesWhileWalkingIsNoDifference) {
  fill(5);
  a.pages = {{"k0", "gone"}, {"k1"}};
  b.pages = {{"gone", "k0"}};
  EXPECT_TRUE(compare().empty());
}

TEST_F(ComparisonTest, QuestionsAreSettledWhileTheWalkGoesOnOnceTheyAreTooMany) {
  options.max_in_question = 4;
  for (int i = 0; i < 100; ++i) a.set("k" + std::to_string(i), "v");
  EXPECT_EQ(compare().size(), 100u);
  EXPECT_GT(host.waits, 20u);
}

TEST_F(ComparisonTest, ExpiriesMayBeIgnoredOrTolerated) {
  fill(3);
  a.set("k1", "v1", 5000);
  b.set("k1", "v1", 5010);
  a.set("k2", "v2", 5000);
  EXPECT_EQ(kinds().size(), 2u);
  options.ttl_tolerance_ms = 10;
  EXPECT_EQ(kinds(), (KindOf{{"k2", Kind::kDifferent}}));  // one never expires
  options.ignore_ttl = true;
  EXPECT_TRUE(kinds().empty());
}

TEST_F(ComparisonTest, ReckonedExpiriesAreToleratedAndDoNotMakeAKeyChanging) {
  fill(3);
  b.exact_expiry = false;
  a.set("k1", "v1", 100'000);
  b.set("k1", "v1", 101'999);
  a.set("k2", "v2", 100'000);
  b.set("k2", "v2", 200'000);
  host.on_wait = [&] { ++b.keys["k2"].expires_at_ms; };
  EXPECT_EQ(kinds(), (KindOf{{"k2", Kind::kDifferent}}));
}

TEST_F(ComparisonTest, CollectionsInTwoEncodingsAreEqual) {
  a.keys["h"] = {"fields", -1, "hash", "listpack"};
  b.keys["h"] = {"fields", -1, "hash", "table"};
  a.keys["d"] = {"fields", -1, "hash", "listpack"};
  b.keys["d"] = {"FIELDS", -1, "hash", "listpack"};
  a.keys["t"] = {"same", -1, "hash"};
  b.keys["t"] = {"same", -1, "set"};
  a.keys["same"] = b.keys["same"] = {"fields", -1, "hash"};
  const auto found = compare();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found.at("d").why, "value of a hash");
  EXPECT_EQ(found.at("t").why, "type: hash, set");
}

TEST_F(ComparisonTest, CollectionsAreUnsupportedWhereThereAreOnlyStrings) {
  b.collections = false;
  a.keys["absent"] = {"x", -1, "hash"};
  a.keys["there"] = {"x", -1, "list"};
  b.set("there", "x");
  EXPECT_EQ(kinds(), (KindOf{{"absent", Kind::kUnsupported}, {"there", Kind::kUnsupported}}));
  std::swap(a.keys, b.keys);
  std::swap(a.collections, b.collections);
  EXPECT_EQ(kinds(), (KindOf{{"absent", Kind::kUnsupported}, {"there", Kind::kUnsupported}}));
}

TEST_F(ComparisonTest, OnlyKeysOfTheSlotsAreCompared) {
  for (int i = 0; i < 200; ++i) a.set("k" + std::to_string(i), "v");
  options.slots = {{0, 8191}};
  size_t expected = 0;
  for (const auto& [key, entry] : a.keys) expected += slot_of(key) < 8192 ? 1 : 0;
  const auto found = compare();
  EXPECT_EQ(found.size(), expected);
  for (const auto& [key, difference] : found) EXPECT_LT(slot_of(key), 8192);
}

TEST_F(ComparisonTest, LargeValuesAreFetchedInBoundedParts) {
  const std::string large(kFetchBytes / 3, 'x');
  a.pages = {{}};
  for (int i = 0; i < 10; ++i) {
    a.set("k" + std::to_string(i), large);
    a.pages[0].push_back("k" + std::to_string(i));
  }
  a.set("huge", std::string(kFetchBytes + 1, 'x'));
  a.pages[0].push_back("huge");
  b.keys = a.keys;
  EXPECT_TRUE(compare().empty());
  EXPECT_EQ(a.largest_fetch_bytes, kFetchBytes + 1);
  a.keys.erase("huge");
  a.pages[0].pop_back();
  a.largest_fetch_bytes = 0;
  compare();
  EXPECT_LE(a.largest_fetch_bytes, kFetchBytes);
}

TEST_F(ComparisonTest, FailureOfAServerEndsTheComparison) {
  fill(3);
  b.failure = Status::unavailable("gone");
  compare();
  EXPECT_TRUE(status.is(StatusCode::kUnavailable));
}

// The property: whatever two servers hold, exactly what differs is found.
TEST_F(ComparisonTest, FindsExactlyWhatDiffers) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    a.keys.clear();
    b.keys.clear();
    KindOf expected;
    for (int i = 0; i < 300; ++i) {
      const std::string key = "k" + std::to_string(i);
      const unsigned dice = random() % 20;
      if (dice != 0) a.set(key, "v", dice == 5 ? 7 : -1);
      if (dice != 1)
        b.set(key,
              dice == 2   ? "w"
              : dice == 3 ? "longer"
                          : "v",
              dice == 4   ? 7
              : dice == 5 ? 7
                          : -1);
      if (dice == 0) expected[key] = Kind::kMissingHere;
      if (dice == 1) expected[key] = Kind::kMissingThere;
      if (dice >= 2 && dice <= 4) expected[key] = Kind::kDifferent;
    }
    EXPECT_EQ(kinds(), expected);
  }
}

TEST(CompareOptionsTest, SlotsAreParsed) {
  EXPECT_EQ(parse_slots("0-100,200"), (SlotRanges{{0, 100}, {200, 200}}));
  EXPECT_EQ(parse_slots("16383"), (SlotRanges{{16383, 16383}}));
  for (const char* text : {"", "-", "1-", "-1", "2-1", "16384", "1,", ",1", "1 2", "a", "1-2-3"}) {
    EXPECT_FALSE(parse_slots(text)) << text;
  }
}

TEST(CompareOptionsTest, ThrottleWaitsUntilTheLimitHolds) {
  EXPECT_EQ(throttle_us(1000, 0, 0), 0u);
  EXPECT_EQ(throttle_us(1000, 100, 0), 10'000'000u);
  EXPECT_EQ(throttle_us(1000, 100, 9'000'000), 1'000'000u);
  EXPECT_EQ(throttle_us(1000, 100, 11'000'000), 0u);
}

}  // namespace
}  // namespace syntropy
