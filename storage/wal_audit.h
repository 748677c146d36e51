// WalAudit: tells, before a store is opened, whether its write-ahead log is whole, has lost a tail
// that was never synced, or has lost records that were; and keeps RocksDB from applying what lies
// behind a hole.
//
// Each record of the log carries the sequence numbers of its rows and a *claim*: the last sequence
// number that was durable when the record was written.
//
//   claim := 's' durable_through:u64 (little-endian), in a log-only blob of the batch
//
// Where sequence numbers are missing, or bytes cannot be read, records were lost. If any record
// behind the loss claims that what was lost had been durable, the disk has damaged what it had
// promised to keep: the start is refused. If none does, the power went before the sync, and the
// kernel had written the pages out of order: what lies behind the hole was never promised, and is
// dropped, so that the store is the result of a prefix of the writes. Damage at the very end of the
// log is such a tail as well.
//
// RocksDB's own reader is not enough: it skips the rest of a 32 KiB block after a damaged record,
// and takes zeros in the middle of a block for its end without a word.
//
// The log format read here is RocksDB's (its wiki, "Write Ahead Log File Format"): blocks of 32 KiB
// with records crc32c:u32 (masked) length:u16 type:u8 payload, little-endian; type 1 is a whole
// record, 2, 3 and 4 the first, middle and last part of one; no record header crosses a block.
//
// For files of storage/ and tests only: RocksDB stays out of other headers.
//
// Thread safety: none; one thread opens a store.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/wal_filter.h>
#include <rocksdb/write_batch.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace syntropy {

/// Adds a claim to `batch`.
void add_claim(uint64_t durable_through, rocksdb::WriteBatch* batch);

/// CRC-32C of `bytes`. Check: crc32c("123456789") == 0xE3069283.
uint32_t crc32c(std::string_view bytes);

struct WalSurvey {
  uint64_t records = 0;       // readable ones
  bool damaged = false;       // records are missing, though perhaps only at the end
  bool lost_durable = false;  // something is missing that had been durable
  std::string damaged_file;   // the first damaged log; empty when none is
};

/// Paths of the logs in `dir` numbered `first` and above, in the order of their numbers.
Result<std::vector<std::string>> list_logs(rocksdb::Env& env, const std::string& dir,
                                           uint64_t first);

/// Reads the logs, which are in the order of their numbers. Errors are those of reading files.
Result<WalSurvey> survey_wal(rocksdb::Env& env, const std::vector<std::string>& logs);

/// Applies the log up to the first hole in its sequence numbers.
class PrefixFilter final : public rocksdb::WalFilter {
 public:
  const char* Name() const override { return "SyntropyPrefix"; }
  WalProcessingOption LogRecordFound(unsigned long long log_number, const std::string& log_file,
                                     const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch* new_batch, bool* changed) override;

 private:
  std::optional<uint64_t> expected_;  // sequence number of the next record
};

/// Applies nothing; learns which logs count.
class LogNumberFilter final : public rocksdb::WalFilter {
 public:
  const char* Name() const override { return "SyntropyLogNumber"; }
  void ColumnFamilyLogNumberMap(const std::map<uint32_t, uint64_t>& log_of_family,
                                const std::map<std::string, uint32_t>& family_of_name) override;
  WalProcessingOption LogRecordFound(unsigned long long log_number, const std::string& log_file,
                                     const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch* new_batch, bool* changed) override;

  /// Logs with a smaller number have been written to table files.
  uint64_t first_log() const { return first_log_; }

 private:
  uint64_t first_log_ = 0;
};

}  // namespace syntropy
