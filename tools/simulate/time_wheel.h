// TimeWheel: what happens when, in virtual time. A priority queue for events that lie mostly within
// the next seconds: one bucket per millisecond, so that adding and taking cost the same however
// many events there are. Events of one millisecond come out in the order in which they went in,
// which makes a simulation a function of its seed.
//
// Buckets are lists through one pool of places, so that what it holds is what is waiting at most,
// and an event takes the place that was left last, which is still in the processor's cache.
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

/// `Event` can be made without arguments and moved; what is left of it after that is kept for a
/// while.
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
    append(at_ms, std::move(event));
  }

  /// The next event, if there is one not after `until_ms`; advances now_ms() to its time, or to
  /// `until_ms` when there is none.
  std::optional<Event> take(uint64_t until_ms) {
    while (true) {
      Bucket& bucket = buckets_[now_ % kBuckets];
      if (bucket.first != kNone) {
        --near_;
        const uint32_t taken = bucket.first;
        bucket.first = places_[taken].next;
        places_[taken].next = free_;
        free_ = taken;
        return std::move(places_[taken].event);
      }
      if (now_ >= until_ms) return std::nullopt;
      now_ = near_ > 0 ? now_ + 1 : next_far(until_ms);
      bring_near();
    }
  }

 private:
  static constexpr uint64_t kBuckets = uint64_t{1} << 13;  // eight seconds
  static constexpr uint32_t kNone = UINT32_MAX;

  struct Bucket {
    uint32_t first = kNone;
    uint32_t last = kNone;  // means nothing while `first` is kNone
  };
  struct Place {
    Event event;
    uint32_t next = kNone;
  };

  void append(uint64_t at_ms, Event event) {
    uint32_t place = free_;
    if (place != kNone) {
      free_ = places_[place].next;
      places_[place].event = std::move(event);
      places_[place].next = kNone;
    } else {
      assert(places_.size() < kNone);
      place = static_cast<uint32_t>(places_.size());
      places_.push_back({std::move(event)});
    }
    Bucket& bucket = buckets_[at_ms % kBuckets];
    (bucket.first == kNone ? bucket.first : places_[bucket.last].next) = place;
    bucket.last = place;
    ++near_;
  }

  uint64_t next_far(uint64_t until_ms) const {
    return far_.empty() || far_.begin()->first > until_ms ? until_ms : far_.begin()->first;
  }

  void bring_near() {
    while (!far_.empty() && far_.begin()->first - now_ < kBuckets) {
      append(far_.begin()->first, std::move(far_.begin()->second));
      far_.erase(far_.begin());
    }
  }

  std::vector<Bucket> buckets_;
  std::vector<Place> places_;
  std::multimap<uint64_t, Event> far_;
  uint64_t now_ = 0;
  size_t near_ = 0;  // events in buckets
  uint32_t free_ = kNone;
};

}  // namespace syntropy
