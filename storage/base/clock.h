// Clock: where time comes from, so that tests and simulations can bring their own.
//
// Wall time is what the operating system believes the date is: it may jump either way. Monotonic
// time never runs backwards, counts from an arbitrary point, and is for measuring spans.
//
// Thread safety: all functions may be called from any thread at any time.
#pragma once

#include <cstdint>

namespace syntropy {

class Clock {
 public:
  virtual ~Clock() = default;
  /// Microseconds since the Unix epoch.
  virtual uint64_t wall_us() const = 0;
  /// Microseconds since an arbitrary point that stays the same as long as the process lives.
  virtual uint64_t monotonic_us() const = 0;
  /// Milliseconds since the Unix epoch.
  uint64_t wall_ms() const { return wall_us() / 1000; }
};

/// The operating system's clocks.
class SystemClock final : public Clock {
 public:
  uint64_t wall_us() const override;
  uint64_t monotonic_us() const override;
};

}  // namespace syntropy
