// TestServices: all that a ServerContext refers to, over an engine in memory and a clock that
// stands still.
//
// Thread safety: made and destroyed by one thread; otherwise that of the parts.
#pragma once

#include <cstddef>
#include <memory>

#include "server/client.h"
#include "server/config/config_store.h"
#include "server/context.h"
#include "server/latency.h"
#include "server/pubsub.h"
#include "server/slowlog.h"
#include "server/snapshots.h"
#include "server/stats.h"
#include "storage/durability.h"
#include "storage/keyspace.h"
#include "storage/memory_engine.h"
#include "storage/purge.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"

namespace syntropy::testing {

struct TestServices {
  static constexpr size_t kRowCacheBytes = size_t{1} << 20;
  static constexpr size_t kStatsSlots = 4;

  explicit TestServices(size_t row_cache_bytes = kRowCacheBytes);
  ~TestServices();
  TestServices(const TestServices&) = delete;
  TestServices& operator=(const TestServices&) = delete;

  MemoryEngine engine;
  ManualClock clock;
  PurgePolicy purge{PurgePolicy::Mode::kNever};
  std::unique_ptr<Keyspace> keyspace;
  ConfigStore config{Config()};
  ClientRegistry clients;
  PubSub pubsub;
  ServerStats stats;
  SlowLog slowlog;
  LatencyMonitor latency;
  PauseState pause;
  TempDir snapshots_dir;
  Snapshots snapshots;
  // Its background thread would heal the engine under test at a time of its own.
  MemoryEngine idle_engine;
  Durability durability;
  ServerContext context;
};

}  // namespace syntropy::testing
