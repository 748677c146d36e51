#include "server/resp/rdb_string.h"

#include <lzf.h>

#include <boost/crc.hpp>
#include <charconv>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>

namespace syntropy {
namespace {

constexpr uint8_t kTypeString = 0;
constexpr size_t kFooterBytes = 2 + 8;

// First bytes of the string encodings that are not a length.
constexpr uint8_t kInt8 = 0xC0;
constexpr uint8_t kInt16 = 0xC1;
constexpr uint8_t kInt32 = 0xC2;
constexpr uint8_t kLzf = 0xC3;
constexpr uint8_t kLength32 = 0x80;
constexpr uint8_t kLength64 = 0x81;

// "-2147483648" is the longest integer that is stored as one.
constexpr size_t kMaxIntegerText = 11;
constexpr size_t kMinCompressed = 21;
constexpr size_t kMinSaved = 4;
// Three bytes of LZF yield at most 264: what a payload of n bytes can hold is bounded by it.
constexpr uint64_t kMaxLzfExpansion = 88;

// A table-driven byte at a time; the table is Boost's and built once.
using Crc64 = boost::crc_optimal<64, 0xAD93D23594C935A9, 0, 0, true, true>;

template <class Unsigned>
void append_little_endian(std::string* out, Unsigned value) {
  for (size_t i = 0; i < sizeof(value); ++i) {
    out->push_back(static_cast<char>(value >> (8 * i) & 0xFF));
  }
}

template <class Unsigned>
void append_big_endian(std::string* out, Unsigned value) {
  for (size_t i = sizeof(value); i-- > 0;) {
    out->push_back(static_cast<char>(value >> (8 * i) & 0xFF));
  }
}

template <class Unsigned>
Unsigned little_endian_at(const char* at) {
  uint64_t value = 0;
  for (size_t i = sizeof(Unsigned); i-- > 0;) value = value << 8 | static_cast<uint8_t>(at[i]);
  return static_cast<Unsigned>(value);
}

void append_length(std::string* out, uint64_t length) {
  if (length < 1u << 6) {
    out->push_back(static_cast<char>(length));
  } else if (length < 1u << 14) {
    append_big_endian(out, static_cast<uint16_t>(1u << 14 | length));
  } else if (length <= std::numeric_limits<uint32_t>::max()) {
    out->push_back(static_cast<char>(kLength32));
    append_big_endian(out, static_cast<uint32_t>(length));
  } else {
    out->push_back(static_cast<char>(kLength64));
    append_big_endian(out, length);
  }
}

bool append_as_integer(std::string* out, std::string_view value) {
  if (value.empty() || value.size() > kMaxIntegerText) return false;
  int32_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size()) return false;
  // Only the canonical text comes back from a number: not "007", not "-0".
  const size_t sign = value[0] == '-' ? 1 : 0;
  if (value[sign] == '0' && value.size() > 1) return false;
  if (number >= INT8_MIN && number <= INT8_MAX) {
    out->push_back(static_cast<char>(kInt8));
    append_little_endian(out, static_cast<uint8_t>(number));
  } else if (number >= INT16_MIN && number <= INT16_MAX) {
    out->push_back(static_cast<char>(kInt16));
    append_little_endian(out, static_cast<uint16_t>(number));
  } else {
    out->push_back(static_cast<char>(kInt32));
    append_little_endian(out, static_cast<uint32_t>(number));
  }
  return true;
}

bool append_compressed(std::string* out, std::string_view value) {
  // The library's lengths are unsigned int.
  if (value.size() < kMinCompressed || value.size() > std::numeric_limits<uint32_t>::max()) {
    return false;
  }
  std::string compressed(value.size() - kMinSaved, '\0');
  const unsigned int size =
      lzf_compress(value.data(), static_cast<unsigned int>(value.size()), compressed.data(),
                   static_cast<unsigned int>(compressed.size()));
  if (size == 0) return false;
  out->push_back(static_cast<char>(kLzf));
  append_length(out, size);
  append_length(out, value.size());
  out->append(compressed, 0, size);
  return true;
}

Status malformed(const char* what) { return Status::corruption(std::string("RDB value: ") + what); }

// Reads a payload's body from the left.
class BodyReader {
 public:
  explicit BodyReader(std::string_view body) : rest_(body) {}

  size_t left() const { return rest_.size(); }

  std::optional<uint8_t> byte() {
    if (rest_.empty()) return std::nullopt;
    const auto value = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return value;
  }

  std::optional<std::string_view> bytes(uint64_t count) {
    if (count > rest_.size()) return std::nullopt;
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  std::optional<uint64_t> big_endian(size_t width) {
    const auto taken = bytes(width);
    if (!taken) return std::nullopt;
    uint64_t value = 0;
    for (const char c : *taken) value = value << 8 | static_cast<uint8_t>(c);
    return value;
  }

  /// A length whose first byte has been taken; nothing when it is not one of the four forms.
  std::optional<uint64_t> length(uint8_t first) {
    if (first == kLength32) return big_endian(4);
    if (first == kLength64) return big_endian(8);
    if (first >> 6 == 0) return first;
    if (first >> 6 != 1) return std::nullopt;
    const auto low = byte();
    if (!low) return std::nullopt;
    return static_cast<uint64_t>(first & 0x3F) << 8 | *low;
  }

  std::optional<uint64_t> length() {
    const auto first = byte();
    return first ? length(*first) : std::nullopt;
  }

 private:
  std::string_view rest_;
};

template <class Signed, class Unsigned>
Result<std::string> read_integer(BodyReader* body) {
  const auto taken = body->bytes(sizeof(Unsigned));
  if (!taken) return malformed("the integer is cut short");
  return std::to_string(static_cast<Signed>(little_endian_at<Unsigned>(taken->data())));
}

Result<std::string> read_compressed(BodyReader* body, size_t max_bytes) {
  const auto compressed_size = body->length();
  const auto size = body->length();
  if (!compressed_size || !size)
    return malformed("a length of the compressed string is ill-formed");
  const auto compressed = body->bytes(*compressed_size);
  if (!compressed) return malformed("the compressed string is cut short");
  if (*size > max_bytes) return malformed("the string is longer than this server takes");
  constexpr uint64_t kLibraryMax = std::numeric_limits<unsigned int>::max();
  if (*size == 0 || *size > kLibraryMax || compressed->size() > kLibraryMax ||
      *size > compressed->size() * kMaxLzfExpansion) {
    return malformed("the length of the compressed string cannot be true");
  }
  std::string value(*size, '\0');
  const unsigned int written =
      lzf_decompress(compressed->data(), static_cast<unsigned int>(compressed->size()),
                     value.data(), static_cast<unsigned int>(value.size()));
  if (written != value.size()) return malformed("the compressed string does not decompress");
  return value;
}

Result<std::string> read_string(BodyReader* body, size_t max_bytes) {
  const auto first = body->byte();
  if (!first) return malformed("there is no string");
  switch (*first) {
    case kInt8:
      return read_integer<int8_t, uint8_t>(body);
    case kInt16:
      return read_integer<int16_t, uint16_t>(body);
    case kInt32:
      return read_integer<int32_t, uint32_t>(body);
    case kLzf:
      return read_compressed(body, max_bytes);
    default:
      break;
  }
  const auto length = body->length(*first);
  if (!length) return malformed("the string's length is ill-formed");
  if (*length > max_bytes) return malformed("the string is longer than this server takes");
  const auto bytes = body->bytes(*length);
  if (!bytes) return malformed("the string is cut short");
  return std::string(*bytes);
}

}  // namespace

uint64_t rdb_crc64(std::string_view data) {
  Crc64 crc;
  crc.process_bytes(data.data(), data.size());
  return crc.checksum();
}

void append_rdb_length(std::string* out, uint64_t length) { append_length(out, length); }

void append_rdb_string(std::string* out, std::string_view value) {
  if (append_as_integer(out, value) || append_compressed(out, value)) return;
  append_length(out, value.size());
  out->append(value);
}

std::string encode_dump_string(std::string_view value) {
  std::string payload;
  payload.push_back(static_cast<char>(kTypeString));
  append_rdb_string(&payload, value);
  return seal_dump_payload(std::move(payload));
}

std::string seal_dump_payload(std::string content) {
  append_little_endian(&content, kRdbVersion);
  append_little_endian(&content, rdb_crc64(content));
  return content;
}

Status verify_dump_payload(std::string_view payload) {
  if (payload.size() < kFooterBytes) return malformed("shorter than its footer");
  const std::string_view checked = payload.substr(0, payload.size() - 8);
  const auto version = little_endian_at<uint16_t>(payload.data() + payload.size() - kFooterBytes);
  if (version > kRdbVersion) {
    return malformed("written by a newer server: its RDB version is above 10");
  }
  if (little_endian_at<uint64_t>(checked.data() + checked.size()) != rdb_crc64(checked)) {
    return malformed("the checksum is wrong");
  }
  return {};
}

Result<std::string> decode_dump_string(std::string_view payload, size_t max_bytes) {
  if (payload.size() < kFooterBytes) return malformed("shorter than its footer");
  BodyReader body(payload.substr(0, payload.size() - kFooterBytes));
  const auto type = body.byte();
  if (!type) return malformed("there is no value");
  if (*type != kTypeString) {
    return Status::invalid_argument("DUMP payload holds a " + rdb_type_name(*type) +
                                    ", where a string is expected");
  }
  Result<std::string> value = read_string(&body, max_bytes);
  if (value.ok() && body.left() != 0) return malformed("bytes are left over behind the string");
  return value;
}

Result<std::string> decode_rdb_string(std::string_view encoded, size_t max_bytes) {
  BodyReader body(encoded);
  Result<std::string> value = read_string(&body, max_bytes);
  if (value.ok() && body.left() != 0) return malformed("bytes are left over behind the string");
  return value;
}

std::string rdb_type_name(uint8_t type) {
  switch (type) {
    case 1:
    case 10:
    case 18:
    case 14:
      return "list";
    case 2:
    case 11:
    case 20:
      return "set";
    case 3:
    case 5:
    case 12:
    case 17:
      return "sorted set";
    case 4:
    case 9:
    case 13:
    case 16:
      return "hash";
    case 6:
    case 7:
      return "module value";
    case 15:
    case 19:
    case 21:
      return "stream";
    default:
      return "unknown type " + std::to_string(type);
  }
}

}  // namespace syntropy
