// Two stores with their trees, compared and mended as `syntropy compare` and `repair` do it.
#include "tools/cli/row_comparison.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/trees/tree_node.h"

namespace syntropy::testing {
namespace {

using Kind = Difference::Kind;

/// A store in memory as a side.
class MemorySide final : public ReconcileSide {
 public:
  bool used = false;
  Status failure;                       // of the next answer
  std::function<uint64_t()> stale;      // empty: the trees are made
  std::function<void()> before_answer;  // something happens between two steps
  std::vector<ReconcilePlan> plans;     // of the sessions that were begun
  int went_on = 0;

  TreeNode node{false};

  void put(const std::string& key, const std::string& value) {
    node.clock().advance_ms(1);
    node.put(key, value);
  }
  /// As replication would.
  void copy_all(MemorySide& from) {
    node.run([&](Tick& tick) {
      const auto row = from.node.engine().iterate({}, "\x40", nullptr);
      for (row->seek({}); row->valid(); row->next()) {
        EXPECT_TRUE(tick.merge_row(row->key(), row->value()).ok());
      }
    });
  }

  Result<Step> begin(const ReconcilePlan& plan) override {
    plans.push_back(plan);
    ReconcileOptions options;
    options.slots = plan.slots;
    options.pull = plan.pull;
    options.push = plan.push;
    return conversation_.begin(options);
  }
  Result<Step> go_on(const std::vector<std::string>& replies) override {
    ++went_on;
    return conversation_.go_on({replies.begin(), replies.end()});
  }
  Result<std::vector<std::string>> answer(const std::vector<std::string>& requests) override {
    if (before_answer) before_answer();
    if (!failure.ok()) return std::exchange(failure, {});
    std::vector<std::string> replies;
    for (const std::string& request : requests) replies.push_back(conversation_.answer(request));
    return replies;
  }
  Result<uint64_t> stale_slots() override { return stale ? stale() : 0; }
  bool in_use() const override { return used; }
  Traffic traffic() const override { return {}; }

 private:
  ReconcileConversation conversation_{node.keyspace(), node.trees(), [] { return Status(); }};
};

class ManualHost final : public RowComparisonHost {
 public:
  uint64_t now = 0;
  std::function<void()> while_waiting;
  std::vector<uint64_t> slots_left;

  uint64_t now_ms() override { return now; }
  void wait_ms(uint64_t ms) override {
    now += ms;
    if (while_waiting) while_waiting();
  }
  void making_trees(std::string_view, uint64_t left) override { slots_left.push_back(left); }
  void after_round_trip(const ReconcileSummary&) override {}
};

class RowComparisonTest : public ::testing::Test {
 protected:
  RowComparisonTest() {
    for (int i = 0; i < 200; ++i) a_.put("key" + std::to_string(i), "same");
    b_.copy_all(a_);
  }

  RowOutcome run(const ReconcilePlan& plan = {}) {
    Result<RowOutcome> outcome = RowComparison(a_, b_, options_, host_).run(plan);
    EXPECT_TRUE(outcome.ok()) << outcome.status().message();
    return outcome.ok() ? *outcome : RowOutcome{};
  }
  Status failure() { return RowComparison(a_, b_, options_, host_).run({}).status(); }

  MemorySide a_;
  MemorySide b_;
  ManualHost host_;
  RowComparisonOptions options_;
};

TEST_F(RowComparisonTest, EqualSidesAreProvenInOneRoundTrip) {
  a_.used = b_.used = true;
  const RowOutcome outcome = run();
  EXPECT_TRUE(outcome.proven);
  EXPECT_EQ(outcome.total(), 0u);
  EXPECT_EQ(outcome.rows, 200u);
  EXPECT_EQ(outcome.sessions, 1u);
  EXPECT_EQ(outcome.round_trips, 1u);
}

TEST_F(RowComparisonTest, WhoIsToldThatAllIsEqualGoesNoFurther) {
  EXPECT_TRUE(run().proven);
  EXPECT_EQ(a_.went_on, 0);
  b_.put("of B", "1");
  EXPECT_TRUE(run().proven);
  EXPECT_GT(a_.went_on, 0);
}

TEST_F(RowComparisonTest, WhatIsMissingHereIsMissingAtA) {
  a_.put("of A", "1");
  b_.put("of B", "1");
  b_.put("key7", "changed");
  const RowOutcome outcome = run();
  const std::map<RowOwner, Kind> expected = {{{0, "of A"}, Kind::kMissingThere},
                                             {{0, "of B"}, Kind::kMissingHere},
                                             {{0, "key7"}, Kind::kDifferent}};
  EXPECT_EQ(outcome.differences, expected);
  EXPECT_TRUE(outcome.proven);
  EXPECT_EQ(outcome.rows, 202u);
  EXPECT_EQ(outcome.sessions, 1u) << "nothing is on its way where nobody writes";
}

TEST_F(RowComparisonTest, KeysTellTheirDatabase) {
  b_.node.run([](Tick& tick) { tick.put(3, "k", RowKind::kString, "v", 0); });
  EXPECT_EQ(run().differences, (std::map<RowOwner, Kind>{{{3, "k"}, Kind::kMissingHere}}));
}

TEST_F(RowComparisonTest, RowsOnTheirWayAreNoFalseAlarm) {
  b_.used = true;
  a_.put("late", "1");
  host_.while_waiting = [this] { b_.copy_all(a_); };
  const RowOutcome outcome = run();
  EXPECT_EQ(outcome.total(), 0u);
  EXPECT_TRUE(outcome.proven);
  EXPECT_EQ(outcome.on_their_way, 1u);
  EXPECT_EQ(outcome.sessions, 2u);
  EXPECT_EQ(host_.now, options_.recheck_delay_ms);
}

TEST_F(RowComparisonTest, OnlyWhatStaysDifferentCounts) {
  a_.used = true;
  b_.put("lost", "1");
  a_.put("live0", "1");
  int written = 0;
  host_.while_waiting = [&] {
    // What was written before arrives while the next is written.
    b_.copy_all(a_);
    a_.put("live" + std::to_string(++written), "1");
  };
  const RowOutcome outcome = run();
  EXPECT_EQ(outcome.differences, (std::map<RowOwner, Kind>{{{0, "lost"}, Kind::kMissingHere}}));
  EXPECT_EQ(outcome.counts[static_cast<size_t>(Kind::kMissingHere)], 1u);
  EXPECT_EQ(outcome.sessions, 1 + options_.rechecks);
  EXPECT_EQ(outcome.on_their_way, 1u + options_.rechecks);
}

TEST_F(RowComparisonTest, MendsBothSidesByVersion) {
  a_.put("key1", "older");
  for (int i = 0; i < 10; ++i) b_.node.clock().advance_ms(100);
  b_.put("key1", "newer");
  b_.put("of B", "1");
  a_.put("of A", "1");
  ReconcilePlan both;
  both.pull = both.push = true;
  const RowOutcome mended = run(both);
  EXPECT_EQ(mended.differences.size(), 3u);
  EXPECT_EQ(mended.rows_pulled, 2u);
  EXPECT_EQ(mended.sessions, 1u);
  EXPECT_EQ(run().total(), 0u);
  EXPECT_EQ(a_.node.root(), b_.node.root());
}

TEST_F(RowComparisonTest, PushLeavesWhatIsNewerThere) {
  a_.put("of A", "1");
  b_.put("of B", "1");
  ReconcilePlan push;
  push.push = true;
  EXPECT_EQ(run(push).rows_pushed, 1u);
  EXPECT_EQ(run().differences, (std::map<RowOwner, Kind>{{{0, "of B"}, Kind::kMissingHere}}));
}

TEST_F(RowComparisonTest, IsAboutItsSlotsAlone) {
  b_.put("of B", "1");
  ReconcilePlan plan;
  const uint16_t slot = slot_of("key1");
  plan.slots = SlotRanges{{slot, slot}};
  ASSERT_NE(slot_of("of B"), slot);
  EXPECT_EQ(run(plan).total(), 0u);
  EXPECT_EQ(a_.plans.back().slots, plan.slots);
}

TEST_F(RowComparisonTest, MoreThanCanBeRememberedAreCounted) {
  a_.used = true;
  options_.max_remembered = 10;
  for (int i = 0; i < 30; ++i) b_.put("more" + std::to_string(i), "1");
  const RowOutcome outcome = run();
  EXPECT_EQ(outcome.total(), 30u);
  EXPECT_EQ(outcome.differences.size(), 10u);
  EXPECT_FALSE(outcome.exact);
  EXPECT_EQ(outcome.sessions, 1u);
}

TEST_F(RowComparisonTest, WaitsWhileTreesAreBeingMade) {
  uint64_t left = 3;
  b_.stale = [&] { return left == 0 ? 0 : left--; };
  EXPECT_EQ(run().rows, 200u);
  EXPECT_EQ(host_.slots_left, (std::vector<uint64_t>{3, 2, 1}));
}

TEST_F(RowComparisonTest, GivesUpWhereTreesDontGetOn) {
  b_.stale = [] { return 7; };
  const Status status = failure();
  EXPECT_TRUE(status.is(StatusCode::kUnavailable));
  EXPECT_NE(status.message().find("trees of B"), std::string_view::npos) << status.message();
  EXPECT_EQ(host_.now, options_.patience_ms);
}

TEST_F(RowComparisonTest, BeginsAnewWhenTreesAreMadeAnewMeanwhile) {
  b_.failure = Status::unavailable("the trees are being made");
  int asked = 0;
  // Ready, then not, as the session ends; then ready again.
  b_.stale = [&] { return ++asked == 2 ? 5 : 0; };
  EXPECT_TRUE(run().proven);
  EXPECT_EQ(a_.plans.size(), 2u);
}

TEST_F(RowComparisonTest, AnythingElseEndsIt) {
  b_.failure = Status::unavailable("nobody answers");
  EXPECT_EQ(failure().message(), "nobody answers");
  EXPECT_EQ(a_.plans.size(), 1u);
}

}  // namespace
}  // namespace syntropy::testing
