// Random ticks on a keyspace against a model that is a map: reads, counts and scans must agree
// after every commit, rollback, failed write, loss of power and restart. A failure prints its seed.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "storage/base/random.h"
#include "storage/counter.h"
#include "storage/keyspace.h"
#include "storage/memory_engine.h"
#include "storage/tick.h"
#include "tests/support/manual_clock.h"

namespace syntropy {
namespace {

constexpr uint16_t kDatabases = 3;

struct ModelValue {
  std::string bytes;
  uint64_t expires_at_ms = 0;
};
using ModelDatabase = std::map<std::string, ModelValue>;
using Model = std::vector<ModelDatabase>;

std::string bytes_of(const RowView& row) {
  if (row.kind == RowKind::kCounter) return std::to_string(*counter_value(row));
  return std::string(row.payload);
}

class KeyspaceRun {
 public:
  KeyspaceRun(uint64_t seed, size_t row_cache_bytes)
      : random_(seed), cache_bytes_(row_cache_bytes) {
    model_.resize(kDatabases);
    durable_ = model_;
    reopen();
  }

  void step() {
    clock_.advance_ms(random_.below(40));
    switch (random_.below(12)) {
      case 0:
        return restart();
      case 1:
        return lose_power();
      case 2:
        ASSERT_TRUE(engine_.compact({}, {}).ok());
        durable_ = model_;  // compacting flushes first
        return;
      case 3:
        if (engine_.sync().ok()) durable_ = model_;
        return;
      case 4:
        ASSERT_TRUE(keyspace_->settle_purge().ok());
        ASSERT_TRUE(engine_.sync().ok());  // it syncs only when it has something to settle
        durable_ = model_;
        return;
      default:
        return run_tick();
    }
  }

  void check() {
    Tick tick(*keyspace_);
    tick.begin_command(clock_.wall_ms(), ReadTier::kDisk);
    tick.begin_write();
    while (tick.drain_expired(2) > 0) {
    }
    for (uint16_t db = 0; db < kDatabases; ++db) check_database(tick, db, model_);
    ASSERT_TRUE(tick.commit().ok());
  }

 private:
  uint64_t now() const { return clock_.wall_ms(); }
  bool live(const ModelValue& value) const {
    return value.expires_at_ms == 0 || value.expires_at_ms > now();
  }

  void check_database(Tick& tick, uint16_t db, const Model& expected) {
    uint64_t keys = 0;
    uint64_t expiring = 0;
    std::map<std::string, std::string> wanted;
    for (const auto& [key, value] : expected[db]) {
      if (!live(value)) continue;
      ++keys;
      expiring += value.expires_at_ms != 0;
      wanted[key] = value.bytes;
    }
    ASSERT_EQ(tick.key_count(db), keys) << "database " << db;
    ASSERT_EQ(tick.expiring_count(db), expiring) << "database " << db;
    std::map<std::string, std::string> scanned;
    std::optional<ScanPosition> position = ScanPosition{};
    while (position) {
      auto next = tick.scan(db, *position, 1 + random_.below(4),
                            [&](std::string_view key, const RowView& row) {
                              EXPECT_TRUE(scanned.emplace(key, bytes_of(row)).second);
                              return true;
                            });
      ASSERT_TRUE(next.ok()) << next.status().message();
      position = *next;
    }
    ASSERT_EQ(scanned, wanted) << "database " << db;
    for (int i = 0; i < 8; ++i) {
      const std::string key = random_key();
      const std::optional<RowView> row = tick.get(db, key);
      const auto at = wanted.find(key);
      ASSERT_EQ(row.has_value(), at != wanted.end()) << key;
      if (row) {
        ASSERT_EQ(bytes_of(*row), at->second);
      }
    }
  }

  void run_tick() {
    Tick tick(*keyspace_);
    Model next = model_;
    const uint64_t commands = 1 + random_.below(6);
    for (uint64_t i = 0; i < commands; ++i) {
      engine_.set_cold(random_.one_in(3));
      const Model before = next;
      tick.begin_command(now(), ReadTier::kMemory);
      tick.begin_write();
      const uint64_t parts = 1 + random_.below(4);
      for (uint64_t part = 0; part < parts; ++part) write_one(tick, next);
      const bool missed = !tick.misses().empty();
      engine_.set_cold(false);
      if (missed) {
        ASSERT_TRUE(keyspace_->fetch(tick.misses()).ok());
      }
      if (missed || random_.one_in(5)) {
        tick.rollback_command();
        next = before;
      }
    }
    if (random_.one_in(4)) {
      tick.begin_command(now(), ReadTier::kDisk);
      for (uint16_t db = 0; db < kDatabases; ++db) {
        while (tick.drain_expired(3) > 0) {
        }
        check_database(tick, db, next);
      }
    }
    const bool refused = random_.one_in(8) && tick.has_writes();
    const bool torn = !refused && random_.one_in(8) && tick.has_writes();
    if (refused) engine_.fail_next_write(Status::io_error("injected"));
    if (torn) engine_.fail_next_store(Status::io_error("injected"));
    const Status committed = tick.commit();
    ASSERT_EQ(committed.ok(), !refused);
    ASSERT_EQ(engine_.health().ok(), !refused && !torn);
    // What could not be stored is visible nevertheless.
    if (!refused) model_ = std::move(next);
    if (refused || torn) leave_degraded_state();
  }

  void leave_degraded_state() {
    if (random_.one_in(3)) return lose_power();
    ASSERT_TRUE(engine_.recover().ok());
    durable_ = model_;  // recovery makes everything visible durable
  }

  void write_one(Tick& tick, Model& next) {
    const auto db = static_cast<uint16_t>(random_.below(kDatabases));
    const std::string key = random_key();
    ModelDatabase& database = next[db];
    const auto at = database.find(key);
    const bool there = at != database.end() && live(at->second);
    switch (random_.below(11)) {
      case 10:
        return purge_one(tick, key_of(db, key));
      case 0:
      case 1:
      case 2: {
        const std::string value = std::to_string(random_.below(1000));
        const uint64_t expiry = random_.one_in(2) ? now() + random_.below(120) : 0;
        tick.put(db, key, RowKind::kString, value, expiry);
        database[key] = {value, expiry};
        if (expiry != 0 && expiry <= now()) database.erase(key);
        return;
      }
      case 3:
      case 4:
        // With a miss the answer means nothing, and the command is rolled back.
        if (tick.erase(db, key) != there) {
          ASSERT_FALSE(tick.misses().empty());
        }
        database.erase(key);
        return;
      case 5: {
        const uint64_t expiry = random_.one_in(3) ? 0 : now() + random_.below(100);
        tick.set_expiry(db, key, expiry);
        if (!there) return;
        at->second.expires_at_ms = expiry;
        if (expiry != 0 && expiry <= now()) database.erase(key);
        return;
      }
      case 6:
      case 7:
      case 8: {
        const int64_t delta = static_cast<int64_t>(random_.below(9)) - 4;
        const int64_t old = there ? std::stoll(at->second.bytes) : 0;
        Result<int64_t> sum = tick.increment(db, key, delta);
        if (tick.misses().empty()) {
          ASSERT_TRUE(sum.ok());
          ASSERT_EQ(*sum, old + delta);
        }
        if (!there) database[key] = {};
        database[key].bytes = std::to_string(old + delta);
        return;
      }
      default:
        if (!random_.one_in(4)) return;
        if (random_.one_in(2)) {
          tick.flush_db(db);
          next[db].clear();
        } else {
          const auto other = static_cast<uint16_t>(random_.below(kDatabases));
          tick.swap_dbs(db, other);
          std::swap(next[db], next[other]);
        }
    }
  }

  // Nothing changes for readers: what is alive stays, and what is dead they don't see.
  void purge_one(Tick& tick, const std::string& row_key) {
    if (random_.one_in(3)) tick.raise_purge_watermark(tick.latest_stamp());
    const Result<bool> purged = tick.purge_row(row_key, tick.latest_stamp());
    // With a miss the command is rolled back.
    if (!purged.ok()) {
      ASSERT_FALSE(tick.misses().empty());
    }
  }

  static std::string key_of(uint16_t physical_db, std::string_view key) {
    std::string row_key;
    encode_row_key(physical_db, key, {}, &row_key);
    return row_key;
  }

  void restart() {
    keyspace_.reset();
    reopen();
  }

  void lose_power() {
    keyspace_.reset();
    engine_.lose_unsynced();
    model_ = durable_;
    reopen();
  }

  void reopen() {
    purge_ = std::make_unique<PurgePolicy>(PurgePolicy::Mode::kImmediate);
    filter_.target = purge_.get();
    KeyspaceOptions options;
    options.databases = kDatabases;
    options.row_cache_bytes = cache_bytes_;
    options.new_writer_id = 7;
    Result<std::unique_ptr<Keyspace>> opened = Keyspace::open(engine_, clock_, *purge_, options);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    keyspace_ = std::move(*opened);
    if (engine_.sync().ok()) durable_ = model_;  // the writer's id is synced, and all before it
  }

  std::string random_key() { return "key" + std::to_string(random_.below(12)); }

  // The engine outlives the policy of each start.
  struct Forward final : PurgeFilter {
    const PurgePolicy* target = nullptr;
    bool may_drop(std::string_view key, std::string_view value) const override {
      return target != nullptr && target->may_drop(key, value);
    }
  };

  SeededRandom random_;
  const size_t cache_bytes_;
  testing::ManualClock clock_;
  Forward filter_;
  MemoryEngine engine_{&filter_};
  std::unique_ptr<PurgePolicy> purge_;
  std::unique_ptr<Keyspace> keyspace_;
  Model model_;
  Model durable_;
};

uint64_t seed_count() {
  const char* soak = std::getenv("SYNTROPY_SOAK");
  return soak != nullptr ? 4000 : 150;
}

void run_seeds(size_t row_cache_bytes) {
  for (uint64_t seed = 1; seed <= seed_count(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    KeyspaceRun run(seed, row_cache_bytes);
    for (int step = 0; step < 60; ++step) {
      run.step();
      if (::testing::Test::HasFatalFailure()) return;
      run.check();
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(KeyspaceModel, AgreesWithAMapThroughFaultsAndRestarts) { run_seeds(size_t{1} << 20); }

TEST(KeyspaceModel, AgreesWithoutARowCache) { run_seeds(0); }

TEST(KeyspaceModel, AgreesWithARowCacheThatHoldsHardlyAnything) { run_seeds(64 * 1600); }

}  // namespace
}  // namespace syntropy
