// Many failure detectors in virtual time, on a network that delays, loses and cuts.
//
// Each node's published entries (incarnation, suspects) travel by a stand-in for gossip: urgent
// rumours and regular exchanges with random others, over the same network. It is checked at every
// FAIL decision on a running node that the node knew it mustn't serve (`unsafe` counts the others;
// views that catch up on what waited through their own pause are late, and don't count).
//
// Thread safety: none. The same options give the same run.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "membership/failure_detector.h"
#include "storage/base/random.h"

namespace syntropy {

struct SimOptions {
  size_t nodes = 6;
  size_t primaries = 3;  // the first so many
  TimeMs node_timeout = 1000;
  double loss = 0;
  TimeMs min_delay = 1;
  TimeMs max_delay = 50;
  uint64_t seed = 1;
  TimeMs tick_late_by = 0;  // ticks come up to so much after their deadline
  TimeMs gossip_interval = 200;
};

class DetectorSimulation {
 public:
  struct Decision {
    TimeMs at;
    size_t view;
    size_t subject;
  };

  explicit DetectorSimulation(const SimOptions& options);
  ~DetectorSimulation();

  TimeMs now() const { return now_; }
  size_t size() const { return nodes_.size(); }
  void run_until(TimeMs time);
  void run_for(TimeMs time) { run_until(now_ + time); }

  /// The process is gone; others get `refused` told at once if `host_answers`.
  void kill(size_t node, bool host_answers = false);
  /// A new process with what the disk has: its own incarnation, or one lower for an old disk.
  void restart(size_t node, bool old_disk = false);
  /// SIGSTOP: messages wait, nothing runs.
  void pause(size_t node, TimeMs time);
  /// True: messages from the first to the second are lost.
  void set_cut(std::function<bool(size_t from, size_t to)> cut) { cut_ = std::move(cut); }
  void heal() { cut_ = nullptr; }
  void set_loss(double loss) { options_.loss = loss; }
  /// The node's view has (or hasn't) this member.
  void set_known(size_t view, size_t member, bool known);
  void set_votes(size_t member, bool votes);

  bool up(size_t node) const;
  FailureDetector& detector(size_t node);
  const NodeId& id(size_t node) const { return ids_[node]; }
  Liveness liveness(size_t view, size_t node) { return detector(view).liveness(ids_[node]); }
  bool may_serve(size_t node) { return up(node) && detector(node).may_serve(now_); }
  uint64_t incarnation(size_t node) const { return published_[node].incarnation; }
  const std::vector<Suspect>& suspects(size_t node) const { return published_[node].suspects; }
  /// Every running view says this of `node`, itself apart.
  bool all_say(size_t node, Liveness liveness);

  const std::vector<Decision>& failures() const { return failures_; }
  const std::vector<Decision>& refutations() const { return refutations_; }
  void forget_history();
  /// FAIL decisions on a running node that still thought that it may serve.
  size_t unsafe() const { return unsafe_; }
  uint64_t messages() const { return messages_; }
  uint64_t detector_bytes() const { return bytes_; }
  uint64_t ballot_bytes() const { return ballot_bytes_; }
  /// Of all that happened; equal for equal runs.
  uint64_t trace() const { return trace_; }

 private:
  /// What a node has published, as of a version.
  struct Published {
    uint64_t version = 0;
    uint64_t incarnation = 0;
    std::vector<Suspect> suspects;
  };
  struct Rumour {
    std::vector<std::pair<size_t, std::shared_ptr<const Published>>> entries;
    uint64_t failed_hash = 0;
    bool regular = false;  // answered with what the receiver knows
  };
  struct Deliver {
    size_t from;
    size_t to;
    uint64_t life;  // of the receiver's host: connections end with the process
    std::variant<DetectorMessage, std::shared_ptr<const Rumour>> message;
  };
  enum class Timer : uint8_t { kTick, kGossip, kUrgent };
  struct Alarm {
    Timer timer;
    size_t node;
    uint64_t life;
  };
  using Event = std::variant<Deliver, Alarm>;

  class View;
  struct Node;

  void schedule(TimeMs at, Event event);
  void handle(const Deliver& deliver);
  void handle(const Alarm& alarm);
  void deliver(const Deliver& deliver);
  void catch_up(Node& node);
  void after_step(size_t node);
  void take_ready(size_t node);
  void transmit(size_t from, size_t to,
                std::variant<DetectorMessage, std::shared_ptr<const Rumour>> message);
  void publish(size_t node);
  void hear_rumour(size_t node, size_t from, const Rumour& rumour);
  void apply(size_t node, size_t owner, const std::shared_ptr<const Published>& entry);
  std::shared_ptr<const Rumour> all_known(size_t node, bool regular);
  void start(size_t node);
  void note(uint64_t what);
  size_t index_of(const NodeId& id) const;

  SimOptions options_;
  SeededRandom random_;
  TimeMs now_ = 1'000'000;
  TimeMs drained_ = 0;
  std::vector<std::vector<Event>> wheel_;  // by milliseconds, one turn ahead
  std::multimap<TimeMs, Event> later_;     // beyond the turn
  std::vector<NodeId> ids_;                // ascending
  std::unordered_map<NodeId, size_t> index_;
  std::vector<bool> votes_;
  std::vector<Published> published_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::function<bool(size_t, size_t)> cut_;
  FailureDetector::Ready ready_;
  std::vector<Decision> failures_;
  std::vector<Decision> refutations_;
  size_t unsafe_ = 0;
  bool catching_up_ = false;
  uint64_t messages_ = 0;
  uint64_t bytes_ = 0;
  uint64_t ballot_bytes_ = 0;
  uint64_t trace_ = 0;
};

}  // namespace syntropy
