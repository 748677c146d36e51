// Hlc: the hybrid logical clock that stamps writes.
//
// A stamp is the wall clock's milliseconds (48 bits) and a counter (16 bits). Stamps of one clock
// grow strictly, stay close to the wall clock, and are above every remote stamp that was observed
// before (Kulkarni, Demirbas, Madappa, Avva, Leone: "Logical physical clocks and consistent
// snapshots in globally distributed databases", 2014). A counter that is full carries into the
// milliseconds.
//
// Restart. The clock only issues stamps up to a *bound* that its owner has stored, and starts above
// the stored bound, so it never runs backwards, whatever the wall clock does:
//
//   Hlc clock(stored bound or 0, options);
//   if (clock.wants_bound(wall)) { b = clock.bound_to_persist(wall);   // once in a while, ahead
//                                  store b; clock.bound_persisted(b); }  // of need
//   stamp = clock.next(wall);    // nullopt: the bound is reached; store a new one, then again
//
// The record of the bound may travel in the same atomic batch as the rows stamped above the old
// bound. If that batch fails, the next one must carry the bound again.
// At a clean shutdown the owner may store last() as the bound, so that the clock starts where it
// stopped.
//
// Remote stamps more than `max_drift_ms` ahead of the wall clock are not followed (a broken clock
// must not drag the cluster into the future); they are counted for an alarm. What they stamped is
// stored all the same, and next_above() lets a local write win over it.
//
// Invariants
//   1. Each stamp from next() is greater than all those before it and than every followed one.
//   2. No stamp from next() is above bound().
//
// Thread safety: none; the owner locks. No I/O and no clock inside: `wall_ms` is passed in
// (milliseconds since the Unix epoch; what is above 48 bits counts as the greatest such time).
#pragma once

#include <cstdint>
#include <optional>

namespace syntropy {

/// Upper 48 bits: milliseconds since the Unix epoch; lower 16 bits: a counter within them.
using HlcStamp = uint64_t;

inline constexpr int kHlcCounterBits = 16;
inline constexpr uint64_t kHlcMaxMs = UINT64_MAX >> kHlcCounterBits;

constexpr HlcStamp hlc_stamp(uint64_t ms, uint16_t counter) {
  return (ms << kHlcCounterBits) | counter;
}
constexpr uint64_t hlc_ms(HlcStamp stamp) { return stamp >> kHlcCounterBits; }
constexpr uint16_t hlc_counter(HlcStamp stamp) { return static_cast<uint16_t>(stamp); }

struct HlcOptions {
  /// How far ahead of the wall clock a remote stamp may be and still be followed. 0: not at all.
  uint64_t max_drift_ms = 60'000;
  /// How far ahead of the wall clock bounds are placed. At least 10. More means fewer bounds to
  /// store, and a clock further ahead of the wall clock after a crash.
  uint64_t bound_ahead_ms = 10'000;
};

class Hlc {
 public:
  /// A clock above `persisted_bound` (0: there never was one). It has no stamps to issue until a
  /// greater bound has been stored.
  explicit Hlc(HlcStamp persisted_bound, const HlcOptions& options = {});

  /// The next stamp; nullopt when it would be above the bound.
  std::optional<HlcStamp> next(uint64_t wall_ms);

  /// A stamp greater than next()'s and than `floor`, the stamp of the row that a local write
  /// replaces. A floor too far ahead to be followed is topped by one without moving the clock (and
  /// without regard to the bound): the stored row itself carries such a stamp over a restart.
  /// A floor of UINT64_MAX cannot be topped and is returned as it is. nullopt as in next().
  std::optional<HlcStamp> next_above(HlcStamp floor, uint64_t wall_ms);

  /// Takes note of a remote stamp, so that later stamps are greater. False when it was too far
  /// ahead and is not followed.
  bool observe(HlcStamp remote, uint64_t wall_ms);

  /// True when less than half of the way to a fresh bound is left: time to store a new one.
  bool wants_bound(uint64_t wall_ms) const;
  /// The bound to store next; above bound() whenever wants_bound() or next() failed.
  HlcStamp bound_to_persist(uint64_t wall_ms) const;
  /// Says that `bound` is stored. A bound not above the present one changes nothing.
  void bound_persisted(HlcStamp bound);

  /// The greatest stamp issued or followed.
  HlcStamp last() const { return last_; }
  HlcStamp bound() const { return bound_; }
  /// How far the clock is ahead of the wall clock; 0 when it isn't.
  uint64_t ahead_ms(uint64_t wall_ms) const;

  /// Remote stamps not followed, and how far ahead of the wall clock the worst of them was.
  uint64_t refusals() const { return refusals_; }
  uint64_t worst_drift_ms() const { return worst_drift_ms_; }

 private:
  const HlcOptions options_;
  HlcStamp last_;
  HlcStamp bound_;
  uint64_t refusals_ = 0;
  uint64_t worst_drift_ms_ = 0;
};

}  // namespace syntropy
