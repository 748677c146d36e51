// What failure detectors say to each other.
//
// Heartbeats are the traffic of an idle cluster, so they carry two numbers and nothing else: the
// sender's own counter for this receiver, and the highest counter that it had from it ("seen").
// Hearing one's own recent number back proves both directions of the path at once. A number of 0 is
// absent from the wire: a seq of 0 means "I don't watch you", a seen of 0 "I've heard nothing yet".
// `no_lease`: hear me, but don't serve on the strength of it (Roster::lease_withheld).
//
// wire_size(m) is the bytes of the protobuf encoding (rpc/), frame overhead apart: per field one
// tag byte, then a varint, 8 fixed bytes, or a length and bytes. Absent fields (0, false, empty)
// cost nothing. Field numbers are the order of the members here.
//
// Thread safety: values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "membership/entry.h"
#include "membership/node_id.h"
#include "membership/voter_set.h"

namespace syntropy {

/// Wants an Ack.
struct Ping {
  uint32_t seq = 0;
  uint32_t seen = 0;
  bool no_lease = false;
  bool operator==(const Ping&) const = default;
};

struct Ack {
  uint32_t seq = 0;
  uint32_t seen = 0;
  bool no_lease = false;
  bool operator==(const Ack&) const = default;
};

/// To a helper: ping `subject` for me (SWIM: Das, Gupta, Motivala, "SWIM: Scalable
/// Weakly-consistent Infection-style Process Group Membership Protocol", DSN 2002, section 3.1).
struct IndirectProbe {
  NodeId subject;
  uint32_t seq = 0;
  uint32_t seen = 0;
  bool no_lease = false;
  bool operator==(const IndirectProbe&) const = default;
};

/// The helper to the subject: as a Ping from `origin`; answer to it, and through me.
struct RelayedPing {
  NodeId origin;
  uint32_t seq = 0;
  uint32_t seen = 0;
  bool no_lease = false;
  bool operator==(const RelayedPing&) const = default;
};

/// The subject to the helper: pass this on to `origin`.
struct RelayedAck {
  NodeId origin;
  uint32_t seq = 0;
  uint32_t seen = 0;
  bool no_lease = false;
  bool operator==(const RelayedAck&) const = default;
};

/// The helper to the origin: as an Ack from `subject`.
struct IndirectAck {
  NodeId subject;
  uint32_t seq = 0;
  uint32_t seen = 0;
  bool no_lease = false;
  bool operator==(const IndirectAck&) const = default;
};

/// A node that doesn't answer, and the incarnation at which it doesn't. Also the element of the
/// gossiped list of whom an observer suspects; there the incarnation may have kDoubtful set.
struct Suspect {
  NodeId subject;
  uint64_t incarnation = 0;
  auto operator<=>(const Suspect&) const = default;
};

/// "I don't hear it, but trust myself too little to accuse it." It doesn't make the node suspect;
/// it says that there is no way from one to the other.
inline constexpr uint64_t kDoubtful = uint64_t{1} << 63;

/// What is known of one suspect at one incarnation (membership/failure_ballot.h).
struct Ballot {
  NodeId subject;
  uint64_t incarnation = 0;
  bool decided = false;            // FAIL; the fields below are empty then
  uint32_t age_ms = 0;             // of the oldest vote in it
  std::vector<uint64_t> accusers;  // digest_id of observers that suspect it, ascending
  uint64_t roster_hash = 0;        // of the member list that gives the ranks; 0 without votes
  VoterSet votes;  // wire: bytes, bit i is bit i % 8 of byte i / 8, no zeros at the end
  bool operator==(const Ballot&) const = default;
};

/// Never empty.
struct BallotNews {
  std::vector<Ballot> ballots;
  bool operator==(const BallotNews&) const = default;
};

using DetectorMessage =
    std::variant<Ping, Ack, IndirectProbe, RelayedPing, RelayedAck, IndirectAck, BallotNews>;

struct DetectorOutgoing {
  NodeId to;
  DetectorMessage message;
};

size_t wire_size(const Ping& message);
size_t wire_size(const Ack& message);
size_t wire_size(const IndirectProbe& message);
size_t wire_size(const RelayedPing& message);
size_t wire_size(const RelayedAck& message);
size_t wire_size(const IndirectAck& message);
size_t wire_size(const Ballot& ballot);
size_t wire_size(const BallotNews& message);
size_t wire_size(const DetectorMessage& message);

}  // namespace syntropy
