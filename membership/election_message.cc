#include "membership/election_message.h"

#include "storage/base/coding.h"

namespace syntropy {
namespace {

size_t field(uint64_t value) { return value == 0 ? 0 : 1 + varint_size(value); }
size_t field(const NodeId& id) { return id ? 2 + NodeId::kBytes : 0; }
size_t field(const LineageId& id) { return id ? 2 + LineageId::kBytes : 0; }
size_t field(const SlotRanges& slots) {
  if (slots.empty()) return 0;
  const size_t size = slots.encoded_size();
  return 1 + varint_size(size) + size;
}

}  // namespace

bool may_pass(RefusalReason reason) {
  switch (reason) {
    case RefusalReason::kNotAVoter:
    case RefusalReason::kPrimaryAlive:
    case RefusalReason::kUnknownReplica:
    case RefusalReason::kOtherElectorate:
      return true;
    case RefusalReason::kStaleEpoch:
    case RefusalReason::kAlreadyVoted:
    case RefusalReason::kVotedForSibling:
    case RefusalReason::kStaleClaim:
    case RefusalReason::kBusy:
      return false;
  }
  return false;
}

size_t wire_size(const VoteRequest& m) {
  return field(m.epoch) + field(m.primary) + field(m.primary_epoch) + field(*m.slots) +
         (m.electorate == 0 ? 0 : 9) + field(m.manual);
}

size_t wire_size(const Vote& m) { return field(m.epoch); }

size_t wire_size(const VoteRefusal& m) {
  return field(m.epoch) + field(m.current_epoch) + field(static_cast<uint64_t>(m.reason));
}

size_t wire_size(const VoteWithdrawn& m) { return field(m.epoch) + field(m.primary); }

size_t wire_size(const Standing& m) {
  return field(m.primary) + field(m.lineage) + field(m.offset) + field(m.complete) +
         field(m.eligible) + field(m.reply_wanted);
}

size_t wire_size(const MfStart& m) { return m.attempt == 0 ? 0 : 9; }

size_t wire_size(const MfPaused& m) {
  return (m.attempt == 0 ? 0 : 9) + field(m.lineage) + field(m.offset);
}

size_t wire_size(const MfCancel& m) { return m.attempt == 0 ? 0 : 9; }

size_t wire_size(const ElectionMessage& m) {
  return std::visit([](const auto& message) { return wire_size(message); }, m);
}

}  // namespace syntropy
