// Process: one life of a simulated node. What was under way when it ends never happens; what
// happens while it is stopped (SIGSTOP) waits, in order.
//
// Thread safety: none.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "rpc/memory_network.h"
#include "storage/base/clock.h"

namespace syntropy::testing {

class Process {
 public:
  explicit Process(MemoryNetwork& network) : network_(network) {}

  bool stopped() const { return stopped_; }
  void stop() { stopped_ = true; }
  void resume() {
    stopped_ = false;
    while (!stopped_ && !held_.empty()) {
      const auto job = std::move(held_.front());
      held_.pop_front();
      job();
    }
  }

  /// Now, or when the process goes on.
  void run(std::function<void()> job) {
    if (!stopped_ && held_.empty()) return job();
    held_.push_back(std::move(job));
  }
  /// As run(), in so many milliseconds, unless the process has ended by then.
  void in(TimeMs ms, std::function<void()> job) {
    network_.at(network_.now() + ms,
                [this, alive = std::weak_ptr(alive_), job = std::move(job)]() mutable {
                  if (!alive.expired()) run(std::move(job));
                });
  }
  MemoryNetwork& network() { return network_; }

 private:
  MemoryNetwork& network_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
  std::deque<std::function<void()>> held_;
  bool stopped_ = false;
};

/// A node's clocks: both run as the network's time does; the date is what somebody has set.
class SimClock final : public Clock {
 public:
  static constexpr uint64_t kWallStartMs = 1'700'000'000'000;

  explicit SimClock(const MemoryNetwork& network) : network_(network) {}

  uint64_t wall_us() const override {
    return (kWallStartMs + network_.now() + static_cast<uint64_t>(ahead_ms_)) * 1000;
  }
  uint64_t monotonic_us() const override { return (network_.now() + kMonotonicStartMs) * 1000; }
  /// How far the wall clock is ahead; negative: behind.
  void set_ahead_ms(int64_t ms) { ahead_ms_ = ms; }
  /// The same, in the midst of its life.
  void jump_to_ms(int64_t ahead_ms) {
    ahead_ms_ = ahead_ms;
    set_at_ = network_.now();
  }
  /// When it jumped last; 0: never.
  TimeMs set_at() const { return set_at_; }
  int64_t ahead_ms() const { return ahead_ms_; }

 private:
  static constexpr uint64_t kMonotonicStartMs = 123'456;  // another zero than the transport's

  const MemoryNetwork& network_;
  int64_t ahead_ms_ = 0;
  TimeMs set_at_ = 0;
};

}  // namespace syntropy::testing
