#include "tools/cli/progress.h"

#include <gtest/gtest.h>

namespace syntropy {
namespace {

TEST(ProgressTest, NumbersHaveSeparators) {
  EXPECT_EQ(with_separators(0), "0");
  EXPECT_EQ(with_separators(999), "999");
  EXPECT_EQ(with_separators(1000), "1,000");
  EXPECT_EQ(with_separators(123456), "123,456");
  EXPECT_EQ(with_separators(UINT64_MAX), "18,446,744,073,709,551,615");
}

TEST(ProgressTest, BytesHaveUnits) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(bytes_text(uint64_t{5} << 30), "5.0 GiB");
  EXPECT_EQ(bytes_text(UINT64_MAX), "16.0 EiB");
}

TEST(ProgressTest, DurationsShowWhatMatters) {
  EXPECT_EQ(duration_text(0), "0s");
  EXPECT_EQ(duration_text(59), "59s");
  EXPECT_EQ(duration_text(61), "1m 1s");
  EXPECT_EQ(duration_text(3600), "1h 0m");
  EXPECT_EQ(duration_text(93784), "1d 2h 3m");
}

TEST(ProgressTest, TimesAreUtc) { EXPECT_EQ(time_text(1'700'000'000), "2023-11-14 22:13:20 UTC"); }

}  // namespace
}  // namespace syntropy
