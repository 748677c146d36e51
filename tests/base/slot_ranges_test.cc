#include "storage/base/slot_ranges.h"

#include <gtest/gtest.h>

#include <bitset>

#include "storage/base/random.h"

namespace syntropy {
namespace {

using Set = std::bitset<kSlotCount>;

Set set_of(const SlotRanges& slots) {
  Set set;
  for (const SlotRange& range : slots.ranges()) {
    for (uint32_t slot = range.first; slot <= range.last; ++slot) set.set(slot);
  }
  return set;
}

// What the set's ranges must be: those between its gaps.
std::vector<SlotRange> ranges_of(const Set& set) {
  std::vector<SlotRange> ranges;
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    if (!set[slot]) continue;
    if (ranges.empty() || ranges.back().last + 1u != slot) {
      ranges.push_back({static_cast<uint16_t>(slot), static_cast<uint16_t>(slot)});
    }
    ranges.back().last = static_cast<uint16_t>(slot);
  }
  return ranges;
}

// Small numbers and both ends, so that ranges meet each other and the bounds.
SlotRange random_range(Random& random) {
  const uint32_t base = random.one_in(8) ? kSlotCount - 24u : 0u;
  const auto first = static_cast<uint16_t>(base + random.below(24));
  const uint64_t most = std::min<uint64_t>(8, kSlotCount - first);
  return {first, static_cast<uint16_t>(first + random.below(most))};
}

SlotRanges random_ranges(Random& random) {
  SlotRanges slots;
  for (uint64_t i = random.below(5); i > 0; --i) slots.add(random_range(random));
  return slots;
}

std::string bytes_of(const SlotRanges& slots) {
  std::string out;
  slots.encode(&out);
  return out;
}

Result<SlotRanges> decode_all(std::string_view bytes) {
  ByteReader reader(bytes);
  Result<SlotRanges> slots = SlotRanges::decode(&reader);
  if (slots.ok() && !reader.at_end()) return Status::corruption("bytes left over");
  return slots;
}

TEST(SlotRanges, AreTheSameSetAsSlotsOneByOne) {
  SeededRandom random(1);
  for (int round = 0; round < 3000; ++round) {
    SlotRanges slots;
    Set set;
    for (int i = 0; i < 12; ++i) {
      const SlotRange range = random_range(random);
      const bool adds = !random.one_in(3);
      adds ? slots.add(range) : slots.remove(range);
      for (uint32_t slot = range.first; slot <= range.last; ++slot) set.set(slot, adds);
      ASSERT_EQ(slots.ranges(), ranges_of(set)) << "round " << round;
    }
    ASSERT_EQ(slots.count(), set.count());
    for (uint16_t slot = 0; slot < 40; ++slot) ASSERT_EQ(slots.contains(slot), set[slot]);
  }
}

TEST(SlotRanges, CombineAsSetsDo) {
  SeededRandom random(2);
  for (int round = 0; round < 3000; ++round) {
    const SlotRanges a = random_ranges(random);
    const SlotRanges b = random_ranges(random);
    const Set x = set_of(a);
    const Set y = set_of(b);
    EXPECT_EQ(a.intersection(b).ranges(), ranges_of(x & y));
    EXPECT_EQ(a.difference(b).ranges(), ranges_of(x & ~y));
    EXPECT_EQ(a.intersects(b), (x & y).any());
    EXPECT_EQ(a.contains(b), (y & ~x).none());
    SlotRanges sum = a;
    sum.add(b);
    EXPECT_EQ(sum.ranges(), ranges_of(x | y));
    SlotRanges rest = a;
    rest.remove(b);
    EXPECT_EQ(rest, a.difference(b));
  }
}

TEST(SlotRanges, AreWrittenAsInClusterNodes) {
  EXPECT_EQ(SlotRanges().text(), "");
  EXPECT_EQ((SlotRanges{{16383, 16383}, {4, 4}, {0, 2}}).text(), "0-2 4 16383");
  EXPECT_EQ(SlotRanges::all().text(), "0-16383");
  EXPECT_EQ((SlotRanges{{0, 1}, {2, 3}}).text(), "0-3");
}

TEST(SlotRanges, EncodeToTheBytesOfTheGrammar) {
  EXPECT_EQ(bytes_of({{0, 2}, {4, 4}, {16383, 16383}}),
            (std::string{"\x03\x00\x02\x00\x00\xF9\x7F\x00", 8}));
  EXPECT_EQ(bytes_of({}), (std::string{"\x00", 1}));
}

TEST(SlotRanges, ComeBackFromTheirBytes) {
  SeededRandom random(3);
  for (int round = 0; round < 3000; ++round) {
    const SlotRanges slots = random_ranges(random);
    const std::string bytes = bytes_of(slots);
    EXPECT_EQ(bytes.size(), slots.encoded_size());
    const Result<SlotRanges> back = decode_all(bytes);
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(*back, slots);
    for (size_t cut = 0; cut < bytes.size(); ++cut) {
      EXPECT_FALSE(decode_all(bytes.substr(0, cut)).ok());
    }
  }
}

TEST(SlotRanges, OfEverySecondSlotAreTheMost) {
  SlotRanges slots;
  for (uint32_t slot = 0; slot < kSlotCount; slot += 2) {
    slots.add({static_cast<uint16_t>(slot), static_cast<uint16_t>(slot)});
  }
  const Result<SlotRanges> back = decode_all(bytes_of(slots));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, slots);
}

TEST(SlotRanges, FromBytesBeyondTheLastSlotAreRefused) {
  std::string bytes;
  put_varint32(&bytes, 1);
  put_varint32(&bytes, kSlotCount - 1);
  put_varint32(&bytes, 0);
  EXPECT_TRUE(decode_all(bytes).ok());
  bytes.back() = 1;  // one slot more
  EXPECT_FALSE(decode_all(bytes).ok());
  std::string wraps;
  put_varint32(&wraps, 1);
  put_varint32(&wraps, UINT32_MAX);
  put_varint32(&wraps, 1);
  EXPECT_FALSE(decode_all(wraps).ok());
  std::string many;
  put_varint32(&many, kSlotCount / 2 + 1);
  EXPECT_FALSE(decode_all(many + std::string(kSlotCount * 2, '\0')).ok());
}

TEST(SlotRanges, FromRandomBytesAreNoneOrTheOnlyOnesWithTheseBytes) {
  SeededRandom random(4);
  int decoded = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::string bytes;
    for (uint64_t size = random.below(8); size > 0; --size) {
      bytes.push_back(static_cast<char>(random.below(random.one_in(2) ? 4 : 256)));
    }
    const Result<SlotRanges> slots = decode_all(bytes);
    if (!slots.ok()) continue;
    ++decoded;
    ASSERT_EQ(bytes_of(*slots), bytes);
    ASSERT_EQ(slots->ranges(), ranges_of(set_of(*slots)));
  }
  EXPECT_GT(decoded, 1000);
}

}  // namespace
}  // namespace syntropy
