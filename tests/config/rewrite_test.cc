#include "server/config/rewrite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "server/config/config_store.h"
#include "server/config/load.h"
#include "server/config/options.h"
#include "tests/config/temp_dir.h"

namespace syntropy {
namespace {

using ::testing::HasSubstr;
using Pairs = std::vector<ConfigStore::Pair>;

Config load_text(const std::string& text) {
  const auto config = load_config_text(text, "/x.conf");
  EXPECT_TRUE(config.ok()) << config.status().message() << " in:\n" << text;
  return config.ok() ? *config : Config();
}

/// The file `text` after a start from it, CONFIG SET of `pairs` and CONFIG REWRITE.
std::string rewritten(const std::string& text, const Pairs& pairs) {
  ConfigStore store(load_text(text));
  const Status set = store.set(pairs);
  EXPECT_TRUE(set.ok()) << set.message();
  const auto result = rewritten_config_text(text, "/x.conf", *store.current());
  EXPECT_TRUE(result.ok()) << result.status().message();
  if (!result.ok()) return {};
  EXPECT_EQ(load_text(*result), *store.current());
  return *result;
}

TEST(RewriteText, UnchangedValuesLeaveEveryByte) {
  const std::string text =
      "# head\n\n  port   7400 \t\nTIMEOUT 5\nrequirepass 'a b'\nbind 127.0.0.1   -::1\n"
      "client-output-buffer-limit normal 1 2 3\ndir data\ninclude /nonexistent/*.conf\n"
      "rename-command FLUSHALL \"\"\nhz 1\nhz 2\n";
  EXPECT_EQ(rewritten(text, {}), text);
  EXPECT_EQ(rewritten("", {}), "");
}

TEST(RewriteText, ChangedValuesStandWhereTheyStood) {
  EXPECT_EQ(rewritten("# a\ntimeout 5\n# b\nport 1\n", {{"timeout", "6"}}),
            "# a\ntimeout 6\n# b\nport 1\n");
}

TEST(RewriteText, ValueBackAtItsDefaultKeepsItsLine) {
  EXPECT_EQ(rewritten("timeout 5\nport 1\n", {{"timeout", "0"}}), "timeout 0\nport 1\n");
}

TEST(RewriteText, NewValuesAreAppendedUnderOneMarker) {
  const std::string once = rewritten("port 1", {{"timeout", "5"}});
  EXPECT_EQ(once, "port 1\n\n# Appended by CONFIG REWRITE\ntimeout 5\n");
  EXPECT_EQ(rewritten(once, {{"hz", "20"}}),
            "port 1\n\n# Appended by CONFIG REWRITE\ntimeout 5\nhz 20\n");
  EXPECT_EQ(rewritten("", {{"hz", "20"}}), "# Appended by CONFIG REWRITE\nhz 20\n");
}

TEST(RewriteText, SupersededLinesGoOnlyWhenTheValueChanges) {
  EXPECT_EQ(rewritten("hz 1\nport 1\nhz 2\nport 2\n", {{"hz", "3"}}), "port 1\nhz 3\nport 2\n");
}

TEST(RewriteText, ValuesAreQuotedWhenTheyMustBe) {
  EXPECT_EQ(rewritten("requirepass x\n", {{"requirepass", "a \"b\"\n"}}),
            "requirepass \"a \\\"b\\\"\\n\"\n");
  EXPECT_EQ(rewritten("requirepass x\n", {{"requirepass", ""}}), "requirepass \"\"\n");
  EXPECT_EQ(rewritten("requirepass x\n", {{"requirepass", std::string("\0\xff", 2)}}),
            "requirepass \"\\x00\\xff\"\n");
  EXPECT_EQ(rewritten("requirepass x\n", {{"requirepass", "#a\\b"}}), "requirepass #a\\b\n");
}

TEST(RewriteText, SizesGetUnitsAndCarriageReturnsStay) {
  EXPECT_EQ(rewritten("proto-max-bulk-len 1mb\r\nport 1\r\n", {{"proto-max-bulk-len", "67108864"}}),
            "proto-max-bulk-len 64mb\r\nport 1\r\n");
}

TEST(RewriteText, OutputLimitsKeepTheClassesThatAreNamedOrChanged) {
  const std::string text = "client-output-buffer-limit normal 1 2 3\nport 1\n";
  EXPECT_EQ(rewritten(text, {{"client-output-buffer-limit", "normal 4 5 6"}}),
            "client-output-buffer-limit normal 4 5 6\nport 1\n");
  EXPECT_EQ(rewritten(text, {{"client-output-buffer-limit", "pubsub 1mb 0 0"}}),
            "client-output-buffer-limit normal 1 2 3\nclient-output-buffer-limit pubsub 1mb 0 0\n"
            "port 1\n");
  EXPECT_EQ(rewritten("client-output-buffer-limit normal 1 2 3 slave 4 5 6\n",
                      {{"client-output-buffer-limit", "pubsub 0 0 0"}}),
            "client-output-buffer-limit normal 1 2 3\nclient-output-buffer-limit replica 4 5 6\n"
            "client-output-buffer-limit pubsub 0 0 0\n");
  EXPECT_EQ(rewritten("port 1\n", {{"client-output-buffer-limit", "pubsub 0 0 0"}}),
            "port 1\n\n# Appended by CONFIG REWRITE\nclient-output-buffer-limit pubsub 0 0 0\n");
}

TEST(RewriteText, IncludesThatComeLaterAreOverridden) {
  const TempDir dir;
  const std::string inner = dir.write("inner.conf", "hz 30\nrename-command A b\n");
  const std::string text = "hz 1\ninclude " + inner + "\n";
  EXPECT_EQ(rewritten(text, {}), text);
  EXPECT_EQ(rewritten(text, {{"hz", "40"}}),
            "hz 40\ninclude " + inner + "\n\n# Appended by CONFIG REWRITE\nhz 40\n");
  EXPECT_EQ(rewritten(text, {{"hz", "10"}}),
            "hz 10\ninclude " + inner + "\n\n# Appended by CONFIG REWRITE\nhz 10\n");
}

TEST(RewriteText, FlagsOfTheStartAreWrittenDown) {
  Config config = load_text("rename-command A b\n");
  config.security.rename_command.emplace_back("C", "");
  config.storage.dir = "/elsewhere";
  const auto text = rewritten_config_text("rename-command A b\n", "/x.conf", config);
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_EQ(load_text(*text), config);
}

/// A few valid values of every option that CONFIG SET may change.
Pairs random_values(std::mt19937& random) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> values = {
      {"timeout", {"0", "1", "77"}},
      {"requirepass", {"", "x", "a b", "'\"\\", "# \n\t\xc3\xa4", std::string("\0", 1)}},
      {"maxclients", {"1", "10000", "4294967295"}},
      {"proto-max-bulk-len", {"1mb", "512mb", "9223372036854775807"}},
      {"client-output-buffer-limit", {"normal 0 0 0", "slave 1 2 3", "pubsub 1kb 1 0"}},
      {"maxmemory-clients", {"0", "25%", "3gb", "1234567"}},
      {"appendfsync", {"always", "everysec", "no"}},
      {"loglevel", {"debug", "nothing"}},
      {"latency-tracking", {"yes", "no"}},
      {"latency-tracking-info-percentiles", {"", "50 99 99.9", "0.001"}},
      {"slowlog-log-slower-than", {"-1", "0", "10000"}},
      {"protected-mode", {"yes", "no"}}};
  Pairs pairs;
  for (const auto& [name, choices] : values) {
    if (random() % 3 == 0) pairs.emplace_back(name, choices[random() % choices.size()]);
  }
  return pairs;
}

TEST(RewriteText, RandomChangesAreAlwaysReadBack) {
  std::mt19937 random(11);
  std::string text = "# start\nhz 5\nclient-output-buffer-limit normal 0 0 0\n";
  for (int i = 0; i < 300; ++i) {
    text = rewritten(text, random_values(random));
    ASSERT_EQ(rewritten(text, {}), text) << "a second rewrite changes nothing";
  }
  EXPECT_EQ(text.find("# start"), 0U);
  EXPECT_LT(text.size(), 2000U) << "lines do not pile up";
}

TEST(RewriteFile, KeepsTheModeAndLeavesNoOtherFile) {
  const TempDir dir;
  const std::string file = dir.write("a.conf", "hz 1\n");
  ASSERT_EQ(::chmod(file.c_str(), 0640), 0);
  ConfigStore store(load_text("hz 1\n"), file);
  ASSERT_TRUE(store.set({{"hz", "2"}}).ok());
  const Status status = store.rewrite();
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(dir.read("a.conf"), "hz 2\n");
  struct stat info {};
  ASSERT_EQ(::stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640U);
  int entries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    entries += entry.exists() ? 1 : 0;
  }
  EXPECT_EQ(entries, 1);
}

TEST(RewriteFile, FollowsASymbolicLink) {
  const TempDir dir;
  dir.write("real.conf", "hz 1\n");
  std::filesystem::create_symlink(dir.path("real.conf"), dir.path("link.conf"));
  ConfigStore store(load_text("hz 1\n"), dir.path("link.conf"));
  ASSERT_TRUE(store.set({{"hz", "2"}}).ok());
  ASSERT_TRUE(store.rewrite().ok());
  EXPECT_TRUE(std::filesystem::is_symlink(dir.path("link.conf")));
  EXPECT_EQ(dir.read("real.conf"), "hz 2\n");
}

TEST(RewriteFile, CreatesAFileThatWentMissing) {
  const TempDir dir;
  Config config = load_text("");
  config.general.hz = 3;
  ConfigStore store(config, dir.path("a.conf"));
  const Status status = store.rewrite();
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_THAT(dir.read("a.conf"), HasSubstr("hz 3\n"));
}

TEST(RewriteFile, FileThatIsInErrorStaysAsItIs) {
  const TempDir dir;
  const std::string text = "hz 1\nprot 5\n";
  const std::string file = dir.write("a.conf", text);
  ConfigStore store(load_text("hz 2\n"), file);
  const Status status = store.rewrite();
  EXPECT_EQ(status.message(),
            "Rewriting config file: " + file + ":2: 'prot': unknown option; did you mean 'port'?");
  EXPECT_EQ(dir.read("a.conf"), text);
}

TEST(RewriteFile, FolderThatIsGoneIsAnError) {
  const TempDir dir;
  Config config = load_text("");
  config.general.hz = 3;
  ConfigStore store(config, dir.path("gone/a.conf"));
  EXPECT_EQ(store.rewrite().message(), "Rewriting config file: No such file or directory");
}

}  // namespace
}  // namespace syntropy
