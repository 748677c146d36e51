#include "merkle/sketch.h"

#include <algorithm>
#include <cassert>

#include "merkle/field.h"

namespace syntropy {
namespace {

using field::invert;
using field::multiply;

uint64_t square(uint64_t a) { return multiply(a, a); }

// The coefficients of a polynomial whose highest one is 1, from that of z^0 on; it isn't there.
using Coefficients = std::array<uint64_t, kSketchSums>;
static_assert(kSketchSums == 4, "roots are found by formulas, up to degree four");

// The roots of y^3 + p * y + q, if there are three different ones; q isn't 0. Cardano's formula: w
// + p / w is a root for each cube root w of a root t of t^2 + q * t + p^3; with t = q * s that is
// s^2 + s = p^3 / q^2. With c a cube root of 1, c^2 = c + 1.
std::optional<std::array<uint64_t, 3>> roots_of_depressed_cubic(uint64_t p, uint64_t q,
                                                                uint64_t inverse_of_q) {
  const auto s = field::artin_schreier(multiply(multiply(p, square(p)), square(inverse_of_q)));
  if (!s) return std::nullopt;
  const auto w = field::cube_root(multiply(q, *s == 0 ? 1 : *s));  // s + 1 is as good
  if (!w) return std::nullopt;
  static const uint64_t c = *field::artin_schreier(1);
  const uint64_t u = multiply(p, invert(*w));
  const uint64_t both = multiply(*w ^ u, c);
  return {{*w ^ u, both ^ u, both ^ *w}};
}

// z^3 + a * z^2 + b * z + d, with z = y + a.
bool find_three_roots(const Coefficients& polynomial, Elements* roots) {
  const auto [d, b, a, unused] = polynomial;
  const uint64_t q = multiply(a, b) ^ d;
  if (q == 0) return false;  // one root, and another twice
  const auto found = roots_of_depressed_cubic(square(a) ^ b, q, invert(q));
  if (!found) return false;
  for (const uint64_t root : *found) roots->push_back(root ^ a);
  return true;
}

// The roots of y^4 + p * y^2 + q * y + r, if there are four different ones; q isn't 0. Without r it
// is linear over GF(2), so the differences k of roots are its roots, those of k^3 + p * k + q. It
// is the product of two y^2 + k * y + m, m^2 + (q / k) * m + r = 0, and q the product of the k.
std::optional<std::array<uint64_t, 4>> roots_of_affine_quartic(uint64_t p, uint64_t q,
                                                               uint64_t inverse_of_q, uint64_t r) {
  const auto k = roots_of_depressed_cubic(p, q, inverse_of_q);
  if (!k) return std::nullopt;
  const auto [k0, k1, k2] = *k;
  const uint64_t rest = multiply(k1, k2);  // q / k0
  const auto u = field::artin_schreier(multiply(r, square(multiply(k0, inverse_of_q))));
  if (!u) return std::nullopt;
  const uint64_t m = multiply(rest, *u);
  const auto v = field::artin_schreier(multiply(m, square(multiply(rest, inverse_of_q))));
  if (!v) return std::nullopt;
  const uint64_t y = multiply(k0, *v);
  return {{y, y ^ k0, y ^ k1, y ^ k2}};
}

// z^4 + a * z^3 + b * z^2 + c * z + d. With z = x + e, e^2 = c / a, nothing is left at x^1, and with
// x = 1 / y it is affine. The product of the four y is its last coefficient, so that the product of
// three of them makes the inverse of the fourth.
bool find_four_roots(const Coefficients& polynomial, Elements* roots) {
  const auto [d, c, b, a] = polynomial;
  if (a == 0) {
    if (c == 0) return false;  // roots that are there twice
    const auto found = roots_of_affine_quartic(b, c, invert(c), d);
    if (!found) return false;
    for (const uint64_t root : *found) roots->push_back(root);
    return true;
  }
  const uint64_t inverse_of_a = invert(a);
  const uint64_t e_squared = multiply(c, inverse_of_a);
  const uint64_t e = field::square_root(e_squared);
  const uint64_t last = multiply(e_squared, e_squared ^ b) ^ d;  // without x
  if (last == 0) return false;                                   // x = 0, twice
  const uint64_t scale = invert(last);
  const auto found = roots_of_affine_quartic(
      multiply(b ^ multiply(a, e), scale), multiply(a, scale), multiply(inverse_of_a, last), scale);
  if (!found) return false;
  const auto [y0, y1, y2, y3] = *found;
  const uint64_t of_01 = multiply(last, multiply(y2, y3));  // 1 / (y0 * y1)
  const uint64_t of_23 = multiply(last, multiply(y0, y1));
  for (const uint64_t x :
       {multiply(of_01, y1), multiply(of_01, y0), multiply(of_23, y3), multiply(of_23, y2)}) {
    roots->push_back(x ^ e);
  }
  return true;
}

// Berlekamp-Massey (Massey, "Shift-Register Synthesis and BCH Decoding", 1969), without divisions:
// the shortest recurrence that makes the power sums s1, s2, ...; its polynomial has the inverses of
// the elements as roots, and its length as degree. Nothing when that is longer than half of them.
struct Locator {
  std::array<uint64_t, kSketchSums + 1> coefficients{1};
  size_t length = 0;
};

std::optional<Locator> find_locator(std::span<const uint64_t> power_sums) {
  Locator current;
  Locator before;
  size_t shift = 1;
  uint64_t discrepancy_before = 1;
  for (size_t n = 0; n < power_sums.size(); ++n) {
    uint64_t discrepancy = 0;
    for (size_t i = 0; i <= current.length; ++i) {
      discrepancy ^= multiply(current.coefficients[i], power_sums[n - i]);
    }
    if (discrepancy == 0) {
      ++shift;
      continue;
    }
    const bool grows = 2 * current.length <= n;
    const size_t length = grows ? n + 1 - current.length : current.length;
    if (2 * length > power_sums.size()) return std::nullopt;
    Locator next{{}, length};
    for (size_t i = 0; i <= length; ++i) {
      next.coefficients[i] = multiply(discrepancy_before, current.coefficients[i]);
      if (i >= shift) next.coefficients[i] ^= multiply(discrepancy, before.coefficients[i - shift]);
    }
    if (grows) {
      before = current;
      discrepancy_before = discrepancy;
      shift = 1;
    } else {
      ++shift;
    }
    current = next;
  }
  if (current.coefficients[current.length] == 0) return std::nullopt;
  return current;
}

bool has_sums(const Elements& elements, std::span<const uint64_t> sums) {
  Sketch sketch;
  for (const uint64_t element : elements) sketch.toggle(element);
  return std::equal(sums.begin(), sums.end(), sketch.sums.begin());
}

// Up to two elements, by formulas. Of two, a and b: s1 = a + b, s3 = s1^3 + s1 * a * b, and they
// are the roots of z^2 + s1 * z + a * b; with z = s1 * y that is y^2 + y = s3 / s1^3 + 1.
std::optional<Elements> decode_few(std::span<const uint64_t> sums) {
  const uint64_t sum = sums[0];
  Elements elements;
  if (sum != 0) elements.push_back(sum);
  if (has_sums(elements, sums)) return elements;
  if (sum == 0) return std::nullopt;
  const uint64_t cube = multiply(sum, multiply(sum, sum));
  const auto y = field::artin_schreier(multiply(sums[1], invert(cube)) ^ 1);
  if (!y || *y <= 1) return std::nullopt;  // no roots, or one of them 0
  Elements two;
  two.push_back(multiply(sum, *y));
  two.push_back(multiply(sum, *y ^ 1));
  return has_sums(two, sums) ? std::optional<Elements>(two) : std::nullopt;
}

}  // namespace

void Sketch::toggle(uint64_t element) {
  assert(element != 0);
  std::array<uint64_t, kSketchSums> powers;
  field::odd_powers(element, powers);
  for (size_t i = 0; i < kSketchSums; ++i) sums[i] ^= powers[i];
}

Sketch& Sketch::operator^=(const Sketch& other) {
  for (size_t i = 0; i < kSketchSums; ++i) sums[i] ^= other.sums[i];
  return *this;
}

std::optional<Elements> decode_sketch(std::span<const uint64_t> sums) {
  assert(!sums.empty() && sums.size() <= kSketchSums);
  if (auto few = decode_few(sums); few || sums.size() <= 2) return few;
  // In a field of characteristic 2 an even power sum is a square: s2 = s1^2, s4 = s2^2, ...
  std::array<uint64_t, 2 * kSketchSums> power_sums{};
  const size_t count = 2 * sums.size();
  for (size_t n = 1; n <= count; ++n) {
    const uint64_t half = n % 2 == 0 ? power_sums[n / 2 - 1] : 0;
    power_sums[n - 1] = n % 2 == 0 ? multiply(half, half) : sums[n / 2];
  }
  const auto locator = find_locator({power_sums.data(), count});
  if (!locator || locator->length < 3) return std::nullopt;
  // Read backwards, its roots are the elements.
  const uint64_t scale = invert(locator->coefficients.front());
  Coefficients polynomial{};
  for (size_t i = 0; i < locator->length; ++i) {
    polynomial[i] = multiply(locator->coefficients[locator->length - i], scale);
  }
  Elements elements;
  const bool found = locator->length == 3 ? find_three_roots(polynomial, &elements)
                                          : find_four_roots(polynomial, &elements);
  return found ? std::optional<Elements>(elements) : std::nullopt;
}

}  // namespace syntropy
