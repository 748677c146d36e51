#include "storage/rocks_setup.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/memtablerep.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>

#include <algorithm>
#include <bit>
#include <map>

#include "storage/rocks_file_system.h"

namespace syntropy {
namespace {

constexpr uint64_t kLeastCacheShardBytes = uint64_t{8} << 20;

// The filter of a table file of two million rows measures 4 MiB as one block. Two that fall on one
// shard of the cache push each other out, and each read of a row reads and checks a whole one anew:
// SETs of ten million rows had a tenth of their rate then. So indexes and filters are cut into
// blocks of this size, each found through one above them.
constexpr uint64_t kMetadataBlockBytes = uint64_t{16} << 10;

// Of a table file's entries: a run of so many of which half are deletions, or so large a share of
// all, makes it worth a compaction.
constexpr size_t kDeletionWindow = 16384;
constexpr double kDeletedShare = 0.3;

// An insertion into a memtable goes through as many lines of memory as it has levels; one that fits
// into the processor's cache costs half of one of 64 MiB. Several of them are flushed as one file.
constexpr uint64_t kMostMemtableBytes = uint64_t{4} << 20;

// A reconcile session looks its rows up in the order of their keys, each near the one before: an
// iterator goes so many entries of a memtable on before it starts from the top of the skip list.
constexpr size_t kSeekSteps = 16;

void set_write_buffers(const RocksOptions& options, rocksdb::Options* rocks) {
  const uint64_t memtables = std::max<uint64_t>(1, options.write_buffer_bytes / kMostMemtableBytes);
  rocks->write_buffer_size = options.write_buffer_bytes / memtables;
  rocks->min_write_buffer_number_to_merge = static_cast<int>(memtables);
  rocks->max_write_buffer_number = static_cast<int>(options.max_write_buffers * memtables);
  rocks->memtable_whole_key_filtering = true;
  rocks->memtable_prefix_bloom_size_ratio = 0.02;
  rocks->memtable_factory = std::make_shared<rocksdb::SkipListFactory>(kSeekSteps);
}

thread_local bool insertion_hints = false;

// A batch comes in the order of keys (storage/tick_commit.cc): each insertion starts from the place
// of the last one instead of the top of the skip list. One hint for all keys. Where the rows of a
// small batch lie far apart, it would only cost comparisons.
class InsertionHint final : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "SyntropyInsertionHint"; }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override { return {key.data(), 0}; }
  bool InDomain(const rocksdb::Slice&) const override { return insertion_hints; }
};

std::shared_ptr<rocksdb::Cache> make_cache(uint64_t bytes) {
  rocksdb::LRUCacheOptions cache;
  cache.capacity = bytes;
  const uint64_t shards = std::max<uint64_t>(1, bytes / kLeastCacheShardBytes);
  cache.num_shard_bits = std::min(6, static_cast<int>(std::bit_width(shards)) - 1);
  cache.high_pri_pool_ratio = 0.5;
  return rocksdb::NewLRUCache(cache);
}

rocksdb::BlockBasedTableOptions table_setup(const RocksOptions& options) {
  rocksdb::BlockBasedTableOptions table;
  table.format_version = 5;
  table.block_size = options.block_bytes;
  table.block_cache = make_cache(options.block_cache_bytes);
  // Memory stays bounded: indexes and filters live in the cache, and go after data does.
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = options.bloom_bits_per_key > 0;
  table.metadata_block_size = kMetadataBlockBytes;
  table.pin_top_level_index_and_filter = true;
  // Most reads are of single rows.
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  table.whole_key_filtering = true;
  table.optimize_filters_for_memory = true;
  if (options.bloom_bits_per_key > 0) {
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(options.bloom_bits_per_key));
  }
  return table;
}

Result<rocksdb::CompressionType> compression_type(const std::string& name) {
  static const std::map<std::string, rocksdb::CompressionType> kTypes = {
      {"none", rocksdb::kNoCompression},
      {"snappy", rocksdb::kSnappyCompression},
      {"zlib", rocksdb::kZlibCompression},
      {"lz4", rocksdb::kLZ4Compression},
      {"zstd", rocksdb::kZSTD},
  };
  const rocksdb::CompressionType type = kTypes.at(name);
  const auto supported = rocksdb::GetSupportedCompressions();
  if (std::find(supported.begin(), supported.end(), type) == supported.end()) {
    return Status::invalid_argument("RocksDB was built without the compression '" + name + "'");
  }
  return type;
}

Status set_compression(const RocksOptions& options, rocksdb::Options* rocks) {
  const Result<rocksdb::CompressionType> type = compression_type(options.compression);
  if (!type.ok()) return type.status();
  rocks->compression = *type;
  // Files of the first level are merged soon: compressing them costs more than it saves.
  rocks->compression_per_level.assign(static_cast<size_t>(rocks->num_levels), *type);
  rocks->compression_per_level.front() = rocksdb::kNoCompression;
  if (!options.bottommost_compression.empty()) {
    const auto bottommost = compression_type(options.bottommost_compression);
    if (!bottommost.ok()) return bottommost.status();
    rocks->bottommost_compression = *bottommost;
  }
  return {};
}

}  // namespace

void set_insertion_hints(size_t batch_rows) {
  constexpr size_t kLeastRows = 64;
  insertion_hints = batch_rows >= kLeastRows;
}

Result<rocksdb::Options> rocks_setup(const RocksOptions& options) {
  rocksdb::Options rocks;
  rocks.create_if_missing = true;
  rocks.paranoid_checks = true;
  rocks.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table_setup(options)));

  set_write_buffers(options, &rocks);
  rocks.memtable_insert_with_hint_prefix_extractor = std::make_shared<InsertionHint>();
  // Writers are serialized above us; what makes room for several of them only costs.
  rocks.allow_concurrent_memtable_write = false;
  rocks.enable_write_thread_adaptive_yield = false;

  rocks.level_compaction_dynamic_level_bytes = true;
  rocks.target_file_size_base = options.target_file_bytes;
  rocks.max_bytes_for_level_base =
      std::max(8 * options.write_buffer_bytes, 4 * options.target_file_bytes);
  // A file half of which says what is gone is compacted soon: else what was purged takes its space
  // until something else is written there.
  rocks.table_properties_collector_factories.push_back(
      rocksdb::NewCompactOnDeletionCollectorFactory(kDeletionWindow, kDeletionWindow / 2,
                                                    kDeletedShare));
  // One thread flushes, whatever the number of jobs: see RocksWatch.
  rocks.max_background_flushes = 1;
  rocks.max_background_compactions = std::max(1, static_cast<int>(options.max_background_jobs) - 1);
  rocks.bytes_per_sync = options.bytes_per_sync;
  rocks.max_open_files = options.max_open_files;

  // A recycled log could not tell its torn tail from the records of its former life.
  rocks.recycle_log_file_num = 0;
  rocks.avoid_flush_during_shutdown = true;
  rocks.skip_stats_update_on_db_open = true;
  // Engine::recover() decides when to resume, RocksDB never by itself.
  rocks.max_bgerror_resume_count = 0;

  rocks.info_log_level = rocksdb::INFO_LEVEL;
  rocks.max_log_file_size = size_t{8} << 20;
  rocks.keep_log_file_num = 4;
  rocks.stats_dump_period_sec = 0;
  rocks.stats_persist_period_sec = 0;
  const Status status = set_compression(options, &rocks);
  if (!status.ok()) return status;
  return rocks;
}

Status from_rocks(const rocksdb::Status& status) {
  const auto code = [&] {
    switch (status.code()) {
      case rocksdb::Status::kOk:
        return StatusCode::kOk;
      case rocksdb::Status::kNotFound:
        return StatusCode::kNotFound;
      case rocksdb::Status::kCorruption:
        return StatusCode::kCorruption;
      case rocksdb::Status::kInvalidArgument:
      case rocksdb::Status::kNotSupported:
        return StatusCode::kInvalidArgument;
      case rocksdb::Status::kIncomplete:
        return StatusCode::kIncomplete;
      case rocksdb::Status::kIOError:
        return StatusCode::kIoError;
      default:
        return StatusCode::kUnavailable;
    }
  }();
  if (code == StatusCode::kOk) return {};
  const std::string text = status.ToString();
  const bool no_space = status.IsNoSpace() || text.find(no_space_text()) != std::string::npos;
  return {no_space ? StatusCode::kNoSpace : code, text};
}

}  // namespace syntropy
