// IoPool: the I/O threads of a node, how many of them are in use (io_balance.h), and which
// connection lives where.
//
// A thread that has more connections than its share hands them on, each when it has nothing to do
// (IoThread::surplus). One that is out of use has a share of none.
//
// Thread safety: start, rebalance and stop from one thread; the others from any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "server/io_balance.h"
#include "server/io_thread.h"

namespace syntropy {

class IoPool {
 public:
  /// `fixed`: all `count` threads are always in use.
  IoPool(size_t count, bool fixed, ServerContext& server, Durability& durability, Workers& workers,
         std::atomic<uint64_t>& stall_until_us);

  size_t size() const { return threads_.size(); }
  size_t active() const { return active_.load(std::memory_order_relaxed); }

  void start();
  /// Looks at the load since the last call, and moves connections where needed. Twice a second.
  void rebalance();
  /// Ends all threads; see IoThread::begin_stop.
  void stop(std::chrono::steady_clock::time_point deadline);

  /// The home of a new connection: the threads in use in turn.
  IoThread& next();

 private:
  struct Sample {
    std::chrono::steady_clock::time_point at;
    double io_threads;  // seconds of processor time so far
    double idle;
  };

  std::optional<Sample> sample() const;
  void share_connections();

  const bool fixed_;
  IoBalance balance_;
  std::vector<std::unique_ptr<IoThread>> threads_;
  std::atomic<size_t> active_;
  std::atomic<size_t> turn_{0};
  std::optional<Sample> last_;
};

}  // namespace syntropy
