#include "membership/detector_message.h"

#include <bit>

namespace syntropy {
namespace {

constexpr size_t kTag = 1;
constexpr size_t kIdField = kTag + 1 + NodeId::kBytes;

size_t varint_size(uint64_t value) {
  return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7;
}

size_t varint_field(uint64_t value) { return value == 0 ? 0 : kTag + varint_size(value); }

size_t bytes_field(size_t length) { return length == 0 ? 0 : kTag + varint_size(length) + length; }

template <typename Message>
size_t numbers(const Message& m) {
  return varint_field(m.seq) + varint_field(m.seen) + varint_field(m.no_lease ? 1 : 0);
}

size_t bitmap_bytes(const VoterSet& votes) {
  const VoterSet::Words& words = votes.words();
  if (words.empty()) return 0;
  return 8 * (words.size() - 1) + (static_cast<size_t>(std::bit_width(words.back())) + 7) / 8;
}

}  // namespace

size_t wire_size(const Ping& message) { return numbers(message); }
size_t wire_size(const Ack& message) { return numbers(message); }
size_t wire_size(const IndirectProbe& message) { return kIdField + numbers(message); }
size_t wire_size(const RelayedPing& message) { return kIdField + numbers(message); }
size_t wire_size(const RelayedAck& message) { return kIdField + numbers(message); }
size_t wire_size(const IndirectAck& message) { return kIdField + numbers(message); }

size_t wire_size(const Ballot& ballot) {
  return kIdField + varint_field(ballot.incarnation) + varint_field(ballot.decided ? 1 : 0) +
         varint_field(ballot.age_ms) + bytes_field(8 * ballot.accusers.size()) +
         (ballot.roster_hash == 0 ? 0 : kTag + 8) + bytes_field(bitmap_bytes(ballot.votes));
}

size_t wire_size(const BallotNews& message) {
  size_t size = 0;
  for (const Ballot& ballot : message.ballots) size += bytes_field(wire_size(ballot));
  return size;
}

size_t wire_size(const DetectorMessage& message) {
  return std::visit([](const auto& m) { return wire_size(m); }, message);
}

}  // namespace syntropy
