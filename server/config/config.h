// Config: every setting of a node as plain typed fields, with defaults and units.
//
// A Config is a value. The node reads one at start (server/config/load.h) and publishes it, and
// each later version that CONFIG SET makes, as an immutable snapshot through a ConfigStore
// (server/config/config_store.h). Which option name sets which field, its bounds and whether it may
// change at run time stand in one place: server/config/option_table.cc. What each option means to a
// user stands in docs/configuration.md.
//
// Units: sizes are bytes, durations carry their unit in the name. "0 = ..." says what zero means.
//
// Thread safety: a value; a published snapshot is never written again, so any thread may read it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/cluster/write_acks.h"
#include "storage/rocks_options.h"  // WalRecovery

namespace syntropy {

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;

enum class LogLevel : std::uint8_t { kDebug, kVerbose, kNotice, kWarning, kNothing };
enum class FsyncPolicy : std::uint8_t { kAlways, kEverySecond, kNever };
enum class Compression : std::uint8_t { kNone, kSnappy, kLz4, kZstd };
enum class Supervision : std::uint8_t { kNone, kSystemd, kAuto };
enum class DebugCommand : std::uint8_t { kNo, kYes, kLocal };

/// One address to listen on. `address` is an IPv4 or IPv6 literal or a host name, `*` for every
/// IPv4 interface, `::*` for every IPv6 interface. When it cannot be bound, an optional address is
/// skipped if this machine does not have it; any other address stops the start.
struct BindAddress {
  std::string address;
  bool optional = false;
  bool operator==(const BindAddress&) const = default;
};

/// A client whose unsent replies exceed `hard_bytes`, or `soft_bytes` for `soft_seconds` without a
/// break, is closed. 0 = no such limit.
struct OutputLimit {
  std::uint64_t hard_bytes = 0;
  std::uint64_t soft_bytes = 0;
  std::uint64_t soft_seconds = 0;
  bool operator==(const OutputLimit&) const = default;
};

/// Which OutputLimit applies to a client; the index into ClientConfig::output_limits.
enum class ClientClass : std::uint8_t { kNormal = 0, kReplica = 1, kPubSub = 2 };
inline constexpr std::size_t kClientClassCount = 3;

/// A size in bytes or, when `percent` is not 0, in percent (1..100) of the machine's memory.
struct MemoryLimit {
  std::uint64_t bytes = 0;
  unsigned percent = 0;
  /// Bytes; 0 = no limit. `total_bytes` is the memory this process may use: the machine's, or its
  /// control group's where that is less.
  std::uint64_t resolve(std::uint64_t total_bytes) const;
  bool operator==(const MemoryLimit&) const = default;
};

struct NetworkConfig {
  std::vector<BindAddress> bind = {{"127.0.0.1", false}, {"::1", true}};
  int port = 7379;                // 0 = no TCP listener
  std::string unix_socket;        // path; empty = none
  unsigned unix_socket_perm = 0;  // mode bits; 0 = what the umask leaves
  int tcp_backlog = 511;          // entries of the accept queue
  int tcp_keepalive_s = 300;      // 0 = no keepalive probes
  /// Without a password, only loopback and unix socket clients are served.
  bool protected_mode = true;
  bool operator==(const NetworkConfig&) const = default;
};

struct SecurityConfig {
  std::string require_pass;  // empty = no password
  /// (name, new name) in the order given; an empty new name removes the command.
  std::vector<std::pair<std::string, std::string>> rename_command;
  DebugCommand enable_debug_command = DebugCommand::kNo;
  bool operator==(const SecurityConfig&) const = default;
};

struct ClientConfig {
  std::uint32_t max_clients = 10000;
  int timeout_s = 0;  // an idle client is closed after this; 0 = never
  std::uint64_t proto_max_bulk_len = 512 * kMiB;
  std::uint64_t query_buffer_limit = 1 * kGiB;
  std::array<OutputLimit, kClientClassCount> output_limits = {
      OutputLimit{1 * kGiB, 256 * kMiB, 60},
      OutputLimit{256 * kMiB, 64 * kMiB, 60},
      OutputLimit{32 * kMiB, 8 * kMiB, 60},
  };
  /// Bound on the buffers of all clients together; the largest are closed first.
  MemoryLimit max_memory{0, 25};

  const OutputLimit& output_limit(ClientClass c) const {
    return output_limits[static_cast<std::size_t>(c)];
  }
  bool operator==(const ClientConfig&) const = default;
};

struct GeneralConfig {
  int databases = 16;           // 1..65536
  int io_threads = 0;           // 0 = auto: as needed, up to one per core
  int read_threads = 4;         // workers that read rows missing in memory
  int hz = 10;                  // rounds per second of periodic work, 1..500
  int shutdown_timeout_s = 10;  // how long a shutdown waits for replies to leave; 0 = not at all
  std::string pid_file;         // empty = none
  Supervision supervised = Supervision::kNone;

  /// `io_threads`, or `cores` (at least 1) when it is auto.
  int effective_io_threads(unsigned cores) const;
  bool operator==(const GeneralConfig&) const = default;
};

struct LogConfig {
  LogLevel level = LogLevel::kNotice;
  std::string file;  // empty = standard output
  bool operator==(const LogConfig&) const = default;
};

struct StorageConfig {
  std::string dir = "./data";  // created when missing
  FsyncPolicy append_fsync = FsyncPolicy::kEverySecond;
  WalRecovery wal_recovery = WalRecovery::kStrict;
  bool merkle_trees = true;
  std::uint64_t block_cache_size = 256 * kMiB;
  std::optional<std::uint64_t> row_cache_size;     // nullopt = auto, 0 = no row cache
  std::optional<std::uint64_t> write_buffer_size;  // one memtable; nullopt = auto
  int max_background_jobs = 2;                     // flushes and compactions at one time
  int max_open_files = -1;                         // -1 = keep all table files open
  Compression compression = Compression::kLz4;
  std::optional<Compression> bottommost_compression;  // nullopt = auto: same as `compression`
  int bloom_bits_per_key = 20;                        // 0 = no bloom filters
  std::uint64_t block_size = 4 * kKiB;
  std::uint64_t bytes_per_sync = 1 * kMiB;  // 0 = leave write-back to the operating system
  std::uint64_t target_file_size = 64 * kMiB;
  std::uint64_t snapshots_to_keep = 2;  // 0 = all
  /// A remote version's clock further ahead than this does not drag ours along (counted, alarmed).
  std::uint64_t max_clock_drift_ms = 60000;

  std::uint64_t effective_row_cache_size() const;     // auto = block_cache_size
  std::uint64_t effective_write_buffer_size() const;  // auto = 1/4 of block_cache_size, 4..64 MiB
  Compression effective_bottommost_compression() const {
    return bottommost_compression.value_or(compression);
  }
  bool operator==(const StorageConfig&) const = default;
};

struct MonitorConfig {
  std::int64_t slowlog_log_slower_than_us = 10000;  // 0 = log all, -1 = log none
  std::uint64_t slowlog_max_len = 128;              // entries
  std::uint64_t latency_monitor_threshold_ms = 0;   // 0 = off
  bool latency_tracking = true;
  std::vector<double> latency_tracking_percentiles = {50, 99, 99.9};  // 0..100 each
  bool operator==(const MonitorConfig&) const = default;
};

struct ReplicationConfig {
  std::uint64_t backlog_size = 64 * kMiB;
  int ping_replica_period_s = 10;
  int timeout_s = 60;
  std::uint64_t anti_entropy_rate = 0;      // bytes a second; 0 = no bound
  std::uint64_t anti_entropy_row_rate = 0;  // rows a second; 0 = no bound
  int anti_entropy_interval_s = 60;         // 0 = never
  std::uint64_t min_replicas_to_write = 0;  // 0 = none needed
  std::string master_user;                  // to follow a redis-server; empty = "default"
  std::string master_auth;                  // empty = it wants no password
  bool leave_out = false;                   // of its keys, those of types that aren't here
  int min_replicas_max_lag_s = 10;          // 0 = min_replicas_to_write doesn't count
  bool operator==(const ReplicationConfig&) const = default;
};

/// What a client is told whose request is for another node: where that is, or the reply.
enum class ClusterRouting : std::uint8_t { kRedirect, kProxy };

struct ClusterTls {
  std::string cert_file;
  std::string key_file;
  std::string ca_cert_file;
  bool operator==(const ClusterTls&) const = default;
};

struct ClusterConfig {
  bool enabled = false;
  int port = 0;  // of the bus; 0 = the client port + kClusterPortDistance
  std::uint64_t node_timeout_ms = 15000;
  std::string secret;  // empty = peers are taken as what they say
  ClusterTls tls;      // all empty = no TLS
  // What other nodes are told of this one; empty or 0 = what it really is.
  std::string announce_ip;
  std::string announce_hostname;
  int announce_port = 0;
  int announce_bus_port = 0;
  ClusterRouting routing = ClusterRouting::kRedirect;  // of clients on `port`
  int proxy_port = 0;                                  // whose clients are always kProxy; 0 = none
  bool require_full_coverage = true;
  bool allow_reads_when_down = false;
  bool slot_stats = false;
  std::int64_t slot_migration_log_max_len = 1000;
  std::int64_t slot_migration_percent = 12;
  bool allow_pubsubshard_when_down = true;
  std::string sentinel_master_name;  // empty = primaries are known by their shard ids alone
  std::uint64_t replica_validity_factor = 10;  // 0 = any replica may stand for election
  bool replica_no_failover = false;
  bool allow_replica_migration = true;
  WriteAcks write_acks = WriteAcks::kOne;
  std::uint64_t write_acks_timeout_ms = 1000;

  bool operator==(const ClusterConfig&) const = default;
};
inline constexpr int kClusterPortDistance = 10000;

struct Config {
  NetworkConfig network;
  SecurityConfig security;
  ClientConfig clients;
  GeneralConfig general;
  LogConfig log;
  StorageConfig storage;
  MonitorConfig monitor;
  ReplicationConfig replication;
  ClusterConfig cluster;

  /// The bus' port; 0 = any free one. Above 65535 when the client port leaves no room for it.
  int effective_cluster_port() const;
  bool operator==(const Config&) const = default;
};

}  // namespace syntropy
