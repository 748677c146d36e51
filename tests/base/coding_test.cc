#include "storage/base/coding.h"

#include <gtest/gtest.h>

#include <string>

#include "storage/base/random.h"

namespace syntropy {
namespace {

using namespace std::string_literals;

TEST(Coding, FixedIntegersHaveTheBytesOfTheirOrder) {
  std::string out;
  put_fixed16_be(&out, 0x0102);
  put_fixed32_be(&out, 0x03040506);
  put_fixed64_be(&out, 0x0708090A0B0C0D0E);
  EXPECT_EQ(out, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E");
  out.clear();
  put_fixed16_le(&out, 0x0102);
  put_fixed32_le(&out, 0x03040506);
  put_fixed64_le(&out, 0x0708090A0B0C0D0E);
  EXPECT_EQ(out, "\x02\x01\x06\x05\x04\x03\x0E\x0D\x0C\x0B\x0A\x09\x08\x07");
}

TEST(Coding, FixedIntegersComeBack) {
  SeededRandom random(2);
  for (int i = 0; i < 1000; ++i) {
    const uint64_t value = random.next() >> random.below(64);
    std::string out;
    put_fixed64_be(&out, value);
    put_fixed64_le(&out, value);
    put_fixed32_be(&out, static_cast<uint32_t>(value));
    put_fixed32_le(&out, static_cast<uint32_t>(value));
    put_fixed16_be(&out, static_cast<uint16_t>(value));
    put_fixed16_le(&out, static_cast<uint16_t>(value));
    ByteReader reader(out);
    uint64_t be64 = 0, le64 = 0;
    uint32_t be32 = 0, le32 = 0;
    uint16_t be16 = 0, le16 = 0;
    ASSERT_TRUE(reader.read_fixed64_be(&be64) && reader.read_fixed64_le(&le64) &&
                reader.read_fixed32_be(&be32) && reader.read_fixed32_le(&le32) &&
                reader.read_fixed16_be(&be16) && reader.read_fixed16_le(&le16));
    EXPECT_TRUE(reader.at_end());
    EXPECT_EQ(be64, value);
    EXPECT_EQ(le64, value);
    EXPECT_EQ(be32, static_cast<uint32_t>(value));
    EXPECT_EQ(le32, static_cast<uint32_t>(value));
    EXPECT_EQ(be16, static_cast<uint16_t>(value));
    EXPECT_EQ(le16, static_cast<uint16_t>(value));
  }
}

TEST(Coding, VarintsHaveTheirCheckVectors) {
  const auto encoded = [](uint64_t value) {
    std::string out;
    put_varint64(&out, value);
    EXPECT_EQ(out.size(), varint_size(value));
    return out;
  };
  EXPECT_EQ(encoded(0), "\0"s);
  EXPECT_EQ(encoded(127), "\x7F");
  EXPECT_EQ(encoded(128), "\x80\x01");
  EXPECT_EQ(encoded(300), "\xAC\x02");
  EXPECT_EQ(encoded(UINT32_MAX), "\xFF\xFF\xFF\xFF\x0F");
  EXPECT_EQ(encoded(UINT64_MAX), "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01");
}

TEST(Coding, VarintsComeBackAtEveryWidth) {
  for (int bit = 0; bit < 64; ++bit) {
    for (const uint64_t value : {(uint64_t{1} << bit) - 1, uint64_t{1} << bit}) {
      std::string out;
      put_varint64(&out, value);
      ByteReader reader(out);
      uint64_t back = ~value;
      ASSERT_TRUE(reader.read_varint64(&back));
      EXPECT_EQ(back, value);
      EXPECT_TRUE(reader.at_end());
    }
  }
}

TEST(Coding, IllFormedVarintsAreRefused) {
  const std::string cases[] = {
      "",
      "\x80",                                          // ends too early
      "\x80\x00"s,                                     // not the shortest form of 0
      "\xFF\x00"s,                                     // not the shortest form of 127
      "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02",      // 65 bits
      "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01",  // eleven bytes
  };
  for (const std::string& bytes : cases) {
    ByteReader reader(bytes);
    uint64_t value = 42;
    EXPECT_FALSE(reader.read_varint64(&value)) << testing::PrintToString(bytes);
    EXPECT_EQ(value, 42u);
    EXPECT_FALSE(reader.ok());
  }
  ByteReader too_wide("\x80\x80\x80\x80\x10");  // 2^32
  uint32_t value = 42;
  EXPECT_FALSE(too_wide.read_varint32(&value));
  EXPECT_EQ(value, 42u);
  EXPECT_EQ(too_wide.rest().size(), 5u);
}

TEST(Coding, ReaderStopsForGoodAtTheFirstFailure) {
  ByteReader reader("abc");
  uint32_t number = 7;
  EXPECT_FALSE(reader.read_fixed32_le(&number));
  EXPECT_EQ(number, 7u);
  std::string_view bytes;
  EXPECT_FALSE(reader.read_bytes(1, &bytes));
  EXPECT_EQ(reader.rest(), "abc");
  EXPECT_FALSE(reader.at_end());
}

TEST(Coding, ReaderHandsOutViewsOfItsBytes) {
  const std::string source = "hello";
  ByteReader reader(source);
  std::string_view head;
  ASSERT_TRUE(reader.read_bytes(2, &head));
  EXPECT_EQ(head.data(), source.data());
  EXPECT_EQ(reader.rest(), "llo");
  EXPECT_FALSE(reader.read_bytes(4, &head));
  EXPECT_FALSE(reader.read_bytes(SIZE_MAX, &head));
}

}  // namespace
}  // namespace syntropy
