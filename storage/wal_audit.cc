#include "storage/wal_audit.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <utility>

#include "storage/base/coding.h"
#include "storage/rocks_setup.h"

namespace syntropy {
namespace {

constexpr char kClaimTag = 's';
constexpr size_t kBlockBytes = 32768;
constexpr size_t kHeaderBytes = 7;
constexpr size_t kBatchHeaderBytes = 12;  // first sequence number u64, count u32

enum RecordType : uint8_t { kWhole = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

// Slicing by 8, as for the slots: a log is read at disk speed.
using CrcTables = std::array<std::array<uint32_t, 256>, 8>;

constexpr CrcTables make_crc_tables() {
  constexpr uint32_t kReversedPolynomial = 0x82F63B78;
  CrcTables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kReversedPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (size_t n = 1; n < tables.size(); ++n) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t before = tables[n - 1][byte];
      tables[n][byte] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}

constexpr CrcTables kCrc = make_crc_tables();

uint32_t masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xA282EAD8; }

class ClaimReader final : public rocksdb::WriteBatch::Handler {
 public:
  void LogData(const rocksdb::Slice& blob) override {
    ByteReader reader(blob.ToStringView());
    uint8_t tag = 0;
    uint64_t durable_through = 0;
    reader.read_u8(&tag);
    if (reader.read_fixed64_le(&durable_through) && tag == kClaimTag) {
      claim_ = std::max(claim_, durable_through);
    }
  }
  // Rows are of no interest here.
  rocksdb::Status PutCF(uint32_t, const rocksdb::Slice&, const rocksdb::Slice&) override {
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(uint32_t, const rocksdb::Slice&) override {
    return rocksdb::Status::OK();
  }

  uint64_t claim() const { return claim_; }

 private:
  uint64_t claim_ = 0;
};

// Walks through logs and keeps account of what is missing.
class Surveyor {
 public:
  void begin_log(std::string path) {
    path_ = std::move(path);
    parts_.reset();
  }

  // One block, the last one of a log may be short.
  void take_block(std::string_view block) {
    size_t at = 0;
    while (block.size() - at >= kHeaderBytes) {
      const size_t size = record_at(block.substr(at));
      if (size == 0) {
        // Nothing that could be a record: go on byte by byte, until one fits.
        note_unreadable();
        ++at;
        continue;
      }
      take_part(block.substr(at, size));
      at += size;
    }
  }

  WalSurvey finish() {
    if (unreadable_ || parts_) note_damage(path_);
    return std::move(survey_);
  }

 private:
  // The size of the record that `bytes` begin with; 0 when they don't.
  static size_t record_at(std::string_view bytes) {
    const auto type = static_cast<uint8_t>(bytes[6]);
    const size_t size = kHeaderBytes + load_le<uint16_t>(bytes.data() + 4);
    if (type < kWhole || type > kLast || size > bytes.size()) return 0;
    const std::string_view covered = bytes.substr(6, size - 6);
    return load_le<uint32_t>(bytes.data()) == masked(crc32c(covered)) ? size : 0;
  }

  void take_part(std::string_view record) {
    const auto type = static_cast<uint8_t>(record[6]);
    const std::string_view payload = record.substr(kHeaderBytes);
    const bool continues = type == kMiddle || type == kLast;
    if (continues != parts_.has_value()) note_unreadable();
    if (!continues) parts_.emplace();
    if (!parts_) return;  // a part whose beginning is missing
    parts_->append(payload);
    if (type == kWhole || type == kLast) take_batch(*std::exchange(parts_, std::nullopt));
  }

  void take_batch(std::string bytes) {
    if (bytes.size() < kBatchHeaderBytes) return note_unreadable();
    ++survey_.records;
    const auto first = load_le<uint64_t>(bytes.data());
    const auto count = load_le<uint32_t>(bytes.data() + 8);
    const bool hole = expected_ && first != *expected_;
    if (hole || unreadable_) {
      note_damage(unreadable_ ? unreadable_file_ : path_);
      if (!first_lost_) first_lost_ = expected_.value_or(first - 1);
    }
    unreadable_ = false;
    expected_ = first + count;
    if (!first_lost_ || survey_.lost_durable) return;
    ClaimReader reader;
    const rocksdb::WriteBatch batch(std::move(bytes));
    // What could be read up to a strange part counts.
    batch.Iterate(&reader).PermitUncheckedError();
    survey_.lost_durable = reader.claim() >= *first_lost_;
  }

  void note_unreadable() {
    parts_.reset();
    if (!unreadable_) unreadable_file_ = path_;
    unreadable_ = true;
  }

  void note_damage(const std::string& file) {
    survey_.damaged = true;
    if (survey_.damaged_file.empty()) survey_.damaged_file = file;
  }

  std::string path_;
  std::optional<std::string> parts_;    // of a record of several parts, so far
  bool unreadable_ = false;             // bytes were skipped and no record was seen since
  std::string unreadable_file_;         // in which they were
  std::optional<uint64_t> expected_;    // sequence number of the next record
  std::optional<uint64_t> first_lost_;  // sequence number
  WalSurvey survey_;
};

// A batch begins with the sequence number of its first row.
uint64_t first_sequence(const rocksdb::WriteBatch& batch) {
  return batch.Data().size() < kBatchHeaderBytes ? 0 : load_le<uint64_t>(batch.Data().data());
}

}  // namespace

void add_claim(uint64_t durable_through, rocksdb::WriteBatch* batch) {
  char claim[1 + sizeof(uint64_t)] = {kClaimTag};
  store_le<uint64_t>(claim + 1, durable_through);
  // Fails only for a batch that is too large, which put() would have noticed.
  batch->PutLogData(rocksdb::Slice(claim, sizeof(claim))).PermitUncheckedError();
}

uint32_t crc32c(std::string_view bytes) {
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  size_t left = bytes.size();
  uint32_t crc = ~uint32_t{0};
  for (; left >= 8; p += 8, left -= 8) {
    crc = kCrc[7][p[0] ^ (crc & 0xFF)] ^ kCrc[6][p[1] ^ ((crc >> 8) & 0xFF)] ^
          kCrc[5][p[2] ^ ((crc >> 16) & 0xFF)] ^ kCrc[4][p[3] ^ (crc >> 24)] ^ kCrc[3][p[4]] ^
          kCrc[2][p[5]] ^ kCrc[1][p[6]] ^ kCrc[0][p[7]];
  }
  for (; left > 0; ++p, --left) crc = (crc >> 8) ^ kCrc[0][(crc ^ *p) & 0xFF];
  return ~crc;
}

Result<std::vector<std::string>> list_logs(rocksdb::Env& env, const std::string& dir,
                                           uint64_t first) {
  std::vector<std::string> names;
  const rocksdb::Status status = env.GetChildren(dir, &names);
  if (!status.ok()) return from_rocks(status);
  std::vector<std::pair<uint64_t, std::string>> logs;
  for (const std::string& name : names) {
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    const bool is_log = error == std::errc() && std::string_view(end) == ".log";
    if (is_log && number >= first) logs.emplace_back(number, dir + "/" + name);
  }
  std::sort(logs.begin(), logs.end());
  std::vector<std::string> paths;
  for (auto& [number, path] : logs) paths.push_back(std::move(path));
  return paths;
}

Result<WalSurvey> survey_wal(rocksdb::Env& env, const std::vector<std::string>& logs) {
  Surveyor surveyor;
  std::string scratch(kBlockBytes, '\0');
  for (const std::string& log : logs) {
    surveyor.begin_log(log);
    std::unique_ptr<rocksdb::SequentialFile> file;
    rocksdb::Status status = env.NewSequentialFile(log, &file, rocksdb::EnvOptions());
    rocksdb::Slice block;
    while (status.ok()) {
      status = file->Read(kBlockBytes, &block, scratch.data());
      if (!status.ok() || block.empty()) break;
      surveyor.take_block(block.ToStringView());
      if (block.size() < kBlockBytes) break;
    }
    if (!status.ok()) return from_rocks(status);
  }
  return surveyor.finish();
}

rocksdb::WalFilter::WalProcessingOption PrefixFilter::LogRecordFound(
    unsigned long long, const std::string&, const rocksdb::WriteBatch& batch, rocksdb::WriteBatch*,
    bool*) {
  const uint64_t first = first_sequence(batch);
  if (expected_ && first != *expected_) return WalProcessingOption::kStopReplay;
  expected_ = first + batch.Count();
  return WalProcessingOption::kContinueProcessing;
}

void LogNumberFilter::ColumnFamilyLogNumberMap(const std::map<uint32_t, uint64_t>& log_of_family,
                                               const std::map<std::string, uint32_t>&) {
  for (const auto& [family, log] : log_of_family) first_log_ = std::max(first_log_, log);
}

rocksdb::WalFilter::WalProcessingOption LogNumberFilter::LogRecordFound(unsigned long long,
                                                                        const std::string&,
                                                                        const rocksdb::WriteBatch&,
                                                                        rocksdb::WriteBatch*,
                                                                        bool*) {
  return WalProcessingOption::kStopReplay;
}

}  // namespace syntropy
