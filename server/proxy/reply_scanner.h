// ReplyScanner: finds where a reply ends, in RESP2 and RESP3, without taking it apart. Sans-I/O.
//
// The caller owns the buffer and passes all of it that isn't consumed, each time with more behind;
// scanning goes on where it stopped, so a large reply isn't read twice.
//
// Thread safety: none.
// Source: Redis' RESP2 and RESP3 specifications.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace syntropy {

class ReplyScanner {
 public:
  /// The bytes of the first reply; 0: it hasn't come whole. After a reply the next call begins with
  /// what is behind it. kCorruption: that is no reply.
  Result<size_t> scan(std::string_view bytes);

 private:
  size_t at_ = 0;               // what is before it has been seen
  std::vector<uint64_t> left_;  // elements to come, of the aggregates that are open
};

/// The elements of an array (or set) reply, as bytes; nullopt: it isn't one.
std::optional<std::vector<std::string_view>> elements_of(std::string_view reply);
/// The content of a bulk reply; nullopt: it isn't one, or null.
std::optional<std::string_view> bulk_of(std::string_view reply);

}  // namespace syntropy
