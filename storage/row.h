// Rows: the unit in which Syntropy stores, compares, merges and replicates data.
//
// A user key is one row (string, counter) or one meta row and one row per element (collections).
// This header is the only place that knows the bytes of a row; docs/row-format.md draws them.
//
//   row key   := slot:u16 db:u16 hash:u32 keylen:varint32 key subkey        (integers big-endian)
//   row value := format:u8 kind:u8 stamp:u64 writer:u64 expires_at_ms:u64? payload
//                (integers little-endian; expires_at_ms is there when kind has bit 7 set)
//
// `hash` is the lower 32 bits of XXH3-64 of the key. It spreads the keys of a slot evenly over a
// range that can be cut anywhere, so that a SCAN cursor needs no state on the server, and a leaf of
// a Merkle tree is one contiguous range of the store. All rows of a key are adjacent; the row with
// the empty subkey comes first. First bytes >= 0x40 (no slot is that large) belong to node-local
// records that are not rows (storage/local_keys.h).
//
// Thread safety: free functions and values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/base/status.h"
#include "storage/version.h"

namespace syntropy {

inline constexpr uint8_t kRowFormat = 1;

/// What a row is. Numbers are part of the disk format. The first kinds stand in a key's first row
/// (empty subkey); kElement stands in the rows of a collection's elements.
enum class RowKind : uint8_t {
  kTombstone = 0,  // deleted at its version; no payload
  kString = 1,     // payload: the bytes
  kCounter = 2,    // payload: storage/counter.h
  kHash = 3,
  kSet = 4,
  kSortedSet = 5,
  kList = 6,
  kStream = 7,
  kElement = 32,
};

/// A decoded row; `payload` points into the bytes it was decoded from.
struct RowView {
  RowKind kind = RowKind::kTombstone;
  Version version;
  uint64_t expires_at_ms = 0;  // Unix time; 0: never
  std::string_view payload;

  /// Dead from that very millisecond on, as in Redis.
  bool expired(uint64_t now_ms) const { return expires_at_ms != 0 && expires_at_ms <= now_ms; }
};

/// Decodes a row value. kCorruption when the bytes are not one (unknown format or kind, too short).
Result<RowView> decode_row(std::string_view bytes);

/// Appends the encoded row to `out`. decode_row gives the same row back.
void encode_row(const RowView& row, std::string* out);

/// A decoded row key; the views point into the bytes it was decoded from.
struct RowKeyView {
  uint16_t slot = 0;
  uint16_t db = 0;  // physical database number
  uint32_t hash = 0;
  std::string_view key;
  std::string_view subkey;
};

/// kCorruption when the bytes are not a row key, or slot or hash are not those of the key.
Result<RowKeyView> decode_row_key(std::string_view bytes);

/// True for the row of an element: its key, which must be a row key, has a subkey.
bool has_subkey(std::string_view row_key);

/// Appends the row key of (db, key, subkey) to `out`; computes slot and hash.
void encode_row_key(uint16_t db, std::string_view key, std::string_view subkey, std::string* out);

/// Appends the bytes at which (slot, db, hash) begins: not above any row key of that position.
void encode_row_position(uint16_t slot, uint16_t db, uint32_t hash, std::string* out);

/// The hash in a row key.
uint32_t row_hash(std::string_view key);

}  // namespace syntropy
