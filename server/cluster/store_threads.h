// StoreThreads: StoreWork on two threads, one for each lane, with the server's Durability.
//
// Thread safety: any thread; stop() by the one that owns it.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "server/cluster/store_work.h"
#include "storage/durability.h"

namespace syntropy {

class StoreThreads final : public StoreWork {
 public:
  /// `durability` must outlive this.
  explicit StoreThreads(Durability& durability);
  ~StoreThreads() override;

  /// Waits for the jobs under way; forgets those that haven't begun.
  void stop();

  void change(std::function<void()> job) override { changes_.add(std::move(job)); }
  void read(std::function<void()> job) override { reads_.add(std::move(job)); }
  void when_durable(std::function<void(const Status&)> done) override;

 private:
  class Lane {
   public:
    explicit Lane(const char* name);
    void add(std::function<void()> job);
    void stop();

   private:
    void run();

    std::mutex mutex_;  // guards all but the thread
    std::condition_variable wake_;
    std::deque<std::function<void()>> jobs_;
    bool stopping_ = false;
    std::thread thread_;
  };

  Durability& durability_;
  Lane changes_;
  Lane reads_;
};

}  // namespace syntropy
