// Who is told that a write is safe, when the engine is not healthy.
#include "storage/durability.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <vector>

#include "storage/memory_engine.h"
#include "tests/support/engine_helpers.h"
#include "tests/support/manual_clock.h"

namespace syntropy {
namespace {

class DurabilityOf : public ::testing::TestWithParam<SyncPolicy> {
 protected:
  // A tick that writes, or only reads.
  Status tick(bool writes) {
    bool wrote = false;
    if (writes) {
      const std::unique_ptr<EngineBatch> batch = engine_.new_batch();
      batch->put("key", "value");
      wrote = engine_.write(*batch).ok();
    }
    return durability_.finish_tick(wrote);
  }

  MemoryEngine engine_;
  testing::ManualClock clock_;
  Durability durability_{engine_, clock_, GetParam(), {}};
};

TEST_P(DurabilityOf, AcknowledgesTicksOfAHealthyEngine) {
  EXPECT_TRUE(tick(true).ok());
  EXPECT_TRUE(tick(false).ok());
}

TEST_P(DurabilityOf, DoesNotAcknowledgeWhatCouldNotBeStored) {
  engine_.fail_next_store(Status::no_space("injected"));
  const Status first = tick(true);
  EXPECT_TRUE(first.is(StatusCode::kNoSpace)) << first.message();
  EXPECT_EQ(testing::get(engine_, "key"), "value");
  ASSERT_TRUE(engine_.recover().ok());
  EXPECT_TRUE(tick(true).ok());
}

TEST_P(DurabilityOf, ReadersLearnOfItOnlyWhenTheirRepliesMustBeDurable) {
  engine_.fail_next_store(Status::io_error("injected"));
  EXPECT_FALSE(tick(true).ok());
  EXPECT_EQ(tick(false).ok(), GetParam() != SyncPolicy::kAlways);
}

class AlwaysDurable : public ::testing::Test {
 protected:
  Durability::Point write() {
    const std::unique_ptr<EngineBatch> batch = engine_.new_batch();
    batch->put("key", "value");
    const bool wrote = engine_.write(*batch).ok();
    const Result<Durability::Point> point = durability_.end_tick(wrote);
    EXPECT_TRUE(point.ok());
    return point.ok() ? *point : 0;
  }

  std::future<Status> await(Durability::Point point) {
    auto answer = std::make_shared<std::promise<Status>>();
    durability_.await(point, 1, [answer](const Status& status) { answer->set_value(status); });
    return answer->get_future();
  }

  MemoryEngine engine_;
  testing::ManualClock clock_;
  std::atomic<int> syncs_{0};
  Durability durability_{
      engine_,
      clock_,
      SyncPolicy::kAlways,
      {.synced = [this](uint64_t, const Status&) { ++syncs_; }, .health_changed = {}}};
};

TEST_F(AlwaysDurable, NobodyWaitsWhenNothingIsUnsynced) {
  EXPECT_EQ(*durability_.end_tick(false), 0u);
  EXPECT_TRUE(await(write()).get().ok());
  EXPECT_EQ(*durability_.end_tick(false), 0u);
}

TEST_F(AlwaysDurable, AReaderWaitsForWhatOthersWrote) {
  const Durability::Point point = write();
  EXPECT_EQ(*durability_.end_tick(false), point);
}

TEST_F(AlwaysDurable, TicksShareASync) {
  constexpr int kTicks = 1000;
  std::vector<std::future<Status>> answers;
  Durability::Point last = 0;
  for (int i = 0; i < kTicks; ++i) last = write();
  for (int i = 0; i < kTicks; ++i) answers.push_back(await(last));
  for (std::future<Status>& answer : answers) EXPECT_TRUE(answer.get().ok());
  EXPECT_EQ(syncs_, 1);
  EXPECT_FALSE(durability_.has_unsynced());
}

// Also those who come when their point was synced a moment ago.
TEST_F(AlwaysDurable, EveryWaiterIsAnsweredSoon) {
  for (int i = 0; i < 200; ++i) {
    const Durability::Point point = write();
    std::future<Status> first = await(point);
    EXPECT_TRUE(first.get().ok());
    std::future<Status> late = await(point);
    ASSERT_EQ(late.wait_for(std::chrono::milliseconds(500)), std::future_status::ready) << i;
  }
}

TEST_F(AlwaysDurable, AFailedSyncIsToldToAllWhoWait) {
  const Durability::Point point = write();
  engine_.fail_next_sync(Status::io_error("injected"));
  engine_.fail_next_recover(Status::io_error("injected"));
  std::future<Status> one = await(point);
  std::future<Status> two = await(point);
  EXPECT_TRUE(one.get().is(StatusCode::kIoError));
  EXPECT_TRUE(two.get().is(StatusCode::kIoError));
  EXPECT_TRUE(durability_.has_unsynced());
  EXPECT_FALSE(durability_.end_tick(false).ok());
}

TEST(Durability, EverySecondSyncsByItself) {
  MemoryEngine engine;
  testing::ManualClock clock;
  std::promise<Status> synced;
  Durability durability(
      engine, clock, SyncPolicy::kEverySecond,
      {.synced = [&](uint64_t, const Status& s) { synced.set_value(s); }, .health_changed = {}});
  durability.note_write();
  EXPECT_TRUE(synced.get_future().get().ok());
}

INSTANTIATE_TEST_SUITE_P(, DurabilityOf,
                         ::testing::Values(SyncPolicy::kAlways, SyncPolicy::kEverySecond,
                                           SyncPolicy::kNever),
                         [](const ::testing::TestParamInfo<SyncPolicy>& parameter) {
                           switch (parameter.param) {
                             case SyncPolicy::kAlways:
                               return "Always";
                             case SyncPolicy::kEverySecond:
                               return "EverySecond";
                             case SyncPolicy::kNever:
                               return "Never";
                           }
                           return "";
                         });

}  // namespace
}  // namespace syntropy
