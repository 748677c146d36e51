// TimeWheel: what happens when, in virtual time. A priority queue for events that lie mostly within
// the next minute: one bucket per millisecond, so that adding and taking cost the same however many
// events there are. Events of one millisecond come out in the order in which they went in, which
// makes a simulation a function of its seed.
//
// Source: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987, scheme 6 with an
// ordered overflow list.
//
// Thread safety: one thread.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace syntropy {

template <class Event>
class TimeWheel {
 public:
  TimeWheel() : buckets_(kBuckets) {}

  /// The time of the event taken last; 0 at the start.
  uint64_t now_ms() const { return now_; }
  bool empty() const { return near_ == 0 && far_.empty(); }
  size_t size() const { return near_ + far_.size(); }

  /// `at_ms` before now_ms() counts as now.
  void add(uint64_t at_ms, Event event) {
    if (at_ms < now_) at_ms = now_;
    if (at_ms - now_ >= kBuckets) {
      far_.emplace(at_ms, std::move(event));
      return;
    }
    buckets_[at_ms % kBuckets].push_back(std::move(event));
    ++near_;
  }

  /// The next event, if there is one not after `until_ms`; advances now_ms() to its time, or to
  /// `until_ms` when there is none.
  std::optional<Event> take(uint64_t until_ms) {
    while (true) {
      std::vector<Event>& bucket = buckets_[now_ % kBuckets];
      if (taken_ < bucket.size()) {
        --near_;
        return std::move(bucket[taken_++]);
      }
      bucket.clear();
      taken_ = 0;
      if (now_ >= until_ms) return std::nullopt;
      now_ = near_ > 0 ? now_ + 1 : next_far(until_ms);
      bring_near();
    }
  }

 private:
  static constexpr uint64_t kBuckets = uint64_t{1} << 16;  // a little more than a minute

  uint64_t next_far(uint64_t until_ms) const {
    return far_.empty() || far_.begin()->first > until_ms ? until_ms : far_.begin()->first;
  }

  void bring_near() {
    while (!far_.empty() && far_.begin()->first - now_ < kBuckets) {
      buckets_[far_.begin()->first % kBuckets].push_back(std::move(far_.begin()->second));
      ++near_;
      far_.erase(far_.begin());
    }
  }

  std::vector<std::vector<Event>> buckets_;
  std::multimap<uint64_t, Event> far_;
  uint64_t now_ = 0;
  size_t near_ = 0;   // events in buckets that weren't taken
  size_t taken_ = 0;  // of the bucket of now_
};

}  // namespace syntropy
