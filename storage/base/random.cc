#include "storage/base/random.h"

#include <cassert>
#include <random>

namespace syntropy {

uint64_t Random::below(uint64_t bound) {
  assert(bound != 0);
  // The top of the range that isn't a whole multiple of `bound` would favour small numbers.
  const uint64_t uneven = (UINT64_MAX % bound + 1) % bound;
  uint64_t number = next();
  while (number > UINT64_MAX - uneven) number = next();
  return number % bound;
}

uint64_t SeededRandom::next() {
  state_ += 0x9E3779B97F4A7C15;
  uint64_t mixed = state_;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
  return mixed ^ (mixed >> 31);
}

uint64_t system_seed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

}  // namespace syntropy
