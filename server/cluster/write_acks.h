// WriteAcks: how many copies a write needs before its reply (cluster-write-acks).
//
// Thread safety: a value.
#pragma once

#include <cstdint>

namespace syntropy {

enum class WriteAcks : uint8_t {
  kOne,       // this node's own, as appendfsync says
  kMajority,  // of the shard: this node and its replicas
  kAll,
};

}  // namespace syntropy
