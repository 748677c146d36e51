// Simulation: a cluster of whole nodes in virtual time, from its first CLUSTER MEET to rest after
// trouble. Everything is drawn from one seed: the same seed gives the same run.
//
//   1. set up: nodes meet, primaries get slots, the others become replicas
//   2. trouble: clients write, delete and increment, while the network, the disks, the clocks and
//      the processes fail (trouble.cc), each run with its own choice of kinds
//   3. rest: all is repaired; the cluster must become one again within a bounded time
//   4. check: nothing acknowledged is lost, nothing deleted is back, all replicas are equal
//
// During all of it the observer looks at every node (observer.h).
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "rpc/memory_network.h"
#include "storage/base/random.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/observer.h"
#include "tests/simulation/sim_node.h"

namespace syntropy::testing {

/// What a test breaks on purpose, beside the faults that the node itself has.
enum class WorldFault : uint8_t {
  kNone,
  kSyncsLie,      // a sync says that it is done, and forgets everything at the loss of power
  kPurge,         // tombstones go at once, whoever may still have what they delete
  kGiveUnproved,  // slots are given away without the rows in them
  kNoLinger,      // whose slot it was is forgotten before whose it is now is heard
  kTreesForget,   // trees keep what a row was before it was replaced
};

struct SimulationOptions {
  uint64_t seed = 1;
  TimeMs trouble_ms = 15'000;
  bool trace = false;  // prints what happens
  std::string trace_key = {};  // and what the nodes have of this key
  /// Violations that don't contain it are passed over: a mutant breaks more than one invariant.
  std::string only{};
  ClusterFault cluster_fault = ClusterFault::kNone;
  ReplicationDriver::Fault driver_fault = ReplicationDriver::Fault::kNone;
  ReplicationFault replication_fault = ReplicationFault::kNone;
  SlotMover::Fault mover_fault = SlotMover::Fault::kNone;
  WorldFault world_fault = WorldFault::kNone;
};

struct SimulationFigures {
  uint64_t writes = 0;
  uint64_t acknowledged = 0;
  uint64_t guaranteed = 0;  // by several nodes
  uint64_t refused = 0;     // nobody served the slot
  uint64_t lost_with_disks = 0;
  uint64_t purged = 0;    // deletions of which nothing is left
  uint64_t compared = 0;  // looks at a replica that had just been found equal to its primary
  uint64_t promotions = 0;
  uint64_t moves = 0;       // of slots, that were begun
  uint64_t moved = 0;       // and came to their end
  uint64_t events = 0;      // of trouble
  TimeMs rest_ms = 0;       // from the end of trouble until the cluster was one
  uint64_t trace_hash = 0;  // of everything sent
};

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options);
  ~Simulation();

  /// Runs to the end; the first violation in words, or nothing.
  std::string run();
  const SimulationFigures& figures() const { return figures_; }

 private:
  using Trouble = void (Simulation::*)();
  struct OlderDisk {
    std::unique_ptr<MemoryEngine> disk;  // null: there is none
    LogPosition position;                // where the log stood
  };

  // The world.
  void fail(std::string what);
  void trace(const std::string& what) const;
  std::string describe(SimNode& node, bool all);
  std::string describe_row(SimNode& node) const;
  void trace_change(SimNode& node);  // if it is another than it was
  void trace_nodes();
  bool over() const { return !violation_.empty(); }
  void run_for(TimeMs ms);
  bool run_until(const std::function<bool()>& done, TimeMs most);
  void in(TimeMs ms, std::function<void()> job) {
    network_.at(network_.now() + ms, std::move(job));
  }
  SimNode& any_node() { return *nodes_[random_.below(nodes_.size())]; }
  std::vector<Engine*> other_stores(const SimNode& but);
  bool claimed_out_of_reach(uint16_t slot) const;
  bool is_forgotten(const SimNode& node) const;
  bool has_strays(SimNode& node);
  SimNode* find(const NodeId& id);
  void look();
  void look_at_comparisons(SimNode& node);
  void note_purges(SimNode& node);
  std::vector<Ledger::Number> held_by(SimNode& node);
  void note_moves(SimNode& node);

  // The four parts.
  void set_up();
  void begin_trouble();
  void rest();
  static std::string compare_trees(SimNode& node, SimNode& primary);
  void check();

  bool all_know_each_other();
  std::string unrest();  // why not; empty: at rest

  // Clients (clients.cc).
  void client();
  static const std::set<uint16_t>& slots_of_clients();
  SimNode* choose_server(uint16_t slot);
  void execute(SimNode& node, uint64_t generation, const std::string& key);
  void acknowledge(Ledger::Number number);
  size_t copies_needed(SimNode& node, WriteAcks acks);
  void await_copies(SimNode& node, Ledger::Number number, WriteAcks acks);

  // Trouble (trouble.cc).
  void choose_troubles();
  void trouble();
  void end_trouble();
  void kill();
  void lose_power();
  void lose_all_power();
  void lose_power_of_shard(SimNode& primary);
  void lose_power_of(const std::vector<SimNode*>& nodes, TimeMs most_ms);
  uint64_t claim_known_of(const NodeId& node);
  void disk_changed(const SimNode& node);
  void old_disk();
  void empty_disk();
  void lost_file();
  void stop_process();
  void partition();
  void isolate();
  void one_way();
  void bridge();
  void heal_network();
  void slow_links();
  void message_trouble();
  void set_clocks();
  void fail_over();
  void move_slots();
  bool choose_primaries(SimNode** source, SimNode** target);
  void set_slot();
  void tell_owner(uint16_t slot, SimNode& owner, std::vector<SimNode*> to);
  void assign_unowned();
  void lose_receiver(SimNode& source, const NodeId& shard, TimeMs until);
  void forget_and_meet();
  bool forget(SimNode& node, SimNode& other);
  void meet_forgotten();
  void employ_forgotten();
  void start_again(SimNode& node);
  void cut(const SimNode& from, const SimNode& to);
  void cut_both(const SimNode& a, const SimNode& b);
  void power_off(SimNode& node);
  void keep_copy();

  const SimulationOptions options_;
  SeededRandom random_;
  MemoryNetwork network_;
  SimSettings settings_;
  SimNode::Watch watch_;
  Observer observer_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  std::set<size_t> changed_disks_;  // of these nodes, by others
  std::set<size_t> slow_;           // whose links are, or were, slow
  size_t primaries_ = 3;
  Ledger ledger_;
  std::set<std::string> moved_;    // moves that came to their end
  std::vector<Trouble> troubles_;  // of this run
  bool troubled_ = false;
  std::set<uint16_t> set_slots_;  // by operators, one by one
  bool forced_ = false;           // a failover without the consent of the others was asked for
  bool took_over_ = false;        // and one without asking anybody
  std::set<size_t> forgotten_;    // nodes that were, at some time
  std::vector<TimeMs> lost_at_;   // by node: when its disk lost something
  std::map<size_t, std::string> traced_;
  std::set<size_t> dark_;  // nodes without power: cut off until they start
  std::vector<OlderDisk> copies_;  // by node
  std::string violation_;
  SimulationFigures figures_;
};

}  // namespace syntropy::testing
