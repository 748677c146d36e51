// Log records: the bytes of the replication log, one record for each tick that changed rows.
//
//   record := body_bytes:u32 body                                            (little-endian)
//   body   := format:u8 item+                                                format: 1
//   item   := 01 key_bytes:varint32 row_key value_bytes:varint32 row_value   (storage/row.h)
//           | 02 db:u16 stamp:u64                                            a flush (FLUSHDB)
//           | 03 stamp:u64                                                   a purge watermark
//           | 04 stamp:u64 key_bytes:varint32 row_key                        a purge
//
// A purge watermark is raised to at least its stamp (Keyspace::purged_up_to()). A purge removes the
// row at the key for good, if nothing of it is newer than the stamp (Tick::purge_row()).
//
// Rows that a node takes from another one are made such records as well. A receiver merges the
// items of a record in one commit. Items don't depend on their order, because a record has one of
// each row key at most; flushes come first, so that rows killed by them need not be looked at.
// Records do depend on theirs where one purges a row that another writes. Check: the flush of
// database 1 at stamp 2 alone is
//   0C000000 01 02 0100 0200000000000000;
// the watermark 5 with the purge of a row with the key FF (which is none) up to stamp 4 is
//   15000000 01 03 0500000000000000 04 0400000000000000 01 FF.
//
// Thread safety: a builder or a reader belongs to one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/coding.h"
#include "storage/base/status.h"
#include "storage/version.h"

namespace syntropy {

inline constexpr uint8_t kLogRecordFormat = 1;
inline constexpr size_t kLogRecordHeaderBytes = sizeof(uint32_t);
/// More is refused: twice a row of the greatest size, and what a tick may gather beside it.
inline constexpr uint32_t kMaxLogRecordBody = uint32_t{1} << 31;

class LogRecordBuilder {
 public:
  void clear() { record_.clear(); }
  /// Room for items of so many bytes altogether, if the caller can tell.
  void reserve(size_t bytes) { record_.reserve(kLogRecordHeaderBytes + 1 + bytes); }
  void add_row(std::string_view row_key, std::string_view row_value);
  void add_flush(uint16_t physical_db, HlcStamp stamp);
  void add_purge_watermark(HlcStamp stamp);
  void add_purge(HlcStamp stamp, std::string_view row_key);

  bool empty() const { return record_.empty(); }
  size_t bytes() const { return record_.size(); }
  /// The record of all items, of which there must be one; the builder is empty afterwards.
  /// kInvalidArgument when it is too large.
  Result<std::string> take();

 private:
  void begin();

  std::string record_;
};

struct LogItem {
  enum class Kind { kRow, kFlush, kPurgeWatermark, kPurge };
  Kind kind = Kind::kRow;
  std::string_view row_key;    // of a row or a purge; points into the record
  std::string_view row_value;  // of a row; the same
  uint16_t db = 0;             // of a flush; physical
  HlcStamp stamp = 0;          // of all but a row
};

/// Where the first record of `bytes` ends. 0: more bytes are needed to tell, or for it to be whole.
/// kCorruption: no record begins like that.
Result<size_t> log_record_size(std::string_view bytes);

/// How many of `bytes` are whole records; kCorruption as above.
Result<size_t> whole_log_records(std::string_view bytes);

/// Walks the items of whole records. Rows are not looked into: merging them does.
class LogRecordReader {
 public:
  explicit LogRecordReader(std::string_view records) : rest_(records) {}

  /// False at the end; kCorruption when the bytes are no records.
  Result<bool> next(LogItem* item);

 private:
  Status open_record();

  std::string_view rest_;
  ByteReader body_{std::string_view()};
};

}  // namespace syntropy
