// KeyServer: one side of a comparison: what is asked of a server's keys, and done to them. The
// comparison and the repair know servers by this alone; tests bring servers in memory.
//
// Thread safety: a server belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/base/status.h"

namespace syntropy {

/// What can be told of a key without moving its value.
struct KeyState {
  enum class Form : uint8_t { kAbsent, kString, kOther };

  Form form = Form::kAbsent;
  uint64_t length = 0;         // kString: bytes of the value
  int64_t expires_at_ms = -1;  // Unix time; -1: never

  bool operator==(const KeyState&) const = default;
};

/// Of a key that is no string.
struct KeyContents {
  std::string type;     // "hash"; "none": the key is gone
  std::string payload;  // DUMP without its version and checksum; empty: the server cannot tell
};

/// All that is needed to write a key elsewhere.
struct KeyCopy {
  std::string key;
  KeyState state;
  std::string value;  // kString: the value; kOther: what DUMP answered
};

/// Some of the keys of a walk.
struct KeyPage {
  std::vector<std::string> keys;
  std::string next;  // where the walk goes on; empty: it is over
};

struct Traffic {
  uint64_t bytes = 0;  // in both directions
  uint64_t round_trips = 0;
};

using Keys = std::span<const std::string>;

/// How much is fetched at once. Bounds what a pipeline takes of memory, here and at the server.
inline constexpr uint64_t kFetchBytes = uint64_t{16} << 20;
/// What a key that is no string is counted as, for nobody says how long it is.
inline constexpr uint64_t kAssumedOtherBytes = uint64_t{1} << 20;

/// The end of the keys from `begin` on whose values are fetched at once: at least one, then up to
/// kFetchBytes.
inline size_t fetch_end(std::span<const KeyState> states, size_t begin) {
  uint64_t bytes = 0;
  size_t end = begin;
  while (end < states.size()) {
    const KeyState& state = states[end];
    bytes += state.form == KeyState::Form::kOther ? kAssumedOtherBytes : state.length;
    if (end > begin && bytes > kFetchBytes) break;
    ++end;
  }
  return end;
}

class KeyServer {
 public:
  virtual ~KeyServer() = default;

  /// Whether it has types other than strings.
  virtual bool has_collections() const = 0;
  /// Whether expires_at_ms is what the server has stored; else it is reckoned from what is left of
  /// a key's life, and up to seconds off.
  virtual bool has_exact_expiry() const = 0;

  /// The next page of a walk over all keys, in any order. A key that is there from the beginning to
  /// the end comes at least once; some come more often. `from`: empty to begin, else a page's
  /// `next`.
  virtual Result<KeyPage> scan(const std::string& from) = 0;

  // Of each key, in order.
  virtual Result<std::vector<bool>> exist(Keys keys) = 0;
  virtual Result<std::vector<KeyState>> look(Keys keys) = 0;
  /// Values of strings; null: the key is gone, or no string.
  virtual Result<std::vector<std::optional<std::string>>> values(Keys keys) = 0;
  virtual Result<std::vector<KeyContents>> contents(Keys keys) = 0;
  /// The elements of a collection, in an order that depends on nothing but them: what is the same
  /// under two encodings is equal. Empty when the type has no such form or the key is gone.
  virtual Result<std::vector<std::string>> elements(const std::string& key,
                                                    const std::string& type) = 0;

  /// The keys to be written elsewhere, in one go; `states`: what look() told of them. Null: gone,
  /// or changed since.
  virtual Result<std::vector<std::optional<KeyCopy>>> copies(Keys keys,
                                                             std::span<const KeyState> states) = 0;
  /// Writes keys; per key empty, or why not. `only_absent`: leaves those that are there, which is
  /// no failure.
  virtual Result<std::vector<std::string>> write(std::span<const KeyCopy> keys,
                                                 bool only_absent) = 0;
  /// Deletes keys; per key empty, or why not.
  virtual Result<std::vector<std::string>> erase(Keys keys) = 0;

  /// Since it was opened.
  virtual Traffic traffic() const = 0;
};

}  // namespace syntropy
