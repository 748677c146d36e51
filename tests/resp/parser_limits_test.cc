// What a hostile client can announce, and what it costs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/resp/parser.h"
#include "tests/resp/feed.h"

namespace syntropy {
namespace {

constexpr size_t kLine = RequestParser::kMaxLineBytes;

// Parses in pieces of 16 KiB, as from a socket.
Parsed parse_in_reads(std::string_view input) {
  std::vector<size_t> cuts;
  for (size_t cut = 16384; cut < input.size(); cut += 16384) cuts.push_back(cut);
  return parse_cut(input, cuts);
}

void expect_error(const std::string& input, const std::string& error) {
  EXPECT_EQ(parse_whole(input).error, "Protocol error: " + error);
  EXPECT_EQ(parse_in_reads(input).error, "Protocol error: " + error);
}

TEST(ParserLimits, LineWithoutNewline) {
  EXPECT_EQ(parse_whole(std::string(kLine, 'A')).error, "");
  expect_error(std::string(kLine + 1, 'A'), "too big inline request");
  expect_error(std::string(1 << 20, 'A'), "too big inline request");
}

TEST(ParserLimits, LineLimitDoesNotDependOnHowBytesArrive) {
  expect_error(std::string(kLine + 1, 'A') + "\r\n", "too big inline request");
  const std::string longest = std::string(kLine - 1, 'A') + "\r\n";
  EXPECT_EQ(parse_whole(longest).commands.size(), 1u);
  EXPECT_EQ(parse_in_reads(longest).commands.size(), 1u);
}

TEST(ParserLimits, CountWithoutEnd) {
  EXPECT_EQ(parse_whole("*" + std::string(kLine - 1, '1')).error, "");
  expect_error("*" + std::string(kLine, '1'), "too big mbulk count string");
}

TEST(ParserLimits, BulkLengthWithoutEnd) {
  EXPECT_EQ(parse_whole("*1\r\n$" + std::string(kLine - 1, '1')).error, "");
  expect_error("*1\r\n$" + std::string(kLine, '1'), "too big bulk count string");
  expect_error("*1000000\r\n" + std::string(kLine + 1, 'A'), "too big bulk count string");
}

TEST(ParserLimits, BulkLimitCanBeSet) {
  RequestLimits limits;
  limits.max_bulk_bytes = 10;
  EXPECT_EQ(parse_whole("*1\r\n$10\r\n0123456789\r\n", RequestParser(limits)).commands.size(), 1u);
  EXPECT_EQ(parse_whole("*1\r\n$11\r\n", RequestParser(limits)).error,
            "Protocol error: invalid bulk length");
}

TEST(ParserLimits, BulkLimitMayExceedFourGigabytes) {
  RequestLimits limits;
  limits.max_bulk_bytes = 1LL << 40;
  RequestParser parser(limits);
  std::vector<std::string_view> args;
  size_t consumed;
  EXPECT_EQ(parser.parse("*1\r\n$1099511627776\r\n", &consumed, &args), ParseResult::kNeedMore);
  EXPECT_EQ(parser.bytes_needed(), (1ULL << 40) + 2);
}

TEST(ParserLimits, ArgumentCountLimitCanBeSet) {
  RequestLimits limits;
  limits.max_args = 3;
  EXPECT_EQ(parse_whole("*3\r\n", RequestParser(limits)).error, "");
  EXPECT_EQ(parse_whole("*4\r\n", RequestParser(limits)).error,
            "Protocol error: invalid multibulk length");
}

TEST(ParserLimits, UnauthenticatedClientsMayAnnounceLittle) {
  RequestParser parser;
  parser.set_authenticated(false);
  EXPECT_EQ(parse_whole("*10\r\n$16384\r\n", parser).error, "");
  EXPECT_EQ(parse_whole("*11\r\n", parser).error,
            "Protocol error: unauthenticated multibulk length");
  EXPECT_EQ(parse_whole("*10\r\n$16385\r\n", parser).error,
            "Protocol error: unauthenticated bulk length");
  // A length that nobody may announce is told first.
  EXPECT_EQ(parse_whole("*2147483648\r\n", parser).error,
            "Protocol error: invalid multibulk length");
}

TEST(ParserLimits, LimitsLiftWithAuthentication) {
  RequestParser parser;
  parser.set_authenticated(false);
  std::vector<std::string_view> args;
  size_t consumed;
  const std::string stream = multibulk({"AUTH", "secret"}) + "*11\r\n";
  ASSERT_EQ(parser.parse(stream, &consumed, &args), ParseResult::kCommand);
  parser.set_authenticated(true);
  EXPECT_EQ(parser.parse(std::string_view(stream).substr(consumed), &consumed, &args),
            ParseResult::kNeedMore);
}

TEST(ParserLimits, AnnouncedLengthsCostNothing) {
  for (const char* announced : {"*2147483647\r\n", "*1\r\n$536870912\r\n", "*2147483647\r\n$5"}) {
    RequestParser parser;
    std::vector<std::string_view> args;
    size_t consumed;
    ASSERT_EQ(parser.parse(announced, &consumed, &args), ParseResult::kNeedMore);
    EXPECT_LE(parser.memory_usage(), 64u) << announced;
    EXPECT_EQ(args.capacity(), 0u) << announced;
  }
}

TEST(ParserLimits, MemoryFollowsTheArgumentsThatArrived) {
  std::string stream = "*1000000\r\n";
  for (int i = 0; i < 1000; ++i) stream += "$0\r\n\r\n";
  RequestParser parser;
  std::vector<std::string_view> args;
  size_t consumed;
  ASSERT_EQ(parser.parse(stream, &consumed, &args), ParseResult::kNeedMore);
  EXPECT_LE(parser.memory_usage(), stream.size() * 6);
}

TEST(ParserLimits, MemoryOfAHugeCommandIsGivenBack) {
  const std::string stream = multibulk(Command(100000, "x"));
  RequestParser parser;
  std::vector<std::string_view> args;
  size_t consumed;
  const size_t half = stream.size() / 2;
  ASSERT_EQ(parser.parse(std::string_view(stream).substr(0, half), &consumed, &args),
            ParseResult::kNeedMore);
  ASSERT_EQ(parser.parse(stream, &consumed, &args), ParseResult::kCommand);
  EXPECT_EQ(args.size(), 100000u);
  EXPECT_LE(parser.memory_usage(), 64u);
  std::string quoted = "PING \"\"";
  for (int i = 0; i < 20000; ++i) quoted += " x";
  ASSERT_EQ(parser.parse(quoted + "\r\n", &consumed, &args), ParseResult::kCommand);
  ASSERT_EQ(parser.parse("PING\r\n", &consumed, &args), ParseResult::kCommand);
  EXPECT_LE(parser.memory_usage(), 4096u);
}

// Quadratic work would need minutes here: 64 MiB in 128,000 reads, and a million arguments.
TEST(ParserLimits, WorkIsLinearInTheBytesThatArrive) {
  const std::string big = "*2\r\n$4\r\nECHO\r\n$67108864\r\n" + std::string(64 << 20, 'x') + "\r\n";
  const std::string many = multibulk(Command(1000000, "ab"));
  for (const std::string& stream : {big, many}) {
    RequestParser parser;
    std::vector<std::string_view> args;
    size_t consumed;
    for (size_t size = 512; size < stream.size(); size += 512) {
      ASSERT_EQ(parser.parse(std::string_view(stream).substr(0, size), &consumed, &args),
                ParseResult::kNeedMore);
    }
    ASSERT_EQ(parser.parse(stream, &consumed, &args), ParseResult::kCommand);
    EXPECT_EQ(consumed, stream.size());
  }
}

}  // namespace
}  // namespace syntropy
