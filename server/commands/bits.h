// Bits of strings: counting, searching, combining, and integers of any width.
//
// Bit 0 is the highest bit of byte 0, bit 8 the highest of byte 1, and so on, as in Redis. All
// ranges are inclusive, first <= last. Bulk work goes by 64-bit words.
//
// Thread safety: pure functions of their arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace syntropy {

/// The set bits within [first, last]; both lie within `bytes`.
uint64_t count_bits(std::string_view bytes, uint64_t first, uint64_t last);

/// The first position within [first, last] whose bit is `bit`; both lie within `bytes`.
std::optional<uint64_t> find_bit(std::string_view bytes, bool bit, uint64_t first, uint64_t last);

enum class BitOperation : uint8_t { kAnd, kOr, kXor };

/// *target = *target op source, where the shorter of the two counts as padded with zero bytes: the
/// target grows to the length of the longer.
void combine_bits(BitOperation operation, std::string_view source, std::string* target);
void invert_bits(std::string* target);

/// The bit there; false beyond the end of `bytes`.
bool get_bit(std::string_view bytes, uint64_t position);
/// `position` lies within `bytes`.
void set_bit(std::string* bytes, uint64_t position, bool bit);

/// The unsigned integer of `width` bits (1..64) that begins at `position`, highest bit first; bits
/// beyond the end of `bytes` are 0.
uint64_t read_bits(std::string_view bytes, uint64_t position, unsigned width);
/// Writes the lower `width` bits of `value`; all of them lie within `bytes`.
void write_bits(std::string* bytes, uint64_t position, unsigned width, uint64_t value);

}  // namespace syntropy
