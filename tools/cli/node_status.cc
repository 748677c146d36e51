#include "tools/cli/node_status.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "tools/cli/progress.h"

namespace syntropy {
namespace {

/// Reads fields of INFO; what is missing or no number reads as zero.
class Reader {
 public:
  explicit Reader(const InfoFields& info) : info_(info) {}

  std::string text(std::string_view name) const {
    const auto found = info_.find(name);
    return found == info_.end() ? std::string() : found->second;
  }
  uint64_t number(std::string_view name) const { return parse<uint64_t>(text(name)); }
  double decimal(std::string_view name) const { return parse<double>(text(name)); }
  bool flag(std::string_view name) const { return number(name) != 0; }
  /// False only when the field is there and says something else.
  bool ok(std::string_view name) const {
    const std::string value = text(name);
    return value.empty() || value == "ok";
  }

  template <class Number>
  static Number parse(std::string_view text) {
    Number value{};
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  }

 private:
  const InfoFields& info_;
};

/// The number behind `name=` in "keys=3,expires=1,avg_ttl=0".
uint64_t part_of(std::string_view line, std::string_view name) {
  const size_t at = line.find(name);
  return at == line.npos ? 0 : Reader::parse<uint64_t>(line.substr(at + name.size()));
}

std::vector<NodeStatus::Database> read_databases(const InfoFields& info) {
  std::vector<NodeStatus::Database> databases;
  for (const auto& [name, value] : info) {
    if (!name.starts_with("db") || !value.starts_with("keys=")) continue;
    databases.push_back({Reader::parse<uint32_t>(std::string_view(name).substr(2)),
                         part_of(value, "keys="), part_of(value, "expires=")});
  }
  std::sort(databases.begin(), databases.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  return databases;
}

void read_durability(const Reader& info, NodeStatus* status) {
  status->last_sync_ok = info.ok("aof_last_write_status");
  status->last_sync_ms = info.number("aof_last_sync_time_ms");
  status->node_time_ms = info.number("server_time_usec") / 1000;
  status->unsynced_writes = info.flag("aof_unsynced_writes");
  status->degraded = !info.ok("storage_status");
  status->degraded_why = info.text("storage_error");
  status->recoveries = info.number("storage_rocksdb_recoveries");
  status->tail_dropped = info.flag("storage_rocksdb_unsynced_tail_dropped_at_start");
  status->snapshots = info.number("snapshots");
  status->snapshot_last = info.text("snapshot_last");
  status->snapshot_in_progress = info.flag("rdb_bgsave_in_progress");
  status->snapshot_ok = info.ok("rdb_last_bgsave_status");
  status->snapshots_made = info.number("rdb_saves");
  status->changes_since_snapshot = info.number("rdb_changes_since_last_save");
  status->clock_refusals = info.number("clock_refused_stamps");
  status->clock_worst_drift_ms = info.number("clock_worst_drift_ms");
}

}  // namespace

InfoFields parse_info(std::string_view text) {
  InfoFields fields;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const size_t colon = line.find(':');
    if (line.starts_with('#') || colon == line.npos) continue;
    fields.emplace(line.substr(0, colon), line.substr(colon + 1));
  }
  return fields;
}

Result<NodeStatus> read_node_status(const InfoFields& fields, std::string_view sync_policy) {
  const Reader info(fields);
  NodeStatus status;
  status.version = info.text("syntropy_version");
  if (status.version.empty()) {
    return Status::invalid_argument(
        "this is not a Syntropy node: its INFO has no field "
        "syntropy_version");
  }
  status.redis_version = info.text("redis_version");
  // "master" is Redis' word for it, which its clients look for.
  status.role = info.text("role") == "master" ? "primary" : "replica";
  status.run_id = info.text("run_id");
  status.process_id = info.number("process_id");
  status.uptime_s = info.number("uptime_in_seconds");
  status.loading = info.flag("loading");
  status.clients = info.number("connected_clients");
  status.max_clients = info.number("maxclients");
  status.waiting_clients = info.number("blocked_clients");
  status.ops_per_s = info.number("instantaneous_ops_per_sec");
  status.input_kib_per_s = info.decimal("instantaneous_input_kbps");
  status.output_kib_per_s = info.decimal("instantaneous_output_kbps");
  status.databases = read_databases(fields);
  status.memory_bytes = info.number("used_memory");
  status.resident_bytes = info.number("used_memory_rss");
  status.row_cache_bytes = info.number("mem_row_cache");
  status.block_cache_bytes = info.number("mem_block_cache");
  status.memtable_bytes = info.number("mem_memtables");
  status.store_live_bytes = info.number("storage_live_bytes");
  status.store_disk_bytes = info.number("storage_disk_bytes");
  status.store_files = info.number("storage_files");
  status.pending_compaction_bytes = info.number("storage_pending_compaction_bytes");
  status.write_stalled = info.flag("storage_write_stalled");
  status.sync_policy = sync_policy;
  read_durability(info, &status);
  return status;
}

std::vector<std::string> NodeStatus::problems() const {
  std::vector<std::string> found;
  if (loading) found.emplace_back("it is still starting");
  if (degraded) {
    found.push_back(fmt::format("the disk failed and writes are refused until it is well again: {}",
                                degraded_why.empty() ? "no reason given" : degraded_why));
  } else if (!last_sync_ok) {
    found.emplace_back("the last sync to disk failed: the newest writes may not be durable");
  }
  if (!snapshot_ok) {
    found.emplace_back("the last snapshot failed; the node's log says why");
  }
  return found;
}

std::vector<std::string> NodeStatus::warnings() const {
  std::vector<std::string> found;
  if (clock_refusals != 0) {
    found.push_back(fmt::format(
        "clock: {} stamps of other nodes were too far ahead, by up to {}; compare the clocks of "
        "the machines",
        with_separators(clock_refusals), duration_text(clock_worst_drift_ms / 1000)));
  }
  if (write_stalled) {
    found.push_back(
        fmt::format("writes are slowed down: {} wait for compaction; the disk cannot keep up",
                    bytes_text(pending_compaction_bytes)));
  }
  if (recoveries != 0) {
    found.push_back(
        fmt::format("the disk failed and recovered {} times since the start", recoveries));
  }
  if (tail_dropped) {
    found.emplace_back(
        "the last end of the node (power, kernel) lost writes that had never been "
        "synced; none was promised to be durable");
  }
  if (max_clients != 0 && clients * 10 >= max_clients * 9) {
    found.push_back(fmt::format("{} of {} allowed clients are connected", clients, max_clients));
  }
  return found;
}

}  // namespace syntropy
