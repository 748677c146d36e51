#include "server/config/glob.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>

namespace syntropy {
namespace {

TEST(Glob, LiteralsMatchTheWholeText) {
  EXPECT_TRUE(glob_match("", ""));
  EXPECT_TRUE(glob_match("port", "port"));
  EXPECT_FALSE(glob_match("port", "ports"));
  EXPECT_FALSE(glob_match("ports", "port"));
  EXPECT_FALSE(glob_match("", "x"));
}

TEST(Glob, StarMatchesAnyRun) {
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("**", "abc"));
  EXPECT_TRUE(glob_match("a*", "a"));
  EXPECT_TRUE(glob_match("a*c", "abcbc"));
  EXPECT_TRUE(glob_match("*b*", "abc"));
  EXPECT_TRUE(glob_match("h*llo*d", "hello hello world"));
  EXPECT_FALSE(glob_match("a*c", "abcb"));
  EXPECT_FALSE(glob_match("*abc", "ab"));
  EXPECT_TRUE(glob_match("abc*", "abc"));
  EXPECT_TRUE(glob_match("abc***", "abc"));
}

TEST(Glob, QuestionMarkMatchesOneByte) {
  EXPECT_TRUE(glob_match("h?llo", "hello"));
  EXPECT_FALSE(glob_match("h?llo", "hllo"));
  EXPECT_FALSE(glob_match("?", ""));
  EXPECT_TRUE(glob_match("??", std::string("\0\xff", 2)));
}

TEST(Glob, ClassesRangesAndNegation) {
  EXPECT_TRUE(glob_match("h[ae]llo", "hallo"));
  EXPECT_FALSE(glob_match("h[ae]llo", "hillo"));
  EXPECT_TRUE(glob_match("h[^e]llo", "hallo"));
  EXPECT_FALSE(glob_match("h[^e]llo", "hello"));
  EXPECT_TRUE(glob_match("[a-c]", "b"));
  EXPECT_TRUE(glob_match("[c-a]", "b"));
  EXPECT_FALSE(glob_match("[a-c]", "d"));
  EXPECT_TRUE(glob_match("[\x80-\xff]", "\x90"));
  EXPECT_TRUE(glob_match("[-a]", "-"));
  EXPECT_TRUE(glob_match("[\\]]", "]"));
  EXPECT_TRUE(glob_match("[\\^]", "^"));
  EXPECT_FALSE(glob_match("[]", "a"));
  EXPECT_TRUE(glob_match("[^]", "a"));
  EXPECT_TRUE(glob_match("*[0-9]x", "k12x"));
}

TEST(Glob, ClassThatIsNotClosedEndsWithThePattern) {
  EXPECT_TRUE(glob_match("[abc", "b"));
  EXPECT_FALSE(glob_match("[abc", "d"));
  EXPECT_FALSE(glob_match("[", "["));
  EXPECT_TRUE(glob_match("[^", "a"));
  EXPECT_TRUE(glob_match("[\\", "\\"));
}

TEST(Glob, BackslashTakesTheNextByteItself) {
  EXPECT_TRUE(glob_match("a\\*b", "a*b"));
  EXPECT_FALSE(glob_match("a\\*b", "axb"));
  EXPECT_TRUE(glob_match("\\?", "?"));
  EXPECT_TRUE(glob_match("\\[a]", "[a]"));
  EXPECT_TRUE(glob_match("a\\", "a\\"));
  EXPECT_FALSE(glob_match("a\\", "a"));
}

TEST(Glob, CaseIsFoldedOnlyOnRequest) {
  EXPECT_FALSE(glob_match("PORT", "port"));
  EXPECT_TRUE(glob_match("PORT", "port", true));
  EXPECT_TRUE(glob_match("[A-C]?R*", "birds", true));
  EXPECT_FALSE(glob_match("[A-C]", "b"));
}

// A matcher that recurses at each star needs longer than the age of the universe for these.
TEST(Glob, PatternsOfManyStarsDoNotBlowUp) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "a*";
  pattern += "b";
  const std::string text(2000, 'a');
  EXPECT_FALSE(glob_match(pattern, text));
  EXPECT_FALSE(glob_match(pattern, text, true));
  EXPECT_TRUE(glob_match(pattern, text + "b"));
}

/// The definition, without care for cost: the oracle of the property test. Knows * and ? only.
bool simple_match(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '*') {
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (simple_match(pattern.substr(1), text.substr(i))) return true;
    }
    return false;
  }
  if (text.empty()) return false;
  if (pattern.front() != '?' && pattern.front() != text.front()) return false;
  return simple_match(pattern.substr(1), text.substr(1));
}

TEST(Glob, AgreesWithTheDefinitionOnRandomPatterns) {
  std::mt19937 random(7);
  const auto random_text = [&random](std::string_view alphabet) {
    std::string text(random() % 9, ' ');
    for (char& c : text) c = alphabet[random() % alphabet.size()];
    return text;
  };
  int matches = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string pattern = random_text("ab*?*");
    const std::string text = random_text("ab");
    const bool expected = simple_match(pattern, text);
    ASSERT_EQ(glob_match(pattern, text), expected) << pattern << " on " << text;
    matches += expected ? 1 : 0;
  }
  EXPECT_GT(matches, 1000);
}

}  // namespace
}  // namespace syntropy
