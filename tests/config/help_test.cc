// Also keeps docs/syntropy.conf and the tables of docs/configuration.md equal to the table of
// options. After a change of the table, run with SYNTROPY_REWRITE_GOLDENS=1 to bring them up to
// date.
#include "server/config/help.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "server/config/load.h"
#include "server/config/options.h"
#include "tests/config/temp_dir.h"

namespace syntropy {
namespace {

using ::testing::HasSubstr;

constexpr const char* kSample = SYNTROPY_SOURCE_DIR "/docs/syntropy.conf";
constexpr const char* kManual = SYNTROPY_SOURCE_DIR "/docs/configuration.md";
constexpr const char* kBegin =
    "<!-- options: begin (generated, see tests/config/help_test.cc) -->\n";
constexpr const char* kEnd = "<!-- options: end -->\n";

bool rewrite_goldens() { return std::getenv("SYNTROPY_REWRITE_GOLDENS") != nullptr; }

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

TEST(Help, NamesEveryOptionWithDefaultAndUnit) {
  const std::string text = help_text();
  for (const Option& option : all_options()) {
    EXPECT_THAT(text, HasSubstr("\n  --" + option.name + " " + option.argument + "\n"));
  }
  EXPECT_THAT(text, HasSubstr("--timeout <seconds>"));
  EXPECT_THAT(text, HasSubstr("default 7379; 0..65535"));
  EXPECT_THAT(text, HasSubstr("also named lua-time-limit"));
}

TEST(Help, LinesFitATerminal) {
  for (const std::string& text : {help_text(), sample_config_file()}) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
  }
}

TEST(SampleFile, IsTheOneInTheDocumentation) {
  if (rewrite_goldens()) write_file(kSample, sample_config_file());
  EXPECT_EQ(read_file(kSample), sample_config_file());
}

TEST(SampleFile, SaysNothingAndEveryLineIsValidOnceUncommented) {
  const auto defaults = load_config_text("", "/x");
  ASSERT_TRUE(defaults.ok());
  const auto commented = load_config_text(sample_config_file(), "/x");
  ASSERT_TRUE(commented.ok()) << commented.status().message();
  EXPECT_EQ(*commented, *defaults);

  // An option follows its '#' at once, prose stands behind a blank.
  std::string text;
  std::istringstream lines(sample_config_file());
  std::size_t options = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.size() < 2 || line[0] != '#' || line[1] == ' ') continue;
    text += line.substr(1) + '\n';
    ++options;
  }
  const auto uncommented = load_config_text(text, "/x");
  ASSERT_TRUE(uncommented.ok()) << uncommented.status().message();
  EXPECT_EQ(*uncommented, *defaults);
  EXPECT_GE(options + 2, all_options().size());  // include and rename-command have no default
}

TEST(Manual, HoldsTheTablesOfTheOptions) {
  std::string manual = read_file(kManual);
  const std::size_t begin = manual.find(kBegin);
  const std::size_t end = manual.find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  const std::size_t from = begin + std::string(kBegin).size();
  const std::string expected = "\n" + options_markdown() + "\n";
  if (rewrite_goldens()) {
    manual.replace(from, end - from, expected);
    write_file(kManual, manual);
    return;
  }
  EXPECT_EQ(manual.substr(from, end - from), expected);
}

}  // namespace
}  // namespace syntropy
