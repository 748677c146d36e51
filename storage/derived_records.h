// Makes anew what a store derives from its rows: for a store that has lost some, or has got older
// versions of some back (storage/rocks_salvage.h).
//
//   key counts, expiry index    from the rows that are there (storage/keyspace.h, invariants 1, 2)
//   clock's bound               not below any stamp that is there, nor the wall clock
//   writer's id                 none: the next keyspace takes a new one, because a counter's total
//                               that goes on from an older one would replace the newer elsewhere
//   number of commits           none: trees that were saved are worth nothing
//   purge watermark             none: what was lost must not be taken for purged where another node
//                               hands it over
//   flush stamps, expiry watermark, mapping of databases
//                               as they are: what they say was true once, and is for good
//
// Not atomic: whoever calls this sees to it that nothing is read before it has ended.
//
// Thread safety: nothing else may use the engine meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "storage/base/status.h"
#include "storage/engine.h"
#include "storage/local_records.h"

namespace syntropy {

struct DerivedRecords {
  std::map<uint16_t, DatabaseCounts> databases;  // by physical number; those with keys
  uint64_t rows = 0;                             // dead ones and elements too
  uint64_t unreadable = 0;  // of these: neither row nor anything else; they count for nothing
};

/// `max_drift_ms` as KeyspaceOptions' for the clock; `progress`, which may be empty, is called now
/// and then with the number of rows read. Errors are the engine's. The caller makes it durable.
Result<DerivedRecords> make_derived_records(Engine& engine, uint64_t wall_ms, uint64_t max_drift_ms,
                                            const std::function<void(uint64_t rows)>& progress);

}  // namespace syntropy
