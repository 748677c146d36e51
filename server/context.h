// ServerContext: what a command handler can reach beyond its rows.
//
// Owned by the node (server/server.h), which outlives every call. Everything that is reached
// through it is safe for use from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

namespace syntropy {

class Clock;
class ConfigStore;
class Durability;
class ProxyPool;
class PubSub;
class PurgePolicy;
class ClientRegistry;
class Cluster;
class RowTrees;
class Engine;
class Follower;
class Keyspace;
class LatencyMonitor;
class SlowLog;
class Snapshots;
class ServerStats;

/// CLIENT PAUSE, and the pause of writes in which a replica takes a primary's place.
class PauseState {
 public:
  enum class Mode { kWrite, kAll };

  /// Pauses until then (wall ms). As in Redis, a pause in force is only ever made longer and
  /// stricter by another one.
  void pause(uint64_t now_ms, uint64_t until_ms, Mode mode);
  void unpause();
  /// The same for writes, beside it: neither ends the other.
  void pause_for_failover(uint64_t until_ms) { failover_until_ms_.store(until_ms); }
  void end_failover() { failover_until_ms_.store(0); }
  /// Whether a command has to wait; `is_write`: it (or its transaction) writes.
  bool holds(uint64_t now_ms, bool is_write) const;
  uint64_t until_ms() const { return until_ms_.load(std::memory_order_relaxed); }

 private:
  std::mutex mutex_;
  std::atomic<uint64_t> until_ms_{0};
  std::atomic<bool> all_{false};
  std::atomic<uint64_t> failover_until_ms_{0};
};

struct ShutdownRequest {
  bool save = false;  // SHUTDOWN SAVE: flush to table files first; the data are durable either way
  bool force = false;
};

struct ServerContext {
  ConfigStore& config;
  Keyspace& keyspace;
  Engine& engine;
  Clock& clock;
  ClientRegistry& clients;
  PubSub& pubsub;
  ServerStats& stats;
  SlowLog& slowlog;
  LatencyMonitor& latency;
  Snapshots& snapshots;
  PauseState& pause;
  Durability& durability;
  const PurgePolicy& purge;

  std::string run_id;       // 40 hex digits, new at every start
  std::string config_file;  // absolute, or empty
  std::string executable;
  uint16_t port = 0;        // the port in use (also when the option said 0)
  uint64_t started_ms = 0;  // wall
  size_t io_threads = 1;

  /// Ends the process in good order, soon. Empty: the node is part of a program, which alone may.
  std::function<void(ShutdownRequest)> shutdown;
  /// Of io_threads, those that serve clients at the moment.
  std::function<size_t()> active_io_threads;
  /// Makes every I/O thread stop for that long (DEBUG SLEEP).
  std::function<void(uint64_t micros)> stall;
  /// Null unless the node is part of a cluster (cluster-enabled).
  Cluster* cluster = nullptr;
  /// Null unless in a cluster: what clients that know none have for others goes by it.
  ProxyPool* proxy = nullptr;
  /// Null in a cluster.
  Follower* follower = nullptr;
  /// Null when the node keeps no trees ('merkle-trees no').
  RowTrees* trees = nullptr;
};

}  // namespace syntropy
