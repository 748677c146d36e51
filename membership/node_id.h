// NodeId: who a node is, however often it restarts and whatever its address becomes.
//
// 160 random bits, drawn once when a node's cluster state is made and written as 40 lower-case hex
// digits, as Redis Cluster does. The default value (all zero) is no node.
//
// Thread safety: a value.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "storage/base/random.h"
#include "storage/base/status.h"

namespace syntropy {

class NodeId {
 public:
  static constexpr size_t kBytes = 20;

  NodeId() = default;
  static NodeId random(Random& random);
  /// 40 hex digits, of either case; kInvalidArgument otherwise.
  static Result<NodeId> parse(std::string_view hex);
  /// Exactly kBytes bytes, as bytes() gives them; kInvalidArgument otherwise.
  static Result<NodeId> from_bytes(std::string_view bytes);

  std::string hex() const;
  std::string_view bytes() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }
  /// False for the default value.
  explicit operator bool() const { return *this != NodeId(); }
  /// For hash tables and seeded permutations: the first eight bytes, which are random.
  uint64_t prefix() const {
    uint64_t value = 0;
    std::memcpy(&value, bytes_.data(), sizeof(value));
    return value;
  }

  auto operator<=>(const NodeId&) const = default;

 private:
  std::array<uint8_t, kBytes> bytes_{};
};

}  // namespace syntropy

template <>
struct std::hash<syntropy::NodeId> {
  size_t operator()(const syntropy::NodeId& id) const { return id.prefix(); }
};
