// Local keys: records of the engine that belong to this node alone and are not rows. They share the
// engine with the rows and lie behind them: no row key begins with a byte above 0x3F.
//
//   meta record    := 0x80 name                               name: ASCII; docs/row-format.md lists
//   them expiry record  := 0x81 expires_at_ms:u64 row_key          (big-endian, so they ascend by
//   time)
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/coding.h"

namespace syntropy {

inline constexpr char kRowKeysEnd[] = "\x40";      // no row key is at or above this
inline constexpr char kLocalKeysBegin[] = "\x80";  // all local keys are at or above this
inline constexpr char kMetaPrefix = '\x80';
inline constexpr char kExpiryPrefix = '\x81';

/// True for keys of rows, by their first byte.
inline bool is_row_key(std::string_view key) {
  return !key.empty() && static_cast<uint8_t>(key.front()) < 0x40;
}

/// The key of the meta record `name`.
inline std::string meta_key(std::string_view name) {
  std::string key(1, kMetaPrefix);
  key.append(name);
  return key;
}

/// Appends the key of the expiry record of `row_key` to `out`.
inline void encode_expiry_key(uint64_t expires_at_ms, std::string_view row_key, std::string* out) {
  out->push_back(kExpiryPrefix);
  put_fixed64_be(out, expires_at_ms);
  out->append(row_key);
}

/// Where the expiry records of `expires_at_ms` begin: not above any of them.
inline std::string expiry_position(uint64_t expires_at_ms) {
  std::string key;
  encode_expiry_key(expires_at_ms, {}, &key);
  return key;
}

/// The end of all expiry records: above every one of them.
inline std::string expiry_keys_end() { return std::string(1, kExpiryPrefix + 1); }

struct ExpiryKeyView {
  uint64_t expires_at_ms = 0;
  std::string_view row_key;  // points into the bytes it was decoded from
};

/// nullopt when `key` is not the key of an expiry record.
inline std::optional<ExpiryKeyView> decode_expiry_key(std::string_view key) {
  if (key.empty() || key.front() != kExpiryPrefix) return std::nullopt;
  ByteReader reader(key.substr(1));
  ExpiryKeyView view;
  if (!reader.read_fixed64_be(&view.expires_at_ms)) return std::nullopt;
  view.row_key = reader.rest();
  return view;
}

}  // namespace syntropy
