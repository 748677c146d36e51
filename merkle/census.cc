#include "merkle/census.h"

#include <cassert>
#include <cmath>

namespace syntropy {
namespace {

// Above this share of differing nodes the rest may look alike by chance: in the opening census one
// node of 64 does.
constexpr double kFull = 0.9;

}  // namespace

Census::Census(const Tree& tree, unsigned level, unsigned bits, const SlotRanges& slots)
    : bytes_(bytes_for(nodes_of_level(level), bits), '\0'), bits_(bits) {
  assert(bits > 0 && bits <= kMostBits);
  for (uint64_t index = 0; index < nodes_of_level(level); ++index) {
    const uint64_t check = tree.within(level, index, slots).check;
    const unsigned cell = static_cast<unsigned>(check) & ((1u << bits) - 1);
    const uint64_t bit = index * bits;
    unsigned wide = cell << (bit % 8);
    for (size_t byte = bit / 8; wide != 0; ++byte, wide >>= 8) {
      bytes_[byte] = static_cast<char>(bytes_[byte] | (wide & 0xFF));
    }
  }
}

Census Census::from_bytes(std::string bytes, unsigned bits) {
  Census census;
  census.bytes_ = std::move(bytes);
  census.bits_ = bits;
  return census;
}

unsigned Census::cell(uint64_t index) const {
  const uint64_t bit = index * bits_;
  unsigned wide = 0;
  for (size_t i = 0; i < 3 && bit / 8 + i < bytes_.size(); ++i) {
    wide |= unsigned{static_cast<uint8_t>(bytes_[bit / 8 + i])} << (8 * i);
  }
  return (wide >> (bit % 8)) & ((1u << bits_) - 1);
}

std::optional<uint64_t> estimate_differences(size_t differing, size_t nodes) {
  const auto count = static_cast<double>(nodes);
  const double share = static_cast<double>(differing) / count;
  if (share > kFull) return std::nullopt;
  return static_cast<uint64_t>(std::ceil(-count * std::log1p(-share)));
}

}  // namespace syntropy
