// Roster: the members as this view knows them, as far as failure detection must know.
//
// The owner of the gossiped state answers these questions from it, so that ten thousand members
// aren't held twice. Ranks are positions in the ascending order of ids; they shift when a member
// comes or goes, and whoever implements this tells its readers so.
//
// Thread safety: as the implementation's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "membership/node_id.h"

namespace syntropy {

class Roster {
 public:
  virtual ~Roster() = default;
  /// How many members there are, this node included.
  virtual size_t size() const = 0;
  /// Ascending by rank. `rank` < size(). The reference is good until the roster changes.
  virtual const NodeId& id(size_t rank) const = 0;
  /// 0 when the member hasn't told.
  virtual uint64_t incarnation(size_t rank) const = 0;
  /// Whether the member is a primary that owns slots: it has a vote on failures.
  virtual bool votes(size_t rank) const = 0;
  /// Whether the member must not serve on our word: what it claims belongs, or may belong, to
  /// another, and it may not have heard of that.
  virtual bool lease_withheld(const NodeId& id) const = 0;

  /// How many members have a lower id. By bisection, where nothing faster is known.
  virtual size_t members_below(const NodeId& id) const;
  /// Nullopt: no member has this id.
  std::optional<size_t> rank_of(const NodeId& id) const;
};

}  // namespace syntropy
