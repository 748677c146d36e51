#include "membership/facts.h"

#include <algorithm>
#include <cassert>

#include "storage/base/coding.h"

namespace syntropy {
namespace {

constexpr uint8_t kReplica = 1;
constexpr uint8_t kNoFailover = 2;
constexpr uint8_t kComplete = 1;

Status ill_formed(std::string_view fact) {
  return Status::corruption("ill-formed fact: " + std::string(fact));
}

bool host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._:%[]").find(c) != std::string_view::npos;
}

bool printable(char c) { return c > ' ' && c <= '~'; }

bool valid_software(std::string_view version) {
  return version.size() <= kMaxSoftwareBytes &&
         std::all_of(version.begin(), version.end(), printable);
}

void put_text(std::string* out, std::string_view text) {
  assert(text.size() <= UINT8_MAX);
  out->push_back(static_cast<char>(text.size()));
  out->append(text);
}

bool read_text(ByteReader* reader, std::string* text) {
  uint8_t size = 0;
  std::string_view bytes;
  if (!reader->read_u8(&size) || !reader->read_bytes(size, &bytes)) return false;
  text->assign(bytes);
  return true;
}

template <class Id>
bool read_id(ByteReader* reader, Id* id) {
  std::string_view bytes;
  if (!reader->read_bytes(Id::kBytes, &bytes)) return false;
  *id = *Id::from_bytes(bytes);
  return true;
}

bool ascending(const std::vector<NodeStamp>& stamps) {
  return std::adjacent_find(stamps.begin(), stamps.end(), [](const auto& a, const auto& b) {
           return a.node >= b.node;
         }) == stamps.end();
}

std::string encode_stamps(const std::vector<NodeStamp>& stamps, size_t limit) {
  assert(stamps.size() <= limit && ascending(stamps));
  (void)limit;
  std::string out;
  put_varint64(&out, stamps.size());
  for (const NodeStamp& stamp : stamps) {
    out.append(stamp.node.bytes());
    put_varint64(&out, stamp.stamp);
  }
  return out;
}

bool decode_stamps(std::string_view bytes, size_t limit, std::vector<NodeStamp>* stamps) {
  ByteReader reader(bytes);
  uint64_t count = 0;
  if (!reader.read_varint64(&count) || count > limit) return false;
  stamps->reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    NodeStamp stamp;
    if (!read_id(&reader, &stamp.node) || !reader.read_varint64(&stamp.stamp)) return false;
    stamps->push_back(stamp);
  }
  return reader.at_end() && ascending(*stamps);
}

}  // namespace

bool valid_host(std::string_view host) {
  return host.size() <= kMaxHostBytes && std::all_of(host.begin(), host.end(), host_character);
}

std::string encode(const AddressFact& fact) {
  assert(valid_host(fact.host) && valid_host(fact.hostname));
  std::string out;
  put_text(&out, fact.host);
  put_text(&out, fact.hostname);
  put_fixed16_le(&out, fact.port);
  put_fixed16_le(&out, fact.tls_port);
  put_fixed16_le(&out, fact.bus_port);
  return out;
}

template <>
Result<AddressFact> decode_fact(std::string_view bytes) {
  AddressFact fact;
  ByteReader reader(bytes);
  read_text(&reader, &fact.host);
  read_text(&reader, &fact.hostname);
  reader.read_fixed16_le(&fact.port);
  reader.read_fixed16_le(&fact.tls_port);
  reader.read_fixed16_le(&fact.bus_port);
  if (!reader.at_end() || !valid_host(fact.host) || !valid_host(fact.hostname)) {
    return ill_formed("address");
  }
  return fact;
}

std::string encode(const RoleFact& fact) {
  std::string out;
  out.push_back(
      static_cast<char>((fact.is_primary() ? 0 : kReplica) | (fact.no_failover ? kNoFailover : 0)));
  if (!fact.is_primary()) out.append(fact.primary.bytes());
  out.append(fact.shard.bytes());
  return out;
}

template <>
Result<RoleFact> decode_fact(std::string_view bytes) {
  RoleFact fact;
  ByteReader reader(bytes);
  uint8_t flags = 0;
  if (!reader.read_u8(&flags) || flags > (kReplica | kNoFailover)) return ill_formed("role");
  fact.no_failover = (flags & kNoFailover) != 0;
  const bool replica = (flags & kReplica) != 0;
  // The id of no node would make it a primary.
  if (replica && (!read_id(&reader, &fact.primary) || !fact.primary)) return ill_formed("role");
  if (!read_id(&reader, &fact.shard) || !reader.at_end()) return ill_formed("role");
  return fact;
}

std::string encode(const SlotsFact& fact) {
  std::string out;
  put_varint64(&out, fact.epoch);
  fact.slots.encode(&out);
  return out;
}

template <>
Result<SlotsFact> decode_fact(std::string_view bytes) {
  SlotsFact fact;
  ByteReader reader(bytes);
  if (!reader.read_varint64(&fact.epoch) || fact.epoch > kMaxEpoch) return ill_formed("slots");
  Result<SlotRanges> slots = SlotRanges::decode(&reader);
  if (!slots.ok()) return slots.status();
  if (!reader.at_end()) return ill_formed("slots");
  fact.slots = std::move(*slots);
  return fact;
}

std::string encode(const ReplicationFact& fact) {
  std::string out(1, static_cast<char>(fact.complete ? kComplete : 0));
  out.append(fact.lineage.bytes());
  put_varint64(&out, fact.offset);
  return out;
}

template <>
Result<ReplicationFact> decode_fact(std::string_view bytes) {
  ReplicationFact fact;
  ByteReader reader(bytes);
  uint8_t flags = 0;
  reader.read_u8(&flags);
  read_id(&reader, &fact.lineage);
  reader.read_varint64(&fact.offset);
  if (!reader.at_end() || flags > kComplete) return ill_formed("replication");
  fact.complete = flags == kComplete;
  return fact;
}

std::string encode(const LoadFact& fact) {
  std::string out;
  for (const uint64_t value : {fact.keys, fact.bytes, fact.ops_per_s, fact.clients}) {
    put_varint64(&out, value);
  }
  return out;
}

template <>
Result<LoadFact> decode_fact(std::string_view bytes) {
  LoadFact fact;
  ByteReader reader(bytes);
  for (uint64_t* value : {&fact.keys, &fact.bytes, &fact.ops_per_s, &fact.clients}) {
    reader.read_varint64(value);
  }
  if (!reader.at_end()) return ill_formed("load");
  return fact;
}

std::string encode(const SoftwareFact& fact) {
  assert(valid_software(fact.version));
  std::string out;
  put_text(&out, fact.version);
  return out;
}

template <>
Result<SoftwareFact> decode_fact(std::string_view bytes) {
  SoftwareFact fact;
  ByteReader reader(bytes);
  read_text(&reader, &fact.version);
  if (!reader.at_end() || !valid_software(fact.version)) return ill_formed("software");
  return fact;
}

std::string encode(const IncarnationFact& fact) {
  std::string out;
  put_varint64(&out, fact.incarnation);
  put_varint64(&out, fact.joined);
  return out;
}

template <>
Result<IncarnationFact> decode_fact(std::string_view bytes) {
  IncarnationFact fact;
  ByteReader reader(bytes);
  reader.read_varint64(&fact.incarnation);
  reader.read_varint64(&fact.joined);
  if (!reader.at_end()) return ill_formed("incarnation");
  return fact;
}

std::string encode(const StoreFact& fact) {
  std::string out;
  put_fixed64_le(&out, fact.store);
  return out;
}

template <>
Result<StoreFact> decode_fact(std::string_view bytes) {
  StoreFact fact;
  ByteReader reader(bytes);
  reader.read_fixed64_le(&fact.store);
  if (!reader.at_end()) return ill_formed("store");
  return fact;
}

std::string encode(const SuspectsFact& fact) { return encode_stamps(fact.suspects, kMaxSuspects); }

template <>
Result<SuspectsFact> decode_fact(std::string_view bytes) {
  SuspectsFact fact;
  if (!decode_stamps(bytes, kMaxSuspects, &fact.suspects)) return ill_formed("suspects");
  return fact;
}

std::string encode(const ForgottenFact& fact) {
  return encode_stamps(fact.forgotten, kMaxForgotten);
}

template <>
Result<ForgottenFact> decode_fact(std::string_view bytes) {
  ForgottenFact fact;
  if (!decode_stamps(bytes, kMaxForgotten, &fact.forgotten)) return ill_formed("forgotten");
  return fact;
}

}  // namespace syntropy
