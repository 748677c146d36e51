// A disk that fails under RocksEngine: nothing that failed is acknowledged, reads go on, and after
// recover() all that was visible is durable in files that never failed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <thread>

#include "storage/base/random.h"
#include "storage/rocks_engine.h"
#include "storage/rocks_open.h"
#include "tests/support/engine_helpers.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/page_cache.h"
#include "tests/support/soak.h"
#include "tests/support/temp_dir.h"

namespace syntropy {
namespace {

using testing::Fault;
using testing::FaultFileSystem;
using testing::FileKind;
using testing::FileOperation;
using testing::get;
using testing::put;
using testing::soak_rounds;

constexpr uint64_t kUsualRounds = 12;  // of the longer tests

struct Case {
  const char* name;
  FileOperation operation;
  FileKind kind;
  Fault fault;
  StatusCode code;
};

class RocksFault : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override { open(); }

  void open() {
    RocksOptions options;
    options.dir = dir_ / "store";
    Result<std::unique_ptr<Engine>> opened = open_rocks_engine_on(options, nullptr, disk_);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    engine_ = *std::move(opened);
  }

  // The power goes, and comes back.
  void crash() {
    disk_->power_off();
    engine_.reset();
    SeededRandom random(1);
    disk_->lose_unsynced(FaultFileSystem::Tail::kNone, random);
    open();
  }

  // Writes, syncs and flushes until something fails.
  Status provoke() {
    for (int i = 0; i < 10; ++i) {
      Status status = put(*engine_, "provoked" + std::to_string(i), "x");
      if (status.ok()) status = engine_->sync();
      if (status.ok()) status = engine_->flush();
      if (!status.ok()) return status;
    }
    return {};
  }

  // Another store, with small files, so that flushes and compactions are always under way.
  void open_small() {
    engine_.reset();
    RocksOptions options;
    options.dir = dir_ / "small";
    options.write_buffer_bytes = 64 << 10;
    options.target_file_bytes = 64 << 10;
    options.max_background_jobs = 4;
    Result<std::unique_ptr<Engine>> opened = open_rocks_engine_on(options, nullptr, disk_);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    engine_ = *std::move(opened);
  }

  testing::TempDir dir_;
  std::shared_ptr<FaultFileSystem> disk_ = std::make_shared<FaultFileSystem>();
  std::unique_ptr<Engine> engine_;
};

TEST_P(RocksFault, DegradesReadsOnAndRecoversIntoNewFiles) {
  const Case& fault = GetParam();
  ASSERT_TRUE(put(*engine_, "before", "1").ok());
  ASSERT_TRUE(engine_->sync().ok());
  ASSERT_TRUE(put(*engine_, "unsynced", "1").ok());

  disk_->fail(fault.operation, fault.kind, fault.fault);
  const Status failed = provoke();
  ASSERT_FALSE(failed.ok());
  EXPECT_TRUE(failed.is(fault.code)) << failed.message();

  // Degraded: writes and syncs fail at once, without touching the disk; reads go on.
  const uint64_t failures = disk_->failures();
  EXPECT_FALSE(engine_->health().ok());
  EXPECT_TRUE(engine_->health().is(fault.code)) << engine_->health().message();
  EXPECT_FALSE(put(*engine_, "refused", "x").ok());
  EXPECT_FALSE(engine_->sync().ok());
  EXPECT_EQ(disk_->failures(), failures);
  EXPECT_EQ(get(*engine_, "before"), "1");
  EXPECT_EQ(get(*engine_, "unsynced"), "1");
  EXPECT_EQ(get(*engine_, "refused"), std::nullopt);

  // The disk is still ill: stays degraded. (A log is only written again once there is a new one.)
  if (fault.kind != FileKind::kLog) {
    EXPECT_FALSE(engine_->recover().ok());
    EXPECT_FALSE(engine_->health().ok());
    EXPECT_FALSE(put(*engine_, "refused", "x").ok());
    EXPECT_EQ(get(*engine_, "unsynced"), "1");
  }

  disk_->heal();
  EXPECT_FALSE(put(*engine_, "refused", "x").ok());  // well again only after recover()
  const Status recovered = engine_->recover();
  ASSERT_TRUE(recovered.ok()) << recovered.message();
  EXPECT_TRUE(engine_->health().ok());

  // What was visible is durable now, without another sync.
  const testing::Pairs visible = testing::scan(*engine_, "", "\x80");
  crash();
  EXPECT_EQ(testing::scan(*engine_, "", "\x80"), visible);
  EXPECT_EQ(get(*engine_, "unsynced"), "1");

  ASSERT_TRUE(put(*engine_, "after", "1").ok());
  ASSERT_TRUE(engine_->sync().ok());
  crash();
  EXPECT_EQ(get(*engine_, "after"), "1");
}

TEST_P(RocksFault, SurvivesTheLossOfPowerWhileDegraded) {
  const Case& fault = GetParam();
  ASSERT_TRUE(put(*engine_, "synced", "1").ok());
  ASSERT_TRUE(engine_->sync().ok());
  disk_->fail(fault.operation, fault.kind, fault.fault);
  ASSERT_FALSE(provoke().ok());
  crash();
  EXPECT_EQ(get(*engine_, "synced"), "1");
  ASSERT_TRUE(put(*engine_, "after", "1").ok());
  ASSERT_TRUE(engine_->sync().ok());
}

TEST_P(RocksFault, SurvivesTheEndOfTheProcessWhileDegraded) {
  const Case& fault = GetParam();
  ASSERT_TRUE(put(*engine_, "synced", "1").ok());
  ASSERT_TRUE(engine_->sync().ok());
  ASSERT_TRUE(put(*engine_, "written", "1").ok());
  disk_->fail(fault.operation, fault.kind, fault.fault);
  ASSERT_FALSE(provoke().ok());
  engine_.reset();
  disk_->heal();
  open();
  EXPECT_EQ(get(*engine_, "synced"), "1");
  EXPECT_EQ(get(*engine_, "written"), "1");
}

TEST_P(RocksFault, RecoversAgainAndAgain) {
  const Case& fault = GetParam();
  constexpr int kRounds = 3;
  for (int round = 0; round < kRounds; ++round) {
    const std::string key = "round" + std::to_string(round);
    ASSERT_TRUE(put(*engine_, key, "1").ok());
    disk_->fail(fault.operation, fault.kind, fault.fault);
    ASSERT_FALSE(provoke().ok());
    disk_->heal();
    const Status recovered = engine_->recover();
    ASSERT_TRUE(recovered.ok()) << recovered.message();
    ASSERT_TRUE(engine_->recover().ok());
  }
  crash();
  for (int round = 0; round < kRounds; ++round) {
    EXPECT_EQ(get(*engine_, "round" + std::to_string(round)), "1");
  }
}

constexpr Case kCases[] = {
    {"LogAppendIoError", FileOperation::kAppend, FileKind::kLog, Fault::kIoError,
     StatusCode::kIoError},
    {"LogAppendNoSpace", FileOperation::kAppend, FileKind::kLog, Fault::kNoSpace,
     StatusCode::kNoSpace},
    {"LogAppendPartial", FileOperation::kAppend, FileKind::kLog, Fault::kPartialWrite,
     StatusCode::kIoError},
    {"LogSync", FileOperation::kSync, FileKind::kLog, Fault::kIoError, StatusCode::kIoError},
    {"LogCreate", FileOperation::kCreate, FileKind::kLog, Fault::kIoError, StatusCode::kIoError},
    {"TableCreate", FileOperation::kCreate, FileKind::kTable, Fault::kIoError,
     StatusCode::kIoError},
    {"TableAppendIoError", FileOperation::kAppend, FileKind::kTable, Fault::kIoError,
     StatusCode::kIoError},
    {"TableAppendNoSpace", FileOperation::kAppend, FileKind::kTable, Fault::kNoSpace,
     StatusCode::kNoSpace},
    {"TableSync", FileOperation::kSync, FileKind::kTable, Fault::kIoError, StatusCode::kIoError},
    {"ManifestAppend", FileOperation::kAppend, FileKind::kManifest, Fault::kIoError,
     StatusCode::kIoError},
    {"ManifestAppendPartial", FileOperation::kAppend, FileKind::kManifest, Fault::kPartialWrite,
     StatusCode::kIoError},
    {"ManifestSync", FileOperation::kSync, FileKind::kManifest, Fault::kIoError,
     StatusCode::kIoError},
    {"DirectorySync", FileOperation::kDirectorySync, FileKind::kAny, Fault::kIoError,
     StatusCode::kIoError},
};

INSTANTIATE_TEST_SUITE_P(, RocksFault, ::testing::ValuesIn(kCases),
                         [](const ::testing::TestParamInfo<Case>& parameter) {
                           return parameter.param.name;
                         });

class RocksFaultPlain : public RocksFault {};

// The kernel may report a failed sync once and then pretend that all is well.
TEST_F(RocksFaultPlain, FailedSyncIsNeverRetriedInPlace) {
  ASSERT_TRUE(put(*engine_, "a", "1").ok());
  ASSERT_TRUE(engine_->sync().ok());
  disk_->fail(FileOperation::kSync, FileKind::kLog, Fault::kIoError);
  ASSERT_TRUE(put(*engine_, "b", "1").ok());
  ASSERT_FALSE(engine_->sync().ok());
  disk_->heal();
  const uint64_t log_syncs = disk_->syncs(FileKind::kLog);
  EXPECT_FALSE(engine_->sync().ok());
  EXPECT_EQ(disk_->syncs(FileKind::kLog), log_syncs);
  ASSERT_TRUE(engine_->recover().ok());
  EXPECT_EQ(disk_->syncs(FileKind::kLog), log_syncs);
  crash();
  EXPECT_EQ(get(*engine_, "b"), "1");
}

TEST_F(RocksFaultPlain, FirstWriteOfAllMayFail) {
  disk_->fail(FileOperation::kAppend, FileKind::kLog, Fault::kPartialWrite);
  ASSERT_FALSE(put(*engine_, "a", "1").ok());
  disk_->heal();
  ASSERT_TRUE(engine_->recover().ok());
  ASSERT_TRUE(put(*engine_, "b", "1").ok());
  ASSERT_TRUE(engine_->sync().ok());
  crash();
  EXPECT_EQ(get(*engine_, "b"), "1");
}

// Nothing is in memory then that would make RocksDB leave that log.
TEST_F(RocksFaultPlain, FirstAppendToAFreshLogMayFail) {
  for (const Fault fault : {Fault::kNoSpace, Fault::kIoError, Fault::kPartialWrite}) {
    ASSERT_TRUE(put(*engine_, "before", "1").ok());
    ASSERT_TRUE(engine_->flush().ok());  // begins a new log
    disk_->fail(FileOperation::kAppend, FileKind::kLog, fault);
    ASSERT_FALSE(put(*engine_, "failed", "1").ok());
    disk_->heal();
    const Status recovered = engine_->recover();
    ASSERT_TRUE(recovered.ok()) << recovered.message();
    ASSERT_TRUE(put(*engine_, "after", "1").ok());
    ASSERT_TRUE(engine_->sync().ok());
    crash();
    EXPECT_EQ(get(*engine_, "before"), "1");
    EXPECT_EQ(get(*engine_, "after"), "1");
  }
}

TEST_F(RocksFaultPlain, FirstSyncOfAnEmptyLogMayFail) {
  ASSERT_TRUE(put(*engine_, "a", "1").ok());
  ASSERT_TRUE(engine_->flush().ok());  // begins a new log
  for (const FileOperation operation : {FileOperation::kSync, FileOperation::kDirectorySync}) {
    disk_->fail(operation, FileKind::kAny, Fault::kIoError);
    const bool failed = !engine_->sync().ok();
    disk_->heal();
    const Status recovered = engine_->recover();
    ASSERT_TRUE(recovered.ok()) << recovered.message() << failed;
    ASSERT_TRUE(put(*engine_, "b", "1").ok());
    ASSERT_TRUE(engine_->sync().ok());
    crash();
    EXPECT_EQ(get(*engine_, "b"), "1");
  }
}

TEST_F(RocksFaultPlain, FailedReadDoesNotDegrade) {
  ASSERT_TRUE(put(*engine_, "a", "1").ok());
  ASSERT_TRUE(engine_->flush().ok());
  disk_->fail(FileOperation::kRead, FileKind::kTable, Fault::kIoError);
  std::string value;
  const Status status = engine_->get("a", ReadTier::kDisk, &value);
  EXPECT_TRUE(status.is(StatusCode::kIoError)) << status.message();
  EXPECT_TRUE(put(*engine_, "b", "1").ok());
  disk_->heal();
  EXPECT_EQ(get(*engine_, "a"), "1");
}

// Compaction fails, writing goes on, and compaction works again when the disk does.
TEST_F(RocksFaultPlain, FailedCompactionDoesNotStopWrites) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(put(*engine_, "a", std::to_string(i)).ok());
    ASSERT_TRUE(engine_->flush().ok());
  }
  disk_->fail(FileOperation::kAppend, FileKind::kTable, Fault::kNoSpace);
  EXPECT_FALSE(engine_->compact("", "").ok());
  disk_->heal();
  EXPECT_TRUE(engine_->recover().ok());
  EXPECT_TRUE(put(*engine_, "b", "1").ok());
  EXPECT_TRUE(engine_->compact("", "").ok());
  EXPECT_EQ(get(*engine_, "a"), "2");
}

// A compaction meets the manifest's error, and later a flush meets another one.
TEST_F(RocksFaultPlain, RecoversFromAManifestThatFailedUnderACompaction) {
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(put(*engine_, "a", std::to_string(i)).ok());
      ASSERT_TRUE(engine_->flush().ok());
    }
    disk_->fail(FileOperation::kAppend, FileKind::kManifest, Fault::kNoSpace);
    EXPECT_FALSE(engine_->compact("", "").ok());
    EXPECT_FALSE(engine_->health().ok());
    disk_->heal();
    Status recovered = engine_->recover();
    ASSERT_TRUE(recovered.ok()) << recovered.message();

    disk_->fail(FileOperation::kAppend, FileKind::kTable, Fault::kNoSpace);
    ASSERT_TRUE(put(*engine_, "b", "1").ok());
    EXPECT_FALSE(engine_->flush().ok());
    disk_->heal();
    recovered = engine_->recover();
    ASSERT_TRUE(recovered.ok()) << recovered.message();
  }
  EXPECT_EQ(get(*engine_, "a"), "2");
  EXPECT_EQ(get(*engine_, "b"), "1");
}

// The disk fills up under load, with flushes and compactions under way, and has room again.
TEST_F(RocksFaultPlain, RecoversFromAFullDiskWhateverItInterrupts) {
  open_small();
  SeededRandom random(61);
  uint64_t acknowledged = 0;
  for (uint64_t round = 0; round < soak_rounds(kUsualRounds); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const FileKind kinds[] = {FileKind::kAny, FileKind::kLog, FileKind::kTable,
                              FileKind::kManifest};
    disk_->fail(FileOperation::kAppend, kinds[random.below(4)], Fault::kNoSpace, random.below(600));
    Status status;
    for (uint64_t i = acknowledged + 1; status.ok(); ++i) {
      status =
          put(*engine_, "k" + std::to_string(i % 5000), std::to_string(i) + std::string(100, 'v'));
      if (status.ok() && i % 50 == 0) status = engine_->sync();
      if (status.ok()) acknowledged = i;
    }
    EXPECT_TRUE(status.is(StatusCode::kNoSpace)) << status.message();
    // Too early: it may fail or not, but it comes back.
    if (random.one_in(2)) engine_->recover().ok();
    disk_->heal();
    const Status recovered = engine_->recover();
    ASSERT_TRUE(recovered.ok()) << recovered.message();
    const std::string last = get(*engine_, "k" + std::to_string(acknowledged % 5000)).value_or("");
    EXPECT_EQ(last.substr(0, last.find('v')), std::to_string(acknowledged));
  }
}

// kMemory never waits for the disk, not even when that is all that could be done: it reads what the
// page cache holds of a table file, and no more.
TEST_F(RocksFaultPlain, MemoryTierDoesNotTouchTheDisk) {
  bool untouched = false;
  // Now and then one of RocksDB's own threads reads a new table file after it was dropped from the
  // page cache, which then has it.
  for (int tries = 0; tries < 20 && !untouched; ++tries) {
    RocksOptions options;
    options.dir = dir_ / ("store" + std::to_string(tries));
    engine_.reset();
    engine_ = *open_rocks_engine_on(options, nullptr, disk_);
    ASSERT_TRUE(put(*engine_, "a", "1").ok());
    ASSERT_TRUE(engine_->flush().ok());
    ASSERT_TRUE(put(*engine_, "fresh", "1").ok());
    if (!testing::drop_page_cache(options.dir)) {
      GTEST_SKIP() << "this file system keeps " << options.dir << " in the page cache";
    }
    disk_->fail(FileOperation::kRead, FileKind::kTable, Fault::kIoError);
    std::string value;
    untouched = engine_->get("a", ReadTier::kMemory, &value).is(StatusCode::kIncomplete);
    const Status absent = engine_->get("b", ReadTier::kMemory, &value);
    EXPECT_FALSE(absent.ok());
    EXPECT_EQ(get(*engine_, "fresh", ReadTier::kMemory), "1");
    EXPECT_EQ(disk_->failures(), 0u);
    disk_->heal();
  }
  EXPECT_TRUE(untouched);
  EXPECT_EQ(get(*engine_, "a"), "1");
  EXPECT_EQ(get(*engine_, "a", ReadTier::kMemory), "1");
}

// What the page cache holds is read by whoever asks: RocksDB's own way to the disk isn't taken.
TEST_F(RocksFaultPlain, MemoryTierReadsThePageCache) {
  ASSERT_TRUE(put(*engine_, "a", "1").ok());
  ASSERT_TRUE(engine_->flush().ok());
  disk_->fail(FileOperation::kRead, FileKind::kTable, Fault::kIoError);
  EXPECT_EQ(get(*engine_, "a", ReadTier::kMemory), "1");
  EXPECT_EQ(disk_->failures(), 0u);
}

// A batch that the log didn't take is there to be read, is not acknowledged, and lasts only once
// the engine has recovered.
TEST_F(RocksFaultPlain, WriteThatTheLogDidNotTakeLastsOnceRecovered) {
  for (const bool recovers : {false, true}) {
    ASSERT_TRUE(put(*engine_, "a", "1").ok());
    disk_->fail(FileOperation::kAppend, FileKind::kLog, Fault::kNoSpace);
    const std::unique_ptr<EngineBatch> batch = engine_->new_batch();
    batch->put("a", "2");
    EXPECT_TRUE(engine_->write(*batch).ok());
    EXPECT_TRUE(engine_->health().is(StatusCode::kNoSpace));
    EXPECT_EQ(get(*engine_, "a"), "2");
    EXPECT_FALSE(engine_->sync().ok());
    disk_->heal();
    if (recovers) {
      ASSERT_TRUE(engine_->recover().ok());
    }
    engine_.reset();
    open();
    EXPECT_EQ(get(*engine_, "a"), recovers ? "2" : "1");
  }
}

// Many threads meet the failure of a log at once, some of them in the next log already.
TEST_F(RocksFaultPlain, AcknowledgedWritesSurviveTheEndOfTheProcess) {
  constexpr int kWriters = 4;
  SeededRandom random(62);
  open_small();
  for (uint64_t round = 0; round < soak_rounds(kUsualRounds); ++round) {
    const std::string prefix = std::to_string(round) + ":";
    const auto key = [&](size_t writer, uint64_t number) {
      return prefix + std::to_string(writer) + ":" + std::to_string(number);
    };
    disk_->fail(FileOperation::kAppend, FileKind::kLog,
                random.one_in(2) ? Fault::kPartialWrite : Fault::kNoSpace, random.below(1500));
    std::vector<uint64_t> acknowledged(kWriters);
    std::vector<std::thread> writers;
    for (size_t writer = 0; writer < kWriters; ++writer) {
      writers.emplace_back([&, writer] {
        const std::string value(200, 'v');
        while (put(*engine_, key(writer, acknowledged[writer]), value).ok()) ++acknowledged[writer];
      });
    }
    for (std::thread& writer : writers) writer.join();
    disk_->heal();
    open_small();
    for (size_t writer = 0; writer < kWriters; ++writer) {
      for (uint64_t number = 0; number < acknowledged[writer]; ++number) {
        ASSERT_TRUE(get(*engine_, key(writer, number)).has_value()) << key(writer, number);
      }
    }
  }
}

// Many threads meet the failure at once; none of them is told that its write is durable when it is
// not.
TEST_F(RocksFaultPlain, ConcurrentWritersAreAcknowledgedOnlyWhatIsDurable) {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    disk_->fail(seed % 2 == 0 ? FileOperation::kSync : FileOperation::kAppend, FileKind::kLog,
                seed % 3 == 0 ? Fault::kPartialWrite : Fault::kIoError, 100 + 37 * seed);
    std::mutex mutex;
    std::set<std::string> acknowledged;
    std::vector<std::thread> writers;
    for (int t = 0; t < 4; ++t) {
      writers.emplace_back([&, t] {
        for (int i = 0;; ++i) {
          const std::string key =
              std::to_string(seed) + ":" + std::to_string(t) + ":" + std::to_string(i);
          if (!put(*engine_, key, key).ok() || !engine_->sync().ok()) return;
          const std::lock_guard lock(mutex);
          acknowledged.insert(key);
        }
      });
    }
    for (std::thread& writer : writers) writer.join();
    if (seed % 2 == 0) {
      disk_->heal();
      const Status recovered = engine_->recover();
      ASSERT_TRUE(recovered.ok()) << recovered.message();
    }
    crash();
    for (const std::string& key : acknowledged) ASSERT_EQ(get(*engine_, key), key);
    disk_->heal();
  }
}

}  // namespace
}  // namespace syntropy
