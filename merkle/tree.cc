#include "merkle/tree.h"

#include <cassert>

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

Tree::Tree(const Tree& other) : levels_(other.levels_), slots_(other.slots_) {
  // Neither may change what both have from here on.
  ++other.copies_;
  copies_ = other.copies_;
}

// The slot's nodes, to be changed. Whether a copy still lives isn't asked: it may be used, or let
// go of, by another thread.
Tree::Nodes& Tree::own_nodes(SlotLevels& slot) {
  if (slot.copies != copies_) {
    slot.nodes = std::make_shared<Nodes>(*slot.nodes);
    slot.copies = copies_;
  }
  return *slot.nodes;
}

// Null: a slot of depth 0 has none.
Tree::Nodes* Tree::new_nodes(SlotLevels& slot, unsigned depth) {
  slot.depth = depth;
  slot.nodes = depth == 0 ? nullptr : std::make_shared<Nodes>(level_offset(depth + 2));
  slot.copies = copies_;
  return slot.nodes.get();
}

template <typename Change>
void Tree::change(uint64_t position, Change change) {
  for (unsigned level = 0; level <= kSlotLevel; level += 2) {
    change(levels_[level / 2][node_of(level, position)]);
  }
  SlotLevels& slot = slots_[slot_of_position(position)];
  if (slot.depth == 0) return;
  Nodes& nodes = own_nodes(slot);
  for (unsigned below = 2; below <= slot.depth; below += 2) {
    const uint64_t index = node_of(kSlotLevel + below, position) & (nodes_of_level(below) - 1);
    change(nodes[level_offset(below) + index]);
  }
}

void Tree::add(const RowMark& row) {
  Summary one;
  one.add(row);
  change(position_of(row.element), [&](Summary& node) { node += one; });
}

void Tree::remove(const RowMark& row) {
  Summary minus_one;
  minus_one.remove(row);
  change(position_of(row.element), [&](Summary& node) { node += minus_one; });
}

void Tree::update(const RowMark& before, const RowMark& after) {
  assert(position_of(before.element) == position_of(after.element));
  Summary difference;
  difference.remove(before);
  difference.add(after);
  change(position_of(after.element), [&](Summary& node) { node += difference; });
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
  Nodes* const nodes = new_nodes(slots_[slot], depth);
  for (const RowMark& row : rows) {
    const uint64_t position = position_of(row.element);
    assert(slot_of_position(position) == slot);
    Summary one;
    one.add(row);
    sum += one;
    for (unsigned below = 2; below <= depth; below += 2) {
      const uint64_t index = node_of(kSlotLevel + below, position) & (nodes_of_level(below) - 1);
      (*nodes)[level_offset(below) + index] += one;
    }
  }
  replace(slot, sum);
}

// Puts `sum` in the place of the slot's, there and above.
void Tree::replace(uint16_t slot, const Summary& sum) {
  Summary change = levels_.back()[slot];
  change.rows = sum.rows - change.rows;
  change.check ^= sum.check;
  change.sketch ^= sum.sketch;
  const uint64_t position = first_position(kSlotLevel, slot);
  for (unsigned level = 0; level <= kSlotLevel; level += 2) {
    levels_[level / 2][node_of(level, position)] += change;
  }
}

std::span<const Summary> Tree::leaves(uint16_t slot) const {
  const SlotLevels& levels = slots_[slot];
  if (levels.depth == 0) return {&levels_.back()[slot], 1};
  return std::span(*levels.nodes).subspan(level_offset(levels.depth));
}

bool Tree::restore(uint16_t slot, std::span<const Summary> leaves) {
  unsigned depth = 0;
  while (depth < kMostDepth && nodes_of_level(depth) < leaves.size()) depth += 2;
  if (leaves.size() != nodes_of_level(depth)) return false;
  Nodes* const nodes = new_nodes(slots_[slot], depth);
  Summary sum;
  for (size_t i = 0; i < leaves.size(); ++i) {
    sum += leaves[i];
    for (unsigned below = 2; below <= depth; below += 2) {
      (*nodes)[level_offset(below) + (i >> (depth - below))] += leaves[i];
    }
  }
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
  return (*slot.nodes)[level_offset(below) + (index & (nodes_of_level(below) - 1))];
}

Summary Tree::node(unsigned level, uint64_t index) const {
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
