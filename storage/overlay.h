// Overlay: the rows that a tick has written and not committed yet, with the rows they replace.
//
// Each row written stands in it once, however often the tick writes it, so that a counter that is
// incremented a thousand times in a tick costs one put. A row that the tick removes for good stands
// in it as well, until it writes it again.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "storage/base/hlc.h"
#include "storage/row_cache.h"

namespace syntropy {

class Overlay {
 public:
  struct Entry {
    RowRef base;                 // the committed row; empty when there was none
    RowRef current;              // what the tick will write; of a removed row its key alone
    HlcStamp removed_up_to = 0;  // not 0: the row, of at most that stamp, is removed for good
    uint16_t db = 0;             // physical
    bool base_counted = false;   // the base was in the database's key count...
    bool base_expiring = false;  // ...and in its count of keys with an expiry
    int8_t keys_delta = 0;       // by which the tick changes the count, when it is measured
    uint64_t base_expires_at_ms = 0;

    bool removed() const { return removed_up_to != 0; }
  };

  bool empty() const { return live_ == 0; }
  size_t size() const { return live_; }
  size_t bytes() const { return bytes_; }

  /// Null when the tick hasn't written the row.
  Entry* find(uint64_t hash, std::string_view row_key);

  /// Sets the current row of an entry, which is made like `fresh` if there is none. The reference
  /// is valid until the next call. `removed_up_to` as in Entry.
  Entry& set(const Entry& fresh, RowRef current, HlcStamp removed_up_to = 0);

  /// Everything set after mark() is undone by undo_to(mark).
  size_t mark() const { return undo_.size(); }
  void undo_to(size_t mark);

  void clear();

  /// Entries in the order in which they were first written. Those undone are left out.
  template <class Visit>
  void for_each(Visit&& visit) {
    for (Entry& entry : entries_) {
      if (entry.current) visit(entry);
    }
  }

 private:
  struct Undo {
    uint32_t entry;
    RowRef previous;  // empty: the entry was made then
    HlcStamp previous_removed_up_to;
  };

  size_t slot_of(uint64_t hash, std::string_view row_key) const;
  void grow();

  std::vector<Entry> entries_;
  std::vector<uint32_t> table_;  // open addressing; 0: free, else the entry's index + 1
  std::vector<Undo> undo_;
  size_t live_ = 0;
  size_t bytes_ = 0;
};

}  // namespace syntropy
