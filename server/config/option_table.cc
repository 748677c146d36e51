// The options themselves, by group. To add one: a field in config.h, an entry here, and the two
// generated documents (see help.h).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/config/config.h"
#include "server/config/option_builders.h"
#include "server/config/options.h"
#include "server/config/values.h"

namespace syntropy {
namespace {

constexpr std::int64_t kMaxInt = std::numeric_limits<int>::max();
constexpr std::int64_t kMaxInt64 = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t kMaxBytes = std::numeric_limits<std::int64_t>::max();

constexpr auto kAtStart = TableBuilder::kAtStart;
constexpr auto kChangeable = TableBuilder::kChangeable;
constexpr auto kSensitive = TableBuilder::kSensitive;

template <class Enum>
constexpr int number(Enum value) {
  return static_cast<int>(value);
}

void add_network(TableBuilder& table) {
  table.begin(OptionGroup::kNetwork);
  table.add("bind", kAtStart,
            "Addresses to listen on; '*' is every IPv4 and '::*' every IPv6 interface. An address "
            "after '-' may be missing on this machine.",
            bind_option());
  table.add("port", kAtStart, "TCP port; 0 listens on no TCP port.",
            integer_option(SYNTROPY_FIELD(std::int64_t, network.port), "port", 0, 65535));
  table.add("unixsocket", kAtStart, "Path of a unix socket to listen on as well; none when empty.",
            string_option(SYNTROPY_FIELD(std::string, network.unix_socket), "<path>"));
  table.add("unixsocketperm", kAtStart,
            "File mode of the unix socket; 0 leaves what the umask gives.",
            octal_option(SYNTROPY_FIELD(unsigned, network.unix_socket_perm)));
  table.add(
      "tcp-backlog", kAtStart,
      "Connections that may wait to be accepted; the kernel may allow less.",
      integer_option(SYNTROPY_FIELD(std::int64_t, network.tcp_backlog), "connections", 1, kMaxInt));
  table.add(
      "tcp-keepalive", kChangeable,
      "Silence after which a client's connection is probed; 0 never probes.",
      integer_option(SYNTROPY_FIELD(std::int64_t, network.tcp_keepalive_s), "seconds", 0, kMaxInt));
  table.add("protected-mode", kChangeable, "Without a password, refuse clients of other machines.",
            bool_option(SYNTROPY_FIELD(bool, network.protected_mode)));
}

void add_security(TableBuilder& table) {
  table.begin(OptionGroup::kSecurity);
  table.add("requirepass", kChangeable | kSensitive,
            "Password that clients must give with AUTH or HELLO; none when empty.",
            string_option(SYNTROPY_FIELD(std::string, security.require_pass), "<password>"));
  table.add("rename-command", kAtStart,
            "Gives a command another name, or removes it with the name \"\". May stand several "
            "times.",
            rename_command_option());
  table.add("enable-debug-command", kAtStart,
            "Who may use DEBUG: nobody, everybody, or clients on this machine.",
            enum_option(SYNTROPY_FIELD(int, security.enable_debug_command),
                        {{"no", number(DebugCommand::kNo)},
                         {"yes", number(DebugCommand::kYes)},
                         {"local", number(DebugCommand::kLocal)}}));
}

void add_clients(TableBuilder& table) {
  table.begin(OptionGroup::kClients);
  table.add("maxclients", kChangeable, "Clients connected at one time; more are turned away.",
            integer_option(SYNTROPY_FIELD(std::int64_t, clients.max_clients), "clients", 1,
                           std::numeric_limits<std::uint32_t>::max()));
  table.add("timeout", kChangeable, "Idle time after which a client is closed; 0 is never.",
            integer_option(SYNTROPY_FIELD(std::int64_t, clients.timeout_s), "seconds", 0, kMaxInt));
  table.add(
      "proto-max-bulk-len", kChangeable, "Longest single argument or value.",
      memory_option(SYNTROPY_FIELD(std::uint64_t, clients.proto_max_bulk_len), kMiB, kMaxBytes));
  table.add(
      "client-query-buffer-limit", kChangeable,
      "A client whose unexecuted input exceeds this is closed.",
      memory_option(SYNTROPY_FIELD(std::uint64_t, clients.query_buffer_limit), kMiB, kMaxBytes));
  table.add("client-output-buffer-limit", kChangeable,
            "Per class (normal, replica, pubsub): a client whose unread replies exceed <hard>, or "
            "<soft> for <seconds>, is closed. 0 is no limit. May stand several times.",
            output_limits_option());
  table.add("maxmemory-clients", kChangeable,
            "Bound on the buffers of all clients together, in bytes or percent of the machine's "
            "memory; the largest clients are closed first. 0 is no bound.",
            memory_limit_option(SYNTROPY_FIELD(MemoryLimit, clients.max_memory)));
}

void add_general(TableBuilder& table) {
  table.begin(OptionGroup::kGeneral);
  Option include;
  include.argument = "<path>";
  include.many_arguments = true;
  include.file_only = true;
  table.add("include", kAtStart,
            "Reads another file here; '*', '?' and '[' in the path read all that match, none is "
            "no error. May stand several times.",
            std::move(include));
  table.add("databases", kAtStart, "Databases that SELECT can choose from.",
            integer_option(SYNTROPY_FIELD(std::int64_t, general.databases), "count", 1, 65536));
  table.add(
      "io-threads", kAtStart,
      "Threads that serve clients; auto is as many as the load needs, up to one for each core.",
      integer_or_auto_option(SYNTROPY_FIELD(std::int64_t, general.io_threads), "count", 128));
  table.add("read-threads", kAtStart,
            "Threads that fetch rows from disk, so that no other client waits for them.",
            integer_option(SYNTROPY_FIELD(std::int64_t, general.read_threads), "count", 1, 256));
  table.add("hz", kChangeable, "Rounds of periodic work, such as checking idle clients.",
            integer_option(SYNTROPY_FIELD(std::int64_t, general.hz), "per second", 1, 500));
  table.add("shutdown-timeout", kChangeable,
            "How long a shutdown waits for the last replies to leave; 0 does not wait.",
            integer_option(SYNTROPY_FIELD(std::int64_t, general.shutdown_timeout_s), "seconds", 0,
                           kMaxInt));
  table.add("pidfile", kAtStart,
            "File that holds the process id while the server runs; none when empty.",
            string_option(SYNTROPY_FIELD(std::string, general.pid_file), "<path>"));
  table.add("supervised", kAtStart,
            "Tell systemd (Type=notify) when the server is ready; auto does so when asked to.",
            enum_option(SYNTROPY_FIELD(int, general.supervised),
                        {{"no", number(Supervision::kNone)},
                         {"systemd", number(Supervision::kSystemd)},
                         {"auto", number(Supervision::kAuto)}}));
}

void add_logging(TableBuilder& table) {
  table.begin(OptionGroup::kLogging);
  table.add("loglevel", kChangeable, "The least important messages that are logged.",
            enum_option(SYNTROPY_FIELD(int, log.level), {{"debug", number(LogLevel::kDebug)},
                                                         {"verbose", number(LogLevel::kVerbose)},
                                                         {"notice", number(LogLevel::kNotice)},
                                                         {"warning", number(LogLevel::kWarning)},
                                                         {"nothing", number(LogLevel::kNothing)}}));
  table.add("logfile", kAtStart, "File to log to; standard output when empty.",
            string_option(SYNTROPY_FIELD(std::string, log.file), "<path>"));
}

void add_durability(TableBuilder& table) {
  table.begin(OptionGroup::kDurability);
  table.add("dir", kAtStart, "Folder of the data; created when missing.",
            string_option(SYNTROPY_FIELD(std::string, storage.dir), "<path>"));
  table.add("appendfsync", kChangeable,
            "When a write is forced to disk: before its reply, once a second, or when the system "
            "likes.",
            enum_option(SYNTROPY_FIELD(int, storage.append_fsync),
                        {{"everysec", number(FsyncPolicy::kEverySecond)},
                         {"always", number(FsyncPolicy::kAlways)},
                         {"no", number(FsyncPolicy::kNever)}}));
  table.add("wal-recovery", kAtStart,
            "At a corrupted record of the log: strict refuses to start, salvage recovers up to the "
            "last intact record.",
            enum_option(SYNTROPY_FIELD(int, storage.wal_recovery),
                        {{"strict", number(WalRecovery::kStrict)},
                         {"salvage", number(WalRecovery::kSalvage)}}));
  table.add("merkle-trees", kAtStart,
            "Keep the trees by which nodes find the rows in which they differ; without them they "
            "can't be compared.",
            bool_option(SYNTROPY_FIELD(bool, storage.merkle_trees)));
  table.add("max-clock-drift-ms", kAtStart,
            "How far ahead of ours another node's clock may be before its stamps no longer move "
            "our clock.",
            integer_option(SYNTROPY_FIELD(std::int64_t, storage.max_clock_drift_ms), "milliseconds",
                           1, 86400000));
}

std::vector<EnumName> compression_names() {
  return {{"lz4", number(Compression::kLz4)},
          {"zstd", number(Compression::kZstd)},
          {"snappy", number(Compression::kSnappy)},
          {"none", number(Compression::kNone)}};
}

/// bottommost-compression as a number: -1 is auto.
Field<int> bottommost_compression_field() {
  return {[](const Config& config) {
            const auto& value = config.storage.bottommost_compression;
            return value ? number(*value) : -1;
          },
          [](Config& config, int value) {
            config.storage.bottommost_compression.reset();
            if (value >= 0) config.storage.bottommost_compression = static_cast<Compression>(value);
          }};
}

void add_memory(TableBuilder& table) {
  using OptionalSize = std::optional<std::uint64_t>;
  table.begin(OptionGroup::kStorage);
  table.add(
      "block-cache-size", kAtStart, "Memory for blocks of the data files.",
      memory_option(SYNTROPY_FIELD(std::uint64_t, storage.block_cache_size), kMiB, kMaxBytes));
  table.add(
      "row-cache-size", kChangeable,
      "Memory for single rows that were read or written lately; auto is "
      "block-cache-size, 0 is none.",
      memory_or_auto_option(SYNTROPY_FIELD(OptionalSize, storage.row_cache_size), 0, kMaxBytes));
  table.add(
      "write-buffer-size", kAtStart,
      "Writes collected in memory before a data file is made of them; auto is a quarter of what "
      "block-cache-size has beyond 32mb, within 4mb..64mb.",
      memory_or_auto_option(SYNTROPY_FIELD(OptionalSize, storage.write_buffer_size), kMiB, kGiB));
}

/// -1, or enough for RocksDB to work with.
Option max_open_files_option() {
  static constexpr int kLeast = 64;
  Option option =
      integer_option(SYNTROPY_FIELD(std::int64_t, storage.max_open_files), "count", -1, kMaxInt);
  option.set = [set = option.set](Config& config, const Option::Arguments& arguments) {
    Config changed = config;
    const Status status = set(changed, arguments);
    if (!status.ok()) return status;
    const int files = changed.storage.max_open_files;
    if (files >= 0 && files < kLeast) {
      return Status::invalid_argument(fmt::format("argument must be -1 or at least {}", kLeast));
    }
    config = std::move(changed);
    return Status();
  };
  return option;
}

void add_files(TableBuilder& table) {
  table.add(
      "max-background-jobs", kAtStart, "Flushes and compactions that run at one time.",
      integer_option(SYNTROPY_FIELD(std::int64_t, storage.max_background_jobs), "count", 1, 64));
  table.add("max-open-files", kAtStart, "Data files held open, at least 64; -1 is all of them.",
            max_open_files_option());
  table.add("compression", kAtStart, "How data files are compressed.",
            enum_option(SYNTROPY_FIELD(int, storage.compression), compression_names()));
  auto bottommost = compression_names();
  bottommost.insert(bottommost.begin(), {"auto", -1});
  table.add("bottommost-compression", kAtStart,
            "How the oldest and largest data files are compressed; auto is as compression says.",
            enum_option(bottommost_compression_field(), std::move(bottommost)));
  table.add(
      "bloom-bits-per-key", kAtStart,
      "Filter bits that spare looking for absent keys; 10 let 1 in 100 through, 0 is none.",
      integer_option(SYNTROPY_FIELD(std::int64_t, storage.bloom_bits_per_key), "bits", 0, 32));
  table.add("block-size", kAtStart,
            "Unit of reading and compressing; larger compresses better and reads more.",
            memory_option(SYNTROPY_FIELD(std::uint64_t, storage.block_size), kKiB, kMiB));
  table.add("bytes-per-sync", kAtStart,
            "Written bytes after which write-back to disk begins, so that it never comes all at "
            "once; 0 leaves it to the system.",
            memory_option(SYNTROPY_FIELD(std::uint64_t, storage.bytes_per_sync), 0, kGiB));
  table.add("target-file-size", kAtStart, "Size of a data file of the first sorted level.",
            memory_option(SYNTROPY_FIELD(std::uint64_t, storage.target_file_size), kMiB, kGiB));
  table.add(
      "snapshots-to-keep", kChangeable,
      "Snapshots that stay when SAVE or BGSAVE makes another one; 0 is all.",
      integer_option(SYNTROPY_FIELD(std::int64_t, storage.snapshots_to_keep), "count", 0, kMaxInt));
}

void add_monitoring(TableBuilder& table) {
  table.begin(OptionGroup::kMonitoring);
  table.add("slowlog-log-slower-than", kChangeable,
            "Commands that take longer are noted in SLOWLOG; 0 notes all, -1 none.",
            integer_option(SYNTROPY_FIELD(std::int64_t, monitor.slowlog_log_slower_than_us),
                           "microseconds", -1, kMaxInt64));
  table.add("slowlog-max-len", kChangeable, "Entries that SLOWLOG keeps.",
            integer_option(SYNTROPY_FIELD(std::int64_t, monitor.slowlog_max_len), "entries", 0,
                           kMaxInt64));
  table.add("latency-monitor-threshold", kChangeable,
            "Events that take at least this long are noted in LATENCY; 0 is off.",
            integer_option(SYNTROPY_FIELD(std::int64_t, monitor.latency_monitor_threshold_ms),
                           "milliseconds", 0, kMaxInt64));
  table.add("latency-tracking", kChangeable,
            "Measure the distribution of each command's time, for INFO and LATENCY HISTOGRAM.",
            bool_option(SYNTROPY_FIELD(bool, monitor.latency_tracking)));
  table.add("latency-tracking-info-percentiles", kChangeable,
            "Percentiles that INFO latencystats shows.",
            percentiles_option("latency-tracking-info-percentiles"));
}

Result<std::string> parse_fixed_bool(const Option::Arguments& words) {
  const auto value = parse_bool(words.front());
  if (!value.ok()) return value.status();
  return std::string(*value ? "yes" : "no");
}

Result<std::string> parse_fixed_memory(const Option::Arguments& words) {
  const auto value = parse_memory(words.front(), 0, kMaxBytes);
  if (!value.ok()) return value.status();
  return fmt::format("{}", *value);
}

Result<std::string> parse_fixed_integer(const Option::Arguments& words) {
  const auto value =
      parse_integer(words.front(), std::numeric_limits<std::int64_t>::min(), kMaxInt64);
  if (!value.ok()) return value.status();
  return fmt::format("{}", *value);
}

Result<std::string> parse_fixed_text(const Option::Arguments& words) {
  return to_lower(fmt::format("{}", fmt::join(words, " ")));
}

/// Options that tools of Redis read or set to the one value that is true here.
void add_fixed(TableBuilder& table) {
  table.begin(OptionGroup::kFixed);
  table.add("appendonly", kChangeable, "Every write is in the log before it is answered.",
            fixed_option("yes", "yes", "argument must be 'yes': the log is how data is stored",
                         parse_fixed_bool));
  Option& save = table.add(
      "save", kChangeable, "There is no snapshot schedule; BGSAVE takes a checkpoint.",
      fixed_option("", "\"\"",
                   "argument must be \"\": data is on disk as it is written, so there is no "
                   "snapshot schedule",
                   parse_fixed_text));
  save.many_arguments = true;
  table.add("maxmemory", kChangeable, "Data lives on disk; nothing is evicted.",
            fixed_option("0", "0",
                         "argument must be 0: data lives on disk and nothing is evicted; see "
                         "block-cache-size for the memory of the cache",
                         parse_fixed_memory));
  table.add("maxmemory-policy", kChangeable, "Nothing is evicted.",
            fixed_option("noeviction", "noeviction",
                         "argument must be noeviction: data lives on disk and nothing is evicted",
                         parse_fixed_text));
  table.add(
      "notify-keyspace-events", kChangeable, "There are no keyspace notifications.",
      fixed_option("", "\"\"", "argument must be \"\": keyspace notifications are not supported",
                   parse_fixed_text));
  Option& busy = table.add(
      "busy-reply-threshold", kChangeable, "There are no scripts that could keep the server busy.",
      fixed_option("0", "0",
                   "argument must be 0: scripts are not supported, so no client is ever answered "
                   "with BUSY",
                   parse_fixed_integer));
  busy.alias = "lua-time-limit";
  table.add("daemonize", kAtStart, "The server stays in the foreground.",
            fixed_option("no", "no",
                         "argument must be 'no': run the server under a service manager such as "
                         "systemd (see supervised)",
                         parse_fixed_bool));
}

}  // namespace

std::vector<Option> build_option_table() {
  TableBuilder table;
  add_network(table);
  add_security(table);
  add_clients(table);
  add_general(table);
  add_logging(table);
  add_durability(table);
  add_memory(table);
  add_files(table);
  add_monitoring(table);
  add_cluster_options(table);
  add_fixed(table);
  return table.take();
}

}  // namespace syntropy
