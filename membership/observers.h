// ObserverRing: who watches whom, from the member list and a seed alone.
//
// A seeded permutation puts the members on a ring of 2^64 positions. A node's observers are the
// nearest members around it that aren't FAIL, half of them on each side; when one of them becomes
// FAIL the next one further out takes its place, and when a member joins, the outermost steps back.
// The relation is mutual between live members, so one exchange serves both. All views with the same
// members, FAIL decisions and seed see the same ring, and a change moves the observers of its few
// neighbours only.
//
// Nothing is stored per member: a question is one pass over the roster (tens of microseconds for
// ten thousand members). Neighbours are asked for when the list changes near them, observers when
// somebody begins to suspect one.
//
// Thread safety: const after construction; the roster as its own.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "membership/node_id.h"
#include "membership/roster.h"

namespace syntropy {

class ObserverRing {
 public:
  struct Neighbour {
    NodeId id;
    bool failed = false;
    /// Of each pair of live neighbours exactly one sends the regular pings.
    bool initiates = false;
  };

  /// How far a node's neighbourhood reaches; a member beyond doesn't change it.
  struct Reach {
    uint64_t ahead = 0;
    uint64_t behind = 0;
  };

  /// `observers` is how many watch each node; even, at least 2.
  ObserverRing(uint64_t seed, uint32_t observers);

  /// A one-to-one mixing of digest_id(id) and the seed.
  uint64_t position(const NodeId& id) const;

  /// Who watches `node` (whether it is FAIL or not): min(observers, live others), ascending by id.
  std::vector<NodeId> observers(const Roster& roster, const std::set<NodeId>& failed,
                                const NodeId& node) const;

  /// Whom `node`, being live, watches: its observers, and the FAIL members in between. Ascending.
  /// `reach` gets how far that is.
  std::vector<Neighbour> neighbours(const Roster& roster, const std::set<NodeId>& failed,
                                    const NodeId& node, Reach& reach) const;
  bool within(const Reach& reach, const NodeId& node, const NodeId& other) const;

  struct Place {
    uint64_t position;
    uint32_t rank;
  };
  /// All members that aren't FAIL, in the order of the ring.
  std::vector<Place> order(const Roster& roster, const std::set<NodeId>& failed) const;
  uint32_t observers_each() const { return 2 * each_side_; }
  uint32_t each_side() const { return each_side_; }

 private:
  struct Near {
    uint64_t distance;
    NodeId id;
  };
  struct Arcs {
    std::vector<Near> ahead;  // nearest first
    std::vector<Near> behind;
  };

  void keep_nearest(std::vector<Near>& side, uint64_t distance, const NodeId& id) const;
  bool within(const std::vector<Near>& side, uint64_t distance) const;
  Arcs arcs(const Roster& roster, const std::set<NodeId>& failed, const NodeId& node) const;

  uint64_t seed_;
  uint32_t each_side_;
};

}  // namespace syntropy
