// SimNode: a whole node in virtual time: the ClusterNode, replication and storage code of the
// server, on an engine in memory. It can lose its process or its power, stand still, and come back
// with its disk, with an older copy of it, with what was salvaged of it, or with an empty one.
//
// Thread safety: none.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "server/cluster/cluster_node.h"
#include "server/trees/row_trees.h"
#include "storage/base/random.h"
#include "storage/keyspace.h"
#include "storage/memory_engine.h"
#include "storage/tick.h"
#include "tests/simulation/faulty_transport.h"
#include "tests/simulation/process.h"
#include "tests/simulation/virtual_work.h"

namespace syntropy::testing {

/// The same for all nodes of a run.
struct SimSettings {
  TimeMs node_timeout = 1000;
  SyncPolicy sync = SyncPolicy::kEverySecond;
  uint64_t backlog_bytes = 16 * 1024;
  ClusterFault cluster_fault = ClusterFault::kNone;
  ReplicationDriver::Fault driver_fault = ReplicationDriver::Fault::kNone;
  ReplicationFault replication_fault = ReplicationFault::kNone;
  SlotMover::Fault mover_fault = SlotMover::Fault::kNone;
  bool syncs_lie = false;      // nothing is ever durable but by the store of the cluster's state
  bool purge = false;          // compactions drop what is dead
  bool give_unproved = false;  // slots, without the rows in them
  bool no_linger = false;      // slots that were given up have no owner at once
  bool trees_forget = false;   // what a row was before it was replaced
  MessageTrouble messages;
};

class SimNode {
 public:
  static constexpr uint16_t kPort = 7000;
  static constexpr uint16_t kBusPort = 17000;

  struct Watch {
    std::function<void(SimNode&, const NodeId& to, uint8_t type, std::string_view payload)> sent;
    std::function<void(std::string)> violation;
  };

  /// All outlive the node.
  SimNode(size_t index, MemoryNetwork& network, const SimSettings& settings, uint64_t seed,
          const Watch& watch);
  ~SimNode();

  size_t index() const { return index_; }
  const std::string& host() const { return host_; }
  std::string name() const { return "node " + std::to_string(index_); }

  bool up() const { return process_ != nullptr; }
  TimeMs began() const { return began_; }  // its present life
  bool running() const { return up() && !process_->stopped(); }
  void start();
  /// The end of the process: what was written stays.
  void kill();
  /// The loss of power: what was not synced is gone. The network must be cut off by the caller.
  void lose_power();
  void stop() { process_->stop(); }
  void resume() { process_->resume(); }

  /// The disk as it is now.
  std::unique_ptr<MemoryEngine> copy_disk() const;
  /// While down: with that disk from now on.
  void replace_disk(std::unique_ptr<MemoryEngine> disk) { engine_ = std::move(disk); }
  /// While down: nothing is left but who the node is.
  void empty_disk();
  /// While down: a file is lost that held the rows of these slots, and the store is salvaged. What
  /// `older` (null: nothing) has of them comes back, and of the node's own records if `own_too`.
  void lose_rows(uint16_t first_slot, uint16_t last_slot, MemoryEngine* older, bool own_too);

  /// Whether clients that write are served now; if so, by the authority of generation().
  bool serves(uint16_t slot) const;
  bool may_serve() const { return cluster_->gate().may_serve(clock_.monotonic_us() / 1000); }
  uint64_t generation() const { return cluster_->gate().routing()->generation; }
  /// Executes `write` in a tick of its own, by the authority of that generation.
  Status write(uint64_t generation, const std::function<void(Tick&)>& write);

  MemoryEngine& engine() { return *engine_; }
  Keyspace& keyspace() { return *keyspace_; }
  RowTrees& trees() { return *trees_; }
  ReplicationLog& log() { return *keyspace_->replication_log(); }
  ClusterNode& cluster() { return *cluster_; }
  const ClusterNode& cluster() const { return *cluster_; }
  Membership& membership() { return cluster_->membership(); }
  VirtualWork& work() { return *work_; }
  SimClock& clock() { return clock_; }
  const NodeId& id() const { return id_; }
  WriterId writer() const { return keyspace_->stats().writer_id; }
  bool clients_wait() const;
  /// Not cut off, as far as it knows.
  bool with_majority() const;

 private:
  ClusterNodeOptions cluster_options();
  void end();

  const size_t index_;
  const std::string host_;
  MemoryNetwork& network_;
  const SimSettings& settings_;
  SeededRandom random_;
  const Watch& watch_;
  SimClock clock_;
  PurgePolicy purge_;
  std::unique_ptr<MemoryEngine> engine_;
  NodeId id_;
  TimeMs began_ = 0;
  TimeMs clients_wait_until_ = 0;

  // One life.
  std::unique_ptr<Process> process_;
  std::unique_ptr<Keyspace> keyspace_;
  std::unique_ptr<RowTrees> trees_;
  std::unique_ptr<FaultyTransport> transport_;
  std::unique_ptr<VirtualWork> work_;
  std::unique_ptr<ClusterNode> cluster_;
};

}  // namespace syntropy::testing
