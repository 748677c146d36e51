// RocksEngine: the Engine that keeps its data in RocksDB.
//
// One column family holds rows and local records. Every write goes to the write-ahead log first;
// sync() syncs that log while other threads go on writing.
//
// Crash. What is left of the log after a crash is replayed up to the first hole, so that the store
// is always the result of a prefix of the writes. Each log record says up to where the log was
// synced when it was written, so the loss of an unsynced tail (power loss: nothing to worry about)
// is told from damage to synced records (the start is refused): storage/wal_audit.h.
//
// Failure. After an error of the log, the manifest or a flush the engine is degraded (see
// engine.h). A batch that the log didn't take is applied all the same. recover() writes all that is
// in memory to new table files and begins a new log; the log that failed is never written or synced
// again: storage/rocks_file_system.h.
//
// Iterators on a snapshot leave the block cache alone, so that a long walk doesn't evict what
// others use.
#pragma once

#include <memory>

#include "storage/base/status.h"
#include "storage/engine.h"
#include "storage/rocks_options.h"

namespace syntropy {

/// The number of the store's format, in the meta record "format". A store of a greater number was
/// written by a newer version and is not opened.
inline constexpr uint32_t kStoreFormat = 1;

/// Opens the store in options.dir, or makes an empty one. `purge` (may be null: nothing is dropped)
/// must outlive the engine. Errors:
///   kInvalidArgument  the options, or the directory holds something that isn't a store
///   kUnavailable      another process has the directory open
///   kCorruption       a file is damaged; the message names it and says what can be done
///   kIoError, kNoSpace
Result<std::unique_ptr<Engine>> open_rocks_engine(const RocksOptions& options,
                                                  const PurgeFilter* purge);

}  // namespace syntropy
