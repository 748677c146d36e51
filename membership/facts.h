// Facts: what the values of entries say (membership/entry.h), typed.
//
// Decoding is strict: it accepts exactly what encode() writes, so that equal facts have equal bytes
// and bytes from a hostile peer are either a fact within its bounds or kCorruption. A value grows
// by another EntryKey, never by more bytes: nodes pass on keys that they don't know.
//
//   text(n)      := length:u8 byte*                length <= n
//   id           := 20 bytes
//   address      := host:text(255) hostname:text(255) port:u16 tls_port:u16 bus_port:u16
//   role         := flags:u8 [primary:id] shard:id    flags: 1 replica (of primary), 2 no failover
//   slots        := epoch:varint ranges               epoch <= kMaxEpoch; slot_ranges.h
//   replication  := flags:u8 lineage:id offset:varint     flags: 1 complete
//   load         := keys:varint bytes:varint ops_per_s:varint clients:varint
//   software     := text(64)
//   incarnation  := incarnation:varint joined:varint
//   store        := u64
//   suspects     := count:varint (id incarnation:varint)*     count <= 256, ascending by id
//   forgotten    := count:varint (id stamp:varint)*           count <= 256, ascending by id
//   Integers little-endian. Check: incarnation 1, joined 300 is 01 AC 02.
//
// Thread safety: free functions and values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "membership/node_id.h"
#include "storage/base/slot_ranges.h"
#include "storage/base/lineage_id.h"
#include "storage/base/status.h"

namespace syntropy {

/// An epoch above is ill-formed, so that a node which takes the next one never wraps around.
inline constexpr uint64_t kMaxEpoch = uint64_t{3} << 62;
inline constexpr size_t kMaxHostBytes = 255;
inline constexpr size_t kMaxSoftwareBytes = 64;
inline constexpr size_t kMaxSuspects = 256;
inline constexpr size_t kMaxForgotten = 256;

/// EntryKey::kAddress. Texts consist of letters, digits and ".-_:%[]", for they are put into
/// CLUSTER NODES, where a space or a comma of someone else's making would be a forged field.
struct AddressFact {
  std::string host;      // an IP address as clients should use it; empty: as the peer sees it
  std::string hostname;  // cluster-announce-hostname; empty: none
  uint16_t port = 0;     // 0: not listening
  uint16_t tls_port = 0;
  uint16_t bus_port = 0;
  bool operator==(const AddressFact&) const = default;
};

/// EntryKey::kRole.
struct RoleFact {
  NodeId primary;            // no node: this one is a primary
  NodeId shard;              // the same for a primary and its replicas (CLUSTER MYSHARDID)
  bool no_failover = false;  // cluster-replica-no-failover
  bool is_primary() const { return !primary; }
  bool operator==(const RoleFact&) const = default;
};

/// EntryKey::kSlots.
struct SlotsFact {
  uint64_t epoch = 0;  // config epoch
  SlotRanges slots;
  bool operator==(const SlotsFact&) const = default;
};

/// EntryKey::kReplication.
struct ReplicationFact {
  LineageId lineage;
  uint64_t offset = 0;
  bool complete = false;  // a replica that has finished its first sync, or a primary
  bool operator==(const ReplicationFact&) const = default;
};

/// EntryKey::kLoad.
struct LoadFact {
  uint64_t keys = 0;
  uint64_t bytes = 0;
  uint64_t ops_per_s = 0;
  uint64_t clients = 0;
  bool operator==(const LoadFact&) const = default;
};

/// EntryKey::kSoftware. Printable ASCII without space.
struct SoftwareFact {
  std::string version;
  bool operator==(const SoftwareFact&) const = default;
};

/// EntryKey::kIncarnation.
struct IncarnationFact {
  uint64_t incarnation = 0;
  uint64_t joined = 0;  // Unix ms of the last CLUSTER MEET; a forgotten node needs a later one
  bool operator==(const IncarnationFact&) const = default;
};

/// EntryKey::kStore. Drawn when a data directory is made.
struct StoreFact {
  uint64_t store = 0;
  bool operator==(const StoreFact&) const = default;
};

/// A node and a number that goes with it: an incarnation or a stamp.
struct NodeStamp {
  NodeId node;
  uint64_t stamp = 0;
  auto operator<=>(const NodeStamp&) const = default;
};

/// EntryKey::kSuspects: whom this observer doesn't hear, and at which incarnation.
struct SuspectsFact {
  std::vector<NodeStamp> suspects;  // ascending by node, each node once
  bool operator==(const SuspectsFact&) const = default;
};

/// EntryKey::kForgotten: whom this node was told to forget; records that joined at or before the
/// stamp (Unix ms) are refused.
struct ForgottenFact {
  std::vector<NodeStamp> forgotten;  // ascending by node, each node once
  bool operator==(const ForgottenFact&) const = default;
};

/// The value of an entry. The fact must be within the bounds above (an assertion).
std::string encode(const AddressFact& fact);
std::string encode(const RoleFact& fact);
std::string encode(const SlotsFact& fact);
std::string encode(const ReplicationFact& fact);
std::string encode(const LoadFact& fact);
std::string encode(const SoftwareFact& fact);
std::string encode(const IncarnationFact& fact);
std::string encode(const StoreFact& fact);
std::string encode(const SuspectsFact& fact);
std::string encode(const ForgottenFact& fact);

/// decode_fact<SlotsFact>(bytes): the fact, or kCorruption when encode() doesn't write these bytes.
template <class Fact>
Result<Fact> decode_fact(std::string_view bytes);

template <>
Result<AddressFact> decode_fact(std::string_view bytes);
template <>
Result<RoleFact> decode_fact(std::string_view bytes);
template <>
Result<SlotsFact> decode_fact(std::string_view bytes);
template <>
Result<ReplicationFact> decode_fact(std::string_view bytes);
template <>
Result<LoadFact> decode_fact(std::string_view bytes);
template <>
Result<SoftwareFact> decode_fact(std::string_view bytes);
template <>
Result<IncarnationFact> decode_fact(std::string_view bytes);
template <>
Result<StoreFact> decode_fact(std::string_view bytes);
template <>
Result<SuspectsFact> decode_fact(std::string_view bytes);
template <>
Result<ForgottenFact> decode_fact(std::string_view bytes);

/// Whether a host or hostname consists of what AddressFact allows and isn't too long; empty is.
bool valid_host(std::string_view host);

}  // namespace syntropy
