#include "storage/derived_records.h"

#include <algorithm>
#include <memory>
#include <string>

#include "storage/base/hlc.h"
#include "storage/counter.h"
#include "storage/local_keys.h"
#include "storage/row.h"

namespace syntropy {
namespace {

constexpr size_t kBatchBytes = size_t{256} << 10;
constexpr uint64_t kProgressRows = 10'000;

std::string end_of(std::string prefix) {
  prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

class Making {
 public:
  Making(Engine& engine, uint64_t wall_ms, uint64_t max_drift_ms,
         const std::function<void(uint64_t)>& progress)
      : engine_(engine),
        batch_(engine.new_batch()),
        wall_(hlc_stamp(std::min(wall_ms, kHlcMaxMs), 0)),
        followed_(hlc_stamp(std::min(wall_ms + max_drift_ms, kHlcMaxMs), UINT16_MAX)),
        clock_(wall_),
        progress_(progress) {}

  Result<DerivedRecords> run() {
    Status done = read_records();
    if (done.ok()) done = erase(expiry_position(0), expiry_keys_end());
    if (done.ok()) done = erase(count_records_begin(), end_of(count_records_begin()));
    if (done.ok()) done = read_rows();
    if (!done.ok()) return done;
    for (const auto& [db, counts] : made_.databases) {
      batch_->put(count_record_key(db), encode_counts(counts));
    }
    for (const std::string& key :
         {writer_record_key(), clean_record_key(), commits_record_key(), purged_record_key()}) {
      batch_->erase(key);
    }
    batch_->put(clock_record_key(), encode_u64(clock_));
    if (ahead_ > clock_) batch_->put(ahead_record_key(), encode_u64(ahead_));
    done = write();
    if (!done.ok()) return done;
    return std::move(made_);
  }

 private:
  /// Calls `take` with each record from `begin` on, before `end`.
  template <class Take>
  Status walk(const std::string& begin, const std::string& end, Take&& take) {
    const std::unique_ptr<EngineIterator> at = engine_.iterate(begin, end, nullptr);
    for (at->seek(begin); at->valid(); at->next()) {
      const Status taken = take(at->key(), at->value());
      if (!taken.ok()) return taken;
    }
    return at->status();
  }

  Status read_number(const std::string& key, uint64_t* number) {
    std::string bytes;
    const Status read = engine_.get(key, ReadTier::kDisk, &bytes);
    if (read.is(StatusCode::kNotFound)) return {};
    if (!read.ok()) return read;
    const Result<uint64_t> value = decode_u64(bytes);
    if (value.ok()) *number = *value;
    return value.status();
  }

  Status read_records() {
    uint64_t bound = 0, purged = 0;
    Status read = read_number(clock_record_key(), &bound);
    if (read.ok()) read = read_number(ahead_record_key(), &ahead_);
    if (read.ok()) read = read_number(purged_record_key(), &purged);
    if (!read.ok()) return read;
    clock_ = std::max(clock_, bound);
    note_stamp(purged);
    std::string bytes;
    read = engine_.get(watermark_record_key(), ReadTier::kDisk, &bytes);
    if (read.ok()) {
      const Result<ExpiryWatermark> watermark = decode_watermark(bytes);
      if (!watermark.ok()) return watermark.status();
      watermark_ = *watermark;
    } else if (!read.is(StatusCode::kNotFound)) {
      return read;
    }
    const std::string flushes = flush_records_begin();
    return walk(flushes, end_of(flushes), [&](std::string_view key, std::string_view value) {
      const Result<uint16_t> db = database_of_record(key);
      if (!db.ok()) return db.status();
      const Result<uint64_t> stamp = decode_u64(value);
      if (!stamp.ok()) return stamp.status();
      flushed_[*db] = *stamp;
      note_stamp(*stamp);
      return Status();
    });
  }

  Status erase(const std::string& begin, const std::string& end) {
    const Status walked = walk(begin, end, [&](std::string_view key, std::string_view) {
      batch_->erase(key);
      return write_when_full();
    });
    return walked.ok() ? write() : walked;
  }

  Status read_rows() {
    return walk({}, kRowKeysEnd, [&](std::string_view key, std::string_view value) {
      if (++made_.rows % kProgressRows == 0 && progress_) progress_(made_.rows);
      const Result<RowKeyView> at = decode_row_key(key);
      const Result<RowView> row = decode_row(value);
      const Result<HlcStamp> newest = row.ok() ? newest_stamp_of(*row) : row.status();
      if (!at.ok() || !newest.ok()) {
        ++made_.unreadable;
        return Status();
      }
      note_stamp(*newest);
      if (at->subkey.empty()) count(*at, *row, key);
      return write_when_full();
    });
  }

  void count(const RowKeyView& at, const RowView& row, std::string_view key) {
    if (row.kind == RowKind::kTombstone) return;
    const auto flushed = flushed_.find(at.db);
    if (flushed != flushed_.end() && row.version.stamp <= flushed->second) return;
    if (row.expires_at_ms != 0 && watermark_.covers(row.expires_at_ms, key)) return;
    DatabaseCounts& counts = made_.databases[at.db];
    ++counts.keys;
    if (row.expires_at_ms == 0) return;
    ++counts.expiring;
    std::string record;
    encode_expiry_key(row.expires_at_ms, key, &record);
    batch_->put(record, encode_u64(row.version.stamp));
  }

  // The clock follows no stamp that is too far ahead; such a one is remembered beside it.
  void note_stamp(HlcStamp stamp) {
    HlcStamp& above = stamp <= followed_ ? clock_ : ahead_;
    above = std::max(above, stamp);
  }

  Status write_when_full() { return batch_->bytes() < kBatchBytes ? Status() : write(); }

  Status write() {
    if (batch_->empty()) return {};
    const Status written = engine_.write(*batch_);
    batch_->clear();
    return written;
  }

  Engine& engine_;
  const std::unique_ptr<EngineBatch> batch_;
  const HlcStamp wall_;
  const HlcStamp followed_;
  HlcStamp clock_;
  HlcStamp ahead_ = 0;
  const std::function<void(uint64_t)>& progress_;
  ExpiryWatermark watermark_;
  std::map<uint16_t, HlcStamp> flushed_;
  DerivedRecords made_;
};

}  // namespace

Result<DerivedRecords> make_derived_records(Engine& engine, uint64_t wall_ms, uint64_t max_drift_ms,
                                            const std::function<void(uint64_t rows)>& progress) {
  return Making(engine, wall_ms, max_drift_ms, progress).run();
}

}  // namespace syntropy
