// SlotMoves: what commands ask of a node's moves of slots (server/cluster/slot_mover.h).
//
// Thread safety: the loop's, but for what says otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "membership/node_id.h"
#include "storage/base/slot_ranges.h"

namespace syntropy {

/// A move, as CLUSTER GETSLOTMIGRATIONS tells it. Times in Unix seconds.
struct SlotMigration {
  std::string name;  // 40 hexadecimal digits
  bool exports = false;
  SlotRanges slots;
  NodeId source;
  NodeId target;
  uint64_t created_s = 0;
  uint64_t updated_s = 0;
  uint64_t heard_s = 0;
  std::string state;  // success, failed and canceled are the ends
  std::string message;
  uint64_t rows = 0;    // moved so far
  uint64_t rounds = 0;  // of comparing
  bool ended = false;
};

class SlotMoves {
 public:
  virtual ~SlotMoves() = default;

  /// CLUSTER MIGRATESLOTS: begins when those before it have ended. The caller has looked at what
  /// can be seen to be wrong.
  virtual void start(const SlotRanges& slots, const NodeId& target) = 0;
  /// CLUSTER CANCELSLOTMIGRATIONS: how many it has ended. Those that are given away go on.
  virtual size_t cancel() = 0;
  /// Any thread. The oldest first.
  virtual std::vector<SlotMigration> migrations() const = 0;
  /// Any thread. Slots of moves to other nodes that haven't ended.
  virtual SlotRanges leaving() const = 0;
};

}  // namespace syntropy
