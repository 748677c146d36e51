// The messages of gossip, as plain structs; rpc/ writes them with protobuf.
//
//   push-pull (3 messages)   A -> B  Syn    what A knows (hash; digest of what changed lately); the
//                                           newest changes themselves when they are few and small
//                            B -> A  Ack    what A lacks; a digest of what B lacks
//                            A -> B  Push   what B lacks
//   pull (2)                 Syn, then an Ack that asks for nothing
//   push (1)                 Push
//   rumour (1)               Push, at once, of urgent news
//   views are equal          Syn, then Agree
//
// No message refers to an earlier one: each can be lost, doubled or overtaken, and is handled by
// what it says alone.
//
// wire_size gives the bytes of a message's encoding by this schema (without the frame around it),
// zero and empty fields not written, repeated numbers packed:
//
//   EntryDelta   { uint32 key = 1; uint64 version = 2; bytes value = 3; }
//   MemberDelta  { bytes id = 1; uint64 from = 2; repeated EntryDelta entries = 3; }
//   GossipSyn    { fixed64 hash = 1; fixed64 extra = 2; repeated fixed64 digest_ids = 3;
//                  repeated uint64 digest_versions = 4; fixed64 covered = 5; bool pull = 6;
//                  bool sums_wanted = 7; uint32 rate = 8; uint32 demand = 9;
//                  repeated MemberDelta deltas = 10; }
//   GossipAck    { fixed64 residual = 1; fixed64 extra = 2; repeated fixed64 digest_ids = 3;
//                  repeated uint64 digest_versions = 4; repeated MemberDelta deltas = 5;
//                  repeated fixed32 sums = 6; bool more = 7; uint32 rate = 8; uint32 demand = 9;
//                  bool deep = 10; }
//   GossipPush   { fixed64 hash = 1; fixed64 extra = 2; repeated MemberDelta deltas = 3;
//                  bool deep = 4; }
//   GossipAgree  { fixed64 extra = 1; bool learnt = 2; }
//
// Thread safety: values. Values of entries and whole records are shared and never change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "membership/entry.h"

namespace syntropy {

/// "Of this member I know all up to this version."
struct DigestItem {
  uint64_t id = 0;  // digest id (membership/member_list.h)
  EntryVersion version = 0;

  bool operator==(const DigestItem&) const = default;
};
using Digest = std::vector<DigestItem>;

/// The entries of a member above `from`, up to the last one's version and without a gap: who knows
/// the member at `from` or above knows it at the last one's version afterwards.
struct MemberDelta {
  NodeId id;
  EntryVersion from = 0;
  std::vector<Entry> entries;  // ascending by version, never empty
  /// Within one process only, never on the wire: the sender's record, when the delta reaches up to
  /// its max_version. A receiver that ends up with the same entries shares it instead of making its
  /// own. Null is always right.
  MemberRecordPtr whole;
};

struct GossipSyn {
  uint64_t hash = 0;   // of the sender's members
  uint64_t extra = 0;  // Gossip::set_extra_hash
  /// Members that changed lately in the sender's view, those of which it is known to lack
  /// something, and all of the groups in `covered`.
  Digest digest;
  /// Bit g: the digest names every member of group g (membership/member_list.h) that the sender
  /// has, so those not named are unknown to it.
  uint64_t covered = 0;
  bool pull = false;         // send what I lack and ask for nothing
  bool sums_wanted = false;  // tell me in which groups we differ
  /// Flow control (membership/flow_control.h): the most updates per 100 s that the sender may make,
  /// and would like to. 0 and 0: not told.
  uint32_t rate = 0;
  uint32_t demand = 0;
  /// Fresh changes, which the receiver probably lacks. `hash` and `digest` include them.
  std::vector<MemberDelta> deltas;
};

struct GossipAck {
  /// The Syn's hash less the sender's, less what the two digests and the deltas account for (modulo
  /// 2^64): 0 when the views are equal after this exchange.
  uint64_t residual = 0;
  uint64_t extra = 0;
  Digest digest;  // what the sender lacks: it knows these only up to these versions
  std::vector<MemberDelta> deltas;
  std::vector<uint32_t> sums;  // low 32 bits of MemberList::group_sum of all groups, or empty
  bool more = false;           // the delta didn't fit: ask again
  uint32_t rate = 0;
  uint32_t demand = 0;
  bool deep = false;  // answers a Syn with full digests
};

struct GossipPush {
  /// Of the sender's members; 0: not told (a rumour, the third message of push-pull).
  uint64_t hash = 0;
  uint64_t extra = 0;
  std::vector<MemberDelta> deltas;
  bool deep = false;  // part of a repair: news to the receiver, but hardly to others
};

/// The answer to a Syn whose hash is the receiver's own.
struct GossipAgree {
  uint64_t extra = 0;
  bool learnt = false;  // it is so because of the Syn's deltas
};

using GossipMessage = std::variant<GossipSyn, GossipAck, GossipPush, GossipAgree>;

/// Bytes of one entry within a MemberDelta, tag and length included.
size_t wire_size(const Entry& entry);
/// Bytes of a delta within a message, tag and length included.
size_t wire_size(const MemberDelta& delta);
size_t wire_size(const GossipSyn& syn);
size_t wire_size(const GossipAck& ack);
size_t wire_size(const GossipPush& push);
size_t wire_size(const GossipAgree& agree);
size_t wire_size(const GossipMessage& message);

}  // namespace syntropy
