// The check of a store's records: silent on every sound store, and naming each kind of damage.
#include "tools/cli/store_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/keyspace.h"
#include "storage/local_keys.h"
#include "storage/local_records.h"
#include "storage/memory_engine.h"
#include "storage/tick.h"
#include "tests/support/engine_helpers.h"
#include "tests/support/manual_clock.h"

namespace syntropy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::ManualClock;
using ::testing::UnorderedElementsAre;

class StoreCheckTest : public ::testing::Test {
 protected:
  StoreCheckTest() {
    KeyspaceOptions options;
    options.new_writer_id = 7;
    options.row_cache_bytes = 0;
    Result<std::unique_ptr<Keyspace>> keyspace = Keyspace::open(engine_, clock_, purge_, options);
    EXPECT_TRUE(keyspace.ok());
    keyspace_ = std::move(*keyspace);
  }

  /// A store with something of everything.
  void fill() {
    write([&](Tick& tick) {
      for (int i = 0; i < 50; ++i) put(tick, 0, "plain" + std::to_string(i), 0);
      for (int i = 0; i < 20; ++i) put(tick, 0, "timed" + std::to_string(i), 60'000);
      for (int i = 0; i < 10; ++i) put(tick, 1, "soon" + std::to_string(i), 10);
      for (int i = 0; i < 10; ++i) put(tick, 2, "flushed" + std::to_string(i), 60'000);
      EXPECT_TRUE(tick.increment(0, "counter", 5).ok());
    });
    write([&](Tick& tick) {
      EXPECT_TRUE(tick.erase(0, "plain7"));
      EXPECT_TRUE(tick.erase(0, "timed7"));
      EXPECT_TRUE(tick.set_expiry(0, "plain8", clock_.wall_ms() + 5000));
      EXPECT_TRUE(tick.set_expiry(0, "counter", clock_.wall_ms() + 5000));
      EXPECT_TRUE(tick.increment(0, "counter", 1).ok());
      tick.flush_db(2);
      put(tick, 2, "after", 60'000);
      tick.swap_dbs(1, 3);
    });
    clock_.advance_ms(100);
    write([&](Tick& tick) { EXPECT_EQ(tick.drain_expired(4), 4u); });
  }

  template <class Write>
  void write(Write&& change) {
    Tick tick(*keyspace_);
    tick.begin_command(clock_.wall_ms(), ReadTier::kDisk);
    tick.begin_write();
    change(tick);
    EXPECT_TRUE(tick.error().ok());
    EXPECT_TRUE(tick.commit().ok());
  }
  void put(Tick& tick, uint16_t db, std::string_view key, uint64_t ttl_ms) {
    tick.put(db, key, RowKind::kString, "value", ttl_ms == 0 ? 0 : clock_.wall_ms() + ttl_ms);
  }

  StoreReport check(size_t max_problems = 20) {
    return StoreCheck(engine_, {.max_problems = max_problems, .progress = {}}).run();
  }

  static std::string row_key(uint16_t db, std::string_view key) {
    std::string bytes;
    encode_row_key(db, key, {}, &bytes);
    return bytes;
  }
  RowView row_of(const std::string& bytes_key) {
    bytes_ = testing::get(engine_, bytes_key).value_or("");
    const Result<RowView> row = decode_row(bytes_);
    EXPECT_TRUE(row.ok());
    return *row;
  }
  void set(std::string_view key, std::string_view value) {
    EXPECT_TRUE(testing::put(engine_, key, value).ok());
  }
  void remove(std::string_view key) { EXPECT_TRUE(testing::erase(engine_, key).ok()); }

  MemoryEngine engine_;
  ManualClock clock_;
  PurgePolicy purge_{PurgePolicy::Mode::kNever};
  std::unique_ptr<Keyspace> keyspace_;
  std::string bytes_;
};

TEST_F(StoreCheckTest, NewStoreIsSound) {
  const StoreReport report = check();
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_EQ(report.rows, 0u);
  EXPECT_EQ(report.writer, 7u);
}

TEST_F(StoreCheckTest, StoreWithEverythingIsSoundAndCounted) {
  fill();
  const StoreReport report = check();
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(report.databases.at(0).found.keys, 69u);  // 49 plain, 19 timed, the counter
  EXPECT_EQ(report.databases.at(0).found.expiring, 21u);
  EXPECT_EQ(report.databases.at(1).found.keys, 6u);
  EXPECT_EQ(report.databases.at(2).found.keys, 1u);
  EXPECT_EQ(report.tombstones, 2u);
  EXPECT_EQ(report.flushed, 10u);
  EXPECT_EQ(report.drained, 4u);
  EXPECT_EQ(report.logical.at(1), 3u);  // what SWAPDB did
}

TEST_F(StoreCheckTest, SoundAfterEveryStepOfPurging) {
  fill();
  purge_.set_mode(PurgePolicy::Mode::kImmediate);
  ASSERT_TRUE(keyspace_->settle_purge().ok());
  MemoryEngine purging(&purge_);
  const auto batch = purging.new_batch();
  const auto all = engine_.iterate({}, {}, nullptr);
  for (all->seek(""); all->valid(); all->next()) batch->put(all->key(), all->value());
  ASSERT_TRUE(purging.write(*batch).ok());
  ASSERT_TRUE(purging.compact({}, {}).ok());
  const StoreReport report = StoreCheck(purging, {}).run();
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_EQ(report.flushed, 0u);
}

TEST_F(StoreCheckTest, LostRowIsMissedInTheCounts) {
  fill();
  remove(row_key(0, "plain1"));
  EXPECT_THAT(check().problems,
              ElementsAre(HasSubstr("db0: 69 keys are stored as counted, 68 are there")));
}

TEST_F(StoreCheckTest, RowTooManyIsFound) {
  fill();
  set(row_key(0, "stranger"), *testing::get(engine_, row_key(0, "plain1")));
  EXPECT_THAT(check().problems, ElementsAre(HasSubstr("69 keys are stored as counted, 70")));
}

TEST_F(StoreCheckTest, MissingExpiryRecordNamesItsKey) {
  fill();
  const RowView row = row_of(row_key(0, "timed3"));
  std::string record;
  encode_expiry_key(row.expires_at_ms, row_key(0, "timed3"), &record);
  remove(record);
  EXPECT_THAT(check().problems,
              ElementsAre("db0 key \"timed3\" has an expiry, and the expiry index has no record of "
                          "it"));
}

TEST_F(StoreCheckTest, ExpiryRecordTooManyNamesItsKey) {
  fill();
  const RowView row = row_of(row_key(0, "timed3"));
  const HlcStamp stamp = row.version.stamp;
  std::string second, nowhere, dead;
  encode_expiry_key(row.expires_at_ms + 1, row_key(0, "timed3"), &second);
  encode_expiry_key(row.expires_at_ms, row_key(0, "nobody"), &nowhere);
  encode_expiry_key(row.expires_at_ms, row_key(0, "plain7"), &dead);
  for (const std::string& record : {second, nowhere, dead}) set(record, encode_u64(stamp));
  EXPECT_THAT(check().problems,
              UnorderedElementsAre(HasSubstr("\"timed3\" that is not of its present row"),
                                   HasSubstr("\"nobody\", which is not there"),
                                   HasSubstr("\"plain7\", which does not count")));
}

TEST_F(StoreCheckTest, DamagedRowsAreNamed) {
  fill();
  set(row_key(0, "plain1"), "garbage");
  std::string elsewhere = row_key(0, "plain2");
  elsewhere[0] = static_cast<char>(elsewhere[0] ^ 1);  // another slot
  set(elsewhere, *testing::get(engine_, row_key(0, "plain2")));
  const StoreReport report = check();
  EXPECT_THAT(report.problems,
              UnorderedElementsAre(HasSubstr("the row of db0 key \"plain1\" is damaged"),
                                   HasSubstr("a row's key is damaged"),
                                   HasSubstr("69 keys are stored as counted, 68 are there")));
}

TEST_F(StoreCheckTest, ElementInThePlaceOfAFirstRowIsFound) {
  fill();
  RowView row = row_of(row_key(0, "plain1"));
  row.kind = RowKind::kElement;
  std::string element;
  encode_row(row, &element);
  set(row_key(0, "plain1"), element);
  EXPECT_THAT(check().problems, ElementsAre(HasSubstr("an element stands where")));
}

TEST_F(StoreCheckTest, DamagedCounterIsFound) {
  fill();
  const RowView row = row_of(row_key(0, "counter"));
  std::string broken;
  encode_row({row.kind, row.version, row.expires_at_ms, row.payload.substr(1)}, &broken);
  set(row_key(0, "counter"), broken);
  EXPECT_THAT(check().problems, ElementsAre(HasSubstr("the counter of db0 key \"counter\"")));
}

TEST_F(StoreCheckTest, VersionAboveTheClocksBoundIsFound) {
  fill();
  const RowView row = row_of(row_key(0, "plain1"));
  std::string ahead;
  encode_row({row.kind, Version{~HlcStamp{0}, 7}, row.expires_at_ms, row.payload}, &ahead);
  set(row_key(0, "plain1"), ahead);
  EXPECT_THAT(check().problems, ElementsAre(HasSubstr("above the bound of this node's clock")));
}

TEST_F(StoreCheckTest, DamagedLocalRecordsAreNamed) {
  fill();
  set(watermark_record_key(), "x");
  set(std::string("\x90strange", 8), "x");
  const StoreReport report = check();
  EXPECT_THAT(report.problems, ::testing::Contains(HasSubstr("\"watermark\" is ill-formed")));
  EXPECT_THAT(report.problems, ::testing::Contains(HasSubstr("neither a row nor local")));
}

TEST_F(StoreCheckTest, OnlyTheFirstProblemsAreNamedAndAllAreCounted) {
  fill();
  for (int i = 10; i < 40; ++i) set(row_key(0, "plain" + std::to_string(i)), "garbage");
  const StoreReport report = check(5);
  EXPECT_EQ(report.problems.size(), 5u);
  EXPECT_EQ(report.problem_count, 31u);  // and the count that is wrong for it
}

TEST_F(StoreCheckTest, ProgressIsTold) {
  write([&](Tick& tick) {
    for (int i = 0; i < 25'000; ++i) put(tick, 0, std::to_string(i), 0);
  });
  std::vector<uint64_t> told;
  StoreCheck(engine_, {.max_problems = 1, .progress = [&](uint64_t n) { told.push_back(n); }})
      .run();
  EXPECT_THAT(told, ElementsAre(10'000u, 20'000u));
}

}  // namespace
}  // namespace syntropy
