// Durability: when what was committed is safe from the loss of power, and who waits for it.
//
// Policies, with the meaning that Redis gives to appendfsync:
//   always        replies of a tick leave only after everything written before them is synced;
//                 all that is ready at one moment shares one sync
//   every second  a background thread syncs once a second; a writer waits when the oldest unsynced
//                 write is older than 1.5 s, so that at most two seconds can be lost
//   no            the operating system decides
//
// Group commit under "always". I/O threads run ticks in parallel. A sync begins when no thread is
// in the midst of executing a tick, or after a short patience, so that the ticks of all threads
// share it; otherwise two threads would take turns, each waiting for the other's sync. One thread
// syncs, the others wait for it (leader and followers).
//
// Failure. A sync that failed is an error to everyone who waited for it, and the engine is degraded
// (storage/engine.h). It is degraded, too, when a write was applied and could not be stored;
// whatever the policy, no tick that wrote is told that all is well then. The background thread
// calls Engine::recover() once a second until it works.
//
// Thread safety: any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

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
    /// When the engine became degraded or healthy again. Called from the background thread.
    std::function<void(const Status&)> health_changed;
  };

  Durability(Engine& engine, Clock& clock, SyncPolicy policy, Events events);
  ~Durability();  // stops the background thread; syncs what is left unless the policy is kNever
  Durability(const Durability&) = delete;
  Durability& operator=(const Durability&) = delete;

  void set_policy(SyncPolicy policy) { policy_.store(policy, std::memory_order_relaxed); }
  SyncPolicy policy() const { return policy_.load(std::memory_order_relaxed); }

  /// An I/O thread starts to execute a tick; every call is matched by one of finish_tick().
  void start_tick() { executing_.fetch_add(1, std::memory_order_relaxed); }
  /// The tick is executed and committed; `wrote`: it wrote to the engine. Returns when its replies
  /// may leave as far as the policy is concerned. An error: what it wrote may not be stored, or,
  /// under "always", what it read.
  Status finish_tick(bool wrote);

  /// A write outside of a tick of an I/O thread (active expiry): durable some time by the policy.
  void note_write();

  /// Syncs now whatever the policy (SHUTDOWN, SAVE). Ok when everything written before is durable.
  Status sync_now();

  /// Writes not known to be durable.
  bool has_unsynced() const { return written_.load() != synced_.load(); }
  uint64_t last_sync_ms() const { return last_sync_ms_.load(std::memory_order_relaxed); }
  /// How the last sync ended.
  bool last_sync_ok() const { return last_sync_ok_.load(std::memory_order_relaxed); }

 private:
  Status wait_synced(uint64_t target, std::unique_lock<std::mutex>& lock);
  Status lead_sync(std::unique_lock<std::mutex>& lock);
  bool overdue() const;
  void run();
  void heal();

  Engine& engine_;
  Clock& clock_;
  const Events events_;
  std::atomic<SyncPolicy> policy_;
  std::atomic<int> executing_{0};
  std::atomic<uint64_t> written_{0};             // ticks that wrote
  std::atomic<uint64_t> synced_{0};              // of them, durable
  std::atomic<uint64_t> oldest_unsynced_us_{0};  // monotonic; 0: none
  std::atomic<uint64_t> last_sync_ms_{0};
  std::atomic<bool> last_sync_ok_{true};

  std::mutex mutex_;
  std::condition_variable changed_;
  bool syncing_ = false;   // guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_
  bool degraded_ = false;  // background thread only
  std::condition_variable wake_;
  std::thread background_;
};

}  // namespace syntropy
