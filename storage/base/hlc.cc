#include "storage/base/hlc.h"

#include <algorithm>
#include <cassert>

namespace syntropy {
namespace {

HlcStamp stamp_at(uint64_t ms) { return hlc_stamp(std::min(ms, kHlcMaxMs), 0); }

}  // namespace

Hlc::Hlc(HlcStamp persisted_bound, const HlcOptions& options)
    : options_(options), last_(persisted_bound), bound_(persisted_bound) {
  assert(options.bound_ahead_ms >= 10);
}

std::optional<HlcStamp> Hlc::next(uint64_t wall_ms) {
  if (last_ >= bound_) return std::nullopt;
  const HlcStamp stamp = std::max(last_ + 1, stamp_at(wall_ms));
  if (stamp > bound_) return std::nullopt;
  return last_ = stamp;
}

std::optional<HlcStamp> Hlc::next_above(HlcStamp floor, uint64_t wall_ms) {
  if (floor > last_) {
    const bool followed = hlc_ms(floor) <= std::min(wall_ms, kHlcMaxMs) + options_.max_drift_ms;
    if (!followed) return floor == UINT64_MAX ? floor : floor + 1;
    last_ = floor;
  }
  return next(wall_ms);
}

bool Hlc::observe(HlcStamp remote, uint64_t wall_ms) {
  const uint64_t drift_ms = hlc_ms(remote) - std::min(hlc_ms(remote), wall_ms);
  if (drift_ms > options_.max_drift_ms) {
    ++refusals_;
    worst_drift_ms_ = std::max(worst_drift_ms_, drift_ms);
    return false;
  }
  last_ = std::max(last_, remote);
  return true;
}

bool Hlc::wants_bound(uint64_t wall_ms) const {
  const uint64_t now_ms = std::max(std::min(wall_ms, kHlcMaxMs), hlc_ms(last_));
  // A clock ahead of the wall clock gets bounds in shorter steps: see bound_to_persist().
  const uint64_t fresh_ms = hlc_ms(bound_to_persist(wall_ms));
  return bound_ <= last_ || hlc_ms(bound_) < now_ms + (fresh_ms - std::min(fresh_ms, now_ms)) / 2;
}

HlcStamp Hlc::bound_to_persist(uint64_t wall_ms) const {
  // A clock ahead of the wall clock grows by its counter alone, 65536 stamps a millisecond, and
  // needs little room. With the full distance a process that crashes over and over would run ahead
  // by as much each time.
  const HlcStamp by_wall = stamp_at(std::min(wall_ms, kHlcMaxMs) + options_.bound_ahead_ms);
  const HlcStamp by_last = stamp_at(hlc_ms(last_) + options_.bound_ahead_ms / 10);
  return std::max(by_wall, by_last);
}

void Hlc::bound_persisted(HlcStamp bound) { bound_ = std::max(bound_, bound); }

uint64_t Hlc::ahead_ms(uint64_t wall_ms) const {
  return hlc_ms(last_) - std::min(hlc_ms(last_), wall_ms);
}

}  // namespace syntropy
