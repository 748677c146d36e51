#include "server/trees/tree_rows.h"

#include <algorithm>
#include <utility>

#include "storage/tick.h"

namespace syntropy {
namespace {

// The bits of the hash below a position.
constexpr unsigned kHashBitsBelow = 32 - (kPositionBits - kSlotBits);

void encode_lower(uint64_t position, uint16_t db, std::string* out) {
  encode_row_position(slot_of_position(position), db,
                      static_cast<uint32_t>(position << kHashBitsBelow), out);
}

}  // namespace

Status TreeRows::begin(const SlotRanges& slots) {
  slots_ = slots;
  // Before the tree: its holder must not wait for the keyspace's lock.
  coverage_ = keyspace_.coverage();
  Result<RowTrees::Access> access = trees_.access(slots);
  if (!access.ok()) return access.status();
  access_ = std::move(*access);
  databases_ = trees_.databases();
  return {};
}

void TreeRows::end() {
  access_.reset();
  trees_.note_session_reads(std::exchange(rows_read_, 0));
}

// Shows the rows at the positions first..end-1, which are of one slot, of a database.
Status TreeRows::visit_database(uint16_t db, uint64_t first, uint64_t end, const Show& show) const {
  std::string lower;
  std::string upper;
  encode_lower(first, db, &lower);
  if (slot_of_position(end) == slot_of_position(first) && end < kPositions) {
    encode_lower(end, db, &upper);
  } else if (db == UINT16_MAX) {
    encode_row_position(static_cast<uint16_t>(slot_of_position(first) + 1), 0, 0, &upper);
  } else {
    encode_row_position(slot_of_position(first), static_cast<uint16_t>(db + 1), 0, &upper);
  }
  const auto row = keyspace_.engine().iterate(lower, upper, nullptr);
  for (row->seek(lower); row->valid(); row->next()) {
    const Result<RowKeyView> key = decode_row_key(row->key());
    const Result<RowView> value = decode_row(row->value());
    // What can't be read isn't there; `verify` names it.
    if (!key.ok() || !value.ok()) continue;
    if (!coverage_.covers(*key, *value, row->key())) continue;
    ++rows_read_;
    const RowMark mark = mark_row(key->slot, key->hash, row->key(), row->value());
    if (!show(mark, row->key(), row->value())) break;
  }
  return row->status();
}

Status TreeRows::visit_slot(uint64_t first, uint64_t end, const Visitor& visitor,
                            bool* stop) const {
  if (databases_.size() == 1) {
    return visit_database(databases_.front(), first, end,
                          [&](const RowMark& mark, std::string_view key, std::string_view value) {
                            *stop = !visitor(mark, key, value);
                            return !*stop;
                          });
  }
  // In the store a slot's databases lie one behind the other.
  std::vector<Shown> rows;
  for (const uint16_t db : databases_) {
    const Status read = visit_database(
        db, first, end, [&](const RowMark& mark, std::string_view key, std::string_view value) {
          rows.push_back({mark, std::string(key), std::string(value)});
          return true;
        });
    if (!read.ok()) return read;
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Shown& a, const Shown& b) {
    return position_of(a.mark.element) < position_of(b.mark.element);
  });
  for (const Shown& row : rows) {
    if (*stop) break;
    *stop = !visitor(row.mark, row.key, row.value);
  }
  return {};
}

Status TreeRows::visit(uint64_t first, uint64_t end, const Visitor& visitor) const {
  bool stop = false;
  while (first < end && !stop) {
    const uint64_t slot_end = first_position(kSlotLevel, slot_of_position(first) + uint64_t{1});
    const uint64_t until = std::min(end, slot_end);
    const Status read = visit_slot(first, until, visitor, &stop);
    if (!read.ok()) return read;
    first = until;
  }
  return {};
}

Result<RowMark> TreeRows::mark(std::string_view key, std::string_view value) const {
  const Result<RowKeyView> at = decode_row_key(key);
  if (!at.ok()) return at.status();
  const Result<RowView> row = decode_row(value);
  if (!row.ok()) return row.status();
  return mark_row(at->slot, at->hash, key, value);
}

Status TreeRows::merge(std::span<const ReconcileRow> rows) {
  if (access_) access_->release();
  // What isn't covered isn't there: a session that has told of a row as missing must bring it.
  const auto deletions =
      keyspace_.covers_dead_rows() ? Tick::Deletions::kCount : Tick::Deletions::kForgotten;
  Status merged;
  {
    Tick tick(keyspace_);
    tick.begin_command(0, ReadTier::kDisk);  // merging doesn't ask for the time
    tick.begin_write();
    for (const ReconcileRow& row : rows) {
      const Result<RowKeyView> key = decode_row_key(row.key);
      if (!key.ok()) {
        merged = key.status();
      } else if (!slots_.contains(key->slot)) {
        merged = Status::invalid_argument("a row of a slot that the session isn't about");
      } else {
        merged = tick.merge_row(row.key, row.value, deletions).status();
      }
      if (!merged.ok()) break;
    }
    if (merged.ok()) merged = tick.commit();
  }
  if (merged.ok()) merged = merged_();
  coverage_ = keyspace_.coverage();
  if (access_) access_->acquire();
  return merged;
}

}  // namespace syntropy
