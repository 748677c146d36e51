// MembershipCluster: the membership cores of many nodes in one process and in virtual time, over a
// network that delays and loses messages. No storage, no clients: for questions of scale.
//
// It begins with all nodes knowing each other and agreeing, half of them primaries that share the
// slots, the others their replicas. The same spec gives the same run.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "membership/membership.h"
#include "tools/simulate/time_wheel.h"

namespace syntropy {

struct NetworkModel {
  double loss = 0;  // of each message, independently; 0 .. 1
  uint32_t min_delay_ms = 1;
  uint32_t max_delay_ms = 50;  // evenly distributed
};

struct ClusterSpec {
  size_t nodes = 100;  // at least 2
  MembershipOptions options;
  NetworkModel network;
  uint64_t seed = 1;
};

/// What all nodes together have sent, frames included.
struct Traffic {
  uint64_t messages = 0;
  uint64_t bytes = 0;
};

class MembershipCluster {
 public:
  /// Called after each event at `node`; `ready` is what it wants done.
  using Observer = std::function<void(size_t node, const MembershipReady& ready)>;

  explicit MembershipCluster(const ClusterSpec& spec);

  size_t size() const { return nodes_.size(); }
  TimeMs now() const { return wheel_.now_ms(); }
  void set_observer(Observer observer) { observer_ = std::move(observer); }

  void run_until(TimeMs until);
  /// The node neither sends nor receives any more.
  void kill(size_t node);
  bool alive(size_t node) const { return nodes_[node].alive; }
  const NodeId& id(size_t node) const { return ids_[node]; }
  /// `id` is one of the cluster's.
  size_t index_of(const NodeId& id) const;
  const Membership& membership(size_t node) const { return *nodes_[node].membership; }
  /// Makes the node tell another host name, which is an ordinary change of an entry; returns the
  /// version of its record after it.
  EntryVersion change_entry(size_t node);
  const Traffic& traffic() const { return traffic_; }
  /// Whether all living nodes have the same hash.
  bool agreed() const;

 private:
  /// Most of what is under way are pings and acks: they are held by their numbers alone.
  struct Event {
    enum Kind : uint8_t { kTimer, kPing, kAck, kMessage };
    uint32_t to = 0;
    uint32_t from = 0;
    Kind kind = kTimer;
    bool no_lease = false;
    uint32_t seq = 0;
    uint32_t seen = 0;
    std::unique_ptr<Message> message;  // of kMessage
  };
  struct Node {
    std::unique_ptr<Random> random;
    std::unique_ptr<Membership> membership;
    TimeMs timer_at = UINT64_MAX;
    bool alive = true;
  };

  void note_place(size_t node);
  void handle(Event& event);
  void drain(size_t node);
  void send(size_t from, MembershipSend& send);
  std::unique_ptr<Message> hold(Message& message);

  ClusterSpec spec_;
  SeededRandom random_;
  TimeWheel<Event> wheel_;
  std::vector<Node> nodes_;
  std::vector<NodeId> ids_;
  std::vector<uint32_t> places_;  // index of a node + 1, open-addressed by its id; 0: free
  Observer observer_;
  Traffic traffic_;
  MembershipReady ready_;
  std::vector<std::unique_ptr<Message>> spare_;  // to be used again
  uint64_t changes_ = 0;
};

}  // namespace syntropy
