// Workers: the threads for what would stall an I/O thread: reading rows from the disk, walking over
// all keys, saving.
//
// Thread safety: any thread.
#pragma once

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <mutex>
#include <utility>
#include <vector>

#include "server/stats.h"

namespace syntropy {

class Workers {
 public:
  /// Uses the slots [first_slot, first_slot + threads) of `stats`, which must outlive stop().
  Workers(ServerStats& stats, size_t first_slot, size_t threads) : stats_(stats), pool_(threads) {
    for (size_t i = 0; i < threads; ++i) free_slots_.push_back(first_slot + i);
  }
  ~Workers() { stop(); }

  /// Runs `job(ThreadStats&)` on one of the threads, soon.
  template <class Job>
  void post(Job job) {
    boost::asio::post(pool_, [this, job = std::move(job)]() mutable {
      const size_t slot = take_slot();
      job(stats_.slot(slot));
      std::lock_guard lock(mutex_);
      free_slots_.push_back(slot);
    });
  }

  /// Finishes what was posted and ends the threads.
  void stop() { pool_.join(); }

 private:
  size_t take_slot() {
    std::lock_guard lock(mutex_);
    const size_t slot = free_slots_.back();
    free_slots_.pop_back();
    return slot;
  }

  ServerStats& stats_;
  std::mutex mutex_;
  std::vector<size_t> free_slots_;  // as many as threads
  boost::asio::thread_pool pool_;
};

}  // namespace syntropy
