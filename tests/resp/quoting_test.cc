#include "server/resp/quoting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace syntropy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> split(std::string_view line) {
  std::vector<std::string> args = {"stale"};
  EXPECT_TRUE(split_inline(line, &args)) << line;
  return args;
}

bool is_unbalanced(std::string_view line) {
  std::vector<std::string> args = {"stale"};
  const bool balanced = split_inline(line, &args);
  if (!balanced) {
    EXPECT_THAT(args, IsEmpty());
  }
  return !balanced;
}

TEST(SplitInline, BlankLinesHoldNoArguments) {
  EXPECT_THAT(split(""), IsEmpty());
  EXPECT_THAT(split(" \t\n\v\f\r "), IsEmpty());
}

TEST(SplitInline, PlainArguments) {
  EXPECT_THAT(split("set k v"), ElementsAre("set", "k", "v"));
  EXPECT_THAT(split("\tset \r\n k  "), ElementsAre("set", "k"));
  EXPECT_THAT(split("a\\ b"), ElementsAre("a\\", "b"));
  EXPECT_THAT(split("\va\fb"), ElementsAre("a\fb"));
}

TEST(SplitInline, DoubleQuotes) {
  EXPECT_THAT(split(R"("" "a b" "it's")"), ElementsAre("", "a b", "it's"));
  EXPECT_THAT(split(R"("\n\r\t\b\a\\\"\q")"), ElementsAre("\n\r\t\b\a\\\"q"));
  EXPECT_THAT(split(R"("\x00\xfF\x4")"), ElementsAre(std::string("\0\xffx4", 4)));
  EXPECT_THAT(split(R"("\xg0")"), ElementsAre("xg0"));
  EXPECT_THAT(split(R"(a"b c"	d)"), ElementsAre("ab c", "d"));
}

TEST(SplitInline, SingleQuotes) {
  EXPECT_THAT(split(R"('' 'a "b"' 'it\'s')"), ElementsAre("", "a \"b\"", "it's"));
  EXPECT_THAT(split(R"('\n\\x')"), ElementsAre(R"(\n\\x)"));
}

TEST(SplitInline, UnbalancedQuotes) {
  for (const char* line :
       {"\"", "'", "\"a", "'a", "\"a\\\"", "'a\\'", "'\\\\'", "a \"", "\"a\"b", "'a'b",
        "\"a\"\"b\"", "\"a\"'b'", "\"\\", "'\\", "\"\\x4", "ok \"a\" 'b"}) {
    EXPECT_TRUE(is_unbalanced(line)) << line;
  }
}

TEST(SplitInline, AnyBlankMayFollowAQuote) {
  EXPECT_THAT(split("\"a\"\v\"b\"\f'c'\n"), ElementsAre("a", "b", "c"));
}

TEST(SplitUnquoted, AgreesWithSplitInline) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string line(random() % 12, '\0');
    for (char& c : line) c = " \t\n\v\f\rab\\\0"[random() % 10];
    std::vector<std::string_view> views;
    ASSERT_TRUE(split_unquoted(line, &views));
    ASSERT_EQ(split(line), std::vector<std::string>(views.begin(), views.end()));
  }
}

TEST(SplitUnquoted, RefusesQuotes) {
  std::vector<std::string_view> views;
  EXPECT_FALSE(split_unquoted("a \"b\"", &views));
  EXPECT_FALSE(split_unquoted("a 'b", &views));
  EXPECT_THAT(views, IsEmpty());
}

TEST(QuoteArg, EscapesAsRedisDoes) {
  EXPECT_EQ(quote_arg(""), R"("")");
  EXPECT_EQ(quote_arg("a b'c"), R"("a b'c")");
  EXPECT_EQ(quote_arg("\\\"\n\r\t\a\b"), R"("\\\"\n\r\t\a\b")");
  EXPECT_EQ(quote_arg(std::string_view("\0\x1f\x7f\x80\xff~", 6)), R"("\x00\x1f\x7f\x80\xff~")");
}

TEST(QuoteArg, AppendsBehindWhatIsThere) {
  std::string out = "+";
  append_quoted(&out, "a");
  EXPECT_EQ(out, "+\"a\"");
}

TEST(QuoteArg, SplitInlineReadsItBack) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::string> args(1 + random() % 4);
    std::string line;
    for (std::string& arg : args) {
      arg.resize(random() % 20);
      for (char& c : arg) c = static_cast<char>(random());
      append_quoted(&line, arg);
      line.push_back(' ');
    }
    ASSERT_EQ(split(line), args);
  }
}

}  // namespace
}  // namespace syntropy
