#include "storage/base/clock.h"

#include <chrono>

namespace syntropy {
namespace {

template <class StdClock>
uint64_t microseconds_of() {
  const auto since = StdClock::now().time_since_epoch();
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(since).count();
  return us < 0 ? 0 : static_cast<uint64_t>(us);
}

}  // namespace

uint64_t SystemClock::wall_us() const { return microseconds_of<std::chrono::system_clock>(); }
uint64_t SystemClock::monotonic_us() const { return microseconds_of<std::chrono::steady_clock>(); }

}  // namespace syntropy
