#include "tests/support/test_services.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "server/commands/table.h"

namespace syntropy::testing {
namespace {

std::unique_ptr<Keyspace> open_keyspace(Engine& engine, Clock& clock, PurgePolicy& purge,
                                        size_t row_cache_bytes) {
  KeyspaceOptions options;
  options.new_writer_id = 7;
  options.row_cache_bytes = row_cache_bytes;
  Result<std::unique_ptr<Keyspace>> keyspace = Keyspace::open(engine, clock, purge, options);
  EXPECT_TRUE(keyspace.ok()) << keyspace.status().message();
  return std::move(*keyspace);
}

}  // namespace

TestServices::TestServices(size_t row_cache_bytes)
    : keyspace(open_keyspace(engine, clock, purge, row_cache_bytes)),
      stats(kStatsSlots, command_count()),
      snapshots(engine, clock, {.dir = snapshots_dir.path(), .keep = 2, .changes = {}}),
      durability(idle_engine, clock, SyncPolicy::kNever, {}),
      context{.config = config,
              .keyspace = *keyspace,
              .engine = engine,
              .clock = clock,
              .clients = clients,
              .pubsub = pubsub,
              .stats = stats,
              .slowlog = slowlog,
              .latency = latency,
              .snapshots = snapshots,
              .pause = pause,
              .durability = durability,
              .purge = purge,
              .run_id = std::string(40, '0'),
              .config_file = {},
              .executable = {},
              .port = 7379,
              .started_ms = clock.wall_ms(),
              .shutdown = {},
              .active_io_threads = [] { return size_t{1}; },
              .stall = {}} {}

TestServices::~TestServices() = default;

}  // namespace syntropy::testing
