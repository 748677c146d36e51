// Message: everything that the membership cores of two nodes say to each other.
//
// Thread safety: values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include "membership/detector_message.h"
#include "membership/election_message.h"
#include "membership/facts.h"
#include "membership/gossip_message.h"

namespace syntropy {

/// Two nodes introduce themselves (CLUSTER MEET). The one message that is taken from a stranger.
struct Meet {
  MemberDelta self;        // the sender's own record, from version 0; empty: it has told nothing
  std::string your_host;   // the receiver's address as the sender sees it; empty: unknown
  uint64_t forgotten = 0;  // the sender's cluster forgot the receiver at this stamp: join above it
  uint64_t token = 0;      // of the sender's attempt; the reply repeats it
  bool reply_wanted = false;
};

using Message = std::variant<GossipMessage, DetectorMessage, ElectionMessage, Meet>;

/// What a frame adds to a message on the wire, as far as the scale study counts it (rpc/frame.h).
inline constexpr size_t kFrameOverhead = 16;

/// Meet { MemberDelta self = 1; string your_host = 2; uint64 forgotten = 3; uint64 token = 4;
///        bool reply_wanted = 5; }
size_t wire_size(const Meet& message);
/// Of the encoded message, without the frame.
size_t wire_size(const Message& message);

}  // namespace syntropy
