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

class FailingFile : public ::testing::TestWithParam<Fault> {
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
  std::shared_ptr<RecoverableFileSystem> files_ =
      std::make_shared<RecoverableFileSystem>(disk_, dir_ / "store");
  std::unique_ptr<rocksdb::Env> env_ = rocksdb::NewCompositeEnv(files_);
  std::unique_ptr<rocksdb::DB> db_;
};

TEST_P(FailingFile, TornLogIsReportedUntilAbandonedAndNeverSynced) {
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

TEST_P(FailingFile, WriteThatAsksForASyncFails) {
  disk_->fail(FileOperation::kAppend, FileKind::kLog, GetParam());
  rocksdb::WriteOptions synced;
  synced.sync = true;
  EXPECT_FALSE(db_->Put(synced, "a", "1").ok());
}

// The process ends when RocksDB has gone on with the next log.
TEST_P(FailingFile, NothingBehindATornLogComesBack) {
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

// A checkpoint that cannot be written is a failed checkpoint.
TEST_P(FailingFile, LogOfACheckpointReportsItsOwnErrors) {
  const std::string elsewhere = dir_ / "000009.log";
  std::unique_ptr<rocksdb::FSWritableFile> file;
  ASSERT_TRUE(files_->NewWritableFile(elsewhere, {}, &file, nullptr).ok());
  disk_->fail(FileOperation::kAppend, FileKind::kLog, GetParam());
  EXPECT_FALSE(file->Append("x", {}, nullptr).ok());
  EXPECT_FALSE(files_->log_torn());
}

// RocksDB writes to its diary whatever happened to it.
TEST_P(FailingFile, DiaryTakesEverything) {
  disk_->fail(FileOperation::kAppend, FileKind::kOther, GetParam());
  disk_->fail(FileOperation::kCreate, FileKind::kOther, GetParam());
  std::unique_ptr<rocksdb::FSWritableFile> file;
  EXPECT_TRUE(files_->NewWritableFile(dir_ / "store/LOG", {}, &file, nullptr).ok());
  EXPECT_TRUE(file->Append("x", {}, nullptr).ok());
  EXPECT_TRUE(file->Close({}, nullptr).ok());

  std::shared_ptr<rocksdb::Logger> logger;
  ASSERT_TRUE(rocksdb::CreateLoggerFromOptions(options_.dir, db_->GetDBOptions(), &logger).ok());
  for (int i = 0; i < 1000; ++i) rocksdb::Info(logger, "%s", std::string(500, 'x').c_str());
  logger->Flush();
  rocksdb::Info(logger, "after the failure");
  EXPECT_GT(disk_->failures(), 0u);
}

INSTANTIATE_TEST_SUITE_P(, FailingFile,
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
