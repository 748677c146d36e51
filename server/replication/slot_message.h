// Messages between the owner of slots and the primary that they are to go to (slot_export.h,
// slot_import.h). Plain values; rpc/ gives them bytes.
//
//   owner                                    target
//   SlotOffer  --------------------------->                 may they come?
//           <---------------------------  SlotAccept, SlotRefusal
//   Ask, ReplyAck ... -------------------->                 rounds of a comparison (comparison.h),
//           <---------------------------  Reply, AskAck ... each over all rows of the slots
//   SlotConfirm  ------------------------->                 that was a round: is all of it safe?
//           <---------------------------  SlotReady         it is on disk, and on replicas
//   (once before writes to the slots wait, for what comes then to be little, and once when nothing
//   is written any more)
//   SlotGrant ... ------------------------>                 they are yours: until a claim is heard of
//
// Who has rows of slots that are another's hands them over in the same way, up to SlotReady: then he
// may remove them.
//
// All carry the session that the first message named; those of another are ignored, but for a
// grant, which says everything itself. Every message may be lost, doubled or late.
//
// Thread safety: values.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "server/replication/message.h"
#include "storage/base/slot_ranges.h"

namespace syntropy {

struct SlotOffer {
  ReplicationSessionId session = 0;
  bool hand_over = false;  // the slots are the other's already
  SlotRanges slots;
};

struct SlotAccept {
  ReplicationSessionId session = 0;
  /// Rows with a version up to this one were flushed at the target, and won't be taken.
  HlcStamp flushed = 0;
};

struct SlotRefusal {
  ReplicationSessionId session = 0;
  bool later = false;  // it may be asked again
  std::string reason;
};

struct SlotConfirm {
  ReplicationSessionId session = 0;
  uint64_t round = 0;  // that has ended
};

struct SlotReady {
  ReplicationSessionId session = 0;
  uint64_t round = 0;
};

struct SlotGrant {
  ReplicationSessionId session = 0;
  SlotRanges slots;
};

using SlotMessage =
    std::variant<SlotOffer, SlotAccept, SlotRefusal, SlotConfirm, SlotReady, SlotGrant>;

}  // namespace syntropy
