#include "storage/log_record.h"

#include <gtest/gtest.h>

namespace syntropy {
namespace {

std::string two_items() {
  LogRecordBuilder builder;
  builder.add_flush(3, 7);
  builder.add_row("key", "value");
  return *builder.take();
}

TEST(LogRecord, CheckVector) {
  LogRecordBuilder builder;
  builder.add_flush(1, 2);
  EXPECT_EQ(*builder.take(), std::string("\x0c\0\0\0\x01\x02\x01\0\x02\0\0\0\0\0\0\0", 16));
  EXPECT_TRUE(builder.empty());
}

TEST(LogRecord, ReadsWhatWasBuilt) {
  const std::string records = two_items() + two_items();
  LogRecordReader reader(records);
  LogItem item;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(*reader.next(&item));
    EXPECT_TRUE(item.is_flush);
    EXPECT_EQ(item.db, 3);
    EXPECT_EQ(item.stamp, 7u);
    ASSERT_TRUE(*reader.next(&item));
    EXPECT_FALSE(item.is_flush);
    EXPECT_EQ(item.row_key, "key");
    EXPECT_EQ(item.row_value, "value");
  }
  EXPECT_FALSE(*reader.next(&item));
}

TEST(LogRecord, OnlyWholeRecordsCount) {
  const std::string record = two_items();
  const std::string records = record + record;
  for (size_t cut = 0; cut <= records.size(); ++cut) {
    const size_t whole = cut / record.size() * record.size();
    EXPECT_EQ(*whole_log_records(std::string_view(records).substr(0, cut)), whole) << cut;
  }
}

TEST(LogRecord, RefusesWhatIsNone) {
  EXPECT_FALSE(log_record_size(std::string(4, '\0')).ok());
  EXPECT_FALSE(log_record_size("\xff\xff\xff\xff").ok());
  std::string strange = two_items();
  strange[4] = 9;
  EXPECT_FALSE(log_record_size(strange).ok());

  // Every item cut short within a record of the right size.
  const std::string record = two_items();
  for (size_t cut = kLogRecordHeaderBytes + 2; cut < record.size(); ++cut) {
    std::string shorter = record.substr(0, cut);
    store_le<uint32_t>(shorter.data(), static_cast<uint32_t>(cut - kLogRecordHeaderBytes));
    LogRecordReader reader(shorter);
    LogItem item;
    Result<bool> more = reader.next(&item);
    while (more.ok() && *more) more = reader.next(&item);
    // Cut between the items it is a record of one.
    const bool between = cut == kLogRecordHeaderBytes + 1 + 11;
    EXPECT_EQ(more.ok(), between) << cut;
  }
  LogItem item;
  EXPECT_FALSE(LogRecordReader("abc").next(&item).ok());
}

}  // namespace
}  // namespace syntropy
