#include "server/trees/covered_rows.h"

#include <algorithm>
#include <utility>

#include "storage/local_keys.h"
#include "storage/row.h"

namespace syntropy {
namespace {

// The bits of the hash below a position.
constexpr unsigned kHashBitsBelow = 32 - (kPositionBits - kSlotBits);

void encode_lower(uint64_t position, uint16_t db, std::string* out) {
  encode_row_position(slot_of_position(position), db,
                      static_cast<uint32_t>(position << kHashBitsBelow), out);
}

}  // namespace

// Shows the rows at the positions first..end-1, which are of one slot, of a database.
Status CoveredRows::visit_database(uint16_t db, uint64_t first, uint64_t end,
                                   const Show& show) const {
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
  if (rows_ == nullptr) rows_ = engine_.iterate({}, std::string(kRowKeysEnd), snapshot_);
  EngineIterator* const row = rows_.get();
  for (row->seek(lower); row->valid() && row->key() < upper; row->next()) {
    const Result<RowKeyView> key = decode_row_key(row->key());
    const Result<RowView> value = decode_row(row->value());
    if (!key.ok() || !value.ok()) continue;
    if (!coverage_.covers(*key, *value, row->key())) continue;
    ++rows_read_;
    const RowMark mark = mark_row(key->slot, key->hash, row->key(), row->value());
    if (!show(mark, row->key(), row->value())) break;
  }
  return row->status();
}

Status CoveredRows::visit_slot(uint64_t first, uint64_t end, const ReconcileStore::Visitor& visitor,
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

Status CoveredRows::visit(uint64_t first, uint64_t end,
                          const ReconcileStore::Visitor& visitor) const {
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

Result<RowMark> mark_of_row(std::string_view key, std::string_view value) {
  const Result<RowKeyView> at = decode_row_key(key);
  if (!at.ok()) return at.status();
  const Result<RowView> row = decode_row(value);
  if (!row.ok()) return row.status();
  return mark_row(at->slot, at->hash, key, value);
}

}  // namespace syntropy
