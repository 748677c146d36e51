// MembershipState: what a node's membership must remember over a restart.
//
//   state   := format:u8=1 id:20 store:u64 bound:varint ownership:bytes member*
//   bytes   := length:varint byte*
//   member  := id:20 count:varint entry*            the node's own record is the first
//   entry   := key:u8 version:varint value:bytes    ascending by version
//   Integers little-endian.
//
// Thread safety: a value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "membership/entry.h"
#include "membership/ownership.h"
#include "storage/base/status.h"

namespace syntropy {

struct MembershipState {
  NodeId id;
  /// Which data directory this is; not 0. A node whose store isn't the one in which its state was
  /// written has lost its data.
  uint64_t store = 0;
  /// No own entry with a version above it was ever told. A restart begins above it, so that a
  /// version never stands for two contents.
  EntryVersion version_bound = 0;
  OwnershipState ownership;
  MemberRecordPtr own;  // null: it has told nothing yet
  std::vector<MemberRecordPtr> others;
};

std::string encode(const MembershipState& state);
/// kCorruption when the bytes are not what encode() writes.
Result<MembershipState> decode_membership_state(std::string_view bytes);

}  // namespace syntropy
