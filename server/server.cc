#include "server/server.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <thread>

#include "server/commands/table.h"
#include "server/log.h"
#include "server/process_stats.h"
#include "storage/base/random.h"
#include "storage/log_applier.h"
#include "storage/rocks_engine.h"

namespace syntropy {
namespace {

namespace asio = boost::asio;

constexpr uint64_t kExpireStep = 1000;      // keys per commit: the writers' lock is held that long
constexpr uint64_t kExpireSpanUs = 50'000;  // in one round of the timer
constexpr uint64_t kSettleIntervalMs = 1000;
constexpr uint64_t kRebalanceIntervalMs = 500;
constexpr uint64_t kSpareDescriptors = 512;  // beside the clients': files, listeners

SyncPolicy sync_policy(FsyncPolicy policy) {
  switch (policy) {
    case FsyncPolicy::kAlways:
      return SyncPolicy::kAlways;
    case FsyncPolicy::kEverySecond:
      return SyncPolicy::kEverySecond;
    case FsyncPolicy::kNever:
      break;
  }
  return SyncPolicy::kNever;
}

std::string compression_name(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return "none";
    case Compression::kSnappy:
      return "snappy";
    case Compression::kLz4:
      return "lz4";
    case Compression::kZstd:
      break;
  }
  return "zstd";
}

RocksOptions rocks_options(const StorageConfig& storage) {
  RocksOptions options;
  options.dir = storage.dir;
  options.block_cache_bytes = storage.block_cache_size;
  options.write_buffer_bytes = storage.effective_write_buffer_size();
  options.max_background_jobs = static_cast<uint32_t>(storage.max_background_jobs);
  options.compression = compression_name(storage.compression);
  options.bottommost_compression = compression_name(storage.effective_bottommost_compression());
  options.bloom_bits_per_key = storage.bloom_bits_per_key;
  options.block_bytes = storage.block_size;
  options.target_file_bytes = storage.target_file_size;
  options.bytes_per_sync = storage.bytes_per_sync;
  options.max_open_files = storage.max_open_files;
  options.wal_recovery = storage.wal_recovery;
  return options;
}

std::string random_hex(size_t digits) {
  SeededRandom random(system_seed());
  std::string text;
  while (text.size() < digits) text.push_back("0123456789abcdef"[random.below(16)]);
  return text;
}

WriterId new_writer_id() {
  SeededRandom random(system_seed());
  WriterId id = 0;
  while (id == 0) id = random.next();
  return id;
}

/// Raises the limit of open files to what the clients need, as far as the system allows.
void raise_descriptor_limit(uint64_t max_clients) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = max_clients + kSpareDescriptors;
  if (limit.rlim_cur >= wanted) return;
  rlimit raised = limit;
  raised.rlim_cur = limit.rlim_max == RLIM_INFINITY ? wanted : std::min(wanted, limit.rlim_max);
  (void)::setrlimit(RLIMIT_NOFILE, &raised);
  if (raised.rlim_cur < wanted) {
    spdlog::warn(
        "{} open files are allowed, {} would be needed for 'maxclients' {}: raise "
        "'ulimit -n', or connections may be refused",
        raised.rlim_cur, wanted, max_clients);
  }
}

}  // namespace

Server::Server(const Config& config, const std::string& config_file)
    : config_(config, config_file), timer_(loop_), signals_(loop_) {}

Server::~Server() { stop(); }

Result<std::unique_ptr<Server>> Server::open(const Config& config, const std::string& config_file) {
  for (const auto& [from, to] : config.security.rename_command) {
    if (!rename_command(from, to)) {
      return Status::invalid_argument("rename-command: there is no command '" + from + "', or '" +
                                      to + "' is taken");
    }
  }
  std::unique_ptr<Server> server(new Server(config, config_file));
  const Status opened = server->open_store();
  if (!opened.ok()) return opened;
  server->make_services();
  const Status clustered = server->open_cluster();
  if (!clustered.ok()) return clustered;
  const Status started = server->snapshots_->start();
  if (!started.ok()) return started;
  return server;
}

Status Server::open_store() {
  const auto config = config_.current();
  std::error_code error;
  std::filesystem::create_directories(config->storage.dir, error);
  if (error) {
    return Status::io_error("cannot make the directory " + config->storage.dir +
                            " ('dir'): " + error.message());
  }
  // Another node may hold what a dead row of ours deletes.
  if (config->cluster.enabled) purge_.set_mode(PurgePolicy::Mode::kNever);
  Result<std::unique_ptr<Engine>> engine =
      open_rocks_engine(rocks_options(config->storage), &purge_);
  if (!engine.ok()) return engine.status();
  engine_ = std::move(*engine);
  KeyspaceOptions options;
  options.databases = static_cast<uint32_t>(config->general.databases);
  options.row_cache_bytes = config->storage.effective_row_cache_size();
  options.max_clock_drift_ms = config->storage.max_clock_drift_ms;
  options.new_writer_id = new_writer_id();
  options.replicated = config->cluster.enabled;
  options.log.backlog_bytes = config->replication.backlog_size;
  Result<std::unique_ptr<Keyspace>> keyspace = Keyspace::open(*engine_, clock_, purge_, options);
  if (!keyspace.ok()) return keyspace.status();
  keyspace_ = std::move(*keyspace);
  if (keyspace_->replication_log() != nullptr && !config->cluster.enabled) {
    // It was part of a cluster once, and is on its own now.
    purge_.set_mode(PurgePolicy::Mode::kNever);
    SeededRandom random(system_seed());
    const Status led = LogApplier(*keyspace_).begin_lineage(LineageId::random(random));
    if (!led.ok()) return led;
  }
  spdlog::info("store opened in {}; {}", config->storage.dir, purge_.describe());
  return open_trees();
}

Status Server::open_trees() {
  const auto config = config_.current();
  if (!config->storage.merkle_trees) return keyspace_->set_row_listener(nullptr, nullptr);
  RowTreesOptions options;
  options.dir = config->storage.dir + "/trees";
  Result<std::unique_ptr<RowTrees>> trees = RowTrees::open(*keyspace_, options);
  if (!trees.ok()) return trees.status();
  trees_ = std::move(*trees);
  return Status();
}

void Server::make_services() {
  const auto config = config_.current();
  const auto io_threads = static_cast<size_t>(
      config->general.effective_io_threads(std::thread::hardware_concurrency()));
  const auto workers = static_cast<size_t>(config->general.read_threads);
  // One slot more: that of the thread that accepts connections.
  stats_ = std::make_unique<ServerStats>(io_threads + workers + 1, command_count());
  Durability::Events events;
  events.synced = [this](uint64_t micros, const Status& status) {
    latency_.record(kLatencyFsync, micros, clock_.wall_ms() / 1000);
    if (!status.ok()) spdlog::error("sync failed: {}", status.message());
  };
  events.health_changed = [](const Status& status) {
    if (status.ok()) {
      spdlog::warn("the disk is well again: writes are accepted");
    } else {
      spdlog::error("writes are refused until the disk is well again: {}", status.message());
    }
  };
  durability_ = std::make_unique<Durability>(*engine_, clock_,
                                             sync_policy(config->storage.append_fsync), events);
  SnapshotsOptions snapshots;
  snapshots.dir = config->storage.dir;
  snapshots.keep = config->storage.snapshots_to_keep;
  snapshots.changes = [this] { return stats_->changes_since_start(); };
  snapshots_ = std::make_unique<Snapshots>(*engine_, clock_, snapshots);
  context_ = std::make_unique<ServerContext>(ServerContext{
      config_,
      *keyspace_,
      *engine_,
      clock_,
      clients_,
      pubsub_,
      *stats_,
      slowlog_,
      latency_,
      *snapshots_,
      pause_,
      *durability_,
      purge_,
      random_hex(40),
      config_.file(),
      std::filesystem::read_symlink("/proc/self/exe").string(),
      static_cast<uint16_t>(config->network.port),
      clock_.wall_ms(),
      io_threads,
      [this](ShutdownRequest request) { shutdown(request); },
      [this] { return threads_->active(); },
      [this](uint64_t micros) { stall_until_us_.store(clock_.monotonic_us() + micros); }});
  context_->trees = trees_.get();
  workers_ = std::make_unique<Workers>(*stats_, io_threads, workers);
  threads_ = std::make_unique<IoPool>(io_threads, config->general.io_threads != 0, *context_,
                                      *durability_, *workers_, stall_until_us_);
  (void)apply(*config, *config);
  config_.on_change(
      [this](const Config& previous, const Config& next) { return apply(previous, next); });
}

Status Server::apply(const Config& previous, const Config& next) {
  durability_->set_policy(sync_policy(next.storage.append_fsync));
  slowlog_.configure(next.monitor.slowlog_log_slower_than_us, next.monitor.slowlog_max_len);
  if (previous.log.level != next.log.level) set_log_level(next.log.level);
  latency_.set_threshold_ms(next.monitor.latency_monitor_threshold_ms);
  stats_->set_latency_tracking(next.monitor.latency_tracking);
  snapshots_->set_keep(next.storage.snapshots_to_keep);
  if (previous.storage.effective_row_cache_size() != next.storage.effective_row_cache_size()) {
    keyspace_->set_row_cache_bytes(next.storage.effective_row_cache_size());
  }
  if (ReplicationLog* log = keyspace_->replication_log(); log != nullptr) {
    log->set_backlog_bytes(next.replication.backlog_size);
  }
  if (cluster_) cluster_->apply(next);
  if (previous.clients.max_clients != next.clients.max_clients) {
    raise_descriptor_limit(next.clients.max_clients);
  }
  return Status();
}

Status Server::open_cluster() {
  const auto config = config_.current();
  if (!config->cluster.enabled) return Status();
  for (uint32_t db = 1; db < keyspace_->databases(); ++db) {
    if (keyspace_->key_count(static_cast<uint16_t>(db)) == 0) continue;
    return Status::invalid_argument(
        "database " + std::to_string(db) +
        " holds keys, and a node of a cluster has database 0 alone: start without "
        "'cluster-enabled yes' and move or delete them");
  }
  if (!trees_) {
    return Status::invalid_argument(
        "a node of a cluster finds by its trees what it lacks: 'merkle-trees no' is for nodes on "
        "their own");
  }
  Result<std::unique_ptr<ClusterService>> cluster =
      ClusterService::open(*config, {*keyspace_, *trees_, *durability_, clock_, pause_, pubsub_,
                                     clients_, [this] { return load(); }});
  if (!cluster.ok()) return cluster.status();
  cluster_ = std::move(*cluster);
  return Status();
}

Status Server::start_cluster() {
  if (!cluster_) return Status();
  const Status started = cluster_->start(*config_.current(), port());
  if (!started.ok()) return started;
  context_->cluster = &cluster_->cluster();
  proxy_ = std::make_unique<ProxyPool>(*context_);
  context_->proxy = proxy_.get();
  return Status();
}

Status Server::start_follower() {
  if (cluster_) return Status();
  follower_ = std::make_unique<RedisFollower>(*context_);
  context_->follower = follower_.get();
  return follower_->resume();
}

LoadFact Server::load() {
  LoadFact load;
  load.keys = keyspace_->key_count(0);
  load.bytes = engine_->stats().live_bytes;
  load.ops_per_s = stats_->rates().ops;
  load.clients = clients_.size();
  return load;
}

Status Server::listen() {
  const auto config = config_.current();
  raise_descriptor_limit(config->clients.max_clients);
  ThreadStats& slot =
      stats_->slot(threads_->size() + static_cast<size_t>(config->general.read_threads));
  listener_ = std::make_unique<Listener>(loop_, *context_, slot, *threads_);
  const Status opened = listener_->open(*config);
  if (!opened.ok()) return opened;
  const Status clustered = start_cluster();
  if (!clustered.ok()) return clustered;
  const Status followed = start_follower();
  if (!followed.ok()) return followed;
  threads_->start();
  return Status();
}

void Server::handle_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  signals_.add(SIGTERM);
  signals_.add(SIGINT);
  signals_.async_wait([this](const boost::system::error_code& error, int number) {
    if (error) return;
    spdlog::warn("received {}: shutting down", number == SIGTERM ? "SIGTERM" : "SIGINT");
    shutdown({});
  });
}

Status Server::run() {
  start_timer();
  loop_.run();
  stop();
  return ended_;
}

void Server::shutdown(ShutdownRequest request) {
  asio::post(loop_, [this, request] {
    if (request.save) {
      const Status flushed = engine_->flush();
      if (!flushed.ok()) spdlog::error("SHUTDOWN SAVE: {}", flushed.message());
    }
    loop_.stop();
  });
}

void Server::stop() {
  if (stopped_) return;
  stopped_ = true;
  if (listener_) listener_->close();
  if (threads_) {
    threads_->stop(std::chrono::steady_clock::now() +
                   std::chrono::seconds(config_.current()->general.shutdown_timeout_s));
  }
  if (workers_) workers_->stop();
  if (context_) context_->proxy = nullptr;
  proxy_.reset();
  if (context_) context_->follower = nullptr;
  follower_.reset();
  if (cluster_) cluster_->stop();
  if (snapshots_) snapshots_->wait();
  if (durability_ && config_.current()->storage.append_fsync != FsyncPolicy::kNever) {
    ended_ = durability_->sync_now();
    if (!ended_.ok()) spdlog::error("the last writes may not be durable: {}", ended_.message());
  }
  if (keyspace_ && keyspace_->replication_log() != nullptr && ended_.ok()) {
    const Status clean = keyspace_->mark_clean();
    if (!clean.ok()) spdlog::warn("the end of this run can't be noted: {}", clean.message());
  }
  if (trees_ && ended_.ok()) {
    const Status saved = trees_->save();
    if (!saved.ok()) spdlog::warn("the trees can't be saved: {}", saved.message());
  }
  durability_.reset();
  threads_.reset();
  workers_.reset();
}

void Server::start_timer() {
  timer_.expires_after(std::chrono::milliseconds(1000 / config_.current()->general.hz));
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    on_timer();
    start_timer();
  });
}

void Server::on_timer() {
  stats_->sample(clock_.monotonic_us() / 1000);
  expire();
  evict_clients();
  const uint64_t now_ms = clock_.monotonic_us() / 1000;
  if (now_ms - rebalanced_ms_ >= kRebalanceIntervalMs) {
    rebalanced_ms_ = now_ms;
    threads_->rebalance();
  }
  if (now_ms - settled_ms_ < kSettleIntervalMs) return;
  settled_ms_ = now_ms;
  settle_purge();
}

// One step after the other, so that other writers get the lock in between.
void Server::expire() {
  // Who follows deletes what the other does.
  if (follower_ && follower_->mode() != Follower::Mode::kNone) return;
  if (!engine_->health().ok() || expiring_.exchange(true)) return;
  workers_->post([this](ThreadStats&) {
    const uint64_t started_us = clock_.monotonic_us();
    uint64_t now_us = started_us;
    while (now_us - started_us < kExpireSpanUs) {
      Result<uint64_t> drained = keyspace_->expire_due(clock_.wall_ms(), kExpireStep);
      now_us = clock_.monotonic_us();
      if (drained.ok() && *drained > 0) durability_->note_write();
      if (!drained.ok() || *drained < kExpireStep) break;
    }
    latency_.record(kLatencyExpireCycle, now_us - started_us, clock_.wall_ms() / 1000);
    expiring_.store(false);
  });
}

void Server::settle_purge() {
  if (!engine_->health().ok() || compacting_.exchange(true)) return;
  workers_->post([this](ThreadStats&) {
    Result<bool> flushed = keyspace_->settle_purge();
    if (!flushed.ok()) {
      spdlog::warn("purge: {}", flushed.status().message());
    } else if (*flushed) {
      const Status compacted = engine_->compact({}, {});
      if (!compacted.ok()) spdlog::warn("compaction: {}", compacted.message());
    }
    compacting_.store(false);
  });
}

void Server::evict_clients() {
  const uint64_t limit = config_.current()->clients.max_memory.resolve(machine_memory());
  if (limit == 0) return;
  struct Held {
    uint64_t bytes;
    std::shared_ptr<Client> client;
  };
  std::vector<Held> held;
  uint64_t total = 0;
  for (const std::shared_ptr<Client>& client : clients_.all()) {
    const uint64_t bytes = client->shared.query_bytes.load(std::memory_order_relaxed) +
                           client->shared.output_bytes.load(std::memory_order_relaxed);
    total += bytes;
    if (bytes > 0 && !client->shared.no_evict.load(std::memory_order_relaxed)) {
      held.push_back({bytes, client});
    }
  }
  if (total <= limit) return;
  std::sort(held.begin(), held.end(),
            [](const Held& a, const Held& b) { return a.bytes > b.bytes; });
  ThreadStats& slot =
      stats_->slot(threads_->size() + static_cast<size_t>(config_.current()->general.read_threads));
  for (const Held& largest : held) {
    if (total <= limit) break;
    total -= largest.bytes;
    spdlog::warn(
        "closing client {}: the clients' buffers exceed 'maxmemory-clients' and its {} "
        "bytes are the most",
        largest.client->address, largest.bytes);
    slot.add(kClientsEvicted);
    largest.client->request_close();
  }
}

}  // namespace syntropy
