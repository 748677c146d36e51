#include "tests/merkle/memory_rows.h"

#include "storage/base/coding.h"

namespace syntropy::testing {
namespace {

uint64_t position_in(std::string_view key) { return load_be<uint64_t>(key.data()); }

RowMark mark_of(std::string_view key, std::string_view value) {
  const uint64_t position = position_in(key);
  const auto hash = static_cast<uint32_t>(position << 10);
  return mark_row(slot_of_position(position), hash, key, value);
}

}  // namespace

std::string MemoryRows::key_of(uint64_t position, std::string_view name) {
  std::string key;
  put_fixed64_be(&key, position);
  return key.append(name);
}

void MemoryRows::put(uint64_t position, const std::string& name, const std::string& value) {
  change(key_of(position, name), &value);
  tree_.settle();
}

void MemoryRows::erase(uint64_t position, const std::string& name) {
  change(key_of(position, name), nullptr);
  tree_.settle();
}

void MemoryRows::change(const std::string& key, const std::string* value) {
  const auto old = rows_.find(key);
  if (old != rows_.end()) {
    tree_.remove(mark_of(key, old->second));
    rows_.erase(old);
  }
  if (value == nullptr) return;
  tree_.add(mark_of(key, *value));
  rows_.emplace(key, *value);
  const uint16_t slot = slot_of_position(position_in(key));
  if (tree_.wants_rebuild(slot)) grow(slot);
}

void MemoryRows::grow(uint16_t slot) {
  std::vector<RowMark> marks;
  const auto end = rows_.lower_bound(key_of(first_position(kSlotLevel, slot + uint64_t{1}), ""));
  for (auto row = rows_.lower_bound(key_of(first_position(kSlotLevel, slot), "")); row != end;
       ++row) {
    marks.push_back(mark_of(row->first, row->second));
  }
  tree_.rebuild(slot, marks);
}

Status MemoryRows::visit(uint64_t first, uint64_t end, const Visitor& visitor) const {
  ++look_ups_;
  for (auto row = rows_.lower_bound(key_of(first, "")); row != rows_.end(); ++row) {
    if (position_in(row->first) >= end) break;
    ++visits_;
    if (!visitor(mark_of(row->first, row->second), row->first, row->second)) break;
  }
  return {};
}

Result<RowMark> MemoryRows::mark(std::string_view key, std::string_view value) const {
  if (key.size() < 8 || position_in(key) >= kPositions) return Status::corruption("not a row");
  return mark_of(key, value);
}

Status MemoryRows::merge(std::span<const ReconcileRow> rows) {
  for (const ReconcileRow& row : rows) {
    const Result<RowMark> checked = mark(row.key, row.value);
    if (!checked.ok()) return checked.status();
    const auto mine = rows_.find(row.key);
    if (mine == rows_.end() || mine->second < row.value) change(row.key, &row.value);
  }
  tree_.settle();
  return {};
}

}  // namespace syntropy::testing
