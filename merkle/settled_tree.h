// SettledTree: the tree of a node's rows as they were at a moment in the past, the cut.
//
// Two nodes that write and replicate are never equal at the same time: something is always on its
// way. Their trees are equal all the same if both stand for the rows as of a version that lies far
// enough back for everything up to it to have arrived. So a change of a row isn't added at once; it
// waits, in the order of versions, until the cut has passed it.
//
//   note(stamp, before, after)      the row was `before`, is `after` since version `stamp`
//   settle(cut)                     adds what has a stamp up to `cut`
//
// A change whose stamp lies below the cut already (a row that a repair brought in, a late arrival)
// is added at once. Versions of one row only grow (storage/merge.h), so its changes are added in
// the order in which they were made.
//
// A stream brings all versions of a row; a repair may bring a later one without the earlier ones.
// Then the two trees differ in that row at the cuts between them. Whoever looks the row up sees
// that its version lies beyond the cut, and that it is no difference.
//
// To note a change is to append some 40 bytes: the write path pays no more than that. What the tree
// costs is paid where settle() is called, which can be another thread under the same lock.
//
// Bounded: at most `most_waiting` changes wait. One more moves the cut up to the oldest of them;
// whoever compares at a cut must see that it is still the one he chose.
//
// Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "merkle/tree.h"

namespace syntropy {

class SettledTree {
 public:
  explicit SettledTree(size_t most_waiting);

  /// `stamp` is that of the version of `after`, or of the deletion; `before` what the row was as
  /// far as this tree was told. Nothing stands for no row.
  void note(uint64_t stamp, const std::optional<RowMark>& before,
            const std::optional<RowMark>& after);

  /// Moves the cut to `cut`, unless it is there or beyond.
  void settle(uint64_t cut);
  uint64_t cut() const { return cut_; }

  /// The rows as of the cut.
  const Tree& tree() const { return tree_; }
  /// See Tree::rebuild(); `rows` are those as of the cut.
  void rebuild(uint16_t slot, std::span<const RowMark> rows) { tree_.rebuild(slot, rows); }

  size_t waiting() const { return waiting_.size(); }
  /// How often the cut was moved because too many changes waited.
  uint64_t forced() const { return forced_; }

 private:
  struct Change {
    uint64_t stamp = 0;
    RowMark before;  // element 0: no row
    RowMark after;
  };

  void apply(const Change& change);

  const size_t most_waiting_;
  Tree tree_;
  std::deque<Change> waiting_;  // ascending by stamp; equal ones in the order of note()
  uint64_t cut_ = 0;
  uint64_t forced_ = 0;
};

}  // namespace syntropy
