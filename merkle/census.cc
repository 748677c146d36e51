#include "merkle/census.h"

#include <algorithm>
#include <cmath>

namespace syntropy {
namespace {

constexpr double kSeen = 15.0 / 16.0;  // of the nodes that differ
// Above this share of differing nodes the guess is off by more than a level.
constexpr double kFull = 0.96;
// Elements of a node, at most: more make more rounds, fewer make more nodes to ask for.
constexpr double kMostElementsOfNode = 1.35;

}  // namespace

std::vector<uint8_t> take_census(const Tree& tree, unsigned level, const SlotRanges& slots) {
  std::vector<uint8_t> nibbles(nodes_of_level(level));
  for (uint64_t index = 0; index < nibbles.size(); ++index) {
    nibbles[index] = tree.within(level, index, slots).check & 15;
  }
  return nibbles;
}

size_t count_differing(std::span<const uint8_t> mine, std::span<const uint8_t> theirs) {
  size_t differing = 0;
  for (size_t i = 0; i < std::min(mine.size(), theirs.size()); ++i) {
    if (mine[i] != theirs[i]) ++differing;
  }
  return differing;
}

std::optional<uint64_t> estimate_elements(size_t differing, size_t nodes) {
  const auto count = static_cast<double>(nodes);
  const double share = static_cast<double>(differing) / kSeen / count;
  if (share > kFull) return std::nullopt;
  return static_cast<uint64_t>(std::ceil(-count * std::log1p(-share)));
}

unsigned level_for(uint64_t elements) {
  unsigned level = 0;
  while (level<kDeepestLevel&& static_cast<double>(elements)> kMostElementsOfNode *
         static_cast<double>(nodes_of_level(level))) {
    ++level;
  }
  return level;
}

}  // namespace syntropy
