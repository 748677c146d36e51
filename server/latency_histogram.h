// LatencyHistogram: how often a latency occurred, in buckets of at most 6.25% width.
//
// Buckets are log-linear: 16 equal steps in each doubling, from 64 ns to about 69 s; shorter and
// longer latencies count in the first and the last one. Doublings end at 1032 * 2^i - 1 ns and not
// at powers of two: these are the bounds of the histogram (HDR, two significant digits) by which
// redis-server 7.0 answers LATENCY HISTOGRAM, so that both report the same microseconds (1, 2, 4,
// 8, 16, 33, 66, 132, ...) and mean the same by them.
//
// Thread safety: one writer at a time; any number of readers meanwhile, who see each bucket as it
// was at some moment.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace syntropy {

class LatencyHistogram {
 public:
  static constexpr int kStepBits = 4;
  static constexpr int kSteps = 1 << kStepBits;
  static constexpr int kFirstDoubling = 6;  // 2^6 scaled ns
  static constexpr int kLastDoubling = 35;
  static constexpr size_t kBuckets = 1 + (kLastDoubling - kFirstDoubling + 1) * kSteps;

  void add(uint64_t nanos) {
    std::atomic<uint64_t>& bucket = buckets_[bucket_of(nanos)];
    bucket.store(bucket.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  /// Adds the counts to `(*sums)[0..kBuckets)`.
  void add_to(std::vector<uint64_t>* sums) const {
    for (size_t i = 0; i < kBuckets; ++i) {
      (*sums)[i] += buckets_[i].load(std::memory_order_relaxed);
    }
  }

  static size_t bucket_of(uint64_t nanos) {
    constexpr uint64_t kLongest = uint64_t{1} << (kLastDoubling + 1);
    // 129/128 is 1032/1024: scaled, the bounds of the doublings are powers of two.
    const uint64_t scaled = nanos >= kLongest ? kLongest - 1 : nanos * 128 / 129;
    if (scaled < (uint64_t{1} << kFirstDoubling)) return 0;
    const int doubling = std::bit_width(scaled) - 1;
    const uint64_t step = (scaled >> (doubling - kStepBits)) & (kSteps - 1);
    return 1 + static_cast<size_t>(doubling - kFirstDoubling) * kSteps + step;
  }

  /// The longest latency that counts in the bucket.
  static uint64_t bucket_end_ns(size_t bucket) {
    if (bucket == 0) return scaled_end(uint64_t{1} << kFirstDoubling);
    const int doubling = kFirstDoubling + static_cast<int>((bucket - 1) / kSteps);
    const uint64_t step = (bucket - 1) % kSteps;
    return scaled_end((kSteps + step + 1) << (doubling - kStepBits));
  }

 private:
  // The largest n with n * 128 / 129 < bound.
  static uint64_t scaled_end(uint64_t bound) { return (bound * 129 + 127) / 128 - 1; }

  std::array<std::atomic<uint64_t>, kBuckets> buckets_{};
};

/// The counts of a command's histogram, summed over all threads.
struct LatencyCounts {
  std::vector<uint64_t> buckets;  // empty: nothing was recorded
  uint64_t total = 0;

  /// The latency that `percent` (0..100) of the calls did not exceed, in ns; 0 without calls.
  uint64_t percentile_ns(double percent) const;

  struct Point {
    uint64_t micros;  // calls that took at most this long...
    uint64_t calls;   // ...counted from the shortest on
  };
  /// The cumulative distribution as LATENCY HISTOGRAM reports it: a point for each doubling in
  /// which there are calls, from 1 us on.
  std::vector<Point> cumulative() const;
};

}  // namespace syntropy
