// Random: where random numbers come from, so that a simulation can be replayed from its seed.
//
// None of this is fit for secrets.
//
// Thread safety: a generator belongs to one thread; system_seed() may be called from any.
#pragma once

#include <cstdint>

namespace syntropy {

class Random {
 public:
  virtual ~Random() = default;
  /// 64 evenly distributed bits.
  virtual uint64_t next() = 0;
  /// Evenly distributed over 0 .. bound - 1. `bound` must not be 0.
  uint64_t below(uint64_t bound);
  /// True once in `n` calls on average. `n` must not be 0.
  bool one_in(uint64_t n) { return below(n) == 0; }
};

/// The same seed gives the same numbers on every machine. SplitMix64 (Steele, Lea, Flood: "Fast
/// splittable pseudorandom number generators", OOPSLA 2014). Check: seed 0 begins with
/// 0xE220A8397B1DCDAF.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  uint64_t next() override;

 private:
  uint64_t state_;
};

/// A seed from the operating system's entropy.
uint64_t system_seed();

}  // namespace syntropy
