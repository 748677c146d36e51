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

// a^2 modulo `p`, which is monic and has a degree above that of `a`.
Polynomial square_modulo(const Polynomial& a, const Polynomial& p) {
  std::array<uint64_t, 2 * kSketchSums> wide{};
  for (size_t i = 0; i < p.degree; ++i) wide[2 * i] = multiply(a[i], a[i]);
  for (size_t top = 2 * p.degree - 1; top-- > p.degree;) {
    const uint64_t factor = wide[top];
    if (factor == 0) continue;
    for (size_t i = 0; i < p.degree; ++i) {
      wide[top - p.degree + i] ^= multiply(factor, p[i]);
    }
  }
  Polynomial result;
  result.degree = p.degree - 1;
  std::copy_n(wide.begin(), p.degree, result.coefficients.begin());
  result.trim();
  return result;
}

struct Trace {
  Polynomial sum;   // of (scale * z)^(2^i), i = 0..63, modulo p
  Polynomial next;  // (scale * z)^(2^64) modulo p
};

Trace trace(uint64_t scale, const Polynomial& p) {
  Trace result;
  Polynomial power;
  power.degree = 1;
  power[1] = scale;
  for (int i = 0; i < 64; ++i) {
    for (size_t k = 0; k < p.degree; ++k) result.sum[k] ^= power[k];
    power = square_modulo(power, p);
  }
  result.sum.degree = p.degree - 1;
  result.sum.trim();
  result.next = power;
  return result;
}

// Appends the roots of `p`, a product of different monic linear factors. Berlekamp's trace
// algorithm: the trace of (2^bit * root) is 0 for some roots and 1 for others, for some bit; the
// former are those which the trace polynomial has in common with `p`.
void find_roots(const Polynomial& p, int bit, Elements* roots) {
  if (p.degree == 0) return;
  if (p.degree == 1) return roots->push_back(p[0]);
  for (; bit < 64; ++bit) {
    const Polynomial common = greatest_common_divisor(p, trace(uint64_t{1} << bit, p).sum);
    if (common.degree == 0 || common.degree == p.degree) continue;
    find_roots(common, bit + 1, roots);
    find_roots(quotient(p, common), bit + 1, roots);
    return;
  }
}

// Whether `p` is a product of different linear factors: exactly then it divides z^(2^64) - z.
bool splits(const Polynomial& p) {
  const Polynomial power = trace(1, p).next;
  return power.degree == 1 && power[1] == 1 && power[0] == 0;
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
  if (p.degree > 1 && !splits(p)) return std::nullopt;
  Elements elements;
  find_roots(p, 0, &elements);
  assert(elements.size() == p.degree);
  return elements;
}

}  // namespace syntropy
