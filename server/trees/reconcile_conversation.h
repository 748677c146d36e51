// ReconcileConversation: the reconcile sessions of one client's connection, as either side of them.
// The client carries what the two sides say to each other (docs/merkle.md, "Over RESP"), so that
// two nodes are compared by whoever can reach both.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "merkle/reconciler.h"
#include "merkle/responder.h"
#include "server/trees/tree_rows.h"

namespace syntropy {

class ReconcileConversation final : private DifferenceListener {
 public:
  /// As TreeRows.
  ReconcileConversation(Keyspace& keyspace, RowTrees& trees, std::function<Status()> merged);

  /// The side that is asked: the reply to a request, an encoded error if there is none.
  std::string answer(std::string_view request);

  /// Whether answer() would read no more than a few rows, and write none.
  static bool is_light(std::string_view request);
  /// Whether begin() and go_on() write no rows, whatever the replies say.
  bool only_compares() const { return !options_.pull && !options_.push; }

  struct Difference {
    DifferenceKind kind;
    std::string row_key;
  };
  struct Step {
    std::vector<std::string> requests;    // to be carried to the other side, in this order
    std::vector<Difference> differences;  // found since the last step
    bool begun_anew = false;              // forget those of earlier steps that weren't mended
    bool done = false;
    ReconcileSummary summary;
  };
  /// The side that asks: begins a session, in place of one that is under way.
  Result<Step> begin(const ReconcileOptions& options);
  /// Goes on with the replies to the oldest requests without one, in their order.
  /// kInvalidArgument when no session is under way; what ended it otherwise.
  Result<Step> go_on(const std::vector<std::string_view>& replies);

 private:
  void on_difference(DifferenceKind kind, std::string_view row_key) override;
  void on_begin_anew() override;
  Result<Step> step();

  TreeRows rows_;
  Responder responder_;
  SlotRanges answered_slots_ = SlotRanges::all();
  ReconcileOptions options_;
  std::optional<Reconciler> reconciler_;
  std::vector<Difference> found_;
  bool begun_anew_ = false;
};

}  // namespace syntropy
