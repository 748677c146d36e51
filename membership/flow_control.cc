#include "membership/flow_control.h"

#include <algorithm>

namespace syntropy {
namespace {

/// A rate of 1 (one update in 100 s) earns one unit a millisecond.
constexpr uint64_t kTokenUnits = 100'000;
constexpr TimeMs kDemandWindowMs = 5000;

}  // namespace

std::pair<uint32_t, uint32_t> fair_shares(FlowShare a, FlowShare b) {
  const uint64_t total = uint64_t{a.rate} + b.rate;
  const uint64_t wanted = uint64_t{a.demand} + b.demand;
  const uint64_t half = total / 2;
  uint64_t share_a;
  if (wanted <= total) {
    share_a = a.demand + (total - wanted) / 2;
  } else if (a.demand < half) {
    share_a = a.demand;
  } else if (b.demand < half) {
    share_a = total - b.demand;
  } else {
    share_a = half;
  }
  return {static_cast<uint32_t>(share_a), static_cast<uint32_t>(total - share_a)};
}

FlowControl::FlowControl(const FlowControlOptions& options, TimeMs now)
    : options_(options),
      rate_(std::max({options.max_rate, options.min_rate, 1u})),
      window_start_(now),
      tokens_(kTokenUnits * std::max(options.burst, 1u)),
      refilled_(now) {}

uint32_t FlowControl::clamp(uint64_t rate) const {
  const uint32_t least = std::max(options_.min_rate, 1u);
  return static_cast<uint32_t>(
      std::clamp<uint64_t>(rate, least, std::max(least, options_.max_rate)));
}

uint32_t FlowControl::demand(TimeMs now) const {
  const uint64_t windows = (now - window_start_) / kDemandWindowMs;
  const uint64_t wanted = windows == 0   ? std::max(wanted_, last_wanted_)
                          : windows == 1 ? wanted_
                                         : 0;
  // Updates per window -> per 100 s.
  return static_cast<uint32_t>(std::min<uint64_t>(wanted * 100'000 / kDemandWindowMs, 1 << 24));
}

void FlowControl::want(TimeMs now) {
  const uint64_t windows = (now - window_start_) / kDemandWindowMs;
  if (windows > 0) {
    last_wanted_ = windows == 1 ? wanted_ : 0;
    wanted_ = 0;
    window_start_ += windows * kDemandWindowMs;
  }
  ++wanted_;
}

void FlowControl::refill(TimeMs now) {
  const uint64_t most = kTokenUnits * std::max(options_.burst, 1u);
  // Whoever was away for weeks gets a full bucket, not an overflow.
  const TimeMs elapsed = std::min<TimeMs>(now - refilled_, most);
  tokens_ = std::min(most, tokens_ + elapsed * rate_);
  refilled_ = now;
}

bool FlowControl::take(TimeMs now) {
  refill(now);
  if (tokens_ < kTokenUnits) return false;
  tokens_ -= kTokenUnits;
  return true;
}

TimeMs FlowControl::next_token() const {
  if (tokens_ >= kTokenUnits) return 0;
  return refilled_ + (kTokenUnits - tokens_ + rate_ - 1) / rate_;
}

void FlowControl::on_delta(bool complete) {
  if (complete) {
    rate_ = clamp(uint64_t{rate_} + options_.step);
  } else {
    rate_ = clamp(uint64_t{rate_} * (100 - std::min(options_.decrease_percent, 100u)) / 100);
  }
}

void FlowControl::on_peer(FlowShare told, FlowShare peer) {
  rate_ = clamp(fair_shares(told, peer).first);
}

}  // namespace syntropy
