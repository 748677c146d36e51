#include "server/io_balance.h"

namespace syntropy {
namespace {

// Apart, so that one interval's change is not undone by the next.
constexpr double kFull = 0.85;
constexpr double kRoomy = 0.6;
constexpr double kSpareCore = 0.75;

}  // namespace

size_t balanced_io_threads(size_t active, size_t most, const IoLoad& load) {
  const bool full = load.io_threads > kFull * static_cast<double>(active);
  if (full && active < most && load.idle > kSpareCore) return active + 1;
  if (active > 1 && load.io_threads < kRoomy * static_cast<double>(active - 1)) return active - 1;
  return active;
}

}  // namespace syntropy
