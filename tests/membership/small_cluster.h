// SmallCluster: a handful of Memberships that begin as strangers, in virtual time, over a network
// that delays; for tests of what the cores do together. What a node stores is kept, so that it can
// be restarted with its disk, with an older one, or with none.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "membership/membership.h"
#include "tools/simulate/time_wheel.h"

namespace syntropy {

class SmallCluster {
 public:
  explicit SmallCluster(size_t nodes, uint64_t seed = 1);

  Membership& node(size_t i) { return *nodes_[i].membership; }
  NodeId id(size_t i) const { return nodes_[i].id; }
  TimeMs now() const { return wheel_.now_ms(); }
  void run_for(TimeMs ms);
  /// Runs until `done` holds after an event, at most `patience_ms`. Whether it does.
  bool run_until(const std::function<bool()>& done, TimeMs patience_ms = 20'000);
  /// Obeys what a command to node i made ready.
  void settle(size_t i);

  void meet(size_t from, size_t to);
  void meet_all();
  void kill(size_t i);
  /// With the state stored last, or with `state`; the copy of the data as before.
  void restart(size_t i);
  void restart_with(size_t i, const MembershipState& state);
  /// The old identity and nothing else.
  void restart_empty(size_t i);
  const MembershipState& stored(size_t i) const { return *nodes_[i].stored; }
  void set_replication(size_t i, uint64_t offset, bool complete = true);
  /// From now on no message passes between the two, in either direction.
  void cut(size_t a, size_t b);
  void heal() { cuts_.clear(); }

  bool agreed();
  /// Every living node sees `owner` as the owner of `slot`.
  bool all_see_owner(uint16_t slot, size_t owner);
  const std::vector<NodeId>& failed_seen_by(size_t i) const { return nodes_[i].failed; }

 private:
  struct Event {
    size_t to = 0;
    size_t from = 0;
    bool timer = false;
    uint64_t life = 0;
    Message message;
  };
  struct Node {
    NodeId id;
    uint64_t store = 0;
    OwnReplication replication;
    std::unique_ptr<Membership> membership;
    std::optional<MembershipState> stored;
    std::vector<NodeId> failed;
    TimeMs timer_at = UINT64_MAX;
    uint64_t life = 0;
    bool alive = true;
  };

  void begin(size_t i, const MembershipState& state);
  void handle(const Event& event);
  void send(size_t from, size_t to, Message message);
  std::optional<size_t> index_of(const NodeId& id) const;

  SeededRandom random_;
  TimeWheel<Event> wheel_;
  std::vector<Node> nodes_;
  std::set<std::pair<size_t, size_t>> cuts_;
  MembershipReady ready_;
};

}  // namespace syntropy
