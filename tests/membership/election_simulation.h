// ElectionSimulation: a cluster of elections in virtual time, with a network that delays, loses,
// doubles and reorders, one-way and two-way cuts, disks that take their time, and nodes that crash
// and restart from what was stored. The same seed gives the same run.
//
// Gossip and failure detection are stand-ins: records are pushed to random peers over the same
// network, a new claim once to all; and a node is FAIL in a view once it hasn't been reachable for
// the node timeout from a node that reaches a majority of the slot owners. Some FAILs are false.
//
// Checked on the way: one vote per voter and epoch; one winner per epoch; stored epochs never fall;
// a manual failover wins at the offset at which its primary stands still. check_settled() checks
// the rest once faults are over.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "membership/election.h"
#include "storage/base/random.h"

namespace syntropy::testing {

/// What the nodes do wrong, on purpose.
enum class Mutant {
  kNone,
  kForgetsVotes,      // stores everything but the last vote
  kSendsBeforeStore,  // doesn't wait for its disk
  kVotesTwice,        // votes for whoever asks
  kCountsTwice,       // a vote counts for two
  kIgnoresRank,       // asks without regard to its siblings
  kKeepsLostSlots,    // goes on telling its old claim
  kWritesOn,          // a primary doesn't stop writing for a manual failover
};

struct SimulationOptions {
  uint32_t primaries = 5;
  uint32_t replicas = 2;  // of each
  uint32_t loss_permille = 0;
  uint32_t duplicate_permille = 0;
  TimeMs min_delay = 1;
  TimeMs max_delay = 3;
  TimeMs max_store = 3;
  bool faults = false;  // crashes, cuts, false FAILs, manual failovers, till `faults_until`
  TimeMs faults_until = 0;
  Mutant mutant = Mutant::kNone;
};

struct SimulatedWin {
  TimeMs at = 0;
  size_t node = 0;
  uint64_t epoch = 0;
  size_t over = 0;
  uint64_t offset = 0;
};

class ElectionSimulation {
 public:
  static constexpr uint32_t kNodeTimeout = 500;

  ElectionSimulation(uint64_t seed, const SimulationOptions& options);
  ~ElectionSimulation();

  /// Nodes 0 to primaries - 1 are the primaries at first; node primaries + i * replicas + r is a
  /// replica of i.
  size_t size() const { return nodes_.size(); }
  size_t replica(size_t primary, size_t which) const;
  void run_until(TimeMs time);
  TimeMs now() const { return now_; }

  void crash(size_t node);
  void restart(size_t node);
  void cut(size_t from, size_t to, bool cut);
  void heal();
  void set_offset(size_t node, uint64_t offset);
  Status fail_over(size_t node, FailoverMode mode);

  /// The first broken rule; empty for none.
  const std::string& violation() const { return violation_; }
  const std::vector<SimulatedWin>& wins() const { return wins_; }
  /// When a node first held it for FAIL; UINT64_MAX: never.
  TimeMs failed_at(size_t node) const;
  /// Everybody agrees, every slot has an owner that is up, everybody else is a replica of an owner.
  /// Empty when so.
  std::string check_settled() const;

 private:
  struct Record;
  using RecordPtr = std::shared_ptr<const Record>;
  struct SimNode;
  struct Event {
    TimeMs at;
    uint64_t order;
    std::function<void()> run;
    bool operator<(const Event& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };

  void at(TimeMs time, std::function<void()> run);
  void violate(const std::string& what);
  bool reaches(size_t from, size_t to) const;
  void start(SimNode& node);
  void pump(SimNode& node);
  void obey(SimNode& node, OwnershipReady ownership, ElectionReady election);
  void on_event(SimNode& node, const ElectionEvent& event);
  void check_manual_win(const SimNode& winner, const SimNode& old);
  void store(SimNode& node, TimeMs done_at);
  void transmit(SimNode& from, const NodeId& to, const ElectionMessage& message);
  void deliver(size_t from, size_t to, const ElectionMessage& message);
  void write_record(SimNode& node, const SlotsFact& claim, const NodeId& primary);
  void push(SimNode& from, size_t to, std::vector<RecordPtr> news);
  void gossip(SimNode& node);
  bool receive_record(SimNode& node, const RecordPtr& record);
  void become_replica(SimNode& node, const NodeId& primary);
  void world_tick();
  void watch(SimNode& node);
  void replicate(SimNode& node);
  void fault();
  size_t index_of(const NodeId& id) const;

  SimulationOptions options_;
  SeededRandom random_;
  TimeMs now_ = 0;
  uint64_t events_ = 0;
  uint64_t versions_ = 0;
  std::priority_queue<Event> queue_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  std::vector<std::vector<bool>> cut_;  // [from][to]
  std::map<std::pair<NodeId, uint64_t>, NodeId> votes_;
  std::map<uint64_t, NodeId> winners_;
  std::vector<SimulatedWin> wins_;
  std::string violation_;
};

}  // namespace syntropy::testing
