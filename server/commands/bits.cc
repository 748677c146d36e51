#include "server/commands/bits.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

namespace syntropy {
namespace {

constexpr size_t kWord = sizeof(uint64_t);

uint64_t load_word(const char* from) {
  uint64_t word;
  std::memcpy(&word, from, kWord);
  return word;
}

void store_word(char* to, uint64_t word) { std::memcpy(to, &word, kWord); }

uint64_t to_big_endian(uint64_t word) {
  return std::endian::native == std::endian::little ? __builtin_bswap64(word) : word;
}

uint8_t byte_at(std::string_view bytes, size_t index) { return static_cast<uint8_t>(bytes[index]); }

uint64_t count_all(std::string_view bytes) {
  uint64_t count = 0;
  while (bytes.size() >= kWord) {
    count += static_cast<uint64_t>(std::popcount(load_word(bytes.data())));
    bytes.remove_prefix(kWord);
  }
  for (const char c : bytes) {
    count += static_cast<uint64_t>(std::popcount(static_cast<uint8_t>(c)));
  }
  return count;
}

// *target = operation(*target, source) over as many bytes as both have.
template <class Operation>
void combine_common(std::string_view source, std::string* target, Operation operation) {
  const size_t size = std::min(source.size(), target->size());
  char* to = target->data();
  size_t i = 0;
  for (; i + kWord <= size; i += kWord) {
    store_word(to + i, operation(load_word(to + i), load_word(source.data() + i)));
  }
  for (; i < size; ++i) {
    to[i] = static_cast<char>(operation(static_cast<uint8_t>(to[i]), byte_at(source, i)));
  }
}

}  // namespace

uint64_t count_bits(std::string_view bytes, uint64_t first, uint64_t last) {
  assert(first <= last && last / 8 < bytes.size());
  const size_t first_byte = first / 8;
  const size_t last_byte = last / 8;
  uint64_t count = count_all(bytes.substr(first_byte, last_byte - first_byte + 1));
  // Take off what the outer bytes have outside of the range.
  const unsigned before = byte_at(bytes, first_byte) & ~(0xffu >> (first % 8)) & 0xffu;
  const unsigned after = byte_at(bytes, last_byte) & (0xffu >> (last % 8) >> 1);
  count -= static_cast<uint64_t>(std::popcount(before) + std::popcount(after));
  return count;
}

std::optional<uint64_t> find_bit(std::string_view bytes, bool bit, uint64_t first, uint64_t last) {
  assert(first <= last && last / 8 < bytes.size());
  // To search for a clear bit is to search for a set one in the complement.
  const uint64_t flip = bit ? 0 : ~uint64_t{0};
  uint64_t position = first;
  while (position <= last) {
    const size_t index = position / 8;
    if (position % 8 == 0 && bytes.size() - index >= kWord) {
      const uint64_t word = load_word(bytes.data() + index) ^ flip;
      if (word != 0) {
        position += static_cast<uint64_t>(std::countl_zero(to_big_endian(word)));
        break;
      }
      position += 8 * kWord;
    } else {
      const uint8_t rest =
          static_cast<uint8_t>((byte_at(bytes, index) ^ flip) & (0xffu >> (position % 8)));
      if (rest != 0) {
        position = 8 * index + static_cast<uint64_t>(std::countl_zero(rest));
        break;
      }
      position = 8 * (index + 1);
    }
  }
  if (position > last) return std::nullopt;
  return position;
}

void combine_bits(BitOperation operation, std::string_view source, std::string* target) {
  if (target->size() < source.size()) target->resize(source.size());
  switch (operation) {
    case BitOperation::kAnd:
      combine_common(source, target, [](auto a, auto b) { return a & b; });
      std::fill(target->begin() + static_cast<std::ptrdiff_t>(source.size()), target->end(), '\0');
      break;
    case BitOperation::kOr:
      combine_common(source, target, [](auto a, auto b) { return a | b; });
      break;
    case BitOperation::kXor:
      combine_common(source, target, [](auto a, auto b) { return a ^ b; });
      break;
  }
}

void invert_bits(std::string* target) {
  combine_common(*target, target, [](auto a, auto) { return ~a; });
}

bool get_bit(std::string_view bytes, uint64_t position) {
  const uint64_t index = position / 8;
  return index < bytes.size() && (byte_at(bytes, index) & (0x80u >> (position % 8))) != 0;
}

void set_bit(std::string* bytes, uint64_t position, bool bit) {
  assert(position / 8 < bytes->size());
  char& c = (*bytes)[position / 8];
  const unsigned mask = 0x80u >> (position % 8);
  c = static_cast<char>(bit ? static_cast<uint8_t>(c) | mask : static_cast<uint8_t>(c) & ~mask);
}

uint64_t read_bits(std::string_view bytes, uint64_t position, unsigned width) {
  assert(width >= 1 && width <= 64);
  uint64_t value = 0;
  for (unsigned taken = 0; taken < width;) {
    const uint64_t index = (position + taken) / 8;
    const unsigned skipped = (position + taken) % 8;
    const unsigned count = std::min(8 - skipped, width - taken);
    const unsigned byte = index < bytes.size() ? byte_at(bytes, index) : 0;
    value = value << count | (byte >> (8 - skipped - count) & ((1u << count) - 1));
    taken += count;
  }
  return value;
}

void write_bits(std::string* bytes, uint64_t position, unsigned width, uint64_t value) {
  assert(width >= 1 && width <= 64 && (position + width - 1) / 8 < bytes->size());
  for (unsigned written = 0; written < width;) {
    const uint64_t index = (position + written) / 8;
    const unsigned skipped = (position + written) % 8;
    const unsigned count = std::min(8 - skipped, width - written);
    const unsigned shift = 8 - skipped - count;
    const unsigned mask = ((1u << count) - 1) << shift;
    const unsigned part = static_cast<unsigned>(value >> (width - written - count)) << shift & mask;
    char& c = (*bytes)[index];
    c = static_cast<char>((static_cast<uint8_t>(c) & ~mask) | part);
    written += count;
  }
}

}  // namespace syntropy
