// RecentChanges: which members changed lately in this view, and what was known of them before.
//
// In a cluster at rest views agree, and a change is news for a few seconds. A digest of the members
// that changed lately is therefore enough for most exchanges, and "entries above the version that
// everybody had before" is mostly the right delta for a peer that hasn't told what it has.
//
// Invariant: at most one item per member; at most `capacity` items, the oldest making room.
//
// Thread safety: belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "membership/entry.h"

namespace syntropy {

struct RecentChange {
  uint64_t id = 0;        // digest id
  EntryVersion base = 0;  // known before the first of the changes that this item stands for
  TimeMs first = 0;       // when that was
  TimeMs last = 0;        // when it changed last
  bool settled = false;   // has been told to those who didn't know: no need to name it in digests
  bool rumour = false;    // to be pushed on with the next rumour
  uint8_t told = 0;       // how many Syns brought it along
};

class RecentChanges {
 public:
  /// An item is dropped `max_age_ms` after its last change; its base moves up when it is older.
  RecentChanges(size_t capacity, TimeMs max_age_ms) : capacity_(capacity), max_age_(max_age_ms) {}

  /// The member was at `before` and is above now.
  void add(uint64_t id, EntryVersion before, bool rumour, TimeMs now);
  void erase(uint64_t id);
  void expire(TimeMs now);
  void note_told(size_t index) { ++items_[index].told; }
  /// Everybody seems to know what is here: marks all items settled.
  void settle();

  /// Ascending by `last`: the newest is the last.
  const std::vector<RecentChange>& items() const { return items_; }
  /// Null when it isn't there.
  const RecentChange* find(uint64_t id) const;
  bool empty() const { return items_.empty(); }

  /// Forgets the rumour marks; calls f(item) for each that had one.
  template <class F>
  void take_rumours(F&& f) {
    for (RecentChange& item : items_) {
      if (!item.rumour) continue;
      item.rumour = false;
      f(item);
    }
  }

 private:
  size_t capacity_;
  TimeMs max_age_;
  std::vector<RecentChange> items_;
};

}  // namespace syntropy
