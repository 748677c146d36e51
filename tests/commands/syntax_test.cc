// The argument tree that COMMAND DOCS reads from the syntax text.
#include "server/commands/syntax.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace syntropy {
namespace {

/// One line for a tree: (type name token flags [arguments]).
std::string show(const std::vector<SyntaxArgument>& arguments) {
  std::string text;
  for (const SyntaxArgument& argument : arguments) {
    if (!text.empty()) text += ' ';
    text += std::string(argument_type_name(argument.type)) + ":" + argument.name;
    if (!argument.token.empty()) text += "/" + argument.token;
    if (argument.optional) text += "?";
    if (argument.multiple) text += argument.multiple_token ? "**" : "*";
    if (!argument.arguments.empty()) text += "(" + show(argument.arguments) + ")";
  }
  return text;
}

std::string parsed(std::string_view syntax) {
  const auto arguments = parse_syntax(syntax);
  return arguments.ok() ? show(*arguments) : std::string(arguments.status().message());
}

TEST(Syntax, ReadsValuesAndTheirTypes) {
  EXPECT_EQ(parsed(""), "");
  EXPECT_EQ(parsed("key value"), "key:key string:value");
  EXPECT_EQ(parsed("key seconds unix-time-seconds pattern"),
            "key:key integer:seconds unix-time:unix-time-seconds pattern:pattern");
}

TEST(Syntax, ReadsOptionalTokens) {
  EXPECT_EQ(parsed("source destination [DB destination-db] [REPLACE]"),
            "key:source key:destination integer:destination-db/DB? pure-token:replace/REPLACE?");
}

TEST(Syntax, ReadsAlternatives) {
  EXPECT_EQ(parsed("[NX|XX]"), "oneof:nx_xx?(pure-token:nx/NX pure-token:xx/XX)");
  EXPECT_EQ(parsed("[NX | XX]"), parsed("[NX|XX]"));
  EXPECT_EQ(parsed("[EX seconds|PX milliseconds|KEEPTTL]"),
            "oneof:seconds_milliseconds_keepttl?(integer:seconds/EX integer:milliseconds/PX "
            "pure-token:keepttl/KEEPTTL)");
  EXPECT_EQ(parsed("ON | OFF"), "oneof:on_off(pure-token:on/ON pure-token:off/OFF)");
}

TEST(Syntax, TightAlternativesOutsideOfBracketsAreOneItem) {
  EXPECT_EQ(parsed("AND|OR destkey"),
            "oneof:and_or(pure-token:and/AND pure-token:or/OR) key:destkey");
  EXPECT_EQ(parsed("<AND | OR> destkey"), parsed("AND|OR destkey"));
}

TEST(Syntax, ReadsRepetition) {
  EXPECT_EQ(parsed("key [key ...]"), "key:key*");
  EXPECT_EQ(parsed("key value [key value ...]"), "block:key_value*(key:key string:value)");
  EXPECT_EQ(parsed("[section [section ...]]"), "string:section?*");
  EXPECT_EQ(parsed("[section ...]"), "string:section?*");
  EXPECT_EQ(parsed("[ID client-id [client-id ...]]"), "integer:client-id/ID?*");
  EXPECT_EQ(parsed("[GET pattern [GET pattern ...]]"), "pattern:pattern/GET?**");
}

TEST(Syntax, ATokenTakesTheGroupAfterIt) {
  EXPECT_EQ(parsed("[FILTERBY <MODULE name|ACLCAT category>]"),
            "oneof:name_category/FILTERBY?(string:name/MODULE string:category/ACLCAT)");
  EXPECT_EQ(parsed("[LIMIT offset count]"),
            "block:offset_count/LIMIT?(integer:offset integer:count)");
  EXPECT_EQ(parsed("DB index value"), "integer:index/DB string:value");
}

TEST(Syntax, ReadsNestedOptions) {
  EXPECT_EQ(parsed("key [start end [BYTE|BIT]]"),
            "key:key block:start_end_byte_bit?(integer:start integer:end "
            "oneof:byte_bit?(pure-token:byte/BYTE pure-token:bit/BIT))");
  EXPECT_EQ(parsed("[OVERFLOW <WRAP|SAT>] <SET encoding offset value|GET encoding offset>"),
            "oneof:wrap_sat/OVERFLOW?(pure-token:wrap/WRAP pure-token:sat/SAT) "
            "oneof:encoding_offset_value_encoding_offset(block:encoding_offset_value/SET("
            "string:encoding integer:offset string:value) block:encoding_offset/GET("
            "string:encoding integer:offset))");
}

TEST(Syntax, NumbersKeys) {
  const auto arguments = parse_syntax("source destination [value]");
  ASSERT_TRUE(arguments.ok());
  EXPECT_EQ((*arguments)[0].key_spec, 0);
  EXPECT_EQ((*arguments)[1].key_spec, 1);
  EXPECT_EQ((*arguments)[2].key_spec, -1);
}

TEST(Syntax, RefusesWhatIsIllFormed) {
  for (const char* syntax : {"[key", "key]", "<a|b", "a>", "[]", "<>", "[a|]", "[|a]", "a ...",
                             "[a [b]", "key [key ... more]"}) {
    EXPECT_FALSE(parse_syntax(syntax).ok()) << syntax;
  }
}

}  // namespace
}  // namespace syntropy
