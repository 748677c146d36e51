// Responder: the side of a reconcile session that is asked.
//
// It keeps nothing of a session but its slots: each answer says what the tree and the rows are at
// that moment. So a session that was cut off costs nothing here and is begun anew at no loss.
//
// Bounded: a message names at most kMostItems nodes or positions, a reply ends after
// kMostReplyBytes and the row that reaches it, and of sessions the kMostSessions opened last are
// known.
//
// Thread safety: none; one per peer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "merkle/reconcile_store.h"

namespace syntropy {

class Responder {
 public:
  static constexpr size_t kMostSessions = 16;
  static constexpr size_t kMostReplyBytes = 1 << 20;

  /// `store` outlives it.
  explicit Responder(ReconcileStore* store) : store_(*store) {}

  /// The encoded reply to an encoded request; to one that can't be answered, an error that says
  /// why.
  std::string answer(std::string_view request);

 private:
  friend struct Answer;

  const SlotRanges* slots_of(uint64_t session) const;

  ReconcileStore& store_;
  std::deque<std::pair<uint64_t, SlotRanges>> sessions_;  // newest last
};

}  // namespace syntropy
