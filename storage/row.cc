#include "storage/row.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cassert>

#include "storage/base/coding.h"
#include "storage/base/slot.h"

namespace syntropy {
namespace {

constexpr uint8_t kHasExpiry = 0x80;
constexpr size_t kRowHeaderBytes = 2 + 2 * sizeof(uint64_t);
constexpr size_t kPositionBytes = 2 + 2 + 4;

bool known_kind(uint8_t kind) {
  return kind <= static_cast<uint8_t>(RowKind::kStream) ||
         kind == static_cast<uint8_t>(RowKind::kElement);
}

Status bad_row(const char* what) { return Status::corruption(std::string("row value: ") + what); }

Status bad_row_key(const char* what) { return Status::corruption(std::string("row key: ") + what); }

}  // namespace

Result<RowView> decode_row(std::string_view bytes) {
  if (bytes.size() < kRowHeaderBytes) return bad_row("too short");
  const auto format = static_cast<uint8_t>(bytes[0]);
  if (format != kRowFormat) {
    return bad_row(
        ("unknown format " + std::to_string(format) + "; was it written by a newer version?")
            .c_str());
  }
  const auto flags = static_cast<uint8_t>(bytes[1]);
  const auto kind = static_cast<uint8_t>(flags & ~kHasExpiry);
  if (!known_kind(kind)) return bad_row("unknown kind");

  RowView row;
  row.kind = static_cast<RowKind>(kind);
  row.version.stamp = load_le<uint64_t>(bytes.data() + 2);
  row.version.writer = load_le<uint64_t>(bytes.data() + 10);
  size_t header = kRowHeaderBytes;
  if ((flags & kHasExpiry) != 0) {
    if (bytes.size() < kRowHeaderBytes + sizeof(uint64_t)) return bad_row("too short for expiry");
    row.expires_at_ms = load_le<uint64_t>(bytes.data() + kRowHeaderBytes);
    if (row.expires_at_ms == 0) return bad_row("expiry of zero");
    header += sizeof(uint64_t);
  }
  row.payload = bytes.substr(header);
  if (row.kind == RowKind::kTombstone && bytes.size() != kRowHeaderBytes) {
    return bad_row("tombstone with content");
  }
  return row;
}

void encode_row(const RowView& row, std::string* out) {
  assert(known_kind(static_cast<uint8_t>(row.kind)));
  assert(row.kind != RowKind::kTombstone || (row.payload.empty() && row.expires_at_ms == 0));
  const bool has_expiry = row.expires_at_ms != 0;
  char header[kRowHeaderBytes + sizeof(uint64_t)];
  header[0] = static_cast<char>(kRowFormat);
  header[1] = static_cast<char>(static_cast<uint8_t>(row.kind) | (has_expiry ? kHasExpiry : 0));
  store_le<uint64_t>(header + 2, row.version.stamp);
  store_le<uint64_t>(header + 10, row.version.writer);
  if (has_expiry) store_le<uint64_t>(header + kRowHeaderBytes, row.expires_at_ms);
  out->append(header, has_expiry ? sizeof(header) : kRowHeaderBytes);
  out->append(row.payload);
}

Result<RowKeyView> decode_row_key(std::string_view bytes) {
  ByteReader reader(bytes);
  RowKeyView view;
  uint32_t key_bytes = 0;
  reader.read_fixed16_be(&view.slot);
  reader.read_fixed16_be(&view.db);
  reader.read_fixed32_be(&view.hash);
  reader.read_varint32(&key_bytes);
  if (!reader.read_bytes(key_bytes, &view.key)) return bad_row_key("too short");
  view.subkey = reader.rest();
  if (view.slot != slot_of(view.key)) return bad_row_key("slot is not that of the key");
  if (view.hash != row_hash(view.key)) return bad_row_key("hash is not that of the key");
  return view;
}

bool has_subkey(std::string_view row_key) {
  ByteReader reader(row_key.substr(kPositionBytes));
  uint32_t key_bytes = 0;
  reader.read_varint32(&key_bytes);
  return reader.rest().size() > key_bytes;
}

void encode_row_key(uint16_t db, std::string_view key, std::string_view subkey, std::string* out) {
  assert(key.size() <= UINT32_MAX);
  out->reserve(out->size() + kPositionBytes + kMaxVarint32Bytes + key.size() + subkey.size());
  encode_row_position(slot_of(key), db, row_hash(key), out);
  put_varint32(out, static_cast<uint32_t>(key.size()));
  out->append(key);
  out->append(subkey);
}

void encode_row_position(uint16_t slot, uint16_t db, uint32_t hash, std::string* out) {
  char bytes[kPositionBytes];
  store_be<uint16_t>(bytes, slot);
  store_be<uint16_t>(bytes + 2, db);
  store_be<uint32_t>(bytes + 4, hash);
  out->append(bytes, sizeof(bytes));
}

uint32_t row_hash(std::string_view key) {
  return static_cast<uint32_t>(XXH3_64bits(key.data(), key.size()));
}

}  // namespace syntropy
