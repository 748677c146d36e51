#include "membership/entry.h"

namespace syntropy {

const Entry* MemberRecord::find(EntryKey key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

std::string_view MemberRecord::value(EntryKey key) const {
  const Entry* entry = find(key);
  return entry == nullptr ? std::string_view() : std::string_view(*entry->value);
}

}  // namespace syntropy
