#include "rpc/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "storage/base/coding.h"
#include "storage/base/random.h"

namespace syntropy {
namespace {

using ::testing::HasSubstr;

std::string framed(uint8_t type, std::string_view payload) {
  FrameCheck check;
  std::string out;
  append_frame(type, payload, &check, &out);
  return out;
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) {
    char digits[4];
    std::snprintf(digits, sizeof(digits), "%02X", static_cast<unsigned char>(byte));
    out += digits;
  }
  return out;
}

struct Parsed {
  std::vector<std::pair<int, std::string>> frames;
  Status status;
};

// Feeds `bytes` in pieces of `piece` bytes.
Parsed parse(FrameParser& parser, std::string_view bytes, size_t piece) {
  Parsed parsed;
  while (!bytes.empty()) {
    // A copy of exact size, so that a sanitizer sees reads beyond it.
    const std::vector<char> copy(bytes.begin(),
                                 bytes.begin() + static_cast<long>(std::min(piece, bytes.size())));
    bytes.remove_prefix(copy.size());
    std::string_view input(copy.data(), copy.size());
    for (;;) {
      const auto frame = parser.next(&input);
      if (!frame.ok()) {
        parsed.status = frame.status();
        return parsed;
      }
      if (!frame->has_value()) break;
      parsed.frames.emplace_back((*frame)->type, (*frame)->payload);
    }
    EXPECT_TRUE(input.empty());
  }
  return parsed;
}

Parsed parse(std::string_view bytes, size_t limit = 1000, size_t piece = SIZE_MAX) {
  FrameParser parser(limit);
  return parse(parser, bytes, piece);
}

FrameCheck keyed(char key) { return FrameCheck(*FrameMac::make(std::string(16, key))); }

std::string keyed_frames(char key, const std::vector<std::string>& payloads) {
  FrameCheck check = keyed(key);
  std::string out;
  for (const std::string& payload : payloads) append_frame(16, payload, &check, &out);
  return out;
}

TEST(FrameTest, HasTheBytesThatTheHeaderShows) {
  EXPECT_EQ(hex(framed(16, "abc")), "53790110030000000C7819F12B577A07616263");
}

TEST(FrameTest, TagIsSipHash) {
  std::string key;
  std::string input;
  for (char i = 0; i < 16; ++i) key.push_back(i);
  for (char i = 0; i < 15; ++i) input.push_back(i);
  FrameMac mac = *FrameMac::make(key);
  EXPECT_EQ(mac.tag(input.substr(0, 6), input.substr(6)), 0xA129CA6149BE45E5u);
  EXPECT_EQ(mac.tag(input, ""), 0xA129CA6149BE45E5u) << "and again";
  EXPECT_FALSE(FrameMac::make("short").ok());
}

TEST(FrameTest, FramesArriveWholeHoweverTheBytesDo) {
  const std::string large(700, 'x');
  const std::string stream =
      framed(16, "abc") + framed(255, "") + framed(17, large) + framed(18, "");
  for (size_t piece = 1; piece < stream.size() + 1; piece += piece < 40 ? 1 : 37) {
    const Parsed parsed = parse(stream, 700, piece);
    ASSERT_TRUE(parsed.status.ok()) << piece << ": " << parsed.status.message();
    ASSERT_EQ(parsed.frames.size(), 4u) << piece;
    EXPECT_EQ(parsed.frames[0], std::pair(16, std::string("abc")));
    EXPECT_EQ(parsed.frames[1], std::pair(255, std::string()));
    EXPECT_EQ(parsed.frames[2], std::pair(17, large));
    EXPECT_EQ(parsed.frames[3], std::pair(18, std::string()));
  }
}

TEST(FrameTest, EveryFlippedBitIsFound) {
  for (const bool with_key : {false, true}) {
    FrameCheck check = with_key ? keyed('k') : FrameCheck();
    std::string good;
    append_frame(16, "a payload", &check, &good);
    for (size_t bit = 0; bit < good.size() * 8; ++bit) {
      std::string bad = good;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
      FrameParser parser(100);
      if (with_key) parser.set_check(keyed('k'));
      const Parsed parsed = parse(parser, bad + std::string(16, '\0'), SIZE_MAX);
      EXPECT_TRUE(parsed.frames.empty()) << bit;
      // A longer length waits for bytes that are never sent; everything else is an error at once.
      if (parsed.status.ok()) {
        EXPECT_GT(load_le<uint32_t>(bad.data() + 4), 9u) << bit;
      }
    }
  }
}

TEST(FrameTest, ForeignProtocolsAreToldApartByTheirFirstByte) {
  for (const char* bytes : {"G", "GET / HTTP/1.1\r\n\r\n", "*1\r\n$4\r\nPING\r\n", "Sx"}) {
    const Parsed parsed = parse(bytes);
    EXPECT_EQ(parsed.status.code(), StatusCode::kCorruption) << bytes;
    EXPECT_THAT(std::string(parsed.status.message()), HasSubstr("not a frame of the cluster bus"));
  }
}

TEST(FrameTest, OtherVersionIsNamed) {
  std::string frame = framed(16, "abc");
  frame[2] = 7;
  EXPECT_THAT(std::string(parse(frame.substr(0, 3)).status.message()),
              HasSubstr("format version 7"));
}

TEST(FrameTest, TypeZeroIsRefused) {
  std::string frame = framed(16, "");
  frame[3] = 0;
  EXPECT_THAT(std::string(parse(frame).status.message()), HasSubstr("type 0"));
}

TEST(FrameTest, LengthAboveTheLimitIsRefusedBeforeThePayload) {
  std::string frame = framed(16, std::string(100, 'x'));
  EXPECT_TRUE(parse(frame, 100).status.ok());
  const Parsed parsed = parse(frame.substr(0, 8), 99);
  EXPECT_THAT(std::string(parsed.status.message()), HasSubstr("100 bytes where at most 99"));
  store_le<uint32_t>(frame.data() + 4, UINT32_MAX);
  EXPECT_FALSE(parse(frame.substr(0, 8), 1000).status.ok());
}

TEST(FrameTest, AnnouncedLengthAllocatesNothing) {
  std::string frame = framed(16, "");
  store_le<uint32_t>(frame.data() + 4, 1u << 30);
  FrameParser parser(1u << 30);
  std::string_view input(frame);
  ASSERT_TRUE(parser.next(&input).ok());
  EXPECT_EQ(parser.held(), frame.size());
}

TEST(FrameTest, LimitChangesBetweenFrames) {
  FrameParser parser(3);
  const std::string stream = framed(16, "abc") + framed(16, "abcd");
  std::string_view input(stream);
  ASSERT_TRUE((*parser.next(&input)).has_value());
  parser.set_max_payload(4);
  const auto second = parser.next(&input);
  ASSERT_TRUE(second.ok() && second->has_value());
  EXPECT_EQ((*second)->payload, "abcd");
}

TEST(FrameTest, BrokenStreamStaysBroken) {
  FrameParser parser(100);
  std::string bad = framed(16, "abc");
  bad.back() = 'x';
  EXPECT_FALSE(parse(parser, bad, SIZE_MAX).status.ok());
  EXPECT_FALSE(parse(parser, framed(16, "abc"), SIZE_MAX).status.ok());
}

TEST(FrameTest, KeyedFramesPassUnderTheSameKeyAlone) {
  const std::string stream = keyed_frames('k', {"one", "two", ""});
  FrameParser right(100);
  right.set_check(keyed('k'));
  EXPECT_EQ(parse(right, stream, 5).frames.size(), 3u);
  FrameParser wrong(100);
  wrong.set_check(keyed('j'));
  EXPECT_FALSE(parse(wrong, stream, 5).status.ok());
  FrameParser open(100);
  EXPECT_FALSE(parse(open, stream, 5).status.ok());
}

TEST(FrameTest, KeyedFramesCannotBeRepeatedLeftOutOrReordered) {
  const std::string stream = keyed_frames('k', {"one", "two", "six"});
  const size_t size = stream.size() / 3;
  const std::string one = stream.substr(0, size);
  const std::string two = stream.substr(size, size);
  const std::string six = stream.substr(2 * size);
  const auto passed = [](const std::string& bytes) {
    FrameParser parser(100);
    parser.set_check(keyed('k'));
    return parse(parser, bytes, SIZE_MAX).frames.size();
  };
  EXPECT_EQ(passed(one + two + six), 3u);
  EXPECT_EQ(passed(one + one), 1u);
  EXPECT_EQ(passed(one + six), 1u);
  EXPECT_EQ(passed(two + one), 0u);
}

}  // namespace
}  // namespace syntropy
