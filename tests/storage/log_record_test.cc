#include "storage/log_record.h"

#include <gtest/gtest.h>

#include <set>

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

TEST(LogRecord, CheckVectorOfAPurge) {
  LogRecordBuilder builder;
  builder.add_purge_watermark(5);
  builder.add_purge(4, "\xff");
  EXPECT_EQ(*builder.take(),
            std::string("\x15\0\0\0\x01\x03\x05\0\0\0\0\0\0\0\x04\x04\0\0\0\0\0\0\0\x01\xff", 25));
}

TEST(LogRecord, ReadsPurgesThatWereBuilt) {
  LogRecordBuilder builder;
  builder.add_purge(9, "key");
  builder.add_purge_watermark(10);
  const std::string record = *builder.take();
  LogRecordReader reader(record);
  LogItem item;
  ASSERT_TRUE(*reader.next(&item));
  EXPECT_EQ(item.kind, LogItem::Kind::kPurge);
  EXPECT_EQ(item.stamp, 9u);
  EXPECT_EQ(item.row_key, "key");
  ASSERT_TRUE(*reader.next(&item));
  EXPECT_EQ(item.kind, LogItem::Kind::kPurgeWatermark);
  EXPECT_EQ(item.stamp, 10u);
  EXPECT_TRUE(item.row_key.empty());
  EXPECT_FALSE(*reader.next(&item));
}

TEST(LogRecord, ReadsWhatWasBuilt) {
  const std::string records = two_items() + two_items();
  LogRecordReader reader(records);
  LogItem item;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(*reader.next(&item));
    EXPECT_EQ(item.kind, LogItem::Kind::kFlush);
    EXPECT_EQ(item.db, 3);
    EXPECT_EQ(item.stamp, 7u);
    ASSERT_TRUE(*reader.next(&item));
    EXPECT_EQ(item.kind, LogItem::Kind::kRow);
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

// Within a record of the right size.
TEST(LogRecord, RefusesItemsThatAreCutShort) {
  LogRecordBuilder builder;
  builder.add_flush(3, 7);
  builder.add_purge_watermark(5);
  builder.add_purge(4, "key");
  builder.add_row("key", "value");
  const std::string record = *builder.take();
  // Cut between the items it is a record of some.
  std::set<size_t> between;
  size_t end = kLogRecordHeaderBytes + 1;
  for (const size_t bytes : {11, 9, 13}) between.insert(end += bytes);
  for (size_t cut = kLogRecordHeaderBytes + 2; cut < record.size(); ++cut) {
    std::string shorter = record.substr(0, cut);
    store_le<uint32_t>(shorter.data(), static_cast<uint32_t>(cut - kLogRecordHeaderBytes));
    LogRecordReader reader(shorter);
    LogItem item;
    Result<bool> more = reader.next(&item);
    while (more.ok() && *more) more = reader.next(&item);
    EXPECT_EQ(more.ok(), between.count(cut) == 1) << cut;
  }
}

TEST(LogRecord, RefusesAnItemThatItDoesNotKnow) {
  std::string record = two_items();
  record[kLogRecordHeaderBytes + 1] = 5;
  LogItem item;
  EXPECT_TRUE(LogRecordReader(record).next(&item).status().is(StatusCode::kCorruption));
}

TEST(LogRecord, RefusesWhatIsNone) {
  EXPECT_FALSE(log_record_size(std::string(4, '\0')).ok());
  EXPECT_FALSE(log_record_size("\xff\xff\xff\xff").ok());
  std::string strange = two_items();
  strange[4] = 9;
  EXPECT_FALSE(log_record_size(strange).ok());

  LogItem item;
  EXPECT_FALSE(LogRecordReader("abc").next(&item).ok());
}

}  // namespace
}  // namespace syntropy
