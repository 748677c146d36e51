// Records and positions of the replication log, as received from another node.
//
// Properties: reading never goes past the end; what is read, built again, is the same bytes; every
// item is accounted for.

#include <cstdint>
#include <string>

#include "storage/lineage.h"
#include "storage/log_record.h"
#include "tests/fuzz/check.h"

namespace syntropy {
namespace {

void add(LogRecordBuilder& builder, const LogItem& item) {
  switch (item.kind) {
    case LogItem::Kind::kRow:
      return builder.add_row(item.row_key, item.row_value);
    case LogItem::Kind::kFlush:
      return builder.add_flush(item.db, item.stamp);
    case LogItem::Kind::kPurgeWatermark:
      return builder.add_purge_watermark(item.stamp);
    case LogItem::Kind::kPurge:
      return builder.add_purge(item.stamp, item.row_key);
  }
}

void check_records(std::string_view bytes) {
  const Result<size_t> whole = whole_log_records(bytes);
  if (!whole.ok()) return;
  SYNTROPY_CHECK(*whole <= bytes.size());
  for (std::string_view rest = bytes.substr(0, *whole); !rest.empty();) {
    const Result<size_t> size = log_record_size(rest);
    SYNTROPY_CHECK(size.ok() && *size > 0 && *size <= rest.size());
    LogRecordReader reader(rest.substr(0, *size));
    LogRecordBuilder builder;
    LogItem item;
    Result<bool> more = reader.next(&item);
    for (; more.ok() && *more; more = reader.next(&item)) {
      add(builder, item);
    }
    if (more.ok()) {
      SYNTROPY_CHECK(!builder.empty());
      SYNTROPY_CHECK(*builder.take() == rest.substr(0, *size));
    }
    rest.remove_prefix(*size);
  }
}

void check_position(std::string_view bytes) {
  const Result<History> history = decode_history(bytes);
  if (history.ok()) {
    std::string again;
    encode_history(*history, &again);
    SYNTROPY_CHECK(again == bytes);
  }
  LogPosition position;
  if (decode_position(bytes, &position).ok()) SYNTROPY_CHECK(encode_position(position) == bytes);
}

}  // namespace
}  // namespace syntropy

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  syntropy::check_records(input);
  syntropy::check_position(input);
  return 0;
}
