#include "storage/base/slot.h"

#include <gtest/gtest.h>

#include <string>

#include "storage/base/random.h"

namespace syntropy {
namespace {

// The definition, bit by bit, against which the table-driven code is checked.
uint16_t crc16_by_definition(std::string_view bytes) {
  uint16_t crc = 0;
  for (const char byte : bytes) {
    crc = static_cast<uint16_t>(crc ^ (static_cast<uint8_t>(byte) << 8));
    for (int bit = 0; bit < 8; ++bit) {
      const bool carry = (crc & 0x8000) != 0;
      crc = static_cast<uint16_t>(crc << 1);
      if (carry) crc ^= 0x1021;
    }
  }
  return crc;
}

TEST(Slot, CrcHasTheCheckValueOfXmodem) {
  EXPECT_EQ(crc16("123456789"), 0x31C3);
  EXPECT_EQ(crc16(""), 0);
}

TEST(Slot, CrcAgreesWithItsDefinitionAtEveryLength) {
  SeededRandom random(1);
  std::string bytes;
  for (int size = 0; size < 200; ++size) {
    EXPECT_EQ(crc16(bytes), crc16_by_definition(bytes)) << "size " << size;
    bytes.push_back(static_cast<char>(random.next()));
  }
}

// CLUSTER KEYSLOT of redis-server 7.0.15 gave these.
TEST(Slot, KeysLieWhereRedisClusterPutsThem) {
  EXPECT_EQ(slot_of("foo"), 12182);
  EXPECT_EQ(slot_of("bar"), 5061);
  EXPECT_EQ(slot_of("123456789"), 12739);
  EXPECT_EQ(slot_of(""), 0);
  EXPECT_EQ(slot_of("{user1000}.following"), slot_of("user1000"));
  EXPECT_EQ(slot_of("{user1000}.following"), slot_of("{user1000}.followers"));
}

TEST(Slot, HashTagIsBetweenTheFirstBraceAndTheNextClosingOne) {
  EXPECT_EQ(hash_part("a{b}c"), "b");
  EXPECT_EQ(hash_part("foo{}{bar}"), "foo{}{bar}");  // empty tag: the whole key
  EXPECT_EQ(hash_part("foo{{bar}}zap"), "{bar");     // from the first brace on
  EXPECT_EQ(hash_part("foo{bar}{zap}"), "bar");
  EXPECT_EQ(hash_part("}a{b"), "}a{b");  // never closed
  EXPECT_EQ(hash_part("}a{b}"), "b");
  EXPECT_EQ(hash_part("{"), "{");
  EXPECT_EQ(hash_part("{}"), "{}");
  EXPECT_EQ(hash_part(std::string_view("{\0}", 3)), std::string_view("\0", 1));
}

}  // namespace
}  // namespace syntropy
