// Endpoint: what `compare` and `repair` are pointed at: a node, a data directory, or any server
// that speaks the Redis protocol.
//
//   endpoint := host:port | [v6 address]:port                    a Syntropy node
//             | path                                             a data directory; has a '/' in it
//             | ("redis" | "rediss") "://" [user? ":" password "@"] host [":" port] ["/" db]
//                                                                any server; rediss: over TLS
//
// In a URL, %XX stands for a byte of the user or the password; port 6379 when there is none.
//
// Thread safety: values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/status.h"
#include "tools/cli/node_connection.h"

namespace syntropy {

struct Endpoint {
  enum class Kind : uint8_t { kNode, kDirectory, kRedis };

  Kind kind = Kind::kNode;
  NodeAddress address;               // kNode, kRedis
  std::optional<uint32_t> database;  // kRedis: the URL's, if it has one
  std::string directory;             // kDirectory

  /// How it is called in messages: as it was written, without user and password.
  std::string text() const;
};

/// kInvalidArgument when `text` is none of the above; the message never holds a password.
Result<Endpoint> parse_endpoint(std::string_view text);

}  // namespace syntropy
