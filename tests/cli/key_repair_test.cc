#include "tools/cli/key_repair.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/fake_key_server.h"
#include "tools/cli/comparison_report.h"

namespace syntropy {
namespace {

using Kind = Difference::Kind;

class KeyRepairTest : public testing::Test {
 protected:
  void SetUp() override {
    a.set("same", "v");
    b.set("same", "v");
    a.set("at a", "from a", 5000);
    b.set("at b", "from b");
    a.set("both", "of a");
    b.set("both", "of b", 6000);
    a.keys["hash at a"] = {"fields", -1, "hash"};
  }
  /// Compares and mends; how many keys differed.
  uint64_t repair() {
    KeyRepair repair(a, b, options, [&](Mending mending, const Difference& difference) {
      told[difference.key] = mending;
    });
    Comparison comparison(a, b, {}, host, [&](std::span<const Difference> differences) {
      return repair.mend(differences);
    });
    EXPECT_TRUE(comparison.run().ok());
    counts = repair.counts();
    return comparison.counts().total();
  }

  FakeKeyServer a;
  FakeKeyServer b;
  FakeHost host;
  RepairOptions options;
  RepairCounts counts;
  std::map<std::string, Mending> told;
};

TEST_F(KeyRepairTest, PushMakesBLikeAWithoutDeleting) {
  auto expected = a.keys;
  expected["at b"] = b.keys["at b"];
  EXPECT_EQ(repair(), 4u);
  EXPECT_EQ(b.keys, expected);
  EXPECT_FALSE(a.keys.contains("at b"));
  EXPECT_EQ(counts.copied_to_b, 3u);
  EXPECT_EQ(counts.left, 1u);
  EXPECT_EQ(repair(), 1u);
}

TEST_F(KeyRepairTest, PushWithDeleteMakesBEqual) {
  options.erase = true;
  const auto expected = a.keys;
  EXPECT_EQ(repair(), 4u);
  EXPECT_EQ(a.keys, expected);
  EXPECT_EQ(b.keys, expected);
  EXPECT_EQ(counts.erased_at_b, 1u);
  EXPECT_EQ(repair(), 0u);
}

TEST_F(KeyRepairTest, PullWithDeleteMakesAEqual) {
  options.erase = true;
  options.direction = Direction::kPull;
  const auto expected = b.keys;
  EXPECT_EQ(repair(), 4u);
  EXPECT_EQ(a.keys, expected);
  EXPECT_EQ(b.keys, expected);
  EXPECT_EQ(counts.erased_at_a, 2u);
}

TEST_F(KeyRepairTest, BothFillsWhatIsMissingAndLeavesWhatDiffers) {
  options.direction = Direction::kBoth;
  EXPECT_EQ(repair(), 4u);
  EXPECT_EQ(b.keys["at a"], a.keys["at a"]);
  EXPECT_EQ(a.keys["at b"], b.keys["at b"]);
  EXPECT_EQ(a.keys["both"].value, "of a");
  EXPECT_EQ(b.keys["both"].value, "of b");
  EXPECT_EQ(counts.left, 1u);
  EXPECT_EQ(repair(), 1u);
}

TEST_F(KeyRepairTest, DryRunTellsAndDoesNothing) {
  options.dry_run = true;
  options.erase = true;
  const auto a_before = a.keys, b_before = b.keys;
  repair();
  EXPECT_EQ(a.keys, a_before);
  EXPECT_EQ(b.keys, b_before);
  EXPECT_EQ(told, (std::map<std::string, Mending>{{"at a", Mending::kCopyToB},
                                                  {"at b", Mending::kEraseAtB},
                                                  {"both", Mending::kCopyToB},
                                                  {"hash at a", Mending::kCopyToB}}));
  EXPECT_EQ(counts.copied_to_b, 3u);
  EXPECT_EQ(counts.erased_at_b, 1u);
}

TEST_F(KeyRepairTest, KeyThatComesBeforeItsDeletionIsNotDeleted) {
  options.erase = true;
  a.before_copies = [&] { a.set("at b", "came just now"); };
  repair();
  EXPECT_TRUE(b.keys.contains("at b"));
  EXPECT_EQ(counts.erased_at_b, 0u);
}

TEST_F(KeyRepairTest, KeyThatChangesBeforeItsCopyIsLeft) {
  a.before_copies = [&] { a.keys.erase("at a"); };
  repair();
  EXPECT_FALSE(b.keys.contains("at a"));
  EXPECT_EQ(counts.copied_to_b, 2u);
  EXPECT_EQ(counts.left, 2u);
}

TEST_F(KeyRepairTest, RefusedKeyIsCountedAndTheRestMended) {
  b.refuses = "both";
  repair();
  EXPECT_EQ(counts.failed, 1u);
  EXPECT_EQ(counts.failures, std::vector<std::string>{"both: ERR refused"});
  EXPECT_EQ(counts.copied_to_b, 2u);
}

TEST_F(KeyRepairTest, WhatTheOtherSideCannotHoldIsLeft) {
  b.collections = false;
  repair();
  EXPECT_FALSE(b.keys.contains("hash at a"));
  EXPECT_EQ(told["hash at a"], Mending::kLeave);
}

TEST(ComparisonReportTest, KeysAreQuotedAsRedisQuotesThem) {
  EXPECT_EQ(quoted_key("plain key"), "\"plain key\"");
  EXPECT_EQ(quoted_key(std::string("a\"\\\n\r\t\0\xff", 8)), R"("a\"\\\n\r\t\x00\xff")");
}

TEST(ComparisonReportTest, SaysWhatDiffersAndWhatWasDone) {
  ComparisonReport report;
  report.a = "redis://old:6379";
  report.b = "new:7379";
  report.counts.compared = 1'000'000;
  EXPECT_TRUE(report.good());
  EXPECT_NE(report_text(report).find("1,000,000 keys"), std::string::npos);
  EXPECT_TRUE(report_text(report).ends_with("\nequal\n"));

  report.counts.differences[static_cast<size_t>(Kind::kMissingHere)] = 12;
  report.first[Kind::kMissingHere] = {{Kind::kMissingHere, "k\n", ""}};
  EXPECT_FALSE(report.good());
  EXPECT_NE(report_text(report).find("\"k\\n\""), std::string::npos);
  EXPECT_NE(report_text(report).find("and 11 more"), std::string::npos);
  EXPECT_TRUE(report_text(report).ends_with("\nDIFFERENT: 12 keys\n"));
  const nlohmann::json json = report_json(report);
  EXPECT_EQ(json["equal"], false);
  EXPECT_EQ(json["missing_here"]["count"], 12);
  EXPECT_EQ(json["missing_here"]["first"][0]["key"], "\"k\\n\"");

  report.repair.emplace();
  report.repair->copied_to_a = 12;
  EXPECT_TRUE(report.good());
  EXPECT_TRUE(report_text(report).ends_with("\nmended: 12 keys\n"));
  report.repair->left = 2;
  EXPECT_FALSE(report.good());
  report.repair->left = 0;
  report.dry_run = true;
  EXPECT_FALSE(report.good());
  EXPECT_EQ(report_json(report)["repair"]["copied_to_a"], 12);
}

}  // namespace
}  // namespace syntropy
