// A replicated store for tests of purging, with a listener that keeps the covered rows as it is
// told of them.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/keyspace.h"
#include "storage/local_keys.h"
#include "storage/log_applier.h"
#include "storage/memory_engine.h"
#include "storage/tick.h"
#include "tests/storage/derived_records.h"
#include "tests/support/engine_helpers.h"
#include "tests/support/manual_clock.h"

namespace syntropy::testing {

inline LineageId lineage(char letter) {
  return *LineageId::from_bytes(std::string(LineageId::kBytes, letter));
}

inline std::string row_key_of(std::string_view key, uint16_t db = 0) {
  std::string out;
  encode_row_key(db, key, {}, &out);
  return out;
}

inline std::string encoded(const RowView& row) {
  std::string out;
  encode_row(row, &out);
  return out;
}

inline HlcStamp stamp_of(std::string_view row) { return decode_row(row)->version.stamp; }

/// The covered rows by what it was told. Rows that a flush kills it keeps until prune().
class CoveredRows final : public RowChangeListener {
 public:
  void changing(uint64_t, Killed, std::span<const RowChange> changes,
                std::span<const SlotKeys>) override {
    for (const RowChange& change : changes) {
      const auto at = rows.find(change.row_key);
      if (!change.before.empty()) {
        ASSERT_NE(at, rows.end()) << "a row that was never told of goes";
        EXPECT_EQ(at->second, change.before);
      }
      if (!change.after.empty()) {
        staged[std::string(change.row_key)] = change.after;
      } else {
        staged[std::string(change.row_key)] = std::nullopt;
      }
    }
  }
  void changed(uint64_t, bool stored) override {
    for (auto& [key, value] : staged) {
      if (!stored) break;
      if (value) {
        rows[key] = *value;
      } else {
        rows.erase(key);
      }
    }
    staged.clear();
  }
  void recount() override {}
  void emptied() override { rows.clear(); }

  void prune(std::map<uint16_t, HlcStamp> flushed) {
    std::erase_if(rows, [&](const auto& row) {
      return stamp_of(row.second) <= flushed[decode_row_key(row.first)->db];
    });
  }

  std::map<std::string, std::string, std::less<>> rows;
  std::map<std::string, std::optional<std::string>> staged;
};

class PurgeStore {
 public:
  explicit PurgeStore(WriterId writer) : next_writer_(writer) { open(); }

  void open() {
    applier_.reset();
    keyspace_.reset();
    KeyspaceOptions options;
    options.databases = 2;
    options.new_writer_id = next_writer_++;
    options.replicated = true;
    keyspace_ = std::move(*Keyspace::open(engine_, clock, purge_, options));
    applier_ = std::make_unique<LogApplier>(*keyspace_);
    covered.rows.clear();
    for (auto& [key, value] : rows()) covered.rows[key] = value;
    covered.prune(flush_stamps(engine_));
    ASSERT_TRUE(keyspace_->set_row_listener(&covered, nullptr).ok());
  }

  void lose_power() {
    applier_.reset();
    keyspace_.reset();
    engine_.lose_unsynced();
    open();
  }

  void lead(char letter = 'a') { ASSERT_TRUE(applier().begin_lineage(lineage(letter)).ok()); }
  void follow(PurgeStore& primary) {
    ASSERT_TRUE(applier().follow(primary.log().position().history, log().offset(), {}).ok());
  }
  /// Takes all that the other's log has beyond this one's.
  void pull(PurgeStore& from) {
    const uint64_t offset = log().offset();
    const Result<std::string> records = from.log().read(offset, SIZE_MAX);
    ASSERT_TRUE(records.ok());
    if (records->empty()) return;
    const Status appended = applier().append(offset, *records);
    ASSERT_TRUE(appended.ok()) << appended.message();
  }

  /// One tick of one command.
  template <class Body>
  Status run(Body&& body) {
    Tick tick(*keyspace_);
    tick.begin_command(clock.wall_ms(), ReadTier::kDisk);
    tick.begin_write();
    body(tick);
    EXPECT_TRUE(tick.error().ok());
    return tick.commit();
  }
  void put(std::string_view key, std::string_view value, uint64_t expires_at_ms = 0) {
    ASSERT_TRUE(
        run([&](Tick& tick) { tick.put(0, key, RowKind::kString, value, expires_at_ms); }).ok());
  }
  void erase(std::string_view key) {
    ASSERT_TRUE(run([&](Tick& tick) { EXPECT_TRUE(tick.erase(0, key)); }).ok());
  }
  bool purge(std::string_view key, HlcStamp stamp) {
    std::optional<Result<bool>> purged;
    EXPECT_TRUE(run([&](Tick& tick) { purged = tick.purge_row(row_key_of(key), stamp); }).ok());
    return **purged;
  }
  std::optional<std::string> get(std::string_view key) {
    Tick tick(*keyspace_);
    tick.begin_command(clock.wall_ms(), ReadTier::kDisk);
    const std::optional<RowView> row = tick.get(0, key);
    return row ? std::optional(std::string(row->payload)) : std::nullopt;
  }

  Pairs rows() { return scan(engine_, {}, kRowKeysEnd); }
  std::optional<std::string> row(std::string_view key) {
    return testing::get(engine_, row_key_of(key));
  }
  HlcStamp newest() {
    Tick tick(*keyspace_);
    return tick.latest_stamp();
  }

  /// Counts, index and listener against the rows.
  void check() {
    check_derived(*keyspace_, clock.wall_ms());
    std::map<uint16_t, HlcStamp> flushed = flush_stamps(engine_);
    covered.prune(flushed);
    Pairs standing = rows();
    std::erase_if(standing, [&](const auto& row) {
      return stamp_of(row.second) <= flushed[decode_row_key(row.first)->db];
    });
    EXPECT_EQ(Pairs(covered.rows.begin(), covered.rows.end()), standing);
  }

  ReplicationLog& log() { return *keyspace_->replication_log(); }
  LogApplier& applier() { return *applier_; }
  Keyspace& keyspace() { return *keyspace_; }
  MemoryEngine& engine() { return engine_; }

  ManualClock clock;
  CoveredRows covered;

 private:
  WriterId next_writer_;
  PurgePolicy purge_{PurgePolicy::Mode::kNever};
  MemoryEngine engine_{&purge_};
  std::unique_ptr<Keyspace> keyspace_;
  std::unique_ptr<LogApplier> applier_;
};

/// A writer and a follower that has nothing yet.
class PurgeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    writer_.lead();
    follower_.follow(writer_);
  }
  // A tombstone; returns its stamp.
  HlcStamp kill(std::string_view key) {
    writer_.put(key, "v");
    writer_.erase(key);
    return stamp_of(*writer_.row(key));
  }
  Status purge(HlcStamp watermark, std::vector<PurgedRow> rows) {
    return writer_.applier().purge(watermark, rows);
  }
  static std::string record_of(std::string_view key, std::string_view row) {
    LogRecordBuilder builder;
    builder.add_row(row_key_of(key), row);
    return *builder.take();
  }

  PurgeStore writer_{100};
  PurgeStore follower_{200};
};

}  // namespace syntropy::testing
