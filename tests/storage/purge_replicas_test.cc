// Purges and the purge watermark between nodes: through the log, by copies, and what becomes of
// rows that somebody brings back.
#include <gtest/gtest.h>

#include "storage/counter.h"
#include "tests/storage/purge_store.h"

namespace syntropy {
namespace {

using testing::encoded;
using testing::row_key_of;
using testing::stamp_of;

constexpr uint64_t kHourMs = 3'600'000;

class PurgeReplicas : public testing::PurgeTest {};

// --- counters, whose version may be older than what is in them -----------------------------------

TEST_F(PurgeReplicas, CounterThatWasBornFromAFoundTombstoneIsNotPurged) {
  const HlcStamp death = kill("n");
  ASSERT_TRUE(writer_.run([](Tick& tick) { ASSERT_TRUE(tick.increment(0, "n", 1).ok()); }).ok());
  EXPECT_EQ(stamp_of(*writer_.row("n")), death) << "or this test shows nothing";
  ASSERT_TRUE(purge(death, {{row_key_of("n"), death}}).ok());
  EXPECT_TRUE(writer_.get("n"));
  // Not on a follower either, which goes by stamps alone.
  follower_.pull(writer_);
  ASSERT_TRUE(follower_.applier().drop(std::vector{row_key_of("n")}, death).ok());
  EXPECT_TRUE(follower_.get("n"));
}

TEST_F(PurgeReplicas, CounterThatBeginsAfterAPurgeWinsOverOldRows) {
  writer_.put("n", "old");
  const std::string old = *writer_.row("n");
  writer_.erase("n");
  const HlcStamp death = stamp_of(*writer_.row("n"));
  ASSERT_TRUE(purge(death, {{row_key_of("n"), death}}).ok());
  ASSERT_TRUE(writer_.run([](Tick& tick) { ASSERT_TRUE(tick.increment(0, "n", 5).ok()); }).ok());
  const std::string counter = *writer_.row("n");
  ASSERT_TRUE(writer_.applier().take_over(record_of("n", old)).ok());
  EXPECT_EQ(writer_.row("n"), counter);
}

TEST_F(PurgeReplicas, WhatIsWrittenLaterIsAboveTheWatermarkHoweverFarAheadThatIs) {
  const HlcStamp ahead = hlc_stamp(writer_.clock.wall_ms() + kHourMs, 0);
  writer_.put("old", "1");
  ASSERT_TRUE(purge(ahead, {}).ok());
  writer_.put("k", "v");
  ASSERT_TRUE(writer_
                  .run([](Tick& tick) {
                    ASSERT_TRUE(tick.increment(0, "n", 5).ok());
                    ASSERT_TRUE(tick.increment(0, "old", 5).ok());
                  })
                  .ok());
  for (const std::string key : {"k", "n", "old"}) {
    const std::string row = *writer_.row(key);
    EXPECT_GT(*newest_stamp_of(*decode_row(row)), ahead) << key;
  }
}

// --- the watermark and the log -------------------------------------------------------------------

TEST_F(PurgeReplicas, WatermarkNeverGoesBackAndOutlivesARestart) {
  const HlcStamp death = kill("k");
  EXPECT_EQ(writer_.keyspace().purged_up_to(), 0u);
  ASSERT_TRUE(purge(death, {}).ok());
  ASSERT_TRUE(purge(death - 1, {}).ok());
  EXPECT_EQ(writer_.keyspace().purged_up_to(), death);
  writer_.open();
  EXPECT_EQ(writer_.keyspace().purged_up_to(), death);
}

TEST_F(PurgeReplicas, ClocksFollowTheWatermarkAlsoOverARestart) {
  const HlcStamp ahead = hlc_stamp(writer_.clock.wall_ms() + 30'000, 0);
  ASSERT_TRUE(purge(ahead, {}).ok());
  follower_.pull(writer_);
  EXPECT_GE(follower_.newest(), ahead);
  follower_.open();
  EXPECT_GE(follower_.newest(), ahead);
}

TEST_F(PurgeReplicas, WatermarkThatStaysAppendsNothing) {
  ASSERT_TRUE(purge(7, {}).ok());
  const uint64_t offset = writer_.log().offset();
  ASSERT_TRUE(purge(7, {}).ok());
  EXPECT_EQ(writer_.log().offset(), offset);
}

TEST_F(PurgeReplicas, LossOfPowerTakesWatermarkAndRemovalsTogether) {
  const HlcStamp death = kill("k");
  ASSERT_TRUE(writer_.engine().sync().ok());
  ASSERT_TRUE(purge(death, {{row_key_of("k"), death}}).ok());
  writer_.lose_power();
  EXPECT_EQ(writer_.keyspace().purged_up_to(), 0u);
  EXPECT_TRUE(writer_.row("k"));
  writer_.lead('b');
  ASSERT_TRUE(purge(death, {{row_key_of("k"), death}}).ok());
  ASSERT_TRUE(writer_.engine().sync().ok());
  writer_.lose_power();
  EXPECT_EQ(writer_.keyspace().purged_up_to(), death);
  EXPECT_FALSE(writer_.row("k"));
  writer_.check();
}

TEST_F(PurgeReplicas, StoreThatForgetsItsRowsForgetsTheWatermark) {
  ASSERT_TRUE(purge(kill("k"), {}).ok());
  ASSERT_TRUE(writer_.keyspace().discard_rows().ok());
  EXPECT_EQ(writer_.keyspace().purged_up_to(), 0u);
  writer_.open();
  EXPECT_EQ(writer_.keyspace().purged_up_to(), 0u);
}

TEST_F(PurgeReplicas, FollowerDoesAsTheLogSays) {
  const HlcStamp death = kill("k");
  writer_.put("live", "v");
  writer_.put("timed", "v", writer_.clock.wall_ms() + 10);
  follower_.pull(writer_);
  writer_.clock.advance_ms(20);
  ASSERT_EQ(*writer_.keyspace().expire_due(writer_.clock.wall_ms(), 10), 1u);
  const HlcStamp timed = stamp_of(*writer_.row("timed"));
  ASSERT_TRUE(purge(timed, {{row_key_of("k"), death}, {row_key_of("timed"), timed}}).ok());
  follower_.pull(writer_);  // its clock has not come to the expiry
  EXPECT_EQ(writer_.rows().size(), 1u);
  EXPECT_EQ(follower_.rows(), writer_.rows());
  EXPECT_EQ(follower_.keyspace().purged_up_to(), timed);
  EXPECT_EQ(follower_.log().offset(), writer_.log().offset());
  EXPECT_GE(follower_.newest(), timed);
  EXPECT_EQ(follower_.keyspace().key_count(0), 1u);
  follower_.check();
}

TEST_F(PurgeReplicas, FollowerPurgesNothingByItself) {
  const HlcStamp death = kill("k");
  follower_.pull(writer_);
  const std::vector<PurgedRow> rows{{row_key_of("k"), death}};
  EXPECT_TRUE(follower_.applier().purge(death, rows).is(StatusCode::kUnavailable));
  EXPECT_TRUE(follower_.applier().purge(death, {}).is(StatusCode::kUnavailable));
  EXPECT_EQ(follower_.keyspace().purged_up_to(), 0u);
  EXPECT_EQ(follower_.rows(), writer_.rows());
}

TEST_F(PurgeReplicas, FollowerTakesInOldRowsAndThenTheWatermark) {
  kill("k");
  ASSERT_TRUE(purge(writer_.newest(), {}).ok());
  const HlcStamp watermark = writer_.keyspace().purged_up_to();
  const LogPoint source{testing::lineage('a'), 1};
  ASSERT_TRUE(follower_.applier().merge(record_of("k", *writer_.row("k")), source).ok());
  EXPECT_EQ(follower_.rows(), writer_.rows());
  EXPECT_EQ(follower_.keyspace().purged_up_to(), 0u) << "it may refuse nothing before it has all";
  ASSERT_TRUE(follower_.applier().raise_watermark(watermark).ok());
  EXPECT_EQ(follower_.keyspace().purged_up_to(), watermark);
  EXPECT_EQ(follower_.log().position().owed, source);
  EXPECT_TRUE(writer_.applier().raise_watermark(watermark + 1).is(StatusCode::kUnavailable));
}

TEST_F(PurgeReplicas, FollowedClockOutlivesTheLossOfPower) {
  const HlcStamp ahead = hlc_stamp(follower_.clock.wall_ms() + 5000, 0);
  ASSERT_TRUE(follower_.applier().follow_clock(ahead).ok());
  follower_.lose_power();
  ASSERT_TRUE(follower_.applier().begin_lineage(testing::lineage('b')).ok());
  follower_.put("k", "v");
  EXPECT_GT(stamp_of(*follower_.row("k")), ahead);
}

// What it has said that it follows may be an hour ahead of its own clock, and too far to be followed.
TEST_F(PurgeReplicas, WhatAPromotedFollowerIncrementsIsAboveAClockFarAhead) {
  writer_.put("old", "1");
  follower_.pull(writer_);
  const HlcStamp ahead = hlc_stamp(follower_.clock.wall_ms() + kHourMs, 0);
  ASSERT_TRUE(follower_.applier().follow_clock(ahead).ok());
  ASSERT_TRUE(follower_.applier().begin_lineage(testing::lineage('b')).ok());
  ASSERT_TRUE(follower_
                  .run([](Tick& tick) {
                    ASSERT_TRUE(tick.increment(0, "n", 5).ok());
                    ASSERT_TRUE(tick.increment(0, "old", 5).ok());
                  })
                  .ok());
  for (const std::string key : {"n", "old"}) {
    EXPECT_GT(*newest_stamp_of(*decode_row(*follower_.row(key))), ahead) << key;
  }
}

// --- slots that come and go ----------------------------------------------------------------------

TEST_F(PurgeReplicas, RowsAreRemovedDeadOrAliveUnlessTheyHaveChanged) {
  writer_.put("k", "v");
  writer_.put("changed", "v");
  writer_.put("dead", "v");
  writer_.erase("dead");
  const auto seen = [&](const std::string& key) {
    return PurgedRow{row_key_of(key), stamp_of(*writer_.row(key))};
  };
  const std::vector<PurgedRow> rows = {seen("k"), seen("changed"), seen("dead")};
  writer_.put("changed", "w");
  ASSERT_TRUE(writer_.applier().remove(rows).ok());
  EXPECT_FALSE(writer_.row("k"));
  EXPECT_FALSE(writer_.row("dead"));
  EXPECT_EQ(writer_.get("changed"), "w");
  EXPECT_EQ(writer_.keyspace().purged_up_to(), 0u) << "it says nothing of other rows";
  follower_.pull(writer_);
  EXPECT_EQ(follower_.rows(), writer_.rows());
  EXPECT_TRUE(follower_.applier().remove(rows).is(StatusCode::kUnavailable));
}

TEST_F(PurgeReplicas, RestampedRowsAreAsTheyWereAndAboveTheFloor) {
  writer_.put("k", "v", writer_.clock.wall_ms() + 5000);
  writer_.put("dead", "v");
  writer_.erase("dead");
  ASSERT_TRUE(writer_.run([](Tick& tick) { ASSERT_TRUE(tick.increment(0, "n", 5).ok()); }).ok());
  const HlcStamp floor = hlc_stamp(writer_.clock.wall_ms() + kHourMs, 7);
  const std::string dead = *writer_.row("dead");
  const uint64_t expiry = decode_row(*writer_.row("k"))->expires_at_ms;
  const std::vector<PurgedRow> rows = {
      {row_key_of("k"), 0}, {row_key_of("n"), 0}, {row_key_of("dead"), 0}};
  ASSERT_TRUE(writer_.applier().restamp(rows, floor).ok());
  EXPECT_GT(stamp_of(*writer_.row("k")), floor);
  EXPECT_GT(stamp_of(*writer_.row("n")), floor);
  EXPECT_EQ(writer_.get("k"), "v");
  EXPECT_EQ(decode_row(*writer_.row("k"))->expires_at_ms, expiry);
  EXPECT_EQ(writer_.get("n"), "5");
  EXPECT_EQ(writer_.row("dead"), dead);
  writer_.check();
}

// A row of another shard is taken however old it is, and goes when its owner says so; rows of this
// shard's own slots that come back are dropped if they were purged here.
TEST_F(PurgeReplicas, WhatComesFromAnotherShardIsJudgedByWhoseTheSlotsAre) {
  using Purged = LogApplier::Purged;
  writer_.put("k", "v");
  const std::string old = *writer_.row("k");
  writer_.erase("k");
  const HlcStamp death = stamp_of(*writer_.row("k"));
  ASSERT_TRUE(purge(death, {{row_key_of("k"), death}}).ok());
  ASSERT_TRUE(writer_.applier().take_over(record_of("k", old), Purged::kReturned).ok());
  EXPECT_FALSE(writer_.row("k"));
  ASSERT_TRUE(writer_.applier().take_over(record_of("k", old), Purged::kMoved).ok());
  EXPECT_EQ(writer_.get("k"), "v");
  LogRecordBuilder told;
  told.add_purge_watermark(death + 100);
  told.add_purge(death + 100, row_key_of("k"));
  const std::string purges = *told.take();
  ASSERT_TRUE(writer_.applier().take_over(purges, Purged::kReturned).ok());
  EXPECT_EQ(writer_.get("k"), "v") << "what another shard has purged says nothing here";
  EXPECT_EQ(writer_.keyspace().purged_up_to(), death);
  writer_.open();  // as another writer
  writer_.lead('b');
  ASSERT_TRUE(writer_.applier().take_over(purges, Purged::kMoved).ok());
  EXPECT_FALSE(writer_.row("k")) << "it owns the slots";
  EXPECT_EQ(writer_.keyspace().purged_up_to(), death) << "but not these";
}

// --- those who were away -------------------------------------------------------------------------

TEST_F(PurgeReplicas, TakesOverNoRowThatWasPurged) {
  writer_.put("k", "v");
  const std::string old = *writer_.row("k");
  writer_.erase("k");
  const HlcStamp death = stamp_of(*writer_.row("k"));
  ASSERT_TRUE(purge(death, {{row_key_of("k"), death}}).ok());
  const uint64_t offset = writer_.log().offset();
  ASSERT_TRUE(writer_.applier().take_over(record_of("k", old)).ok());
  EXPECT_EQ(writer_.row("k"), std::nullopt);
  EXPECT_EQ(writer_.log().offset(), offset);
}

TEST_F(PurgeReplicas, TakesOverWhateverComesFromAnotherShard) {
  writer_.put("k", "v");
  const std::string old = *writer_.row("k");
  writer_.erase("k");
  const HlcStamp death = stamp_of(*writer_.row("k"));
  ASSERT_TRUE(purge(death, {{row_key_of("k"), death}}).ok());
  ASSERT_TRUE(writer_.applier().take_over(record_of("k", old), LogApplier::Purged::kTaken).ok());
  EXPECT_EQ(writer_.get("k"), "v");
}

TEST_F(PurgeReplicas, TakesOverWhatIsNewerThanTheWatermark) {
  ASSERT_TRUE(purge(kill("k"), {}).ok());
  const HlcStamp watermark = writer_.keyspace().purged_up_to();
  const std::string newer = encoded({RowKind::kString, {watermark + 1, 7}, 0, "v"});
  ASSERT_TRUE(writer_.applier().take_over(record_of("absent", newer)).ok());
  EXPECT_EQ(writer_.get("absent"), "v");
  // A counter by its newest increment, for its version is that of its base.
  std::string payload;
  encode_counter({0, {}, {{7, watermark + 2, 5}}}, &payload);
  const std::string counter = encoded({RowKind::kCounter, {1, 0}, 0, payload});
  ASSERT_TRUE(writer_.applier().take_over(record_of("n", counter)).ok());
  EXPECT_TRUE(writer_.get("n"));
}

TEST_F(PurgeReplicas, TakesOverOldRowsWhereItHasOneDeadOrAlive) {
  writer_.put("live", "1");
  kill("dead");
  ASSERT_TRUE(purge(writer_.newest(), {}).ok());
  for (const std::string key : {"live", "dead"}) {
    RowView row = *decode_row(*writer_.row(key));
    ++row.version.writer;
    row.kind = RowKind::kString;
    row.payload = "theirs";
    ASSERT_TRUE(writer_.applier().take_over(record_of(key, encoded(row))).ok());
    EXPECT_EQ(writer_.get(key), "theirs");
  }
}

TEST_F(PurgeReplicas, TakesOverThePurgesOfItsShardAlone) {
  const HlcStamp death = kill("k");
  LogRecordBuilder builder;
  builder.add_purge_watermark(death);
  builder.add_purge(death, row_key_of("k"));
  const std::string record = *builder.take();
  ASSERT_TRUE(writer_.applier().take_over(record, LogApplier::Purged::kTaken).ok());
  EXPECT_EQ(writer_.keyspace().purged_up_to(), 0u);
  EXPECT_TRUE(writer_.row("k"));
  ASSERT_TRUE(writer_.applier().take_over(record).ok());
  EXPECT_EQ(writer_.keyspace().purged_up_to(), death);
  EXPECT_FALSE(writer_.row("k"));
  follower_.pull(writer_);
  EXPECT_EQ(follower_.keyspace().purged_up_to(), death);
  EXPECT_EQ(follower_.rows(), writer_.rows());
}

TEST_F(PurgeReplicas, FollowerDropsWhatThePrimaryHasPurged) {
  writer_.put("k", "v");
  const HlcStamp watermark = writer_.newest();
  writer_.put("newer", "v");
  follower_.pull(writer_);
  const LogPosition before = follower_.log().position();
  const std::vector<std::string> keys{row_key_of("k"), row_key_of("newer"), row_key_of("absent")};
  ASSERT_TRUE(follower_.applier().drop(keys, watermark).ok());
  EXPECT_EQ(follower_.row("k"), std::nullopt) << "alive or not";
  EXPECT_TRUE(follower_.row("newer"));
  EXPECT_EQ(follower_.log().position(), before);
  EXPECT_EQ(follower_.keyspace().purged_up_to(), 0u);
  follower_.check();
  EXPECT_TRUE(writer_.applier().drop(keys, watermark).is(StatusCode::kUnavailable));
  EXPECT_TRUE(writer_.row("k"));
}

TEST_F(PurgeReplicas, DroppingLeavesWhatIsOwed) {
  const std::string row = encoded({RowKind::kString, {5, 7}, 0, "v"});
  const LogPoint owed{testing::lineage('x'), 99};
  ASSERT_TRUE(follower_.applier().merge(record_of("k", row), owed).ok());
  ASSERT_TRUE(follower_.applier().drop(std::vector{row_key_of("k")}, 5).ok());
  EXPECT_EQ(follower_.row("k"), std::nullopt);
  EXPECT_EQ(follower_.log().position().owed, owed);
}

}  // namespace
}  // namespace syntropy
