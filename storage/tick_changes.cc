// What a tick tells of the rows that it changes (storage/row_changes.h).
#include <algorithm>
#include <utility>

#include "storage/base/coding.h"
#include "storage/tick.h"

namespace syntropy {

// Whether nothing that was committed survives the flushes of this tick.
RowChangeListener::Killed Tick::killed() const {
  using Killed = RowChangeListener::Killed;
  if (changes_.flush_stamp.empty()) return Killed::kNone;
  const bool all = changes_.survivors.empty() &&
                   std::find(changes_.flush_stamp.begin(), changes_.flush_stamp.end(),
                             HlcStamp{0}) == changes_.flush_stamp.end();
  return all ? Killed::kAll : Killed::kSome;
}

// As of `watermark`, with the flushes of this tick.
bool Tick::covers(const RowView& row, uint16_t physical_db, std::string_view row_key,
                  const ExpiryWatermark& watermark) const {
  if (row.version.stamp <= flush_stamp(physical_db)) return false;
  if (keyspace_.covers_dead_rows()) return true;
  if (row.kind == RowKind::kTombstone) return false;
  return row.expires_at_ms == 0 || !watermark.covers(row.expires_at_ms, row_key);
}

void Tick::tell_changes(uint64_t commit) {
  row_changes_.clear();
  const ExpiryWatermark& drained = has_watermark_ ? watermark_ : keyspace_.watermark_;
  const auto covered = [&](const RowRef& row, uint16_t db, const ExpiryWatermark& watermark) {
    if (!row) return false;
    const Result<RowView> view = decode_row(row->value());
    return view.ok() && covers(*view, db, row->key(), watermark);
  };
  for (const auto& [position, entry] : sorted_) {
    RowChange change{entry->current->key(), {}, {}, entry->current->hash()};
    // What it replaces was covered until this tick drained it, if it did.
    if (covered(entry->base, entry->db, keyspace_.watermark_)) change.before = entry->base->value();
    if (!entry->removed() && covered(entry->current, entry->db, drained)) {
      change.after = entry->current->value();
    }
    if (!change.before.empty() || !change.after.empty()) row_changes_.push_back(change);
  }
  drained_rows_.clear();
  RowChangeListener::Killed unnamed = killed();
  if (!keyspace_.covers_dead_rows() && !add_drained_changes() &&
      unnamed == RowChangeListener::Killed::kNone) {
    unnamed = RowChangeListener::Killed::kSome;
  }
  collect_slot_keys();
  keyspace_.row_listener_->changing(commit, unnamed, row_changes_, slot_keys_);
}

void Tick::collect_slot_keys() {
  slot_keys_.clear();
  const auto add = [this](std::string_view row_key, int64_t delta) {
    if (delta == 0) return;
    const auto slot = load_be<uint16_t>(row_key.data());
    if (slot_keys_.empty() || slot_keys_.back().slot != slot) slot_keys_.push_back({slot, 0});
    slot_keys_.back().delta += delta;
  };
  for (const auto& [position, entry] : sorted_) add(entry->current->key(), entry->keys_delta);
  for (const Due& due : drained_) add(due.row_key, due.leaves_count ? -1 : 0);
}

// Rows that expired and of which nobody else has to hear are covered no more. False: one of them
// could not be read. The disk is read whatever the tier, as draining the index does.
bool Tick::add_drained_changes() {
  const ReadTier tier = std::exchange(tier_, ReadTier::kDisk);
  bool all_known = true;
  for (const Due& due : drained_) {
    if (due.stamp <= flush_stamp(due.db) || overlay_.find(due.hash, due.row_key) != nullptr) {
      continue;
    }
    bool known = false;
    RowRef row = load(due.hash, due.row_key, &known);
    all_known = all_known && known;
    if (!row) continue;
    const Result<RowView> view = decode_row(row->value());
    if (!view.ok() || view->expires_at_ms != due.expires_at_ms) continue;
    drained_rows_.push_back(row);
    row_changes_.push_back({row->key(), row->value(), {}, row->hash()});
  }
  tier_ = tier;
  return all_known;
}

}  // namespace syntropy
