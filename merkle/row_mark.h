// RowMark: what the trees know of a row.
//
//   element  := position:36 content:28   names the row at that version: where it lies and what it
//                                        says; never 0
//   position := slot:14 hash:22          the upper 22 bits of the hash in the row's key
//   check    := 64 bits of a hash over the whole row, key and value
//
// The position is a prefix of the row's key in the order of the store (storage/row.h), its database
// apart: so whoever has an element finds its row with one seek. Of a thousand rows of a slot, one
// in four thousand shares its position with another; all rows of a collection do.
//
// Two versions of a row have the same element with a probability of 2^-28, and both element and
// check alike practically never: sums of elements tell which rows differ, sums of checks whether
// all that differ have been found.
//
// In sketches (merkle/sketch.h) elements are scrambled, so that the sum of several isn't likely to
// look like one: without it the sum of three elements of a slot would lie in that slot again.
//
// Source: XXH3, 128 bits, over the value, seeded by XXH3, 64 bits, of the row key.
//
// Thread safety: values and pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "storage/base/slot.h"

namespace syntropy {

inline constexpr unsigned kSlotBits = 14;
inline constexpr unsigned kPositionBits = 36;
inline constexpr unsigned kContentBits = 64 - kPositionBits;
inline constexpr uint64_t kPositions = uint64_t{1} << kPositionBits;
static_assert(kSlotCount == 1u << kSlotBits);

struct RowMark {
  uint64_t element = 0;
  uint64_t check = 0;
  auto operator<=>(const RowMark&) const = default;
};

/// `hash` is the one in the row key (32 bits). Key and value are the encoded ones.
RowMark mark_row(uint16_t slot, uint32_t hash, std::string_view row_key,
                 std::string_view row_value);
/// The same, for who has the XXH3, 64 bits, of the row key already.
RowMark mark_row(uint16_t slot, uint32_t hash, uint64_t key_hash, std::string_view row_value);

constexpr uint64_t row_position(uint16_t slot, uint32_t hash) {
  return (uint64_t{slot} << (kPositionBits - kSlotBits)) | (hash >> 10);
}
constexpr uint64_t position_of(uint64_t element) { return element >> kContentBits; }
constexpr uint16_t slot_of_position(uint64_t position) {
  return static_cast<uint16_t>(position >> (kPositionBits - kSlotBits));
}

/// Both ways between an element and the number that stands for it in a sketch; 0 stays 0.
uint64_t scramble(uint64_t element);
uint64_t unscramble(uint64_t number);

}  // namespace syntropy
