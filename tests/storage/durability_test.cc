// Who is told that a write is safe, when the engine is not healthy.
#include "storage/durability.h"

#include <gtest/gtest.h>

#include "storage/memory_engine.h"
#include "tests/support/engine_helpers.h"
#include "tests/support/manual_clock.h"

namespace syntropy {
namespace {

class DurabilityOf : public ::testing::TestWithParam<SyncPolicy> {
 protected:
  // A tick that writes, or only reads.
  Status tick(bool writes) {
    durability_.start_tick();
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
