// A store that has lost table files: what is left opens, and what is derived from rows is that of
// the rows that are there.
#include "storage/rocks_salvage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "storage/derived_records.h"
#include "storage/rocks_engine.h"
#include "tests/storage/derived_records.h"
#include "tests/support/engine_helpers.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"

namespace syntropy {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::get;
using ::testing::HasSubstr;
using testing::scan;

constexpr uint64_t kDriftMs = 60'000;
constexpr int kKeys = 3000;
constexpr int kRounds = 5;

/// A store as a node opens it.
struct Store {
  PurgePolicy purge{PurgePolicy::Mode::kNever};  // the engine's compactions ask it until the end
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Keyspace> keyspace;
};

class RocksSalvageTest : public ::testing::Test {
 protected:
  static RocksOptions options(const std::string& dir) {
    RocksOptions options;
    options.dir = dir;
    options.write_buffer_bytes = uint64_t{128} << 10;
    options.target_file_bytes = uint64_t{64} << 10;
    options.compression = "none";
    return options;
  }

  std::unique_ptr<Store> open(const std::string& dir, WriterId new_writer) {
    auto store = std::make_unique<Store>();
    Result<std::unique_ptr<Engine>> engine = open_rocks_engine(options(dir), &store->purge);
    EXPECT_TRUE(engine.ok()) << engine.status().message();
    if (!engine.ok()) return nullptr;
    store->engine = std::move(*engine);
    KeyspaceOptions keyspace;
    keyspace.databases = 2;
    keyspace.new_writer_id = new_writer;
    auto opened = Keyspace::open(*store->engine, clock_, store->purge, keyspace);
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    if (!opened.ok()) return nullptr;
    store->keyspace = std::move(*opened);
    return store;
  }

  static std::string key(int number) { return "key" + std::to_string(number); }

  // Rounds of writes, each in table files of its own to begin with: set, overwritten, deleted,
  // counted, with an expiry, flushed; the last round in the log alone.
  std::string make_store() {
    const std::string dir = dir_ / ("store" + std::to_string(stores_++));
    const std::unique_ptr<Store> store = open(dir, 1);
    for (int round = 0; round < kRounds; ++round) {
      Tick tick(*store->keyspace);
      tick.begin_command(clock_.wall_ms(), ReadTier::kDisk);
      tick.begin_write();
      for (int i = round % 3; i < kKeys; i += 1 + round % 3) write(tick, round, i);
      if (round == 2) tick.flush_db(1);
      tick.drain_expired(1000);
      EXPECT_TRUE(tick.error().ok());
      EXPECT_TRUE(tick.commit().ok());
      clock_.advance_ms(400);
      if (round + 1 == kRounds) break;
      EXPECT_TRUE(store->engine->flush().ok());
    }
    EXPECT_TRUE(store->engine->sync().ok());
    return dir;
  }

  void write(Tick& tick, int round, int number) {
    const uint16_t db = number % 10 == 0 ? 1 : 0;
    if (number % 7 == round) {
      tick.erase(db, key(number));
    } else if (number % 13 == 0) {
      EXPECT_TRUE(tick.increment(db, "n" + key(number), 1).ok());
    } else {
      const uint64_t expiry =
          number % 4 == 0 ? clock_.wall_ms() + static_cast<uint64_t>(number % 1000) * 1000 : 0;
      const std::string value = std::to_string(round) + std::string(100, 'v');
      tick.put(db, key(number), RowKind::kString, value, expiry);
    }
  }

  static std::vector<std::string> tables(const std::string& dir) {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(dir)) {
      if (entry.path().extension() == ".sst") found.push_back(entry.path().filename());
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  std::string copy_of(const std::string& dir) {
    const std::string copy = dir_ / ("copy" + std::to_string(stores_++));
    fs::copy(dir, copy, fs::copy_options::recursive);
    return copy;
  }

  // As the command line tool does it.
  DerivedRecords salvage(const std::string& dir, size_t unreadable) {
    Result<std::unique_ptr<RocksSalvage>> salvage = RocksSalvage::begin(dir);
    EXPECT_TRUE(salvage.ok()) << salvage.status().message();
    if (!salvage.ok()) return {};
    EXPECT_EQ((*salvage)->lost_files().size(), unreadable);
    Result<DerivedRecords> made =
        make_derived_records((*salvage)->engine(), clock_.wall_ms(), kDriftMs, {});
    EXPECT_TRUE(made.ok()) << made.status().message();
    const Status finished = (*salvage)->finish();
    EXPECT_TRUE(finished.ok()) << finished.message();
    return *made;
  }

  // Reads of one row and of all say the same, and what is derived is that of the rows.
  void check(const std::string& dir, const DerivedRecords& made) {
    const std::unique_ptr<Store> store = open(dir, 77);
    ASSERT_TRUE(store);
    EXPECT_EQ(store->keyspace->stats().writer_id, 77u) << "not under the id that it had";
    const testing::Pairs rows = scan(*store->engine, {}, kRowKeysEnd);
    EXPECT_EQ(made.rows, rows.size());
    EXPECT_EQ(made.unreadable, 0u);
    HlcStamp newest = 0;
    for (const auto& [row_key, value] : rows) {
      EXPECT_EQ(get(*store->engine, row_key), value);
      newest = std::max(newest, decode_row(value)->version.stamp);
    }
    for (const auto& [db, counts] : made.databases) {
      EXPECT_EQ(store->keyspace->key_count(db), counts.keys);
      EXPECT_EQ(store->keyspace->expiring_count(db), counts.expiring);
    }
    testing::check_derived(*store->keyspace, clock_.wall_ms());
    Tick tick(*store->keyspace);
    tick.begin_command(clock_.wall_ms(), ReadTier::kDisk);
    tick.begin_write();
    tick.put(0, "new", RowKind::kString, "x", 0);
    EXPECT_GT(tick.get(0, "new")->version.stamp, newest);
    EXPECT_TRUE(tick.commit().ok());
  }

  testing::TempDir dir_;
  testing::ManualClock clock_;
  int stores_ = 0;
};

TEST_F(RocksSalvageTest, StoreWithoutAnyOneOfItsTableFilesIsSalvaged) {
  const std::string dir = make_store();
  const std::vector<std::string> files = tables(dir);
  ASSERT_GE(files.size(), 4u);
  std::set<uint64_t> left;
  for (const std::string& file : files) {
    SCOPED_TRACE(file);
    const std::string copy = copy_of(dir);
    fs::remove(copy + "/" + file);
    const auto refused = open_rocks_engine(options(copy), nullptr);
    ASSERT_FALSE(refused.ok());
    EXPECT_THAT(std::string(refused.status().message()),
                AllOf(HasSubstr(copy + "/" + file), HasSubstr("syntropy salvage " + copy)));
    const auto damage = RocksSalvage::find_damage(copy);
    ASSERT_TRUE(damage.ok()) << damage.status().message();
    ASSERT_EQ(damage->size(), 1u);
    EXPECT_THAT(damage->front(), HasSubstr(file));
    const DerivedRecords made = salvage(copy, 0);
    left.insert(made.rows);
    check(copy, made);
    const auto mended = RocksSalvage::find_damage(copy);
    ASSERT_TRUE(mended.ok()) << mended.status().message();
    EXPECT_TRUE(mended->empty()) << mended->front();
  }
  EXPECT_GT(*left.rbegin(), 1000u);
}

TEST_F(RocksSalvageTest, WhatCannotBeReadIsMovedAway) {
  const std::string dir = make_store();
  const std::string file = tables(dir).back();
  fs::resize_file(dir + "/" + file, fs::file_size(dir + "/" + file) / 2);
  check(dir, salvage(dir, 1));
  EXPECT_TRUE(fs::exists(dir + "/lost/" + file));
}

TEST_F(RocksSalvageTest, FileOfWhichABlockIsDamagedIsFoundThoughTheStoreOpens) {
  const std::string dir = make_store();
  const std::string file = tables(dir).front();
  {
    std::fstream bytes(dir + "/" + file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(1000);
    bytes.write("damage", 6);
  }
  const auto damage = RocksSalvage::find_damage(dir);
  ASSERT_TRUE(damage.ok()) << damage.status().message();
  ASSERT_EQ(damage->size(), 1u);
  EXPECT_THAT(damage->front(), HasSubstr(file));
  check(dir, salvage(dir, 1));
}

TEST_F(RocksSalvageTest, StoreWithoutItsManifestLosesNothing) {
  const std::string dir = make_store();
  testing::Pairs before;
  {
    const std::unique_ptr<Store> store = open(dir, 1);
    before = scan(*store->engine, {}, kRowKeysEnd);
  }
  for (const auto& entry : fs::directory_iterator(dir)) {
    if (entry.path().filename().string().starts_with("MANIFEST-")) fs::remove(entry.path());
  }
  const DerivedRecords made = salvage(dir, 0);
  const std::unique_ptr<Store> store = open(dir, 77);
  ASSERT_TRUE(store);
  EXPECT_EQ(scan(*store->engine, {}, kRowKeysEnd), before);
  EXPECT_EQ(made.rows, before.size());
}

// The process died before RocksDB had removed them.
TEST_F(RocksSalvageTest, LogsAndTableFilesThatWereReplacedDoNotHurt) {
  const std::string dir = make_store();
  const std::string before = copy_of(dir);
  {
    const std::unique_ptr<Store> store = open(dir, 1);  // writes what is in the log to a table file
    ASSERT_TRUE(store->engine->compact({}, {}).ok());
  }
  const std::string lost = tables(dir).back();
  for (const auto& entry : fs::directory_iterator(before)) {
    const std::string name = entry.path().filename();
    if (!name.ends_with(".log") && !name.ends_with(".sst")) continue;
    if (!fs::exists(dir + "/" + name)) fs::copy(entry.path(), dir + "/" + name);
  }
  fs::remove(dir + "/" + lost);
  check(dir, salvage(dir, 0));
}

TEST_F(RocksSalvageTest, SalvageThatEndedHalfwayIsDoneAgainBeforeANodeStarts) {
  const std::string dir = make_store();
  fs::remove(dir + "/" + tables(dir).front());
  { ASSERT_TRUE(RocksSalvage::begin(dir).ok()); }
  const auto refused = open_rocks_engine(options(dir), nullptr);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("syntropy salvage " + dir));
  const auto damage = RocksSalvage::find_damage(dir);
  ASSERT_TRUE(damage.ok()) << damage.status().message();
  EXPECT_EQ(damage->size(), 1u);
  check(dir, salvage(dir, 0));
}

TEST_F(RocksSalvageTest, SoundStoreIsFoundSound) {
  const auto damage = RocksSalvage::find_damage(make_store());
  ASSERT_TRUE(damage.ok()) << damage.status().message();
  EXPECT_TRUE(damage->empty());
}

TEST_F(RocksSalvageTest, StoreInUseIsLeftAlone) {
  const std::string dir = make_store();
  const std::unique_ptr<Store> store = open(dir, 1);
  EXPECT_TRUE(RocksSalvage::find_damage(dir).status().is(StatusCode::kUnavailable));
  EXPECT_TRUE(RocksSalvage::begin(dir).status().is(StatusCode::kUnavailable));
  EXPECT_FALSE(fs::exists(dir + "/SALVAGE"));
}

TEST_F(RocksSalvageTest, DirectoryWithoutAStoreIsLeftAlone) {
  const std::string dir = dir_ / "empty";
  fs::create_directory(dir);
  EXPECT_TRUE(RocksSalvage::find_damage(dir).status().is(StatusCode::kNotFound));
  EXPECT_TRUE(fs::is_empty(dir));
}

}  // namespace
}  // namespace syntropy
