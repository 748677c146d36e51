// One failure detector among scripted peers.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "membership/failure_detector.h"
#include "membership/member_list.h"
#include "tests/membership/detector_roster.h"

namespace syntropy {

/// One detector, of the first member, among scripted peers that answer pings and send their own
/// every 200 ms while they are `alive`.
struct DetectorWorld {
  explicit DetectorWorld(size_t size, size_t voters, TimeMs node_timeout = 1'000)
      : roster(size, voters), detector(config(node_timeout), roster.id(0), roster, random) {
    for (size_t i = 1; i < size; ++i) peers.emplace(roster.id(i), Peer{});
    detector.start(now);
  }

  struct Peer {
    bool alive = true;
    bool initiates = true;
    bool no_lease = false;
    std::optional<Heartbeat> beat;
  };

  static DetectorConfig config(TimeMs node_timeout) {
    DetectorConfig c;
    c.node_timeout = node_timeout;
    return c;
  }

  Peer& peer(size_t index) { return peers.at(roster.id(index)); }
  Heartbeat& beat(const NodeId& id) {
    Peer& p = peers.at(id);
    if (!p.beat) p.beat.emplace(1'000, now);
    return *p.beat;
  }

  void run_for(TimeMs time) {
    for (const TimeMs end = now + time; now < end;) {
      ++now;
      if (now >= detector.next_deadline()) detector.tick(now);
      take();
      if (now % 200 == 0) {
        for (auto& [id, p] : peers) {
          if (!p.alive || !p.initiates || !p.beat) continue;
          const auto numbers = p.beat->next(now);
          detector.step(id, Ping{numbers.seq, numbers.seen, p.no_lease}, now);
        }
        take();
      }
    }
  }

  /// Deals with what the detector wants until it wants nothing more.
  void take() {
    while (detector.has_ready()) {
      FailureDetector::Ready ready;
      detector.take_ready(ready);
      if (ready.suspects) suspects = *ready.suspects;
      for (const Suspect& f : ready.failed) failed.push_back(f.subject);
      if (ready.raise_incarnation) {
        ++raises;
        roster.members[0].incarnation = *ready.raise_incarnation;
        detector.incarnation_changed(roster.id(0), now);
      }
      for (const auto& out : ready.send) {
        sent.push_back(out);
        answer(out);
      }
    }
  }

  void answer(const DetectorOutgoing& out) {
    const auto at = peers.find(out.to);
    if (at == peers.end() || !at->second.alive) return;
    const Peer& peer = at->second;
    if (const auto* ping = std::get_if<Ping>(&out.message)) {
      beat(out.to).receive(ping->seq, ping->seen, ping->no_lease, now);
      const auto numbers = beat(out.to).next(now);
      detector.step(out.to, Ack{numbers.seq, numbers.seen, peer.no_lease}, now);
    } else if (const auto* ack = std::get_if<Ack>(&out.message)) {
      beat(out.to).receive(ack->seq, ack->seen, ack->no_lease, now);
    }
  }

  template <typename M>
  size_t count(const NodeId& to) const {
    return static_cast<size_t>(std::count_if(sent.begin(), sent.end(), [&](const auto& out) {
      return out.to == to && std::holds_alternative<M>(out.message);
    }));
  }
  template <typename M>
  size_t count() const {
    return static_cast<size_t>(std::count_if(sent.begin(), sent.end(), [](const auto& out) {
      return std::holds_alternative<M>(out.message);
    }));
  }
  bool suspected(size_t index) const {
    return std::any_of(suspects.begin(), suspects.end(), [&](const Suspect& s) {
      return s.subject == roster.id(index) && (s.incarnation & kDoubtful) == 0;
    });
  }
  void fail(size_t index, uint64_t incarnation = 0) {
    Ballot decided;
    decided.subject = roster.id(index);
    decided.incarnation = incarnation;
    decided.decided = true;
    detector.step(roster.id(index == 1 ? 2 : 1), BallotNews{{decided}}, now);
    take();
  }
  bool watches(const NodeId& id) {
    const auto all = ObserverRing(config(0).ring_seed, 8).observers(roster, {}, roster.id(0));
    return std::find(all.begin(), all.end(), id) != all.end();
  }

  TestRoster roster;
  SeededRandom random{7};
  TimeMs now = 100'000;
  FailureDetector detector;
  std::map<NodeId, Peer> peers;
  std::vector<Suspect> suspects;
  std::vector<NodeId> failed;
  std::vector<DetectorOutgoing> sent;
  size_t raises = 0;
};

}  // namespace syntropy
