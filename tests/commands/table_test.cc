// The table of all commands: lookup, and whether what it says of them is complete and agrees with
// redis-server 7.0.15.
#include "server/commands/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "server/commands/command_facts.h"
#include "server/commands/syntax.h"

namespace syntropy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Args = std::vector<std::string_view>;

void for_each_spec(const std::function<void(const CommandSpec&)>& visit) {
  for (const CommandSpec* spec : all_commands()) {
    visit(*spec);
    for (const CommandSpec& subcommand : spec->subcommands) visit(subcommand);
  }
}

bool ends_with_period(std::string_view text) { return text.ends_with('.'); }

// --- lookup --------------------------------------------------------------------------------------

TEST(CommandTable, FindsNamesInAnyCase) {
  const CommandSpec* get = find_command("get");
  ASSERT_NE(get, nullptr);
  EXPECT_EQ(get->name, "get");
  EXPECT_EQ(find_command("GET"), get);
  EXPECT_EQ(find_command("gEt"), get);
  ASSERT_NE(find_command("INCRBYFLOAT"), nullptr);
  EXPECT_EQ(find_command("IncrByFloat")->name, "incrbyfloat");
  ASSERT_NE(find_command("bitfield_RO"), nullptr);
}

TEST(CommandTable, KnowsNoOtherNames) {
  EXPECT_EQ(find_command(""), nullptr);
  EXPECT_EQ(find_command("ge"), nullptr);
  EXPECT_EQ(find_command("gett"), nullptr);
  EXPECT_EQ(find_command("get "), nullptr);
  EXPECT_EQ(find_command(std::string_view("get\0", 4)), nullptr);
  EXPECT_EQ(find_command("client|list"), nullptr);
  EXPECT_EQ(find_command("bitfield\x7fro"), nullptr);  // '_' and 0x7f differ in the bit of case
  EXPECT_EQ(find_command("\xe7"
                         "et"),
            nullptr);  // 'g' with the upper bit set
  EXPECT_EQ(find_command(std::string(32, 'g')), nullptr);
  EXPECT_EQ(find_command(std::string(33, 'g')), nullptr);
  EXPECT_EQ(find_command(std::string(100'000, 'g')), nullptr);
}

TEST(CommandTable, FindsEveryCommandThatItLists) {
  for (const CommandSpec* spec : all_commands()) {
    EXPECT_EQ(find_command(spec->name), spec);
    for (const CommandSpec& subcommand : spec->subcommands) {
      EXPECT_EQ(find_subcommand(*spec, subcommand.name), &subcommand);
      EXPECT_EQ(container_of(subcommand), spec);
    }
  }
}

TEST(CommandTable, FindsSubcommandsInAnyCase) {
  const CommandSpec* object = find_command("object");
  ASSERT_NE(object, nullptr);
  EXPECT_EQ(container_of(*object), nullptr);
  const CommandSpec* encoding = find_subcommand(*object, "EnCoding");
  ASSERT_NE(encoding, nullptr);
  EXPECT_EQ(full_name(*encoding), "object|encoding");
  EXPECT_EQ(find_subcommand(*object, "encodin"), nullptr);
  EXPECT_EQ(find_subcommand(*object, ""), nullptr);
  EXPECT_EQ(find_subcommand(*find_command("get"), "encoding"), nullptr);
}

TEST(CommandTable, NumbersEverySpecOnce) {
  std::set<size_t> numbers;
  for_each_spec([&](const CommandSpec& spec) { numbers.insert(command_index(spec)); });
  EXPECT_EQ(numbers.size(), command_count());
  EXPECT_EQ(*numbers.rbegin(), command_count() - 1);
}

TEST(CommandTable, ListsCommandsByName) {
  const auto commands = all_commands();
  EXPECT_TRUE(std::is_sorted(commands.begin(), commands.end(),
                             [](const auto* a, const auto* b) { return a->name < b->name; }));
}

// --- renaming ------------------------------------------------------------------------------------

// A table that was changed stays so: each of these runs in a process of its own.
TEST(RenameCommandDeathTest, TheNewNameReplacesTheOld) {
  const auto rename = [] {
    const std::string long_name = "LCS-" + std::string(40, 'X');
    const CommandSpec* const lcs = find_command("lcs");
    const bool ok = rename_command("LCS", long_name) && find_command("lcs") == nullptr &&
                    find_command("lcs-" + std::string(40, 'x')) == lcs &&
                    full_name(*lcs) == "lcs" && rename_command(long_name, "Lcs2") &&
                    find_command("LCS2") == lcs && find_command(long_name) == nullptr;
    std::exit(ok ? 0 : 1);
  };
  EXPECT_EXIT(rename(), ::testing::ExitedWithCode(0), "");
}

TEST(RenameCommandDeathTest, AnEmptyNameRemovesTheCommand) {
  const auto remove = [] {
    const size_t listed = all_commands().size();
    const size_t numbered = command_count();
    const bool ok = rename_command("flushall", "") && find_command("flushall") == nullptr &&
                    all_commands().size() == listed - 1 && command_count() == numbered &&
                    rename_command("lcs", "flushall");
    std::exit(ok ? 0 : 1);
  };
  EXPECT_EXIT(remove(), ::testing::ExitedWithCode(0), "");
}

TEST(RenameCommand, RefusesUnknownAndTakenNames) {
  EXPECT_FALSE(rename_command("nosuch", "other"));
  EXPECT_FALSE(rename_command("get", "set"));
  EXPECT_FALSE(rename_command("get", "SET"));
  EXPECT_NE(find_command("get"), nullptr);
}

// --- key positions -------------------------------------------------------------------------------

std::vector<size_t> positions(const Args& args) {
  const CommandSpec* spec = find_command(args.at(0));
  if (!spec->subcommands.empty()) spec = find_subcommand(*spec, args.at(1));
  return key_positions(*spec, args);
}

TEST(KeyPositions, FollowFirstLastAndStep) {
  EXPECT_THAT(positions({"get", "a"}), ElementsAre(1));
  EXPECT_THAT(positions({"del", "a", "b", "c"}), ElementsAre(1, 2, 3));
  EXPECT_THAT(positions({"mset", "a", "1", "b", "2"}), ElementsAre(1, 3));
  EXPECT_THAT(positions({"mset", "a", "1", "b"}), ElementsAre(1, 3));
  EXPECT_THAT(positions({"bitop", "and", "d", "a", "b"}), ElementsAre(2, 3, 4));
  EXPECT_THAT(positions({"rename", "a", "b"}), ElementsAre(1, 2));
  EXPECT_THAT(positions({"object", "encoding", "a"}), ElementsAre(2));
  EXPECT_THAT(positions({"dbsize"}), IsEmpty());
}

TEST(KeyPositions, AreNoneWhenTheArityIsWrong) {
  EXPECT_THAT(positions({"get", "a", "b"}), IsEmpty());
  EXPECT_THAT(positions({"get"}), IsEmpty());
  EXPECT_THAT(positions({"del"}), IsEmpty());
}

// --- completeness --------------------------------------------------------------------------------

const std::set<std::string_view> kGroups = {"generic",    "string",       "bitmap",  "server",
                                            "connection", "transactions", "cluster", "pubsub"};

TEST(CommandTable, EveryCommandIsDescribedInFull) {
  for_each_spec([](const CommandSpec& spec) {
    SCOPED_TRACE(full_name(spec));
    EXPECT_FALSE(spec.name.empty());
    EXPECT_EQ(spec.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_-"), spec.name.npos);
    EXPECT_NE(spec.arity, 0);
    EXPECT_TRUE(kGroups.contains(spec.group)) << spec.group;
    EXPECT_THAT(std::string(spec.since), ::testing::MatchesRegex("[1-9]\\.[0-9]+\\.[0-9]+"));
    EXPECT_TRUE(ends_with_period(spec.summary)) << spec.summary;
    EXPECT_FALSE(spec.complexity.empty());
    EXPECT_TRUE(spec.handler != nullptr || !spec.subcommands.empty());
  });
}

// Shard channels have slots as keys have, and are none.
bool has_channels(const CommandSpec& spec) { return spec.keys.flags == "not_key"; }

TEST(CommandTable, ArityAgreesWithContainersAndKeys) {
  for_each_spec([](const CommandSpec& spec) {
    SCOPED_TRACE(full_name(spec));
    const int least = std::abs(spec.arity);
    const bool is_subcommand = container_of(spec) != nullptr;
    EXPECT_GE(least, is_subcommand ? 2 : 1);
    if (spec.keys.first == 0) {
      EXPECT_EQ(spec.keys.last, 0);
      EXPECT_EQ(spec.keys.step, 0);
      EXPECT_TRUE(spec.keys.flags.empty());
      return;
    }
    EXPECT_LT(spec.keys.last, least);
    EXPECT_GE(spec.keys.step, 1);
    EXPECT_FALSE(spec.keys.flags.empty());
    if (has_channels(spec)) return;
    EXPECT_LT(spec.keys.first, least);
    EXPECT_NE(spec.flags & (kWrite | kReadOnly | kNoScript), 0u);
  });
}

TEST(CommandTable, CategoriesAgreeWithFlags) {
  for_each_spec([](const CommandSpec& spec) {
    SCOPED_TRACE(full_name(spec));
    std::set<std::string_view> categories;
    for_each_word(spec.categories, [&](std::string_view c) { categories.insert(c); });
    EXPECT_NE(categories.contains("@fast"), categories.contains("@slow"));
    EXPECT_EQ(categories.contains("@fast"), (spec.flags & kFast) != 0);
    EXPECT_EQ(categories.contains("@write"), (spec.flags & kWrite) != 0);
    EXPECT_EQ(categories.contains("@read"), (spec.flags & kReadOnly) != 0);
    if ((spec.flags & kAdmin) != 0) {
      EXPECT_TRUE(categories.contains("@admin"));
    }
    EXPECT_FALSE((spec.flags & kWrite) != 0 && (spec.flags & kReadOnly) != 0);
    EXPECT_FALSE((spec.flags & kNoRows) != 0 && spec.keys.first != 0 && !has_channels(spec));
  });
}

TEST(CommandTable, EverySyntaxParses) {
  for_each_spec([](const CommandSpec& spec) {
    const auto arguments = parse_syntax(spec.syntax);
    EXPECT_TRUE(arguments.ok()) << full_name(spec) << ": " << arguments.status().message();
    const int least = std::abs(spec.arity) - (container_of(spec) != nullptr ? 2 : 1);
    if (!arguments.ok() || !spec.subcommands.empty()) return;
    EXPECT_TRUE(least <= 0 || !arguments->empty()) << full_name(spec);
    EXPECT_TRUE(spec.arity != 1 || arguments->empty()) << full_name(spec);
  });
}

// --- agreement with Redis ------------------------------------------------------------------------

// Commands of later versions of Redis, which 7.0 doesn't know, and our own.
const std::set<std::string> kLater = {"cluster|cancelmigration",
                                      "cluster|cancelslotmigrations",
                                      "cluster|getslotmigrations",
                                      "cluster|migrateslots",
                                      "cluster|slot-stats",
                                      "client|routing",
                                      "client|watch-at",
                                      "client|watch-state",
                                      "client|setinfo",
                                      "client|no-touch",
                                      "cluster|myshardid",
                                      "client|write-acks",
                                      "reconcile",
                                      "reconcile|answer",
                                      "reconcile|begin",
                                      "reconcile|mend",
                                      "reconcile|next",
                                      "reconcile|verify",
                                      "sentinel",
                                      "sentinel|ckquorum",
                                      "sentinel|get-master-addr-by-name",
                                      "sentinel|help",
                                      "sentinel|master",
                                      "sentinel|masters",
                                      "sentinel|myid",
                                      "sentinel|replicas",
                                      "sentinel|sentinels",
                                      "sentinel|slaves"};

// Subcommands of 7.0 that need what there isn't here: blocking commands, client-side
// caching.
const std::set<std::string> kNotHere = {"client|unblock",  "client|caching",      "client|tracking",
                                        "client|getredir", "client|trackinginfo", "function|delete",
                                        "function|flush",  "function|kill",       "function|load",
                                        "function|stats"};

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

std::string joined(std::string_view words, char separator) {
  std::string text(words);
  std::replace(text.begin(), text.end(), ' ', separator);
  return text;
}

std::string flag_names(uint32_t flags) {
  const std::pair<uint32_t, const char*> names[] = {{kWrite, "write"},
                                                    {kReadOnly, "readonly"},
                                                    {kDenyOom, "denyoom"},
                                                    {kAdmin, "admin"},
                                                    {kPubSub, "pubsub"},
                                                    {kNoScript, "noscript"},
                                                    {kLoading, "loading"},
                                                    {kStale, "stale"},
                                                    {kSkipMonitor, "skip_monitor"},
                                                    {kSkipSlowlog, "skip_slowlog"},
                                                    {kAsking, "asking"},
                                                    {kFast, "fast"},
                                                    {kNoAuth, "no_auth"},
                                                    {kMayReplicate, "may_replicate"},
                                                    {kNoAsyncLoading, "no_async_loading"},
                                                    {kNoMulti, "no_multi"},
                                                    {kMovableKeys, "movablekeys"},
                                                    {kAllowBusy, "allow_busy"}};
  std::string text;
  for (const auto& [flag, name] : names) {
    if ((flags & flag) == 0) continue;
    if (!text.empty()) text += ',';
    text += name;
  }
  return text;
}

std::string golden_line(const CommandSpec& spec) {
  std::string key_specs;
  for (const KeySpecPart& part : key_spec_parts(spec.keys)) {
    if (!key_specs.empty()) key_specs += ';';
    key_specs += joined(part.flags, '+') + "@" + std::to_string(part.index) + ":" +
                 std::to_string(part.last) + ":" + std::to_string(part.step);
  }
  std::ostringstream line;
  line << full_name(spec) << ' ' << spec.arity << ' ' << or_dash(flag_names(spec.flags)) << ' '
       << spec.keys.first << ' ' << spec.keys.last << ' ' << spec.keys.step << ' '
       << or_dash(joined(spec.categories, ',')) << ' '
       << or_dash(joined(command_facts(full_name(spec)).tips, ',')) << ' ' << or_dash(key_specs);
  return line.str();
}

std::map<std::string, std::string> read_golden() {
  const auto path = std::filesystem::path(__FILE__).parent_path() / "redis7_commands.txt";
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path;
  std::map<std::string, std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with('#')) lines[line.substr(0, line.find(' '))] = line;
  }
  return lines;
}

TEST(CommandTable, AgreesWithRedis7) {
  const std::map<std::string, std::string> golden = read_golden();
  EXPECT_GT(golden.size(), 100u);
  for_each_spec([&](const CommandSpec& spec) {
    const std::string name(full_name(spec));
    if (kLater.contains(name)) return;
    const auto line = golden.find(name);
    ASSERT_NE(line, golden.end()) << name << " is not a command of Redis 7.0";
    EXPECT_EQ(golden_line(spec), line->second);
  });
}

TEST(CommandTable, HasEveryCommandOfTheGolden) {
  for (const auto& [name, line] : read_golden()) {
    if (kNotHere.contains(name)) continue;
    const size_t bar = name.find('|');
    const CommandSpec* spec = find_command(name.substr(0, bar));
    if (spec != nullptr && bar != name.npos) spec = find_subcommand(*spec, name.substr(bar + 1));
    EXPECT_NE(spec, nullptr) << name;
  }
}

}  // namespace
}  // namespace syntropy
