// SlotExport and SlotImport against each other: what is asked of their nodes, and in which order.
// The rows themselves are counted only; tests/simulation moves real ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/replication/slot_export.h"
#include "server/replication/slot_import.h"

namespace syntropy {
namespace {

using Stage = SlotExport::Stage;

// Every round of questions pushes as many rows as the next of `rounds` says, after `requests` that
// are answered one after the other.
class CountedRows final : public RowSessions {
 public:
  std::deque<uint64_t> rounds;
  size_t requests = 0;

  std::shared_ptr<RowAnswers> answers(LogApplier::Purged) override {
    return std::make_shared<Answers>();
  }
  std::shared_ptr<RowQuestions> questions(RowFlow flow, const SlotRanges&) override {
    EXPECT_EQ(flow, RowFlow::kPush);
    uint64_t rows = 0;
    if (!rounds.empty()) {
      rows = rounds.front();
      rounds.pop_front();
    }
    return std::make_shared<Questions>(rows, requests);
  }
  HlcStamp purged_for_sure() const override { return 0; }

 private:
  class Answers final : public RowAnswers {
   public:
    Status freeze(std::string_view) override { return {}; }
    const LogPosition& position() const override { return position_; }
    const StoreMarks& marks() const override { return marks_; }
    std::string answer(std::string_view) override { return {}; }
    uint64_t rows_read() const override { return 0; }
    Status purge(std::string_view) override { return {}; }

   private:
    LogPosition position_;
    StoreMarks marks_;
  };
  class Questions final : public RowQuestions {
   public:
    Questions(uint64_t rows, size_t requests) : rows_(rows), requests_(requests) {}
    Result<RowStep> begin(const StoreMarks&, const LogPoint&) override { return next(); }
    Result<RowStep> go_on(const std::vector<std::string>& replies, const LogPoint&) override {
      EXPECT_EQ(replies.size(), 1u);
      return next();
    }

   private:
    RowStep next() {
      RowStep step;
      step.done = requests_ == 0;
      if (step.done) {
        step.pushed = rows_;
      } else {
        step.requests.emplace_back("?");
        --requests_;
      }
      return step;
    }

    const uint64_t rows_;
    size_t requests_;
  };
};

class SlotMove : public ::testing::Test {
 protected:
  void begin() { owner.emplace(rows, slots, SlotExport::Kind::kMove, 7, options, now); }

  // Messages arrive at once; what a node is asked for is done at once, but for what is asked of and
  // done with rows: that takes `takes`.
  void turn() {
    SlotExport::Ready asked = owner->take_ready(now);
    if (asked.connect) {
      target.emplace(rows, target_rate, options.stream);
      owner->connected(now);
    }
    for (const SlotMessage& message : asked.send) {
      if (std::holds_alternative<SlotGrant>(message)) ++grants;
      target->step(message, now);
    }
    for (const ReplicaMessage& message : asked.rows) {
      EXPECT_TRUE(target->step(message, now).ok());
    }
    if (asked.resume) events.emplace_back("resume");
    if (asked.ask) {
      asking = std::move(asked.ask);
      asked_at = now + takes;
    }
    if (asking && now >= asked_at) owner->asked(ask_work(*std::exchange(asking, {})), now);
    if (asked.pause) {
      events.emplace_back("pause");
      owner->paused(Status(), now);
    }
    if (asked.give) {
      events.emplace_back("give");
      owner->given(Status(), now);
    }
    if (!target) return;
    Result<SlotImport::Ready> told = target->take_ready(now);
    ASSERT_TRUE(told.ok());
    if (told->judge) target->accept(0);
    for (const SlotMessage& message : told->send) owner->step(message, now);
    for (const PrimaryMessage& message : told->rows) owner->step(message, now);
    if (told->answer) {
      answering = std::move(told->answer);
      answered_at = now + takes;
    }
    if (answering && now >= answered_at) {
      EXPECT_TRUE(target->answered(answer_work(*std::exchange(answering, {})), now).ok());
    }
    if (told->secure) {
      events.emplace_back("secure");
      target->secured(safe ? Status() : Status::unavailable("a replica is behind"));
    }
  }

  void move_gently(size_t side);

  void run_for(TimeMs ms) {
    for (const TimeMs end = now + ms; now < end; ++now) turn();
  }

  const SlotRanges slots{{0, 99}};
  SlotExportOptions options;
  CompareRate target_rate;
  CountedRows rows;
  TimeMs now = 1000;
  std::optional<SlotExport> owner;
  std::optional<SlotImport> target;
  bool safe = true;  // what the target's node says when it is asked
  std::vector<std::string> events;
  int grants = 0;
  TimeMs takes = 0;
  std::optional<ComparisonAsker::Work> asking;
  std::optional<ComparisonAnswerer::Work> answering;
  TimeMs asked_at = 0;
  TimeMs answered_at = 0;
};

TEST_F(SlotMove, HoldsWritesOnlyWhenTheTargetHasMostOfItForSure) {
  rows.rounds = {100'000, 10, 0};
  begin();
  run_for(1000);
  EXPECT_EQ(events, (std::vector<std::string>{"secure", "pause", "secure", "give"}));
  EXPECT_EQ(owner->stage(), Stage::kGranting);
  EXPECT_TRUE(owner->is_given());
  EXPECT_EQ(owner->rows_moved(), 100'010u);
  EXPECT_GT(grants, 0);
  owner->taken();
  turn();
  EXPECT_EQ(owner->stage(), Stage::kDone);
  EXPECT_EQ(events.back(), "resume");
}

TEST_F(SlotMove, HoldsNoWritesWhileTheTargetsReplicasAreBehind) {
  safe = false;
  begin();
  run_for(5000);
  EXPECT_EQ(std::count(events.begin(), events.end(), "pause"), 0);
  EXPECT_GT(std::count(events.begin(), events.end(), "secure"), 5) << "it is asked again";
  safe = true;
  run_for(1000);
  EXPECT_EQ(owner->stage(), Stage::kGranting);
}

TEST_F(SlotMove, LetsWritesGoOnAndSettlesAnewWhenTheLastRowsTakeTooLong) {
  rows.rounds = {10, 10};
  begin();
  while (events != std::vector<std::string>{"secure", "pause"}) {
    ASSERT_LT(now, 3000u);
    turn();
    ++now;
  }
  safe = false;
  run_for(options.pause_ms + options.retry_ms + 10);
  const auto resumed = std::find(events.begin(), events.end(), "resume");
  ASSERT_NE(resumed, events.end());
  EXPECT_EQ(std::count(events.begin(), events.end(), "pause"), 1);
  EXPECT_FALSE(owner->is_given());
  EXPECT_EQ(owner->trouble(), "the last rows took too long");
  safe = true;
  run_for(2000);
  EXPECT_EQ(owner->stage(), Stage::kGranting);
  EXPECT_EQ(std::count(events.begin(), events.end(), "pause"), 2);
}

TEST_F(SlotMove, BeginsAgainFromTheOfferWhenTheConnectionEnds) {
  rows.rounds = {10, 10};
  begin();
  for (; events.empty(); ++now) {
    ASSERT_LT(now, 3000u);
    turn();
  }
  owner->disconnected(now);
  EXPECT_EQ(owner->stage(), Stage::kConnecting);
  events.clear();
  run_for(options.retry_ms + 1000);
  EXPECT_EQ(events, (std::vector<std::string>{"secure", "pause", "secure", "give"}))
      << "the new connection's target has settled nothing";
}

TEST_F(SlotMove, EndsWhenWhatWasGivenIsTakenBack) {
  begin();
  run_for(1000);
  ASSERT_TRUE(owner->is_given());
  EXPECT_FALSE(owner->cancel("canceled")) << "the target may have taken them";
  owner->taken_back();
  EXPECT_EQ(owner->stage(), Stage::kFailed);
  turn();
  EXPECT_EQ(events.back(), "resume");
}

TEST_F(SlotMove, IsCanceledAsLongAsNothingIsGiven) {
  safe = false;
  begin();
  run_for(100);
  EXPECT_TRUE(owner->cancel("canceled"));
  EXPECT_EQ(owner->stage(), Stage::kFailed);
  EXPECT_EQ(owner->trouble(), "canceled");
}

// In the first round `side` (0: the owner) may work for a quarter of the time.
void SlotMove::move_gently(size_t side) {
  rows.rounds = {100'000, 100'000, 10};
  rows.requests = 20;
  takes = 4;
  (side == 0 ? options.rate : target_rate).percent = 25;
  begin();
  std::vector<TimeMs> began;  // of each round
  TimeMs busy = 0;            // in the first
  for (const TimeMs end = now + 5000; now < end && !owner->is_given(); ++now) {
    turn();
    if (owner->rounds() > began.size()) began.push_back(now);
    if (began.size() == 1) busy += side == 0 ? asking.has_value() : answering.has_value();
  }
  ASSERT_GE(began.size(), 3u);
  EXPECT_GE(busy, 20 * takes);
  EXPECT_LE(busy * 100, (began[1] - began[0]) * 30);
  // What was written meanwhile has to be caught up with.
  EXPECT_LE(began[2] - began[1], 20 * 2 * (takes + 2));
}

TEST_F(SlotMove, TheOwnerLeavesTimeToClientsUntilMostHasMoved) { move_gently(0); }

TEST_F(SlotMove, TheTargetLeavesTimeToClientsUntilMostHasMoved) { move_gently(1); }

TEST_F(SlotMove, FailsWhenTheTargetRefusesForGood) {
  begin();
  turn();
  turn();
  ASSERT_TRUE(target);
  owner->step(SlotMessage(SlotRefusal{7, false, "the target owns some of the slots already"}), now);
  EXPECT_EQ(owner->stage(), Stage::kFailed);
  EXPECT_EQ(owner->trouble(), "the target owns some of the slots already");
}

}  // namespace
}  // namespace syntropy
