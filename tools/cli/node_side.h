// NodeSide: a running node as a side of a comparison row by row, by its RECONCILE commands
// (docs/merkle.md, "Over RESP").
//
// Thread safety: as a ReconcileSide's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tools/cli/node_connection.h"
#include "tools/cli/node_status.h"
#include "tools/cli/reconcile_side.h"

namespace syntropy {

/// What RECONCILE VERIFY answers.
struct NodeVerdict {
  uint64_t rows = 0;
  std::vector<uint16_t> wrong_slots;
  std::vector<std::string> rotten;  // row keys, encoded
  std::vector<uint64_t> lost;       // positions (merkle/row_mark.h) at which a row is gone
  uint64_t unnamed_leaves = 0;
};

class NodeSide final : public ReconcileSide {
 public:
  /// Connects. kInvalidArgument: it is no Syntropy node, or one that keeps no trees.
  static Result<std::unique_ptr<NodeSide>> open(const NodeAddress& address);

  /// Whether rows of these slots may be written to it. kInvalidArgument says why not: it follows
  /// another node, or is one of a cluster that doesn't serve them.
  Status check_writable(const SlotRanges& slots);
  /// Holds its rows against its trees.
  Result<NodeVerdict> verify(const SlotRange& range);

  /// The rows at these positions, ascending.
  Result<std::vector<ReconcileRow>> fetch(const std::vector<uint64_t>& positions);
  /// Gives it a row in the place of one that is rotten or gone; false: it isn't the one that the
  /// node misses.
  Result<bool> mend(const ReconcileRow& row);

  Result<Step> begin(const ReconcilePlan& plan) override;
  Result<Step> go_on(const std::vector<std::string>& replies) override;
  Result<std::vector<std::string>> answer(const std::vector<std::string>& requests) override;
  Result<uint64_t> stale_slots() override;
  bool in_use() const override { return true; }
  Traffic traffic() const override { return {connection_.bytes(), connection_.round_trips()}; }

 private:
  NodeSide(const NodeAddress& address, NodeConnection connection)
      : name_(address.text()), connection_(std::move(connection)) {}

  Result<InfoFields> info(const std::string& section);
  /// The replies; an error reply among them is an error.
  Result<std::vector<RespReply>> ask(const std::vector<RespCommand>& commands);
  Result<Step> step(RespCommand command);
  Status unexpected(std::string_view command) const;

  std::string name_;  // for messages
  NodeConnection connection_;
};

}  // namespace syntropy
