// Two or three gossip cores, and every message looked at: what the tests of single exchanges, of
// rounds and of hostile messages share.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "membership/gossip.h"
#include "tests/membership/gossip_support.h"

namespace syntropy {

/// A few cores whose messages arrive at once, in order, unless a test takes them out.
class GossipTest : public ::testing::Test {
 protected:
  struct Letter {
    NodeId from, to;
    GossipMessage message;
  };

  Gossip& add(uint64_t seed, const GossipOptions& options = {}) {
    nodes.push_back(std::make_unique<Gossip>(options, id_of(seed), random, now));
    return *nodes.back();
  }
  /// Cores with these ids that know each other, at version 1 each.
  void add_agreed(size_t count, const GossipOptions& options = {}) {
    MemberList view;
    for (size_t i = 0; i < count; ++i) {
      view.put(record_of(id_of(i), {entry_of(EntryKey::kAddress, 1, "somewhere")}));
    }
    for (size_t i = 0; i < count; ++i) add(i, options).start_with(view);
  }
  Gossip& at(const NodeId& id) {
    for (auto& node : nodes) {
      if (node->self() == id) return *node;
    }
    ADD_FAILURE() << "no such node";
    return *nodes[0];
  }

  void collect(Gossip& node) {
    GossipReady ready;
    node.take_ready(ready);
    for (GossipSend& send : ready.sends) {
      letters.push_back({node.self(), send.to, std::move(send.message)});
    }
    for (MemberChange& change : ready.changes) changes.push_back({node.self(), std::move(change)});
    for (const NodeId& peer : ready.extra_differs) extra_differs.push_back({node.self(), peer});
    if (ready.restamped) restamped.push_back(node.self());
    for (Entry& entry : ready.echoed) echoed.push_back(std::move(entry));
  }
  void collect_all() {
    for (auto& node : nodes) collect(*node);
  }
  /// Delivers the oldest letter.
  Letter deliver() {
    Letter letter = letters.front();
    letters.pop_front();
    Gossip& to = at(letter.to);
    to.step(letter.from, letter.message, now);
    collect(to);
    return letter;
  }
  /// Delivers until nothing is under way; returns the kinds of messages (index in GossipMessage).
  std::vector<size_t> deliver_all() {
    std::vector<size_t> kinds;
    while (!letters.empty()) {
      kinds.push_back(deliver().message.index());
      EXPECT_LT(kinds.size(), 10'000u);
      if (kinds.size() >= 10'000u) break;
    }
    return kinds;
  }
  /// One exchange from `a` to `b`, all of its messages.
  std::vector<size_t> exchange(Gossip& a, const Gossip& b) {
    a.exchange_with(b.self(), now);
    EXPECT_LE(a.next_deadline(), now);
    a.tick(now);
    collect(a);
    return deliver_all();
  }
  /// Lets time pass without rounds of nodes, so that changes are no longer recent.
  void age() { now += 100'000; }

  static constexpr size_t kSyn = 0, kAck = 1, kPush = 2, kAgree = 3;
  SeededRandom random{5};
  TimeMs now = 1000;
  std::vector<std::unique_ptr<Gossip>> nodes;
  std::deque<Letter> letters;
  std::vector<std::pair<NodeId, MemberChange>> changes;
  std::vector<std::pair<NodeId, NodeId>> extra_differs;
  std::vector<NodeId> restamped;
  std::vector<Entry> echoed;
};

inline GossipOptions no_rounds(GossipMode mode = GossipMode::kPushPull) {
  GossipOptions options;
  options.mode = mode;
  options.fan_out = 0;
  options.rumour_fan_out = 0;
  return options;
}

inline GossipOptions no_eager() {
  GossipOptions options = no_rounds();
  options.max_eager_bytes = 0;
  return options;
}

}  // namespace syntropy
