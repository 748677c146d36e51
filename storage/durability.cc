#include "storage/durability.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <utility>

namespace syntropy {
namespace {

constexpr std::chrono::milliseconds kRound{1000};
constexpr std::chrono::microseconds kPatience{300};
constexpr uint64_t kOverdueUs = 1'500'000;

}  // namespace

Durability::Durability(Engine& engine, Clock& clock, SyncPolicy policy, Events events)
    : engine_(engine), clock_(clock), events_(std::move(events)), policy_(policy), thread_([this] {
        run();
      }) {}

Durability::~Durability() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
  Lock lock(mutex_);
  if (policy() != SyncPolicy::kNever && has_unsynced()) sync(lock);
  answer(lock, synced_.load(), Status::unavailable("the node is shutting down"));
}

void Durability::idle() {
  if (busy_.fetch_sub(1) != 1 || !gathering_.load()) return;
  // Once the lock was taken, the thread sees it or waits to be woken.
  { std::lock_guard lock(mutex_); }
  wake_.notify_one();
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

Result<Durability::Point> Durability::end_tick(bool wrote) {
  if (wrote) note_write();
  const bool always = policy() == SyncPolicy::kAlways;
  // Under "always", what another tick wrote and isn't synced may have been read by this one.
  const bool depends = wrote || (always && has_unsynced());
  if (!depends) return Point{0};
  Status health = engine_.health();
  if (!health.ok()) return health;
  const bool waits = always || (policy() == SyncPolicy::kEverySecond && overdue());
  return waits ? written_.load() : Point{0};
}

void Durability::await(Point point, size_t replies, Done done) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    const bool first = waiters_.empty();
    waiters_.push_back({point, replies, std::move(done)});
    waiting_ += replies;
    wanted_ = std::max(wanted_, point);
    wake = first || (gathering_.load() && busy_.load() == 0 && waiting_ >= expected_);
  }
  // While anyone waits, the thread is awake, or waits for more of them.
  if (wake) wake_.notify_one();
}

Status Durability::wait(Point point) {
  std::promise<Status> synced;
  await(point, 1, [&](const Status& status) { synced.set_value(status); });
  return synced.get_future().get();
}

Status Durability::finish_tick(bool wrote) {
  const Result<Point> point = end_tick(wrote);
  if (!point.ok()) return point.status();
  return *point == 0 ? Status() : wait(*point);
}

Status Durability::sync_now() {
  if (!has_unsynced()) return Status();
  return wait(written_.load());
}

void Durability::run() {
  Lock lock(mutex_);
  auto round_ends = std::chrono::steady_clock::now() + kRound;
  while (!stopping_) {
    wake_.wait_until(lock, round_ends, [this] { return stopping_ || !waiters_.empty(); });
    if (stopping_) return;
    if (std::chrono::steady_clock::now() >= round_ends) {
      heal(lock);
      if (policy() != SyncPolicy::kNever && has_unsynced()) sync(lock);
      round_ends = std::chrono::steady_clock::now() + kRound;
    }
    if (wanted_ > synced_.load()) {
      gather(lock);
      sync(lock);
    }
    answer(lock, synced_.load(), engine_.health());
  }
}

void Durability::gather(Lock& lock) {
  gathering_.store(true);
  wake_.wait_until(lock, std::chrono::steady_clock::now() + kPatience,
                   [this] { return stopping_ || (busy_.load() == 0 && waiting_ >= expected_); });
  gathering_.store(false);
}

// One sync of all that was written before it. When it fails, the engine's health says so.
void Durability::sync(Lock& lock) {
  const Point covers = written_.load();
  const uint64_t started_us = clock_.monotonic_us();
  oldest_unsynced_us_.store(0);
  lock.unlock();
  const bool was_healthy = engine_.health().ok();
  const Status synced = engine_.sync();
  const uint64_t ended_us = clock_.monotonic_us();
  if (was_healthy && events_.synced) events_.synced(ended_us - started_us, synced);
  if (synced.ok()) {
    synced_.store(covers);
    last_sync_ms_.store(clock_.wall_ms(), std::memory_order_relaxed);
    uint64_t none = 0;
    if (written_.load() != covers) oldest_unsynced_us_.compare_exchange_strong(none, started_us);
  } else {
    oldest_unsynced_us_.store(started_us);
  }
  last_sync_ok_.store(synced.ok(), std::memory_order_relaxed);
  lock.lock();
}

// Calls those who waited for a point up to `synced`, and, when there is a failure, all others.
void Durability::answer(Lock& lock, Point synced, const Status& failure) {
  const auto keeps_waiting = [&](const Waiter& waiter) {
    return failure.ok() && waiter.point > synced;
  };
  const auto answered = std::stable_partition(waiters_.begin(), waiters_.end(), keeps_waiting);
  std::vector<Waiter> ready(std::make_move_iterator(answered),
                            std::make_move_iterator(waiters_.end()));
  waiters_.erase(answered, waiters_.end());
  if (ready.empty()) return;
  expected_ = waiting_;
  for (const Waiter& waiter : ready) waiting_ -= waiter.replies;
  lock.unlock();
  for (const Waiter& waiter : ready) waiter.done(waiter.point <= synced ? Status() : failure);
  lock.lock();
}

void Durability::heal(Lock& lock) {
  lock.unlock();
  Status health = engine_.health();
  if (!health.ok()) {
    if (!degraded_ && events_.health_changed) events_.health_changed(health);
    degraded_ = true;
    const Point covers = written_.load();
    health = engine_.recover();
    if (health.ok()) {
      synced_.store(covers);
      oldest_unsynced_us_.store(0);
      last_sync_ok_.store(true, std::memory_order_relaxed);
    }
  }
  if (health.ok() && degraded_) {
    degraded_ = false;
    if (events_.health_changed) events_.health_changed(health);
  }
  lock.lock();
}

}  // namespace syntropy
