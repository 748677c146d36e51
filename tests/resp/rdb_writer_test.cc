// A dump that is written is one that RdbReader reads; redis-server reads it in tests/e2e.
#include "server/resp/rdb_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/resp/rdb_reader.h"

namespace syntropy {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

std::vector<std::string> read(std::string_view file) {
  RdbReader reader(1 << 20);
  reader.feed(file);
  std::vector<std::string> lines;
  while (true) {
    const Result<RdbReader::Event> event = reader.next();
    if (!event.ok()) {
      lines.emplace_back(event.status().message());
      return lines;
    }
    if (*event != RdbReader::Event::kString) {
      lines.emplace_back(*event == RdbReader::Event::kEnd ? "end" : "more");
      return lines;
    }
    const RdbReader::Entry& entry = reader.entry();
    std::string line = std::to_string(entry.database) + " " + entry.key + "=" + entry.value;
    if (entry.expires_at_ms) line += " until " + std::to_string(*entry.expires_at_ms);
    lines.push_back(line);
  }
}

TEST(RdbWriter, WritesWhatTheReaderReads) {
  RdbWriter writer(1'700'000'000);
  writer.put(0, "a", "1", std::nullopt);
  writer.put(0, "b", "", 1'800'000'000'000);
  writer.put(3, "a", "-129", std::nullopt);
  writer.put(0, "c", "text", std::nullopt);
  writer.finish();
  const std::string file = writer.take();
  EXPECT_THAT(file, StartsWith("REDIS0010"));
  EXPECT_THAT(read(file),
              ElementsAre("0 a=1", "0 b= until 1800000000000", "3 a=-129", "0 c=text", "end"));
}

TEST(RdbWriter, TheChecksumIsOfAllPieces) {
  RdbWriter writer(0);
  std::string file;
  const std::string large(300, 'x');
  for (int i = 0; i < 100; ++i) {
    writer.put(0, "key:" + std::to_string(i), large, std::nullopt);
    if (i % 3 == 0) file += writer.take();
  }
  writer.finish();
  file += writer.take();
  EXPECT_EQ(writer.size(), 0u);
  const std::vector<std::string> lines = read(file);
  ASSERT_EQ(lines.size(), 101u);
  EXPECT_EQ(lines.front(), "0 key:0=" + large);
  EXPECT_EQ(lines.back(), "end");
  file[file.size() / 2] ^= 1;
  EXPECT_NE(read(file).back(), "end");
}

TEST(RdbWriter, NothingIsADumpToo) {
  RdbWriter writer(0);
  writer.finish();
  EXPECT_THAT(read(writer.take()), ElementsAre("end"));
}

}  // namespace
}  // namespace syntropy
