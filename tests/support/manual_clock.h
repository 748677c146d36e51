// ManualClock: a clock that stands still until a test moves it.
//
// Thread safety: all functions may be called from any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "storage/base/clock.h"

namespace syntropy::testing {

class ManualClock final : public Clock {
 public:
  explicit ManualClock(uint64_t wall_ms = 1'700'000'000'000) : wall_us_(wall_ms * 1000) {}

  uint64_t wall_us() const override { return wall_us_.load(); }
  uint64_t monotonic_us() const override { return monotonic_us_.load(); }

  /// Time passes: both clocks move.
  void advance_ms(uint64_t ms) {
    wall_us_.fetch_add(ms * 1000);
    monotonic_us_.fetch_add(ms * 1000);
  }
  /// Somebody sets the date: the wall clock alone moves, either way.
  void set_wall_ms(uint64_t ms) { wall_us_.store(ms * 1000); }

 private:
  std::atomic<uint64_t> wall_us_;
  std::atomic<uint64_t> monotonic_us_{0};
};

}  // namespace syntropy::testing
