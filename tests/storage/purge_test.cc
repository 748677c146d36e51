// Dead rows really go, live ones stay, and nothing old comes back.
#include "storage/purge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "storage/base/hlc.h"
#include "storage/base/random.h"
#include "storage/local_keys.h"
#include "storage/memory_engine.h"
#include "storage/rocks_engine.h"
#include "storage/row.h"
#include "tests/support/engine_helpers.h"
#include "tests/support/temp_dir.h"

namespace syntropy {
namespace {

using testing::get;
using testing::put;

std::string row_key(std::string_view key, uint16_t db = 0) {
  std::string out;
  encode_row_key(db, key, "", &out);
  return out;
}

std::string string_row(HlcStamp stamp, uint64_t expires_at_ms = 0) {
  std::string out;
  encode_row({RowKind::kString, {stamp, 1}, expires_at_ms, "v"}, &out);
  return out;
}

std::string tombstone(HlcStamp stamp) {
  std::string out;
  encode_row({RowKind::kTombstone, {stamp, 1}, 0, ""}, &out);
  return out;
}

TEST(PurgePolicy, DropsTombstonesAndKeepsLiveRows) {
  const PurgePolicy policy(PurgePolicy::Mode::kImmediate);
  EXPECT_TRUE(policy.may_drop(row_key("k"), tombstone(5)));
  EXPECT_FALSE(policy.may_drop(row_key("k"), string_row(5)));
}

TEST(PurgePolicy, DropsExpiredRowsOnlyOnceTheyAreDrained) {
  PurgePolicy policy(PurgePolicy::Mode::kImmediate);
  const std::string row = string_row(5, 1000);
  EXPECT_FALSE(policy.may_drop(row_key("k"), row));
  policy.set_drained_watermark(999);
  EXPECT_FALSE(policy.may_drop(row_key("k"), row));
  policy.set_drained_watermark(1000);
  EXPECT_TRUE(policy.may_drop(row_key("k"), row));
  policy.set_drained_watermark(10);  // never moves back
  EXPECT_TRUE(policy.may_drop(row_key("k"), row));
  EXPECT_FALSE(policy.may_drop(row_key("k"), string_row(5)));
}

TEST(PurgePolicy, DropsRowsOfAFlushedDatabaseUpToItsStamp) {
  PurgePolicy policy(PurgePolicy::Mode::kImmediate);
  policy.set_flush_stamp(3, 100);
  EXPECT_TRUE(policy.may_drop(row_key("k", 3), string_row(100)));
  EXPECT_FALSE(policy.may_drop(row_key("k", 3), string_row(101)));
  EXPECT_FALSE(policy.may_drop(row_key("k", 2), string_row(100)));
  policy.set_flush_stamp(UINT16_MAX, 7);
  EXPECT_TRUE(policy.may_drop(row_key("k", UINT16_MAX), string_row(7)));
}

TEST(PurgePolicy, NeverDropsLocalRecordsOrWhatItCannotRead) {
  PurgePolicy policy(PurgePolicy::Mode::kImmediate);
  policy.set_drained_watermark(UINT64_MAX);
  policy.set_flush_stamp(0, UINT64_MAX);
  EXPECT_FALSE(policy.may_drop(meta_key("format"), tombstone(5)));
  EXPECT_FALSE(policy.may_drop(expiry_position(5), tombstone(5)));
  EXPECT_FALSE(policy.may_drop(row_key("k"), "not a row"));
  EXPECT_FALSE(policy.may_drop("", tombstone(5)));
  EXPECT_FALSE(policy.may_drop("\x01", tombstone(5)));
}

TEST(PurgePolicy, WithPeersFlushedRowsAloneGo) {
  PurgePolicy policy(PurgePolicy::Mode::kNever);
  policy.set_drained_watermark(UINT64_MAX);
  EXPECT_FALSE(policy.may_drop(row_key("k"), tombstone(5)));
  EXPECT_FALSE(policy.may_drop(row_key("k"), string_row(5, 1000)));
  policy.set_flush_stamp(0, 5);
  EXPECT_TRUE(policy.may_drop(row_key("k"), tombstone(5)));
  EXPECT_TRUE(policy.may_drop(row_key("k"), string_row(5)));
  EXPECT_FALSE(policy.may_drop(row_key("k"), string_row(6)));
  EXPECT_FALSE(policy.may_drop(row_key("k", 1), string_row(5)));
  policy.set_mode(PurgePolicy::Mode::kImmediate);
  EXPECT_TRUE(policy.may_drop(row_key("k"), tombstone(5)));
}

TEST(PurgePolicy, ForgetsFlushes) {
  PurgePolicy policy(PurgePolicy::Mode::kNever);
  policy.set_flush_stamp(3, 100);
  policy.forget_flush_stamps();
  EXPECT_FALSE(policy.may_drop(row_key("k", 3), string_row(5)));
  policy.set_flush_stamp(3, 5);
  EXPECT_TRUE(policy.may_drop(row_key("k", 3), string_row(5)));
}

TEST(PurgePolicy, SaysWhatItDoes) {
  EXPECT_THAT(PurgePolicy(PurgePolicy::Mode::kImmediate).describe(),
              ::testing::HasSubstr("no peers"));
  EXPECT_THAT(PurgePolicy(PurgePolicy::Mode::kNever).describe(), ::testing::HasSubstr("stay"));
}

// --- on both engines -----------------------------------------------------------------------------

enum class Kind { kMemory, kRocks };

class Purge : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override { open(&policy_); }

  void open(const PurgeFilter* purge) {
    engine_.reset();
    if (GetParam() == Kind::kMemory) {
      engine_ = std::make_unique<MemoryEngine>(purge);
      return;
    }
    RocksOptions options;
    options.dir = dir_ / "store";
    Result<std::unique_ptr<Engine>> opened = open_rocks_engine(options, purge);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    engine_ = *std::move(opened);
  }

  size_t rows() { return testing::scan(*engine_, "", kRowKeysEnd).size(); }

  testing::TempDir dir_;
  PurgePolicy policy_{PurgePolicy::Mode::kImmediate};
  std::unique_ptr<Engine> engine_;
};

TEST_P(Purge, DeadRowsVanishWithCompaction) {
  for (int i = 0; i < 100; ++i) {
    const std::string name = std::to_string(i);
    ASSERT_TRUE(put(*engine_, row_key("dead" + name), string_row(5)).ok());
    ASSERT_TRUE(put(*engine_, row_key("dead" + name), tombstone(6)).ok());
    ASSERT_TRUE(put(*engine_, row_key("expired" + name), string_row(5, 1000)).ok());
    ASSERT_TRUE(put(*engine_, row_key("flushed" + name, 1), string_row(5)).ok());
    ASSERT_TRUE(put(*engine_, row_key("live" + name), string_row(5, 2000)).ok());
  }
  ASSERT_TRUE(engine_->compact("", "").ok());
  EXPECT_EQ(rows(), 300u);  // the tombstones
  policy_.set_drained_watermark(1500);
  policy_.set_flush_stamp(1, 5);
  ASSERT_TRUE(engine_->compact("", "").ok());
  EXPECT_EQ(rows(), 100u);
  EXPECT_EQ(get(*engine_, row_key("live7")), string_row(5, 2000));
}

TEST_P(Purge, OlderVersionInADeeperLevelDoesNotComeBack) {
  const std::string key = row_key("k");
  ASSERT_TRUE(put(*engine_, key, string_row(5)).ok());
  ASSERT_TRUE(put(*engine_, row_key("zzz"), string_row(5)).ok());
  ASSERT_TRUE(engine_->compact("", "").ok());  // the old version lies at the bottom
  ASSERT_TRUE(put(*engine_, key, tombstone(6)).ok());
  ASSERT_TRUE(engine_->flush().ok());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(put(*engine_, row_key("other"), string_row(5)).ok());
    ASSERT_TRUE(engine_->flush().ok());
    const std::optional<std::string> seen = get(*engine_, key);
    EXPECT_TRUE(seen == std::nullopt || *seen == tombstone(6));
    ASSERT_TRUE(engine_->compact("", "").ok());
    EXPECT_EQ(get(*engine_, key), std::nullopt);
  }
}

TEST_P(Purge, NewerVersionOutlivesTheDropOfAnOlderOne) {
  const std::string key = row_key("k");
  ASSERT_TRUE(put(*engine_, key, tombstone(5)).ok());
  ASSERT_TRUE(engine_->flush().ok());
  ASSERT_TRUE(put(*engine_, key, string_row(6)).ok());
  ASSERT_TRUE(engine_->compact("", "").ok());
  EXPECT_EQ(get(*engine_, key), string_row(6));
}

TEST_P(Purge, SnapshotsKeepLiveRowsWhileDeadOnesGo) {
  const std::string key = row_key("k");
  ASSERT_TRUE(put(*engine_, key, string_row(5)).ok());
  const std::unique_ptr<EngineSnapshot> before = engine_->snapshot();
  ASSERT_TRUE(put(*engine_, key, tombstone(6)).ok());
  const std::unique_ptr<EngineSnapshot> after = engine_->snapshot();
  ASSERT_TRUE(engine_->compact("", "").ok());
  EXPECT_EQ(get(*engine_, key), std::nullopt);
  const testing::Pairs then = testing::scan(*engine_, "", kRowKeysEnd, before.get());
  EXPECT_EQ(then, (testing::Pairs{{key, string_row(5)}}));
  // It may have lost the tombstone, and must not have found the old row instead.
  for (const auto& [k, value] : testing::scan(*engine_, "", kRowKeysEnd, after.get())) {
    EXPECT_EQ(value, tombstone(6));
  }
}

// Random writes, deletes, flushes and partial compactions: what is alive is always what a map says.
TEST_P(Purge, LiveRowsAreNeverTouchedAndDeadOnesNeverReturn) {
  SeededRandom random(51);
  std::map<std::string, std::string> model;
  HlcStamp stamp = 10;
  for (int step = 0; step < 3000; ++step) {
    const std::string key = row_key("k" + std::to_string(random.below(60)));
    ++stamp;
    if (random.one_in(3)) {
      ASSERT_TRUE(put(*engine_, key, tombstone(stamp)).ok());
      model.erase(key);
    } else {
      ASSERT_TRUE(put(*engine_, key, string_row(stamp)).ok());
      model[key] = string_row(stamp);
    }
    if (random.one_in(100)) {
      ASSERT_TRUE(engine_->flush().ok());
    }
    if (random.one_in(150)) {
      const std::string from = row_key("k" + std::to_string(random.below(60)));
      ASSERT_TRUE(engine_->compact(from, "").ok());
    }
    if (!random.one_in(50)) continue;
    std::map<std::string, std::string> alive;
    for (const auto& [k, value] : testing::scan(*engine_, "", kRowKeysEnd)) {
      if (decode_row(value)->kind != RowKind::kTombstone) alive[k] = value;
    }
    ASSERT_EQ(alive, model) << "step " << step;
  }
  ASSERT_TRUE(engine_->compact("", "").ok());
  EXPECT_EQ(rows(), model.size());
}

TEST_P(Purge, WithoutAFilterNothingGoes) {
  open(nullptr);
  ASSERT_TRUE(put(*engine_, row_key("k"), tombstone(5)).ok());
  ASSERT_TRUE(engine_->compact("", "").ok());
  EXPECT_EQ(rows(), 1u);
}

std::string kind_name(const ::testing::TestParamInfo<Kind>& parameter) {
  return parameter.param == Kind::kMemory ? "Memory" : "Rocks";
}

INSTANTIATE_TEST_SUITE_P(, Purge, ::testing::Values(Kind::kMemory, Kind::kRocks), kind_name);

}  // namespace
}  // namespace syntropy
