#include "membership/roster.h"

namespace syntropy {

size_t Roster::members_below(const NodeId& id) const {
  size_t low = 0;
  size_t high = size();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (this->id(middle) < id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

std::optional<size_t> Roster::rank_of(const NodeId& id) const {
  const size_t rank = members_below(id);
  if (rank == size() || this->id(rank) != id) return std::nullopt;
  return rank;
}

}  // namespace syntropy
