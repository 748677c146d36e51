#include "membership/node_id.h"

namespace syntropy {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

NodeId NodeId::random(Random& random) {
  NodeId id;
  for (size_t i = 0; i < kBytes; i += 4) {
    const uint64_t bits = random.next();
    for (size_t j = 0; j < 4; ++j) id.bytes_[i + j] = static_cast<uint8_t>(bits >> (8 * j));
  }
  return id;
}

Result<NodeId> NodeId::parse(std::string_view hex) {
  if (hex.size() != 2 * kBytes) {
    return Status::invalid_argument("a node id has 40 hex digits, not " +
                                    std::to_string(hex.size()));
  }
  NodeId id;
  for (size_t i = 0; i < kBytes; ++i) {
    const int high = hex_digit(hex[2 * i]);
    const int low = hex_digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) {
      return Status::invalid_argument("a node id consists of hex digits: '" + std::string(hex) +
                                      "'");
    }
    id.bytes_[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return id;
}

Result<NodeId> NodeId::from_bytes(std::string_view bytes) {
  if (bytes.size() != kBytes) {
    return Status::invalid_argument("a node id has 20 bytes, not " + std::to_string(bytes.size()));
  }
  NodeId id;
  std::memcpy(id.bytes_.data(), bytes.data(), kBytes);
  return id;
}

std::string NodeId::hex() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * kBytes);
  for (const uint8_t byte : bytes_) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

}  // namespace syntropy
