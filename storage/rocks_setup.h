// How RocksDB is set up for Syntropy, and how its errors become ours.
//
// For files of storage/ and tests only: RocksDB stays out of other headers.
//
// Thread safety: any thread.
#pragma once

#include <rocksdb/options.h>
#include <rocksdb/status.h>

#include "storage/base/status.h"
#include "storage/rocks_options.h"

namespace syntropy {

/// RocksDB's options for ours, without what open_rocks_engine() adds: environment, logger,
/// listeners, filters, recovery mode. kInvalidArgument when this RocksDB was built without a
/// compression that is asked for.
Result<rocksdb::Options> rocks_setup(const RocksOptions& options);

/// Before a write of this thread: how many rows, in the order of keys, it will insert.
void set_insertion_hints(size_t batch_rows);

/// The same failure as a Status of ours. Ok for ok.
Status from_rocks(const rocksdb::Status& status);

}  // namespace syntropy
