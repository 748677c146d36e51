// A log whose append fails: RocksDB isn't told, and what it writes on is never mistaken for the
// whole.
#include "storage/rocks_file_system.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <filesystem>

#include "storage/rocks_engine.h"
#include "storage/rocks_setup.h"
#include "tests/support/engine_helpers.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/temp_dir.h"

namespace syntropy {
namespace {

using testing::Fault;
using testing::FaultFileSystem;
using testing::FileKind;
using testing::FileOperation;
using testing::get;

class TornLog : public ::testing::TestWithParam<Fault> {
 protected:
  void SetUp() override {
    options_.dir = dir_ / "store";
    ASSERT_TRUE(open_rocks_engine(options_, nullptr).ok());  // makes a store of ours
    rocksdb::Options rocks = *rocks_setup(options_);
    rocks.env = env_.get();
    rocksdb::DB* made = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(rocks, options_.dir, &made).ok());
    db_.reset(made);
  }

  rocksdb::Status put(const std::string& key) {
    return db_->Put(rocksdb::WriteOptions(), key, std::string(100, 'v'));
  }

  void tear_log() {
    disk_->fail(FileOperation::kAppend, FileKind::kLog, GetParam());
    EXPECT_TRUE(put("lost").ok());
    disk_->heal();
  }

  // Makes RocksDB begin a new log, without a flush that would make the old one needless.
  void begin_log() {
    db_->PauseBackgroundWork();
    rocksdb::FlushOptions later;
    later.wait = false;
    ASSERT_TRUE(db_->Flush(later).ok());
  }

  uint64_t current_log() {
    std::unique_ptr<rocksdb::LogFile> log;
    EXPECT_TRUE(db_->GetCurrentWalFile(&log).ok());
    return log->LogNumber();
  }

  testing::TempDir dir_;
  RocksOptions options_;
  std::shared_ptr<FaultFileSystem> disk_ = std::make_shared<FaultFileSystem>();
  std::shared_ptr<RecoverableFileSystem> files_ = std::make_shared<RecoverableFileSystem>(disk_);
  std::unique_ptr<rocksdb::Env> env_ = rocksdb::NewCompositeEnv(files_);
  std::unique_ptr<rocksdb::DB> db_;
};

TEST_P(TornLog, IsReportedUntilAbandonedAndNeverSynced) {
  ASSERT_TRUE(put("kept").ok());
  EXPECT_FALSE(files_->log_torn());
  EXPECT_TRUE(files_->log_failure().ok());
  EXPECT_TRUE(files_->sync_logs().ok());
  tear_log();
  EXPECT_TRUE(files_->log_torn());
  EXPECT_FALSE(files_->log_failure().ok());
  const uint64_t syncs = disk_->syncs(FileKind::kLog);
  EXPECT_FALSE(files_->sync_logs().ok());
  EXPECT_EQ(disk_->syncs(FileKind::kLog), syncs);

  files_->abandon_logs_below(current_log());
  EXPECT_TRUE(files_->log_torn());
  files_->abandon_logs_below(current_log() + 1);
  EXPECT_FALSE(files_->log_torn());
  EXPECT_TRUE(files_->log_failure().ok());
  EXPECT_TRUE(files_->sync_logs().ok());
}

TEST_P(TornLog, WriteThatAsksForASyncFails) {
  disk_->fail(FileOperation::kAppend, FileKind::kLog, GetParam());
  rocksdb::WriteOptions synced;
  synced.sync = true;
  EXPECT_FALSE(db_->Put(synced, "a", "1").ok());
}

// The process ends when RocksDB has gone on with the next log.
TEST_P(TornLog, NothingThatCameAfterTheLostComesBack) {
  ASSERT_TRUE(put("kept").ok());
  tear_log();
  EXPECT_TRUE(put("swallowed").ok());
  const uint64_t torn = current_log();
  begin_log();
  ASSERT_GT(current_log(), torn);
  ASSERT_TRUE(put("behind").ok());

  RocksOptions copy;
  copy.dir = dir_ / "copy";
  std::filesystem::copy(options_.dir, copy.dir, std::filesystem::copy_options::recursive);
  db_->ContinueBackgroundWork();
  const Result<std::unique_ptr<Engine>> engine = open_rocks_engine(copy, nullptr);
  ASSERT_TRUE(engine.ok()) << engine.status().message();
  EXPECT_TRUE(get(**engine, "kept").has_value());
  EXPECT_FALSE(get(**engine, "lost").has_value());
  EXPECT_FALSE(get(**engine, "swallowed").has_value());
  EXPECT_FALSE(get(**engine, "behind").has_value());
}

INSTANTIATE_TEST_SUITE_P(, TornLog,
                         ::testing::Values(Fault::kIoError, Fault::kNoSpace, Fault::kPartialWrite),
                         [](const ::testing::TestParamInfo<Fault>& parameter) {
                           switch (parameter.param) {
                             case Fault::kIoError:
                               return "IoError";
                             case Fault::kNoSpace:
                               return "NoSpace";
                             case Fault::kPartialWrite:
                               return "PartialWrite";
                           }
                           return "";
                         });

}  // namespace
}  // namespace syntropy
