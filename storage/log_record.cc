#include "storage/log_record.h"

#include <cassert>
#include <utility>

namespace syntropy {
namespace {

constexpr uint8_t kRowItem = 1;
constexpr uint8_t kFlushItem = 2;
constexpr uint8_t kPurgeWatermarkItem = 3;
constexpr uint8_t kPurgeItem = 4;

Status ill_formed(const char* what) {
  return Status::corruption(std::string("log record: ") + what);
}

}  // namespace

void LogRecordBuilder::begin() {
  if (!record_.empty()) return;
  put_fixed32_le(&record_, 0);
  record_.push_back(static_cast<char>(kLogRecordFormat));
}

void LogRecordBuilder::add_row(std::string_view row_key, std::string_view row_value) {
  begin();
  record_.push_back(static_cast<char>(kRowItem));
  put_varint32(&record_, static_cast<uint32_t>(row_key.size()));
  record_.append(row_key);
  put_varint32(&record_, static_cast<uint32_t>(row_value.size()));
  record_.append(row_value);
}

void LogRecordBuilder::add_flush(uint16_t physical_db, HlcStamp stamp) {
  begin();
  record_.push_back(static_cast<char>(kFlushItem));
  put_fixed16_le(&record_, physical_db);
  put_fixed64_le(&record_, stamp);
}

void LogRecordBuilder::add_purge_watermark(HlcStamp stamp) {
  begin();
  record_.push_back(static_cast<char>(kPurgeWatermarkItem));
  put_fixed64_le(&record_, stamp);
}

void LogRecordBuilder::add_purge(HlcStamp stamp, std::string_view row_key) {
  begin();
  record_.push_back(static_cast<char>(kPurgeItem));
  put_fixed64_le(&record_, stamp);
  put_varint32(&record_, static_cast<uint32_t>(row_key.size()));
  record_.append(row_key);
}

Result<std::string> LogRecordBuilder::take() {
  assert(!empty());
  std::string record = std::exchange(record_, {});
  const size_t body = record.size() - kLogRecordHeaderBytes;
  if (body > kMaxLogRecordBody) {
    return Status::invalid_argument("the changes of one tick are too large for a log record");
  }
  store_le<uint32_t>(record.data(), static_cast<uint32_t>(body));
  return record;
}

Result<size_t> log_record_size(std::string_view bytes) {
  if (bytes.size() < kLogRecordHeaderBytes) return size_t{0};
  const uint32_t body = load_le<uint32_t>(bytes.data());
  if (body < 2 || body > kMaxLogRecordBody) return ill_formed("no such size");
  if (bytes.size() > kLogRecordHeaderBytes &&
      static_cast<uint8_t>(bytes[kLogRecordHeaderBytes]) != kLogRecordFormat) {
    return ill_formed("unknown format; was it written by a newer version?");
  }
  const size_t size = kLogRecordHeaderBytes + body;
  return size <= bytes.size() ? size : size_t{0};
}

Result<size_t> whole_log_records(std::string_view bytes) {
  size_t whole = 0;
  while (true) {
    Result<size_t> size = log_record_size(bytes.substr(whole));
    if (!size.ok()) return size;
    if (*size == 0) return whole;
    whole += *size;
  }
}

Status LogRecordReader::open_record() {
  Result<size_t> size = log_record_size(rest_);
  if (!size.ok()) return size.status();
  if (*size == 0) return ill_formed("cut off");
  constexpr size_t kBegin = kLogRecordHeaderBytes + 1;
  body_ = ByteReader(rest_.substr(kBegin, *size - kBegin));
  rest_.remove_prefix(*size);
  return {};
}

Result<bool> LogRecordReader::next(LogItem* item) {
  if (body_.at_end()) {
    if (rest_.empty()) return false;
    const Status opened = open_record();
    if (!opened.ok()) return opened;
  }
  *item = {};
  uint8_t kind = 0;
  uint32_t bytes = 0;
  body_.read_u8(&kind);
  switch (kind) {
    case kRowItem:
      item->kind = LogItem::Kind::kRow;
      body_.read_varint32(&bytes);
      body_.read_bytes(bytes, &item->row_key);
      body_.read_varint32(&bytes);
      body_.read_bytes(bytes, &item->row_value);
      break;
    case kFlushItem:
      item->kind = LogItem::Kind::kFlush;
      body_.read_fixed16_le(&item->db);
      body_.read_fixed64_le(&item->stamp);
      break;
    case kPurgeWatermarkItem:
      item->kind = LogItem::Kind::kPurgeWatermark;
      body_.read_fixed64_le(&item->stamp);
      break;
    case kPurgeItem:
      item->kind = LogItem::Kind::kPurge;
      body_.read_fixed64_le(&item->stamp);
      body_.read_varint32(&bytes);
      body_.read_bytes(bytes, &item->row_key);
      break;
    default:
      return ill_formed("unknown item; was it written by a newer version?");
  }
  if (!body_.ok()) return ill_formed("cut off");
  return true;
}

}  // namespace syntropy
