// MEMORY: what the process's memory is used for, and what a key takes.
//
// MEMORY USAGE counts what the key's rows are to the engine before compression: the bytes of key
// and value of the row, the same of the expiry record if there is one, and for each of the two the
// 8 bytes that the engine adds (sequence number and type). Where they are (disk, memtable, caches)
// makes no difference.

#include <optional>
#include <string>
#include <vector>

#include "server/commands/arguments.h"
#include "server/commands/diagnosis.h"
#include "server/commands/help.h"
#include "server/commands/info.h"
#include "server/context.h"
#include "server/memory_report.h"
#include "server/process_stats.h"
#include "storage/keyspace.h"
#include "storage/local_keys.h"
#include "storage/row.h"

namespace syntropy {
namespace {

constexpr uint64_t kEngineBytesPerRecord = 8;

uint64_t stored_bytes(uint16_t db, std::string_view key, const RowView& row) {
  std::string row_key;
  encode_row_key(db, key, {}, &row_key);
  std::string value;
  encode_row(row, &value);
  uint64_t bytes = row_key.size() + value.size() + kEngineBytesPerRecord;
  if (row.expires_at_ms != 0) {
    std::string expiry_key;
    encode_expiry_key(row.expires_at_ms, row_key, &expiry_key);
    bytes += expiry_key.size() + kEngineBytesPerRecord;
  }
  return bytes;
}

void memory_usage_command(Call& call) {
  for (size_t i = 3; i < call.argc(); i += 2) {
    if (!equals_ignoring_case(call.args[i], "samples") || i + 1 == call.argc()) {
      return reply_syntax_error(call);
    }
    // Strings are not sampled; the number only has to be one.
    const std::optional<int64_t> samples = int64_argument(call, i + 1);
    if (!samples) return;
    if (*samples < 0) return reply_syntax_error(call);
  }
  const std::optional<RowView> row = call.tick.get(call.db(), call.args[2]);
  if (!row) return call.reply.null();
  call.reply.integer(static_cast<int64_t>(stored_bytes(call.db(), call.args[2], *row)));
}

/// Pairs of a name and an integer or double, whose number is known only afterwards.
class FigureMap {
 public:
  explicit FigureMap(ReplyWriter& reply) : reply_(reply), mark_(reply.size()) {}
  ~FigureMap() { reply_.insert_map_header(mark_, pairs_); }
  FigureMap(const FigureMap&) = delete;
  FigureMap& operator=(const FigureMap&) = delete;

  void integer(std::string_view name, int64_t value) {
    add(name);
    reply_.integer(value);
  }
  void bytes(std::string_view name, uint64_t value) { integer(name, static_cast<int64_t>(value)); }
  void real(std::string_view name, double value) {
    add(name);
    reply_.double_value(value);
  }

 private:
  void add(std::string_view name) {
    reply_.bulk(name);
    ++pairs_;
  }

  ReplyWriter& reply_;
  const size_t mark_;
  size_t pairs_ = 0;
};

void memory_stats_command(Call& call) {
  const MemoryReport report = memory_report(call.server);
  const MemoryFigures& figures = report.figures;
  uint64_t keys = 0;
  for (uint32_t db = 0; db < call.server.keyspace.databases(); ++db) {
    keys += call.server.keyspace.key_count(static_cast<uint16_t>(db));
  }
  FigureMap out(call.reply);
  out.bytes("peak.allocated", report.peak);
  out.bytes("total.allocated", figures.allocated);
  out.bytes("startup.allocated", report.startup);
  out.bytes("replication.backlog", 0);
  out.bytes("clients.slaves", 0);
  out.bytes("clients.normal", report.clients);
  out.bytes("cluster.links", 0);
  out.bytes("aof.buffer", 0);
  out.bytes("lua.caches", 0);
  out.bytes("functions.caches", 0);
  out.bytes("block-cache.bytes", report.engine.block_cache_bytes);
  out.bytes("memtables.bytes", report.engine.memtable_bytes);
  out.bytes("table-readers.bytes", report.engine.table_reader_bytes);
  out.bytes("row-cache.bytes", report.row_cache);
  out.bytes("overhead.total", report.overhead);
  out.bytes("keys.count", keys);
  out.bytes("keys.bytes-per-key", keys == 0 ? 0 : report.since_start() / keys);
  out.bytes("dataset.bytes", report.dataset);
  out.real("dataset.percentage", report.dataset_percentage());
  out.real("peak.percentage", percentage(figures.allocated, report.peak));
  if (figures.active != 0) {
    out.bytes("allocator.allocated", figures.allocated);
    out.bytes("allocator.active", figures.active);
    out.bytes("allocator.resident", figures.resident);
    out.real("allocator-fragmentation.ratio", ratio(figures.active, figures.allocated));
    out.integer("allocator-fragmentation.bytes", difference(figures.active, figures.allocated));
    out.real("allocator-rss.ratio", ratio(figures.resident, figures.active));
    out.integer("allocator-rss.bytes", difference(figures.resident, figures.active));
    out.real("rss-overhead.ratio", ratio(figures.rss, figures.resident));
    out.integer("rss-overhead.bytes", difference(figures.rss, figures.resident));
  }
  out.real("fragmentation", ratio(figures.rss, figures.allocated));
  out.integer("fragmentation.bytes", difference(figures.rss, figures.allocated));
}

void memory_doctor_command(Call& call) {
  const MemoryReport report = memory_report(call.server);
  const MemoryFigures& figures = report.figures;
  const size_t clients = call.server.clients.size();
  constexpr uint64_t kWorthAWord = uint64_t{64} << 20;
  constexpr uint64_t kLargeClient = 200 * 1024;
  std::string text;
  if (figures.rss > machine_memory() / 10 * 9) {
    text += fmt::format(
        "- The process takes {} of the machine's {}: lower block-cache-size or row-cache-size "
        "before the system swaps or kills.\n",
        human_bytes(figures.rss), human_bytes(machine_memory()));
  }
  if (figures.rss > kWorthAWord && ratio(figures.rss, figures.allocated) > 1.5) {
    text += fmt::format(
        "- {} resident for {} allocated: the allocator holds free pages. They are given back with "
        "time, or at once by MEMORY PURGE.\n",
        human_bytes(figures.rss), human_bytes(figures.allocated));
  }
  if (report.peak > kWorthAWord && ratio(report.peak, figures.allocated) > 1.5) {
    text += fmt::format("- Memory in use was higher once: {} then, {} now.\n",
                        human_bytes(report.peak), human_bytes(figures.allocated));
  }
  if (clients != 0 && report.clients / clients > kLargeClient) {
    text += fmt::format(
        "- Connections take {} on average. CLIENT LIST shows which (tot-mem); see "
        "client-output-buffer-limit and maxmemory-clients.\n",
        human_bytes(report.clients / clients));
  }
  const EngineStats& engine = report.engine;
  if (engine.block_cache_capacity != 0 && engine.live_bytes > engine.block_cache_capacity &&
      engine.block_cache_bytes >= engine.block_cache_capacity / 20 * 19) {
    text += fmt::format(
        "- The block cache ({}) is full and the data ({}) are larger. If reads wait for the disk "
        "(total_disk_fetches in INFO stats grows fast), raise block-cache-size.\n",
        human_bytes(engine.block_cache_capacity), human_bytes(engine.live_bytes));
  }
  if (text.empty()) text = "Nothing about the memory in use calls for a change.\n";
  call.reply.verbatim("txt", text);
}

void memory_malloc_stats_command(Call& call) { call.reply.verbatim("txt", allocator_report()); }

void memory_purge_command(Call& call) {
  if (release_free_pages()) return call.reply.ok();
  call.reply.error("ERR Error purging dirty pages");
}

constexpr std::string_view kCostOfAllocator =
    "Depends on how much memory is allocated, could be slow";

const CommandSpec kSubcommands[] = {
    {.name = "doctor",
     .arity = 2,
     .flags = kNoRows,
     .keys = {},
     .handler = memory_doctor_command,
     .group = "server",
     .since = "4.0.0",
     .summary = "Says in words what is unusual about the memory in use.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = "@slow"},
    {.name = "help",
     .arity = 2,
     .flags = kLoading | kStale | kNoRows,
     .keys = {},
     .handler = help_command,
     .group = "server",
     .since = "4.0.0",
     .summary = "Lists the subcommands.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = "@slow"},
    {.name = "malloc-stats",
     .arity = 2,
     .flags = kNoRows | kWorker,
     .keys = {},
     .handler = memory_malloc_stats_command,
     .group = "server",
     .since = "4.0.0",
     .summary = "Answers with the allocator's own report.",
     .complexity = kCostOfAllocator,
     .syntax = "",
     .categories = "@slow"},
    {.name = "purge",
     .arity = 2,
     .flags = kNoRows | kWorker,
     .keys = {},
     .handler = memory_purge_command,
     .group = "server",
     .since = "4.0.0",
     .summary = "Gives free pages back to the system.",
     .complexity = kCostOfAllocator,
     .syntax = "",
     .categories = "@slow"},
    {.name = "stats",
     .arity = 2,
     .flags = kNoRows,
     .keys = {},
     .handler = memory_stats_command,
     .group = "server",
     .since = "4.0.0",
     .summary = "Answers with figures on the memory in use.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = "@slow"},
    {.name = "usage",
     .arity = -3,
     .flags = kReadOnly,
     .keys = {2, 2, 1, "RO"},
     .handler = memory_usage_command,
     .group = "server",
     .since = "4.0.0",
     .summary = "Tells how many bytes a key takes with its value.",
     .complexity = "O(N) where N is the number of samples.",
     .syntax = "key [SAMPLES count]",
     .categories = "@read @slow"},
};

}  // namespace

CommandSpec memory_spec() {
  return {.name = "memory",
          .arity = -2,
          .flags = 0,
          .keys = {},
          .handler = nullptr,
          .group = "server",
          .since = "4.0.0",
          .summary = "Commands on the memory in use.",
          .complexity = "Depends on subcommand.",
          .syntax = "",
          .categories = "@slow",
          .subcommands = kSubcommands};
}

}  // namespace syntropy
