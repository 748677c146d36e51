#include "server/cluster/cluster_service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>
#include <utility>

#include "server/pubsub.h"
#include "server/version.h"
#include "storage/base/slot.h"

namespace syntropy {
namespace {

constexpr int kMaxPort = 65535;
constexpr TimeMs kReplicaAckMs = 1000;     // as in Redis: min-replicas-max-lag counts on it
constexpr TimeMs kStreamRetryMs = 10'000;  // streams of the bus lose nothing
constexpr TimeMs kReconnectMostMs = 1000;

MembershipOptions membership_options(const Config& config) {
  MembershipOptions options;
  options.detector.node_timeout = config.cluster.node_timeout_ms;
  options.election.node_timeout_ms = static_cast<uint32_t>(config.cluster.node_timeout_ms);
  options.election.replica_validity_factor =
      static_cast<uint32_t>(config.cluster.replica_validity_factor);
  options.election.replica_no_failover = config.cluster.replica_no_failover;
  options.election.repl_ping_period_ms =
      static_cast<uint32_t>(config.replication.ping_replica_period_s) * 1000;
  options.require_full_coverage = config.cluster.require_full_coverage;
  options.allow_replica_migration = config.cluster.allow_replica_migration;
  options.software = server_version();
  return options;
}

CompareRate compare_rate(const Config& config) {
  return {config.replication.anti_entropy_rate, config.replication.anti_entropy_row_rate};
}

ReplicationDriver::Options replication_options(const Config& config) {
  ReplicationDriver::Options options;
  ReplicationSessionOptions session;
  session.stream.retry_ms = kStreamRetryMs;
  session.timeout_ms = static_cast<TimeMs>(config.replication.timeout_s) * 1000;
  session.backoff_max_ms = kReconnectMostMs;
  session.heartbeat_ms = static_cast<TimeMs>(config.replication.ping_replica_period_s) * 1000;
  session.check_interval_ms =
      static_cast<TimeMs>(config.replication.anti_entropy_interval_s) * 1000;
  session.compare_rate = compare_rate(config);
  options.primary = session;
  if (session.check_interval_ms != 0) options.purger.interval_ms = session.check_interval_ms;
  session.heartbeat_ms = std::min(session.heartbeat_ms, kReplicaAckMs);
  options.replica = session;
  return options;
}

/// As an address to listen on; '*' and '::*' are every interface.
std::string bus_host(const BindAddress& address) {
  if (address.address == "*") return "0.0.0.0";
  if (address.address == "::*") return "::";
  return address.address;
}

}  // namespace

ClusterService::ClusterService(const Parts& parts) : parts_(parts), random_(system_seed()) {}

ClusterService::~ClusterService() { stop(); }

Result<std::unique_ptr<ClusterService>> ClusterService::open(const Config& config,
                                                             const Parts& parts) {
  if (config.effective_cluster_port() > kMaxPort) {
    return Status::invalid_argument("the port of the cluster would be " +
                                    std::to_string(config.effective_cluster_port()) +
                                    ": choose a 'port' up to 55535, or set 'cluster-port'");
  }
  std::unique_ptr<ClusterService> service(new ClusterService(parts));
  const Result<StateStore::Stored> stored =
      ClusterNode::identity(parts.keyspace.engine(), service->random_);
  if (!stored.ok()) return stored.status();
  BusOptions bus;
  bus.self = stored->membership.id;
  bus.key = ClusterKey::derive(config.cluster.secret);
  const TlsFiles tls{config.cluster.tls.cert_file, config.cluster.tls.key_file,
                     config.cluster.tls.ca_cert_file};
  Result<std::unique_ptr<AsioTransport>> transport = AsioTransport::make(bus, tls);
  if (!transport.ok()) return transport.status();
  service->transport_ = std::move(*transport);
  service->identity_ = *stored;
  return service;
}

ClusterNodeOptions ClusterService::options(const Config& config) {
  ClusterNodeOptions options;
  options.membership = membership_options(config);
  options.replication = replication_options(config);
  options.mover.exports.rate = compare_rate(config);
  options.mover.exports.rate.percent =
      static_cast<uint64_t>(config.cluster.slot_migration_percent);
  options.mover.log_length = static_cast<size_t>(config.cluster.slot_migration_log_max_len);
  AddressFact& address = options.address;
  address.host = config.cluster.announce_ip;
  address.hostname = config.cluster.announce_hostname;
  const int port = config.cluster.announce_port;
  const int bus_port = config.cluster.announce_bus_port;
  address.port = port != 0 ? static_cast<uint16_t>(port) : client_port_;
  address.bus_port = bus_port != 0 ? static_cast<uint16_t>(bus_port) : transport_->port();
  options.pause_clients = [this](TimeMs span) {
    parts_.pause.pause_for_failover(parts_.clock.wall_ms() + span);
  };
  options.resume_clients = [this] { parts_.pause.end_failover(); };
  options.published = [this](const Publication& publication) {
    if (publication.to_shard) {
      parts_.pubsub.publish_to_shard(publication.channel, publication.message);
    } else {
      parts_.pubsub.publish(publication.channel, publication.message);
    }
  };
  options.rerouted = [this, name = config.cluster.sentinel_master_name](
                         const Membership& membership, const Routing& routing) {
    rerouted(membership, routing, name);
  };
  options.load = parts_.load;
  return options;
}

void ClusterService::rerouted(const Membership& membership, const Routing& routing,
                              const std::string& name) {
  // Shard channels are served where their slot is.
  const NodeId& primary = routing.primary ? routing.primary : routing.self;
  parts_.pubsub.end_shard_channels([&](std::string_view channel) {
    const Routing::Node* const owner = routing.owner_of(slot_of(channel));
    return owner == nullptr || owner->id == primary;
  });
  for (const std::string& change : primaries_.changes(membership, name)) {
    parts_.pubsub.publish(kSwitchMaster, change);
  }
  const bool demoted = std::exchange(was_primary_, !routing.primary) && routing.primary;
  if (demoted && !name.empty()) close_clients();
}

// A client of Sentinel stays with a primary until the connection ends.
void ClusterService::close_clients() const {
  for (const std::shared_ptr<Client>& client : parts_.clients.all()) {
    if (!is_listening(*client) && client->request_close) client->request_close();
  }
}

Status ClusterService::start(const Config& config, uint16_t client_port) {
  client_port_ = client_port;
  const auto bus_port = static_cast<uint16_t>(config.effective_cluster_port());
  Status refused;
  for (const BindAddress& address : config.network.bind) {
    // Where any port will do, all addresses have the same.
    const uint16_t port = transport_->port() != 0 ? transport_->port() : bus_port;
    const Status listening = transport_->listen({bus_host(address), port});
    if (!listening.ok() && !address.optional) return listening;
    if (!listening.ok()) refused = listening;
  }
  if (transport_->port() == 0) {
    return refused.ok()
               ? Status::invalid_argument("the cluster has no address to listen on ('bind')")
               : refused;
  }
  work_ = std::make_unique<StoreThreads>(parts_.durability);
  node_ = std::make_unique<ClusterNode>(
      ClusterNode::Parts{*transport_, parts_.keyspace, parts_.trees, *work_, parts_.clock, random_},
      options(config), identity_);
  const Status started = node_->start();
  if (!started.ok()) return started;
  started_ = true;
  spdlog::info("cluster: node {}, bus port {}", identity_.membership.id.hex(), transport_->port());
  return Status();
}

void ClusterService::stop() {
  if (std::exchange(started_, false)) node_->stop();
  if (work_) work_->stop();
}

void ClusterService::apply(const Config& config) {
  if (started_) node_->set_options(options(config));
}

}  // namespace syntropy
