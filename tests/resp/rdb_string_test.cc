#include "server/resp/rdb_string.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace syntropy {
namespace {

using testing::HasSubstr;

constexpr size_t kNoLimit = 512 << 20;

struct Vector {
  std::string_view value;
  std::string_view payload;  // hexadecimal
};

// DUMP's answers of redis-server 7.0.15.
constexpr Vector kFromRedis[] = {
    {"", "00000a005d9b5c400f7fa2da"},
    {"a", "0001610a00bffeef9b8f367db4"},
    {"0", "00c0000a009840a778f8500308"},
    {"1", "00c0010a002678e7b6d10111fc"},
    {"-1", "00c0ff0a000c937e2485089dc5"},
    {"127", "00c07f0a000db5eb315254c514"},
    {"128", "00c180000a00eb7ab3b510cf4b65"},
    {"-128", "00c0800a009966326d2f0c5bd9"},
    {"-129", "00c17fff0a001760822854808480"},
    {"32767", "00c1ff7f0a00495a37da17f4d52b"},
    {"32768", "00c2008000000a0045d82eedd5bda910"},
    {"-32768", "00c100800a00b540064753bb1ace"},
    {"-32769", "00c2ff7fffff0a00aee34c4d06c68536"},
    {"2147483647", "00c2ffffff7f0a002c74e59ee02eada1"},
    {"2147483648", "000a323134373438333634380a00e7b129a34c1d76ee"},
    {"-2147483648", "00c2000000800a00c74f873e33558187"},
    {"-2147483649", "000b2d323134373438333634390a00c261377908f2028c"},
    {"007", "00033030370a007258e27b4c69bad9"},
    {"-0", "00022d300a00d5411fd9d6d050cc"},
    {"+1", "00022b310a00c286f0d7439aee6f"},
    {" 1", "000220310a003fe5791ae5defb1b"},
    {"1.5", "0003312e350a001df5d4bedb5b860d"},
    {"12345678901", "000b31323334353637383930310a00304e52d727176510"},
    {"9223372036854775807", "0013393232333337323033363835343737353830370a003a657e9481e85f22"},
    {"hello world", "000b68656c6c6f20776f726c640a000bfc49b9a6c7a034"},
    {"aaaaaaaaaaaaaaaaaaaa", "001461616161616161616161616161616161616161610a0083b46b5e1b11acf1"},
    {"aaaaaaaaaaaaaaaaaaaaa", "00c30615016161e00a000a00fd0cb36807413f68"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "00c3093f016161e032000161610a00c7b454c16b8866cb"},
    {"abcabcabcabcabcabcabcabc", "00c30a180361626361e00a0200630a007fc3e2201281166e"},
    {"{\042id\042:1,\042name\042:\042one\042},{\042id\042:2,\042name\042:\042two\042}",
     "00c3252b167b226964223a312c226e616d65223a226f6e65227d2c7b60150032e000150474776f227d0a000501164"
     "6810fbeba"},
};

std::string from_hex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  }
  return bytes;
}

std::string to_hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    hex.push_back("0123456789abcdef"[static_cast<unsigned char>(c) >> 4]);
    hex.push_back("0123456789abcdef"[c & 15]);
  }
  return hex;
}

// `body` (type and string) with a footer that is right.
std::string with_footer(std::string body, uint16_t version = kRdbVersion) {
  body.push_back(static_cast<char>(version & 0xFF));
  body.push_back(static_cast<char>(version >> 8));
  const uint64_t crc = rdb_crc64(body);
  for (int i = 0; i < 8; ++i) body.push_back(static_cast<char>(crc >> (8 * i) & 0xFF));
  return body;
}

void expect_decodes(const std::string& payload, std::string_view value) {
  ASSERT_TRUE(verify_dump_payload(payload).ok());
  const Result<std::string> decoded = decode_dump_string(payload, kNoLimit);
  ASSERT_TRUE(decoded.ok()) << decoded.status().message();
  EXPECT_EQ(*decoded, value);
}

void expect_refused(const std::string& body, StatusCode code, const std::string& reason,
                    size_t max_bytes = kNoLimit) {
  const std::string payload = with_footer(body);
  ASSERT_TRUE(verify_dump_payload(payload).ok());
  const Result<std::string> decoded = decode_dump_string(payload, max_bytes);
  ASSERT_FALSE(decoded.ok()) << to_hex(body);
  EXPECT_EQ(decoded.status().code(), code) << to_hex(body);
  EXPECT_THAT(std::string(decoded.status().message()), HasSubstr(reason)) << to_hex(body);
}

std::string bytes_of(std::initializer_list<int> bytes) {
  std::string out;
  for (const int byte : bytes) out.push_back(static_cast<char>(byte));
  return out;
}

TEST(RdbCrc64, CheckValue) {
  EXPECT_EQ(rdb_crc64("123456789"), 0xE9C6D914C4B8D9CAu);
  EXPECT_EQ(rdb_crc64(""), 0u);
}

TEST(DumpString, EncodesTheBytesThatRedisDumps) {
  for (const Vector& vector : kFromRedis) {
    EXPECT_EQ(to_hex(encode_dump_string(vector.value)), vector.payload) << vector.value;
  }
}

TEST(DumpString, DecodesWhatRedisDumped) {
  for (const Vector& vector : kFromRedis) expect_decodes(from_hex(vector.payload), vector.value);
}

// Too long to print here: the size and the footer, whose checksum covers every byte.
TEST(DumpString, EncodesLongValuesAsRedisDoes) {
  std::string counting(256, '\0');
  for (size_t i = 0; i < counting.size(); ++i) counting[i] = static_cast<char>(i);
  std::string multiples(16384, '\0');
  for (size_t i = 0; i < multiples.size(); ++i) multiples[i] = static_cast<char>(i * 7 % 251);
  std::string squares(20000, '\0');
  for (size_t i = 0; i < squares.size(); ++i) {
    squares[i] = static_cast<char>((i * i * 31 + i / 3) % 256);
  }
  const std::tuple<std::string, size_t, const char*> cases[] = {
      {counting, 269, "0a00a2fe30a40f146abf"},
      {multiples, 474, "0a0090299f1140ae5678"},
      {squares, 1081, "0a00fd956cff4517c0d1"}};
  for (const auto& [value, size, footer] : cases) {
    const std::string payload = encode_dump_string(value);
    EXPECT_EQ(payload.size(), size);
    EXPECT_EQ(to_hex(payload.substr(payload.size() - 10)), footer);
    expect_decodes(payload, value);
  }
}

TEST(DumpString, EveryLengthFormIsRead) {
  expect_decodes(with_footer(bytes_of({0, 3}) + "abc"), "abc");
  expect_decodes(with_footer(bytes_of({0, 0x40, 3}) + "abc"), "abc");
  expect_decodes(with_footer(bytes_of({0, 0x80, 0, 0, 0, 3}) + "abc"), "abc");
  expect_decodes(with_footer(bytes_of({0, 0x81, 0, 0, 0, 0, 0, 0, 0, 3}) + "abc"), "abc");
  const std::string longer(70000, 'r');
  expect_decodes(with_footer(bytes_of({0, 0x80, 0, 1, 0x11, 0x70}) + longer), longer);
}

TEST(DumpString, RandomValuesComeBack) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 500; ++round) {
    std::string value(random() % (round % 50 == 0 ? 100000 : 200), '\0');
    const uint64_t alphabet = 1 + random() % 256;
    for (char& c : value) c = static_cast<char>(random() % alphabet);
    expect_decodes(encode_dump_string(value), value);
    const std::string number = std::to_string(static_cast<int64_t>(random()) >> random() % 64);
    expect_decodes(encode_dump_string(number), number);
  }
}

TEST(DumpFooter, OlderVersionsAreRead) {
  for (uint16_t version = 1; version <= kRdbVersion; ++version) {
    expect_decodes(with_footer(bytes_of({0, 1, 'a'}), version), "a");
  }
}

TEST(DumpFooter, NewerVersionsAreRefused) {
  for (const int version : {11, 12, 256, 65535}) {
    const Status status =
        verify_dump_payload(with_footer(bytes_of({0, 1, 'a'}), static_cast<uint16_t>(version)));
    EXPECT_TRUE(status.is(StatusCode::kCorruption)) << version;
  }
}

TEST(DumpFooter, EveryFlippedBitIsSeen) {
  const std::string good = encode_dump_string("some value or other");
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
    EXPECT_TRUE(verify_dump_payload(bad).is(StatusCode::kCorruption)) << bit;
  }
}

TEST(DumpFooter, EveryTruncationIsSeen) {
  const std::string good = encode_dump_string("some value or other");
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_TRUE(
        verify_dump_payload(std::string_view(good).substr(0, size)).is(StatusCode::kCorruption))
        << size;
  }
}

TEST(DumpMalformed, OtherTypesAreNamed) {
  // From redis-server 7.0.15: RPUSH l a, HSET h a b, SADD s a, SADD s2 1, ZADD z 1 a, XADD x 1-1 a
  // b.
  const std::pair<const char*, const char*> cases[] = {
      {"1201020a0a0000000100816102ff0a0009b9edf594ded995", "a list"},
      {"100d0d0000000200816102816202ff0a00d93c7f0728f0edcc", "a hash"},
      {"020101610a006296e97e44d21a6d", "a set"},
      {"0b0a020000000100000001000a00056f61290c490534", "a set"},
      {"110c0c00000002008161020101ff0a00a805ceb8d7a93302", "a sorted set"},
      {"130110000000000000000100000000000000011d1d0000000a00010100010101816102000102010001000181620"
       "2"
       "0401ff0101010101000001000a006f4334ecd7fa5aec",
       "a stream"}};
  for (const auto& [hex, name] : cases) {
    const std::string payload = from_hex(hex);
    ASSERT_TRUE(verify_dump_payload(payload).ok()) << name;
    const Status status = decode_dump_string(payload, kNoLimit).status();
    EXPECT_TRUE(status.is(StatusCode::kInvalidArgument)) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(name));
  }
  expect_refused(bytes_of({200, 1, 'a'}), StatusCode::kInvalidArgument, "unknown type 200");
}

TEST(DumpMalformed, Truncations) {
  for (const std::string& body :
       {bytes_of({}), bytes_of({0}), bytes_of({0, 1}), bytes_of({0, 0x40}), bytes_of({0, 0x80, 0}),
        bytes_of({0, 0x81, 0, 0, 0, 0}), bytes_of({0, 0xC0}), bytes_of({0, 0xC1, 1}),
        bytes_of({0, 0xC2, 1, 1, 1}), bytes_of({0, 0xC3}), bytes_of({0, 0xC3, 1}),
        bytes_of({0, 0xC3, 5, 30, 1, 'a'})}) {
    expect_refused(body, StatusCode::kCorruption, "RDB value");
  }
}

TEST(DumpMalformed, UnknownEncodings) {
  for (const int first : {0x82, 0x8F, 0xBF, 0xC4, 0xFF}) {
    expect_refused(bytes_of({0, first, 0, 0, 0, 0, 0, 0, 0, 0}), StatusCode::kCorruption,
                   "ill-formed");
  }
}

TEST(DumpMalformed, TheFooterIsNoPartOfTheString) {
  expect_refused(bytes_of({0, 5, 'a', 'b'}), StatusCode::kCorruption, "cut short");
}

TEST(DumpMalformed, BytesLeftOver) {
  expect_refused(bytes_of({0, 1, 'a', 'b'}), StatusCode::kCorruption, "left over");
  expect_refused(bytes_of({0, 0xC0, 1, 1}), StatusCode::kCorruption, "left over");
}

TEST(DumpMalformed, LyingLengths) {
  expect_refused(bytes_of({0, 0x81, 255, 255, 255, 255, 255, 255, 255, 255}),
                 StatusCode::kCorruption, "longer than");
  expect_refused(bytes_of({0, 0x80, 31, 255, 255, 255, 'a'}), StatusCode::kCorruption, "cut short");
  // 500 MB out of two bytes of LZF, and sizes that the data does not have.
  expect_refused(bytes_of({0, 0xC3, 2, 0x80, 29, 205, 101, 0, 0, 'a'}), StatusCode::kCorruption,
                 "cannot be true");
  expect_refused(bytes_of({0, 0xC3, 2, 0, 0, 'a'}), StatusCode::kCorruption, "cannot be true");
  expect_refused(bytes_of({0, 0xC3, 2, 2, 0, 'a'}), StatusCode::kCorruption, "decompress");
  expect_refused(bytes_of({0, 0xC3, 0x81, 255, 255, 255, 255, 255, 255, 255, 255, 5, 0}),
                 StatusCode::kCorruption, "cut short");
  // A back reference to before the start.
  expect_refused(bytes_of({0, 0xC3, 3, 8, 0xE0, 5, 9}), StatusCode::kCorruption, "decompress");
}

TEST(DumpMalformed, ValuesAboveTheLimit) {
  expect_refused(bytes_of({0, 3, 'a', 'b', 'c'}), StatusCode::kCorruption, "longer than", 2);
  const std::string compressed = encode_dump_string(std::string(1000, 'a'));
  EXPECT_FALSE(decode_dump_string(compressed, 999).ok());
  EXPECT_TRUE(decode_dump_string(compressed, 1000).ok());
}

}  // namespace
}  // namespace syntropy
