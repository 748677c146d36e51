// StoreWork: where the loop of a cluster node has done what it must not wait for: merging rows,
// reading rows, syncs. Threads in the server (store_threads.h), virtual time in tests/simulation.
//
// Jobs of one lane run one after the other, in the order in which they were given. The lanes run
// beside each other.
//
// Thread safety: any thread. After stop() no job begins.
#pragma once

#include <functional>

#include "storage/base/status.h"

namespace syntropy {

class StoreWork {
 public:
  virtual ~StoreWork() = default;

  /// What changes the store: roles, records of the log, copied rows.
  virtual void change(std::function<void()> job) = 0;
  /// What reads much of it.
  virtual void read(std::function<void()> job) = 0;
  /// Calls `done` once, from whatever thread, when all that was committed before is as durable as
  /// appendfsync demands of a client's write; not ok: it isn't, and won't be.
  virtual void when_durable(std::function<void(const Status&)> done) = 0;
};

}  // namespace syntropy
