// The options of replication and of the cluster. See option_table.cc.
#include <cstdint>
#include <limits>
#include <string>

#include "server/config/config.h"
#include "server/config/option_builders.h"
#include "server/config/options.h"

namespace syntropy {
namespace {

constexpr auto kAtStart = TableBuilder::kAtStart;
constexpr auto kChangeable = TableBuilder::kChangeable;
constexpr auto kSensitive = TableBuilder::kSensitive;

constexpr std::int64_t kMaxInt = std::numeric_limits<int>::max();
constexpr std::uint64_t kMaxBytes = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeastNodeTimeoutMs = 300;
constexpr std::uint64_t kLeastBacklog = 16 * kKiB;

void add_replication(TableBuilder& table) {
  table.begin(OptionGroup::kReplication);
  table.add("repl-backlog-size", kChangeable,
            "Latest writes kept in memory for replicas that come back; one that was away for "
            "longer is compared with its primary.",
            memory_option(SYNTROPY_FIELD(std::uint64_t, replication.backlog_size), kLeastBacklog,
                          kMaxBytes));
  Option& ping =
      table.add("repl-ping-replica-period", kChangeable,
                "How often a primary without writes tells its replicas that it is there.",
                integer_option(SYNTROPY_FIELD(std::int64_t, replication.ping_replica_period_s),
                               "seconds", 1, kMaxInt));
  ping.alias = "repl-ping-slave-period";
  table.add(
      "repl-timeout", kChangeable, "Silence after which primary and replica connect anew.",
      integer_option(SYNTROPY_FIELD(std::int64_t, replication.timeout_s), "seconds", 1, kMaxInt));
  table.add("masteruser", kChangeable,
            "User by whom REPLICAOF follows a redis-server; when empty, the default one.",
            string_option(SYNTROPY_FIELD(std::string, replication.master_user), "<name>"));
  table.add("masterauth", kChangeable | kSensitive, "The password of masteruser.",
            string_option(SYNTROPY_FIELD(std::string, replication.master_auth), "<password>"));
  table.add("replicaof-leave-out", kChangeable,
            "Follow a redis-server although it has keys of types that aren't here yet, without "
            "these; else REPLICAOF stops and names them.",
            bool_option(SYNTROPY_FIELD(bool, replication.leave_out)));
  table.add("anti-entropy-interval", kChangeable,
            "How often a primary and its replica make sure that they hold the same rows, at the "
            "price of one small message, and mend them if not. 0 is never: then what is deleted "
            "stays on the disk.",
            integer_option(SYNTROPY_FIELD(std::int64_t, replication.anti_entropy_interval_s),
                           "seconds", 0, kMaxInt));
  table.add(
      "anti-entropy-rate", kChangeable,
      "Most bytes a second that a primary sends a replica with which it compares rows, as it "
      "does to catch it up when the backlog has run out, and a node to which slots go; 0 is no "
      "such bound.",
      memory_option(SYNTROPY_FIELD(std::uint64_t, replication.anti_entropy_rate), 0, kMaxBytes));
  table.add("anti-entropy-row-rate", kChangeable,
            "Most rows a second that are read for the same; 0 is no such bound.",
            integer_option(SYNTROPY_FIELD(std::int64_t, replication.anti_entropy_row_rate), "rows",
                           0, kMaxInt));
  Option& replicas = table.add(
      "min-replicas-to-write", kChangeable,
      "A primary with fewer replicas in good order than this refuses writes; 0 needs none.",
      integer_option(SYNTROPY_FIELD(std::int64_t, replication.min_replicas_to_write), "replicas", 0,
                     kMaxInt));
  replicas.alias = "min-slaves-to-write";
  Option& lag =
      table.add("min-replicas-max-lag", kChangeable,
                "A replica is in good order when it was heard within this time; with 0 "
                "min-replicas-to-write has no effect.",
                integer_option(SYNTROPY_FIELD(std::int64_t, replication.min_replicas_max_lag_s),
                               "seconds", 0, kMaxInt));
  lag.alias = "min-slaves-max-lag";
}

void add_bus(TableBuilder& table) {
  table.begin(OptionGroup::kCluster);
  table.add("cluster-enabled", kAtStart, "Be a node of a cluster, with database 0 alone.",
            bool_option(SYNTROPY_FIELD(bool, cluster.enabled)));
  table.add("cluster-port", kAtStart,
            "Port on which the nodes talk to each other; 0 is the client port plus 10000.",
            integer_option(SYNTROPY_FIELD(std::int64_t, cluster.port), "port", 0, 65535));
  table.add("cluster-secret", kAtStart | kSensitive,
            "What a node must prove to know before the others listen to it. When empty, every "
            "machine that reaches the port can join.",
            string_option(SYNTROPY_FIELD(std::string, cluster.secret), "<secret>"));
  table.add("cluster-tls-cert-file", kAtStart,
            "With this and the next two, nodes talk to each other by TLS: this node's certificate, "
            "with its chain.",
            string_option(SYNTROPY_FIELD(std::string, cluster.tls.cert_file), "<path>"));
  table.add("cluster-tls-key-file", kAtStart, "The private key of cluster-tls-cert-file.",
            string_option(SYNTROPY_FIELD(std::string, cluster.tls.key_file), "<path>"));
  table.add("cluster-tls-ca-cert-file", kAtStart,
            "Who has to have issued the certificates of the other nodes.",
            string_option(SYNTROPY_FIELD(std::string, cluster.tls.ca_cert_file), "<path>"));
  table.add("cluster-routing", kChangeable,
            "Of requests for another node's slots: redirect tells clients where to go, as Redis "
            "Cluster does; proxy forwards them, for clients that know no cluster. For connections "
            "made from then on; CLIENT ROUTING changes one.",
            enum_option(SYNTROPY_FIELD(int, cluster.routing),
                        {{"redirect", static_cast<int>(ClusterRouting::kRedirect)},
                         {"proxy", static_cast<int>(ClusterRouting::kProxy)}}));
  table.add("proxy-port", kAtStart,
            "Another port for clients, whose requests are forwarded whatever cluster-routing says; "
            "0 is none.",
            integer_option(SYNTROPY_FIELD(std::int64_t, cluster.proxy_port), "port", 0, 65535));
  table.add("sentinel-master-name", kChangeable,
            "The name by which clients of Redis Sentinel ask any node for a primary: that of the "
            "lowest slot. With a name, a primary that is replaced closes its clients' "
            "connections, as Sentinel has it, so that they ask anew.",
            string_option(SYNTROPY_FIELD(std::string, cluster.sentinel_master_name), "<name>"));
  table.add("cluster-announce-ip", kChangeable,
            "Address by which others reach this node; when empty, the one by which they do.",
            string_option(SYNTROPY_FIELD(std::string, cluster.announce_ip), "<address>"));
  table.add("cluster-announce-hostname", kChangeable,
            "Name of this node that CLUSTER SLOTS and SHARDS show beside its address.",
            string_option(SYNTROPY_FIELD(std::string, cluster.announce_hostname), "<name>"));
  table.add("cluster-announce-port", kChangeable,
            "Client port that others are told; 0 is the real one.",
            integer_option(SYNTROPY_FIELD(std::int64_t, cluster.announce_port), "port", 0, 65535));
  table.add(
      "cluster-announce-bus-port", kChangeable,
      "Cluster port that others are told; 0 is the real one.",
      integer_option(SYNTROPY_FIELD(std::int64_t, cluster.announce_bus_port), "port", 0, 65535));
}

void add_failover(TableBuilder& table) {
  table.add("cluster-node-timeout", kChangeable,
            "A node that isn't heard for this long is replaced; a primary that hears no majority "
            "for this long serves nobody.",
            integer_option(SYNTROPY_FIELD(std::int64_t, cluster.node_timeout_ms), "milliseconds",
                           kLeastNodeTimeoutMs, kMaxInt));
  table.add("cluster-require-full-coverage", kChangeable,
            "Serve no slot while one has no node in good order.",
            bool_option(SYNTROPY_FIELD(bool, cluster.require_full_coverage)));
  table.add("cluster-allow-reads-when-down", kChangeable,
            "Answer reads of this node's slots even while the cluster is down; they may be old.",
            bool_option(SYNTROPY_FIELD(bool, cluster.allow_reads_when_down)));
  table.add("cluster-slot-stats-enabled", kChangeable,
            "Count what is spent on each slot, for CLUSTER SLOT-STATS and 'syntropy cluster "
            "rebalance --by traffic'.",
            bool_option(SYNTROPY_FIELD(bool, cluster.slot_stats)));
  table.add("cluster-slot-migration-log-max-len", kChangeable,
            "Moves of slots that have ended and that CLUSTER GETSLOTMIGRATIONS goes on telling.",
            integer_option(SYNTROPY_FIELD(std::int64_t, cluster.slot_migration_log_max_len),
                           "moves", 0, kMaxInt));
  table.add("cluster-slot-migration-percent", kChangeable,
            "Most of the time, in percent, that a node spends on giving rows to another with slots "
            "that move, on taking them in, and on removing them; clients have the rest. What is "
            "written during a move is moved as fast as it can be.",
            integer_option(SYNTROPY_FIELD(std::int64_t, cluster.slot_migration_percent), "percent",
                           1, 100));
  table.add("cluster-allow-pubsubshard-when-down", kChangeable,
            "Serve shard channels even while the cluster is down.",
            bool_option(SYNTROPY_FIELD(bool, cluster.allow_pubsubshard_when_down)));
  Option& validity = table.add(
      "cluster-replica-validity-factor", kChangeable,
      "A replica that lost its primary longer ago than this many node timeouts doesn't take its "
      "place; 0 is no such bound.",
      integer_option(SYNTROPY_FIELD(std::int64_t, cluster.replica_validity_factor), "factor", 0,
                     kMaxInt));
  validity.alias = "cluster-slave-validity-factor";
  Option& no_failover = table.add("cluster-replica-no-failover", kChangeable,
                                  "This node takes its primary's place only by CLUSTER FAILOVER.",
                                  bool_option(SYNTROPY_FIELD(bool, cluster.replica_no_failover)));
  no_failover.alias = "cluster-slave-no-failover";
  table.add("cluster-allow-replica-migration", kChangeable,
            "A primary that has lost its last slot becomes a replica of who took it.",
            bool_option(SYNTROPY_FIELD(bool, cluster.allow_replica_migration)));
  table.add("cluster-write-acks", kChangeable,
            "Nodes of a shard that must hold a write before it is answered: this one, more than "
            "half of them, or all. A connection may choose for itself (docs/commands.md).",
            enum_option(SYNTROPY_FIELD(int, cluster.write_acks),
                        {{"1", static_cast<int>(WriteAcks::kOne)},
                         {"majority", static_cast<int>(WriteAcks::kMajority)},
                         {"all", static_cast<int>(WriteAcks::kAll)}}));
  table.add("cluster-write-acks-timeout", kChangeable,
            "A write that is not held by that many nodes after this time is answered by an error.",
            integer_option(SYNTROPY_FIELD(std::int64_t, cluster.write_acks_timeout_ms),
                           "milliseconds", 1, kMaxInt));
}

}  // namespace

void add_cluster_options(TableBuilder& table) {
  add_replication(table);
  add_bus(table);
  add_failover(table);
}

}  // namespace syntropy
