#include "storage/row_copy.h"

#include "storage/base/slot.h"
#include "storage/local_records.h"
#include "storage/replication_log.h"
#include "storage/row.h"

namespace syntropy {
namespace {

std::string position_of_slot(uint32_t slot) {
  std::string key;
  encode_row_position(static_cast<uint16_t>(slot), 0, 0, &key);
  return key;
}

}  // namespace

RowCopy::RowCopy(Engine& engine, Slots slots)
    : engine_(engine), slots_(std::move(slots)), snapshot_(engine.snapshot()) {}

Result<std::unique_ptr<RowCopy>> RowCopy::open(Engine& engine, Slots slots) {
  std::unique_ptr<RowCopy> copy(new RowCopy(engine, std::move(slots)));
  Result<LogPosition> position = ReplicationLog::position_in(engine, copy->snapshot_.get());
  if (!position.ok()) return position.status();
  copy->position_ = std::move(*position);
  const Status read = copy->read_flush_stamps();
  if (!read.ok()) return read;
  return copy;
}

Status RowCopy::read_flush_stamps() {
  const std::string begin = flush_records_begin();
  std::string end = begin;
  end.back() = static_cast<char>(end.back() + 1);
  auto records = engine_.iterate(begin, end, snapshot_.get());
  for (records->seek(begin); records->valid(); records->next()) {
    Result<uint16_t> db = database_of_record(records->key());
    if (!db.ok()) return db.status();
    Result<uint64_t> stamp = decode_u64(records->value());
    if (!stamp.ok()) return stamp.status();
    flush_stamps_[*db] = *stamp;
  }
  return records->status();
}

// Goes to the next range that has rows when the present one has no more. False at the end.
bool RowCopy::seek_rows() {
  while (!rows_ || (!rows_->valid() && rows_->status().ok())) {
    if (next_range_ == slots_.size()) return false;
    const auto& [first, last] = slots_[next_range_++];
    const std::string begin = position_of_slot(first);
    rows_ = engine_.iterate(begin, position_of_slot(uint32_t{last} + 1), snapshot_.get());
    rows_->seek(begin);
  }
  return true;
}

Result<bool> RowCopy::next(size_t max_bytes, std::string* records) {
  if (!began_) {
    began_ = true;
    for (const auto& [db, stamp] : flush_stamps_) builder_.add_flush(db, stamp);
  }
  while (builder_.bytes() < max_bytes && seek_rows()) {
    if (!rows_->status().ok()) return rows_->status();
    Result<RowKeyView> key = decode_row_key(rows_->key());
    if (!key.ok()) return key.status();
    Result<RowView> row = decode_row(rows_->value());
    if (!row.ok()) return row.status();
    const size_t bytes = rows_->key().size() + rows_->value().size();
    if (!builder_.empty() && builder_.bytes() + bytes > max_bytes) break;
    const auto flushed = flush_stamps_.find(key->db);
    if (flushed == flush_stamps_.end() || row->version.stamp > flushed->second) {
      builder_.add_row(rows_->key(), rows_->value());
    }
    rows_->next();
  }
  if (builder_.empty()) return false;
  Result<std::string> record = builder_.take();
  if (!record.ok()) return record.status();
  records->append(*record);
  return true;
}

}  // namespace syntropy
