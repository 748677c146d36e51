// What LATENCY GRAPH and LATENCY DOCTOR make of the latency monitor's samples: text for people.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "server/latency.h"

namespace syntropy {

/// A chart of the samples, one column each, the newest to the right (at most 80), a few rows high;
/// below each column, top down, how long ago it was ("5s", "12m", "3h", "2d"). The first line gives
/// the highest and lowest of the samples shown and the highest ever. `history` has samples.
std::string latency_graph(std::string_view event, const LatencyHistory& history, uint64_t now_s);

/// What the spikes look like and what can be done about each kind.
std::string latency_advice(const std::map<std::string, LatencyHistory, std::less<>>& events,
                           uint64_t threshold_ms, int64_t slowlog_slower_than_us);

}  // namespace syntropy
