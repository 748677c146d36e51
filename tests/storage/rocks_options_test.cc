#include "storage/rocks_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "storage/rocks_engine.h"
#include "tests/support/engine_helpers.h"
#include "tests/support/temp_dir.h"

namespace syntropy {
namespace {

TEST(RocksOptions, DefaultsAreValidOnceThereIsADirectory) {
  RocksOptions options;
  EXPECT_FALSE(validate(options).ok());
  options.dir = "somewhere";
  EXPECT_TRUE(validate(options).ok());
}

TEST(RocksOptions, NamesTheFieldThatIsOutOfBounds) {
  const auto complaint = [](const std::function<void(RocksOptions&)>& change) {
    RocksOptions options;
    options.dir = "somewhere";
    change(options);
    const Status status = validate(options);
    EXPECT_TRUE(status.is(StatusCode::kInvalidArgument));
    return std::string(status.message());
  };
  using ::testing::HasSubstr;
  using O = RocksOptions;
  EXPECT_THAT(complaint([](O& o) { o.block_cache_bytes = 1; }), HasSubstr("block_cache_bytes"));
  EXPECT_THAT(complaint([](O& o) { o.write_buffer_bytes = 1; }), HasSubstr("write_buffer_bytes"));
  EXPECT_THAT(complaint([](O& o) { o.max_write_buffers = 1; }), HasSubstr("max_write_buffers"));
  EXPECT_THAT(complaint([](O& o) { o.max_background_jobs = 0; }), HasSubstr("max_background_jobs"));
  EXPECT_THAT(complaint([](O& o) { o.block_bytes = 10; }), HasSubstr("block_bytes"));
  EXPECT_THAT(complaint([](O& o) { o.target_file_bytes = 10; }), HasSubstr("target_file_bytes"));
  EXPECT_THAT(complaint([](O& o) { o.max_open_files = 0; }), HasSubstr("max_open_files"));
  EXPECT_THAT(complaint([](O& o) { o.bloom_bits_per_key = -1; }), HasSubstr("bloom_bits_per_key"));
  EXPECT_THAT(complaint([](O& o) { o.compression = "rar"; }), HasSubstr("'rar'"));
  EXPECT_THAT(complaint([](O& o) { o.compression = ""; }), HasSubstr("compression"));
  EXPECT_THAT(complaint([](O& o) { o.bottommost_compression = "rar"; }), HasSubstr("'rar'"));
}

TEST(RocksOptions, EngineWorksWithEveryCompression) {
  for (const char* name : {"none", "snappy", "zlib", "lz4", "zstd"}) {
    const testing::TempDir dir;
    RocksOptions options;
    options.dir = dir / "store";
    options.compression = name;
    options.bottommost_compression = name;
    options.bloom_bits_per_key = 0;
    options.max_open_files = 64;
    options.block_cache_bytes = 1 << 20;
    const auto opened = open_rocks_engine(options, nullptr);
    ASSERT_TRUE(opened.ok()) << name << ": " << opened.status().message();
    ASSERT_TRUE(testing::put(**opened, "k", std::string(10'000, 'v')).ok());
    ASSERT_TRUE((*opened)->compact("", "").ok());
    EXPECT_EQ(testing::get(**opened, "k"), std::string(10'000, 'v'));
  }
}

TEST(RocksOptions, InvalidOptionsDontTouchTheDisk) {
  const testing::TempDir dir;
  RocksOptions options;
  options.dir = dir / "store";
  options.compression = "rar";
  EXPECT_FALSE(open_rocks_engine(options, nullptr).ok());
  EXPECT_FALSE(std::filesystem::exists(options.dir));
}

}  // namespace
}  // namespace syntropy
