// Local records: what a keyspace stores of itself beside the rows, in the engine's meta records
// (storage/local_keys.h). Integers are little-endian.
//
//   name          value
//   writer        id:u64                        this node's writer id
//   clean         (empty)                       the last shutdown lost nothing; gone once started
//   clock         stamp:u64                     bound of the hybrid logical clock
//   ahead         stamp:u64                     not below any row's stamp that the clock did not
//                                               follow
//   watermark     expires_at_ms:u64 row_key     the expiry index is drained up to here
//   purged        stamp:u64                     rows that died at or before it may be gone for good
//   commits       commits:u64                   commits that changed rows while a listener was told
//   databases     physical:u16 * n              physical number of each logical database
//   replication/offset, replication/history    storage/replication_log.h
//   count/db:u16be   keys:u64 expiring:u64      counted keys of a physical database
//   flush/db:u16be   stamp:u64                  rows of it up to this stamp are flushed
//
// The value of an expiry record is the stamp:u64 of its row's version.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "storage/version.h"

namespace syntropy {

std::string writer_record_key();
std::string clean_record_key();
std::string clock_record_key();
std::string ahead_record_key();
std::string watermark_record_key();
std::string databases_record_key();
std::string purged_record_key();
std::string commits_record_key();
std::string log_offset_record_key();
std::string log_history_record_key();

/// Keys of the records of a physical database, and where those of all databases begin.
std::string count_record_key(uint16_t db);
std::string flush_record_key(uint16_t db);
std::string count_records_begin();
std::string flush_records_begin();
/// The physical database of a count or flush record's key.
Result<uint16_t> database_of_record(std::string_view key);

std::string encode_u64(uint64_t value);
Result<uint64_t> decode_u64(std::string_view bytes);

struct DatabaseCounts {
  uint64_t keys = 0;
  uint64_t expiring = 0;
};
std::string encode_counts(const DatabaseCounts& counts);
Result<DatabaseCounts> decode_counts(std::string_view bytes);

/// Where the draining of the expiry index stands: every record up to this one is drained.
struct ExpiryWatermark {
  uint64_t expires_at_ms = 0;
  std::string row_key;

  bool covers(uint64_t at_ms, std::string_view key) const {
    return at_ms < expires_at_ms || (at_ms == expires_at_ms && key <= row_key);
  }
};
std::string encode_watermark(const ExpiryWatermark& watermark);
Result<ExpiryWatermark> decode_watermark(std::string_view bytes);

std::string encode_database_map(const std::vector<uint16_t>& physical);
Result<std::vector<uint16_t>> decode_database_map(std::string_view bytes);

}  // namespace syntropy
