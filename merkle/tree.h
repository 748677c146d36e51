// Tree: sums over the rows of a node, by slot and by ranges within each slot.
//
// Each tree node holds a summary of the rows below it: how many there are, a sketch of their
// elements and the sum of their checks (merkle/row_mark.h). All three are sums, so a change of a
// row is added to the nodes above it without looking at other rows, and the difference of two
// stores' summaries is the summary of the rows in which they differ.
//
//   level 0               the root: all rows
//   level 1..13           two children each
//   level 14              the slots
//   level 15..14+depth    ranges of a slot, by the bits of the hash; depth follows the slot's rows
//
// Node `index` of `level` covers the positions whose upper `level` bits are `index`. Every second
// level is kept, the even ones; a node of an odd one is the sum of its two children.
//
// A change touches a leaf and its slot alone. The nodes between them and above are summed up by
// settle(), once for all changes since the last time: whoever reads the tree settles it first.
//
// Growth. A slot's leaves hold some kMostLeafRows / 4 to kMostLeafRows rows on average. When it has
// outgrown its depth its leaves stay right and become coarse; wants_rebuild() says so, and whoever
// can read the slot's rows gives them to rebuild(). Each time a slot has grown fourfold its rows
// are read once. The same mends a slot whose sums were lost.
//
// Memory: 48 bytes a node: 1 MiB for the levels down to the slots, about 4 bytes a row below.
//
// A copy is a settled tree as of that moment. It shares what lies below the slots; a tree that
// changes a slot copies that slot's nodes first. So a copy costs a millisecond, and later as much
// memory as slots have changed.
//
// Thread safety: none; calls of const functions may run beside each other. A tree and its copies
// may be used by a thread each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "merkle/row_mark.h"
#include "merkle/sketch.h"
#include "storage/base/slot_ranges.h"

namespace syntropy {

/// The sum over a set of rows.
struct Summary {
  uint64_t rows = 0;   // modulo 2^64: the difference of two may be "negative"
  uint64_t check = 0;  // exclusive or of the checks
  Sketch sketch;       // of the scrambled elements

  void add(const RowMark& row);
  void remove(const RowMark& row);
  Summary& operator+=(const Summary& other);
  bool operator==(const Summary&) const = default;
};

inline constexpr unsigned kSlotLevel = kSlotBits;
inline constexpr unsigned kDeepestLevel = kPositionBits;
inline constexpr uint64_t kMostLeafRows = 32;

constexpr uint64_t nodes_of_level(unsigned level) { return uint64_t{1} << level; }
/// The node of `level` that covers `position`.
constexpr uint64_t node_of(unsigned level, uint64_t position) {
  return position >> (kPositionBits - level);
}
/// The first position that node `index` of `level` covers; that of node index + 1 is its end.
constexpr uint64_t first_position(unsigned level, uint64_t index) {
  return index << (kPositionBits - level);
}
/// Levels that `rows` rows of a slot ask for below the slot; even.
unsigned depth_for(uint64_t rows);

class Tree {
 public:
  Tree();
  Tree(const Tree& other);
  Tree(Tree&& other) = default;
  Tree& operator=(const Tree&) = delete;
  Tree& operator=(Tree&& other) = default;

  void add(const RowMark& row);
  /// `row` was added, with the same element and check.
  void remove(const RowMark& row);
  /// remove() and add() of two versions of a row, which lie at one position.
  void update(const RowMark& before, const RowMark& after);

  /// Levels below the slot; even.
  unsigned depth(uint16_t slot) const { return slots_[slot].depth; }
  /// Rows in the tree.
  uint64_t rows() const { return rows_; }
  /// Whether the slot's rows have outgrown its depth, or become far fewer.
  bool wants_rebuild(uint16_t slot) const;
  /// Takes `rows` for all rows of the slot, in place of what it knew.
  void rebuild(uint16_t slot, std::span<const RowMark> rows);

  /// The nodes of the slot's deepest level, 2^depth(slot) of them: what there is to store of it.
  std::span<const Summary> leaves(uint16_t slot) const;
  /// Takes `leaves`, as leaves() gave them, for all rows of the slot, in place of what it knew.
  /// False, and nothing is changed, when there can't be so many.
  bool restore(uint16_t slot, std::span<const Summary> leaves);

  /// Brings what was changed into all nodes. Everything below needs it, and so do copies
  /// (assertions).
  void settle();
  /// Slots that settle() has to sum up.
  size_t unsettled() const { return unsettled_.size(); }

  /// Whether the tree reaches down to node `index` of `level`.
  bool reaches(unsigned level, uint64_t index) const;
  /// Node `index` of `level`, which the tree reaches.
  Summary node(unsigned level, uint64_t index) const;
  Summary slot(uint16_t slot) const { return node(kSlotLevel, slot); }
  /// As node(), counting the rows of `slots` only.
  Summary within(unsigned level, uint64_t index, const SlotRanges& slots) const;
  /// The rows of `slots`.
  Summary root(const SlotRanges& slots) const { return within(0, 0, slots); }

 private:
  struct SlotLevels {
    uint8_t depth = 0;
    bool settled = true;
    uint32_t copies = 0;               // of this tree when `nodes` became its own
    std::shared_ptr<Summary[]> nodes;  // of the even levels below the slot, one after the other
  };

  template <typename Change>
  void change(uint64_t position, Change change);

  Summary* own_nodes(SlotLevels& slot);
  Summary* new_nodes(uint16_t slot, unsigned depth);
  void unsettle(uint16_t slot);
  void replace(uint16_t slot, const Summary& sum);
  const Summary& kept_node(unsigned level, uint64_t index) const;

  std::array<std::vector<Summary>, kSlotLevel / 2 + 1> levels_;  // the even ones
  std::vector<SlotLevels> slots_;
  std::vector<uint16_t> unsettled_;  // slots, in no order
  uint64_t rows_ = 0;
  /// How often this tree was copied, so that it knows what it may share.
  mutable uint32_t copies_ = 0;
};

}  // namespace syntropy
