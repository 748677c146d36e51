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

#include "storage/base/coding.h"
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

  // By words: ids are random, so the first mostly decides. A defaulted comparison calls memcmp,
  // which views of ten thousand nodes feel.
  bool operator==(const NodeId& other) const {
    return word<uint64_t>(0) == other.word<uint64_t>(0) &&
           word<uint64_t>(8) == other.word<uint64_t>(8) &&
           word<uint32_t>(16) == other.word<uint32_t>(16);
  }
  std::strong_ordering operator<=>(const NodeId& other) const {
    if (const auto order = word<uint64_t>(0) <=> other.word<uint64_t>(0); order != 0) return order;
    if (const auto order = word<uint64_t>(8) <=> other.word<uint64_t>(8); order != 0) return order;
    return word<uint32_t>(16) <=> other.word<uint32_t>(16);
  }

 private:
  template <class Word>
  Word word(size_t at) const {
    return load_be<Word>(bytes().data() + at);
  }

  std::array<uint8_t, kBytes> bytes_{};
};

}  // namespace syntropy

template <>
struct std::hash<syntropy::NodeId> {
  size_t operator()(const syntropy::NodeId& id) const { return id.prefix(); }
};
