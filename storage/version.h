// Version: the stamp that orders all writes of one row across the whole cluster.
//
// A version is a hybrid logical clock stamp (storage/base/hlc.h) and the id of the writer whose
// clock it is. No two writes of one row carry the same version, and the greater one wins
// (storage/merge.h).
//
// Thread safety: a value.
#pragma once

#include <compare>
#include <cstdint>

#include "storage/base/hlc.h"

namespace syntropy {

/// Random, chosen once when a data directory is made; 0 is no writer.
using WriterId = uint64_t;

struct Version {
  HlcStamp stamp = 0;
  WriterId writer = 0;

  auto operator<=>(const Version&) const = default;

  /// The milliseconds since the Unix epoch at which the write was stamped.
  uint64_t wall_ms() const { return stamp >> 16; }
};

}  // namespace syntropy
