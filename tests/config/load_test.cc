#include "server/config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "tests/config/temp_dir.h"

namespace syntropy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;

Result<Invocation> load(const std::vector<std::string>& arguments, const std::string& input = "") {
  std::istringstream stream(input);
  return load_config(arguments, stream);
}

/// The message of a load that must fail.
std::string failure(const std::vector<std::string>& arguments, const std::string& input = "") {
  const auto result = load(arguments, input);
  return result.ok() ? "loaded" : std::string(result.status().message());
}

TEST(LoadConfig, NoArgumentsGiveTheDefaults) {
  const auto result = load({});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->action, Invocation::Action::kServe);
  EXPECT_EQ(result->file, "");
  Config expected;
  expected.storage.dir = (std::filesystem::current_path() / "data").string();
  EXPECT_EQ(result->config, expected);
}

TEST(LoadConfig, FlagsOverrideInputOverridesFile) {
  const TempDir dir;
  const std::string file = dir.write("a.conf", "port 1\ntimeout 1\nhz 1\n");
  const auto result = load({file, "--port", "3", "-"}, "port 2\ntimeout 2\n");
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->file, file);
  EXPECT_EQ(result->config.network.port, 3);
  EXPECT_EQ(result->config.clients.timeout_s, 2);
  EXPECT_EQ(result->config.general.hz, 1);
  const auto first = load({"-", "--port", "3"}, "port 2\nhz 2\n");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->config.network.port, 3);
  EXPECT_EQ(first->config.general.hz, 2);
}

TEST(LoadConfig, RelativeFileBecomesAbsolute) {
  const TempDir dir;
  const std::string file = dir.write("a.conf", "port 1\n");
  const auto relative = std::filesystem::relative(file);
  const auto result = load({relative.string()});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(std::filesystem::canonical(result->file), file);
  EXPECT_TRUE(std::filesystem::path(result->file).is_absolute());
}

TEST(LoadConfig, LinesCommentsQuotesAndCase) {
  const TempDir dir;
  const std::string file = dir.write(
      "a.conf",
      "\n   # port 1\n#port 2\n\tPORT   7401 \r\n"
      "requirepass \"a \\x41\\n\"\nlogfile 'x y'\nbind 10.0.0.1 -::1\n"
      "dir /d\nrename-command FLUSHALL \"\"\nrename-command config c\n"
      "client-output-buffer-limit pubsub 1 2 3\nclient-output-buffer-limit replica 0 0 0\n"
      "hz 7");
  const auto result = load({file});
  ASSERT_TRUE(result.ok()) << result.status().message();
  const Config& config = result->config;
  EXPECT_EQ(config.network.port, 7401);
  EXPECT_EQ(config.security.require_pass, "a A\n");
  EXPECT_EQ(config.log.file, "x y");
  EXPECT_EQ(config.storage.dir, "/d");
  EXPECT_EQ(config.general.hz, 7);
  EXPECT_THAT(config.network.bind,
              ElementsAre(BindAddress{"10.0.0.1", false}, BindAddress{"::1", true}));
  EXPECT_THAT(config.security.rename_command,
              ElementsAre(Pair("FLUSHALL", ""), Pair("config", "c")));
  EXPECT_EQ(config.clients.output_limit(ClientClass::kPubSub), (OutputLimit{1, 2, 3}));
  EXPECT_EQ(config.clients.output_limit(ClientClass::kReplica), (OutputLimit{0, 0, 0}));
  EXPECT_EQ(config.clients.output_limit(ClientClass::kNormal), Config().clients.output_limits[0]);
}

TEST(LoadConfig, ErrorsNameFileAndLine) {
  const TempDir dir;
  const auto error = [&dir](const std::string& text) {
    const std::string file = dir.write("a.conf", text);
    std::string message = failure({file});
    EXPECT_THAT(message, StartsWith(file + ":"));
    return message.substr(std::min(message.size(), file.size() + 1));
  };
  EXPECT_EQ(error("\n#\nport 1\nmaxclient 3\n"),
            "4: 'maxclient': unknown option; did you mean 'maxclients'?");
  EXPECT_EQ(error("xyzzy 1"), "1: 'xyzzy': unknown option");
  EXPECT_EQ(error("replicaof no one"),
            "1: 'replicaof': unknown option; Redis has it, but replication is part of cluster "
            "mode and needs no such setting");
  EXPECT_EQ(error("port=7400"),
            "1: 'port=7400': unknown option; write 'port <value>', without '='");
  EXPECT_EQ(error("port 99999"), "1: 'port 99999': argument must be between 0 and 65535 inclusive");
  EXPECT_EQ(error("port"), "1: 'port': wrong number of arguments");
  EXPECT_EQ(error("port 1 2"), "1: 'port 1 2': wrong number of arguments");
  EXPECT_EQ(error("bind \"x"), "1: 'bind': unbalanced quotes");
  EXPECT_EQ(error("rename-command x"), "1: 'rename-command x': wrong number of arguments");
  EXPECT_EQ(error("include"), "1: 'include': wrong number of arguments");
  EXPECT_EQ(
      error("daemonize yes"),
      "1: 'daemonize yes': argument must be 'no': run the server under a service manager such "
      "as systemd (see supervised)");
  EXPECT_EQ(error(std::string("port\0 1", 7)), "1: the line holds a NUL byte");
  EXPECT_EQ(error("#\n# " + std::string(kMaxLineBytes, 'x')), "2: the line exceeds 65536 bytes");
}

TEST(LoadConfig, ErrorsHidePasswords) {
  const TempDir dir;
  const std::string unbalanced = dir.write("a.conf", "requirepass \"hunter2\n");
  EXPECT_THAT(failure({unbalanced}), Not(HasSubstr("hunter2")));
  const std::string two_words = dir.write("b.conf", "requirepass hunter 2\n");
  EXPECT_EQ(failure({two_words}), two_words + ":1: 'requirepass': wrong number of arguments");
  EXPECT_EQ(failure({"--requirepass", "hunter", "2"}),
            "command line: '--requirepass': wrong number of arguments");
}

TEST(LoadConfig, LongAndBinaryValuesAreShortenedInErrors) {
  const std::string message = failure({"--port", std::string(5000, 'x') + "\n"});
  EXPECT_LT(message.size(), 250U);
  EXPECT_EQ(failure({"--port", "1\x1b[2J\n"}).find('\x1b'), std::string::npos);
}

TEST(LoadConfig, MissingAndUnreadableFilesAreNamed) {
  const TempDir dir;
  EXPECT_EQ(failure({dir.path("none.conf")}), "cannot read the configuration file " +
                                                  dir.path("none.conf") +
                                                  ": No such file or directory");
  EXPECT_EQ(failure({dir.path()}),
            "cannot read the configuration file " + dir.path() + ": Is a directory");
}

TEST(LoadConfig, FlagsTakeValuesAsRedisDoes) {
  const auto config = [](const std::vector<std::string>& arguments) {
    const auto result = load(arguments);
    EXPECT_TRUE(result.ok()) << result.status().message();
    return result.ok() ? result->config : Config();
  };
  EXPECT_EQ(config({"--slowlog-log-slower-than", "-1"}).monitor.slowlog_log_slower_than_us, -1);
  EXPECT_EQ(config({"--requirepass", "--x", "--port", "1"}).security.require_pass, "--x");
  EXPECT_EQ(config({"--port 7", "--timeout", "3"}).network.port, 7);
  EXPECT_EQ(config({"--PORT", "7"}).network.port, 7);
  EXPECT_EQ(config({"--save", "", "--port", "9"}).network.port, 9);
  EXPECT_EQ(config({"--save", "--port", "9"}).network.port, 9);
  EXPECT_EQ(config({"--port", "9", "--save"}).network.port, 9);
  const std::vector<BindAddress> expected = {{"127.0.0.1", false}, {"::1", true}};
  EXPECT_EQ(config({"--bind", "127.0.0.1", "-::1"}).network.bind, expected);
  EXPECT_EQ(config({"--bind", "127.0.0.1 -::1"}).network.bind, expected);
  EXPECT_EQ(config({"--client-output-buffer-limit", "normal 1 2 3"}).clients.output_limits[0],
            (OutputLimit{1, 2, 3}));
}

TEST(LoadConfig, FlagErrorsNameTheFlag) {
  EXPECT_EQ(failure({"--maxclient", "1"}),
            "command line: '--maxclient': unknown option; did you mean '--maxclients'?");
  EXPECT_EQ(failure({"--port", "x"}),
            "command line: '--port x': argument couldn't be parsed into an integer");
  EXPECT_EQ(failure({"--port"}), "command line: '--port': wrong number of arguments");
  EXPECT_EQ(failure({"--port", "1", "extra.conf"}),
            "command line: '--port 1 extra.conf': wrong number of arguments");
  EXPECT_EQ(failure({"-p", "1"}), "command line: '-p': expected --name of an option; see --help");
  EXPECT_EQ(failure({"--"}), "command line: '--': the name of an option is missing");
  EXPECT_THAT(failure({"--save", "60", "1"}), HasSubstr("snapshot schedule"));
  EXPECT_EQ(failure({"-"}, "port 1\nprot\n"),
            "standard input:2: 'prot': unknown option; did you mean 'port'?");
}

TEST(LoadConfig, HelpAndVersionWinOverTheRest) {
  using Action = Invocation::Action;
  for (const auto& [arguments, action] : std::vector<std::pair<std::vector<std::string>, Action>>{
           {{"--help"}, Action::kHelp},
           {{"-h"}, Action::kHelp},
           {{"--version"}, Action::kVersion},
           {{"-v"}, Action::kVersion},
           {{"--port", "1", "--help"}, Action::kHelp}}) {
    const auto result = load(arguments);
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(result->action, action);
  }
  const auto value = load({"--requirepass", "--help"});
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(value->action, Action::kServe);
}

TEST(LoadConfig, IncludesAreReadInPlace) {
  const TempDir dir;
  const std::string inner = dir.write("inner.conf", "port 2\ntimeout 2\n");
  const std::string file =
      dir.write("a.conf", "port 1\ntimeout 1\ninclude " + inner + "\ntimeout 3\n");
  const auto result = load({file});
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->config.network.port, 2);
  EXPECT_EQ(result->config.clients.timeout_s, 3);
  const auto by_flag = load({"--include", inner});
  ASSERT_TRUE(by_flag.ok());
  EXPECT_EQ(by_flag->config.network.port, 2);
}

TEST(LoadConfig, IncludeGlobsReadMatchesInOrderAndMayMatchNothing) {
  const TempDir dir;
  dir.write("2.inc", "port 2\n");
  dir.write("1.inc", "port 1\nhz 1\n");
  const std::string file = dir.write(
      "a.conf", "include " + dir.path("*.inc") + "\ninclude " + dir.path("*.none") + "\n");
  const auto result = load({file});
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->config.network.port, 2);
  EXPECT_EQ(result->config.general.hz, 1);
}

TEST(LoadConfig, IncludeErrorsNameTheInnermostPlace) {
  const TempDir dir;
  const std::string inner = dir.write("inner.conf", "port 1\nport x\n");
  const std::string file = dir.write("a.conf", "\ninclude " + inner + "\n");
  EXPECT_THAT(failure({file}), StartsWith(inner + ":2: 'port x': "));
  const std::string missing = dir.write("b.conf", "\ninclude /nonexistent/x.conf\n");
  EXPECT_EQ(failure({missing}),
            missing +
                ":2: 'include /nonexistent/x.conf': cannot read the configuration file "
                "/nonexistent/x.conf: No such file or directory");
}

TEST(LoadConfig, IncludeCyclesAreRefused) {
  const TempDir dir;
  const std::string a = dir.path("a.conf");
  const std::string b = dir.path("b.conf");
  dir.write("a.conf", "include " + b + "\n");
  dir.write("b.conf", "port 1\ninclude " + a + "\n");
  EXPECT_EQ(failure({a}), b + ":2: 'include " + a + "': the file includes itself: " + a + " -> " +
                              b + " -> " + a);
  const std::string self = dir.write("self.conf", "include " + dir.path("sel*.conf") + "\n");
  EXPECT_THAT(failure({self}), HasSubstr("the file includes itself"));
}

TEST(LoadConfig, SameFileTwiceIsNoCycle) {
  const TempDir dir;
  const std::string inner = dir.write("inner.conf", "port 2\n");
  const std::string file = dir.write("a.conf", "include " + inner + "\ninclude " + inner + "\n");
  EXPECT_TRUE(load({file}).ok());
}

TEST(LoadConfig, IncludeDepthIsBounded) {
  const TempDir dir;
  std::string next = dir.write("end.conf", "port 5\n");
  std::vector<std::string> files;
  for (int i = 0; i < 20; ++i) {
    next = dir.write("f" + std::to_string(i) + ".conf", "include " + next + "\n");
    files.push_back(next);
  }
  EXPECT_TRUE(load({files[kMaxIncludeDepth - 2]}).ok());
  EXPECT_THAT(failure({files[kMaxIncludeDepth - 1]}), HasSubstr("more than 16 deep"));
}

// Sixteen files that each include the next one ten times would be read 10^15 times.
TEST(LoadConfig, TotalSizeIsBoundedOverRepeatedIncludes) {
  const TempDir dir;
  std::string next = dir.write("end.conf", "#" + std::string(60000, 'x') + "\n");
  for (int i = 0; i < 6; ++i) {
    std::string text;
    for (int n = 0; n < 10; ++n) text += "include " + next + "\n";
    next = dir.write("f" + std::to_string(i) + ".conf", text);
  }
  EXPECT_THAT(failure({next}), HasSubstr("exceeds 16777216 bytes"));
  EXPECT_THAT(failure({"-"}, std::string(kMaxTotalBytes + 1, '\n')), HasSubstr("exceeds"));
}

}  // namespace
}  // namespace syntropy
