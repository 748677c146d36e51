#include "storage/counter.h"

#include <gtest/gtest.h>

#include <limits>

#include "storage/base/random.h"

namespace syntropy {
namespace {

using namespace std::string_literals;

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

RowView string_row(std::string_view payload) { return {RowKind::kString, {5, 1}, 0, payload}; }
RowView counter_row(std::string_view payload) { return {RowKind::kCounter, {5, 1}, 0, payload}; }

std::string payload_of(const Counter& counter) {
  std::string out;
  encode_counter(counter, &out);
  return out;
}

TEST(ParseInteger, TakesTheShortestFormOnly) {
  EXPECT_EQ(parse_integer("0"), 0);
  EXPECT_EQ(parse_integer("-1"), -1);
  EXPECT_EQ(parse_integer("9223372036854775807"), kMax);
  EXPECT_EQ(parse_integer("-9223372036854775808"), kMin);
  for (const char* text : {"", "-", "+1", "01", "-0", "00", " 1", "1 ", "1.0", "0x1", "1e3",
                           "9223372036854775808", "-9223372036854775809", "a", "--1", "-01"}) {
    EXPECT_EQ(parse_integer(text), std::nullopt) << text;
  }
  EXPECT_EQ(parse_integer(std::string_view("1\0", 2)), std::nullopt);
}

TEST(Counter, HasTheBytesOfItsCheckVector) {
  EXPECT_EQ(payload_of({5, {}, {{7, 9, -2}}}),
            "\x05\0\0\0\0\0\0\0"
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
            "\x01"
            "\x07\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s);
}

TEST(Counter, AddsToAnIntegerString) {
  std::string payload;
  EXPECT_EQ(*counter_add(string_row("10"), 7, 9, 5, &payload), 15);
  EXPECT_EQ(*parse_counter(counter_row(payload)), (Counter{10, {}, {{7, 9, 5}}}));
  EXPECT_EQ(*counter_value(counter_row(payload)), 15);
}

TEST(Counter, KeepsOneRunningTotalPerWriter) {
  std::string payload = payload_of({0, {}, {}});
  std::string next;
  const auto add = [&](WriterId writer, HlcStamp stamp, int64_t delta) {
    const Result<int64_t> value = counter_add(counter_row(payload), writer, stamp, delta, &next);
    payload.swap(next);
    return *value;
  };
  EXPECT_EQ(add(9, 1, 1), 1);
  EXPECT_EQ(add(3, 2, 10), 11);
  EXPECT_EQ(add(9, 3, 1), 12);
  EXPECT_EQ(add(5, 4, -20), -8);
  EXPECT_EQ(*parse_counter(counter_row(payload)),
            (Counter{0, {}, {{3, 2, 10}, {5, 4, -20}, {9, 3, 2}}}));
}

TEST(Counter, OwnEntryGrowsEvenIfTheClockDoesNot) {
  std::string payload;
  ASSERT_TRUE(
      counter_add(counter_row(payload_of({0, {}, {{7, 100, 1}}})), 7, 50, 1, &payload).ok());
  EXPECT_EQ(*parse_counter(counter_row(payload)), (Counter{0, {}, {{7, 101, 2}}}));
}

TEST(Counter, RefusesSumsBeyondSixtyFourBits) {
  std::string payload = "untouched";
  EXPECT_TRUE(counter_add(string_row("9223372036854775807"), 1, 1, 1, &payload)
                  .status()
                  .is(StatusCode::kUnavailable));
  EXPECT_TRUE(counter_add(string_row("-9223372036854775808"), 1, 1, -1, &payload)
                  .status()
                  .is(StatusCode::kUnavailable));
  EXPECT_TRUE(
      counter_add(string_row("-1"), 1, 1, kMin, &payload).status().is(StatusCode::kUnavailable));
  EXPECT_EQ(payload, "untouched");
  EXPECT_EQ(*counter_add(string_row("9223372036854775806"), 1, 1, 1, &payload), kMax);
  EXPECT_EQ(*counter_add(string_row("0"), 1, 1, kMin, &payload), kMin);
}

TEST(Counter, SaysWhenARunningTotalIsFullThoughTheSumFits) {
  std::string payload = payload_of({kMin, {}, {{1, 1, kMax}}});
  std::string next = "untouched";
  EXPECT_TRUE(
      counter_add(counter_row(payload), 1, 2, kMax, &next).status().is(StatusCode::kIncomplete));
  EXPECT_EQ(next, "untouched");
  EXPECT_EQ(*counter_add(counter_row(payload), 2, 2, kMax, &next), kMax - 1);
}

// Two sides of a partition add what fits on each and not together.
TEST(Counter, SumOfMergedTotalsMayNotFit) {
  const std::string payload = payload_of({0, {}, {{1, 1, kMax}, {2, 1, kMax}}});
  EXPECT_TRUE(counter_value(counter_row(payload)).status().is(StatusCode::kUnavailable));
  EXPECT_EQ(*counter_value_saturated(counter_row(payload)), kMax);
  const std::string negative = payload_of({-5, {}, {{1, 1, kMin}}});
  EXPECT_EQ(*counter_value_saturated(counter_row(negative)), kMin);
}

TEST(Counter, StringsThatAreNoIntegersAndOtherKindsAreNoCounters) {
  EXPECT_TRUE(counter_value(string_row("abc")).status().is(StatusCode::kInvalidArgument));
  EXPECT_TRUE(
      counter_value({RowKind::kHash, {5, 1}, 0, ""}).status().is(StatusCode::kInvalidArgument));
  EXPECT_TRUE(counter_value({RowKind::kTombstone, {5, 1}, 0, ""})
                  .status()
                  .is(StatusCode::kInvalidArgument));
}

TEST(Counter, IllFormedPayloadsAreCorruption) {
  const std::string good = payload_of({5, {6, 1}, {{7, 9, -2}, {8, 9, 3}}});
  ASSERT_TRUE(parse_counter(counter_row(good)).ok());
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_TRUE(
        parse_counter(counter_row(good.substr(0, size))).status().is(StatusCode::kCorruption))
        << size;
  }
  EXPECT_FALSE(parse_counter(counter_row(good + "x")).ok());
  for (const Counter& bad : {
           Counter{0, {}, {{8, 1, 1}, {7, 1, 1}}},  // not ascending
           Counter{0, {}, {{7, 1, 1}, {7, 2, 1}}},  // a writer twice
           Counter{0, {5, 1}, {}},                  // expiry version equal to the row's: zero it is
           Counter{0, {4, 9}, {}},                  // expiry older than the base
       }) {
    EXPECT_TRUE(parse_counter(counter_row(payload_of(bad))).status().is(StatusCode::kCorruption));
  }
  // A count that promises more entries than any payload could hold.
  std::string huge = payload_of({0, {}, {}});
  huge.pop_back();
  huge += "\xFF\xFF\xFF\xFF\x0F";
  EXPECT_FALSE(parse_counter(counter_row(huge)).ok());
}

TEST(Counter, ExpiryHasAVersionOfItsOwn) {
  std::string payload;
  ASSERT_TRUE(counter_set_expiry(string_row("42"), {8, 3}, &payload).ok());
  const RowView row{RowKind::kCounter, {5, 1}, 99'000, payload};
  EXPECT_EQ(expiry_version_of(row), (Version{8, 3}));
  EXPECT_EQ(*counter_value(row), 42);
  EXPECT_EQ(expiry_version_of(string_row("42")), (Version{5, 1}));
  EXPECT_EQ(expiry_version_of(counter_row(payload_of({0, {}, {}}))), (Version{5, 1}));

  std::string added;  // an increment leaves the expiry alone
  EXPECT_EQ(*counter_add(row, 1, 9, 1, &added), 43);
  EXPECT_EQ(expiry_version_of({RowKind::kCounter, {5, 1}, 99'000, added}), (Version{8, 3}));
}

TEST(Counter, ComesBackAsItWas) {
  SeededRandom random(31);
  for (int i = 0; i < 2000; ++i) {
    Counter counter{static_cast<int64_t>(random.next()), {}, {}};
    if (random.one_in(2)) counter.expiry_version = {6 + random.below(1000), random.next()};
    WriterId writer = 0;
    for (uint64_t n = random.below(6); n > 0; --n) {
      writer += 1 + random.below(1000);
      counter.entries.push_back({writer, random.next(), static_cast<int64_t>(random.next())});
    }
    const std::string payload = payload_of(counter);
    EXPECT_EQ(*parse_counter(counter_row(payload)), counter);
  }
}

}  // namespace
}  // namespace syntropy
