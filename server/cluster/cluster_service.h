// ClusterService: the cluster of a server (server/server.h): the bus on sockets, the threads that
// change and read the store, and the ClusterNode that drives both, as the configuration says.
//
//   open(): who is this node -> listen on the bus -> start() -> ... -> stop()
//
// Thread safety: by the thread that owns the server; cluster() gives what is safe for any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "rpc/asio_transport.h"
#include "server/cluster/cluster_node.h"
#include "server/cluster/primary_watch.h"
#include "server/cluster/store_threads.h"
#include "server/config/config.h"
#include "server/context.h"
#include "storage/base/random.h"
#include "storage/durability.h"

namespace syntropy {

class ClusterService {
 public:
  /// All outlive the service.
  struct Parts {
    Keyspace& keyspace;
    RowTrees& trees;
    Durability& durability;
    Clock& clock;
    PauseState& pause;
    PubSub& pubsub;
    ClientRegistry& clients;
    std::function<LoadFact()> load;
  };

  /// The keyspace must be replicated. Errors name the option and say what can be done.
  static Result<std::unique_ptr<ClusterService>> open(const Config& config, const Parts& parts);
  ~ClusterService();

  /// Listens on the bus and takes part. `client_port`: where clients are served.
  Status start(const Config& config, uint16_t client_port);
  /// Nothing is answered any more; who waits for copies is told so. I/O threads and workers must
  /// have stopped.
  void stop();
  /// CONFIG SET.
  void apply(const Config& config);

  /// After start().
  Cluster& cluster() { return *node_; }
  uint16_t bus_port() const { return transport_->port(); }

 private:
  explicit ClusterService(const Parts& parts);
  ClusterNodeOptions options(const Config& config);
  void rerouted(const Membership& membership, const Routing& routing, const std::string& name);
  void close_clients() const;

  const Parts parts_;
  SeededRandom random_;
  StateStore::Stored identity_;
  uint16_t client_port_ = 0;
  bool started_ = false;
  // On the loop.
  PrimaryWatch primaries_;
  bool was_primary_ = false;
  std::unique_ptr<AsioTransport> transport_;
  std::unique_ptr<StoreThreads> work_;
  std::unique_ptr<ClusterNode> node_;
};

}  // namespace syntropy
