// TreeProblems: what holding rows against their trees has found, range by range of slots, and how
// it is told.
//
// Thread safety: a value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/base/slot_ranges.h"

namespace syntropy {

/// The ranges in which all slots are verified, one after the other.
std::vector<SlotRange> verify_steps();

class TreeProblems {
 public:
  /// `most_named`: rows that are named; all are counted.
  explicit TreeProblems(size_t most_named) : most_named_(most_named) {}

  /// The verdict on a range: `rotten` are row keys, `lost` rows that aren't there,
  /// `unnamed_leaves` ranges in which too much is wrong to say what.
  void add(uint64_t rows, uint64_t wrong_slots, const std::vector<std::string>& rotten,
           uint64_t lost, uint64_t unnamed_leaves);

  uint64_t rows() const { return rows_; }
  bool sound() const { return wrong_slots_ == 0 && rotten_ == 0; }
  /// One line each; none when sound.
  std::vector<std::string> texts() const;
  /// "1,000 rows are what was written", or how many slots are wrong.
  std::string summary() const;

 private:
  const size_t most_named_;
  uint64_t rows_ = 0;
  uint64_t wrong_slots_ = 0;
  uint64_t rotten_ = 0;
  uint64_t lost_ = 0;
  uint64_t unnamed_leaves_ = 0;
  std::vector<std::string> named_;
};

}  // namespace syntropy
