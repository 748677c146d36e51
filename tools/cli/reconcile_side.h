// ReconcileSide: one side of a comparison row by row (docs/merkle.md): a running node, or the
// directory of one that isn't running. Each can ask or be asked; who drives a comparison carries
// the requests of the one to the other and the replies back.
//
// Thread safety: a side belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/trees/reconcile_conversation.h"
#include "storage/base/slot_ranges.h"
#include "storage/base/status.h"
#include "tools/cli/key_server.h"

namespace syntropy {

/// What a session is about and does.
struct ReconcilePlan {
  SlotRanges slots = SlotRanges::all();
  bool pull = false;  // the side that asks takes in what is newer at the other
  bool push = false;  // and sends it what is newer here

  bool mends() const { return pull || push; }
};

class ReconcileSide {
 public:
  using Step = ReconcileConversation::Step;

  virtual ~ReconcileSide() = default;

  /// The side that asks: as ReconcileConversation. An error ends the session.
  virtual Result<Step> begin(const ReconcilePlan& plan) = 0;
  virtual Result<Step> go_on(const std::vector<std::string>& replies) = 0;

  /// The side that is asked: the replies, in order. Refusals are replies as well.
  virtual Result<std::vector<std::string>> answer(const std::vector<std::string>& requests) = 0;

  /// Slots whose rows are still to be read before the side can be compared; reading them goes on
  /// behind this call. The error of reading them.
  virtual Result<uint64_t> stale_slots() = 0;
  /// Whether rows may change meanwhile.
  virtual bool in_use() const = 0;
  /// With the side, since it was opened.
  virtual Traffic traffic() const = 0;
};

}  // namespace syntropy
