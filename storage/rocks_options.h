// RocksOptions: how RocksEngine uses disk and memory. Plain values; RocksDB stays out of here.
//
// Memory: at most block_cache_bytes (data, indexes and filters of table files) plus
// write_buffer_bytes * max_write_buffers (rows not yet in table files), plus a few KiB per file.
// Restart: at most write_buffer_bytes * max_write_buffers of log is replayed.
//
// Thread safety: a value.
#pragma once

#include <cstdint>
#include <string>

#include "storage/base/status.h"

namespace syntropy {

/// What to do when the write-ahead log is damaged. A tail that was never synced and was lost with
/// the power is no damage: it is dropped in either mode.
enum class WalRecovery {
  kStrict,   // do not start; say which file it is
  kSalvage,  // keep everything before the damage, drop what comes after it
};

struct RocksOptions {
  std::string dir;  // made if missing; its parent must exist

  uint64_t block_cache_bytes = uint64_t{256} << 20;  // at least 1 MiB
  uint64_t write_buffer_bytes = uint64_t{32} << 20;  // flushed as one file; 64 KiB .. 1 GiB
  uint32_t max_write_buffers = 3;    // in memory, while the first is flushed; 2 .. 64
  uint32_t max_background_jobs = 2;  // flushes and compactions at once; 1 .. 64

  // "none", "snappy", "zlib", "lz4" or "zstd", as far as the RocksDB in use was built with it.
  std::string compression = "lz4";
  std::string bottommost_compression;  // of the last level, most of the data; empty: as the others

  double bloom_bits_per_key = 10;  // 0: no filters; 10: 1 in 100 absent keys costs a read
  uint64_t block_bytes = 4096;     // unit of compression and caching; 1 KiB .. 1 MiB
  uint64_t target_file_bytes = uint64_t{64} << 20;  // table files; 64 KiB .. 1 GiB
  uint64_t bytes_per_sync = uint64_t{1} << 20;      // of table files, spreads the writing; 0: off
  int32_t max_open_files = -1;                      // -1: all, the fastest; else at least 64

  WalRecovery wal_recovery = WalRecovery::kStrict;
};

/// kInvalidArgument naming the first field that is out of bounds or unknown.
Status validate(const RocksOptions& options);

}  // namespace syntropy
