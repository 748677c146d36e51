#include "storage/wal_audit.h"

#include <gtest/gtest.h>

#include <fstream>

#include "storage/base/coding.h"
#include "storage/base/random.h"
#include "tests/support/temp_dir.h"

namespace syntropy {
namespace {

constexpr size_t kBlock = 32768;
constexpr size_t kHeader = 7;

// Writes logs in RocksDB's format, and knows where each record lies.
class LogWriter {
 public:
  struct Place {
    size_t begin;
    size_t end;
  };

  // A record with one row of `bytes` bytes at the next sequence number.
  void add(size_t bytes, uint64_t claim) {
    rocksdb::WriteBatch batch;
    ASSERT_TRUE(batch.Put("key", std::string(bytes, 'v')).ok());
    add_claim(claim, &batch);
    std::string data = batch.Data();
    store_le<uint64_t>(data.data(), next_sequence_++);
    const size_t begin = log_.size();
    write_parts(data);
    places_.push_back({begin, log_.size()});
  }

  std::string& log() { return log_; }
  const std::vector<Place>& places() const { return places_; }
  uint64_t next_sequence() const { return next_sequence_; }
  void skip_sequence() { ++next_sequence_; }

 private:
  void write_parts(std::string_view data) {
    bool first = true;
    do {
      size_t room = kBlock - log_.size() % kBlock;
      if (room < kHeader) {
        log_.append(room, '\0');
        room = kBlock;
      }
      const std::string_view part = data.substr(0, room - kHeader);
      data.remove_prefix(part.size());
      const int type = first ? (data.empty() ? 1 : 2) : (data.empty() ? 4 : 3);
      first = false;
      std::string covered(1, static_cast<char>(type));
      covered += part;
      const uint32_t crc = crc32c(covered);
      put_fixed32_le(&log_, ((crc >> 15) | (crc << 17)) + 0xA282EAD8);
      put_fixed16_le(&log_, static_cast<uint16_t>(part.size()));
      log_ += covered;
    } while (!data.empty());
  }

  std::string log_;
  std::vector<Place> places_;
  uint64_t next_sequence_ = 1000;
};

class WalAuditTest : public ::testing::Test {
 protected:
  WalSurvey survey(const std::vector<std::string>& logs) {
    std::vector<std::string> paths;
    for (const std::string& log : logs) {
      paths.push_back(dir_ / (std::to_string(paths.size()) + ".log"));
      std::ofstream(paths.back(), std::ios::binary) << log;
    }
    Result<WalSurvey> found = survey_wal(*rocksdb::Env::Default(), paths);
    EXPECT_TRUE(found.ok()) << found.status().message();
    return *std::move(found);
  }

  // Records of many sizes, over several blocks. Each claims what is two records before it.
  static LogWriter make_log(uint64_t seed, int records = 60) {
    SeededRandom random(seed);
    LogWriter writer;
    for (int i = 0; i < records; ++i) {
      writer.add(random.one_in(8) ? random.below(100'000) : random.below(3000),
                 writer.next_sequence() - 2);
    }
    return writer;
  }

  testing::TempDir dir_;
};

TEST_F(WalAuditTest, CrcHasItsCheckValue) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);  // RFC 3720, B.4
}

TEST_F(WalAuditTest, WholeLogIsWhole) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const WalSurvey found = survey({make_log(seed).log()});
    EXPECT_EQ(found.records, 60u);
    EXPECT_FALSE(found.damaged);
    EXPECT_FALSE(found.lost_durable);
  }
}

TEST_F(WalAuditTest, NothingIsWhole) {
  EXPECT_FALSE(survey({}).damaged);
  EXPECT_FALSE(survey({"", ""}).damaged);
}

TEST_F(WalAuditTest, EveryFlippedByteThatWasDurableIsFound) {
  SeededRandom random(7);
  for (uint64_t seed = 0; seed < 40; ++seed) {
    LogWriter writer = make_log(seed);
    // The last two records are claimed by none.
    const size_t record = random.below(writer.places().size() - 3);
    const auto [begin, end] = writer.places()[record];
    const size_t at = begin + kHeader + random.below(end - begin - kHeader);
    if (at % kBlock < kHeader) continue;  // may be padding between blocks
    char& byte = writer.log()[at];
    byte = static_cast<char>(byte ^ (1 << random.below(8)));
    const WalSurvey found = survey({writer.log()});
    EXPECT_TRUE(found.lost_durable) << "seed " << seed;
    EXPECT_EQ(found.damaged_file, dir_ / "0.log");
  }
}

TEST_F(WalAuditTest, FirstRecordOfAllIsMissedToo) {
  LogWriter writer = make_log(1);
  writer.log()[kHeader + 3] ^= 1;
  EXPECT_TRUE(survey({writer.log()}).lost_durable);
}

TEST_F(WalAuditTest, ZerosInTheMiddleOfABlockAreFound) {
  LogWriter writer;
  for (int i = 0; i < 20; ++i) writer.add(100, writer.next_sequence() - 1);
  const auto [begin, end] = writer.places()[10];
  for (size_t at = begin; at < end; ++at) writer.log()[at] = '\0';
  const WalSurvey found = survey({writer.log()});
  EXPECT_TRUE(found.lost_durable);
  EXPECT_EQ(found.records, 19u);
}

TEST_F(WalAuditTest, LossThatNobodyClaimsIsATornTail) {
  LogWriter writer;
  for (int i = 0; i < 20; ++i) writer.add(100, 999);
  writer.log()[writer.places()[10].end - 20] ^= 1;
  const WalSurvey found = survey({writer.log()});
  EXPECT_TRUE(found.damaged);
  EXPECT_FALSE(found.lost_durable);
}

TEST_F(WalAuditTest, EveryCutIsATornTail) {
  LogWriter writer = make_log(3, 12);
  const std::string whole = writer.log();
  for (size_t size = 0; size < whole.size(); size += 97) {
    EXPECT_FALSE(survey({whole.substr(0, size)}).lost_durable) << "cut at " << size;
    EXPECT_FALSE(survey({whole.substr(0, size) + std::string(5000, '\0')}).lost_durable);
  }
}

TEST_F(WalAuditTest, LogsFollowOneAnother) {
  LogWriter writer;
  for (int i = 0; i < 10; ++i) writer.add(100, 999);
  const size_t cut = writer.places()[5].begin;
  const std::string first = writer.log().substr(0, cut);
  const std::string second = writer.log().substr(cut);
  EXPECT_FALSE(survey({first, second}).damaged);
  EXPECT_FALSE(survey({first, "", second}).damaged);
  // The end of the first is missing, at the border of a record.
  const WalSurvey hole = survey({first.substr(0, writer.places()[4].begin), second});
  EXPECT_TRUE(hole.damaged);
  EXPECT_FALSE(hole.lost_durable);
}

TEST_F(WalAuditTest, LossInAFormerLogIsFoundWhenALaterOneClaimsIt) {
  LogWriter writer;
  for (int i = 0; i < 10; ++i) writer.add(100, writer.next_sequence() - 1);
  const size_t cut = writer.places()[5].begin;
  const std::string second = writer.log().substr(cut);
  const WalSurvey hole = survey({writer.log().substr(0, writer.places()[4].begin), second});
  EXPECT_TRUE(hole.lost_durable);
}

TEST_F(WalAuditTest, MissingSequenceNumbersAreAHole) {
  LogWriter writer;
  writer.add(10, 0);
  writer.skip_sequence();
  writer.add(10, 0);
  EXPECT_TRUE(survey({writer.log()}).damaged);
}

TEST_F(WalAuditTest, RandomBytesAreSurvived) {
  SeededRandom random(9);
  for (int round = 0; round < 20; ++round) {
    std::string bytes(random.below(100'000), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.next() >> 60);
    const WalSurvey found = survey({bytes});
    EXPECT_EQ(found.records, 0u);
    EXPECT_FALSE(found.lost_durable);
  }
}

TEST_F(WalAuditTest, MissingFileIsAnError) {
  EXPECT_FALSE(survey_wal(*rocksdb::Env::Default(), {dir_ / "none.log"}).ok());
}

}  // namespace
}  // namespace syntropy
