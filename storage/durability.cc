#include "storage/durability.h"

#include <chrono>
#include <utility>

namespace syntropy {
namespace {

constexpr std::chrono::microseconds kPatience{300};
constexpr std::chrono::milliseconds kSyncInterval{1000};
constexpr uint64_t kOverdueUs = 1'500'000;

}  // namespace

Durability::Durability(Engine& engine, Clock& clock, SyncPolicy policy, Events events)
    : engine_(engine),
      clock_(clock),
      events_(std::move(events)),
      policy_(policy),
      background_([this] { run(); }) {}

Durability::~Durability() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  background_.join();
  if (policy() != SyncPolicy::kNever && has_unsynced()) (void)sync_now();
}

void Durability::note_write() {
  written_.fetch_add(1);
  uint64_t none = 0;
  oldest_unsynced_us_.compare_exchange_strong(none, clock_.monotonic_us());
}

bool Durability::overdue() const {
  const uint64_t oldest = oldest_unsynced_us_.load(std::memory_order_relaxed);
  return oldest != 0 && clock_.monotonic_us() - oldest > kOverdueUs;
}

Status Durability::finish_tick(bool wrote) {
  if (wrote) note_write();
  const bool last_out = executing_.fetch_sub(1, std::memory_order_acq_rel) == 1;
  if (wrote) {
    Status stored = engine_.health();
    if (!stored.ok()) return stored;
  }
  switch (policy()) {
    case SyncPolicy::kNever:
      return Status();
    case SyncPolicy::kEverySecond: {
      if (!wrote || !overdue()) return Status();
      std::unique_lock lock(mutex_);
      return wait_synced(written_.load(), lock);
    }
    case SyncPolicy::kAlways:
      break;
  }
  if (!has_unsynced()) return Status();
  std::unique_lock lock(mutex_);
  if (last_out) changed_.notify_all();  // whoever waits for this tick to join may sync now
  // What another thread wrote and hasn't synced may have been read by this tick.
  return wait_synced(written_.load(), lock);
}

Status Durability::sync_now() {
  std::unique_lock lock(mutex_);
  return wait_synced(written_.load(), lock);
}

Status Durability::wait_synced(uint64_t target, std::unique_lock<std::mutex>& lock) {
  const auto patience_ends = std::chrono::steady_clock::now() + kPatience;
  while (synced_.load() < target) {
    const Status health = engine_.health();
    if (!health.ok()) return health;
    if (syncing_) {
      changed_.wait(lock);
    } else if (executing_.load(std::memory_order_acquire) == 0 ||
               std::chrono::steady_clock::now() >= patience_ends) {
      const Status synced = lead_sync(lock);
      if (!synced.ok()) return synced;
    } else {
      changed_.wait_until(lock, patience_ends);
    }
  }
  return Status();
}

Status Durability::lead_sync(std::unique_lock<std::mutex>& lock) {
  syncing_ = true;
  const uint64_t covers = written_.load();
  const uint64_t started_us = clock_.monotonic_us();
  oldest_unsynced_us_.store(0);
  lock.unlock();
  const Status synced = engine_.sync();
  const uint64_t ended_us = clock_.monotonic_us();
  if (events_.synced) events_.synced(ended_us - started_us, synced);
  lock.lock();
  syncing_ = false;
  if (synced.ok()) {
    synced_.store(covers);
    last_sync_ms_.store(clock_.wall_ms(), std::memory_order_relaxed);
    uint64_t none = 0;
    if (written_.load() != covers) oldest_unsynced_us_.compare_exchange_strong(none, started_us);
  } else {
    oldest_unsynced_us_.store(started_us);
  }
  last_sync_ok_.store(synced.ok(), std::memory_order_relaxed);
  changed_.notify_all();
  return synced;
}

void Durability::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait_for(lock, kSyncInterval);
    if (stopping_) return;
    lock.unlock();
    heal();
    lock.lock();
    if (policy() == SyncPolicy::kNever || !has_unsynced() || syncing_ || degraded_) continue;
    (void)lead_sync(lock);  // counted, and everyone who waits learns of it from the engine's health
  }
}

void Durability::heal() {
  Status health = engine_.health();
  if (!health.ok()) {
    if (!degraded_ && events_.health_changed) events_.health_changed(health);
    degraded_ = true;
    const uint64_t covers = written_.load();
    health = engine_.recover();
    if (health.ok()) {
      std::lock_guard lock(mutex_);
      synced_.store(covers);
      oldest_unsynced_us_.store(0);
      last_sync_ok_.store(true, std::memory_order_relaxed);
      changed_.notify_all();
    }
  }
  if (health.ok() && degraded_) {
    degraded_ = false;
    if (events_.health_changed) events_.health_changed(health);
  }
}

}  // namespace syntropy
