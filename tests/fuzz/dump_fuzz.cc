// RESTORE's payload. The input is taken as a payload, as the inside of one whose footer is right
// (which random bytes would never have), and as a value.
//
// Properties: decoding stays below its limit; a value that was decoded is encoded to a payload that
// decodes to it; any value comes back from its dump.

#include <cstdint>
#include <string>

#include "server/resp/rdb_string.h"
#include "tests/fuzz/check.h"

namespace syntropy {
namespace {

constexpr size_t kMaxBytes = 1 << 20;

void check_value(std::string_view value) {
  const std::string payload = encode_dump_string(value);
  SYNTROPY_CHECK(payload.size() <= value.size() + 1 + 9 + 10);
  SYNTROPY_CHECK(verify_dump_payload(payload).ok());
  const Result<std::string> decoded = decode_dump_string(payload, value.size());
  SYNTROPY_CHECK(decoded.ok() && *decoded == value);
}

void check_payload(std::string_view payload) {
  const Result<std::string> decoded = decode_dump_string(payload, kMaxBytes);
  if (!decoded.ok()) {
    SYNTROPY_CHECK(!decoded.status().message().empty());
    return;
  }
  SYNTROPY_CHECK(decoded->size() <= kMaxBytes);
  check_value(*decoded);
}

std::string with_footer(std::string_view body) {
  std::string payload(body);
  payload.push_back(static_cast<char>(kRdbVersion));
  payload.push_back('\0');
  const uint64_t crc = rdb_crc64(payload);
  for (int i = 0; i < 8; ++i) payload.push_back(static_cast<char>(crc >> (8 * i) & 0xFF));
  return payload;
}

}  // namespace
}  // namespace syntropy

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (syntropy::verify_dump_payload(input).ok()) syntropy::check_payload(input);
  syntropy::check_payload(syntropy::with_footer(input));
  syntropy::check_value(input);
  return 0;
}
