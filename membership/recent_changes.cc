#include "membership/recent_changes.h"

#include <algorithm>

namespace syntropy {

void RecentChanges::add(uint64_t id, EntryVersion before, bool rumour, TimeMs now) {
  RecentChange item;
  item.id = id;
  item.base = before;
  item.first = now;
  item.rumour = rumour;
  const auto known = std::find_if(items_.begin(), items_.end(),
                                  [id](const RecentChange& other) { return other.id == id; });
  if (known != items_.end()) {
    // The oldest base serves the most peers, but a member that never rests would keep it for ever.
    if (now - known->first <= max_age_) {
      item.base = known->base;
      item.first = known->first;
    }
    item.rumour |= known->rumour;
    items_.erase(known);
  } else if (items_.size() >= capacity_) {
    items_.erase(items_.begin());
  }
  item.last = now;
  items_.push_back(item);
}

void RecentChanges::erase(uint64_t id) {
  std::erase_if(items_, [id](const RecentChange& item) { return item.id == id; });
}

void RecentChanges::expire(TimeMs now) {
  if (items_.empty()) return;
  const auto young = std::find_if(items_.begin(), items_.end(), [this, now](const auto& item) {
    return now - item.last < max_age_;
  });
  items_.erase(items_.begin(), young);
  if (items_.empty()) items_ = {};  // ten thousand simulated nodes at rest need no capacity
}

void RecentChanges::settle() {
  for (RecentChange& item : items_) item.settled = true;
}

const RecentChange* RecentChanges::find(uint64_t id) const {
  const auto known = std::find_if(items_.begin(), items_.end(),
                                  [id](const RecentChange& other) { return other.id == id; });
  return known == items_.end() ? nullptr : &*known;
}

}  // namespace syntropy
