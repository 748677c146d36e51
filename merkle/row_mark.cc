#include "merkle/row_mark.h"

#include <xxhash.h>

namespace syntropy {
namespace {

// A bijection of 64-bit numbers in which every bit depends on every other: the finalizer of
// splitmix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
constexpr uint64_t kFirstFactor = 0xBF58476D1CE4E5B9;
constexpr uint64_t kSecondFactor = 0x94D049BB133111EB;

// The number whose product with an odd `a` is 1 modulo 2^64, by Newton's iteration: each step
// doubles the bits that are right, of which `a` itself has three.
constexpr uint64_t inverse(uint64_t a) {
  uint64_t x = a;
  for (int i = 0; i < 5; ++i) x *= 2 - a * x;
  return x;
}
static_assert(kFirstFactor * inverse(kFirstFactor) == 1);
static_assert(kSecondFactor * inverse(kSecondFactor) == 1);

constexpr uint64_t fold(uint64_t x, int shift) { return x ^ (x >> shift); }

constexpr uint64_t unfold(uint64_t x, int shift) {
  uint64_t out = x;
  for (int done = shift; done < 64; done += shift) out = x ^ (out >> shift);
  return out;
}

}  // namespace

RowMark mark_row(uint16_t slot, uint32_t hash, std::string_view row_key,
                 std::string_view row_value) {
  return mark_row(slot, hash, XXH3_64bits(row_key.data(), row_key.size()), row_value);
}

RowMark mark_row(uint16_t slot, uint32_t hash, uint64_t key_hash, std::string_view row_value) {
  const XXH128_hash_t digest = XXH3_128bits_withSeed(row_value.data(), row_value.size(), key_hash);
  uint64_t content = digest.high64 >> kPositionBits;
  if (content == 0) content = 1;
  return {(row_position(slot, hash) << kContentBits) | content, digest.low64};
}

uint64_t scramble(uint64_t element) {
  return fold(fold(fold(element, 30) * kFirstFactor, 27) * kSecondFactor, 31);
}

uint64_t unscramble(uint64_t number) {
  return unfold(unfold(unfold(number, 31) * inverse(kSecondFactor), 27) * inverse(kFirstFactor),
                30);
}

}  // namespace syntropy
