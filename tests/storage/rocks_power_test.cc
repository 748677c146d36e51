// The loss of power under load: what a sync acknowledged is there afterwards, no batch is torn, and
// the store is what a prefix of the writes made it.
//
// SYNTROPY_SOAK=<n> runs n rounds of each kind instead of 24.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "storage/base/random.h"
#include "storage/memory_engine.h"
#include "storage/rocks_engine.h"
#include "storage/rocks_open.h"
#include "tests/support/engine_helpers.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/soak.h"
#include "tests/support/temp_dir.h"

namespace syntropy {
namespace {

using testing::FaultFileSystem;
using testing::soak_rounds;
using Tail = FaultFileSystem::Tail;

constexpr uint64_t kUsualRounds = 24;  // of each kind
constexpr int kWriters = 4;
constexpr int kKeysPerBatch = 5;

// The writers share one order of batches, as the keyspace's lock gives it to them: batch n writes n
// to all keys of its writer and to "last".
class Load {
 public:
  explicit Load(Engine& engine, uint64_t first) : engine_(engine), next_(first) {}

  // Until an operation fails, or `batches` were written.
  void run(int writer, uint64_t seed, uint64_t batches) {
    SeededRandom random(seed);
    for (uint64_t i = 0; i < batches; ++i) {
      uint64_t number = 0;
      {
        const std::lock_guard lock(mutex_);
        number = next_;
        if (!write(writer, number, random.below(2000))) return;
        ++next_;
      }
      if (random.one_in(3)) continue;  // somebody with another policy
      if (!engine_.sync().ok()) return;
      uint64_t seen = durable_.load();
      while (seen < number && !durable_.compare_exchange_weak(seen, number)) {
      }
    }
  }

  uint64_t durable() const { return durable_.load(); }

 private:
  bool write(int writer, uint64_t number, uint64_t padding) {
    const std::unique_ptr<EngineBatch> batch = engine_.new_batch();
    const std::string value = std::to_string(number) + " " + std::string(padding, 'p');
    for (int i = 0; i < kKeysPerBatch; ++i) {
      batch->put("w" + std::to_string(writer) + ":" + std::to_string(i), value);
    }
    batch->put("last", std::to_string(number));
    return engine_.write(*batch).ok();
  }

  Engine& engine_;
  std::mutex mutex_;  // the order of writes
  uint64_t next_;
  std::atomic<uint64_t> durable_{0};  // the greatest batch that a sync has acknowledged
};

class RocksPower : public ::testing::TestWithParam<Tail> {
 protected:
  std::unique_ptr<Engine> open() {
    RocksOptions options;
    options.dir = dir_ / "store";
    options.write_buffer_bytes = 256 << 10;  // so that flushes and compactions join in
    options.target_file_bytes = 256 << 10;
    Result<std::unique_ptr<Engine>> opened = open_rocks_engine_on(options, nullptr, disk_);
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    return opened.ok() ? *std::move(opened) : nullptr;
  }

  testing::TempDir dir_;
  std::shared_ptr<FaultFileSystem> disk_ = std::make_shared<FaultFileSystem>();
};

TEST_P(RocksPower, LosesNothingThatWasSyncedAndTearsNoBatch) {
  uint64_t first = 1;
  for (uint64_t round = 0; round < soak_rounds(kUsualRounds); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    SeededRandom random(1000 * static_cast<uint64_t>(GetParam()) + round);
    std::unique_ptr<Engine> engine = open();
    ASSERT_NE(engine, nullptr);
    Load load(*engine, first);
    // Wherever everybody is then.
    disk_->power_off_after(testing::FileKind::kLog, 20 + random.below(800));
    std::vector<std::thread> writers;
    for (int writer = 0; writer < kWriters; ++writer) {
      writers.emplace_back(
          [&, writer, seed = random.next()] { load.run(writer, seed, UINT64_MAX); });
    }
    for (std::thread& writer : writers) writer.join();
    const uint64_t durable = load.durable();
    engine.reset();
    disk_->lose_unsynced(GetParam(), random);

    engine = open();
    ASSERT_NE(engine, nullptr);
    const uint64_t last = std::stoull(testing::get(*engine, "last").value_or("0"));
    EXPECT_GE(last, durable) << "an acknowledged write is lost";
    uint64_t newest = 0;
    for (int writer = 0; writer < kWriters; ++writer) {
      const std::string prefix = "w" + std::to_string(writer) + ":";
      const auto rows = testing::scan(*engine, prefix, prefix + "~");
      EXPECT_TRUE(rows.empty() || rows.size() == kKeysPerBatch);
      for (const auto& [key, value] : rows) {
        EXPECT_EQ(value, rows.front().second) << "a batch is torn at " << key;
        newest = std::max<uint64_t>(newest, std::stoull(value));
      }
    }
    EXPECT_EQ(newest, last) << "not a prefix of the writes";
    first = last + 1;
  }
}

// Power goes again and again while the store is being opened, at every file operation in turn.
TEST_P(RocksPower, LosesNothingWhenOpeningIsInterrupted) {
  {
    const std::unique_ptr<Engine> engine = open();
    ASSERT_NE(engine, nullptr);
    Load load(*engine, 1);
    load.run(0, 7, 300);
    ASSERT_TRUE(engine->sync().ok());
  }
  SeededRandom random(8);
  using testing::Fault;
  using testing::FileKind;
  using testing::FileOperation;
  for (const FileOperation operation :
       {FileOperation::kCreate, FileOperation::kAppend, FileOperation::kSync,
        FileOperation::kRename, FileOperation::kDirectorySync}) {
    for (uint64_t after = 0; after < 12; ++after) {
      disk_->fail(operation, FileKind::kAny, Fault::kIoError, after);
      RocksOptions options;
      options.dir = dir_ / "store";
      {
        const auto opened = open_rocks_engine_on(options, nullptr, disk_);
        disk_->power_off();
      }
      disk_->lose_unsynced(GetParam(), random);
    }
  }
  const std::unique_ptr<Engine> engine = open();
  ASSERT_NE(engine, nullptr);
  EXPECT_EQ(testing::get(*engine, "last"), "300");
}

INSTANTIATE_TEST_SUITE_P(, RocksPower, ::testing::Values(Tail::kNone, Tail::kPrefix, Tail::kHoles),
                         [](const ::testing::TestParamInfo<Tail>& parameter) {
                           switch (parameter.param) {
                             case Tail::kNone:
                               return "NothingUnsyncedSurvives";
                             case Tail::kPrefix:
                               return "SomeOfTheTailSurvives";
                             case Tail::kHoles:
                               return "TailSurvivesWithHoles";
                           }
                           return "";
                         });

// The order of loss is the same for the engine of the simulations.
TEST(MemoryPower, LosesNothingThatWasSynced) {
  MemoryEngine engine;
  uint64_t first = 1;
  for (uint64_t round = 0; round < soak_rounds(kUsualRounds); ++round) {
    Load load(engine, first);
    load.run(0, round, 50);
    const uint64_t durable = load.durable();
    engine.lose_unsynced();
    const uint64_t last = std::stoull(testing::get(engine, "last").value_or("0"));
    EXPECT_GE(last, durable);
    first = last + 1;
  }
}

}  // namespace
}  // namespace syntropy
