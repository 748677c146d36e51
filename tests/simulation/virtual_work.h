// VirtualWork: the StoreWork of a simulated node: each job takes some virtual time. Also its
// appendfsync: who syncs, and when.
//
// Thread safety: none.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <vector>

#include "server/cluster/store_work.h"
#include "storage/base/random.h"
#include "storage/durability.h"
#include "storage/engine.h"
#include "tests/simulation/process.h"

namespace syntropy::testing {

class VirtualWork final : public StoreWork {
 public:
  /// `lie`: syncs say that they are done, and do nothing.
  VirtualWork(Process& process, Engine& engine, SyncPolicy policy, bool lie, Random& random);

  void change(std::function<void()> job) override { add(lanes_[0], std::move(job)); }
  void read(std::function<void()> job) override { add(lanes_[1], std::move(job)); }
  void when_durable(std::function<void(const Status&)> done) override;

 private:
  struct Lane {
    std::deque<std::function<void()>> jobs;
    bool busy = false;
  };

  void add(Lane& lane, std::function<void()> job);
  void next(Lane& lane);
  void sync();
  void sync_every_second();

  Process& process_;
  Engine& engine_;
  const SyncPolicy policy_;
  const bool lie_;
  Random& random_;
  std::array<Lane, 2> lanes_;
  std::vector<std::function<void(const Status&)>> waiting_;
  bool syncing_ = false;
};

}  // namespace syntropy::testing
