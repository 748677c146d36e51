#include "storage/local_records.h"

#include "storage/base/coding.h"
#include "storage/local_keys.h"

namespace syntropy {
namespace {

constexpr std::string_view kCount = "count/";
constexpr std::string_view kFlush = "flush/";

std::string numbered_key(std::string_view name, uint16_t db) {
  std::string key = meta_key(name);
  put_fixed16_be(&key, db);
  return key;
}

Status malformed(std::string_view record) {
  return Status::corruption("the local record '" + std::string(record) +
                            "' is ill-formed: restore the data directory from a snapshot");
}

}  // namespace

std::string writer_record_key() { return meta_key("writer"); }
std::string clean_record_key() { return meta_key("clean"); }
std::string clock_record_key() { return meta_key("clock"); }
std::string ahead_record_key() { return meta_key("ahead"); }
std::string watermark_record_key() { return meta_key("watermark"); }
std::string databases_record_key() { return meta_key("databases"); }
std::string purged_record_key() { return meta_key("purged"); }
std::string commits_record_key() { return meta_key("commits"); }
std::string log_offset_record_key() { return meta_key("replication/offset"); }
std::string log_history_record_key() { return meta_key("replication/history"); }
std::string count_record_key(uint16_t db) { return numbered_key(kCount, db); }
std::string flush_record_key(uint16_t db) { return numbered_key(kFlush, db); }
std::string count_records_begin() { return meta_key(kCount); }
std::string flush_records_begin() { return meta_key(kFlush); }

Result<uint16_t> database_of_record(std::string_view key) {
  const size_t prefix = 1 + kCount.size();  // both names are of that length
  static_assert(kCount.size() == kFlush.size());
  uint16_t db = 0;
  if (key.size() != prefix + sizeof(db) || !ByteReader(key.substr(prefix)).read_fixed16_be(&db)) {
    return malformed("count or flush");
  }
  return db;
}

std::string encode_u64(uint64_t value) {
  std::string bytes;
  put_fixed64_le(&bytes, value);
  return bytes;
}

Result<uint64_t> decode_u64(std::string_view bytes) {
  uint64_t value = 0;
  if (bytes.size() != sizeof(value) || !ByteReader(bytes).read_fixed64_le(&value)) {
    return malformed("number");
  }
  return value;
}

std::string encode_counts(const DatabaseCounts& counts) {
  std::string bytes;
  put_fixed64_le(&bytes, counts.keys);
  put_fixed64_le(&bytes, counts.expiring);
  return bytes;
}

Result<DatabaseCounts> decode_counts(std::string_view bytes) {
  DatabaseCounts counts;
  ByteReader reader(bytes);
  if (!reader.read_fixed64_le(&counts.keys) || !reader.read_fixed64_le(&counts.expiring) ||
      !reader.at_end()) {
    return malformed("count");
  }
  return counts;
}

std::string encode_watermark(const ExpiryWatermark& watermark) {
  std::string bytes;
  put_fixed64_le(&bytes, watermark.expires_at_ms);
  bytes += watermark.row_key;
  return bytes;
}

Result<ExpiryWatermark> decode_watermark(std::string_view bytes) {
  ExpiryWatermark watermark;
  ByteReader reader(bytes);
  if (!reader.read_fixed64_le(&watermark.expires_at_ms)) return malformed("watermark");
  watermark.row_key = std::string(reader.rest());
  return watermark;
}

std::string encode_database_map(const std::vector<uint16_t>& physical) {
  std::string bytes;
  for (uint16_t db : physical) put_fixed16_le(&bytes, db);
  return bytes;
}

Result<std::vector<uint16_t>> decode_database_map(std::string_view bytes) {
  std::vector<uint16_t> physical;
  ByteReader reader(bytes);
  uint16_t db = 0;
  while (!reader.at_end()) {
    if (!reader.read_fixed16_le(&db)) return malformed("databases");
    physical.push_back(db);
  }
  return physical;
}

}  // namespace syntropy
