#include "membership/gossip_message.h"

#include "storage/base/coding.h"

namespace syntropy {
namespace {

// A field of each kind with its one-byte tag. Zero and empty ones are not written.
size_t varint_field(uint64_t value) { return value == 0 ? 0 : 1 + varint_size(value); }
size_t fixed64_field(uint64_t value) { return value == 0 ? 0 : 9; }
size_t bool_field(bool value) { return value ? 2 : 0; }
size_t bytes_field(size_t length) { return length == 0 ? 0 : 1 + varint_size(length) + length; }
/// A message within a message is written even when it is empty.
size_t message_field(size_t length) { return 1 + varint_size(length) + length; }

size_t digest_fields(const Digest& digest) {
  size_t versions = 0;
  for (const DigestItem& item : digest) versions += varint_size(item.version);
  return bytes_field(8 * digest.size()) + bytes_field(versions);
}

size_t delta_fields(const std::vector<MemberDelta>& deltas) {
  size_t bytes = 0;
  for (const MemberDelta& delta : deltas) bytes += wire_size(delta);
  return bytes;
}

}  // namespace

size_t wire_size(const Entry& entry) {
  return message_field(varint_field(static_cast<uint8_t>(entry.key)) + varint_field(entry.version) +
                       bytes_field(entry.value->size()));
}

size_t wire_size(const MemberDelta& delta) {
  size_t bytes = bytes_field(NodeId::kBytes) + varint_field(delta.from);
  for (const Entry& entry : delta.entries) bytes += wire_size(entry);
  return message_field(bytes);
}

size_t wire_size(const GossipSyn& syn) {
  return fixed64_field(syn.hash) + fixed64_field(syn.extra) + digest_fields(syn.digest) +
         fixed64_field(syn.covered) + bool_field(syn.pull) + bool_field(syn.sums_wanted) +
         varint_field(syn.rate) + varint_field(syn.demand) + delta_fields(syn.deltas);
}

size_t wire_size(const GossipAck& ack) {
  return fixed64_field(ack.residual) + fixed64_field(ack.extra) + digest_fields(ack.digest) +
         delta_fields(ack.deltas) + bytes_field(4 * ack.sums.size()) + bool_field(ack.more) +
         varint_field(ack.rate) + varint_field(ack.demand) + bool_field(ack.deep);
}

size_t wire_size(const GossipPush& push) {
  return fixed64_field(push.hash) + fixed64_field(push.extra) + delta_fields(push.deltas) +
         bool_field(push.deep);
}

size_t wire_size(const GossipAgree& agree) {
  return fixed64_field(agree.extra) + bool_field(agree.learnt);
}

size_t wire_size(const GossipMessage& message) {
  return std::visit([](const auto& m) { return wire_size(m); }, message);
}

}  // namespace syntropy
