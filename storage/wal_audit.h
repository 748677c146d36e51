// WalAudit: tells, when a store is opened, whether its write-ahead log is whole, has lost a tail
// that was never synced, or has lost records that were.
//
// Each record of the log carries the sequence numbers of its rows and, from the first sync on, a
// *claim*: the last sequence number that was synced when the record was written.
//
//   claim := 's' synced_through:u64 (little-endian), in a log-only blob of the batch
//
// A hole in the sequence numbers is where records were lost. If any record behind the hole claims
// that what was in it had been synced, the disk has damaged what it had promised to keep. If none
// does, the power went before the sync, and the kernel had written the pages out of order: what
// lies behind the hole was never promised, and is dropped, so that the store is the result of a
// prefix of the writes. Damage at the very end of the log is such a tail as well.
//
// For files of storage/ and tests only: RocksDB stays out of other headers.
//
// Thread safety: none; RocksDB calls it from the thread that opens the store.
#pragma once

#include <rocksdb/wal_filter.h>
#include <rocksdb/write_batch.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace syntropy {

/// Adds a claim to `batch`.
void add_claim(uint64_t synced_through, rocksdb::WriteBatch* batch);

class WalAudit final : public rocksdb::WalFilter {
 public:
  enum class Mode {
    kExpectWhole,  // a hole fails the opening
    kSurvey,       // reads everything that is readable and applies nothing
    kKeepPrefix,   // applies what precedes the first hole
  };

  explicit WalAudit(Mode mode) : mode_(mode) {}

  const char* Name() const override { return "SyntropyWalAudit"; }
  WalProcessingOption LogRecordFound(unsigned long long log_number, const std::string& log_file,
                                     const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch* new_batch, bool* changed) override;

  /// To be told of every log in which RocksDB skips bytes that it cannot read, while it does.
  void note_unreadable(std::string_view log_file);

  /// True when a hole, or something unreadable, was met.
  bool damaged() const { return damaged_; }
  /// True when something that had been synced is missing.
  bool lost_synced() const { return lost_synced_; }
  /// The log file with the first damage; empty when there is none.
  const std::string& damaged_file() const { return damaged_file_; }

 private:
  void note_damage(std::string_view file);

  const Mode mode_;
  std::optional<uint64_t> expected_;    // sequence number of the next record
  std::optional<uint64_t> first_lost_;  // sequence number
  std::string last_file_;
  std::string damaged_file_;
  bool damaged_ = false;
  bool unreadable_ = false;  // bytes were skipped and no record was seen since
  bool lost_synced_ = false;
};

}  // namespace syntropy
