// NodeStatus: how a running node is doing, as `syntropy status` tells it. Read from the text of
// INFO; what is wrong is judged here, so that people and programs hear the same.
//
// Thread safety: values and pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace syntropy {

using InfoFields = std::map<std::string, std::string, std::less<>>;

/// The fields of INFO by name. Headings, empty lines and lines without ':' are left out.
InfoFields parse_info(std::string_view text);

struct NodeStatus {
  struct Database {
    uint32_t number = 0;
    uint64_t keys = 0;      // with those that have expired and are not counted out yet
    uint64_t expiring = 0;  // of them, keys with an expiry
  };

  std::string version;
  std::string redis_version;  // whose behaviour the node has
  std::string role;           // "primary", as long as there are no replicas
  std::string run_id;
  uint64_t process_id = 0;
  uint64_t uptime_s = 0;
  bool loading = false;

  uint64_t clients = 0;
  uint64_t max_clients = 0;
  uint64_t waiting_clients = 0;  // for the disk, a worker or the end of a pause
  uint64_t ops_per_s = 0;
  double input_kib_per_s = 0;
  double output_kib_per_s = 0;

  std::vector<Database> databases;  // those that hold keys, ascending

  uint64_t memory_bytes = 0;  // allocated
  uint64_t resident_bytes = 0;
  uint64_t row_cache_bytes = 0;
  uint64_t block_cache_bytes = 0;
  uint64_t memtable_bytes = 0;

  uint64_t store_live_bytes = 0;
  uint64_t store_disk_bytes = 0;
  uint64_t store_files = 0;
  uint64_t pending_compaction_bytes = 0;
  bool write_stalled = false;

  std::string sync_policy;  // always, everysec, no; empty when the node doesn't tell
  bool last_sync_ok = true;
  uint64_t last_sync_ms = 0;  // Unix time; 0: none yet
  uint64_t node_time_ms = 0;  // the node's clock, for the age of the above
  bool unsynced_writes = false;
  bool degraded = false;  // writes are refused
  std::string degraded_why;
  uint64_t recoveries = 0;    // from a degraded state, since the start
  bool tail_dropped = false;  // the last end lost writes that had never been synced

  uint64_t snapshots = 0;     // complete ones on disk
  std::string snapshot_last;  // name of the newest; empty: none
  bool snapshot_in_progress = false;
  bool snapshot_ok = true;      // how the last one ended
  uint64_t snapshots_made = 0;  // since the start
  uint64_t changes_since_snapshot = 0;

  uint64_t clock_refusals = 0;  // stamps of others too far ahead to be followed
  uint64_t clock_worst_drift_ms = 0;

  /// What is wrong, one sentence each. Empty: the node is healthy.
  std::vector<std::string> problems() const;
  /// What somebody should look at though the node does its work.
  std::vector<std::string> warnings() const;
};

/// kInvalidArgument when INFO is not a Syntropy node's. A field that is missing counts as zero.
/// `sync_policy`: what CONFIG GET appendfsync says.
Result<NodeStatus> read_node_status(const InfoFields& info, std::string_view sync_policy);

/// One screen for a person. `address`: where the node was reached.
std::string status_text(const NodeStatus& status, std::string_view address);
/// The same for a program; docs/cli.md lists the fields.
nlohmann::json status_json(const NodeStatus& status, std::string_view address);

}  // namespace syntropy
