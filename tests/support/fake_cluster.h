// FakeCluster: a Cluster without loop, bus and time, around a real Membership that knows the
// members it is given. Jobs of the loop run at once, where they are posted; settle() publishes the
// routing and drops what would be sent.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "server/cluster/cluster.h"
#include "storage/base/random.h"

namespace syntropy::testing {

/// A node id of 40 times the digit.
NodeId node_id(char digit);

struct FakeMember {
  NodeId id = {};
  NodeId primary = {};  // no node: it is one
  SlotRanges slots = {};
  uint64_t epoch = 0;
  uint64_t offset = 0;
  bool complete = true;
  uint16_t port = 0;  // on 127.0.0.1
  NodeId shard = {};  // no node: its primary's id, or its own
};

class FakeCluster final : public Cluster {
 public:
  /// The first is this node.
  explicit FakeCluster(const std::vector<FakeMember>& members);
  ~FakeCluster() override;

  /// To be changed and published by a test.
  Routing current_routing() const;

  // What is answered, and what was asked.
  ReplicationStatus status;
  std::vector<LinkInfo> link_list;
  TransportStats traffic_stats;
  uint64_t good = 0;
  Status store_result;
  int stores = 0;
  std::vector<bool> resets;  // hard
  std::vector<WriteAcks> awaited;
  struct Wait {
    uint64_t replicas;
    uint64_t timeout_ms;
    std::function<void(uint64_t)> done;
  };
  std::vector<Wait> waits;
  std::function<void(Wait)> on_wait;  // if set, called instead, on the thread that asks
  std::vector<std::function<void(const Status&)>> awaits;
  std::vector<std::string> published;  // "[shard ]channel message"
  bool publishes = true;
  MembershipReady last_ready;  // of the last settle()

  // Cluster
  void post(std::function<void()> job) override { job(); }
  void await(WriteAcks acks, uint64_t timeout_ms, std::function<void(const Status&)> done) override;
  void wait(uint64_t replicas, uint64_t timeout_ms, std::function<void(uint64_t)> done) override;
  uint64_t good_replicas(uint64_t) const override { return good; }
  ReplicationStatus replication() const override { return status; }
  bool publish(std::string channel, std::string message, bool to_shard) override;
  std::vector<LinkInfo> links() const override { return link_list; }
  TransportStats traffic() const override { return traffic_stats; }
  SlotMoves& mover() override { throw std::logic_error("no slots move here"); }
  Membership& membership() override { return *membership_; }
  void settle() override;
  TimeMs now() const override { return 1000; }
  Status reset(bool hard) override;
  Status store() override;

 private:
  SeededRandom random_{1};
  std::unique_ptr<Membership> membership_;
};

}  // namespace syntropy::testing
