// What elections say: requests for votes, votes, standings of replicas, and the handshake of a
// manual failover. Who sends what when: membership/election.h.
//
// wire_size gives the bytes of a message's encoding by this schema (without the frame around it),
// zero and empty fields not written, no node being empty bytes, ranges as SlotRanges::encode():
//
//   VoteRequest   { uint64 epoch = 1; bytes primary = 2; uint64 primary_epoch = 3;
//                   bytes slots = 4; fixed64 electorate = 5; bool manual = 6; }
//   Vote          { uint64 epoch = 1; }
//   VoteRefusal   { uint64 epoch = 1; uint64 current_epoch = 2; uint32 reason = 3; }
//   VoteWithdrawn { uint64 epoch = 1; bytes primary = 2; }
//   Standing      { bytes primary = 1; bytes lineage = 2; uint64 offset = 3; bool complete = 4;
//                   bool eligible = 5; bool reply_wanted = 6; }
//   MfStart       { fixed64 attempt = 1; }
//   MfPaused      { fixed64 attempt = 1; bytes lineage = 2; uint64 offset = 3; }
//   MfCancel      { fixed64 attempt = 1; }
//
// Thread safety: values.
#pragma once

#include <cstdint>
#include <memory>
#include <variant>

#include "membership/facts.h"
#include "membership/node_id.h"
#include "storage/base/slot_ranges.h"

namespace syntropy {

/// Candidate to every slot-owning primary, again to those that haven't answered.
struct VoteRequest {
  uint64_t epoch = 0;                       // to be voted in
  NodeId primary;                           // whom the candidate replaces
  uint64_t primary_epoch = 0;               // its config epoch, as the candidate knows it
  std::shared_ptr<const SlotRanges> slots;  // what it would take; never null
  uint64_t electorate = 0;  // SlotMap::owners_hash: a vote counts in this electorate only
  bool manual = false;      // asked by an operator: the primary need not be FAIL
};

/// Voter to candidate. Durable before it is sent. Again while the voter doesn't know how the
/// election ended: a candidate that gave it up says so.
struct Vote {
  uint64_t epoch = 0;
};

/// Numbers are part of the wire format.
enum class RefusalReason : uint8_t {
  kNotAVoter = 1,        // owns no slots
  kStaleEpoch = 2,       // below one that the voter voted in, or not above all claims
  kAlreadyVoted = 3,     // for another in this epoch
  kVotedForSibling = 4,  // for another replica of this primary, less than two timeouts ago
  kPrimaryAlive = 5,     // not FAIL in the voter's view
  kUnknownReplica = 6,   // not a replica of this primary in the voter's view
  kStaleClaim = 7,       // a slot has an owner of a higher epoch than primary_epoch
  kOtherElectorate = 8,
  kBusy = 9,  // voted in another shard's election and hasn't heard how it ended
};

/// Whether the same request may be granted once news has travelled.
bool may_pass(RefusalReason reason);

/// Voter to candidate: no vote for now, or in this epoch.
struct VoteRefusal {
  uint64_t epoch = 0;          // as asked
  uint64_t current_epoch = 0;  // the voter's
  RefusalReason reason = RefusalReason::kNotAVoter;
};

/// Candidate to those who may have voted for it: it gave up that election, its siblings may have
/// it.
struct VoteWithdrawn {
  uint64_t epoch = 0;
  NodeId primary;  // no node: whichever it was
};

/// Replica to the other replicas of its failed primary: how much of its log it has.
struct Standing {
  NodeId primary;
  LineageId lineage;
  uint64_t offset = 0;
  bool complete = false;  // has finished a first sync
  bool eligible = false;  // may stand: data young enough, failover not switched off
  bool reply_wanted = false;
};

/// Replica to its primary (manual failover): stop writing and say where you stopped.
struct MfStart {
  uint64_t attempt = 0;  // drawn by the replica; never 0
};

/// Primary to replica: no write after this offset while the pause lasts.
struct MfPaused {
  uint64_t attempt = 0;
  LineageId lineage;
  uint64_t offset = 0;
};

/// Replica to primary: given up or done; write again if you still own slots.
struct MfCancel {
  uint64_t attempt = 0;
};

using ElectionMessage = std::variant<VoteRequest, Vote, VoteRefusal, VoteWithdrawn, Standing,
                                     MfStart, MfPaused, MfCancel>;

size_t wire_size(const VoteRequest& m);
size_t wire_size(const Vote& m);
size_t wire_size(const VoteRefusal& m);
size_t wire_size(const VoteWithdrawn& m);
size_t wire_size(const Standing& m);
size_t wire_size(const MfStart& m);
size_t wire_size(const MfPaused& m);
size_t wire_size(const MfCancel& m);
size_t wire_size(const ElectionMessage& m);

}  // namespace syntropy
