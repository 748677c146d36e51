// Snapshots on real directories, with an engine whose checkpoint can fail or wait.

#include "server/snapshots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <latch>

#include "storage/engine.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"

namespace syntropy {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Its checkpoint is a directory with one file; nothing else of it is used.
class CheckpointEngine final : public Engine {
 public:
  Status checkpoint(const std::string& dir) override {
    if (gate != nullptr) gate->wait();
    fs::create_directory(dir);
    std::ofstream(dir + "/data") << "rows";
    return failure;
  }

  Status get(std::string_view, ReadTier, std::string*) override { return unused(); }
  std::unique_ptr<EngineBatch> new_batch() override { return nullptr; }
  Status write(EngineBatch&) override { return unused(); }
  Status sync() override { return unused(); }
  Status health() const override { return unused(); }
  Status recover() override { return unused(); }
  std::unique_ptr<EngineSnapshot> snapshot() override { return nullptr; }
  std::unique_ptr<EngineIterator> iterate(std::string, std::string,
                                          const EngineSnapshot*) override {
    return nullptr;
  }
  Status flush() override { return unused(); }
  Status compact(std::string_view, std::string_view) override { return unused(); }
  EngineStats stats() const override { return {}; }
  std::vector<uint64_t> sizes(const std::vector<std::string>&) const override { return {}; }

  Status failure;
  std::latch* gate = nullptr;

 private:
  static Status unused() {
    ADD_FAILURE() << "a snapshot needs nothing but a checkpoint";
    return Status::unavailable("unused");
  }
};

class SnapshotsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Snapshots> open(size_t keep = 2) {
    auto snapshots = std::make_unique<Snapshots>(
        engine_, clock_,
        SnapshotsOptions{.dir = dir_.path(), .keep = keep, .changes = [this] { return changes_; }});
    const Status started = snapshots->start();
    EXPECT_TRUE(started.ok()) << started.message();
    return snapshots;
  }
  fs::path folder() const { return fs::path(dir_.path()) / "snapshots"; }
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& entry : fs::directory_iterator(folder())) {
      result.push_back(entry.path().filename().string());
    }
    std::sort(result.begin(), result.end());
    return result;
  }

  testing::TempDir dir_;
  testing::ManualClock clock_{1'700'000'000'000};
  CheckpointEngine engine_;
  uint64_t changes_ = 0;
};

TEST_F(SnapshotsTest, SaveMakesANamedCheckpoint) {
  const auto snapshots = open();
  ASSERT_TRUE(snapshots->save().ok());
  EXPECT_THAT(names(), ElementsAre("20231114T221320Z-000001"));
  EXPECT_TRUE(fs::exists(folder() / "20231114T221320Z-000001" / "data"));
}

TEST_F(SnapshotsTest, KeepsTheNewest) {
  const auto snapshots = open(2);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(snapshots->save().ok());
  EXPECT_THAT(names(), ElementsAre("20231114T221320Z-000003", "20231114T221320Z-000004"));
  snapshots->set_keep(1);
  ASSERT_TRUE(snapshots->save().ok());
  EXPECT_THAT(names(), ElementsAre("20231114T221320Z-000005"));
}

TEST_F(SnapshotsTest, KeepZeroKeepsAll) {
  const auto snapshots = open(0);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(snapshots->save().ok());
  EXPECT_EQ(names().size(), 3u);
}

TEST_F(SnapshotsTest, StartRemovesLeftoversAndGoesOnCounting) {
  fs::create_directories(folder() / "tmp-20231114T221320Z-000009");
  fs::create_directories(folder() / "20231114T221320Z-000007");
  fs::create_directories(folder() / "mine-1");
  const auto snapshots = open(1);
  EXPECT_THAT(names(), ElementsAre("20231114T221320Z-000007", "mine-1"));
  ASSERT_TRUE(snapshots->save().ok());
  // What isn't a snapshot is nobody's business.
  EXPECT_THAT(names(), ElementsAre("20231114T221320Z-000008", "mine-1"));
}

TEST_F(SnapshotsTest, OrderIsByNumberAlsoWhenTheClockWentBack) {
  const auto snapshots = open(1);
  ASSERT_TRUE(snapshots->save().ok());
  clock_.set_wall_ms(1'600'000'000'000);
  ASSERT_TRUE(snapshots->save().ok());
  EXPECT_THAT(names(), ElementsAre("20200913T122640Z-000002"));
}

TEST_F(SnapshotsTest, FailedCheckpointLeavesNothingAndKeepsTheOld) {
  const auto snapshots = open(1);
  ASSERT_TRUE(snapshots->save().ok());
  engine_.failure = Status::no_space("disk full");
  const Status failed = snapshots->save();
  EXPECT_TRUE(failed.is(StatusCode::kNoSpace));
  EXPECT_THAT(names(), ElementsAre("20231114T221320Z-000001"));
  EXPECT_FALSE(snapshots->info().last_ok);
  EXPECT_EQ(snapshots->info().last_error, "disk full");
  EXPECT_EQ(snapshots->info().saves, 1u);
  engine_.failure = Status();
  ASSERT_TRUE(snapshots->save().ok());
  EXPECT_TRUE(snapshots->info().last_ok);
  EXPECT_THAT(snapshots->info().last_error, IsEmpty());
}

TEST_F(SnapshotsTest, OnlyOneSaveAtATime) {
  const auto snapshots = open();
  std::latch gate(1);
  engine_.gate = &gate;
  ASSERT_TRUE(snapshots->save_in_background().ok());
  EXPECT_TRUE(snapshots->info().in_progress);
  clock_.advance_ms(3000);
  EXPECT_EQ(snapshots->info().current_duration_s, 3);
  const Status second = snapshots->save_in_background();
  EXPECT_TRUE(second.is(StatusCode::kUnavailable));
  EXPECT_EQ(second.message(), "Background save already in progress");
  EXPECT_TRUE(snapshots->save().is(StatusCode::kUnavailable));
  gate.count_down();
  snapshots->wait();
  EXPECT_FALSE(snapshots->info().in_progress);
  EXPECT_EQ(snapshots->info().last_duration_s, 3);
  EXPECT_EQ(snapshots->info().current_duration_s, -1);
  ASSERT_TRUE(snapshots->save_in_background().ok());
  snapshots->wait();
  EXPECT_EQ(names().size(), 2u);
}

TEST_F(SnapshotsTest, DestructionWaitsForTheSaveInProgress) {
  auto snapshots = open();
  std::latch gate(1);
  engine_.gate = &gate;
  ASSERT_TRUE(snapshots->save_in_background().ok());
  gate.count_down();
  snapshots.reset();
  EXPECT_THAT(names(), ElementsAre("20231114T221320Z-000001"));
}

TEST_F(SnapshotsTest, TellsTimesAndChanges) {
  const auto snapshots = open();
  EXPECT_EQ(snapshots->info().last_save_s, 1'700'000'000u);
  EXPECT_EQ(snapshots->info().last_duration_s, -1);
  changes_ = 5;
  EXPECT_EQ(snapshots->info().changes_since_save, 5u);
  clock_.advance_ms(60'000);
  ASSERT_TRUE(snapshots->save().ok());
  EXPECT_EQ(snapshots->info().last_save_s, 1'700'000'060u);
  EXPECT_EQ(snapshots->info().changes_since_save, 0u);
  changes_ = 7;
  EXPECT_EQ(snapshots->info().changes_since_save, 2u);
}

TEST_F(SnapshotsTest, FolderThatCannotBeMadeIsAnErrorThatNamesIt) {
  std::ofstream(dir_ / "snapshots") << "a file";
  Snapshots snapshots(engine_, clock_, {.dir = dir_.path(), .keep = 2, .changes = {}});
  const Status failed = snapshots.start();
  EXPECT_FALSE(failed.ok());
  EXPECT_THAT(std::string(failed.message()), HasSubstr(dir_ / "snapshots"));
}

}  // namespace
}  // namespace syntropy
