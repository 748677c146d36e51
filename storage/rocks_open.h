// Opens a store on a file system of the caller's. What open_rocks_engine() does, for tests; and
// what opening a store to be looked at shares with it.
//
// For files of storage/ and tests only: RocksDB stays out of other headers.
#pragma once

#include <rocksdb/file_system.h>
#include <rocksdb/status.h>

#include <memory>
#include <string>

#include "storage/engine.h"
#include "storage/rocks_options.h"

namespace syntropy {

/// As open_rocks_engine(), with all files on `file_system`.
Result<std::unique_ptr<Engine>> open_rocks_engine_on(
    const RocksOptions& options, const PurgeFilter* purge,
    std::shared_ptr<rocksdb::FileSystem> file_system);

/// As open_rocks_engine(), while the directory bears the mark of a salvage
/// (storage/salvage_mark.h); dead rows stay.
Result<std::unique_ptr<Engine>> open_marked_rocks_engine(const RocksOptions& options);

/// Why the store in `dir` could not be opened: kCorruption naming the file when one is damaged.
Status explain_open(const rocksdb::Status& status, const std::string& dir);

}  // namespace syntropy
