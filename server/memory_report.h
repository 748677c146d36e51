// What the process's memory is used for: the figures behind INFO memory, MEMORY STATS and MEMORY
// DOCTOR.
//
// Thread safety: any thread.
#pragma once

#include <cstdint>

#include "server/process_stats.h"
#include "storage/engine.h"

namespace syntropy {

struct ServerContext;

/// All in bytes.
struct MemoryReport {
  MemoryFigures figures;
  EngineStats engine;
  uint64_t peak = 0;     // the most ever allocated, sampled once a second
  uint64_t startup = 0;  // allocated when the statistics began
  uint64_t row_cache = 0;
  uint64_t clients = 0;   // connections with their buffers
  uint64_t dataset = 0;   // caches and memtables: memory that holds data
  uint64_t overhead = 0;  // all other memory

  uint64_t since_start() const {
    return figures.allocated > startup ? figures.allocated - startup : 0;
  }
  /// Of what was allocated since the start, as in Redis; at most 100, because some of the dataset
  /// was there when the statistics began.
  double dataset_percentage() const;
};

MemoryReport memory_report(const ServerContext& server);

/// `part` in percent of `whole`; 0 when that is 0.
double percentage(uint64_t part, uint64_t whole);
/// 0 when `whole` is 0.
double ratio(uint64_t part, uint64_t whole);
/// May be negative.
int64_t difference(uint64_t a, uint64_t b);

}  // namespace syntropy
