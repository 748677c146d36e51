#include "server/memory_report.h"

#include <algorithm>

#include "server/client.h"
#include "server/context.h"
#include "server/stats.h"
#include "storage/keyspace.h"

namespace syntropy {

MemoryReport memory_report(const ServerContext& server) {
  MemoryReport report;
  report.figures = memory_figures();
  report.engine = server.engine.stats();
  report.peak = server.stats.memory_peak(report.figures.allocated);
  report.startup = server.stats.startup_bytes();
  report.row_cache = server.keyspace.stats().row_cache.bytes;
  for (const auto& client : server.clients.all()) {
    report.clients += sizeof(Client) + client->shared.query_bytes.load(std::memory_order_relaxed) +
                      client->shared.output_bytes.load(std::memory_order_relaxed);
  }
  // The engine's estimates may exceed what the allocator holds.
  report.dataset =
      std::min(report.engine.block_cache_bytes + report.engine.memtable_bytes + report.row_cache,
               report.figures.allocated);
  report.overhead = report.figures.allocated - report.dataset;
  return report;
}

double MemoryReport::dataset_percentage() const {
  return std::min(percentage(dataset, since_start()), 100.0);
}

double percentage(uint64_t part, uint64_t whole) { return ratio(part, whole) * 100.0; }

double ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

int64_t difference(uint64_t a, uint64_t b) { return static_cast<int64_t>(a - b); }

}  // namespace syntropy
