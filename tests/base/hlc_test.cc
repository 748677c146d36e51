#include "storage/base/hlc.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "storage/base/random.h"

namespace syntropy {
namespace {

constexpr uint64_t kNow = 1'700'000'000'000;

// The owner's part of the protocol: stores a bound whenever the clock stands still.
class Owner {
 public:
  explicit Owner(HlcStamp stored = 0) : stored_(stored), clock_(stored) {}

  HlcStamp next(uint64_t wall_ms) {
    std::optional<HlcStamp> stamp = clock_.next(wall_ms);
    if (!stamp) {
      store(wall_ms);
      stamp = clock_.next(wall_ms);
    }
    EXPECT_TRUE(stamp.has_value());
    return stamp.value_or(0);
  }

  HlcStamp next_above(HlcStamp floor, uint64_t wall_ms) {
    std::optional<HlcStamp> stamp = clock_.next_above(floor, wall_ms);
    if (!stamp) {
      store(wall_ms);
      stamp = clock_.next_above(floor, wall_ms);
    }
    EXPECT_TRUE(stamp.has_value());
    return stamp.value_or(0);
  }

  void store(uint64_t wall_ms) {
    stored_ = clock_.bound_to_persist(wall_ms);
    clock_.bound_persisted(stored_);
    ++stores_;
  }

  Hlc& clock() { return clock_; }
  HlcStamp stored() const { return stored_; }
  int stores() const { return stores_; }

 private:
  HlcStamp stored_;
  Hlc clock_;
  int stores_ = 0;
};

TEST(Hlc, FollowsTheWallClockAndCountsWithinAMillisecond) {
  Owner owner;
  EXPECT_EQ(owner.next(kNow), hlc_stamp(kNow, 0));
  EXPECT_EQ(owner.next(kNow), hlc_stamp(kNow, 1));
  EXPECT_EQ(owner.next(kNow), hlc_stamp(kNow, 2));
  EXPECT_EQ(owner.next(kNow + 5), hlc_stamp(kNow + 5, 0));
}

TEST(Hlc, GrowsThoughTheWallClockRunsBackwards) {
  Owner owner;
  HlcStamp last = owner.next(kNow);
  for (uint64_t back = 0; back < 100'000; back += 1000) {
    const HlcStamp stamp = owner.next(kNow - back);
    EXPECT_GT(stamp, last);
    last = stamp;
  }
  EXPECT_EQ(owner.clock().ahead_ms(kNow - 50), 50u);
  EXPECT_EQ(owner.clock().ahead_ms(kNow + 50), 0u);
}

TEST(Hlc, FullCounterCarriesIntoTheMilliseconds) {
  Owner owner;
  for (int i = 0; i < 65'536; ++i) owner.next(kNow);
  EXPECT_EQ(owner.clock().last(), hlc_stamp(kNow, 65'535));
  EXPECT_EQ(owner.next(kNow), hlc_stamp(kNow + 1, 0));
  EXPECT_EQ(owner.next(kNow + 1), hlc_stamp(kNow + 1, 1));
}

TEST(Hlc, IssuesNothingAboveTheStoredBound) {
  Hlc clock(0);
  EXPECT_FALSE(clock.next(kNow).has_value());
  EXPECT_TRUE(clock.wants_bound(kNow));
  clock.bound_persisted(hlc_stamp(kNow + 1, 0));
  EXPECT_TRUE(clock.next(kNow).has_value());
  EXPECT_EQ(clock.next(kNow + 1), hlc_stamp(kNow + 1, 0));
  EXPECT_FALSE(clock.next(kNow + 1).has_value());
  EXPECT_FALSE(clock.next(kNow + 9).has_value());
  clock.bound_persisted(1);  // a lower bound takes nothing back
  EXPECT_EQ(clock.bound(), hlc_stamp(kNow + 1, 0));
}

TEST(Hlc, StartsAboveTheBoundOfItsFormerLife) {
  Owner first;
  HlcStamp last = 0;
  for (uint64_t ms = 0; ms < 30'000; ms += 10) last = first.next(kNow + ms);
  // The wall clock has been set back by a day meanwhile.
  Owner second(first.stored());
  EXPECT_GT(second.next(kNow - 86'400'000), last);
}

TEST(Hlc, AsksForANewBoundAheadOfNeed) {
  Owner owner;
  owner.store(kNow);
  EXPECT_FALSE(owner.clock().wants_bound(kNow));
  EXPECT_FALSE(owner.clock().wants_bound(kNow + 4'000));
  EXPECT_TRUE(owner.clock().wants_bound(kNow + 6'000));
  EXPECT_TRUE(owner.clock().next(kNow + 6'000).has_value());
  owner.store(kNow + 6'000);
  EXPECT_FALSE(owner.clock().wants_bound(kNow + 6'000));
}

TEST(Hlc, NewBoundIsAlwaysAboveTheOldOneWhenItIsWanted) {
  SeededRandom random(5);
  Owner owner;
  uint64_t wall = kNow;
  for (int i = 0; i < 20'000; ++i) {
    wall = wall + random.below(3'000) - random.below(1'400);
    if (random.one_in(50)) owner.clock().observe(hlc_stamp(wall + random.below(70'000), 3), wall);
    if (owner.clock().wants_bound(wall)) {
      EXPECT_GT(owner.clock().bound_to_persist(wall), owner.clock().bound());
      owner.store(wall);
      EXPECT_FALSE(owner.clock().wants_bound(wall));
    }
    EXPECT_TRUE(owner.clock().next(wall).has_value()) << "step " << i;
  }
}

// A process that is killed over and over starts above the bound each time.
TEST(Hlc, CrashLoopDoesNotRunAwayFromTheWallClock) {
  HlcStamp stored = 0;
  for (uint64_t round = 0; round < 100; ++round) {
    Owner owner(stored);
    owner.next(kNow + round * 100);
    stored = owner.stored();
  }
  EXPECT_LE(hlc_ms(stored), kNow + 100 * 100 + 10'000 + 100 * 1'000);
}

TEST(Hlc, StoresFewBoundsUnderLoad) {
  Owner owner;
  for (uint64_t ms = 0; ms < 100'000; ++ms) {
    if (owner.clock().wants_bound(kNow + ms)) owner.store(kNow + ms);
    for (int i = 0; i < 10; ++i) owner.next(kNow + ms);
  }
  EXPECT_LE(owner.stores(), 22);
}

TEST(Hlc, StampsAreAboveEveryObservedOne) {
  Owner owner;
  owner.next(kNow);
  EXPECT_TRUE(owner.clock().observe(hlc_stamp(kNow + 500, 7), kNow));
  EXPECT_EQ(owner.next(kNow), hlc_stamp(kNow + 500, 8));
  EXPECT_TRUE(owner.clock().observe(hlc_stamp(kNow - 500, 7), kNow));  // old news
  EXPECT_EQ(owner.next(kNow), hlc_stamp(kNow + 500, 9));
}

TEST(Hlc, RemoteClockTooFarAheadIsCountedAndNotFollowed) {
  Owner owner;
  const HlcStamp before = owner.next(kNow);
  EXPECT_TRUE(owner.clock().observe(hlc_stamp(kNow + 60'000, 0), kNow));
  EXPECT_EQ(owner.clock().refusals(), 0u);
  EXPECT_FALSE(owner.clock().observe(hlc_stamp(kNow + 60'001, 0), kNow));
  EXPECT_FALSE(owner.clock().observe(hlc_stamp(kNow + 90'000, 0), kNow));
  EXPECT_FALSE(owner.clock().observe(hlc_stamp(kNow + 70'000, 0), kNow));
  EXPECT_EQ(owner.clock().refusals(), 3u);
  EXPECT_EQ(owner.clock().worst_drift_ms(), 90'000u);
  const HlcStamp after = owner.next(kNow);
  EXPECT_GT(after, before);
  EXPECT_EQ(hlc_ms(after), kNow + 60'000);
}

TEST(Hlc, LocalWriteWinsOverARowFromTheFutureWithoutFollowingIt) {
  Owner owner;
  owner.next(kNow);
  const HlcStamp rogue = hlc_stamp(kNow + 3'600'000, 9);
  EXPECT_EQ(owner.next_above(rogue, kNow), rogue + 1);
  EXPECT_EQ(owner.next_above(rogue + 1, kNow), rogue + 2);
  EXPECT_EQ(hlc_ms(owner.next(kNow)), kNow);
  EXPECT_EQ(owner.next_above(UINT64_MAX, kNow), UINT64_MAX);
}

TEST(Hlc, LocalWriteWinsOverARowSlightlyAheadByFollowingIt) {
  Owner owner;
  owner.next(kNow);
  const HlcStamp ahead = hlc_stamp(kNow + 30'000, 65'535);  // beyond the stored bound
  EXPECT_EQ(owner.next_above(ahead, kNow), ahead + 1);
  EXPECT_EQ(owner.next(kNow), ahead + 2);
  EXPECT_GE(owner.stored(), owner.clock().last());
  EXPECT_EQ(owner.next_above(5, kNow), ahead + 3);  // a floor below changes nothing
}

TEST(Hlc, GrowsWhateverHappens) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    SeededRandom random(seed);
    HlcStamp stored = 0;
    HlcStamp last = 0;
    uint64_t wall = kNow;
    for (int life = 0; life < 10; ++life) {
      Owner owner(stored);
      for (int i = 0; i < 500; ++i) {
        wall += random.below(100);
        if (random.one_in(20)) wall -= random.below(100'000);
        if (random.one_in(5))
          owner.clock().observe(hlc_stamp(wall + random.below(100'000), 0), wall);
        const HlcStamp stamp = owner.next(wall);
        ASSERT_GT(stamp, last) << "seed " << seed;
        ASSERT_LE(stamp, owner.stored()) << "seed " << seed;
        last = stamp;
      }
      stored = owner.stored();
    }
  }
}

TEST(Hlc, WallClockBeyondFortyEightBitsIsTheEndOfTime) {
  Owner owner;
  EXPECT_EQ(hlc_ms(owner.next(UINT64_MAX)), kHlcMaxMs);
}

}  // namespace
}  // namespace syntropy
