// Publication: what a client published, on its way to the other nodes (server/pubsub.h). Like every
// message of the bus it may be lost, and a node that is cut off misses it.
//
// Thread safety: free functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/base/status.h"

namespace syntropy {

/// Type of its frame, beside those of rpc/codec.h. Part of the wire format.
inline constexpr uint8_t kPublicationType = 48;

struct Publication {
  std::string channel;
  std::string message;
  bool to_shard = false;  // SPUBLISH
};

std::string encode_publication(const Publication& publication);
/// kCorruption: it isn't one.
Result<Publication> decode_publication(std::string_view payload);

}  // namespace syntropy
