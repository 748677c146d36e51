// BusCounters: what a Bus counts while others read it.
//
// Thread safety: add() on the loop, snapshot() on any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "rpc/transport.h"

namespace syntropy {

struct BusCounters {
  using Counter = std::atomic<uint64_t>;
  static void add(Counter& counter, uint64_t count = 1) {
    counter.fetch_add(count, std::memory_order_relaxed);
  }
  TransportStats snapshot() const;

  // As in TransportStats.
  std::array<Counter, 256> sent{};
  std::array<Counter, 256> received{};
  Counter stream_sent{0};
  Counter stream_received{0};
  Counter bytes_sent{0};
  Counter bytes_received{0};
  Counter dropped_full{0};
  Counter dropped_unreachable{0};
  Counter dropped_large{0};
  Counter dials{0};
  Counter accepted{0};
  Counter refused{0};
  Counter broken{0};
};

inline TransportStats BusCounters::snapshot() const {
  const auto read = [](const Counter& counter) { return counter.load(std::memory_order_relaxed); };
  TransportStats stats;
  for (size_t type = 0; type < stats.frames.size(); ++type) {
    stats.frames[type] = {read(sent[type]), read(received[type])};
  }
  stats.stream_frames = {read(stream_sent), read(stream_received)};
  stats.bytes = {read(bytes_sent), read(bytes_received)};
  stats.dropped_full = read(dropped_full);
  stats.dropped_unreachable = read(dropped_unreachable);
  stats.dropped_large = read(dropped_large);
  stats.dials = read(dials);
  stats.accepted = read(accepted);
  stats.refused = read(refused);
  stats.broken = read(broken);
  return stats;
}

}  // namespace syntropy
