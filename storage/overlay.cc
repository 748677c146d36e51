#include "storage/overlay.h"

#include <algorithm>
#include <cassert>

namespace syntropy {
namespace {

constexpr size_t kInitialSlots = 256;

}  // namespace

// The slot that holds the row, or the free one where it belongs. An undone entry keeps its slot
// (its key is that of its base-less current row, which undo keeps in `base` or drops with the
// entry), so it is matched by what it still holds.
size_t Overlay::slot_of(uint64_t hash, std::string_view row_key) const {
  const size_t mask = table_.size() - 1;
  size_t slot = hash & mask;
  while (table_[slot] != 0) {
    const Entry& entry = entries_[table_[slot] - 1];
    const RowRef& row = entry.current ? entry.current : entry.base;
    if (row && row->hash() == hash && row->key() == row_key) return slot;
    slot = (slot + 1) & mask;
  }
  return slot;
}

Overlay::Entry* Overlay::find(uint64_t hash, std::string_view row_key) {
  if (live_ == 0) return nullptr;
  const uint32_t index = table_[slot_of(hash, row_key)];
  if (index == 0) return nullptr;
  Entry& entry = entries_[index - 1];
  return entry.current ? &entry : nullptr;
}

Overlay::Entry& Overlay::set(const Entry& fresh, RowRef current, HlcStamp removed_up_to) {
  if (table_.size() < 2 * (entries_.size() + 1)) grow();
  const size_t slot = slot_of(current->hash(), current->key());
  bytes_ += current->footprint();
  if (table_[slot] == 0) {
    entries_.push_back(fresh);
    entries_.back().current = std::move(current);
    entries_.back().removed_up_to = removed_up_to;
    table_[slot] = static_cast<uint32_t>(entries_.size());
    undo_.push_back({table_[slot] - 1, RowRef(), 0});
    ++live_;
    return entries_.back();
  }
  const uint32_t index = table_[slot] - 1;
  Entry& entry = entries_[index];
  if (!entry.current) {  // an undone entry comes to life again
    entry = fresh;
    ++live_;
    undo_.push_back({index, RowRef(), 0});
  } else {
    undo_.push_back({index, entry.current, entry.removed_up_to});
  }
  entry.current = std::move(current);
  entry.removed_up_to = removed_up_to;
  return entry;
}

void Overlay::undo_to(size_t mark) {
  while (undo_.size() > mark) {
    Undo& last = undo_.back();
    Entry& entry = entries_[last.entry];
    bytes_ -= std::min(bytes_, entry.current->footprint());
    if (!last.previous) --live_;
    entry.current = std::move(last.previous);
    entry.removed_up_to = last.previous_removed_up_to;
    undo_.pop_back();
  }
}

void Overlay::clear() {
  if (entries_.empty()) return;
  entries_.clear();
  undo_.clear();
  live_ = 0;
  bytes_ = 0;
  if (table_.size() > 64 * kInitialSlots) {
    table_.assign(kInitialSlots, 0);
    table_.shrink_to_fit();
  } else {
    std::fill(table_.begin(), table_.end(), 0);
  }
}

void Overlay::grow() {
  table_.assign(std::max(kInitialSlots, table_.size() * 2), 0);
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    const RowRef& row = entry.current ? entry.current : entry.base;
    if (!row) continue;  // undone, and there was nothing below: nobody can ask for it
    table_[slot_of(row->hash(), row->key())] = static_cast<uint32_t>(i + 1);
  }
}

}  // namespace syntropy
