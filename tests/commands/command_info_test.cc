// COMMAND. Replies in raw RESP were taken from redis-server 7.0.15.
#include <set>

#include "server/command.h"
#include "server/commands/table.h"
#include "tests/commands/command_fixture.h"

namespace syntropy {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CommandInfoTest : public CommandFixture {};

std::string key_spec_resp2(const std::string& flags, int index, int last) {
  return "*6\r\n$5\r\nflags\r\n" + flags +
         "$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n*2\r\n"
         "$5\r\nindex\r\n:" +
         std::to_string(index) +
         "\r\n$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n*6\r\n"
         "$7\r\nlastkey\r\n:" +
         std::to_string(last) + "\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n";
}

// --- INFO ----------------------------------------------------------------------------------------

TEST_F(CommandInfoTest, InfoHasTheTenElementsOfRedis) {
  EXPECT_EQ(run("COMMAND INFO copy"),
            "*1\r\n*10\r\n$4\r\ncopy\r\n:-3\r\n*2\r\n+write\r\n+denyoom\r\n:1\r\n:2\r\n:1\r\n"
            "*3\r\n+@keyspace\r\n+@write\r\n+@slow\r\n*0\r\n*2\r\n" +
                key_spec_resp2("*2\r\n+RO\r\n+access\r\n", 1, 0) +
                key_spec_resp2("*2\r\n+OW\r\n+update\r\n", 2, 0) + "*0\r\n");
}

TEST_F(CommandInfoTest, InfoUsesSetsAndMapsInResp3) {
  client_.protocol = 3;
  EXPECT_EQ(run("COMMAND INFO ttl"),
            "*1\r\n*10\r\n$3\r\nttl\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n"
            "~3\r\n+@keyspace\r\n+@read\r\n+@fast\r\n~1\r\n$23\r\nnondeterministic_output\r\n"
            "~1\r\n%3\r\n$5\r\nflags\r\n~2\r\n+RO\r\n+access\r\n$12\r\nbegin_search\r\n%2\r\n"
            "$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n%1\r\n$5\r\nindex\r\n:1\r\n"
            "$9\r\nfind_keys\r\n%2\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n%3\r\n"
            "$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n~0\r\n");
}

TEST_F(CommandInfoTest, InfoOfAContainerHoldsItsSubcommands) {
  const std::string info = run("COMMAND INFO object");
  EXPECT_TRUE(
      info.starts_with("*1\r\n*10\r\n$6\r\nobject\r\n:-2\r\n*0\r\n:0\r\n:0\r\n:0\r\n"
                       "*1\r\n+@slow\r\n*0\r\n*0\r\n*5\r\n*10\r\n$15\r\nobject|encoding"))
      << info;
  client_.protocol = 3;
  EXPECT_TRUE(run("COMMAND INFO object")
                  .starts_with("*1\r\n*10\r\n$6\r\nobject\r\n:-2\r\n~0\r\n:0\r\n:0\r\n:0\r\n~1\r\n+"
                               "@slow\r\n~0\r\n~0\r\n"
                               "*5\r\n"));
}

TEST_F(CommandInfoTest, InfoAnswersNullForUnknownNames) {
  EXPECT_EQ(run("COMMAND INFO nosuch get| object|nosuch object|encoding|x get|x"),
            array(std::vector<std::string>(5, std::string(kNull))));
  client_.protocol = 3;
  EXPECT_EQ(run("COMMAND INFO nosuch"), "*1\r\n_\r\n");
}

TEST_F(CommandInfoTest, InfoFindsSubcommandsInAnyCase) {
  const std::string info = run("COMMAND INFO OBJECT|Encoding");
  EXPECT_TRUE(info.starts_with("*1\r\n*10\r\n$15\r\nobject|encoding\r\n:3\r\n")) << info;
}

TEST_F(CommandInfoTest, CommandAloneAndInfoAloneListEverything) {
  const std::string all = run("COMMAND");
  EXPECT_TRUE(all.starts_with("*" + std::to_string(all_commands().size()) + "\r\n"));
  EXPECT_EQ(run("COMMAND INFO"), all);
  EXPECT_EQ(run("COMMAND COUNT"), integer(static_cast<int64_t>(all_commands().size())));
}

TEST_F(CommandInfoTest, UnknownSubcommandsAreNamed) {
  EXPECT_EQ(run("COMMAND foo"), error("ERR unknown subcommand 'foo'. Try COMMAND HELP."));
  EXPECT_EQ(run("COMMAND " + std::string(200, 'x')),
            error("ERR unknown subcommand '" + std::string(128, 'x') + "'. Try COMMAND HELP."));
  EXPECT_EQ(run("COMMAND COUNT x"),
            error("ERR wrong number of arguments for 'command|count' command"));
}

// --- DOCS ----------------------------------------------------------------------------------------

std::string text(std::string_view name, std::string_view value) { return bulk(name) + bulk(value); }

TEST_F(CommandInfoTest, DocsOfACommandWithArguments) {
  const CommandSpec& copy = *find_command("copy");
  const std::string head = text("summary", copy.summary) + text("since", "6.2.0") +
                           text("group", "generic") + text("complexity", copy.complexity) +
                           bulk("arguments") + "*4\r\n";
  EXPECT_EQ(run("COMMAND DOCS copy"),
            "*2\r\n$4\r\ncopy\r\n*10\r\n" + head + "*6\r\n" + text("name", "source") +
                text("type", "key") + bulk("key_spec_index") + ":0\r\n*6\r\n" +
                text("name", "destination") + text("type", "key") + bulk("key_spec_index") +
                ":1\r\n*8\r\n" + text("name", "destination-db") + text("type", "integer") +
                text("token", "DB") + bulk("flags") + "*1\r\n+optional\r\n*8\r\n" +
                text("name", "replace") + text("type", "pure-token") + text("token", "REPLACE") +
                bulk("flags") + "*1\r\n+optional\r\n");
  client_.protocol = 3;
  EXPECT_TRUE(
      run("COMMAND DOCS copy")
          .starts_with("%1\r\n$4\r\ncopy\r\n%5\r\n" + head + "%3\r\n" + text("name", "source")));
}

TEST_F(CommandInfoTest, DocsSayWhatIsDeprecated) {
  const std::string docs = run("COMMAND DOCS getset");
  EXPECT_THAT(docs, HasSubstr("$9\r\ndoc_flags\r\n*1\r\n+deprecated\r\n" +
                              text("deprecated_since", "6.2.0") + bulk("replaced_by")));
}

TEST_F(CommandInfoTest, DocsOfAContainerHoldItsSubcommands) {
  client_.protocol = 3;
  const std::string docs = run("COMMAND DOCS object");
  EXPECT_THAT(docs, HasSubstr(bulk("subcommands") + "%5\r\n" + bulk("object|encoding") + "%5\r\n"));
  EXPECT_THAT(docs, Not(HasSubstr("\r\n$9\r\narguments\r\n*0")));
}

TEST_F(CommandInfoTest, DocsLeaveOutUnknownNames) {
  EXPECT_EQ(run("COMMAND DOCS nosuch object|nosuch"), array({}));
  const std::string docs = run("COMMAND DOCS nosuch get nosuch");
  EXPECT_TRUE(docs.starts_with("*2\r\n$3\r\nget\r\n")) << docs;
  const std::string one = run("COMMAND DOCS object|help");
  EXPECT_TRUE(one.starts_with("*2\r\n$11\r\nobject|help\r\n*8\r\n")) << one;
}

TEST_F(CommandInfoTest, DocsAloneCoverEverything) {
  client_.protocol = 3;
  const std::string docs = run("COMMAND DOCS");
  EXPECT_TRUE(docs.starts_with("%" + std::to_string(all_commands().size()) + "\r\n"));
  for (const CommandSpec* spec : all_commands()) {
    EXPECT_THAT(docs, HasSubstr(bulk(spec->name) + "%"));
  }
}

// --- LIST ----------------------------------------------------------------------------------------

TEST_F(CommandInfoTest, ListFilters) {
  EXPECT_EQ(run("COMMAND LIST FILTERBY PATTERN GETs*"), array({bulk("getset")}));
  EXPECT_EQ(run("COMMAND LIST filterby pattern object|e*"), array({bulk("object|encoding")}));
  EXPECT_EQ(run("COMMAND LIST FILTERBY PATTERN zzz"), array({}));
  EXPECT_EQ(run("COMMAND LIST FILTERBY MODULE json"), array({}));
  EXPECT_EQ(run("COMMAND LIST FILTERBY ACLCAT nosuch"), array({}));
  const std::string keyspace = run("COMMAND LIST FILTERBY ACLCAT KeySpace");
  EXPECT_THAT(keyspace, HasSubstr(bulk("rename")));
  EXPECT_THAT(keyspace, HasSubstr(bulk("object|help")));
  EXPECT_THAT(keyspace, Not(HasSubstr(bulk("get"))));
  EXPECT_THAT(keyspace, Not(HasSubstr(bulk("object"))));
}

TEST_F(CommandInfoTest, ListAloneNamesSubcommandsToo) {
  const std::string all = run("COMMAND LIST");
  EXPECT_TRUE(all.starts_with("*" + std::to_string(command_count()) + "\r\n"));
  EXPECT_THAT(all, HasSubstr(bulk("object") + bulk("object|encoding")));
}

TEST_F(CommandInfoTest, ListRefusesOtherArguments) {
  for (const char* line :
       {"COMMAND LIST x", "COMMAND LIST FILTERBY", "COMMAND LIST FILTERBY MODULE",
        "COMMAND LIST FILTERBY other x", "COMMAND LIST FILTERBY ACLCAT a b"}) {
    EXPECT_EQ(run(line), error(kSyntaxError)) << line;
  }
}

// --- GETKEYS -------------------------------------------------------------------------------------

TEST_F(CommandInfoTest, GetkeysPicksTheKeys) {
  EXPECT_EQ(run("COMMAND GETKEYS get a"), array({bulk("a")}));
  EXPECT_EQ(run("COMMAND GETKEYS mset a b c d"), array({bulk("a"), bulk("c")}));
  EXPECT_EQ(run("COMMAND GETKEYS mset a b c"), array({bulk("a"), bulk("c")}));
  EXPECT_EQ(run("COMMAND GETKEYS bitop and a b c"), array({bulk("a"), bulk("b"), bulk("c")}));
  EXPECT_EQ(run("COMMAND GETKEYS object encoding a"), array({bulk("a")}));
}

TEST_F(CommandInfoTest, GetkeysSaysWhyThereAreNone) {
  const auto invalid = error("ERR Invalid command specified");
  EXPECT_EQ(run("COMMAND GETKEYS nosuch a"), invalid);
  EXPECT_EQ(run("COMMAND GETKEYS set|get a"), invalid);
  EXPECT_EQ(run("COMMAND GETKEYS object nosuch a"), invalid);
  EXPECT_EQ(run("COMMAND GETKEYS ping x"), error("ERR The command has no key arguments"));
  EXPECT_EQ(run("COMMAND GETKEYS config get a"), error("ERR The command has no key arguments"));
  EXPECT_EQ(run("COMMAND GETKEYS get a b"),
            error("ERR Invalid number of arguments specified for command"));
  EXPECT_EQ(run("COMMAND GETKEYS get"),
            error("ERR wrong number of arguments for 'command|getkeys' command"));
}

std::string key_and_flags(std::string_view key, std::vector<std::string> flags) {
  for (std::string& flag : flags) flag = "+" + flag + "\r\n";
  return array({bulk(key), array(flags)});
}

TEST_F(CommandInfoTest, GetkeysandflagsTellsHowEachKeyIsUsed) {
  EXPECT_EQ(run("COMMAND GETKEYSANDFLAGS rename a b"),
            array({key_and_flags("a", {"RW", "access", "delete"}),
                   key_and_flags("b", {"OW", "update"})}));
  EXPECT_EQ(run("COMMAND GETKEYSANDFLAGS bitop and d a b"),
            array({key_and_flags("d", {"OW", "update"}), key_and_flags("a", {"RO", "access"}),
                   key_and_flags("b", {"RO", "access"})}));
  EXPECT_EQ(run("COMMAND GETKEYSANDFLAGS exists a"), array({key_and_flags("a", {"RO"})}));
}

TEST_F(CommandInfoTest, FlagsOfSetAndBitfieldDependOnTheRequest) {
  const auto writes = key_and_flags("a", {"OW", "update"});
  const auto changes = key_and_flags("a", {"RW", "access", "update"});
  const auto reads = key_and_flags("a", {"RO", "access"});
  EXPECT_EQ(run("COMMAND GETKEYSANDFLAGS set a b"), array({writes}));
  EXPECT_EQ(run("COMMAND GETKEYSANDFLAGS set a get"), array({writes}));
  EXPECT_EQ(run("COMMAND GETKEYSANDFLAGS set a b EX 1 GET"), array({changes}));
  EXPECT_EQ(run("COMMAND GETKEYSANDFLAGS bitfield a GET u8 0 overflow sat get u8 1"),
            array({reads}));
  EXPECT_EQ(run("COMMAND GETKEYSANDFLAGS bitfield a get u8 0 set u8 0 1"), array({changes}));
  EXPECT_EQ(run("COMMAND GETKEYSANDFLAGS getex a"), array({changes}));
}

TEST_F(CommandInfoTest, HelpListsEverySubcommand) {
  const std::string help = run("COMMAND HELP");
  EXPECT_TRUE(help.starts_with("*15\r\n+COMMAND <subcommand> ")) << help;
  EXPECT_THAT(help, HasSubstr("\r\n+GETKEYS command [arg [arg ...]]\r\n+    "));
}

}  // namespace
}  // namespace syntropy
