// Entries: what a node tells the others about itself, in the form in which gossip carries it.
//
// A node owns its entries and nobody else changes them. Each write gives the entry a version from
// the owner's one growing counter, so "all that I know of you up to version v" is one number, and a
// delta is the entries above it (Scuttlebutt: van Renesse, Dumitriu, Gough, Thomas, "Efficient
// Reconciliation and Flow Control for Anti-Entropy Protocols", LADIS 2008, section 3). What the
// values mean is membership/facts.h's business.
//
// Invariants
//   1. The versions of an owner's entries differ from each other.
//   2. A member's max_version is not below any of its entries' versions.
//
// Thread safety: values. Record and entry values are shared and never change, so that ten thousand
// simulated nodes can hold the same ten thousand records.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "membership/node_id.h"

namespace syntropy {

/// Monotonic milliseconds, from any starting point: what cores are told of the time.
using TimeMs = uint64_t;

/// Grows with each write of an owner. 0: nothing is known.
using EntryVersion = uint64_t;

/// Numbers are part of the wire format. A key that a node doesn't know is kept and passed on.
enum class EntryKey : uint8_t {
  kAddress = 1,      // host, ports
  kRole = 2,         // primary or replica of whom; shard id
  kSlots = 3,        // slots claimed, with the epoch
  kReplication = 4,  // lineage and offset
  kLoad = 5,
  kSoftware = 6,     // version of the program
  kIncarnation = 7,  // counts refutations (membership/failure_ballot.h)
  kStore = 8,        // which data directory; another one means an empty disk
  kSuspects = 9,     // whom this node, as an observer, doesn't hear
  kForgotten = 10,   // whom this node was told to forget, and when
  kJoined = 11,      // stamp of when it last joined: undoes a kForgotten with a lower one
};

struct Entry {
  EntryKey key;
  EntryVersion version = 0;
  std::shared_ptr<const std::string> value;  // never null
};

/// All that is known of one member. Immutable once shared.
struct MemberRecord {
  NodeId id;
  EntryVersion max_version = 0;
  std::vector<Entry> entries;  // ascending by version

  /// Null when the member hasn't told it. Valid as long as the record.
  const Entry* find(EntryKey key) const;
  /// The value of `key`; empty when the member hasn't told it.
  std::string_view value(EntryKey key) const;
};

using MemberRecordPtr = std::shared_ptr<const MemberRecord>;

}  // namespace syntropy
