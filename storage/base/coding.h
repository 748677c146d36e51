// Byte coding: fixed-width integers of either endianness and varints, appended to a string or read
// from one.
//
//   fixedN   := N/8 bytes, least (le) or most (be) significant byte first
//   varintN  := 7 bits a byte, least significant group first; bit 7 set on all bytes but the last.
//               Only the shortest form is valid, so that equal values have equal bytes.
//               Check: 0 -> 00, 127 -> 7F, 128 -> 80 01, 300 -> AC 02.
//
// Thread safety: free functions; a ByteReader belongs to one thread.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace syntropy {

namespace coding_detail {

template <std::unsigned_integral T>
constexpr T swap_bytes(T value) {
  // std::byteswap is C++23, and a loop isn't seen for what it is: GCC 12 runs it byte by byte.
  if constexpr (sizeof(T) == 8) {
    return __builtin_bswap64(value);
  } else if constexpr (sizeof(T) == 4) {
    return __builtin_bswap32(value);
  } else if constexpr (sizeof(T) == 2) {
    return __builtin_bswap16(value);
  } else {
    static_assert(sizeof(T) == 1);
    return value;
  }
}

template <std::unsigned_integral T>
constexpr T to_order(T value, std::endian order) {
  return order == std::endian::native ? value : swap_bytes(value);
}

}  // namespace coding_detail

/// Writes sizeof(T) bytes at `to`, which need not be aligned.
template <std::unsigned_integral T>
void store_le(char* to, T value) {
  value = coding_detail::to_order(value, std::endian::little);
  std::memcpy(to, &value, sizeof(T));
}
template <std::unsigned_integral T>
void store_be(char* to, T value) {
  value = coding_detail::to_order(value, std::endian::big);
  std::memcpy(to, &value, sizeof(T));
}

/// Reads sizeof(T) bytes at `from`, which need not be aligned; the caller knows they are there.
template <std::unsigned_integral T>
T load_le(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return coding_detail::to_order(value, std::endian::little);
}
template <std::unsigned_integral T>
T load_be(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return coding_detail::to_order(value, std::endian::big);
}

/// Appends sizeof(T) bytes to `out`. Name the type: put_le<uint32_t>(out, n).
template <std::unsigned_integral T>
void put_le(std::string* out, std::type_identity_t<T> value) {
  char bytes[sizeof(T)];
  store_le<T>(bytes, value);
  out->append(bytes, sizeof(T));
}
template <std::unsigned_integral T>
void put_be(std::string* out, std::type_identity_t<T> value) {
  char bytes[sizeof(T)];
  store_be<T>(bytes, value);
  out->append(bytes, sizeof(T));
}

inline void put_fixed16_le(std::string* out, uint16_t value) { put_le<uint16_t>(out, value); }
inline void put_fixed32_le(std::string* out, uint32_t value) { put_le<uint32_t>(out, value); }
inline void put_fixed64_le(std::string* out, uint64_t value) { put_le<uint64_t>(out, value); }
inline void put_fixed16_be(std::string* out, uint16_t value) { put_be<uint16_t>(out, value); }
inline void put_fixed32_be(std::string* out, uint32_t value) { put_be<uint32_t>(out, value); }
inline void put_fixed64_be(std::string* out, uint64_t value) { put_be<uint64_t>(out, value); }

inline constexpr size_t kMaxVarint32Bytes = 5;
inline constexpr size_t kMaxVarint64Bytes = 10;

/// Appends a varint: 1 to 10 bytes (at most 5 when value < 2^32).
inline void put_varint64(std::string* out, uint64_t value) {
  char bytes[kMaxVarint64Bytes];
  size_t size = 0;
  for (; value >= 0x80; value >>= 7) bytes[size++] = static_cast<char>(value | 0x80);
  bytes[size++] = static_cast<char>(value);
  out->append(bytes, size);
}
inline void put_varint32(std::string* out, uint32_t value) { put_varint64(out, value); }

/// The bytes that put_varint64(value) appends.
constexpr size_t varint_size(uint64_t value) {
  return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7;
}

/// Takes values off the front of `bytes`. Never reads past the end: a read that does not fit, or
/// an ill-formed varint, returns false, leaves `value` alone and makes every later read fail too,
/// so that a caller may check once after several reads. Views point into `bytes`.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  /// What has not been read; stays where it was after a failure.
  std::string_view rest() const { return rest_; }
  bool at_end() const { return ok_ && rest_.empty(); }

  bool read_u8(uint8_t* value) { return read_fixed<uint8_t, std::endian::little>(value); }
  bool read_fixed16_le(uint16_t* value) { return read_fixed<uint16_t, std::endian::little>(value); }
  bool read_fixed32_le(uint32_t* value) { return read_fixed<uint32_t, std::endian::little>(value); }
  bool read_fixed64_le(uint64_t* value) { return read_fixed<uint64_t, std::endian::little>(value); }
  bool read_fixed16_be(uint16_t* value) { return read_fixed<uint16_t, std::endian::big>(value); }
  bool read_fixed32_be(uint32_t* value) { return read_fixed<uint32_t, std::endian::big>(value); }
  bool read_fixed64_be(uint64_t* value) { return read_fixed<uint64_t, std::endian::big>(value); }

  bool read_varint64(uint64_t* value) {
    uint64_t out = 0;
    for (size_t i = 0; ok_ && i < rest_.size() && i < kMaxVarint64Bytes; ++i) {
      const auto byte = static_cast<uint8_t>(rest_[i]);
      if (i == kMaxVarint64Bytes - 1 && byte > 1) break;  // above 2^64
      out |= static_cast<uint64_t>(byte & 0x7F) << (7 * i);
      if ((byte & 0x80) != 0) continue;
      if (byte == 0 && i > 0) break;  // not the shortest form
      rest_.remove_prefix(i + 1);
      *value = out;
      return true;
    }
    return ok_ = false;
  }

  bool read_varint32(uint32_t* value) {
    const std::string_view before = rest_;
    uint64_t wide = 0;
    if (!read_varint64(&wide)) return false;
    if (wide > UINT32_MAX) {
      rest_ = before;
      return ok_ = false;
    }
    *value = static_cast<uint32_t>(wide);
    return true;
  }

  bool read_bytes(size_t size, std::string_view* value) {
    if (!ok_ || size > rest_.size()) return ok_ = false;
    *value = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }

 private:
  template <class T, std::endian kOrder>
  bool read_fixed(T* value) {
    if (!ok_ || rest_.size() < sizeof(T)) return ok_ = false;
    *value = kOrder == std::endian::little ? load_le<T>(rest_.data()) : load_be<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return true;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace syntropy
