// Server: one Syntropy node in this process: the store, the threads and the services, put together.
//
//   open store -> Keyspace -> Durability -> Workers, IoThreads -> Listener -> cluster -> timers
//
// and torn down in the opposite order. A node without listeners serves a program that embeds it
// (server/public/syntropy/node.h).
//
// Threads: `io-threads` event loops, `read-threads` workers, one for durability, and the thread
// that calls run(), which accepts connections and runs the timers.
//
// Thread safety: open, run and the destructor by one thread; shutdown() from any; the accessors
// give what is itself safe for any thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/cluster/cluster_service.h"
#include "server/config/config_store.h"
#include "server/context.h"
#include "server/io_thread.h"
#include "server/latency.h"
#include "server/listener.h"
#include "server/migration/redis_follower.h"
#include "server/proxy/proxy_pool.h"
#include "server/pubsub.h"
#include "server/slowlog.h"
#include "server/snapshots.h"
#include "server/stats.h"
#include "server/trees/row_trees.h"
#include "server/workers.h"
#include "storage/durability.h"
#include "storage/keyspace.h"

namespace syntropy {

class Server {
 public:
  /// Opens the store in config.storage.dir (made when missing). `config_file`: where CONFIG REWRITE
  /// writes; may be empty. The errors name the file or option and say what can be done.
  static Result<std::unique_ptr<Server>> open(const Config& config, const std::string& config_file);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Starts the I/O threads and listens as configured. kIoError when an address is taken.
  Status listen();
  /// Also ends on SIGTERM and SIGINT.
  void handle_signals();
  /// Serves until shutdown(); then closes all connections and makes everything durable.
  Status run();
  void shutdown(ShutdownRequest request);
  /// After run(): whether everything written is durable.
  const Status& ended() const { return ended_; }

  ServerContext& context() { return *context_; }
  Keyspace& keyspace() { return *keyspace_; }
  Durability& durability() { return *durability_; }
  uint16_t port() const { return listener_ ? listener_->port() : 0; }
  uint16_t bus_port() const { return cluster_ ? cluster_->bus_port() : 0; }

 private:
  Server(const Config& config, const std::string& config_file);

  Status open_store();
  Status open_trees();
  void make_services();
  Status open_cluster();
  Status start_cluster();
  Status start_follower();
  LoadFact load();
  Status apply(const Config& previous, const Config& next);
  void start_timer();
  void on_timer();
  void expire();
  void settle_purge();
  void evict_clients();
  void stop();

  ConfigStore config_;
  SystemClock clock_;
  PurgePolicy purge_{PurgePolicy::Mode::kImmediate};
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Keyspace> keyspace_;
  std::unique_ptr<RowTrees> trees_;  // null: none are kept
  std::unique_ptr<Durability> durability_;

  ClientRegistry clients_;
  PubSub pubsub_;
  std::unique_ptr<ServerStats> stats_;
  SlowLog slowlog_;
  LatencyMonitor latency_;
  std::unique_ptr<Snapshots> snapshots_;
  PauseState pause_;
  std::unique_ptr<ServerContext> context_;

  boost::asio::io_context loop_;
  boost::asio::steady_timer timer_;
  boost::asio::signal_set signals_;
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<IoPool> threads_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<ClusterService> cluster_;
  std::unique_ptr<ProxyPool> proxy_;         // null unless in a cluster
  std::unique_ptr<RedisFollower> follower_;  // null in a cluster

  std::atomic<uint64_t> stall_until_us_{0};
  std::atomic<bool> expiring_{false};  // a worker is draining the expiry index
  std::atomic<bool> compacting_{false};
  uint64_t settled_ms_ = 0;     // monotonic
  uint64_t rebalanced_ms_ = 0;  // monotonic
  Status ended_;
  bool stopped_ = false;
};

}  // namespace syntropy
