// INFO: the data, their safety, and what was done with them.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "server/cluster/cluster.h"
#include "server/commands/info.h"
#include "server/commands/pubsub.h"
#include "server/commands/table.h"
#include "server/config/config_store.h"
#include "server/context.h"
#include "server/snapshots.h"
#include "server/stats.h"
#include "storage/durability.h"
#include "storage/engine.h"
#include "storage/keyspace.h"
#include "storage/purge.h"

namespace syntropy {
namespace {

/// Error texts may come from the system; a line's end in them would end the field.
std::string on_one_line(std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\r' || c == '\n'; }, ' ');
  return line;
}

/// Calls `visit` with each command and subcommand.
template <class Visit>
void for_each_command(Visit visit) {
  for (const CommandSpec* spec : all_commands()) {
    visit(*spec);
    for (const CommandSpec& subcommand : spec->subcommands) visit(subcommand);
  }
}

}  // namespace

/// rdb_*: SAVE and BGSAVE. aof_*: the write-ahead log, which is always on.
void info_persistence(const Call& call, InfoSection& out) {
  const Snapshots::Info saves = call.server.snapshots.info();
  const bool healthy = call.server.engine.health().ok() && call.server.durability.last_sync_ok();
  out.flag("loading", false);
  out.flag("async_loading", false);
  out.field("rdb_changes_since_last_save", saves.changes_since_save);
  out.flag("rdb_bgsave_in_progress", saves.in_progress);
  out.field("rdb_last_save_time", saves.last_save_s);
  out.field("rdb_last_bgsave_status", saves.last_ok ? "ok" : "err");
  out.field("rdb_last_bgsave_time_sec", saves.last_duration_s);
  out.field("rdb_current_bgsave_time_sec", saves.current_duration_s);
  out.field("rdb_saves", saves.saves);
  const std::vector<std::string> snapshots = call.server.snapshots.list();
  out.field("snapshots", snapshots.size());
  out.field("snapshot_last", snapshots.empty() ? std::string() : snapshots.back());
  out.flag("aof_enabled", true);
  out.flag("aof_rewrite_in_progress", false);
  out.flag("aof_rewrite_scheduled", false);
  out.field("aof_last_rewrite_time_sec", -1);
  out.field("aof_current_rewrite_time_sec", -1);
  out.field("aof_last_bgrewrite_status", "ok");
  out.field("aof_last_write_status", healthy ? "ok" : "err");
  out.flag("aof_unsynced_writes", call.server.durability.has_unsynced());
  out.field("aof_last_sync_time_ms", call.server.durability.last_sync_ms());
}

void info_storage(const Call& call, InfoSection& out) {
  const Status health = call.server.engine.health();
  out.field("storage_status", health.ok() ? "ok" : "degraded");
  if (!health.ok()) out.field("storage_error", on_one_line(health.message()));
  // The first word says which policy it is; the rest explains it for the log.
  const std::string purge = call.server.purge.describe();
  out.field("storage_purge", purge.substr(0, purge.find(':')));
  const EngineStats engine = call.server.engine.stats();
  out.field("storage_live_bytes", engine.live_bytes);
  out.field("storage_disk_bytes", engine.disk_bytes);
  out.field("storage_files", engine.files);
  out.field("storage_memtable_bytes", engine.memtable_bytes);
  out.field("storage_block_cache_bytes", engine.block_cache_bytes);
  out.field("storage_block_cache_capacity", engine.block_cache_capacity);
  out.field("storage_table_reader_bytes", engine.table_reader_bytes);
  out.field("storage_pending_compaction_bytes", engine.pending_compaction_bytes);
  out.flag("storage_write_stalled", engine.write_stalled);
  for (const auto& [name, value] : engine.more) out.field("storage_" + name, on_one_line(value));
  const KeyspaceStats keyspace = call.server.keyspace.stats();
  out.field("row_cache_rows", keyspace.row_cache.rows);
  out.field("row_cache_bytes", keyspace.row_cache.bytes);
  out.field("row_cache_capacity", call.server.config.current()->storage.effective_row_cache_size());
  out.field("row_cache_hits", keyspace.row_cache.hits);
  out.field("row_cache_misses", keyspace.row_cache.misses);
  out.field("row_cache_evictions", keyspace.row_cache.evictions);
  out.field("writer_id", fmt::format("{:016x}", keyspace.writer_id));
  out.field("clock_refused_stamps", keyspace.clock_refusals);
  out.field("clock_worst_drift_ms", keyspace.clock_worst_drift_ms);
}

void info_stats(const Call& call, InfoSection& out) {
  const ServerStats& stats = call.server.stats;
  const ServerStats::Totals totals = stats.totals();
  const ServerStats::Rates rates = stats.rates();
  const uint64_t expired =
      call.server.keyspace.stats().expired_keys - stats.expired_keys_baseline();
  out.field("total_connections_received", totals[kConnectionsReceived]);
  out.field("total_commands_processed", totals[kCommandsProcessed]);
  out.field("instantaneous_ops_per_sec", rates.ops);
  out.field("total_net_input_bytes", totals[kInputBytes]);
  out.field("total_net_output_bytes", totals[kOutputBytes]);
  ReplicationStatus replication;
  if (call.server.cluster != nullptr) replication = call.server.cluster->replication();
  out.field("total_net_repl_input_bytes", replication.input_bytes);
  out.field("total_net_repl_output_bytes", replication.output_bytes);
  out.decimal("instantaneous_input_kbps", rates.input_bytes / 1024);
  out.decimal("instantaneous_output_kbps", rates.output_bytes / 1024);
  out.decimal("instantaneous_input_repl_kbps", 0);
  out.decimal("instantaneous_output_repl_kbps", 0);
  out.field("rejected_connections", totals[kConnectionsRejected]);
  out.field("sync_full", replication.full_syncs);
  out.field("sync_partial_ok", replication.partial_syncs);
  out.field("sync_partial_err", replication.partial_refusals);
  out.field("expired_keys", expired);
  out.field("evicted_keys", 0);
  out.field("evicted_clients", totals[kClientsEvicted]);
  out.field("keyspace_hits", totals[kKeyspaceHits]);
  out.field("keyspace_misses", totals[kKeyspaceMisses]);
  info_pubsub(call, out);
  out.field("latest_fork_usec", 0);
  out.field("total_forks", 0);
  out.field("migrate_cached_sockets", 0);
  out.field("slave_expires_tracked_keys", 0);
  out.field("active_defrag_hits", 0);
  out.field("active_defrag_misses", 0);
  out.field("active_defrag_key_hits", 0);
  out.field("active_defrag_key_misses", 0);
  out.field("tracking_total_keys", 0);
  out.field("tracking_total_items", 0);
  out.field("tracking_total_prefixes", 0);
  out.field("unexpected_error_replies", 0);
  out.field("total_error_replies", totals[kErrorReplies]);
  out.field("dump_payload_sanitizations", 0);
  out.field("total_reads_processed", totals[kReads]);
  out.field("total_writes_processed", totals[kWrites]);
  out.field("client_query_buffer_limit_disconnections", totals[kQueryLimitClosed]);
  out.field("client_output_buffer_limit_disconnections", totals[kOutputLimitClosed]);
  out.field("total_disk_fetches", totals[kFetches]);
}

void info_commandstats(const Call& call, InfoSection& out) {
  for_each_command([&](const CommandSpec& spec) {
    const ServerStats::CommandTotals totals = call.server.stats.command(command_index(spec));
    if (totals.empty()) return;
    const uint64_t micros = totals.nanos / 1000;
    const double mean = totals.calls == 0 ? 0.0
                                          : static_cast<double>(totals.nanos) / 1000.0 /
                                                static_cast<double>(totals.calls);
    out.field(fmt::format("cmdstat_{}", full_name(spec)),
              fmt::format("calls={},usec={},usec_per_call={:.2f},rejected_calls={},failed_calls={}",
                          totals.calls, micros, mean, totals.rejected, totals.failed));
  });
}

void info_errorstats(const Call& call, InfoSection& out) {
  for (const auto& [prefix, count] : call.server.stats.errors()) {
    out.field("errorstat_" + prefix, fmt::format("count={}", count));
  }
}

void info_latencystats(const Call& call, InfoSection& out) {
  const auto config = call.server.config.current();
  if (!config->monitor.latency_tracking) return;
  for_each_command([&](const CommandSpec& spec) {
    const LatencyCounts counts = call.server.stats.latency(command_index(spec));
    if (counts.total == 0) return;
    std::string percentiles;
    for (const double percent : config->monitor.latency_tracking_percentiles) {
      if (!percentiles.empty()) percentiles.push_back(',');
      percentiles += fmt::format("p{}={:.3f}", percent,
                                 static_cast<double>(counts.percentile_ns(percent)) / 1000.0);
    }
    out.field(fmt::format("latency_percentiles_usec_{}", full_name(spec)), percentiles);
  });
}

/// The counts are those of now, expired keys that wait for removal included, as in Redis. How long
/// keys have to live on average is not recorded.
void info_keyspace(const Call& call, InfoSection& out) {
  for (uint32_t db = 0; db < call.server.keyspace.databases(); ++db) {
    const uint64_t keys = call.server.keyspace.key_count(static_cast<uint16_t>(db));
    if (keys == 0) continue;
    out.field(fmt::format("db{}", db),
              fmt::format("keys={},expires={},avg_ttl=0", keys,
                          call.server.keyspace.expiring_count(static_cast<uint16_t>(db))));
  }
}

}  // namespace syntropy
