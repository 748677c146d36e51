// Building deltas: which of the things that a peer lacks go into one message of bounded size.
//
// With Scuttlebutt reconciliation a peer is described by one version per member, so the entries of
// a member go in ascending order of version and what is left out is always a tail. The paper has
// two orders for several members:
//   depth     member by member, the one with the most entries missing first: few members are wholly
//             up to date early, others wait
//   breadth   the first missing entry of every member, then every second one, ...: all advance
//   alike
// Ties are broken at random, so that no member is starved by its id.
//
// With *precise* reconciliation the peer is described by the version of each of its entries; then
// entries can go in any order (newest or oldest first), at the price of a larger digest. It is here
// for comparison (tests/membership/delta_test.cc, docs): gossip uses Scuttlebutt. A state that was
// fed precisely has holes below its max_version and must not be used for Scuttlebutt afterwards.
//
// Source: van Renesse, Dumitriu, Gough, Thomas, LADIS 2008, section 3 (orders: 3.2).
//
// Thread safety: free functions.
#pragma once

#include <cstdint>
#include <vector>

#include "membership/gossip_message.h"
#include "membership/gossip_state.h"
#include "membership/member_list.h"
#include "storage/base/random.h"

namespace syntropy {

enum class DeltaOrder : uint8_t { kDepth, kBreadth };

/// A member of which the peer has everything up to `from`. from < record->max_version.
struct DeltaSource {
  MemberRecordPtr record;
  EntryVersion from = 0;
};

struct DeltaResult {
  std::vector<MemberDelta> deltas;  // wire_size of all: at most the budget
  bool complete = true;             // nothing was left out
};

/// What of `sources` fits into `budget` bytes. Reorders `sources`.
DeltaResult build_delta(std::vector<DeltaSource>& sources, DeltaOrder order, size_t budget,
                        Random& random);

/// All versions that a view knows, ascending by digest id; of the members of the groups in `groups`
/// (bit g: group g) only.
Digest build_digest(const MemberList& members, uint64_t groups = ~uint64_t{0});

/// What the sender of a digest of everything lacks of `members`.
std::vector<DeltaSource> missing_from(const MemberList& members, const Digest& digest);

// Precise reconciliation.

struct PreciseItem {
  uint64_t id = 0;  // digest id
  EntryKey key{};
  EntryVersion version = 0;
};
/// Ascending by (id, key).
using PreciseDigest = std::vector<PreciseItem>;
enum class PreciseOrder : uint8_t { kOldestFirst, kNewestFirst };

PreciseDigest build_precise_digest(const MemberList& members);
/// Bytes of the digest, coded as DigestItems with a key each.
size_t wire_size(const PreciseDigest& digest);
/// The entries that the sender of `digest` lacks, as far as they fit: of each member its oldest (or
/// newest) missing entry first, members in random order. The deltas' `from` is 0 and means nothing.
DeltaResult build_precise_delta(const MemberList& members, const PreciseDigest& digest,
                                PreciseOrder order, size_t budget, Random& random);
/// Takes each entry that is newer than the one of its key. True when something changed.
bool apply_precise(MemberList& members, const MemberDelta& delta);

}  // namespace syntropy
