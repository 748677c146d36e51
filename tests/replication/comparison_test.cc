// Comparisons of rows within the sessions of replication: checks of replicas that follow, and what
// becomes of rows that were purged.
#include <string>
#include <vector>

#include "storage/purge_scan.h"
#include "tests/replication/session_pair.h"

namespace syntropy {
namespace {

using testing::id;
using testing::Store;

class Check : public testing::SessionTest {
 protected:
  Check() {
    options_.check_interval_ms = 300;
    new_replica();
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(primary_.put("k" + std::to_string(i), "v").ok());
    settle();
  }
  /// Takes in a row that nobody else has heard of.
  void put_on_replica_alone(std::string_view key, std::string_view value) {
    Store elsewhere(300);
    ASSERT_TRUE(elsewhere.applier->begin_lineage(id('e')).ok());
    elsewhere.clock.advance_ms(1000);  // newer than what the primary has
    ASSERT_TRUE(elsewhere.put(key, value).ok());
    const Result<std::string> record = elsewhere.log().read(0, SIZE_MAX);
    ASSERT_TRUE(record.ok());
    const LogPosition position = primary_.log().position();
    const LogPoint source{position.lineage(), position.offset};
    ASSERT_TRUE(replica_.applier->merge(*record, source).ok());
  }
};

TEST_F(Check, OfEqualRowsCostsOneSmallReply) {
  pass(1000);
  const TimeMs before = primary_session_->proof().at;
  reply_bytes_ = 0;
  pass(options_.check_interval_ms);
  EXPECT_GT(primary_session_->proof().at, before);
  EXPECT_GT(reply_bytes_, 0u);
  EXPECT_LT(reply_bytes_, 64u);
  EXPECT_EQ(primary_session_->proof().offset, primary_.log().offset());
  EXPECT_EQ(primary_session_->mended_rows(), 0u);
}

TEST_F(Check, FindsRowsEqualWhileTheyChange) {
  const TimeMs before = now_;
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(primary_.put("k" + std::to_string(i % 70), std::to_string(i)).ok());
    turn_primary();
    turn_replica();
    ++now_;
  }
  EXPECT_GT(primary_session_->proof().at, before + 1000);
  EXPECT_EQ(primary_session_->mended_rows(), 0u);
  settle();
  expect_equal();
}

TEST_F(Check, MendsARowThatOnlyTheReplicaHas) {
  put_on_replica_alone("stranger", "1");
  pass(1000);
  EXPECT_EQ(primary_session_->mended_rows(), 1u);
  EXPECT_EQ(primary_.rows().size(), 51u);
  expect_equal();
}

TEST_F(Check, MendsARowThatIsAnotherOne) {
  put_on_replica_alone("k7", "other");
  pass(1000);
  EXPECT_EQ(primary_session_->mended_rows(), 1u);
  expect_equal();
}

TEST_F(Check, SurvivesTheLossOfAnyMessage) {
  for (int lost = 1; lost < 12; ++lost) {
    SCOPED_TRACE(lost);
    put_on_replica_alone("alone" + std::to_string(lost), std::string(250, 'x'));
    now_ += options_.check_interval_ms;
    for (int i = 0; i < lost; ++i) {
      turn_replica();
      turn_primary();
    }
    lose_ = 1 + lost % 3;
    pass(3000);
    expect_equal();
  }
}

// A replica that has none of the primary's rows, of which there are some replies' worth.
class RateOfChecks : public Check {
 protected:
  static constexpr uint64_t kReplyBytes = 1 << 20;

  /// How long it takes to get them. The last reply is not waited for.
  TimeMs copy(size_t rows, size_t row_bytes, const CompareRate& rate) {
    for (size_t i = 0; i < rows; ++i) {
      std::string value;
      while (value.size() < row_bytes) value.push_back(static_cast<char>(random_.next()));
      EXPECT_TRUE(primary_.put("n" + std::to_string(i), value).ok());
    }
    primary_session_.reset();
    EXPECT_TRUE(replica_.applier->stop_writing(LogApplier::Keep::kNothing).ok());
    EXPECT_TRUE(replica_.keyspace->discard_rows().ok());
    options_.stream = {.window_bytes = 1 << 20, .piece_bytes = 1 << 16, .retry_ms = 1000};
    options_.compare_rate = rate;
    options_.timeout_ms = 60'000;
    new_replica();
    reply_bytes_ = 0;
    const TimeMs begin = now_;
    while (replica_.log().offset() != primary_.log().offset() && now_ < begin + 60'000) pass(10);
    expect_equal();
    return now_ - begin;
  }
};

TEST_F(RateOfChecks, KeepsToBytes) {
  const TimeMs took = copy(2000, 2000, {.bytes_per_s = kReplyBytes});
  ASSERT_GT(reply_bytes_, 3 * kReplyBytes);
  EXPECT_GT(took, (reply_bytes_ - kReplyBytes) * 900 / kReplyBytes);
}

TEST_F(RateOfChecks, KeepsToRows) {
  const TimeMs took = copy(8000, 500, {.rows_per_s = 2000});
  ASSERT_GT(reply_bytes_, 3 * kReplyBytes);
  EXPECT_GT(took, 2500u);
  EXPECT_LT(took, 5000u);
}

class Purge : public testing::SessionTest {
 protected:
  Purge() {
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(primary_.put("k" + std::to_string(i), "v").ok());
    settle();
  }

  /// Deletes k0 to k4 and removes the tombstones, as if all were proved to hold them.
  void purge_some() {
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(primary_.erase("k" + std::to_string(i)).ok());
    purge_all_dead();
    ASSERT_EQ(primary_.rows().size(), 45u);
  }
  void purge_all_dead() {
    watermark_ = primary_.keyspace->freeze({}).clock;
    const Result<PurgeScan> scan =
        scan_purgeable(*primary_.keyspace, 0, kSlotCount - 1, watermark_, {}, 1000);
    ASSERT_TRUE(scan.ok());
    ASSERT_EQ(scan->rows.size(), 5u);
    ASSERT_TRUE(primary_.applier->purge(watermark_, scan->rows).ok());
  }
  void cut() {
    primary_session_.reset();
    replica_session_->disconnected(now_);
  }
  void overrun_backlog() {
    for (int i = 0; i < 60; ++i) ASSERT_TRUE(primary_.put("busy", std::string(150, 'x')).ok());
  }

  HlcStamp watermark_ = 0;
};

TEST_F(Purge, FollowerPurgesWhatThePrimaryDoes) {
  purge_some();
  settle();
  expect_equal();
  EXPECT_EQ(replica_.keyspace->purged_up_to(), watermark_);
  EXPECT_EQ(replica_.rows().size(), 45u);
}

TEST_F(Purge, ReplicaThatWasAwayForLongerThanTheWatermarkDropsWhatWasPurged) {
  cut();
  purge_some();
  overrun_backlog();
  pass(6000);
  expect_equal();
  EXPECT_EQ(replica_.keyspace->purged_up_to(), watermark_);
  EXPECT_EQ(handed_over_, 0);
}

// It was primary behind a cut, and knows rows by now that the others have purged.
TEST_F(Purge, OldPrimaryBringsBackNothingThatWasPurgedAndKeepsWhatIsNew) {
  cut();
  ASSERT_TRUE(replica_.applier->begin_lineage(id('b')).ok());
  purge_some();
  overrun_backlog();
  replica_.clock.advance_ms(60'000);
  ASSERT_TRUE(replica_.put("new", "1").ok());
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(replica_.put("new", std::string(150, 'x')).ok());
  ASSERT_TRUE(replica_.applier->stop_writing().ok());
  new_replica();
  pass(6000);
  expect_equal();
  EXPECT_GT(handed_over_, 0);
  EXPECT_EQ(primary_.rows().size(), 45u + 2u);  // "busy" and "new"
}

// The primary has come back with an older disk, and the replica knows what was purged since.
TEST_F(Purge, OlderPrimaryHearsOfPurgesFromItsReplicaAndLosesNoRow) {
  const testing::Pairs old_rows = primary_.rows();
  purge_some();
  ASSERT_TRUE(primary_.put("k7", "newer").ok());
  settle();
  expect_equal();
  // The replica's log goes on where the primary's was lost, beyond what its backlog holds.
  cut();
  ASSERT_TRUE(replica_.applier->begin_lineage(id('b')).ok());
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(replica_.put("busy", std::string(150, 'x')).ok());
  ASSERT_TRUE(replica_.applier->stop_writing().ok());
  Store older(300);  // a writer anew, as after each start that was not clean
  ASSERT_TRUE(older.applier->begin_lineage(id('a')).ok());
  for (const auto& [key, value] : old_rows) {
    LogRecordBuilder builder;
    builder.add_row(key, value);
    ASSERT_TRUE(older.applier->take_over(*builder.take()).ok());
  }
  ASSERT_EQ(older.rows().size(), 50u);
  older_ = &older;
  new_replica();
  pass(6000);
  EXPECT_EQ(replica_session_->state(), ReplicaSession::State::kFollowing);
  EXPECT_EQ(older.rows(), replica_.rows());
  EXPECT_EQ(older.rows().size(), 46u);
  EXPECT_EQ(older.keyspace->purged_up_to(), watermark_);
  primary_session_.reset();
}

TEST_F(Purge, NodeOfAnotherShardHandsOverRowsHoweverOldTheyAre) {
  ASSERT_TRUE(replica_.applier->stop_writing(LogApplier::Keep::kNothing).ok());
  ASSERT_TRUE(replica_.keyspace->discard_rows().ok());
  ASSERT_TRUE(replica_.applier->begin_lineage(id('c')).ok());
  ASSERT_TRUE(replica_.put("theirs", "1").ok());
  cut();
  purge_some();
  primary_.clock.advance_ms(10'000);
  const HlcStamp later = hlc_stamp(primary_.clock.wall_ms(), 0);
  ASSERT_TRUE(primary_.applier->purge(later, {}).ok());
  ASSERT_TRUE(replica_.applier->stop_writing(LogApplier::Keep::kRows).ok());
  new_replica();
  pass(6000);
  expect_equal();
  EXPECT_EQ(primary_.rows().size(), 45u + 1u);
}

TEST_F(Purge, WhatWasPurgedDuringACopyIsPurgedInTheEnd) {
  cut();
  overrun_backlog();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(primary_.erase("k" + std::to_string(i)).ok());
  now_ += 6000;
  while (replica_session_->state() != ReplicaSession::State::kCopying) {
    turn_replica();
    turn_primary();
  }
  // Its rows are frozen with the tombstones, which go before the replica has them.
  purge_all_dead();
  pass(1000);
  expect_equal();
  EXPECT_EQ(primary_.rows().size(), 46u);
}

TEST(CompareRate, TheLongestOfItsBoundsDecides) {
  EXPECT_EQ(CompareRate().pause_after(1 << 20, 1000, 50), 0u);
  const CompareRate rate{.bytes_per_s = 1000, .rows_per_s = 10, .percent = 20};
  EXPECT_EQ(rate.pause_after(50, 0, 0), 50u);
  EXPECT_EQ(rate.pause_after(50, 1, 0), 100u);
  EXPECT_EQ(rate.pause_after(50, 1, 100), 400u);
  EXPECT_EQ(rate.pause_after(50, 1, 100'000), CompareRate::kLongestRestMs);
}

}  // namespace
}  // namespace syntropy
