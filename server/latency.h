// LatencyMonitor: when and by how much the server's own steps took longer than a threshold.
//
// An event is a kind of step, by name (kLatencyCommand, ...). Of each, the last 160 seconds in
// which a spike occurred are kept, each with its longest spike; and the longest ever.
//
// Thread safety: any thread. Below the threshold record() is one relaxed load.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace syntropy {

// The events.
inline constexpr std::string_view kLatencyCommand = "command";           // a command's execution
inline constexpr std::string_view kLatencyFastCommand = "fast-command";  // of one flagged fast
inline constexpr std::string_view kLatencyCommit = "commit";             // a tick's engine write
inline constexpr std::string_view kLatencyFsync = "fsync";               // an engine sync
inline constexpr std::string_view kLatencyExpireCycle = "expire-cycle";  // a step of active expiry
inline constexpr std::string_view kLatencyFetch = "fetch";               // rows read from disk

struct LatencySample {
  uint64_t unix_time_s = 0;
  uint64_t millis = 0;
};

/// Everything kept of one event.
struct LatencyHistory {
  std::vector<LatencySample> samples;  // oldest first, one per second at most
  uint64_t longest_ms = 0;             // ever, since the last reset
};

class LatencyMonitor {
 public:
  static constexpr size_t kMaxSamples = 160;

  /// The option latency-monitor-threshold; 0: nothing is recorded.
  void set_threshold_ms(uint64_t millis) { threshold_ms_.store(millis, std::memory_order_relaxed); }
  uint64_t threshold_ms() const { return threshold_ms_.load(std::memory_order_relaxed); }

  void record(std::string_view event, uint64_t micros, uint64_t unix_time_s) {
    const uint64_t threshold = threshold_ms();
    if (threshold != 0 && micros / 1000 >= threshold) add(event, micros / 1000, unix_time_s);
  }

  /// By event.
  std::map<std::string, LatencyHistory, std::less<>> all() const;
  /// No samples when nothing was recorded of it.
  LatencyHistory history(std::string_view event) const;
  /// Forgets one event; false when nothing was recorded of it.
  bool reset(std::string_view event);
  /// Forgets all; returns how many events there were.
  size_t reset_all();

 private:
  void add(std::string_view event, uint64_t millis, uint64_t unix_time_s);

  std::atomic<uint64_t> threshold_ms_{0};
  mutable std::mutex mutex_;
  std::map<std::string, LatencyHistory, std::less<>> events_;
};

}  // namespace syntropy
