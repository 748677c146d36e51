#include "server/resp/parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/resp/feed.h"

namespace syntropy {
namespace {

using testing::ElementsAre;

struct Golden {
  const char* name;
  std::string input;
  std::vector<Command> commands;
  std::string error = "";  // behind "Protocol error: "
};

// What redis-server 7.0.15 makes of these bytes.
const std::vector<Golden>& goldens() {
  static const std::vector<Golden> all = {
      {"Ping", "*1\r\n$4\r\nPING\r\n", {{"PING"}}},
      {"Set", "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nv\r\n\r\n\r\n", {{"SET", "k", "v\r\n\r\n"}}},
      {"Pipelined",
       "*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nQUIT\r\n",
       {{"PING"}, {"GET", "k"}, {"QUIT"}}},
      {"EmptyArgument", "*2\r\n$3\r\nGET\r\n$0\r\n\r\n", {{"GET", ""}}},
      {"EmptyCommandName", "*1\r\n$0\r\n\r\n", {{""}}},
      {"BinaryArgument",
       std::string("*1\r\n$5\r\n\0\r\n\xff*\r\n", 15),
       {{std::string("\0\r\n\xff*", 5)}}},
      {"TwelveArguments",
       multibulk({"DEL", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"}),
       {{"DEL", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"}}},
      {"CountZeroIsSkipped", "*0\r\n*1\r\n$4\r\nPING\r\n", {{"PING"}}},
      {"CountMinusOneIsSkipped", "*-1\r\nPING\r\n", {{"PING"}}},
      {"AnyNegativeCountIsSkipped", "*-2147483649\r\nPING\r\n", {{"PING"}}},
      {"BytesAfterCrAreNotLookedAt", "*1\rX$4\rXPINGxx", {{"PING"}}},
      {"InlineBetweenMultibulks",
       "*1\r\n$4\r\nPING\r\nECHO a\r\n*1\r\n$4\r\nPING\r\n",
       {{"PING"}, {"ECHO", "a"}, {"PING"}}},
      {"Inline", "SET k v\r\n", {{"SET", "k", "v"}}},
      {"InlineBareNewline", "PING\n", {{"PING"}}},
      {"InlineTwoCr", "PING\r\r\n", {{"PING"}}},
      {"InlineCrSeparates", "PI\rNG\n", {{"PI", "NG"}}},
      {"InlineBlanksAround", "  PING \t x  \r\n", {{"PING", "x"}}},
      {"InlineVerticalTabWithin", "PING \vx\f\r\n", {{"PING", "x\f"}}},
      {"InlineEmptyLinesAreSkipped", "\r\n\n   \r\n\t\nPING\r\n", {{"PING"}}},
      {"InlineQuotes", "SET \"a b\" 'c\\'d'\r\n", {{"SET", "a b", "c'd"}}},
      {"InlineEscapes", "PING \"\\x41\\n\\q\\x4\"\r\n", {{"PING", "A\nqx4"}}},
      {"InlineQuoteOpensWithin", "PING a\"b c\"\r\n", {{"PING", "ab c"}}},
      {"InlineEmptyQuotes", "\"\"\r\n", {{""}}},
      {"InlineDollar", "$4\r\nPING\r\n", {{"$4"}, {"PING"}}},
      {"CountNotANumber", "*a\r\n", {}, "invalid multibulk length"},
      {"CountMissing", "*\r\n", {}, "invalid multibulk length"},
      {"CountWithPlus", "*+1\r\n", {}, "invalid multibulk length"},
      {"CountWithBlank", "* 1\r\n", {}, "invalid multibulk length"},
      {"CountWithLeadingZero", "*01\r\n", {}, "invalid multibulk length"},
      {"CountMinusZero", "*-0\r\n", {}, "invalid multibulk length"},
      {"CountTrailingByte", "*1x\r\n", {}, "invalid multibulk length"},
      {"CountAboveInt", "*2147483648\r\n", {}, "invalid multibulk length"},
      {"CountAboveInt64", "*9223372036854775808\r\n", {}, "invalid multibulk length"},
      {"CountBelowInt64", "*-9223372036854775809\r\n", {}, "invalid multibulk length"},
      {"NotABulk", "*1\r\nPING\r\n", {}, "expected '$', got 'P'"},
      {"NestedArray", "*3\r\n*1\r\n$4\r\nPING\r\n", {}, "expected '$', got '*'"},
      {"EmptyLineForABulk", "*1\r\n\r\n", {}, "expected '$', got '\r'"},
      {"BulkLengthNegative", "*1\r\n$-1\r\n", {}, "invalid bulk length"},
      {"BulkLengthMinusZero", "*1\r\n$-0\r\n", {}, "invalid bulk length"},
      {"BulkLengthMissing", "*1\r\n$\r\n", {}, "invalid bulk length"},
      {"BulkLengthNotANumber", "*1\r\n$a\r\n", {}, "invalid bulk length"},
      {"BulkLengthWithLeadingZero", "*1\r\n$04\r\nPING\r\n", {}, "invalid bulk length"},
      {"BulkLengthAboveLimit", "*1\r\n$536870913\r\n", {}, "invalid bulk length"},
      {"BulkLengthAboveInt64", "*1\r\n$9223372036854775808\r\n", {}, "invalid bulk length"},
      {"BulkAfterGoodOnes", "*2\r\n$1\r\na\r\n$x\r\n", {}, "invalid bulk length"},
      {"ErrorAfterCommands",
       "PING\r\n*1\r\n$1\r\na\r\n*x\r\n",
       {{"PING"}, {"a"}},
       "invalid multibulk length"},
      {"QuoteNotClosed", "PING \"a\r\n", {}, "unbalanced quotes in request"},
      {"QuoteClosedWithinAWord", "PING \"a\"b\r\n", {}, "unbalanced quotes in request"},
      {"SingleQuoteNotClosed", "PING 'a\r\n", {}, "unbalanced quotes in request"},
  };
  return all;
}

Parsed expected_of(const Golden& golden) {
  Parsed parsed;
  parsed.commands = golden.commands;
  if (!golden.error.empty()) parsed.error = "Protocol error: " + golden.error;
  return parsed;
}

class ParserGolden : public testing::TestWithParam<Golden> {};

TEST_P(ParserGolden, InOnePiece) {
  EXPECT_EQ(parse_whole(GetParam().input), expected_of(GetParam()));
}

TEST_P(ParserGolden, ByteByByte) {
  std::vector<size_t> cuts;
  for (size_t i = 1; i < GetParam().input.size(); ++i) cuts.push_back(i);
  EXPECT_EQ(parse_cut(GetParam().input, cuts), expected_of(GetParam()));
}

TEST_P(ParserGolden, AtEveryPairOfCuts) {
  const std::string& input = GetParam().input;
  for (size_t i = 0; i <= input.size(); ++i) {
    for (size_t j = i; j <= input.size(); ++j) {
      ASSERT_EQ(parse_cut(input, {i, j}), expected_of(GetParam())) << "cut at " << i << ", " << j;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Redis7, ParserGolden, testing::ValuesIn(goldens()),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(Parser, EveryPrefixOfACommandAsksForMore) {
  const std::string input = multibulk({"SET", "key", "value"});
  for (size_t size = 0; size < input.size(); ++size) {
    const Parsed parsed = parse_whole(std::string_view(input).substr(0, size));
    EXPECT_TRUE(parsed.commands.empty());
    EXPECT_EQ(parsed.error, "");
    EXPECT_EQ(parsed.left, size);
  }
}

TEST(Parser, RandomCommandsSurviveRandomCuts) {
  std::mt19937_64 random(20260101);
  for (int round = 0; round < 300; ++round) {
    Parsed expected;
    std::string stream;
    for (size_t n = random() % 8; n > 0; --n) {
      Command command(1 + random() % 6);
      for (std::string& arg : command) {
        arg.resize(random() % (random() % 10 == 0 ? 40000 : 20));
        for (char& c : arg) c = "\r\n$*0 a"[random() % 7];
      }
      stream += multibulk(command);
      expected.commands.push_back(std::move(command));
    }
    std::vector<size_t> cuts(random() % 12);
    for (size_t& cut : cuts) cut = random() % (stream.size() + 1);
    std::sort(cuts.begin(), cuts.end());
    ASSERT_EQ(parse_cut(stream, cuts), expected) << "round " << round;
  }
}

TEST(Parser, ArgumentsAreViewsIntoTheInput) {
  const std::string input = multibulk({"SET", "key", "value"});
  RequestParser parser;
  std::vector<std::string_view> args;
  size_t consumed;
  ASSERT_EQ(parser.parse(input, &consumed, &args), ParseResult::kCommand);
  EXPECT_EQ(consumed, input.size());
  ASSERT_THAT(args, ElementsAre("SET", "key", "value"));
  for (const std::string_view arg : args) {
    EXPECT_GE(arg.data(), input.data());
    EXPECT_LE(arg.data() + arg.size(), input.data() + input.size());
  }
}

TEST(Parser, BytesNeededCountsDownABulk) {
  const std::string input = "*2\r\n$3\r\nGET\r\n$1000\r\n" + std::string(1000, 'x') + "\r\n";
  const size_t header = input.size() - 1002;
  RequestParser parser;
  std::vector<std::string_view> args;
  size_t consumed;
  for (size_t size = header; size < input.size(); ++size) {
    ASSERT_EQ(parser.parse(std::string_view(input).substr(0, size), &consumed, &args),
              ParseResult::kNeedMore);
    ASSERT_EQ(consumed, 0u);
    ASSERT_TRUE(args.empty());
    ASSERT_EQ(parser.bytes_needed(), input.size() - size);
  }
  ASSERT_EQ(parser.parse(input, &consumed, &args), ParseResult::kCommand);
  EXPECT_EQ(args[1].size(), 1000u);
}

TEST(Parser, SkippedCommandsAreConsumedBeforeAnUnfinishedOne) {
  RequestParser parser;
  std::vector<std::string_view> args;
  size_t consumed;
  EXPECT_EQ(parser.parse("\r\n*0\r\n*1\r\n$4\r\nPI", &consumed, &args), ParseResult::kNeedMore);
  EXPECT_EQ(consumed, 6u);
  EXPECT_EQ(parser.parse("*1\r\n$4\r\nPING\r\n", &consumed, &args), ParseResult::kCommand);
  EXPECT_EQ(consumed, 14u);
}

TEST(Parser, AnErrorStaysUntilReset) {
  RequestParser parser;
  std::vector<std::string_view> args;
  size_t consumed;
  EXPECT_EQ(parser.parse("*x\r\n", &consumed, &args), ParseResult::kError);
  EXPECT_EQ(parser.parse("PING\r\n", &consumed, &args), ParseResult::kError);
  EXPECT_EQ(parser.message(), "Protocol error: invalid multibulk length");
  parser.reset();
  EXPECT_EQ(parser.message(), "");
  EXPECT_EQ(parser.parse("PING\r\n", &consumed, &args), ParseResult::kCommand);
}

TEST(Parser, ResetForgetsACommandInProgress) {
  RequestParser parser;
  std::vector<std::string_view> args;
  size_t consumed;
  EXPECT_EQ(parser.parse("*3\r\n$3\r\nSET\r\n$1\r\n", &consumed, &args), ParseResult::kNeedMore);
  parser.reset();
  EXPECT_EQ(parser.parse("PING\r\n", &consumed, &args), ParseResult::kCommand);
  EXPECT_THAT(args, ElementsAre("PING"));
}

// C strings end at NUL, so Redis waits for more here until its line limit; we need no such trap.
TEST(Parser, NulIsAByteLikeAnyOther) {
  EXPECT_EQ(parse_whole(std::string_view("*1\r\n\0\r\n", 7)).error,
            std::string("Protocol error: expected '$', got '") + '\0' + "'");
  EXPECT_THAT(parse_whole(std::string_view("PING a\0b\r\n", 10)).commands,
              ElementsAre(ElementsAre("PING", std::string("a\0b", 3))));
}

}  // namespace
}  // namespace syntropy
