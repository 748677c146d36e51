// Sketch: a set of 64-bit numbers, summed up in a few words from which a small set can be read
// back.
//
// It holds the sums of the first odd powers of the elements, in GF(2^64) (merkle/field.h):
//
//   s1 = sum of e,  s3 = sum of e^3,  s5 = sum of e^5, ...
//
// Sums of sets can be added: what is in both sets is gone, because every number is its own
// negative. So the sum of two sketches is the sketch of the elements in which the sets differ,
// however large they are, and from t sums up to t elements can be decoded. An element costs a word:
// no list of candidates, no search in the data.
//
// The idea is PinSketch: Dodis, Ostrovsky, Reyzin, Smith, "Fuzzy Extractors", SIAM Journal on
// Computing 38(1), 2008, section 6.3; it is the decoding of binary BCH codes (Berlekamp-Massey,
// then the roots of the locator, by formulas up to degree four).
//
// More elements than sums decode to nothing, or, rarely, to other numbers: with t sums a chance set
// decodes with a probability of 1/t!. So whoever decodes must be able to tell an element from
// chance (merkle/row_mark.h).
//
// Thread safety: values and pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace syntropy {

/// Sums that a sketch holds, and most elements that can be decoded.
inline constexpr size_t kSketchSums = 4;

struct Sketch {
  std::array<uint64_t, kSketchSums> sums{};

  /// Puts `element` into the set, or takes it out. It isn't 0, which no sum would show.
  void toggle(uint64_t element);
  Sketch& operator^=(const Sketch& other);
  bool operator==(const Sketch&) const = default;
};

/// A few numbers, in no order.
class Elements {
 public:
  void push_back(uint64_t element) { elements_[count_++] = element; }
  size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  const uint64_t* begin() const { return elements_.data(); }
  const uint64_t* end() const { return elements_.data() + count_; }

 private:
  std::array<uint64_t, kSketchSums> elements_{};
  size_t count_ = 0;
};

/// The set of at most sums.size() elements whose sums these are; the first sums.size() of a sketch,
/// 1 to kSketchSums of them. Nothing when there is no such set.
std::optional<Elements> decode_sketch(std::span<const uint64_t> sums);

}  // namespace syntropy
