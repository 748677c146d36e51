// A store whose files were damaged on disk: what must still open does, what must not names the
// file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "storage/base/coding.h"
#include "storage/local_keys.h"
#include "storage/rocks_engine.h"
#include "tests/support/engine_helpers.h"
#include "tests/support/temp_dir.h"

namespace syntropy {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::get;
using ::testing::HasSubstr;
using testing::Pairs;
using testing::put;
using testing::scan;

using Opened = Result<std::unique_ptr<Engine>>;

class RocksDamage : public ::testing::Test {
 protected:
  Opened open(const std::string& dir, WalRecovery recovery = WalRecovery::kStrict) {
    RocksOptions options;
    options.dir = dir;
    options.wal_recovery = recovery;
    return open_rocks_engine(options, nullptr);
  }

  std::string refusal(const std::string& dir, WalRecovery recovery = WalRecovery::kStrict) {
    const Opened opened = open(dir, recovery);
    if (opened.ok()) return "it was opened";
    EXPECT_TRUE(opened.status().is(StatusCode::kCorruption)) << opened.status().message();
    return std::string(opened.status().message());
  }

  // Rows k0, k1, ... k<n-1>, each in a batch of its own that is synced if it is below `synced`.
  std::string make_store(int n, int synced) {
    const std::string dir = dir_ / ("store" + std::to_string(stores_++));
    const Opened opened = open(dir);
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    Engine& engine = **opened;
    for (int i = 0; i < n; ++i) {
      EXPECT_TRUE(put(engine, "k" + std::to_string(i), value_of(i)).ok());
      // One byte per record: the WAL's sizes tell where each record ends.
      ends_.push_back(fs::file_size(newest(dir, ".log")));
      EXPECT_TRUE(i >= synced || engine.sync().ok());
    }
    return dir;
  }

  static std::string value_of(int i) { return "value" + std::to_string(i) + std::string(50, 'v'); }

  // How many of k0, k1, ... there are; fails the test if they aren't the first ones.
  static int prefix(Engine& engine) {
    int n = 0;
    while (get(engine, "k" + std::to_string(n)) == value_of(n)) ++n;
    EXPECT_EQ(scan(engine, "k", "l").size(), static_cast<size_t>(n));
    return n;
  }

  static std::string newest(const std::string& dir, const std::string& part) {
    std::string found;
    for (const auto& entry : fs::directory_iterator(dir)) {
      const std::string name = entry.path().filename();
      if (name.find(part) != std::string::npos && entry.path().string() > found) {
        found = entry.path();
      }
    }
    return found;
  }

  std::string copy_of(const std::string& dir) {
    const std::string copy = dir_ / ("copy" + std::to_string(stores_++));
    fs::copy(dir, copy, fs::copy_options::recursive);
    return copy;
  }

  static void flip(const std::string& path, uint64_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const char byte = static_cast<char>(file.get() ^ 0x55);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte);
  }

  static void zero(const std::string& path, uint64_t from, uint64_t to) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(from));
    for (uint64_t at = from; at < to; ++at) file.put('\0');
  }

  // Whether the log has nothing but zeros there anyway.
  static bool intact(const std::string& dir, uint64_t from, uint64_t to) {
    std::ifstream file(newest(dir, ".log"), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    return from >= to || bytes.substr(from, to - from) == std::string(to - from, '\0');
  }

  testing::TempDir dir_;
  int stores_ = 0;
  std::vector<uint64_t> ends_;  // sizes of the log after each record
};

TEST_F(RocksDamage, UndamagedStoreOpensWhole) {
  const std::string dir = make_store(20, 20);
  for (int i = 0; i < 3; ++i) {
    const Opened opened = open(dir);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    EXPECT_EQ(prefix(**opened), 20);
  }
}

TEST_F(RocksDamage, EveryTornTailOpens) {
  const std::string dir = make_store(6, 4);
  for (uint64_t size = ends_[3]; size <= ends_[5]; ++size) {
    const std::string copy = copy_of(dir);
    fs::resize_file(newest(copy, ".log"), size);
    const Opened opened = open(copy);
    ASSERT_TRUE(opened.ok()) << "cut at " << size << ": " << opened.status().message();
    const int whole = size < ends_[4] ? 4 : size < ends_[5] ? 5 : 6;
    EXPECT_EQ(prefix(**opened), whole) << "cut at " << size;
    fs::remove_all(copy);
  }
}

TEST_F(RocksDamage, TailOfZerosOpens) {
  const std::string dir = make_store(6, 4);
  for (uint64_t from = ends_[3]; from < ends_[5]; from += 3) {
    const std::string copy = copy_of(dir);
    zero(newest(copy, ".log"), from, ends_[5] + 4096);
    const Opened opened = open(copy);
    ASSERT_TRUE(opened.ok()) << "zeros from " << from << ": " << opened.status().message();
    // Records end in zeros of their own.
    const int whole = intact(dir, from, ends_[5]) ? 6 : intact(dir, from, ends_[4]) ? 5 : 4;
    EXPECT_EQ(prefix(**opened), whole) << "zeros from " << from;
    fs::remove_all(copy);
  }
}

// The kernel wrote the pages of the unsynced tail out of order: not damage, but what lies behind
// the hole is not a prefix any more.
TEST_F(RocksDamage, HoleInTheUnsyncedTailDropsWhatIsBehindIt) {
  const std::string dir = make_store(20, 10);
  for (int lost = 10; lost < 20; ++lost) {
    const std::string copy = copy_of(dir);
    const auto i = static_cast<size_t>(lost);
    zero(newest(copy, ".log"), ends_[i - 1], ends_[i]);
    const Opened opened = open(copy);
    ASSERT_TRUE(opened.ok()) << "lost " << lost << ": " << opened.status().message();
    EXPECT_EQ(prefix(**opened), lost);
    const auto more = (*opened)->stats().more;
    const std::pair<std::string, std::string> said{"rocksdb_unsynced_tail_dropped_at_start", "1"};
    EXPECT_THAT(more, ::testing::Contains(said));
    ASSERT_TRUE(put(**opened, "k" + std::to_string(lost), value_of(lost)).ok());
  }
}

TEST_F(RocksDamage, StoreThatDroppedATailOpensWholeAfterwards) {
  const std::string dir = make_store(20, 10);
  zero(newest(dir, ".log"), ends_[14], ends_[15]);
  {
    const Opened opened = open(dir);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    for (int i = 15; i < 30; ++i) {
      ASSERT_TRUE(put(**opened, "k" + std::to_string(i), value_of(i)).ok());
      ASSERT_TRUE((*opened)->sync().ok());
    }
  }
  const Opened opened = open(dir);
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  EXPECT_EQ(prefix(**opened), 30);
}

TEST_F(RocksDamage, DamageToSyncedRecordsStopsTheStartAndNamesTheLog) {
  const std::string dir = make_store(20, 20);
  // The last record of all has no later one that claims it.
  for (size_t record = 0; record < 18; ++record) {
    for (const uint64_t at : {ends_[record] - 60, ends_[record] - 1}) {
      const std::string copy = copy_of(dir);
      const std::string log = newest(copy, ".log");
      flip(log, at);
      EXPECT_THAT(refusal(copy), AllOf(HasSubstr(log), HasSubstr("salvage")))
          << "record " << record;
      fs::remove_all(copy);
    }
  }
}

TEST_F(RocksDamage, RefusedStoreIsUntouchedAndSalvageKeepsWhatPrecedesTheDamage) {
  const std::string dir = make_store(20, 20);
  flip(newest(dir, ".log"), ends_[11] - 10);
  EXPECT_THAT(refusal(dir), HasSubstr("damaged"));
  EXPECT_THAT(refusal(dir), HasSubstr("damaged"));
  {
    const Opened salvaged = open(dir, WalRecovery::kSalvage);
    ASSERT_TRUE(salvaged.ok()) << salvaged.status().message();
    EXPECT_EQ(prefix(**salvaged), 11);
  }
  const Opened opened = open(dir);
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  EXPECT_EQ(prefix(**opened), 11);
}

TEST_F(RocksDamage, DamagedManifestStopsTheStartAndIsNamed) {
  const std::string dir = make_store(3, 3);
  const std::string manifest = newest(dir, "MANIFEST-");
  flip(manifest, 20);
  EXPECT_THAT(refusal(dir), HasSubstr(manifest));
  EXPECT_THAT(refusal(dir, WalRecovery::kSalvage), HasSubstr(manifest));
}

TEST_F(RocksDamage, MissingManifestStopsTheStartAndIsNamed) {
  const std::string dir = make_store(3, 3);
  const std::string manifest = newest(dir, "MANIFEST-");
  fs::remove(manifest);
  EXPECT_THAT(refusal(dir), HasSubstr(manifest));
}

TEST_F(RocksDamage, DamagedOrMissingCurrentStopsTheStartAndIsNamed) {
  const std::string dir = make_store(3, 3);
  const std::string current = dir + "/CURRENT";
  std::ofstream(current) << "nonsense\n";
  EXPECT_THAT(refusal(dir), HasSubstr("CURRENT"));
  std::ofstream(current) << "";
  EXPECT_THAT(refusal(dir), HasSubstr("CURRENT"));
  fs::remove(current);
  EXPECT_THAT(refusal(dir), HasSubstr(current));
  EXPECT_FALSE(newest(dir, ".log").empty());  // nothing was cleared away
}

class RocksTableDamage : public RocksDamage {
 protected:
  void SetUp() override {
    store_ = make_store(200, 200);
    {
      const Opened opened = open(store_);
      ASSERT_TRUE(opened.ok() && (*opened)->flush().ok() && (*opened)->compact("", "").ok());
    }
    table_ = newest(store_, ".sst");
    ASSERT_FALSE(table_.empty());
  }

  std::string store_;
  std::string table_;
};

TEST_F(RocksTableDamage, MissingTableStopsTheStartAndIsNamed) {
  fs::remove(table_);
  EXPECT_THAT(refusal(store_), HasSubstr(fs::path(table_).filename().string()));
}

TEST_F(RocksTableDamage, TruncatedTableStopsTheStartAndIsNamed) {
  fs::resize_file(table_, fs::file_size(table_) - 100);
  EXPECT_THAT(refusal(store_), HasSubstr(fs::path(table_).filename().string()));
}

TEST_F(RocksTableDamage, DamagedFooterStopsTheStartAndIsNamed) {
  flip(table_, fs::file_size(table_) - 3);
  EXPECT_THAT(refusal(store_), HasSubstr(fs::path(table_).filename().string()));
}

TEST_F(RocksTableDamage, DamagedDataFailsTheReadAndIsNamed) {
  flip(table_, 100);
  const Opened opened = open(store_);
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  std::string value;
  const Status status = (*opened)->get("k0", ReadTier::kDisk, &value);
  EXPECT_TRUE(status.is(StatusCode::kCorruption)) << status.message();
  EXPECT_THAT(std::string(status.message()), HasSubstr(fs::path(table_).filename().string()));
}

TEST_F(RocksDamage, SecondProcessIsToldThatTheDirectoryIsInUse) {
  const std::string dir = make_store(1, 1);
  const Opened holder = open(dir);
  ASSERT_TRUE(holder.ok());
  const Opened second = open(dir);
  ASSERT_TRUE(second.status().is(StatusCode::kUnavailable)) << second.status().message();
  EXPECT_THAT(std::string(second.status().message()), AllOf(HasSubstr(dir), HasSubstr("in use")));

  const pid_t child = ::fork();
  if (child == 0) {
    RocksOptions options;
    options.dir = dir;
    ::_exit(open_rocks_engine(options, nullptr).status().is(StatusCode::kUnavailable) ? 0 : 1);
  }
  int exit_status = -1;
  ASSERT_EQ(::waitpid(child, &exit_status, 0), child);
  EXPECT_EQ(exit_status, 0);
  EXPECT_TRUE(put(**holder, "still", "works").ok());
}

TEST_F(RocksDamage, NewerStoreIsRefused) {
  const std::string dir = make_store(1, 1);
  {
    const Opened opened = open(dir);
    std::string format;
    put_fixed32_le(&format, kStoreFormat + 1);
    ASSERT_TRUE(put(**opened, meta_key("format"), format).ok());
  }
  const Opened opened = open(dir);
  ASSERT_TRUE(opened.status().is(StatusCode::kInvalidArgument));
  EXPECT_THAT(std::string(opened.status().message()),
              AllOf(HasSubstr(dir), HasSubstr("newer version")));
}

TEST_F(RocksDamage, DatabaseOfAnotherProgramIsRefused) {
  const std::string dir = dir_ / "foreign";
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* made = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(options, dir, &made).ok());
  const std::unique_ptr<rocksdb::DB> db(made);
  ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), "theirs", "x").ok());
  ASSERT_TRUE(db->Close().ok());
  const Opened opened = open(dir);
  EXPECT_TRUE(opened.status().is(StatusCode::kInvalidArgument)) << opened.status().message();
}

TEST_F(RocksDamage, DirectoryThatCannotBeMadeIsNamed) {
  const Opened opened = open(dir_ / "no/such/parent");
  ASSERT_FALSE(opened.ok());
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("no/such/parent"));
}

}  // namespace
}  // namespace syntropy
