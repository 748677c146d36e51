// A virtual network of gossip cores alone: time is a queue of events, and every message can be
// lost or delayed. The same seed gives the same run.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "membership/gossip.h"
#include "storage/base/random.h"

namespace syntropy {

struct GossipNetworkOptions {
  size_t nodes = 100;
  uint64_t seed = 1;
  uint32_t loss_percent = 0;
  TimeMs min_delay_ms = 1;
  TimeMs max_delay_ms = 50;
  /// All nodes know all from the start; if not, each knows itself alone.
  bool agreed = true;
  GossipOptions gossip;
};

class GossipNetwork {
 public:
  explicit GossipNetwork(const GossipNetworkOptions& options)
      : options_(options), random_(options.seed) {
    for (size_t i = 0; i < options.nodes; ++i) ids_.push_back(NodeId::random(random_));
    MemberList view;
    for (size_t i = 0; i < options.nodes; ++i) {
      index_[ids_[i]] = i;
      auto record = std::make_shared<MemberRecord>();
      record->id = ids_[i];
      record->max_version = 1;
      record->entries.push_back({EntryKey::kAddress, 1, address_of(i)});
      view.put(std::move(record));
    }
    for (size_t i = 0; i < options.nodes; ++i) {
      nodes_.push_back(std::make_unique<Gossip>(options.gossip, ids_[i], random_, 0));
      if (options.agreed) {
        nodes_[i]->start_with(view);
      } else {
        nodes_[i]->set_own(EntryKey::kAddress, *address_of(i), 0);
      }
    }
    on_change = [](size_t, const MemberChange&) {};
    can_reach = [](size_t, size_t) { return true; };
    scheduled_.assign(options.nodes, ~TimeMs{0});
    for (size_t i = 0; i < options.nodes; ++i) collect(i);
  }

  size_t size() const { return nodes_.size(); }
  Gossip& node(size_t i) { return *nodes_[i]; }
  const NodeId& id(size_t i) const { return ids_[i]; }
  size_t index(const NodeId& id) const { return index_.at(id); }
  TimeMs now() const { return now_; }

  /// A node's restart. `view` is what it has on disk.
  void replace(size_t i, const MemberList& view) {
    nodes_[i] = std::make_unique<Gossip>(options_.gossip, ids_[i], random_, now_);
    nodes_[i]->start_with(view);
    collect(i);
  }

  /// Call after anything was done to a node from outside.
  void collect(size_t i) {
    nodes_[i]->take_ready(ready_);
    for (const MemberChange& change : ready_.changes) on_change(i, change);
    for (GossipSend& send : ready_.sends) {
      const size_t to = index_.at(send.to);
      const size_t bytes = wire_size(send.message) + kFrame;
      sent_bytes += bytes;
      ++messages;
      largest = std::max(largest, bytes);
      if (random_.below(100) < options_.loss_percent || !can_reach(i, to)) continue;
      received_bytes += bytes;
      const TimeMs delay =
          options_.min_delay_ms + random_.below(options_.max_delay_ms - options_.min_delay_ms + 1);
      queue_.push({now_ + delay, ++sequence_, to, i,
                   std::make_shared<GossipMessage>(std::move(send.message))});
    }
    schedule(i);
  }

  /// Runs events up to `until`, or until `done()`. Returns whether it was done.
  bool run_until(
      TimeMs until, const std::function<bool()>& done = [] { return false; }) {
    while (!queue_.empty() && queue_.top().time <= until) {
      const Event event = queue_.top();
      queue_.pop();
      now_ = event.time;
      Gossip& node = *nodes_[event.node];
      if (event.message != nullptr) {
        node.step(ids_[event.from], *event.message, now_);
      } else {
        if (event.time != scheduled_[event.node]) continue;  // another deadline came in between
        scheduled_[event.node] = ~TimeMs{0};
        if (paused.count(event.node) != 0) {
          schedule(event.node);
          continue;
        }
        node.tick(now_);
      }
      collect(event.node);
      if (done()) return true;
    }
    now_ = until;
    return done();
  }

  bool all_equal() const {
    for (const auto& node : nodes_) {
      if (node->hash() != nodes_[0]->hash()) return false;
    }
    return true;
  }

  std::function<void(size_t node, const MemberChange&)> on_change;
  std::function<bool(size_t from, size_t to)> can_reach;
  std::map<size_t, bool> paused;
  uint64_t sent_bytes = 0;
  uint64_t received_bytes = 0;
  uint64_t messages = 0;
  size_t largest = 0;

  static constexpr size_t kFrame = 16;

 private:
  struct Event {
    TimeMs time;
    uint64_t sequence;
    size_t node;
    size_t from;
    std::shared_ptr<const GossipMessage> message;  // null: a tick
    bool operator<(const Event& other) const {     // the queue's top is the greatest
      return std::pair(time, sequence) > std::pair(other.time, other.sequence);
    }
  };

  static std::shared_ptr<const std::string> address_of(size_t i) {
    return std::make_shared<const std::string>("10.0." + std::to_string(i / 256) + "." +
                                               std::to_string(i % 256) + ":7379@17379");
  }

  void schedule(size_t i) {
    const TimeMs at = std::max(nodes_[i]->next_deadline(), now_ + (paused.count(i) != 0 ? 50 : 0));
    if (at >= scheduled_[i]) return;
    scheduled_[i] = at;
    queue_.push({at, ++sequence_, i, i, nullptr});
  }

  GossipNetworkOptions options_;
  SeededRandom random_;
  std::vector<NodeId> ids_;
  std::map<NodeId, size_t> index_;
  std::vector<std::unique_ptr<Gossip>> nodes_;
  std::vector<TimeMs> scheduled_;
  std::priority_queue<Event> queue_;
  GossipReady ready_;
  uint64_t sequence_ = 0;
  TimeMs now_ = 0;
};

}  // namespace syntropy
