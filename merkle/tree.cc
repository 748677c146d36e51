#include "merkle/tree.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace syntropy {
namespace {

static_assert(kSlotLevel % 2 == 0 && kDeepestLevel % 2 == 0);

// Where a kept level begins among a slot's nodes; `below` the slot: 2, 4, ...
constexpr size_t level_offset(unsigned below) { return (nodes_of_level(below) - 4) / 3; }
static_assert(level_offset(2) == 0 && level_offset(4) == 4 && level_offset(6) == 20);

constexpr unsigned kMostDepth = kDeepestLevel - kSlotLevel;

}  // namespace

void Summary::add(const RowMark& row) {
  ++rows;
  check ^= row.check;
  sketch.toggle(scramble(row.element));
}

void Summary::remove(const RowMark& row) {
  --rows;
  check ^= row.check;
  sketch.toggle(scramble(row.element));
}

Summary& Summary::operator+=(const Summary& other) {
  rows += other.rows;
  check ^= other.check;
  sketch ^= other.sketch;
  return *this;
}

unsigned depth_for(uint64_t rows) {
  unsigned depth = 0;
  while (depth < kMostDepth && rows > kMostLeafRows * nodes_of_level(depth)) depth += 2;
  return depth;
}

Tree::Tree() : slots_(kSlotCount) {
  for (unsigned level = 0; level <= kSlotLevel; level += 2) {
    levels_[level / 2].resize(nodes_of_level(level));
  }
}

Tree::Tree(const Tree& other) : levels_(other.levels_), slots_(other.slots_), rows_(other.rows_) {
  assert(other.unsettled_.empty());
  // Neither may change what both have from here on.
  ++other.copies_;
  copies_ = other.copies_;
}

// The slot's nodes, to be changed. Whether a copy still lives isn't asked: it may be used, or let
// go of, by another thread.
Summary* Tree::own_nodes(SlotLevels& slot) {
  if (slot.copies != copies_) {
    const size_t count = level_offset(slot.depth + 2u);
    auto own = std::make_shared<Summary[]>(count);
    std::copy_n(slot.nodes.get(), count, own.get());
    slot.nodes = std::move(own);
    slot.copies = copies_;
  }
  return slot.nodes.get();
}

// Zeros. Null: a slot of depth 0 has none.
Summary* Tree::new_nodes(uint16_t slot, unsigned depth) {
  SlotLevels& levels = slots_[slot];
  levels.depth = static_cast<uint8_t>(depth);
  levels.nodes = depth == 0 ? nullptr : std::make_shared<Summary[]>(level_offset(depth + 2));
  levels.copies = copies_;
  return levels.nodes.get();
}

void Tree::unsettle(uint16_t slot) {
  if (std::exchange(slots_[slot].settled, false)) unsettled_.push_back(slot);
}

template <typename Change>
void Tree::change(uint64_t position, Change change) {
  const uint16_t slot = slot_of_position(position);
  unsettle(slot);
  change(levels_.back()[slot]);
  SlotLevels& levels = slots_[slot];
  if (levels.depth == 0) return;
  const uint64_t leaf =
      node_of(kSlotLevel + levels.depth, position) & (nodes_of_level(levels.depth) - 1);
  change(own_nodes(levels)[level_offset(levels.depth) + leaf]);
}

void Tree::add(const RowMark& row) {
  Summary one;
  one.add(row);
  change(position_of(row.element), [&](Summary& node) { node += one; });
  ++rows_;
}

void Tree::remove(const RowMark& row) {
  Summary minus_one;
  minus_one.remove(row);
  change(position_of(row.element), [&](Summary& node) { node += minus_one; });
  --rows_;
}

void Tree::update(const RowMark& before, const RowMark& after) {
  assert(position_of(before.element) == position_of(after.element));
  Summary difference;
  difference.remove(before);
  difference.add(after);
  change(position_of(after.element), [&](Summary& node) { node += difference; });
}

void Tree::settle() {
  if (unsettled_.empty()) return;
  const auto sum_up = [](const Summary* children) {
    Summary sum = children[0];
    for (size_t i = 1; i < 4; ++i) sum += children[i];
    return sum;
  };
  for (const uint16_t slot : unsettled_) {
    SlotLevels& levels = slots_[slot];
    levels.settled = true;
    for (unsigned below = levels.depth; below > 2; below -= 2) {
      Summary* const nodes = levels.nodes.get();
      const Summary* const children = nodes + level_offset(below);
      Summary* const parents = nodes + level_offset(below - 2);
      for (size_t i = 0; i < nodes_of_level(below - 2); ++i) parents[i] = sum_up(children + 4 * i);
    }
  }
  std::sort(unsettled_.begin(), unsettled_.end());
  for (unsigned level = kSlotLevel; level > 0; level -= 2) {
    for (uint16_t& index : unsettled_) index /= 4;
    unsettled_.erase(std::unique(unsettled_.begin(), unsettled_.end()), unsettled_.end());
    for (const uint16_t index : unsettled_) {
      levels_[level / 2 - 1][index] = sum_up(&levels_[level / 2][size_t{index} * 4]);
    }
  }
  unsettled_.clear();
}

bool Tree::wants_rebuild(uint16_t slot) const {
  const uint64_t rows = levels_.back()[slot].rows;
  const unsigned depth = slots_[slot].depth;
  // A margin below, so that a slot at a boundary isn't rebuilt again and again.
  return depth_for(rows) > depth || depth_for(4 * rows) < depth;
}

void Tree::rebuild(uint16_t slot, std::span<const RowMark> rows) {
  Summary sum;
  const unsigned depth = depth_for(rows.size());
  Summary* const nodes = new_nodes(slot, depth);
  for (const RowMark& row : rows) {
    const uint64_t position = position_of(row.element);
    assert(slot_of_position(position) == slot);
    Summary one;
    one.add(row);
    sum += one;
    if (depth == 0) continue;
    const uint64_t leaf = node_of(kSlotLevel + depth, position) & (nodes_of_level(depth) - 1);
    nodes[level_offset(depth) + leaf] += one;
  }
  replace(slot, sum);
}

// Puts `sum` in the place of the slot's.
void Tree::replace(uint16_t slot, const Summary& sum) {
  Summary& kept = levels_.back()[slot];
  rows_ += sum.rows - kept.rows;
  kept = sum;
  unsettle(slot);
}

std::span<const Summary> Tree::leaves(uint16_t slot) const {
  const SlotLevels& levels = slots_[slot];
  if (levels.depth == 0) return {&levels_.back()[slot], 1};
  return {levels.nodes.get() + level_offset(levels.depth), nodes_of_level(levels.depth)};
}

bool Tree::restore(uint16_t slot, std::span<const Summary> leaves) {
  unsigned depth = 0;
  while (depth < kMostDepth && nodes_of_level(depth) < leaves.size()) depth += 2;
  if (leaves.size() != nodes_of_level(depth)) return false;
  Summary* const nodes = new_nodes(slot, depth);
  if (depth > 0) std::copy(leaves.begin(), leaves.end(), nodes + level_offset(depth));
  Summary sum;
  for (const Summary& leaf : leaves) sum += leaf;
  replace(slot, sum);
  return true;
}

bool Tree::reaches(unsigned level, uint64_t index) const {
  if (level <= kSlotLevel) return true;
  return level - kSlotLevel <= slots_[index >> (level - kSlotLevel)].depth;
}

const Summary& Tree::kept_node(unsigned level, uint64_t index) const {
  if (level <= kSlotLevel) return levels_[level / 2][index];
  const unsigned below = level - kSlotLevel;
  const SlotLevels& slot = slots_[index >> below];
  return slot.nodes[level_offset(below) + (index & (nodes_of_level(below) - 1))];
}

Summary Tree::node(unsigned level, uint64_t index) const {
  assert(unsettled_.empty());
  assert(index < nodes_of_level(level) && reaches(level, index));
  if (level % 2 == 0) return kept_node(level, index);
  Summary sum = kept_node(level + 1, 2 * index);
  return sum += kept_node(level + 1, 2 * index + 1);
}

Summary Tree::within(unsigned level, uint64_t index, const SlotRanges& slots) const {
  const uint64_t end = first_position(level, index + 1) - 1;
  const SlotRange covered{slot_of_position(first_position(level, index)), slot_of_position(end)};
  if (slots.contains(SlotRanges{covered})) return node(level, index);
  if (!slots.intersects(SlotRanges{covered})) return {};
  Summary sum;
  sum += within(level + 1, 2 * index, slots);
  return sum += within(level + 1, 2 * index + 1, slots);
}

}  // namespace syntropy
