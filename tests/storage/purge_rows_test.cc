// Rows that are removed for good by the ticks of a writer: counts, index, caches, rollback.
#include <gtest/gtest.h>

#include "tests/storage/purge_store.h"

namespace syntropy {
namespace {

using testing::row_key_of;
using testing::stamp_of;

class PurgeRows : public testing::PurgeTest {};

TEST_F(PurgeRows, TombstoneGoesWithoutATrace) {
  const HlcStamp death = kill("k");
  EXPECT_FALSE(writer_.purge("k", death - 1)) << "it is newer than that";
  EXPECT_TRUE(writer_.row("k"));
  EXPECT_TRUE(writer_.purge("k", death));
  EXPECT_EQ(writer_.row("k"), std::nullopt);
  EXPECT_FALSE(writer_.purge("k", death)) << "nothing is there";
  writer_.check();
}

TEST_F(PurgeRows, WriterKeepsWhatIsAlive) {
  writer_.put("k", "v");
  writer_.put("timed", "v", writer_.clock.wall_ms() + 10);
  EXPECT_FALSE(writer_.purge("k", writer_.newest()));
  EXPECT_FALSE(writer_.purge("timed", writer_.newest()));
  EXPECT_EQ(writer_.get("k"), "v");
  EXPECT_EQ(writer_.get("timed"), "v");
}

TEST_F(PurgeRows, ExpiredRowThatStillCountsLeavesCountsAndIndex) {
  writer_.put("k", "v", writer_.clock.wall_ms() + 10);
  writer_.put("other", "v", writer_.clock.wall_ms() + 1000);
  writer_.clock.advance_ms(20);
  EXPECT_EQ(writer_.keyspace().key_count(0), 2u) << "it is not drained yet";
  EXPECT_TRUE(writer_.purge("k", writer_.newest()));
  EXPECT_EQ(writer_.keyspace().key_count(0), 1u);
  EXPECT_EQ(writer_.keyspace().expiring_count(0), 1u);
  writer_.check();
}

TEST_F(PurgeRows, ExpiredRowThatIsDrainedInTheSameTickCountsOnce) {
  for (const bool drained_first : {false, true}) {
    writer_.put("k", "v", writer_.clock.wall_ms() + 10);
    writer_.clock.advance_ms(20);
    ASSERT_TRUE(writer_
                    .run([&](Tick& tick) {
                      if (drained_first) {
                        EXPECT_EQ(tick.drain_expired(10), 1u);
                      }
                      EXPECT_TRUE(*tick.purge_row(row_key_of("k"), tick.latest_stamp()));
                      if (!drained_first) {
                        EXPECT_EQ(tick.drain_expired(10), 1u);
                      }
                      EXPECT_EQ(tick.key_count(0), 0u);
                    })
                    .ok());
    EXPECT_EQ(writer_.keyspace().key_count(0), 0u);
    EXPECT_EQ(writer_.keyspace().expiring_count(0), 0u);
    writer_.check();
  }
}

TEST_F(PurgeRows, FlushedRowGoesAndWasCoveredByNobody) {
  writer_.put("k", "v", writer_.clock.wall_ms() + 10);
  ASSERT_TRUE(writer_.run([](Tick& tick) { tick.flush_db(0); }).ok());
  EXPECT_TRUE(writer_.purge("k", stamp_of(*writer_.row("k"))));
  EXPECT_TRUE(writer_.rows().empty());
  writer_.clock.advance_ms(20);
  writer_.check();
}

TEST_F(PurgeRows, CachesShowNoneOfIt) {
  const HlcStamp death = kill("k");
  ASSERT_TRUE(writer_.keyspace().fetch({row_key_of("k")}).ok());
  const uint64_t held = writer_.keyspace().stats().row_cache.rows;
  EXPECT_TRUE(writer_.purge("k", death));
  EXPECT_EQ(writer_.keyspace().stats().row_cache.rows, held - 1);
  Tick tick(writer_.keyspace());
  tick.begin_command(writer_.clock.wall_ms(), ReadTier::kDisk);
  EXPECT_EQ(tick.get(0, "k"), std::nullopt);
}

TEST_F(PurgeRows, WatchSeesThatAPurgedKeyCameAndWent) {
  const HlcStamp watched = writer_.newest();
  const HlcStamp death = kill("k");
  ASSERT_TRUE(purge(death, {{row_key_of("k"), death}}).ok());
  Tick tick(writer_.keyspace());
  tick.begin_command(writer_.clock.wall_ms(), ReadTier::kDisk);
  EXPECT_EQ(tick.fingerprint(0, "k", watched), 1u);
  EXPECT_EQ(tick.fingerprint(0, "k", tick.latest_stamp()), 0u);
}

TEST_F(PurgeRows, FailedCommitLeavesTheRow) {
  const HlcStamp death = kill("k");
  writer_.engine().fail_next_write(Status::io_error("injected"));
  EXPECT_FALSE(purge(death, {{row_key_of("k"), death}}).ok());
  ASSERT_TRUE(writer_.engine().recover().ok());
  EXPECT_EQ(stamp_of(*writer_.row("k")), death);
  EXPECT_EQ(writer_.keyspace().purged_up_to(), 0u);
  writer_.check();
}

TEST_F(PurgeRows, RollbackUndoesIt) {
  const HlcStamp death = kill("k");
  ASSERT_TRUE(writer_
                  .run([&](Tick& tick) {
                    tick.put(0, "other", RowKind::kString, "v", 0);
                    tick.begin_command(writer_.clock.wall_ms(), ReadTier::kDisk);
                    EXPECT_TRUE(*tick.purge_row(row_key_of("k"), death));
                    tick.raise_purge_watermark(death);
                    tick.rollback_command();
                    EXPECT_TRUE(*tick.purge_row(row_key_of("k"), death)) << "it is there again";
                    tick.put(0, "k", RowKind::kString, "new", 0);
                    tick.begin_command(writer_.clock.wall_ms(), ReadTier::kDisk);
                    EXPECT_TRUE(tick.erase(0, "k"));
                    EXPECT_TRUE(*tick.purge_row(row_key_of("k"), tick.latest_stamp()));
                    EXPECT_EQ(tick.get(0, "k"), std::nullopt);
                    tick.rollback_command();
                    EXPECT_TRUE(tick.get(0, "k"));
                  })
                  .ok());
  EXPECT_EQ(writer_.get("k"), "new");
  EXPECT_EQ(writer_.keyspace().purged_up_to(), 0u);
  EXPECT_EQ(writer_.keyspace().key_count(0), 2u);
  writer_.check();
  follower_.pull(writer_);
  EXPECT_EQ(follower_.rows(), writer_.rows());
}

TEST_F(PurgeRows, RolledBackToARemovalItIsStillRemoved) {
  const HlcStamp death = kill("k");
  ASSERT_TRUE(writer_
                  .run([&](Tick& tick) {
                    EXPECT_TRUE(*tick.purge_row(row_key_of("k"), death));
                    tick.begin_command(writer_.clock.wall_ms(), ReadTier::kDisk);
                    tick.put(0, "k", RowKind::kString, "v", 0);
                    tick.rollback_command();
                  })
                  .ok());
  EXPECT_EQ(writer_.row("k"), std::nullopt);
  writer_.check();
}

TEST_F(PurgeRows, WhatTheTickWritesOverItStays) {
  const HlcStamp death = kill("k");
  const HlcStamp other = kill("n");
  const HlcStamp stamp = std::max(death, other);
  follower_.pull(writer_);
  ASSERT_TRUE(writer_
                  .run([&](Tick& tick) {
                    EXPECT_TRUE(*tick.purge_row(row_key_of("k"), stamp));
                    EXPECT_TRUE(*tick.purge_row(row_key_of("n"), stamp));
                    tick.put(0, "k", RowKind::kString, "new", 0);
                    ASSERT_TRUE(tick.increment(0, "n", 3).ok());
                    EXPECT_EQ(tick.key_count(0), 2u);
                  })
                  .ok());
  EXPECT_EQ(writer_.get("k"), "new");
  writer_.check();
  // The log has the rows alone, which must win over those that it doesn't say are gone.
  follower_.pull(writer_);
  EXPECT_EQ(follower_.rows(), writer_.rows());
  follower_.check();
}

TEST_F(PurgeRows, WhatTheTickWroteGoes) {
  follower_.pull(writer_);
  ASSERT_TRUE(
      writer_
          .run([&](Tick& tick) {
            tick.put(0, "k", RowKind::kString, "v", 0);
            EXPECT_TRUE(tick.erase(0, "k"));
            EXPECT_TRUE(*tick.purge_row(row_key_of("k"), tick.latest_stamp()));
            EXPECT_TRUE(tick.has_writes());
            int seen = 0;
            EXPECT_TRUE(
                tick.scan(0, {}, 100, [&](std::string_view, const RowView&) { return ++seen > 0; })
                    .ok());
            EXPECT_EQ(seen, 0);
          })
          .ok());
  EXPECT_TRUE(writer_.rows().empty());
  writer_.check();
  follower_.pull(writer_);
  EXPECT_TRUE(follower_.rows().empty());
}

TEST_F(PurgeRows, ScanOfTheTickPassesOverThem) {
  std::vector<HlcStamp> deaths;
  for (int i = 0; i < 20; ++i) writer_.put("live" + std::to_string(i), "v");
  for (int i = 0; i < 20; ++i) deaths.push_back(kill("dead" + std::to_string(i)));
  ASSERT_TRUE(
      writer_
          .run([&](Tick& tick) {
            for (int i = 0; i < 20; ++i) {
              EXPECT_TRUE(*tick.purge_row(row_key_of("dead" + std::to_string(i)), deaths.back()));
            }
            uint64_t visited = 0;
            // One row a call: those that are gone aren't looked at.
            for (std::optional<ScanPosition> at = ScanPosition{}; at;) {
              at = *tick.scan(0, *at, 1, [](std::string_view, const RowView&) { return true; });
              ++visited;
            }
            EXPECT_EQ(visited, 20u);
          })
          .ok());
}

TEST_F(PurgeRows, RefusesKeysThatAreNone) {
  const auto refusal = [&](std::string_view row_key, HlcStamp stamp) {
    StatusCode code = StatusCode::kOk;
    EXPECT_TRUE(
        writer_.run([&](Tick& tick) { code = tick.purge_row(row_key, stamp).status().code(); })
            .ok());
    return code;
  };
  EXPECT_EQ(refusal("x", 5), StatusCode::kCorruption);
  EXPECT_EQ(refusal(row_key_of("k"), UINT64_MAX), StatusCode::kCorruption);
  EXPECT_EQ(refusal(row_key_of("k", 2), 5), StatusCode::kInvalidArgument);
  EXPECT_FALSE(purge(UINT64_MAX, {}).ok());
}

TEST_F(PurgeRows, RowThatIsNotInMemoryIsAMiss) {
  const HlcStamp death = kill("k");
  writer_.keyspace().set_row_cache_bytes(0);
  writer_.engine().set_cold(true);
  Tick tick(writer_.keyspace());
  tick.begin_command(writer_.clock.wall_ms(), ReadTier::kMemory);
  tick.begin_write();
  EXPECT_TRUE(tick.purge_row(row_key_of("k"), death).status().is(StatusCode::kIncomplete));
  EXPECT_EQ(tick.misses(), std::vector<std::string>{row_key_of("k")});
  EXPECT_FALSE(tick.has_writes());
}

// --- flushed rows, which compaction takes with peers as well -------------------------------------

TEST_F(PurgeRows, CompactionTakesFlushedRowsOnceTheStampIsDurable) {
  writer_.put("k", "v");
  const std::string old = *writer_.row("k");
  kill("dead");
  ASSERT_TRUE(writer_.run([](Tick& tick) { tick.flush_db(0); }).ok());
  kill("later");
  ASSERT_TRUE(writer_.engine().compact({}, {}).ok());
  EXPECT_EQ(writer_.rows().size(), 3u);
  ASSERT_TRUE(*writer_.keyspace().settle_purge());
  ASSERT_TRUE(writer_.engine().compact({}, {}).ok());
  EXPECT_EQ(writer_.rows().size(), 1u);
  // Nobody can bring them back, also after the loss of power.
  writer_.lose_power();
  writer_.lead('b');
  ASSERT_TRUE(writer_.applier().take_over(record_of("k", old)).ok());
  EXPECT_EQ(writer_.row("k"), std::nullopt);
  writer_.check();
}

TEST_F(PurgeRows, StoreThatForgetsItsRowsLetsCompactionTakeNoneOfTheNextOnes) {
  writer_.put("k", "v");
  const std::string old = *writer_.row("k");
  for (const bool settled : {true, false}) {
    ASSERT_TRUE(writer_.run([](Tick& tick) { tick.flush_db(0); }).ok());
    if (settled) {
      ASSERT_TRUE(*writer_.keyspace().settle_purge());
    }
    ASSERT_TRUE(writer_.keyspace().discard_rows().ok());
    EXPECT_FALSE(*writer_.keyspace().settle_purge());
    ASSERT_TRUE(writer_.applier().take_over(record_of("k", old)).ok());
    ASSERT_TRUE(writer_.engine().compact({}, {}).ok());
    EXPECT_EQ(writer_.get("k"), "v");
  }
}

}  // namespace
}  // namespace syntropy
