#include "server/io_pool.h"

#include <spdlog/spdlog.h>

#include <thread>

#include "server/process_stats.h"

namespace syntropy {

IoPool::IoPool(size_t count, bool fixed, ServerContext& server, Durability& durability,
               Workers& workers, std::atomic<uint64_t>& stall_until_us)
    : fixed_(fixed), balance_(count), active_(fixed ? count : 1) {
  for (size_t i = 0; i < count; ++i) {
    threads_.push_back(
        std::make_unique<IoThread>(i, *this, server, durability, workers, stall_until_us));
  }
}

void IoPool::start() {
  for (const auto& thread : threads_) thread->start();
}

void IoPool::stop(std::chrono::steady_clock::time_point deadline) {
  // All at once, so that the time for the last replies is spent once.
  for (const auto& thread : threads_) thread->begin_stop(deadline);
  for (const auto& thread : threads_) thread->stop();
}

IoThread& IoPool::next() {
  return *threads_[turn_.fetch_add(1, std::memory_order_relaxed) % active()];
}

std::optional<IoPool::Sample> IoPool::sample() const {
  Sample now{std::chrono::steady_clock::now(), 0, 0};
  for (const auto& thread : threads_) now.io_threads += thread->cpu_seconds();
  const std::optional<double> idle = machine_idle_seconds();
  if (!idle) return std::nullopt;
  now.idle = *idle;
  return now;
}

void IoPool::rebalance() {
  if (!fixed_ && threads_.size() > 1) {
    const std::optional<Sample> now = sample();
    if (now && last_) {
      const double seconds = std::chrono::duration<double>(now->at - last_->at).count();
      const IoLoad load{.cores = static_cast<double>(std::thread::hardware_concurrency()),
                        .idle = (now->idle - last_->idle) / seconds,
                        .io_threads = (now->io_threads - last_->io_threads) / seconds};
      const size_t before = active();
      const size_t after = balance_.step(load);
      active_.store(after, std::memory_order_relaxed);
      if (after != before) spdlog::debug("{} of {} I/O threads in use", after, threads_.size());
    }
    last_ = now;
  }
  share_connections();
}

void IoPool::share_connections() {
  size_t all = 0;
  for (const auto& thread : threads_) all += thread->connections();
  const size_t in_use = active();
  const size_t share = (all + in_use - 1) / in_use;
  for (size_t i = 0; i < threads_.size(); ++i) {
    const size_t held = threads_[i]->connections();
    const size_t due = i < in_use ? share : 0;
    threads_[i]->set_surplus(held > due ? held - due : 0);
  }
}

}  // namespace syntropy
