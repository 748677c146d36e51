#include "storage/wal_audit.h"

#include <algorithm>

#include "storage/base/coding.h"

namespace syntropy {
namespace {

constexpr char kClaimTag = 's';

class ClaimReader final : public rocksdb::WriteBatch::Handler {
 public:
  void LogData(const rocksdb::Slice& blob) override {
    ByteReader reader(blob.ToStringView());
    uint8_t tag = 0;
    uint64_t synced_through = 0;
    reader.read_u8(&tag);
    if (reader.read_fixed64_le(&synced_through) && tag == kClaimTag) {
      claim_ = std::max(claim_.value_or(0), synced_through);
    }
  }
  // Rows are of no interest here.
  rocksdb::Status PutCF(uint32_t, const rocksdb::Slice&, const rocksdb::Slice&) override {
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(uint32_t, const rocksdb::Slice&) override {
    return rocksdb::Status::OK();
  }

  std::optional<uint64_t> claim() const { return claim_; }

 private:
  std::optional<uint64_t> claim_;
};

// A batch begins with the sequence number of its first row (RocksDB, "write_batch.cc", 8 bytes,
// little-endian).
uint64_t first_sequence(const rocksdb::WriteBatch& batch) {
  return batch.Data().size() < sizeof(uint64_t) ? 0 : load_le<uint64_t>(batch.Data().data());
}

}  // namespace

void add_claim(uint64_t synced_through, rocksdb::WriteBatch* batch) {
  std::string claim(1, kClaimTag);
  put_fixed64_le(&claim, synced_through);
  batch->PutLogData(claim);
}

rocksdb::WalFilter::WalProcessingOption WalAudit::LogRecordFound(unsigned long long,
                                                                 const std::string& log_file,
                                                                 const rocksdb::WriteBatch& batch,
                                                                 rocksdb::WriteBatch*, bool*) {
  const uint64_t first = first_sequence(batch);
  const bool hole = expected_ && first != *expected_;
  if (hole || unreadable_) {
    note_damage(hole && !unreadable_ && !last_file_.empty() ? last_file_ : log_file);
    if (!first_lost_) first_lost_ = expected_ ? *expected_ : first - 1;
  }
  unreadable_ = false;
  expected_ = first + batch.Count();
  last_file_ = log_file;

  switch (mode_) {
    case Mode::kExpectWhole:
      return hole ? WalProcessingOption::kCorruptedRecord
                  : WalProcessingOption::kContinueProcessing;
    case Mode::kKeepPrefix:
      return hole ? WalProcessingOption::kStopReplay : WalProcessingOption::kContinueProcessing;
    case Mode::kSurvey:
      break;
  }
  if (first_lost_) {
    ClaimReader reader;
    const rocksdb::Status read = batch.Iterate(&reader);
    lost_synced_ |= read.ok() && reader.claim().value_or(0) >= *first_lost_;
  }
  return WalProcessingOption::kIgnoreCurrentRecord;
}

void WalAudit::note_unreadable(std::string_view log_file) {
  note_damage(log_file);
  unreadable_ = true;
}

void WalAudit::note_damage(std::string_view file) {
  damaged_ = true;
  if (damaged_file_.empty()) damaged_file_ = file;
}

}  // namespace syntropy
