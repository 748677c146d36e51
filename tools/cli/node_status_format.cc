// NodeStatus on a screen and as JSON.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/cli/node_status.h"
#include "tools/cli/progress.h"

namespace syntropy {
namespace {

class Screen {
 public:
  template <class... Args>
  void line(std::string_view label, fmt::format_string<Args...> format, Args&&... args) {
    text_ += fmt::format("  {:<12}", label);
    text_ += fmt::format(format, std::forward<Args>(args)...);
    text_ += '\n';
  }
  std::string& text() { return text_; }

 private:
  std::string text_;
};

std::string sync_age(const NodeStatus& status) {
  if (status.last_sync_ms == 0) return "none yet";
  const uint64_t age_ms =
      status.node_time_ms > status.last_sync_ms ? status.node_time_ms - status.last_sync_ms : 0;
  return duration_text(age_ms / 1000) + " ago";
}

void add_keys(const NodeStatus& status, Screen* screen) {
  if (status.databases.empty()) screen->line("keys", "none");
  // One screen: whoever uses many databases gets them all in JSON.
  constexpr size_t kShown = 8;
  for (size_t i = 0; i < status.databases.size() && i < kShown; ++i) {
    const NodeStatus::Database& database = status.databases[i];
    screen->line(i == 0 ? "keys" : "", "db{}  {}, {} of them with an expiry", database.number,
                 with_separators(database.keys), with_separators(database.expiring));
  }
  if (status.databases.size() > kShown) {
    screen->line("", "and {} more databases (--json)", status.databases.size() - kShown);
  }
}

void add_durability(const NodeStatus& status, Screen* screen) {
  screen->line("durability", "appendfsync {}; last sync {}, {}{}",
               status.sync_policy.empty() ? "(unknown)" : status.sync_policy, sync_age(status),
               status.last_sync_ok ? "ok" : "FAILED",
               status.unsynced_writes ? "; newer writes wait for the next" : "");
  screen->line("", "{}", status.degraded ? "DEGRADED: writes are refused" : "not degraded");
  if (status.snapshot_last.empty()) {
    screen->line("snapshots", "none{}", status.snapshot_in_progress ? "; one is being made" : "");
  } else {
    screen->line("snapshots", "{} on disk, the newest {}; last one {}; {} changes since{}",
                 status.snapshots, status.snapshot_last, status.snapshot_ok ? "ok" : "FAILED",
                 with_separators(status.changes_since_snapshot),
                 status.snapshot_in_progress ? "; one is being made" : "");
  }
  screen->line("clock", "{}", status.clock_refusals == 0 ? "no alarms" : "ALARM, see below");
}

}  // namespace

std::string status_text(const NodeStatus& status, std::string_view address) {
  const std::vector<std::string> problems = status.problems();
  Screen screen;
  screen.text() = fmt::format("{}: {}\n", address, problems.empty() ? "healthy" : "UNHEALTHY");
  screen.line("node", "Syntropy {} (Redis {}), {}, up {}, process {}", status.version,
              status.redis_version, status.role, duration_text(status.uptime_s), status.process_id);
  screen.line("clients", "{} of {}, {} of them waiting", with_separators(status.clients),
              with_separators(status.max_clients), status.waiting_clients);
  screen.line("load", "{} commands/s, {:.1f} KiB/s in, {:.1f} KiB/s out",
              with_separators(status.ops_per_s), status.input_kib_per_s, status.output_kib_per_s);
  add_keys(status, &screen);
  screen.line("memory", "{} resident; row cache {}, block cache {}, memtables {}",
              bytes_text(status.resident_bytes), bytes_text(status.row_cache_bytes),
              bytes_text(status.block_cache_bytes), bytes_text(status.memtable_bytes));
  screen.line("store", "{} live, {} on disk in {} files", bytes_text(status.store_live_bytes),
              bytes_text(status.store_disk_bytes), with_separators(status.store_files));
  add_durability(status, &screen);
  for (const std::string& problem : problems) screen.text() += "PROBLEM  " + problem + "\n";
  for (const std::string& warning : status.warnings()) {
    screen.text() += "WARNING  " + warning + "\n";
  }
  return screen.text();
}

nlohmann::json status_json(const NodeStatus& status, std::string_view address) {
  nlohmann::json databases = nlohmann::json::array();
  for (const NodeStatus::Database& database : status.databases) {
    databases.push_back(
        {{"number", database.number}, {"keys", database.keys}, {"expiring", database.expiring}});
  }
  const std::vector<std::string> problems = status.problems();
  return {
      {"address", address},
      {"healthy", problems.empty()},
      {"problems", problems},
      {"warnings", status.warnings()},
      {"version", status.version},
      {"redis_version", status.redis_version},
      {"role", status.role},
      {"run_id", status.run_id},
      {"process_id", status.process_id},
      {"uptime_s", status.uptime_s},
      {"clients",
       {{"connected", status.clients},
        {"limit", status.max_clients},
        {"waiting", status.waiting_clients}}},
      {"load",
       {{"ops_per_s", status.ops_per_s},
        {"input_kib_per_s", status.input_kib_per_s},
        {"output_kib_per_s", status.output_kib_per_s}}},
      {"databases", databases},
      {"memory",
       {{"allocated_bytes", status.memory_bytes},
        {"resident_bytes", status.resident_bytes},
        {"row_cache_bytes", status.row_cache_bytes},
        {"block_cache_bytes", status.block_cache_bytes},
        {"memtable_bytes", status.memtable_bytes}}},
      {"store",
       {{"live_bytes", status.store_live_bytes},
        {"disk_bytes", status.store_disk_bytes},
        {"files", status.store_files},
        {"pending_compaction_bytes", status.pending_compaction_bytes},
        {"write_stalled", status.write_stalled}}},
      {"durability",
       {{"policy", status.sync_policy},
        {"last_sync_ok", status.last_sync_ok},
        {"last_sync_ms", status.last_sync_ms},
        {"unsynced_writes", status.unsynced_writes},
        {"degraded", status.degraded},
        {"degraded_why", status.degraded_why},
        {"recoveries", status.recoveries},
        {"tail_dropped_at_start", status.tail_dropped}}},
      {"snapshots",
       {{"on_disk", status.snapshots},
        {"newest", status.snapshot_last},
        {"in_progress", status.snapshot_in_progress},
        {"last_ok", status.snapshot_ok},
        {"made_since_start", status.snapshots_made},
        {"changes_since", status.changes_since_snapshot}}},
      {"clock",
       {{"refused_stamps", status.clock_refusals},
        {"worst_drift_ms", status.clock_worst_drift_ms}}},
  };
}

}  // namespace syntropy
