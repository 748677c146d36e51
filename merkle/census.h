// Census: a coarse look at a whole level of two trees, to guess how many elements differ.
//
// Four bits of the check of each node. A node of the two trees differs in them with a probability
// of 15/16 if anything below it differs. Elements fall on the nodes evenly, so that of n nodes n *
// (1 - e^(-d/n)) are hit by d elements; solved for d ("linear counting": Whang, Vander-Zanden,
// Taylor, "A Linear-Time Probabilistic Counting Algorithm for Database Applications", ACM TODS
// 15(2), 1990). It is a guess: it says at which level to look, never that a node may be left out.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "merkle/tree.h"

namespace syntropy {

/// The census that comes with the answer to Open: 64 nodes.
inline constexpr unsigned kOpeningCensusLevel = 3;
/// The deepest census: 4096 nodes in 2 KiB.
inline constexpr unsigned kDeepestCensusLevel = 6;

/// Four bits of each node of `level`, counting the rows of `slots` only.
std::vector<uint8_t> take_census(const Tree& tree, unsigned level, const SlotRanges& slots);

/// Nodes in which the two differ; as many as the shorter one has.
size_t count_differing(std::span<const uint8_t> mine, std::span<const uint8_t> theirs);

/// How many elements make `differing` of `nodes` nodes differ. Nothing when so many do that it
/// could be any number.
std::optional<uint64_t> estimate_elements(size_t differing, size_t nodes);

/// The level at which a node has about one of `elements` differing elements: two at most, which two
/// rounds tell.
unsigned level_for(uint64_t elements);

}  // namespace syntropy
