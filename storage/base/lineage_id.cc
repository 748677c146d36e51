#include "storage/base/lineage_id.h"

#include <cstring>

namespace syntropy {

LineageId LineageId::random(Random& random) {
  LineageId id;
  while (!id) {
    for (uint8_t& byte : id.bytes_) byte = static_cast<uint8_t>(random.next());
  }
  return id;
}

std::optional<LineageId> LineageId::from_bytes(std::string_view bytes) {
  if (bytes.size() != kBytes) return std::nullopt;
  LineageId id;
  std::memcpy(id.bytes_.data(), bytes.data(), kBytes);
  return id;
}

std::string LineageId::hex() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes_) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

}  // namespace syntropy
