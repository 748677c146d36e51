// Routing: what the threads that serve clients know of the cluster. Made by the cluster's thread
// (server/cluster/cluster.h) whenever something of it changed, and then immutable.
//
// Whether this node may serve at all is a matter of milliseconds and not in here: see
// ClusterGate::may_serve().
//
// Thread safety: Routing is immutable; ClusterGate may be used from any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "membership/node_id.h"
#include "storage/base/slot.h"
#include "storage/base/slot_ranges.h"

namespace syntropy {

struct Routing {
  /// How clients reach a node.
  struct Node {
    NodeId id;
    std::string host;
    uint16_t port = 0;
    bool failed = false;
  };

  static constexpr uint16_t kNobody = UINT16_MAX;

  NodeId self;
  NodeId primary;        // whom this node replicates; no node: it is a primary
  bool covered = false;  // every slot has a living owner, or that isn't required
  std::vector<Node> nodes;
  std::array<uint16_t, kSlotCount> owner{};  // index into nodes; kNobody
  /// Slots on their way: to or from whom (index into nodes). Few.
  struct Moving {
    uint16_t slot;
    uint16_t peer;
  };
  std::vector<Moving> migrating;  // this node's own slots
  std::vector<Moving> importing;
  /// This node's own that it has given away: served no longer, and not yet by another.
  SlotRanges given;
  /// This node's own that it is about to give away: writes to them wait, all else is served.
  SlotRanges held;
  /// Grows with what `given` and `held` forbid (Tick::judged_by()).
  uint64_t generation = 0;

  /// The owner of `slot` in this view; null when it has none.
  const Node* owner_of(uint16_t slot) const {
    return owner[slot] == kNobody ? nullptr : &nodes[owner[slot]];
  }
};

class ClusterGate {
 public:
  /// Never null once the cluster has started. Once per turn of a thread is enough.
  std::shared_ptr<const Routing> routing() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return routing_;
  }
  void publish(std::shared_ptr<const Routing> routing) {
    const std::lock_guard<std::mutex> lock(mutex_);
    routing_ = std::move(routing);
  }

  /// False from the moment at which others may have replaced this node: it must neither write nor
  /// read then. `monotonic_ms`: Clock::monotonic_us() / 1000.
  bool may_serve(uint64_t monotonic_ms) const {
    return monotonic_ms < serve_until_ms_.load(std::memory_order_acquire);
  }
  void set_serve_until(uint64_t monotonic_ms) {
    serve_until_ms_.store(monotonic_ms, std::memory_order_release);
  }

 private:
  mutable std::mutex mutex_;  // guards routing_
  std::shared_ptr<const Routing> routing_;
  std::atomic<uint64_t> serve_until_ms_{0};
};

}  // namespace syntropy
