// What every Engine promises: the same tests on the in-memory one and on RocksDB.
#include "storage/engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <thread>

#include "storage/base/random.h"
#include "storage/memory_engine.h"
#include "storage/rocks_engine.h"
#include "tests/support/engine_helpers.h"
#include "tests/support/temp_dir.h"

namespace syntropy {
namespace {

using testing::erase;
using testing::get;
using testing::Pairs;
using testing::put;
using testing::scan;

enum class Kind { kMemory, kRocks };

class EngineTest : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override { engine_ = open(dir_ / "store"); }

  std::unique_ptr<Engine> open(const std::string& dir) {
    if (GetParam() == Kind::kMemory) return std::make_unique<MemoryEngine>();
    RocksOptions options;
    options.dir = dir;
    Result<std::unique_ptr<Engine>> opened = open_rocks_engine(options, nullptr);
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    return std::move(opened).value();
  }

  std::unique_ptr<Engine> open_checkpoint(const std::string& dir) {
    if (GetParam() == Kind::kRocks) return open(dir);
    Result<std::unique_ptr<MemoryEngine>> opened = MemoryEngine::open_checkpoint(dir);
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    return std::move(opened).value();
  }

  // Without what the store itself writes.
  Pairs rows(const EngineSnapshot* snapshot = nullptr) {
    return scan(*engine_, {}, "\x80", snapshot);
  }

  testing::TempDir dir_;
  std::unique_ptr<Engine> engine_;
};

TEST_P(EngineTest, ReadsWhatWasWritten) {
  EXPECT_EQ(get(*engine_, "a"), std::nullopt);
  ASSERT_TRUE(put(*engine_, "a", "1").ok());
  EXPECT_EQ(get(*engine_, "a"), "1");
  ASSERT_TRUE(put(*engine_, "a", "2").ok());
  EXPECT_EQ(get(*engine_, "a"), "2");
  ASSERT_TRUE(erase(*engine_, "a").ok());
  EXPECT_EQ(get(*engine_, "a"), std::nullopt);
}

TEST_P(EngineTest, KeysAndValuesAreBytes) {
  const std::string key("\0\xFF\x80k", 4);
  const std::string value("\0\r\n\xFF", 4);
  ASSERT_TRUE(put(*engine_, key, value).ok());
  ASSERT_TRUE(put(*engine_, "empty", "").ok());
  EXPECT_EQ(get(*engine_, key), value);
  EXPECT_EQ(get(*engine_, "empty"), "");
}

TEST_P(EngineTest, BatchBecomesVisibleAtOnceInTheOrderOfItsChanges) {
  ASSERT_TRUE(put(*engine_, "gone", "x").ok());
  const std::unique_ptr<EngineBatch> batch = engine_->new_batch();
  EXPECT_TRUE(batch->empty());
  batch->put("a", "1");
  batch->put("b", "1");
  batch->put("a", "2");
  batch->erase("b");
  batch->erase("gone");
  EXPECT_FALSE(batch->empty());
  EXPECT_GE(batch->bytes(), 9u);
  EXPECT_EQ(get(*engine_, "a"), std::nullopt);
  ASSERT_TRUE(engine_->write(*batch).ok());
  EXPECT_EQ(rows(), (Pairs{{"a", "2"}}));
}

TEST_P(EngineTest, BatchIsReusableAfterClear) {
  const std::unique_ptr<EngineBatch> batch = engine_->new_batch();
  batch->put("a", "1");
  ASSERT_TRUE(engine_->write(*batch).ok());
  batch->clear();
  EXPECT_TRUE(batch->empty());
  batch->put("b", "2");
  ASSERT_TRUE(erase(*engine_, "a").ok());
  ASSERT_TRUE(engine_->write(*batch).ok());
  EXPECT_EQ(rows(), (Pairs{{"b", "2"}}));
}

TEST_P(EngineTest, EmptyBatchIsAWriteOfNothing) {
  const std::unique_ptr<EngineBatch> batch = engine_->new_batch();
  EXPECT_TRUE(engine_->write(*batch).ok());
  EXPECT_TRUE(engine_->sync().ok());
  EXPECT_EQ(rows(), Pairs{});
}

TEST_P(EngineTest, IteratesItsRangeInByteOrder) {
  for (const char* key : {"b", "a", "d", "c", "\x7F", "B"})
    ASSERT_TRUE(put(*engine_, key, key).ok());
  const auto keys = [](const Pairs& pairs) {
    std::string joined;
    for (const auto& [key, value] : pairs) joined += key;
    return joined;
  };
  EXPECT_EQ(keys(rows()), "Babcd\x7F");
  EXPECT_EQ(keys(scan(*engine_, "b", "d")), "bc");
  EXPECT_EQ(keys(scan(*engine_, "bb", "\x80")), "cd\x7F");
  EXPECT_EQ(keys(scan(*engine_, "x", "y")), "");

  const std::unique_ptr<EngineIterator> at = engine_->iterate("b", "d", nullptr);
  at->seek("a");  // below the lower bound: starts there
  ASSERT_TRUE(at->valid());
  EXPECT_EQ(at->key(), "b");
  at->seek("c");
  ASSERT_TRUE(at->valid());
  EXPECT_EQ(at->key(), "c");
  at->next();
  EXPECT_FALSE(at->valid());
  at->seek("b");  // usable again
  EXPECT_TRUE(at->valid());
}

TEST_P(EngineTest, IteratorSeesTheStoreAsOfItsMaking) {
  ASSERT_TRUE(put(*engine_, "a", "1").ok());
  ASSERT_TRUE(put(*engine_, "b", "1").ok());
  const std::unique_ptr<EngineIterator> at = engine_->iterate("", "\x80", nullptr);
  ASSERT_TRUE(put(*engine_, "a", "2").ok());
  ASSERT_TRUE(erase(*engine_, "b").ok());
  ASSERT_TRUE(put(*engine_, "c", "2").ok());
  Pairs seen;
  for (at->seek(""); at->valid(); at->next()) seen.emplace_back(at->key(), at->value());
  EXPECT_EQ(seen, (Pairs{{"a", "1"}, {"b", "1"}}));
}

TEST_P(EngineTest, SnapshotsSeeTheirOwnMoments) {
  ASSERT_TRUE(put(*engine_, "a", "1").ok());
  std::unique_ptr<EngineSnapshot> first = engine_->snapshot();
  ASSERT_TRUE(put(*engine_, "a", "2").ok());
  ASSERT_TRUE(put(*engine_, "b", "2").ok());
  const std::unique_ptr<EngineSnapshot> second = engine_->snapshot();
  ASSERT_TRUE(erase(*engine_, "a").ok());
  ASSERT_TRUE(engine_->flush().ok());
  ASSERT_TRUE(engine_->compact("", "").ok());

  EXPECT_EQ(rows(first.get()), (Pairs{{"a", "1"}}));
  EXPECT_EQ(rows(second.get()), (Pairs{{"a", "2"}, {"b", "2"}}));
  EXPECT_EQ(rows(), (Pairs{{"b", "2"}}));
  first.reset();
  EXPECT_EQ(rows(second.get()), (Pairs{{"a", "2"}, {"b", "2"}}));
}

TEST_P(EngineTest, AgreesWithAMapUnderRandomChangesAndSnapshots) {
  using Model = std::map<std::string, std::string>;
  const auto pairs = [](const Model& model) { return Pairs(model.begin(), model.end()); };
  SeededRandom random(11);
  Model model;
  std::vector<std::pair<std::unique_ptr<EngineSnapshot>, Model>> snapshots;
  for (int step = 0; step < 2000; ++step) {
    const std::unique_ptr<EngineBatch> batch = engine_->new_batch();
    for (uint64_t i = random.below(4); i < 4; ++i) {
      const std::string key = "k" + std::to_string(random.below(50));
      if (random.one_in(3)) {
        batch->erase(key);
        model.erase(key);
      } else {
        batch->put(key, std::to_string(step));
        model[key] = std::to_string(step);
      }
    }
    ASSERT_TRUE(engine_->write(*batch).ok());
    if (random.one_in(40)) snapshots.emplace_back(engine_->snapshot(), model);
    if (random.one_in(60) && !snapshots.empty()) {
      snapshots.erase(snapshots.begin() + static_cast<long>(random.below(snapshots.size())));
    }
    if (random.one_in(200)) {
      ASSERT_TRUE(random.one_in(2) ? engine_->flush().ok() : engine_->compact("", "").ok());
    }
    if (random.one_in(50)) {
      for (const auto& [snapshot, then] : snapshots) ASSERT_EQ(rows(snapshot.get()), pairs(then));
    }
  }
  EXPECT_EQ(rows(), pairs(model));
  snapshots.clear();
}

TEST_P(EngineTest, CheckpointIsAStoreOfItsOwn) {
  ASSERT_TRUE(put(*engine_, "a", "1").ok());
  ASSERT_TRUE(engine_->flush().ok());
  ASSERT_TRUE(put(*engine_, "b", "2").ok());
  ASSERT_TRUE(engine_->checkpoint(dir_ / "copy").ok());
  ASSERT_TRUE(put(*engine_, "a", "later").ok());

  EXPECT_TRUE(engine_->checkpoint(dir_ / "copy").is(StatusCode::kAlreadyExists));
  EXPECT_FALSE(engine_->checkpoint(dir_ / "no/such/parent").ok());

  const std::unique_ptr<Engine> copy = open_checkpoint(dir_ / "copy");
  EXPECT_EQ(scan(*copy, "", "\x80"), (Pairs{{"a", "1"}, {"b", "2"}}));
  ASSERT_TRUE(put(*copy, "c", "3").ok());
  EXPECT_EQ(get(*engine_, "c"), std::nullopt);
  EXPECT_EQ(get(*engine_, "a"), "later");
}

TEST_P(EngineTest, HealthyEngineHasNothingToRecover) {
  EXPECT_TRUE(engine_->health().ok());
  EXPECT_TRUE(engine_->recover().ok());
  ASSERT_TRUE(put(*engine_, "a", "1").ok());
  EXPECT_TRUE(engine_->sync().ok());
}

TEST_P(EngineTest, StatsCountWhatIsThere) {
  ASSERT_TRUE(put(*engine_, "a", std::string(100'000, 'x')).ok());
  EXPECT_GE(engine_->stats().memtable_bytes, 100'000u);
  EXPECT_FALSE(engine_->stats().write_stalled);
  for (const auto& [name, value] : engine_->stats().more) {
    EXPECT_EQ(name.find_first_of(": \r\n"), std::string::npos) << name;
    EXPECT_EQ(value.find_first_of(":\r\n"), std::string::npos) << value;
  }
}

// Readers and syncs run beside a writer; every reader sees the two halves of a batch together.
TEST_P(EngineTest, ReadersNeverSeeHalfABatch) {
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int i = 0; i < 2000; ++i) {
      const std::unique_ptr<EngineBatch> batch = engine_->new_batch();
      batch->put("left", std::to_string(i));
      batch->put("right", std::to_string(i));
      EXPECT_TRUE(engine_->write(*batch).ok());
    }
    done = true;
  });
  std::thread syncer([&] {
    while (!done) EXPECT_TRUE(engine_->sync().ok());
  });
  while (!done) {
    const Pairs seen = rows();
    if (seen.empty()) continue;
    ASSERT_EQ(seen.size(), 2u);
    ASSERT_EQ(seen[0].second, seen[1].second);
  }
  writer.join();
  syncer.join();
}

std::string kind_name(const ::testing::TestParamInfo<Kind>& parameter) {
  return parameter.param == Kind::kMemory ? "Memory" : "Rocks";
}

INSTANTIATE_TEST_SUITE_P(, EngineTest, ::testing::Values(Kind::kMemory, Kind::kRocks), kind_name);

// --- MemoryEngine's simulated faults -------------------------------------------------------------

TEST(MemoryEngine, LosesExactlyWhatWasNotSynced) {
  MemoryEngine engine;
  ASSERT_TRUE(put(engine, "a", "1").ok());
  ASSERT_TRUE(put(engine, "b", "1").ok());
  ASSERT_TRUE(engine.sync().ok());
  ASSERT_TRUE(put(engine, "a", "2").ok());
  ASSERT_TRUE(erase(engine, "b").ok());
  ASSERT_TRUE(put(engine, "c", "2").ok());
  engine.lose_unsynced();
  EXPECT_EQ(scan(engine), (Pairs{{"a", "1"}, {"b", "1"}}));
  EXPECT_EQ(engine.syncs(), 1u);
}

TEST(MemoryEngine, FailedWriteIsInvisibleAndDegrades) {
  MemoryEngine engine;
  engine.fail_next_write(Status::no_space("injected"));
  EXPECT_TRUE(put(engine, "a", "1").is(StatusCode::kNoSpace));
  EXPECT_EQ(get(engine, "a"), std::nullopt);
  EXPECT_TRUE(put(engine, "b", "1").is(StatusCode::kNoSpace));
  EXPECT_TRUE(engine.sync().is(StatusCode::kNoSpace));
  EXPECT_TRUE(engine.health().is(StatusCode::kNoSpace));
  ASSERT_TRUE(engine.recover().ok());
  EXPECT_TRUE(put(engine, "b", "1").ok());
}

TEST(MemoryEngine, WriteThatCouldNotBeStoredIsVisibleAndDegrades) {
  MemoryEngine engine;
  for (const bool recovers : {false, true}) {
    engine.fail_next_store(Status::no_space("injected"));
    EXPECT_TRUE(put(engine, "a", "1").is(StatusCode::kNoSpace));
    EXPECT_EQ(get(engine, "a"), "1");
    EXPECT_TRUE(put(engine, "b", "1").is(StatusCode::kNoSpace));
    EXPECT_EQ(get(engine, "b"), std::nullopt);
    if (recovers) {
      ASSERT_TRUE(engine.recover().ok());
    }
    engine.lose_unsynced();
    EXPECT_EQ(get(engine, "a").has_value(), recovers);
  }
}

TEST(MemoryEngine, FailedSyncKeepsWhatItCoveredForTheRecovery) {
  MemoryEngine engine;
  ASSERT_TRUE(put(engine, "a", "1").ok());
  engine.fail_next_sync(Status::io_error("injected"));
  EXPECT_FALSE(engine.sync().ok());
  EXPECT_EQ(get(engine, "a"), "1");
  engine.fail_next_recover(Status::io_error("still"));
  EXPECT_FALSE(engine.recover().ok());
  EXPECT_FALSE(engine.health().ok());
  ASSERT_TRUE(engine.recover().ok());
  engine.lose_unsynced();
  EXPECT_EQ(get(engine, "a"), "1");
}

TEST(MemoryEngine, ColdEngineAnswersOnlyWithTheDisk) {
  MemoryEngine engine;
  ASSERT_TRUE(put(engine, "a", "1").ok());
  engine.set_cold(true);
  std::string value;
  EXPECT_TRUE(engine.get("a", ReadTier::kMemory, &value).is(StatusCode::kIncomplete));
  EXPECT_TRUE(engine.get("b", ReadTier::kMemory, &value).is(StatusCode::kIncomplete));
  EXPECT_EQ(get(engine, "a"), "1");
  engine.fail_next_read(Status::io_error("injected"));
  EXPECT_TRUE(engine.get("a", ReadTier::kDisk, &value).is(StatusCode::kIoError));
  EXPECT_EQ(get(engine, "a"), "1");
}

}  // namespace
}  // namespace syntropy
