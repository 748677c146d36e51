#include "server/resp/rdb_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/resp/rdb_string.h"
#include "storage/base/coding.h"

namespace syntropy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Event = RdbReader::Event;

std::string bytes_of(std::initializer_list<int> bytes) {
  std::string text;
  for (const int byte : bytes) text.push_back(static_cast<char>(byte));
  return text;
}

std::string short_string(std::string_view text) {
  return bytes_of({static_cast<int>(text.size())}) + std::string(text);
}

std::string with_checksum(std::string file) {
  put_fixed64_le(&file, rdb_crc64(file));
  return file;
}

std::string file_of(const std::string& body, const std::string& version = "0010") {
  return with_checksum("REDIS" + version + body + "\xFF");
}

// What a file yields, fed in pieces; the last line is "end", "more" or an error.
std::vector<std::string> read(std::string_view file, size_t piece = 3, uint64_t most = 1000) {
  RdbReader reader(most);
  std::vector<std::string> lines;
  while (true) {
    const Result<Event> event = reader.next();
    if (!event.ok()) {
      lines.emplace_back(event.status().message());
      return lines;
    }
    if (*event == Event::kMore) {
      if (file.empty()) {
        lines.emplace_back("more");
        return lines;
      }
      reader.feed(file.substr(0, piece));
      file.remove_prefix(std::min(piece, file.size()));
      continue;
    }
    if (*event == Event::kEnd) {
      lines.emplace_back("end");
      return lines;
    }
    const RdbReader::Entry& entry = reader.entry();
    std::string line = std::to_string(entry.database) + " " + entry.type + " " + entry.key;
    if (*event == Event::kString) line += "=" + entry.value;
    if (entry.expires_at_ms) line += " until " + std::to_string(*entry.expires_at_ms);
    lines.push_back(line);
  }
}

TEST(RdbReader, YieldsStringsWithTheirDatabasesAndExpiries) {
  std::string body = "\xFA" + short_string("redis-ver") + short_string("7.0.15");
  body += "\xFE" + bytes_of({0}) + "\xFB" + bytes_of({2, 1});
  body += bytes_of({0}) + short_string("plain") + short_string("value");
  body += "\xFC";
  put_fixed64_le(&body, 1'700'000'000'123);
  body += "\xF8" + bytes_of({5});
  body += bytes_of({0}) + short_string("number") + bytes_of({0xC1, 0x39, 0x30});
  body += "\xFE" + bytes_of({9}) + "\xFD" + bytes_of({1, 0, 0, 0}) + "\xF9" + bytes_of({200});
  body += bytes_of({0}) + short_string("") + short_string("of no name");
  for (const size_t piece : {1, 2, 1000}) {
    EXPECT_THAT(read(file_of(body), piece),
                ElementsAre("0 string plain=value", "0 string number=12345 until 1700000000123",
                            "9 string =of no name until 1000", "end"));
  }
}

TEST(RdbReader, PassesOverOtherTypesAndNamesThem) {
  const std::string a = short_string("a");
  const std::string blob = bytes_of({0xC3, 2, 30, 1, 2});  // compressed: 2 bytes for 30
  const std::string raw8(8, '8');
  const std::string raw16(16, 'G');
  const auto stream = [&](int lengths, int entries_read, int times) {
    std::string value = bytes_of({1}) + a + blob;
    for (int i = 0; i < lengths; ++i) value += bytes_of({0x40, 1});
    value += bytes_of({1}) + a + bytes_of({1, 1});
    for (int i = 0; i < entries_read; ++i) value += bytes_of({7});
    value += bytes_of({2}) + raw16 + raw8 + bytes_of({1}) + raw16 + raw8 + bytes_of({1});
    value += bytes_of({1}) + a;
    for (int i = 0; i < times; ++i) value += raw8;
    return value + bytes_of({1}) + raw16;
  };
  const std::vector<std::pair<int, std::string>> values = {
      {1, bytes_of({2}) + a + blob},
      {2, bytes_of({0})},
      {3, bytes_of({3}) + a + bytes_of({253}) + a + bytes_of({255}) + a + short_string("1.5")},
      {4, bytes_of({1}) + a + a},
      {5, bytes_of({1}) + a + raw8},
      {7, bytes_of({0x81, 0, 0, 0, 0, 0, 0, 0, 1, 2, 5, 4}) + raw8 + bytes_of({3, 1, 2, 3, 4, 5}) +
              a + bytes_of({0})},
      {11, blob},
      {14, bytes_of({1}) + blob},
      {15, stream(3, 0, 1)},
      {17, a},
      {18, bytes_of({2, 1}) + a + bytes_of({2}) + blob},
      {19, stream(8, 1, 1)},
      {20, a},
      {21, stream(8, 1, 2)},
  };
  for (const auto& [type, value] : values) {
    const std::string body = bytes_of({type}) + short_string("other") + value + bytes_of({0}) +
                             short_string("next") + short_string("here");
    for (const size_t piece : {1, 5, 1000}) {
      EXPECT_THAT(read(file_of(body), piece),
                  ElementsAre("0 " + rdb_type_name(static_cast<uint8_t>(type)) + " other",
                              "0 string next=here", "end"))
          << type;
    }
  }
  const std::string functions = "\xF5" + short_string("#!lua") + "\xF7" + bytes_of({1, 2, 2, 0});
  EXPECT_THAT(read(file_of(functions)), ElementsAre("0 functions ", "0 what modules keep ", "end"));
}

TEST(RdbReader, ReadsVersionsWithoutAChecksumAndFilesThatTellNone) {
  const std::string body = bytes_of({0}) + short_string("k") + short_string("v");
  EXPECT_THAT(read("REDIS0004" + body + "\xFF"), ElementsAre("0 string k=v", "end"));
  EXPECT_THAT(read("REDIS0011" + body + "\xFF" + std::string(8, '\0')),
              ElementsAre("0 string k=v", "end"));
}

TEST(RdbReader, LeavesWhatComesBehindTheEnd) {
  RdbReader reader(1000);
  reader.feed(file_of({}) + "*1\r\n");
  EXPECT_EQ(*reader.next(), Event::kEnd);
  EXPECT_EQ(reader.rest(), "*1\r\n");
  EXPECT_EQ(*reader.next(), Event::kEnd);
}

TEST(RdbReader, AnExpiryBeyondTheEndOfTimeIsLongAgoAsInRedis) {
  const std::string body =
      "\xFC" + std::string(8, '\xFF') + bytes_of({0}) + short_string("k") + short_string("v");
  EXPECT_THAT(read(file_of(body)), ElementsAre("0 string k=v until -1", "end"));
}

TEST(RdbReader, EveryPrefixOfAFileWantsMore) {
  const std::string file =
      file_of(bytes_of({4}) + short_string("h") + bytes_of({1}) + short_string("f") +
              short_string("v") + bytes_of({0}) + short_string("k") + short_string("v"));
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_EQ(read(file.substr(0, size)).back(), "more") << size;
  }
}

TEST(RdbReader, SaysWhereAFileIsDamaged) {
  EXPECT_THAT(read("RODIS0010").back(), HasSubstr("not an RDB file"));
  EXPECT_THAT(read("REDIS00x0").back(), HasSubstr("no version"));
  EXPECT_THAT(read("REDIS0012").back(), HasSubstr("version is 12; up to 11"));
  EXPECT_THAT(read(file_of(bytes_of({99}))).back(), HasSubstr("at byte 9: unknown type 99"));
  EXPECT_THAT(read(file_of(bytes_of({6}))).back(), HasSubstr("nobody can tell"));
  EXPECT_THAT(read(file_of(bytes_of({0, 0xC4}))).back(), HasSubstr("a length is ill-formed"));
  EXPECT_THAT(read(file_of(bytes_of({0, 0xC3, 1, 5, 9}))).back(), HasSubstr("decompress"));
  EXPECT_THAT(read(file_of(bytes_of({0, 1, 'k', 0x80, 0, 0, 4, 0}))).back(),
              HasSubstr("1024 bytes, above the 1000"));
  EXPECT_THAT(read(file_of(bytes_of({7, 1, 'm', 1, 9}))).back(), HasSubstr("module"));
  EXPECT_THAT(read(file_of("\xFE" + bytes_of({0x81, 0, 0, 0, 1, 0, 0, 0, 0}))).back(),
              HasSubstr("there can't be a database 4294967296"));
  std::string damaged = file_of(bytes_of({0}) + short_string("k") + short_string("v"));
  damaged[11] ^= 1;
  EXPECT_THAT(read(damaged).back(), HasSubstr("checksum"));
}

}  // namespace
}  // namespace syntropy
