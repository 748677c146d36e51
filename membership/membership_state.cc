#include "membership/membership_state.h"

#include "membership/gossip_state.h"
#include "storage/base/coding.h"

namespace syntropy {
namespace {

constexpr uint8_t kFormat = 1;
constexpr uint64_t kMaxEntries = 256;

Status ill_formed() {
  return Status::corruption("the stored state of the cluster's membership is ill-formed");
}

void put_bytes(std::string* out, std::string_view bytes) {
  put_varint64(out, bytes.size());
  out->append(bytes);
}

bool read_sized(ByteReader* reader, std::string_view* bytes) {
  uint64_t size = 0;
  return reader->read_varint64(&size) && reader->read_bytes(size, bytes);
}

void put_member(std::string* out, const MemberRecord& record) {
  out->append(record.id.bytes());
  put_varint64(out, record.entries.size());
  for (const Entry& entry : record.entries) {
    out->push_back(static_cast<char>(entry.key));
    put_varint64(out, entry.version);
    put_bytes(out, *entry.value);
  }
}

bool read_id(ByteReader* reader, NodeId* id) {
  std::string_view bytes;
  if (!reader->read_bytes(NodeId::kBytes, &bytes)) return false;
  *id = *NodeId::from_bytes(bytes);
  return static_cast<bool>(*id);
}

bool read_entry(ByteReader* reader, MemberRecord* record) {
  uint8_t key = 0;
  EntryVersion version = 0;
  std::string_view value;
  if (!reader->read_u8(&key) || !reader->read_varint64(&version) || !read_sized(reader, &value)) {
    return false;
  }
  if (version <= record->max_version || version > kMaxEntryVersion) return false;
  for (const Entry& entry : record->entries) {
    if (entry.key == EntryKey{key}) return false;
  }
  record->entries.push_back({EntryKey{key}, version, std::make_shared<std::string>(value)});
  record->max_version = version;
  return true;
}

bool read_member(ByteReader* reader, MemberRecordPtr* member) {
  auto record = std::make_shared<MemberRecord>();
  uint64_t count = 0;
  if (!read_id(reader, &record->id)) return false;
  if (!reader->read_varint64(&count) || count > kMaxEntries) return false;
  for (uint64_t i = 0; i < count; ++i) {
    if (!read_entry(reader, record.get())) return false;
  }
  *member = std::move(record);
  return true;
}

}  // namespace

std::string encode(const MembershipState& state) {
  std::string out(1, static_cast<char>(kFormat));
  out.append(state.id.bytes());
  put_fixed64_le(&out, state.store);
  put_varint64(&out, state.version_bound);
  put_bytes(&out, encode(state.ownership));
  MemberRecord nothing;
  nothing.id = state.id;
  put_member(&out, state.own != nullptr ? *state.own : nothing);
  for (const MemberRecordPtr& member : state.others) put_member(&out, *member);
  return out;
}

Result<MembershipState> decode_membership_state(std::string_view bytes) {
  ByteReader reader(bytes);
  uint8_t format = 0;
  MembershipState state;
  std::string_view ownership;
  if (!reader.read_u8(&format) || format != kFormat) {
    return Status::corruption("the stored state of the cluster's membership has format " +
                              std::to_string(format) + ", which this version doesn't know");
  }
  if (!read_id(&reader, &state.id) || !reader.read_fixed64_le(&state.store) ||
      !reader.read_varint64(&state.version_bound) || state.version_bound > kMaxEntryVersion ||
      !read_sized(&reader, &ownership)) {
    return ill_formed();
  }
  Result<OwnershipState> decoded = decode_ownership_state(ownership);
  if (!decoded.ok()) return decoded.status();
  state.ownership = *std::move(decoded);
  if (!read_member(&reader, &state.own) || state.own->id != state.id) return ill_formed();
  while (!reader.at_end()) {
    MemberRecordPtr member;
    if (!read_member(&reader, &member) || member->id == state.id) return ill_formed();
    state.others.push_back(std::move(member));
  }
  return state;
}

}  // namespace syntropy
