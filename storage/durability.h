// Durability: when what was committed is safe from the loss of power, and who waits for it.
//
// Policies, with the meaning that Redis gives to appendfsync:
//   always        replies of a tick leave only after everything written before them is synced
//   every second  everything is synced once a second; a writer waits when the oldest unsynced write
//                 is older than 1.5 s, so that at most two seconds can be lost
//   no            the operating system decides
//
// Group commit. One thread syncs, and whoever needs it waits for a *point*: a number of ticks that
// wrote. While one sync is under way, I/O threads go on with other clients; the next sync covers
// everything that they wrote meanwhile. It begins when they have nothing left to do and as many
// replies wait for it as waited when the last one ended, or after a short patience, so that those
// whom the last one released join it: otherwise they would just miss it. Clients that come back at
// once thus end up in one group, which costs one sync; those that don't are waited for once,
// because the next sync expects only as many as there were.
//
// Failure. A sync that failed is an error to everyone who waited, and the engine is degraded
// (storage/engine.h). It is degraded, too, when a write was applied and could not be stored;
// whatever the policy, no tick that wrote is told that all is well then. The thread calls
// Engine::recover() once a second until it works.
//
// Thread safety: any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/engine.h"

namespace syntropy {

enum class SyncPolicy : uint8_t { kAlways, kEverySecond, kNever };

class Durability {
 public:
  struct Events {
    /// After each sync: how long it took, and how it ended.
    std::function<void(uint64_t micros, const Status&)> synced;
    /// When the engine became degraded or healthy again.
    std::function<void(const Status&)> health_changed;
  };

  /// How many ticks had written. 0: nothing to wait for.
  using Point = uint64_t;
  /// Ok: everything up to the point is durable.
  using Done = std::function<void(const Status&)>;

  /// `events` are called from the thread that syncs.
  Durability(Engine& engine, Clock& clock, SyncPolicy policy, Events events);
  ~Durability();  // ends the thread; syncs what is left unless the policy is kNever
  Durability(const Durability&) = delete;
  Durability& operator=(const Durability&) = delete;

  void set_policy(SyncPolicy policy) { policy_.store(policy, std::memory_order_relaxed); }
  SyncPolicy policy() const { return policy_.load(std::memory_order_relaxed); }

  /// A tick is executed and committed; `wrote`: it wrote to the engine. The point that its replies
  /// have to wait for as far as the policy is concerned. An error: what it wrote may not be stored,
  /// or, under "always", what it read.
  Result<Point> end_tick(bool wrote);
  /// Calls `done` once, soon after everything up to the point is durable, or when that failed. From
  /// the thread that syncs: it must not block. `replies`: how many clients it lets go on.
  void await(Point point, size_t replies, Done done);
  /// end_tick() and, where there is a point to wait for, waiting for it.
  Status finish_tick(bool wrote);

  /// An I/O thread has something to do, from busy() to idle(): a sync may be worth waiting for it.
  void busy() { busy_.fetch_add(1, std::memory_order_relaxed); }
  void idle();

  /// A write outside of a tick of a client (active expiry): durable some time by the policy.
  void note_write();

  /// Syncs now whatever the policy (SHUTDOWN, SAVE). Ok when everything written before is durable.
  Status sync_now();

  /// Writes not known to be durable.
  bool has_unsynced() const { return written_.load() != synced_.load(); }
  uint64_t last_sync_ms() const { return last_sync_ms_.load(std::memory_order_relaxed); }
  /// How the last sync ended.
  bool last_sync_ok() const { return last_sync_ok_.load(std::memory_order_relaxed); }

 private:
  using Lock = std::unique_lock<std::mutex>;
  struct Waiter {
    Point point;
    size_t replies;
    Done done;
  };

  bool overdue() const;
  Status wait(Point point);
  void run();
  void gather(Lock& lock);
  void sync(Lock& lock);
  void heal(Lock& lock);
  void answer(Lock& lock, Point synced, const Status& failure);

  Engine& engine_;
  Clock& clock_;
  const Events events_;
  std::atomic<SyncPolicy> policy_;
  std::atomic<int> busy_{0};            // I/O threads
  std::atomic<bool> gathering_{false};  // the thread waits for them to become idle
  std::atomic<Point> written_{0};
  std::atomic<Point> synced_{0};                 // of written_; changed by the thread alone
  std::atomic<uint64_t> oldest_unsynced_us_{0};  // monotonic; 0: none
  std::atomic<uint64_t> last_sync_ms_{0};
  std::atomic<bool> last_sync_ok_{true};

  std::mutex mutex_;  // guards all below
  std::condition_variable wake_;
  Point wanted_ = 0;
  std::vector<Waiter> waiters_;
  size_t waiting_ = 0;   // replies of waiters_
  size_t expected_ = 0;  // of the next sync
  bool stopping_ = false;

  bool degraded_ = false;  // the thread's own: what it told health_changed last
  std::thread thread_;
};

}  // namespace syntropy
