#include "storage/tick_scan.h"

#include <algorithm>

#include "storage/base/slot.h"

namespace syntropy {
namespace {

// Above all rows: no slot is that large, and node-local records begin here.
std::string end_of_rows() {
  std::string end;
  encode_row_position(static_cast<uint16_t>(kSlotCount), 0, 0, &end);
  return end;
}

}  // namespace

TickScan::TickScan(Engine& engine, Overlay& overlay, uint16_t physical_db, std::string lower)
    : db_(physical_db), stored_(engine.iterate(lower, end_of_rows(), nullptr)) {
  overlay.for_each([&](const Overlay::Entry& entry) {
    if (entry.db == db_ && entry.current->key() >= lower) written_.push_back(&entry);
  });
  std::sort(written_.begin(), written_.end(),
            [](const auto* a, const auto* b) { return a->current->key() < b->current->key(); });
  stored_->seek(lower);
  settle();
}

void TickScan::next() {
  if (!at_written_) {
    stored_->next();
  } else {
    // The written row replaces a stored one of the same key.
    const std::string_view key = written_[next_written_++]->current->key();
    if (stored_->valid() && stored_->key() == key) stored_->next();
  }
  settle();
}

// Rows are ordered by slot first, so each slot has a stretch of this database.
void TickScan::skip_other_databases() {
  while (stored_->valid()) {
    Result<RowKeyView> at = decode_row_key(stored_->key());
    if (!at.ok()) {
      status_ = at.status();
      return;
    }
    if (at->db == db_) return;
    const uint16_t slot = static_cast<uint16_t>(at->db < db_ ? at->slot : at->slot + 1);
    std::string target;
    encode_row_position(slot, db_, 0, &target);
    stored_->seek(target);
  }
  status_ = stored_->status();
}

// Rows that the tick has removed hide those that are still stored.
void TickScan::skip_removed() {
  while (status_.ok() && next_written_ < written_.size() && written_[next_written_]->removed()) {
    const std::string_view key = written_[next_written_]->current->key();
    if (stored_->valid() && stored_->key() < key) return;
    if (stored_->valid() && stored_->key() == key) {
      stored_->next();
      skip_other_databases();
    }
    ++next_written_;
  }
}

void TickScan::settle() {
  skip_other_databases();
  skip_removed();
  const bool has_stored = status_.ok() && stored_->valid();
  const bool has_written = status_.ok() && next_written_ < written_.size();
  at_end_ = !has_stored && !has_written;
  if (at_end_) return;
  at_written_ =
      has_written && (!has_stored || written_[next_written_]->current->key() <= stored_->key());
  const std::string_view bytes =
      at_written_ ? written_[next_written_]->current->key() : stored_->key();
  value_ = at_written_ ? written_[next_written_]->current->value() : stored_->value();
  Result<RowKeyView> key = decode_row_key(bytes);
  if (!key.ok()) {
    status_ = key.status();
    at_end_ = true;
    return;
  }
  key_ = *key;
}

}  // namespace syntropy
