#include "merkle/field.h"

#include <bit>
#include <cassert>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace syntropy::field {
namespace {

// x^64 is this modulo the field's polynomial.
constexpr uint64_t kTail = 0x1B;

// `high` * x^64 + `low`, reduced. x^64 = x^4 + x^3 + x + 1.
constexpr uint64_t reduce(uint64_t high, uint64_t low) {
  const uint64_t beyond = (high >> 63) ^ (high >> 61) ^ (high >> 60);  // what the shifts push out
  const uint64_t folded = high ^ beyond;
  return low ^ folded ^ (folded << 1) ^ (folded << 3) ^ (folded << 4);
}
static_assert(reduce(1, 0) == kTail);
static_assert(reduce(uint64_t{1} << 60, 0) == ((uint64_t{0xB} << 60) ^ kTail));

#if defined(__x86_64__)
__attribute__((target("pclmul,sse2"))) inline uint64_t multiply_fast(uint64_t a, uint64_t b) {
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<int64_t>(a)),
                                               _mm_cvtsi64_si128(static_cast<int64_t>(b)), 0);
  const auto low = static_cast<uint64_t>(_mm_cvtsi128_si64(product));
  const auto high = static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(product, product)));
  return reduce(high, low);
}

__attribute__((target("pclmul,sse2"))) void odd_powers_fast(uint64_t a, std::span<uint64_t> out) {
  const uint64_t square = multiply_fast(a, a);
  for (uint64_t& power : out) {
    power = a;
    a = multiply_fast(a, square);
  }
}

bool has_instruction() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("pclmul") != 0;
}
#else
uint64_t multiply_fast(uint64_t a, uint64_t b) { return multiply_portably(a, b); }
void odd_powers_fast(uint64_t, std::span<uint64_t>) {}
bool has_instruction() { return false; }
#endif

const bool accelerated = has_instruction();

}  // namespace

bool is_accelerated() { return accelerated; }

uint64_t multiply_portably(uint64_t a, uint64_t b) {
  // The multiples of `a` by all polynomials of degree below 4, then four bits of `b` at a time.
  std::array<uint64_t, 16> low{};
  std::array<uint64_t, 16> high{};
  for (uint64_t i = 1; i < 16; ++i) {
    const uint64_t half = i >> 1;
    low[i] = (low[half] << 1) ^ ((i & 1) != 0 ? a : 0);
    high[i] = (high[half] << 1) | (low[half] >> 63);
  }
  uint64_t sum_low = 0;
  uint64_t sum_high = 0;
  for (int shift = 60; shift >= 0; shift -= 4) {
    sum_high = (sum_high << 4) | (sum_low >> 60);
    sum_low <<= 4;
    const uint64_t digit = (b >> shift) & 15;
    sum_low ^= low[digit];
    sum_high ^= high[digit];
  }
  return reduce(sum_high, sum_low);
}

uint64_t multiply(uint64_t a, uint64_t b) {
  return accelerated ? multiply_fast(a, b) : multiply_portably(a, b);
}

namespace {

// upper^(2^squarings) * lower: the exponents, written in binary, one behind the other.
uint64_t concatenate(uint64_t upper, uint64_t lower, int squarings) {
  for (int i = 0; i < squarings; ++i) upper = multiply(upper, upper);
  return multiply(upper, lower);
}

}  // namespace

// a^(2^64 - 2), for a^(2^64 - 1) = 1. The exponent is 63 ones and a zero: of k ones and m ones,
// k + m ones are made by m squarings and one product (Itoh, Tsujii, "A Fast Algorithm for Computing
// Multiplicative Inverses in GF(2^m) Using Normal Bases", 1988).
uint64_t invert(uint64_t a) {
  assert(a != 0);
  uint64_t power = a;
  for (const int count : {1, 3, 7, 15, 31}) {
    power = concatenate(concatenate(power, power, count), a, 1);
  }
  return multiply(power, power);
}

// a^(2^63), for a^(2^64) = a.
uint64_t square_root(uint64_t a) {
  for (int i = 0; i < 63; ++i) a = multiply(a, a);
  return a;
}

// a^((2^64 + 2) / 9): with a = w^3 that is w times w^((2^64 - 1) / 3), a cube root of 1. The
// exponent is 000111 ten times, shifted by four, plus two.
std::optional<uint64_t> cube_root(uint64_t a) {
  assert(a != 0);
  const uint64_t square = multiply(a, a);
  const uint64_t once = multiply(multiply(square, square), multiply(square, a));  // a^7
  const uint64_t twice = concatenate(once, once, 6);
  const uint64_t four_times = concatenate(twice, twice, 12);
  const uint64_t five_times = concatenate(four_times, once, 6);
  const uint64_t root = concatenate(concatenate(five_times, five_times, 30), square, 4);
  if (multiply(root, multiply(root, root)) != a) return std::nullopt;
  return root;
}

namespace {

// y^2 + y is linear in y over GF(2). For each bit that can be the highest of a sum of images of
// numbers 2^i, such a sum and the y that it is the image of.
struct Pivot {
  uint64_t image = 0;  // 0: there is none
  uint64_t y = 0;
};

std::array<Pivot, 64> eliminate() {
  std::array<Pivot, 64> pivots{};
  for (int i = 1; i < 64; ++i) {  // the image of 1 is 0
    Pivot next{0, uint64_t{1} << i};
    next.image = multiply(next.y, next.y) ^ next.y;
    while (next.image != 0) {
      Pivot& pivot = pivots[static_cast<size_t>(std::bit_width(next.image)) - 1];
      if (pivot.image == 0) {
        pivot = next;
        break;
      }
      next.image ^= pivot.image;
      next.y ^= pivot.y;
    }
  }
  return pivots;
}

}  // namespace

std::optional<uint64_t> artin_schreier(uint64_t c) {
  static const std::array<Pivot, 64> pivots = eliminate();
  uint64_t y = 0;
  while (c != 0) {
    const Pivot& pivot = pivots[static_cast<size_t>(std::bit_width(c)) - 1];
    if (pivot.image == 0) return std::nullopt;
    c ^= pivot.image;
    y ^= pivot.y;
  }
  return y;
}

void odd_powers(uint64_t a, std::span<uint64_t> out) {
  if (accelerated) return odd_powers_fast(a, out);
  const uint64_t square = multiply_portably(a, a);
  for (uint64_t& power : out) {
    power = a;
    a = multiply_portably(a, square);
  }
}

}  // namespace syntropy::field
