// Census: a look at a whole level of two trees, a few bits a node, to see where they differ and to
// guess how many rows do.
//
// The bits are the lower ones of the nodes' checks. A node below which anything differs looks
// different but once in 2^bits times, so nodes that look alike may be left out for now (what hides
// there is found at the end, see merkle/reconciler.h). Rows fall on the nodes evenly: of n nodes
// n * (1 - e^(-d/n)) are hit by d rows; solved for d ("linear counting": Whang, Vander-Zanden,
// Taylor, "A Linear-Time Probabilistic Counting Algorithm for Database Applications", ACM TODS
// 15(2), 1990).
//
//   bytes := cells of `bits` bits, one a node, from the lowest bit of the first byte on; the last
//            byte is filled up with zeros
//   Check: the cells 1, 2, 3 of 6 bits are 81 30 00.
//
// Thread safety: values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "merkle/tree.h"

namespace syntropy {

class Census {
 public:
  static constexpr unsigned kMostBits = 16;

  Census() = default;
  /// Of the nodes of `level`, counting the rows of `slots` only; 1 <= bits <= kMostBits.
  Census(const Tree& tree, unsigned level, unsigned bits, const SlotRanges& slots);
  /// From bytes(). Whether they are as many as `nodes` nodes take is for the caller to see.
  static Census from_bytes(std::string bytes, unsigned bits);
  static size_t bytes_for(uint64_t nodes, unsigned bits) { return (nodes * bits + 7) / 8; }

  const std::string& bytes() const { return bytes_; }
  /// The bits of node `index`, which the bytes reach.
  unsigned cell(uint64_t index) const;

 private:
  std::string bytes_;
  unsigned bits_ = kMostBits;
};

/// The census that comes with the answer to Open: 64 nodes in 48 bytes.
inline constexpr unsigned kOpeningCensusLevel = 6;
inline constexpr unsigned kOpeningCensusBits = 6;
/// The one asked for if that one is full: the slots, in 32 KiB.
inline constexpr unsigned kFullCensusLevel = kSlotLevel;
inline constexpr unsigned kFullCensusBits = 16;

/// How many rows make `differing` of `nodes` nodes differ. Nothing when so many nodes do that it
/// could be any number.
std::optional<uint64_t> estimate_differences(size_t differing, size_t nodes);

}  // namespace syntropy
