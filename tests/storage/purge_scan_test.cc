// What a scan finds that may be purged, and nothing that lives.
#include "storage/purge_scan.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "storage/base/slot.h"
#include "storage/counter.h"
#include "tests/storage/purge_store.h"

namespace syntropy {
namespace {

using testing::PurgeStore;
using testing::row_key_of;
using testing::stamp_of;

constexpr uint16_t kLastSlot = kSlotCount - 1;

class PurgeScanTest : public ::testing::Test {
 protected:
  void SetUp() override { store_.lead(); }

  std::vector<PurgedRow> found(HlcStamp watermark, uint64_t max_rows = 1000) {
    std::vector<PurgedRow> rows;
    std::string from;
    do {
      Result<PurgeScan> scan =
          scan_purgeable(store_.keyspace(), 0, kLastSlot, watermark, from, max_rows);
      EXPECT_TRUE(scan.ok());
      EXPECT_LE(scan->rows.size(), max_rows);
      rows.insert(rows.end(), scan->rows.begin(), scan->rows.end());
      from = scan->next;
    } while (!from.empty());
    return rows;
  }
  std::vector<PurgedRow> only(std::string_view key) {
    return {{row_key_of(key), stamp_of(*store_.row(key))}};
  }

  PurgeStore store_{100};
};

TEST_F(PurgeScanTest, FindsTombstonesUpToTheWatermark) {
  store_.put("live", "v");
  store_.put("k", "v");
  store_.erase("k");
  const HlcStamp death = stamp_of(*store_.row("k"));
  store_.put("later", "v");
  store_.erase("later");
  EXPECT_TRUE(found(death - 1).empty());
  EXPECT_EQ(found(death), only("k"));
  EXPECT_EQ(found(store_.newest()).size(), 2u);
}

TEST_F(PurgeScanTest, FindsExpiredRowsOnceTheyAreDrained) {
  const uint64_t expiry = store_.clock.wall_ms() + 10;
  store_.put("k", "v", expiry);
  store_.put("later", "v", expiry + 1000);
  store_.clock.advance_ms(100);
  const HlcStamp watermark = hlc_stamp(store_.clock.wall_ms(), 0);
  EXPECT_TRUE(found(watermark).empty()) << "it still counts";
  ASSERT_EQ(*store_.keyspace().expire_due(store_.clock.wall_ms(), 10), 1u);
  EXPECT_EQ(found(watermark), only("k"));
  EXPECT_TRUE(found(hlc_stamp(expiry, 0)).empty()) << "it died within that millisecond";
  EXPECT_EQ(found(hlc_stamp(expiry + 1, 0)), only("k"));
}

TEST_F(PurgeScanTest, FindsFlushedRowsWhateverTheWatermark) {
  store_.put("k", "v");
  ASSERT_TRUE(store_.run([](Tick& tick) { tick.flush_db(0); }).ok());
  const std::vector<PurgedRow> flushed = only("k");
  store_.put("after", "v");
  EXPECT_EQ(found(0), flushed);
}

TEST_F(PurgeScanTest, CounterIsAsOldAsItsNewestIncrement) {
  store_.put("n", "5", store_.clock.wall_ms() + 10);
  const HlcStamp base = stamp_of(*store_.row("n"));
  ASSERT_TRUE(store_.run([](Tick& tick) { ASSERT_TRUE(tick.increment(0, "n", 1).ok()); }).ok());
  const std::string row = *store_.row("n");
  const HlcStamp newest = *newest_stamp_of(*decode_row(row));
  ASSERT_GT(newest, base);
  store_.clock.advance_ms(100);
  ASSERT_EQ(*store_.keyspace().expire_due(store_.clock.wall_ms(), 10), 1u);
  const std::vector<PurgedRow> wanted{{row_key_of("n"), newest}};
  EXPECT_EQ(found(hlc_stamp(store_.clock.wall_ms(), 0)), wanted);
}

TEST_F(PurgeScanTest, GoesOnWhereItStoppedInBoundedSteps) {
  for (int i = 0; i < 50; ++i) {
    const std::string key = std::to_string(i);
    store_.put(key, "v");
    if (i % 3 == 0) store_.erase(key);
  }
  const std::vector<PurgedRow> all = found(store_.newest());
  EXPECT_EQ(all.size(), 17u);
  for (const uint64_t step : {1, 7, 50}) EXPECT_EQ(found(store_.newest(), step), all);
  const Result<PurgeScan> first =
      scan_purgeable(store_.keyspace(), 0, kLastSlot, store_.newest(), {}, 7);
  EXPECT_LE(first->rows.size(), 7u);
  EXPECT_FALSE(first->next.empty());
}

TEST_F(PurgeScanTest, KeepsToItsSlots) {
  for (int i = 0; i < 50; ++i) {
    store_.put(std::to_string(i), "v");
    store_.erase(std::to_string(i));
  }
  const std::vector<PurgedRow> all = found(store_.newest());
  const uint16_t middle = decode_row_key(all[25].row_key)->slot;
  const auto below = [&](uint16_t first, uint16_t last) {
    return scan_purgeable(store_.keyspace(), first, last, store_.newest(), {}, 1000)->rows;
  };
  std::vector<PurgedRow> both = below(0, middle);
  EXPECT_EQ(decode_row_key(both.back().row_key)->slot, middle);
  const std::vector<PurgedRow> rest = below(middle + 1, kLastSlot);
  both.insert(both.end(), rest.begin(), rest.end());
  EXPECT_EQ(both, all);
}

TEST_F(PurgeScanTest, StopsAtARowThatItCannotRead) {
  ASSERT_TRUE(testing::put(store_.engine(), row_key_of("k"), "not a row").ok());
  EXPECT_TRUE(scan_purgeable(store_.keyspace(), 0, kLastSlot, 5, {}, 10)
                  .status()
                  .is(StatusCode::kCorruption));
}

}  // namespace
}  // namespace syntropy
