#include "membership/entry.h"

namespace syntropy {

std::string_view MemberRecord::value(EntryKey key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return *entry.value;
  }
  return {};
}

}  // namespace syntropy
