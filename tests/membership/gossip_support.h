// What the tests of gossip share: ids, records and deltas made in one line.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "membership/gossip_state.h"
#include "storage/base/random.h"

namespace syntropy {

/// Random by `seed`; its first byte is `first` if given (that is: its bucket).
inline NodeId id_of(uint64_t seed, int first = -1) {
  SeededRandom random(seed);
  std::string bytes(NodeId::random(random).bytes());
  if (first >= 0) bytes[0] = static_cast<char>(first);
  return *NodeId::from_bytes(bytes);
}

inline Entry entry_of(EntryKey key, EntryVersion version, std::string_view value) {
  return {key, version, std::make_shared<const std::string>(value)};
}

inline MemberRecordPtr record_of(const NodeId& id, std::vector<Entry> entries) {
  auto record = std::make_shared<MemberRecord>();
  record->id = id;
  record->entries = std::move(entries);
  record->max_version = record->entries.empty() ? 0 : record->entries.back().version;
  return record;
}

inline MemberDelta delta_of(const NodeId& id, EntryVersion from, std::vector<Entry> entries) {
  return {id, from, std::move(entries), nullptr};
}

}  // namespace syntropy
