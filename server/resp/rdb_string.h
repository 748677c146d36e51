// The payload of DUMP and RESTORE for string values: Redis' RDB encoding with version and checksum.
//
//   payload  = type string version crc
//   type     = %x00                       string; other values are other types
//   string   = length *byte               raw
//            / %xC0 int8 / %xC1 int16 / %xC2 int32     little endian; the value is its decimal text
//            / %xC3 length length *byte   LZF: compressed length, original length, bytes
//   length   = %b00 6bit / %b01 14bit     big endian
//            / %x80 32bit / %x81 64bit    big endian
//   version  = 16bit                      little endian; 10 is written, 1..10 are read
//   crc      = 64bit                      little endian; of all before it
//
// The checksum is CRC-64 with Jones' polynomial 0xAD93D23594C935A9, reflected, no initial or final
// xor; of "123456789" it is 0xE9C6D914C4B8D9CA. The value 1 is `00 C0 01 0A 00` and its checksum.
//
// Encoding makes the choices of redis-server 7.0 (integers up to 32 bits, LZF above 20 bytes when
// it saves at least four), so both dump the same bytes for the same value.
//
// Thread safety: pure functions.
// Source: redis-server 7.0.15's payloads (check vectors in tests/resp/rdb_string_test.cc).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/base/status.h"

namespace syntropy {

inline constexpr uint16_t kRdbVersion = 10;

/// CRC-64 of `data` as in a payload's footer.
uint64_t rdb_crc64(std::string_view data);

/// Append `length` and `string` (see above).
void append_rdb_length(std::string* out, uint64_t length);
void append_rdb_string(std::string* out, std::string_view value);

/// The payload of a string value.
std::string encode_dump_string(std::string_view value);

/// A payload of whatever content: with version and checksum behind it.
std::string seal_dump_payload(std::string content);

/// Ok when the footer's version can be read here and its checksum is right; kCorruption otherwise
/// (RESTORE answers "ERR DUMP payload version or checksum are wrong").
Status verify_dump_payload(std::string_view payload);

/// The value in a payload that verify_dump_payload() accepted.
///
/// kInvalidArgument: a type other than string; the message names it.
/// kCorruption: not a well-formed string, bytes left over, or a value above `max_bytes` (RESTORE
///   answers "ERR Bad data format" for each of these).
/// Never allocates more than the value's length, which is checked against `max_bytes` and against
/// what the payload's size can yield before.
Result<std::string> decode_dump_string(std::string_view payload, size_t max_bytes);

/// The value of `string` (see above), which must be one and nothing behind it. Errors as
/// decode_dump_string().
Result<std::string> decode_rdb_string(std::string_view encoded, size_t max_bytes);

/// "list", or "unknown type 99".
std::string rdb_type_name(uint8_t type);

}  // namespace syntropy
