#include "server/io_balance.h"

#include <algorithm>
#include <cmath>

namespace syntropy {
namespace {

// Apart, so that one interval's change is not undone by the next.
constexpr double kFull = 0.85;
constexpr double kRoomy = 0.6;
constexpr double kSpareCore = 0.75;
constexpr size_t kFullIntervals = 4;

}  // namespace

size_t IoBalance::step(const IoLoad& load) {
  const auto active = static_cast<double>(active_);
  const double others = std::max(0.0, load.cores - load.idle - load.io_threads);
  const double room = std::max(1.0, std::round(load.cores - others));
  if (active_ > 1 && (active > room || load.io_threads < kRoomy * (active - 1))) {
    full_intervals_ = 0;
    return --active_;
  }
  const bool full = load.io_threads > kFull * active && load.idle > kSpareCore && active < room;
  full_intervals_ = full ? full_intervals_ + 1 : 0;
  if (active_ < most_ && full_intervals_ >= kFullIntervals) {
    full_intervals_ = 0;
    ++active_;
  }
  return active_;
}

}  // namespace syntropy
