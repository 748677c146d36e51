#include "storage/merge.h"

#include <gtest/gtest.h>

#include <array>

#include "storage/base/random.h"
#include "storage/counter.h"

namespace syntropy {
namespace {

std::string encoded(const RowView& row) {
  std::string out;
  encode_row(row, &out);
  return out;
}

std::string merged(const std::string& a, const std::string& b) {
  std::string out;
  merge(*decode_row(a), *decode_row(b), &out);
  return out;
}

std::string string_row(Version version, std::string_view payload, uint64_t expires_at_ms = 0) {
  return encoded({RowKind::kString, version, expires_at_ms, payload});
}

std::string counter_row(Version version, const Counter& counter, uint64_t expires_at_ms = 0) {
  std::string payload;
  encode_counter(counter, &payload);
  return encoded({RowKind::kCounter, version, expires_at_ms, payload});
}

TEST(Merge, GreaterVersionWinsWhateverTheKind) {
  const std::string old_row = string_row({5, 9}, "old");
  const std::string new_row = string_row({6, 1}, "new");
  const std::string deleted = encoded({RowKind::kTombstone, {7, 1}, 0, ""});
  EXPECT_EQ(merged(old_row, new_row), new_row);
  EXPECT_EQ(merged(new_row, deleted), deleted);
  EXPECT_EQ(merged(deleted, old_row), deleted);
  const std::string again = string_row({8, 1}, "again");
  EXPECT_EQ(merged(deleted, again), again);
}

TEST(Merge, WriterBreaksTheTieOfStamps) {
  const std::string a = string_row({5, 1}, "a");
  const std::string b = string_row({5, 2}, "b");
  EXPECT_EQ(merged(a, b), b);
}

TEST(Merge, IncrementsOnBothSidesAddUp) {
  const Version base{5, 1};
  const std::string left = counter_row(base, {10, {}, {{1, 20, 3}, {2, 11, 5}}});
  const std::string right = counter_row(base, {10, {}, {{2, 22, 7}, {3, 23, 100}}});
  const std::string sum = merged(left, right);
  EXPECT_EQ(sum, counter_row(base, {10, {}, {{1, 20, 3}, {2, 22, 7}, {3, 23, 100}}}));
  EXPECT_EQ(*counter_value(*decode_row(sum)), 120);
}

TEST(Merge, StringIsTheBaseOfTheCounterThatGrewFromIt) {
  const Version base{5, 1};
  const std::string string = string_row(base, "10");
  const std::string counter = counter_row(base, {10, {}, {{1, 20, 3}}});
  EXPECT_EQ(merged(string, counter), counter);
}

TEST(Merge, NewBaseDropsOldTotals) {
  const std::string counter = counter_row({5, 1}, {10, {}, {{1, 900, 3}}});
  const std::string set_later = string_row({6, 1}, "0");
  EXPECT_EQ(merged(counter, set_later), set_later);
}

TEST(Merge, ExpireAndIncrementElsewhereBothSurvive) {
  const Version base{5, 1};
  const std::string incremented = counter_row(base, {10, {}, {{2, 30, 1}}});
  const std::string expiring = counter_row(base, {10, {20, 1}, {}}, 99'000);
  EXPECT_EQ(merged(incremented, expiring), counter_row(base, {10, {20, 1}, {{2, 30, 1}}}, 99'000));
  // PERSIST at a later version takes the expiry away again.
  const std::string persisted = counter_row(base, {10, {21, 2}, {}}, 0);
  EXPECT_EQ(merged(expiring, persisted), persisted);
}

// A source of rows that collide: few versions, few bases, few writers, every kind, and rows that no
// honest writer makes.
class RowSource {
 public:
  explicit RowSource(uint64_t seed) : random_(seed) {}

  std::string next() {
    const Version version{5 + random_.below(2), 1 + random_.below(2)};
    const uint64_t expires_at_ms = random_.one_in(2) ? 0 : 1 + random_.below(2);
    switch (random_.below(8)) {
      case 0:
        return encoded({RowKind::kTombstone, version, 0, ""});
      case 1:
        return string_row(version, random_.one_in(2) ? "abc" : "", expires_at_ms);
      case 2:
        return string_row(version, random_.one_in(2) ? "1" : "01", expires_at_ms);
      case 3:
        return string_row(version, std::to_string(random_.below(3)), expires_at_ms);
      case 4:  // an ill-formed counter
        return encoded({RowKind::kCounter, version, expires_at_ms, random_.one_in(2) ? "x" : ""});
      case 5:
        return encoded({random_.one_in(2) ? RowKind::kHash : RowKind::kElement, version,
                        expires_at_ms, random_.one_in(2) ? "1" : ""});
      default:
        return counter_row(version, counter(), expires_at_ms);
    }
  }

 private:
  Counter counter() {
    Counter counter{static_cast<int64_t>(random_.below(3)), {}, {}};
    // Sometimes older than the row: ill-formed, too.
    if (random_.one_in(2)) counter.expiry_version = {5 + random_.below(3), random_.below(3)};
    for (WriterId writer = 1; writer <= 3; ++writer) {
      if (random_.one_in(2)) continue;
      counter.entries.push_back({writer, random_.below(2), static_cast<int64_t>(random_.below(2))});
    }
    return counter;
  }

  SeededRandom random_;
};

TEST(Merge, IsCommutativeAssociativeAndIdempotent) {
  RowSource source(41);
  for (int i = 0; i < 200'000; ++i) {
    const std::string a = source.next();
    const std::string b = source.next();
    const std::string c = source.next();
    const std::string ab = merged(a, b);
    ASSERT_EQ(ab, merged(b, a)) << ::testing::PrintToString(std::pair(a, b));
    ASSERT_EQ(merged(ab, c), merged(a, merged(b, c)))
        << ::testing::PrintToString(std::array{a, b, c});
    ASSERT_EQ(merged(a, a), a) << ::testing::PrintToString(a);
    ASSERT_EQ(merged(ab, a), ab) << ::testing::PrintToString(std::pair(a, b));
  }
}

// Replicas that hear of the same rows in any order, with repetitions, end with the same bytes.
TEST(Merge, ConvergesInAnyOrder) {
  RowSource source(42);
  SeededRandom random(43);
  for (int round = 0; round < 2000; ++round) {
    std::array<std::string, 6> rows;
    for (std::string& row : rows) row = source.next();
    std::array<std::string, 3> replicas;
    for (std::string& replica : replicas) {
      replica = rows[random.below(rows.size())];
      for (int i = 0; i < 30; ++i) replica = merged(replica, rows[random.below(rows.size())]);
      for (const std::string& row : rows) replica = merged(row, replica);
    }
    ASSERT_EQ(replicas[0], replicas[1]);
    ASSERT_EQ(replicas[0], replicas[2]);
  }
}

}  // namespace
}  // namespace syntropy
