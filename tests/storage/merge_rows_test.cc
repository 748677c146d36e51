// Rows and flush stamps of other nodes, merged through ticks. Several nodes write at the same time,
// with clocks apart, and get each other's batches in any order and more than once: in the end all
// hold the same rows, counts and expiry records, those of a model that only folds with merge().
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "storage/base/random.h"
#include "storage/counter.h"
#include "storage/keyspace.h"
#include "storage/local_keys.h"
#include "storage/log_applier.h"
#include "storage/memory_engine.h"
#include "storage/merge.h"
#include "storage/tick.h"
#include "tests/storage/derived_records.h"
#include "tests/support/engine_helpers.h"
#include "tests/support/manual_clock.h"

namespace syntropy {
namespace {

constexpr uint16_t kDatabases = 2;
constexpr uint64_t kHourMs = 3'600'000;

using Rows = std::map<std::string, std::string>;
using Flushes = std::map<uint16_t, HlcStamp>;

// What one commit has changed.
struct Change {
  Rows rows;
  Flushes flushes;
};

uint16_t db_of(std::string_view row_key) { return decode_row_key(row_key)->db; }
HlcStamp stamp_of(std::string_view row) { return decode_row(row)->version.stamp; }

std::string row_key(uint16_t db, std::string_view key, std::string_view subkey = {}) {
  std::string out;
  encode_row_key(db, key, subkey, &out);
  return out;
}

std::string row(RowKind kind, Version version, std::string_view payload, uint64_t expiry = 0) {
  std::string out;
  encode_row({kind, version, expiry, payload}, &out);
  return out;
}

class Node {
 public:
  explicit Node(WriterId writer) : next_writer_(writer) { open(); }

  Keyspace& keyspace() { return *keyspace_; }
  MemoryEngine& engine() { return engine_; }
  testing::ManualClock& clock() { return clock_; }

  void open() {
    KeyspaceOptions options;
    options.databases = kDatabases;
    options.new_writer_id = next_writer_++;
    options.replicated = true;
    purge_ = std::make_unique<PurgePolicy>(PurgePolicy::Mode::kNever);
    keyspace_ = std::move(*Keyspace::open(engine_, clock_, *purge_, options));
    SeededRandom random(next_writer_);
    ASSERT_TRUE(LogApplier(*keyspace_).begin_lineage(LineageId::random(random)).ok());
  }

  void lose_power() {
    keyspace_.reset();
    engine_.lose_unsynced();
    open();
  }

  Rows rows() {
    Rows rows;
    for (auto& [key, value] : testing::scan(engine_, {}, kRowKeysEnd)) rows.emplace(key, value);
    return rows;
  }

  Flushes flushes() { return testing::flush_stamps(engine_); }

  /// Rows that no flush has killed: those that all nodes must agree on.
  Rows standing_rows() {
    Rows standing;
    Flushes flushed = flushes();
    for (auto& [key, value] : rows()) {
      if (stamp_of(value) > flushed[db_of(key)]) standing.emplace(key, value);
    }
    return standing;
  }

  /// One tick; returns what it changed.
  template <class Body>
  Change run(Body&& body) {
    const Rows rows_before = rows();
    const Flushes flushes_before = flushes();
    Tick tick(*keyspace_);
    tick.begin_command(clock_.wall_ms(), ReadTier::kDisk);
    tick.begin_write();
    body(tick);
    EXPECT_TRUE(tick.error().ok());
    EXPECT_TRUE(tick.commit().ok());
    Change change;
    for (auto& [key, value] : rows()) {
      const auto old = rows_before.find(key);
      if (old == rows_before.end() || old->second != value) change.rows.emplace(key, value);
    }
    for (auto& [db, stamp] : flushes()) {
      const auto old = flushes_before.find(db);
      if (old == flushes_before.end() || old->second != stamp) change.flushes.emplace(db, stamp);
    }
    return change;
  }

  void merge(const Change& change) {
    run([&](Tick& tick) {
      for (auto& [db, stamp] : change.flushes) ASSERT_TRUE(tick.merge_flush(db, stamp).ok());
      for (auto& [key, value] : change.rows) {
        const Result<bool> merged = tick.merge_row(key, value);
        ASSERT_TRUE(merged.ok()) << merged.status().message();
      }
    });
  }

  /// Counts and the expiry index against the rows that are stored.
  void check_derived() { testing::check_derived(*keyspace_, clock_.wall_ms()); }

 private:
  WriterId next_writer_;
  testing::ManualClock clock_;
  MemoryEngine engine_;
  std::unique_ptr<PurgePolicy> purge_;
  std::unique_ptr<Keyspace> keyspace_;
};

class MergeRun {
 public:
  explicit MergeRun(uint64_t seed) : random_(seed) {
    for (WriterId writer : {1000, 2000, 3000}) {
      nodes_.push_back(std::make_unique<Node>(writer));
      // Some clocks are an hour off, so that their stamps are not followed.
      const uint64_t skew = random_.one_in(4) ? kHourMs : random_.below(3000);
      nodes_.back()->clock().advance_ms(skew);
    }
  }

  void step() {
    Node& node = *nodes_[random_.below(nodes_.size())];
    node.clock().advance_ms(random_.below(60));
    switch (random_.below(12)) {
      case 0:
        ASSERT_TRUE(node.engine().sync().ok());
        return;
      case 1:
        return node.lose_power();  // what it had given out lives on elsewhere
      case 2:
      case 3:
      case 4:
      case 5:
        if (!changes_.empty()) node.merge(changes_[random_.below(changes_.size())]);
        return;
      case 6:
        return node.check_derived();
      default: {
        Change change = node.run([&](Tick& tick) {
          for (uint64_t i = 1 + random_.below(4); i > 0; --i) write_one(tick);
        });
        if (!change.rows.empty() || !change.flushes.empty()) changes_.push_back(std::move(change));
      }
    }
  }

  /// Everybody gets everything, in an order of its own, some of it twice.
  void finish() {
    uint64_t latest = 0;
    for (auto& node : nodes_) latest = std::max(latest, node->clock().wall_ms());
    nodes_.push_back(std::make_unique<Node>(9000));  // one that has nothing yet
    for (auto& node : nodes_) {
      node->clock().set_wall_ms(latest);
      std::vector<size_t> order;
      for (size_t i = 0; i < changes_.size(); ++i) {
        order.push_back(i);
        if (random_.one_in(3)) order.push_back(i);
      }
      for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random_.below(i)]);
      for (const size_t i : order) {
        node->merge(changes_[i]);
        if (random_.one_in(16)) node->check_derived();
      }
    }
    const Rows wanted = folded();
    for (auto& node : nodes_) {
      ASSERT_EQ(node->standing_rows(), wanted);
      node->check_derived();
    }
    check_sums();
  }

 private:
  void write_one(Tick& tick) {
    const auto db = static_cast<uint16_t>(random_.below(kDatabases));
    const std::string key = "key" + std::to_string(random_.below(6));
    const uint64_t soon = tick.now_ms() + 1 + random_.below(400);
    switch (random_.below(9)) {
      case 0:
      case 1:
        tick.put(db, key, RowKind::kString, std::to_string(random_.below(9)),
                 random_.one_in(2) ? soon : 0);
        return;
      case 2:
        tick.erase(db, key);
        return;
      case 3:
        tick.set_expiry(db, key, random_.one_in(3) ? 0 : soon);
        return;
      case 4:
      case 5:
        ASSERT_TRUE(tick.increment(db, key, static_cast<int64_t>(random_.below(7)) - 3).ok());
        return;
      case 6:
        if (random_.one_in(4)) {
          tick.flush_db(0);
          EXPECT_EQ(tick.key_count(0), 0u) << "a row survives FLUSHDB";
        }
        return;
      default:
        // Database 1 is never flushed and this key only incremented, so no increment may be lost.
        ASSERT_TRUE(tick.increment(1, "sum", 1).ok());
        ++sum_;
    }
  }

  Rows folded() {
    Rows rows;
    Flushes flushes;
    for (const Change& change : changes_) {
      for (auto& [db, stamp] : change.flushes) flushes[db] = std::max(flushes[db], stamp);
      for (auto& [key, value] : change.rows) {
        const auto [at, fresh] = rows.emplace(key, value);
        if (fresh) continue;
        std::string merged;
        merge(*decode_row(at->second), *decode_row(value), &merged);
        at->second = merged;
      }
    }
    std::erase_if(rows,
                  [&](const auto& at) { return stamp_of(at.second) <= flushes[db_of(at.first)]; });
    return rows;
  }

  void check_sums() {
    if (sum_ == 0) return;
    nodes_.front()->run([&](Tick& tick) {
      const std::optional<RowView> row = tick.get(1, "sum");
      ASSERT_TRUE(row.has_value());
      EXPECT_EQ(*counter_value(*row), sum_) << "increments were lost";
    });
  }

  SeededRandom random_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<Change> changes_;
  int64_t sum_ = 0;
};

TEST(MergeRows, AnyOrderAndDuplicationGivesTheSameRowsCountsAndExpiryIndex) {
  const uint64_t seeds = std::getenv("SYNTROPY_SOAK") != nullptr ? 3000 : 120;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    MergeRun run(seed);
    for (int step = 0; step < 60 && !::testing::Test::HasFailure(); ++step) run.step();
    if (!::testing::Test::HasFailure()) run.finish();
    if (::testing::Test::HasFailure()) return;
  }
}

class MergeRow : public ::testing::Test {
 protected:
  Result<bool> merge_row(std::string_view key, std::string_view value) {
    std::optional<Result<bool>> merged;
    node_.run([&](Tick& tick) { merged = tick.merge_row(key, value); });
    return *merged;
  }
  Result<bool> merge_flush(HlcStamp stamp) {
    std::optional<Result<bool>> merged;
    node_.run([&](Tick& tick) { merged = tick.merge_flush(0, stamp); });
    return *merged;
  }
  std::optional<std::string> get(std::string_view key) {
    std::optional<std::string> value;
    node_.run([&](Tick& tick) {
      if (const auto found = tick.get(0, key)) value = std::string(found->payload);
    });
    return value;
  }
  void put(std::string_view key, std::string_view value) {
    node_.run([&](Tick& tick) { tick.put(0, key, RowKind::kString, value, 0); });
  }
  HlcStamp stamp_at(uint64_t ahead_ms) { return hlc_stamp(node_.clock().wall_ms() + ahead_ms, 0); }

  Node node_{1};
};

TEST_F(MergeRow, SecondTimeChangesNothing) {
  const std::string value = row(RowKind::kString, {stamp_at(0), 7}, "v");
  EXPECT_TRUE(*merge_row(row_key(0, "k"), value));
  const uint64_t writes = node_.engine().writes();
  EXPECT_FALSE(*merge_row(row_key(0, "k"), value));
  EXPECT_EQ(node_.engine().writes(), writes);
  EXPECT_EQ(get("k"), "v");
}

TEST_F(MergeRow, RefusesWhatIsNoRowOrStandsInAWrongPlace) {
  const Version at{stamp_at(0), 7};
  const std::string good = row(RowKind::kString, at, "v");
  const auto refusal = [&](std::string_view key, std::string_view value) {
    const Result<bool> merged = merge_row(key, value);
    return merged.ok() ? StatusCode::kOk : merged.status().code();
  };
  EXPECT_EQ(refusal("x", good), StatusCode::kCorruption);
  EXPECT_EQ(refusal(row_key(0, "k"), good.substr(0, 5)), StatusCode::kCorruption);
  EXPECT_EQ(refusal(row_key(0, "k"), row(RowKind::kCounter, at, "no counter")),
            StatusCode::kCorruption);
  EXPECT_EQ(refusal(row_key(0, "k"), row(RowKind::kElement, at, "")), StatusCode::kCorruption);
  EXPECT_EQ(refusal(row_key(0, "k", "sub"), good), StatusCode::kCorruption);
  EXPECT_EQ(refusal(row_key(0, "k"), row(RowKind::kString, {UINT64_MAX, 7}, "v")),
            StatusCode::kCorruption);
  EXPECT_EQ(refusal(row_key(kDatabases, "k"), good), StatusCode::kInvalidArgument);
  EXPECT_TRUE(node_.rows().empty());
}

TEST_F(MergeRow, RowsOfElementsAreStoredAndNotCounted) {
  const Version at{stamp_at(0), 7};
  EXPECT_TRUE(*merge_row(row_key(0, "k", "hfield"), row(RowKind::kElement, at, "v")));
  EXPECT_EQ(node_.rows().size(), 1u);
  EXPECT_EQ(node_.keyspace().key_count(0), 0u);
}

TEST_F(MergeRow, RowThatIsNotInMemoryIsAMissAndNothingChanges) {
  const std::string value = row(RowKind::kString, {stamp_at(0), 7}, "v");
  Tick tick(node_.keyspace());
  tick.begin_command(node_.clock().wall_ms(), ReadTier::kMemory);
  tick.begin_write();
  node_.engine().set_cold(true);
  EXPECT_TRUE(tick.merge_row(row_key(0, "k"), value).status().is(StatusCode::kIncomplete));
  EXPECT_EQ(tick.misses(), std::vector<std::string>{row_key(0, "k")});
  EXPECT_FALSE(tick.has_writes());
}

TEST_F(MergeRow, ClockFollowsRemoteStampsAlsoOverARestart) {
  put("mine", "1");
  ASSERT_TRUE(merge_row(row_key(0, "k"), row(RowKind::kString, {stamp_at(30'000), 7}, "v")).ok());
  EXPECT_EQ(node_.keyspace().stats().clock_refusals, 0u);
  node_.open();
  // Not the replaced row but the clock puts the flush above it.
  node_.run([](Tick& tick) { tick.flush_db(0); });
  EXPECT_EQ(get("k"), std::nullopt);
  EXPECT_EQ(node_.keyspace().key_count(0), 0u);
}

TEST_F(MergeRow, StampFarAheadRaisesTheAlarmAndCostsNoWrite) {
  ASSERT_TRUE(merge_row(row_key(0, "k"), row(RowKind::kString, {stamp_at(kHourMs), 7}, "v")).ok());
  EXPECT_EQ(node_.keyspace().stats().clock_refusals, 1u);
  EXPECT_EQ(node_.keyspace().stats().clock_worst_drift_ms, kHourMs);
  EXPECT_EQ(get("k"), "v");
  put("k", "w");
  EXPECT_EQ(get("k"), "w");
}

TEST_F(MergeRow, FlushKillsRowsStampedFarAheadAndNotWhatIsWrittenAfterIt) {
  ASSERT_TRUE(merge_row(row_key(0, "k"), row(RowKind::kString, {stamp_at(kHourMs), 7}, "v")).ok());
  put("k2", "v");
  node_.open();  // it is remembered
  node_.run([](Tick& tick) { tick.flush_db(0); });
  EXPECT_EQ(get("k"), std::nullopt);
  EXPECT_EQ(node_.keyspace().key_count(0), 0u);
  put("k2", "after");
  EXPECT_EQ(get("k2"), "after");
  EXPECT_EQ(node_.keyspace().key_count(0), 1u);
}

TEST_F(MergeRow, ExpirySetFarAheadGivesWayToALaterOne) {
  // A counter whose expiry was set by a clock an hour ahead; ours sets another.
  std::string payload;
  encode_counter({5, {stamp_at(kHourMs), 7}, {}}, &payload);
  const std::string ahead =
      row(RowKind::kCounter, {stamp_at(0), 7}, payload, node_.clock().wall_ms() + 5000);
  ASSERT_TRUE(merge_row(row_key(0, "k"), ahead).ok());
  node_.run([&](Tick& tick) { EXPECT_TRUE(tick.set_expiry(0, "k", 0)); });
  // A node that has seen both agrees with this one.
  EXPECT_FALSE(*merge_row(row_key(0, "k"), ahead));
  EXPECT_EQ(decode_row(node_.rows().begin()->second)->expires_at_ms, 0u);
}

TEST_F(MergeRow, FlushOfAnotherNodeLeavesLaterRows) {
  put("old", "1");
  const HlcStamp flush = stamp_of(node_.rows().begin()->second);
  put("new", "2");
  EXPECT_TRUE(*merge_flush(flush));
  EXPECT_FALSE(*merge_flush(flush));
  EXPECT_FALSE(*merge_flush(flush - 1));
  EXPECT_EQ(get("old"), std::nullopt);
  EXPECT_EQ(get("new"), "2");
  EXPECT_EQ(node_.keyspace().key_count(0), 1u);
  node_.check_derived();
}

TEST_F(MergeRow, RowsThatAFlushHasKilledAreNotStored) {
  EXPECT_TRUE(*merge_flush(stamp_at(10)));
  EXPECT_FALSE(*merge_row(row_key(0, "k"), row(RowKind::kString, {stamp_at(10), 7}, "v")));
  EXPECT_TRUE(node_.rows().empty());
}

TEST_F(MergeRow, FlushAndWritesOfOneTickAddUp) {
  put("a", "1");
  put("b", "2");
  const HlcStamp flush = stamp_of(node_.rows().at(row_key(0, "a")));
  node_.run([&](Tick& tick) {
    tick.put(0, "a", RowKind::kString, "3", 0);
    tick.put(0, "b", RowKind::kString, "3", 0);
    ASSERT_TRUE(*tick.merge_flush(0, flush));
    tick.put(0, "c", RowKind::kString, "4", 0);
    EXPECT_EQ(tick.key_count(0), 3u);
    // Rolled back, the flush is as if it had not been.
    tick.begin_command(node_.clock().wall_ms(), ReadTier::kDisk);
    ASSERT_TRUE(*tick.merge_flush(0, stamp_at(50'000)));
    EXPECT_EQ(tick.key_count(0), 0u);
    tick.rollback_command();
    EXPECT_EQ(tick.key_count(0), 3u);
  });
  EXPECT_EQ(node_.keyspace().key_count(0), 3u);
  node_.check_derived();
}

TEST(WriterIdOfAReplicatedStore, IsNewAfterACrashAndKeptAfterACleanShutdown) {
  Node node(100);
  EXPECT_EQ(node.keyspace().stats().writer_id, 100u);
  node.open();
  EXPECT_EQ(node.keyspace().stats().writer_id, 101u);
  ASSERT_TRUE(node.keyspace().mark_clean().ok());
  node.open();
  EXPECT_EQ(node.keyspace().stats().writer_id, 101u);
  node.lose_power();  // the mark was taken away before anything was written
  EXPECT_EQ(node.keyspace().stats().writer_id, 103u);
}

}  // namespace
}  // namespace syntropy
