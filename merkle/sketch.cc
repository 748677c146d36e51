#include "merkle/sketch.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "merkle/field.h"

namespace syntropy {
namespace {

using field::invert;
using field::multiply;

// A polynomial over the field of degree at most kSketchSums; coefficients[i] belongs to z^i.
struct Polynomial {
  std::array<uint64_t, kSketchSums + 1> coefficients{};
  size_t degree = 0;

  uint64_t& operator[](size_t i) { return coefficients[i]; }
  uint64_t operator[](size_t i) const { return coefficients[i]; }
  bool zero() const { return degree == 0 && coefficients[0] == 0; }
  void trim() {
    while (degree > 0 && coefficients[degree] == 0) --degree;
  }
};

Polynomial monic(Polynomial p) {
  const uint64_t scale = invert(p[p.degree]);
  for (size_t i = 0; i <= p.degree; ++i) p[i] = multiply(p[i], scale);
  return p;
}

// The rest of `a` divided by `divisor`, which is monic.
Polynomial remainder(Polynomial a, const Polynomial& divisor) {
  for (size_t top = a.degree + 1; top-- > divisor.degree;) {
    const uint64_t factor = a[top];
    if (factor == 0) continue;
    for (size_t i = 0; i <= divisor.degree; ++i) {
      a[top - divisor.degree + i] ^= multiply(factor, divisor[i]);
    }
  }
  a.degree = std::min(a.degree, divisor.degree == 0 ? 0 : divisor.degree - 1);
  a.trim();
  return a;
}

// Both monic or `b` zero; the result is monic.
Polynomial greatest_common_divisor(Polynomial a, Polynomial b) {
  while (!b.zero()) {
    b = monic(b);
    a = remainder(a, b);
    std::swap(a, b);
  }
  return a;
}

// `a` divided by `divisor`, which divides it; both monic.
Polynomial quotient(Polynomial a, const Polynomial& divisor) {
  Polynomial result;
  result.degree = a.degree - divisor.degree;
  for (size_t top = a.degree + 1; top-- > divisor.degree;) {
    const uint64_t factor = a[top];
    result[top - divisor.degree] = factor;
    for (size_t i = 0; i <= divisor.degree; ++i) {
      a[top - divisor.degree + i] ^= multiply(factor, divisor[i]);
    }
  }
  return result;
}

// Polynomials modulo `p`, which is monic.
class Modulus {
 public:
  explicit Modulus(const Polynomial& p) : degree_(p.degree) {
    // z^k modulo p, one k after the other.
    std::array<uint64_t, kSketchSums> power{1};
    for (size_t k = 0; k <= 2 * (degree_ - 1); ++k) {
      if (k % 2 == 0) even_powers_[k / 2] = power;
      const uint64_t top = power[degree_ - 1];
      for (size_t i = degree_; i-- > 1;) power[i] = power[i - 1] ^ multiply(top, p[i]);
      power[0] = multiply(top, p[0]);
    }
  }

  size_t degree() const { return degree_; }

  /// Of a polynomial of a lower degree than p.
  Polynomial square(const Polynomial& a) const {
    Polynomial result;
    for (size_t i = 0; i < degree_; ++i) {
      const uint64_t factor = multiply(a[i], a[i]);
      if (2 * i < degree_) {  // nothing to reduce
        result[2 * i] ^= factor;
        continue;
      }
      for (size_t k = 0; k < degree_; ++k) result[k] ^= multiply(factor, even_powers_[i][k]);
    }
    result.degree = degree_ - 1;
    return result;
  }

 private:
  size_t degree_;
  std::array<std::array<uint64_t, kSketchSums>, kSketchSums> even_powers_{};  // z^(2i) modulo p
};

struct Trace {
  Polynomial sum;   // of (scale * z)^(2^i), i = 0..63, modulo p
  Polynomial next;  // (scale * z)^(2^64) modulo p
};

Trace trace(uint64_t scale, const Modulus& modulus) {
  Trace result;
  Polynomial power;
  power.degree = modulus.degree() - 1;
  power[1] = scale;
  for (int i = 0; i < 64; ++i) {
    for (size_t k = 0; k < modulus.degree(); ++k) result.sum[k] ^= power[k];
    power = modulus.square(power);
  }
  result.sum.degree = modulus.degree() - 1;
  result.sum.trim();
  result.next = power;
  result.next.trim();
  return result;
}

// z^2 + b * z + c: with z = b * y it is y^2 + y = c / b^2.
bool find_two_roots(const Polynomial& p, Elements* roots) {
  if (p[1] == 0) return false;  // one root, twice
  const uint64_t inverse = invert(p[1]);
  const auto y = field::artin_schreier(multiply(p[0], multiply(inverse, inverse)));
  if (!y) return false;
  roots->push_back(multiply(p[1], *y));
  roots->push_back(multiply(p[1], *y ^ 1));
  return true;
}

// Appends the roots of `p`, which is monic. False when it isn't a product of different linear
// factors; exactly then it doesn't divide z^(2^64) - z. Berlekamp's trace algorithm: the trace of
// (2^bit * root) is 0 for some roots and 1 for others, for some bit; the former are those which the
// trace polynomial has in common with `p`. Bits below `bit` don't tell roots of `p` apart.
bool find_roots(const Polynomial& p, int bit, Elements* roots) {
  if (p.degree == 0) return true;
  if (p.degree == 1) {
    roots->push_back(p[0]);
    return true;
  }
  if (p.degree == 2) return find_two_roots(p, roots);
  const Modulus modulus(p);
  for (; bit < 64; ++bit) {
    const Trace traced = trace(uint64_t{1} << bit, modulus);
    const Polynomial& next = traced.next;
    if (bit == 0 && (next.degree != 1 || next[1] != 1 || next[0] != 0)) return false;
    const Polynomial common = greatest_common_divisor(p, traced.sum);
    if (common.degree == 0 || common.degree == p.degree) continue;
    return find_roots(common, bit + 1, roots) && find_roots(quotient(p, common), bit + 1, roots);
  }
  return false;
}

// Berlekamp-Massey (Massey, "Shift-Register Synthesis and BCH Decoding", 1969): the shortest
// recurrence that makes the power sums s1, s2, ...; its polynomial has the inverses of the elements
// as roots. Nothing when it is longer than half of them.
std::optional<Polynomial> find_locator(std::span<const uint64_t> power_sums) {
  std::array<uint64_t, 2 * kSketchSums + 1> current{1};
  std::array<uint64_t, 2 * kSketchSums + 1> before{1};
  size_t length = 0;
  size_t shift = 1;
  uint64_t inverse_before = 1;
  for (size_t n = 0; n < power_sums.size(); ++n) {
    uint64_t discrepancy = power_sums[n];
    for (size_t i = 1; i <= length; ++i) discrepancy ^= multiply(current[i], power_sums[n - i]);
    if (discrepancy == 0) {
      ++shift;
      continue;
    }
    const auto kept = current;
    const uint64_t factor = multiply(discrepancy, inverse_before);
    for (size_t i = shift; i < current.size(); ++i) {
      current[i] ^= multiply(factor, before[i - shift]);
    }
    if (2 * length > n) {
      ++shift;
      continue;
    }
    length = n + 1 - length;
    before = kept;
    inverse_before = invert(discrepancy);
    shift = 1;
  }
  if (2 * length > power_sums.size() || current[length] == 0) return std::nullopt;
  Polynomial locator;
  locator.degree = length;
  std::copy_n(current.begin(), length + 1, locator.coefficients.begin());
  return locator;
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
  if (!locator) return std::nullopt;
  // Read backwards, its roots are the elements.
  Polynomial p;
  p.degree = locator->degree;
  for (size_t i = 0; i <= p.degree; ++i) p[i] = (*locator)[p.degree - i];
  Elements elements;
  if (!find_roots(p, 0, &elements)) return std::nullopt;
  assert(elements.size() == p.degree);
  return elements;
}

}  // namespace syntropy
