// INFO: the process and its machine, the connections, memory, replication and the processor.

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "server/cluster/cluster.h"
#include "server/commands/info.h"
#include "server/config/config_store.h"
#include "server/context.h"
#include "server/memory_report.h"
#include "server/process_stats.h"
#include "server/stats.h"
#include "server/version.h"
#include "storage/base/clock.h"
#include "storage/engine.h"
#include "storage/keyspace.h"

namespace syntropy {
namespace {

std::string system_name() {
  utsname name{};
  uname(&name);
  return fmt::format("{} {} {}", name.sysname, name.release, name.machine);
}

std::string_view supervision_name(Supervision supervised) {
  switch (supervised) {
    case Supervision::kSystemd:
      return "systemd";
    case Supervision::kAuto:
      return "auto";
    case Supervision::kNone:
      break;
  }
  return "no";
}

}  // namespace

void info_server(const Call& call, InfoSection& out) {
  const auto config = call.server.config.current();
  const uint64_t now_us = call.server.clock.wall_us();
  const uint64_t now_ms = now_us / 1000;
  const uint64_t uptime_s =
      now_ms > call.server.started_ms ? (now_ms - call.server.started_ms) / 1000 : 0;
  out.field("redis_version", kRedisVersion);
  out.field("redis_git_sha1", "00000000");
  out.field("redis_git_dirty", 0);
  out.field("redis_mode", call.server.cluster == nullptr ? "standalone" : "cluster");
  out.field("syntropy_version", server_version());
  out.field("os", system_name());
  out.field("arch_bits", sizeof(void*) * 8);
  out.field("monotonic_clock", "POSIX clock_gettime");
  out.field("multiplexing_api", "epoll");
  out.field("gcc_version", fmt::format("{}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__));
  out.field("process_id", getpid());
  out.field("process_supervised", supervision_name(config->general.supervised));
  out.field("run_id", call.server.run_id);
  out.field("tcp_port", call.server.port);
  out.field("server_time_usec", now_us);
  out.field("uptime_in_seconds", uptime_s);
  out.field("uptime_in_days", uptime_s / 86400);
  out.field("hz", config->general.hz);
  out.field("configured_hz", config->general.hz);
  out.field("executable", call.server.executable);
  out.field("config_file", call.server.config_file);
  out.flag("io_threads_active", call.server.active_io_threads() > 1);
  out.field("io_threads", call.server.io_threads);
}

void info_clients(const Call& call, InfoSection& out) {
  const auto config = call.server.config.current();
  uint64_t longest_input = 0;
  uint64_t longest_output = 0;
  for (const auto& client : call.server.clients.all()) {
    const ClientShared& shared = client->shared;
    longest_input = std::max(longest_input, shared.query_bytes.load(std::memory_order_relaxed));
    longest_output = std::max(longest_output, shared.output_bytes.load(std::memory_order_relaxed));
  }
  out.field("connected_clients", call.server.clients.size());
  out.field("cluster_connections",
            call.server.cluster == nullptr ? 0 : call.server.cluster->links().size());
  out.field("maxclients", config->clients.max_clients);
  out.field("client_recent_max_input_buffer", longest_input);
  out.field("client_recent_max_output_buffer", longest_output);
  out.field("blocked_clients", call.server.clients.blocked());
  out.field("tracking_clients", 0);
  out.field("clients_in_timeout_table", 0);
}

void info_memory(const Call& call, InfoSection& out) {
  const MemoryReport report = memory_report(call.server);
  const MemoryFigures& figures = report.figures;
  out.bytes("used_memory", figures.allocated);
  out.bytes("used_memory_rss", figures.rss);
  out.bytes("used_memory_peak", report.peak);
  out.field("used_memory_peak_perc",
            fmt::format("{:.2f}%", percentage(figures.allocated, report.peak)));
  out.field("used_memory_overhead", report.overhead);
  out.field("used_memory_startup", report.startup);
  out.field("used_memory_dataset", report.dataset);
  out.field("used_memory_dataset_perc", fmt::format("{:.2f}%", report.dataset_percentage()));
  if (figures.active != 0) {
    out.field("allocator_allocated", figures.allocated);
    out.field("allocator_active", figures.active);
    out.field("allocator_resident", figures.resident);
  }
  out.bytes("total_system_memory", machine_memory());
  out.bytes("used_memory_lua", 0);
  out.bytes("used_memory_scripts", 0);
  out.field("number_of_cached_scripts", 0);
  out.bytes("maxmemory", 0);
  out.field("maxmemory_policy", "noeviction");
  if (figures.active != 0) {
    out.decimal("allocator_frag_ratio", ratio(figures.active, figures.allocated));
    out.field("allocator_frag_bytes", difference(figures.active, figures.allocated));
    out.decimal("allocator_rss_ratio", ratio(figures.resident, figures.active));
    out.field("allocator_rss_bytes", difference(figures.resident, figures.active));
    out.decimal("rss_overhead_ratio", ratio(figures.rss, figures.resident));
    out.field("rss_overhead_bytes", difference(figures.rss, figures.resident));
  }
  out.decimal("mem_fragmentation_ratio", ratio(figures.rss, figures.allocated));
  out.field("mem_fragmentation_bytes", difference(figures.rss, figures.allocated));
  out.field("mem_not_counted_for_evict", 0);
  out.field("mem_replication_backlog", 0);
  out.field("mem_total_replication_buffers", 0);
  out.field("mem_clients_slaves", 0);
  out.field("mem_clients_normal", report.clients);
  out.field("mem_cluster_links", 0);
  out.field("mem_block_cache", report.engine.block_cache_bytes);
  out.field("mem_memtables", report.engine.memtable_bytes);
  out.field("mem_table_readers", report.engine.table_reader_bytes);
  out.field("mem_row_cache", report.row_cache);
  out.field("mem_allocator", allocator_name());
  out.field("active_defrag_running", 0);
  out.field("lazyfree_pending_objects", 0);
  out.field("lazyfreed_objects", 0);
}

void info_cpu(const Call&, InfoSection& out) {
  const CpuSeconds self = process_cpu();
  const CpuSeconds children = children_cpu();
  const CpuSeconds main_thread = main_thread_cpu();
  out.decimal("used_cpu_sys", self.system, 6);
  out.decimal("used_cpu_user", self.user, 6);
  out.decimal("used_cpu_sys_children", children.system, 6);
  out.decimal("used_cpu_user_children", children.user, 6);
  out.decimal("used_cpu_sys_main_thread", main_thread.system, 6);
  out.decimal("used_cpu_user_main_thread", main_thread.user, 6);
}

void info_modules(const Call&, InfoSection&) {}

}  // namespace syntropy
