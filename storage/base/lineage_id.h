// LineageId: the name of a stretch of a replication log (storage/lineage.h). Here, because
// membership speaks of lineages as well.
//
// Thread safety: a value.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/random.h"

namespace syntropy {

/// 160 random bits, written as 40 hex digits, like Redis' replication ids. The default is none.
class LineageId {
 public:
  static constexpr size_t kBytes = 20;

  LineageId() = default;
  static LineageId random(Random& random);
  /// nullopt unless there are kBytes bytes.
  static std::optional<LineageId> from_bytes(std::string_view bytes);

  std::string_view bytes() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }
  std::string hex() const;
  explicit operator bool() const { return *this != LineageId(); }
  auto operator<=>(const LineageId&) const = default;

 private:
  std::array<uint8_t, kBytes> bytes_{};
};

}  // namespace syntropy
