// What the files that implement CLUSTER share.
//
// A handler reads its arguments and asks the cluster's loop (Cluster::call): so these commands run
// on workers, and not within transactions, where a lock is held for which the loop may wait.
//
// Thread safety: handlers run on a worker; what is given to on_loop() runs on the loop.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/cluster/cluster.h"
#include "server/command.h"

namespace syntropy {

inline constexpr std::string_view kClusterDisabled =
    "ERR This instance has cluster support disabled";

/// Null after replying that there is no cluster mode.
Cluster* cluster_of(Call& call);

/// A slot number; nothing after replying `error`.
std::optional<uint16_t> slot_argument(Call& call, std::string_view text,
                                      std::string_view error = "ERR Invalid or out of range slot");

/// Two of them, as a range; nothing after replying with an error.
std::optional<SlotRange> slot_range_argument(Call& call, std::string_view first,
                                             std::string_view last);
/// Adds what isn't there yet; false after replying that some of it is.
bool add_slots_once(Call& call, SlotRange range, SlotRanges* slots);

/// Keys that this node holds; the exact number doesn't matter to those who ask.
bool holds_keys(const Call& call);

/// The error text of a Status that the handler has no text of its own for.
std::string error_text(const Status& status);

/// Changes the membership on the loop. `change(Membership&, TimeMs now)` returns the error to
/// reply, empty for OK; nothing is settled after an error.
template <class Change>
void change_membership(Call& call, Change change) {
  Cluster* const cluster = cluster_of(call);
  if (cluster == nullptr) return;
  const std::string error = cluster->call([&change](Cluster& on_loop) {
    std::string refused = change(on_loop.membership(), on_loop.now());
    on_loop.settle();
    return refused;
  });
  if (error.empty()) return call.reply.ok();
  call.reply.error(error);
}

/// The node that an argument names; no node when it isn't an id of a known one.
NodeId known_node(const Membership& membership, std::string_view id);
bool is_replica(const Membership& membership, const NodeId& node);

// Handlers.
void cluster_help_command(Call& call);
// cluster_report.cc: what this node sees
void cluster_bumpepoch_command(Call& call);
void cluster_count_failure_reports_command(Call& call);
void cluster_info_command(Call& call);
void cluster_links_command(Call& call);
void cluster_myid_command(Call& call);
void cluster_myshardid_command(Call& call);
void cluster_nodes_command(Call& call);
void cluster_replicas_command(Call& call);
void cluster_shards_command(Call& call);
void cluster_slots_command(Call& call);
// cluster_slots.cc: who owns what
void cluster_addslots_command(Call& call);
void cluster_addslotsrange_command(Call& call);
void cluster_countkeysinslot_command(Call& call);
void cluster_delslots_command(Call& call);
void cluster_delslotsrange_command(Call& call);
void cluster_flushslots_command(Call& call);
void cluster_getkeysinslot_command(Call& call);
void cluster_keyslot_command(Call& call);
void cluster_setslot_command(Call& call);
// cluster_slot_stats.cc: what slots hold and cost
void cluster_slot_stats_command(Call& call);
// cluster_migrate.cc: slots that go to another shard
void cluster_cancelslotmigrations_command(Call& call);
void cluster_getslotmigrations_command(Call& call);
void cluster_migrateslots_command(Call& call);
// cluster_nodes.cc: who is in, and in which part
void cluster_failover_command(Call& call);
void cluster_forget_command(Call& call);
void cluster_meet_command(Call& call);
void cluster_replicate_command(Call& call);
void cluster_reset_command(Call& call);
void cluster_saveconfig_command(Call& call);
void cluster_set_config_epoch_command(Call& call);

}  // namespace syntropy
