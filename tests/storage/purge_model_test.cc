// A writer that purges what it finds dead at random moments, and followers that apply its log late
// or lose power: no live key is lost, and all end with the same rows, byte for byte. A failure
// prints its seed.
#include <gtest/gtest.h>

#include "storage/base/random.h"
#include "storage/base/slot.h"
#include "storage/counter.h"
#include "storage/purge_scan.h"
#include "tests/storage/purge_store.h"

namespace syntropy {
namespace {

using testing::PurgeStore;

class PurgeRun {
 public:
  explicit PurgeRun(uint64_t seed) : random_(seed) {
    writer_.lead();
    follower_.follow(writer_);
  }

  void step() {
    const uint64_t ms = random_.below(40);
    writer_.clock.advance_ms(ms);
    follower_.clock.advance_ms(ms);
    switch (random_.below(12)) {
      case 0:
        return follower_.pull(writer_);
      case 1:
        return scan_some();
      case 2:
        return purge_found();
      case 3:
        ASSERT_TRUE(follower_.engine().sync().ok());
        return;
      case 4:
        follower_.lose_power();
        return follower_.follow(writer_);
      case 5:
        return writer_.check();
      case 6:
        return follower_.check();
      default:
        ASSERT_TRUE(writer_
                        .run([this](Tick& tick) {
                          for (uint64_t i = 1 + random_.below(3); i > 0; --i) write_one(tick);
                        })
                        .ok());
    }
  }

  void finish() {
    scan_some();
    purge_found();
    follower_.pull(writer_);
    EXPECT_EQ(follower_.keyspace().purged_up_to(), writer_.keyspace().purged_up_to());
    EXPECT_EQ(follower_.rows(), writer_.rows());
    writer_.check();
    follower_.check();
    for (int i = 0; i < kKeys; ++i) {
      const std::string key = std::to_string(i);
      const auto at = model_.find(key);
      const bool alive = at != model_.end() && (at->second.expires_at_ms == 0 ||
                                                at->second.expires_at_ms > writer_.clock.wall_ms());
      Tick tick(follower_.keyspace());
      tick.begin_command(follower_.clock.wall_ms(), ReadTier::kDisk);
      const std::optional<RowView> row = tick.get(0, key);
      ASSERT_EQ(row.has_value(), alive) << key;
      if (row) {
        EXPECT_EQ(*counter_value(*row), at->second.number) << key;
      }
    }
  }

 private:
  static constexpr int kKeys = 8;
  struct Value {
    int64_t number = 0;
    uint64_t expires_at_ms = 0;
  };

  void write_one(Tick& tick) {
    const std::string key = std::to_string(random_.below(kKeys));
    const auto at = model_.find(key);
    if (at != model_.end() && at->second.expires_at_ms != 0 &&
        at->second.expires_at_ms <= tick.now_ms()) {
      model_.erase(at);
    }
    const auto number = static_cast<int64_t>(random_.below(100));
    const uint64_t expiry = random_.one_in(2) ? 0 : tick.now_ms() + 1 + random_.below(60);
    switch (random_.below(8)) {
      case 0:
      case 1:
        tick.put(0, key, RowKind::kString, std::to_string(number), expiry);
        model_[key] = {number, expiry};
        return;
      case 2:
      case 3:
        tick.erase(0, key);
        model_.erase(key);
        return;
      case 4:
        if (tick.set_expiry(0, key, expiry)) model_[key].expires_at_ms = expiry;
        return;
      case 5:
        if (!random_.one_in(6)) return;
        tick.flush_db(0);
        model_.clear();
        return;
      default:
        ASSERT_TRUE(tick.increment(0, key, number).ok());
        model_[key].number += number;
    }
  }

  // What is found may have changed by the time it is purged.
  void scan_some() {
    watermark_ = writer_.newest();
    const Result<PurgeScan> scan =
        scan_purgeable(writer_.keyspace(), 0, kSlotCount - 1, watermark_, {}, 100);
    ASSERT_TRUE(scan.ok());
    found_ = scan->rows;
  }

  void purge_found() {
    ASSERT_TRUE(writer_.applier().purge(watermark_, found_).ok());
    for (const PurgedRow& row : found_) {
      const std::optional<std::string> left = testing::get(writer_.engine(), row.row_key);
      if (left) {
        EXPECT_GT(*newest_stamp_of(*decode_row(*left)), row.stamp);
      }
    }
  }

  SeededRandom random_;
  PurgeStore writer_{100};
  PurgeStore follower_{200};
  std::map<std::string, Value> model_;
  HlcStamp watermark_ = 0;
  std::vector<PurgedRow> found_;
};

TEST(PurgeModel, LosesNoLiveKeyAndAllReplicasStayEqual) {
  const uint64_t seeds = std::getenv("SYNTROPY_SOAK") != nullptr ? 5000 : 150;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    PurgeRun run(seed);
    for (int step = 0; step < 80 && !::testing::Test::HasFailure(); ++step) run.step();
    if (!::testing::Test::HasFailure()) run.finish();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace syntropy
