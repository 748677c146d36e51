// Holding the tree against the rows: RowTrees::verify().
#include <algorithm>
#include <set>

#include "server/trees/row_trees.h"

namespace syntropy {
namespace {

// The tree's leaves of some slots at the moment for which rows are frozen.
struct Leaves {
  std::vector<std::vector<Summary>> slots;
  std::vector<int64_t> keys;
  uint64_t stale = 0;
};

}  // namespace

// Adds the elements in which a slot's leaves and rows differ.
void RowTrees::judge(std::span<const Summary> leaves, uint16_t slot,
                     const std::vector<RowMark>& rows, Judged* judged) {
  unsigned depth = 0;
  while ((size_t{1} << depth) < leaves.size()) ++depth;
  std::vector<Summary> sums(leaves.size());
  const auto leaf_of = [&](const RowMark& row) {
    const uint64_t index = node_of(kSlotLevel + depth, position_of(row.element));
    return static_cast<size_t>(index & (leaves.size() - 1));
  };
  for (const RowMark& row : rows) sums[leaf_of(row)].add(row);
  bool wrong = false;
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (sums[i] == leaves[i]) continue;
    wrong = true;
    Sketch difference = sums[i].sketch;
    difference ^= leaves[i].sketch;
    const std::optional<Elements> elements = decode_sketch(difference.sums);
    if (!elements) {
      ++judged->unnamed_leaves;
      continue;
    }
    for (const uint64_t number : *elements) judged->elements.push_back(unscramble(number));
  }
  if (wrong) judged->slots.push_back(slot);
}

void RowTrees::count_anew(uint16_t slot) {
  const auto lock = catch_up();
  if (stale_[slot] || outgrown_[slot]) return;
  outgrown_[slot] = true;  // so that it is read
  ++outgrown_slots_;
}

Result<RowTrees::Verdict> RowTrees::verify(const SlotRange& range) {
  const std::lock_guard one(read_mutex_);
  std::vector<uint64_t> elements;
  return verify(range, &elements);
}

Result<RowTrees::Verdict> RowTrees::verify(const SlotRange& range,
                                           std::vector<uint64_t>* elements) {
  Leaves leaves;
  const FrozenRows rows = keyspace_.freeze([&](uint64_t) {
    const auto lock = catch_up();
    for (unsigned slot = range.first; slot <= range.last; ++slot) {
      const std::span<const Summary> of_slot = tree_->leaves(static_cast<uint16_t>(slot));
      leaves.slots.emplace_back(of_slot.begin(), of_slot.end());
      leaves.keys.push_back(keys_[slot]);
      leaves.stale += stale_[slot];
    }
  });
  if (leaves.stale != 0) return Status::unavailable("the trees are being made: ask again later");
  Verdict verdict;
  const Result<SlotMarks> marks = read_marks(rows, range, &verdict);
  if (!marks.ok()) return marks.status();
  verdict.rows = marks->rows;
  Judged judged;
  for (size_t i = 0; i < marks->slots.size(); ++i) {
    const auto slot = static_cast<uint16_t>(range.first + i);
    judge(leaves.slots[i], slot, marks->slots[i], &judged);
    const bool rows_agree = judged.slots.empty() || judged.slots.back() != slot;
    if (rows_agree && marks->keys[i] != leaves.keys[i]) {
      judged.slots.push_back(slot);
      count_anew(slot);
    }
  }
  verdict.wrong_slots = std::move(judged.slots);
  verdict.unnamed_leaves = judged.unnamed_leaves;
  *elements = std::move(judged.elements);
  if (elements->empty()) return verdict;
  const Status named = name_rows(rows, *elements, &verdict);
  if (!named.ok()) return named;
  return verdict;
}

Status RowTrees::mend(const std::string& row_key, std::string_view row_value) {
  const Result<RowKeyView> key = decode_row_key(row_key);
  if (!key.ok()) return key.status();
  const Result<RowView> row = decode_row(row_value);
  if (!row.ok()) return row.status();
  const std::lock_guard one(read_mutex_);
  std::string bytes;
  const Status read = keyspace_.engine().get(row_key, ReadTier::kDisk, &bytes);
  if (!read.ok() && !read.is(StatusCode::kNotFound)) return read;
  std::vector<uint64_t> elements;
  const Result<Verdict> verdict = verify(SlotRange{key->slot, key->slot}, &elements);
  if (!verdict.ok()) return verdict.status();
  // An element that the tree has: the rows' own ones are those of what lies there instead.
  const RowMark mark = mark_row(key->slot, key->hash, row_key, row_value);
  const bool missed = std::find(elements.begin(), elements.end(), mark.element) != elements.end();
  if (!missed || (read.ok() && bytes == row_value)) {
    return Status::invalid_argument("no such row is missed here");
  }
  return keyspace_.mend_row(row_key, read.ok() ? std::optional(bytes) : std::nullopt, row_value);
}

// Rows at the positions of `elements` are rotten if their own element is among these: the tree
// doesn't know it. Positions at which no such row lies have lost theirs.
Status RowTrees::name_rows(const FrozenRows& rows, const std::vector<uint64_t>& elements,
                           Verdict* verdict) const {
  std::set<uint64_t> positions;
  for (const uint64_t element : elements) positions.insert(position_of(element));
  for (const uint64_t position : positions) {
    bool is_there = false;
    const SlotRange slot{slot_of_position(position), slot_of_position(position)};
    const Status read = visit_marks(
        rows, slot,
        [&](const RowMark& mark, std::string_view row_key, const RowView&) {
          if (position_of(mark.element) != position) return;
          if (std::find(elements.begin(), elements.end(), mark.element) == elements.end()) return;
          is_there = true;
          verdict->rotten.emplace_back(row_key);
        },
        [](std::string_view) {});
    if (!read.ok()) return read;
    if (!is_there) verdict->lost.push_back(position);
  }
  return {};
}

}  // namespace syntropy
