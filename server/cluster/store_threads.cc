#include "server/cluster/store_threads.h"

#include <pthread.h>

#include <utility>

namespace syntropy {

StoreThreads::Lane::Lane(const char* name) : thread_([this] { run(); }) {
  ::pthread_setname_np(thread_.native_handle(), name);
}

void StoreThreads::Lane::add(std::function<void()> job) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  jobs_.push_back(std::move(job));
  wake_.notify_one();
}

void StoreThreads::Lane::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;  // what it holds goes without the mutex
    lock.lock();
  }
}

void StoreThreads::Lane::stop() {
  std::deque<std::function<void()>> forgotten;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    forgotten.swap(jobs_);
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

StoreThreads::StoreThreads(Durability& durability)
    : durability_(durability), changes_("replication"), reads_("rows") {}

StoreThreads::~StoreThreads() { stop(); }

void StoreThreads::stop() {
  changes_.stop();
  reads_.stop();
}

void StoreThreads::when_durable(std::function<void(const Status&)> done) {
  const Result<Durability::Point> point = durability_.end_tick(true);
  if (!point.ok()) return done(point.status());
  if (*point == 0) return done(Status());
  durability_.await(*point, 1, std::move(done));
}

}  // namespace syntropy
