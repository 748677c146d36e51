// SCAN, KEYS, RANDOMKEY and DBSIZE.
#include <map>
#include <set>

#include "server/command.h"
#include "storage/base/slot.h"
#include "tests/commands/command_fixture.h"

namespace syntropy {
namespace {

using ::testing::UnorderedElementsAre;

/// The bulks of a flat array, or of the array within SCAN's reply.
std::vector<std::string> bulks(std::string_view reply) {
  std::vector<std::string> found;
  while (!reply.empty()) {
    const size_t line = reply.find("\r\n");
    if (reply.front() != '$') {
      reply.remove_prefix(line + 2);
      continue;
    }
    const size_t size = std::stoul(std::string(reply.substr(1, line - 1)));
    found.emplace_back(reply.substr(line + 2, size));
    reply.remove_prefix(line + 2 + size + 2);
  }
  return found;
}

class ScanTest : public CommandFixture {
 protected:
  struct Page {
    std::string cursor;
    std::vector<std::string> keys;
  };

  Page scan(const std::string& cursor, const std::string& options = "") {
    const std::string reply = run("SCAN " + cursor + " " + options);
    EXPECT_TRUE(reply.starts_with("*2\r\n$")) << reply;
    Page page{"0", bulks(reply)};
    page.cursor = page.keys.at(0);
    page.keys.erase(page.keys.begin());
    return page;
  }

  /// How often each key was returned by a scan from 0 to 0. `between` runs after each page.
  std::map<std::string, int> scan_all(
      const std::string& options = "", const std::function<void()>& between = [] {}) {
    std::map<std::string, int> found;
    std::string cursor = "0";
    do {
      Page page = scan(cursor, options);
      for (const std::string& key : page.keys) ++found[key];
      cursor = page.cursor;
      between();
    } while (cursor != "0");
    return found;
  }

  void fill(int count, const std::string& prefix = "key:") {
    for (int i = 0; i < count; ++i) run_args({"SET", prefix + std::to_string(i), "v"});
  }
};

// --- SCAN ----------------------------------------------------------------------------------------

TEST_F(ScanTest, AnEmptyDatabaseEndsAtOnce) {
  EXPECT_EQ(run("SCAN 0"), array({bulk("0"), array({})}));
}

TEST_F(ScanTest, ReturnsEveryKeyOnceWhenNothingChanges) {
  fill(1000);
  for (const char* options : {"", "COUNT 1", "COUNT 7", "COUNT 5000"}) {
    const auto found = scan_all(options);
    EXPECT_EQ(found.size(), 1000u) << options;
    for (const auto& [key, times] : found) EXPECT_EQ(times, 1) << key;
  }
}

TEST_F(ScanTest, ReturnsAboutCountKeysAPage) {
  fill(100);
  EXPECT_EQ(scan("0").keys.size(), 10u);
  EXPECT_EQ(scan("0", "COUNT 25").keys.size(), 25u);
  EXPECT_EQ(scan("0", "COUNT 9223372036854775807").keys.size(), 100u);
}

TEST_F(ScanTest, KeysThatStayAreReturnedWhateverElseChanges) {
  fill(300, "stay:");
  int round = 0;
  const auto found = scan_all("COUNT 3", [&] {
    ++round;
    const std::string number = std::to_string(round);
    run("SET new:" + number + " 1");
    run("DEL new:" + std::to_string(round - 5));
    run("SET stay:" + std::to_string(round % 300) + " changed");
  });
  size_t stayed = 0;
  for (const auto& [key, times] : found) stayed += key.starts_with("stay:");
  EXPECT_EQ(stayed, 300u);
}

TEST_F(ScanTest, KeysOfOneSlotAreWalkedInSteps) {
  for (int i = 0; i < 200; ++i) run("SET {tag}" + std::to_string(i) + " 1");
  EXPECT_EQ(scan("0", "COUNT 10").keys.size(), 10u);
  EXPECT_EQ(scan_all("COUNT 10").size(), 200u);
}

TEST_F(ScanTest, OtherDatabasesAreLeftOut) {
  fill(50);
  client_.db = 3;
  fill(20, "other:");
  EXPECT_EQ(scan_all().size(), 20u);
  client_.db = 9;
  EXPECT_EQ(scan_all().size(), 0u);
}

TEST_F(ScanTest, DeletedAndExpiredKeysAreLeftOut) {
  fill(40);
  for (int i = 0; i < 40; i += 2) run("DEL key:" + std::to_string(i));
  run("PEXPIRE key:1 10");
  advance_ms(10);
  EXPECT_EQ(scan_all("COUNT 3").size(), 19u);
}

TEST_F(ScanTest, MatchAndTypeFilter) {
  run("MSET apple 1 apricot 2 banana 3");
  put_hash("avocado");
  EXPECT_EQ(scan_all("MATCH ap*").size(), 2u);
  EXPECT_EQ(scan_all("MATCH *").size(), 4u);
  EXPECT_EQ(scan_all("MATCH nosuch").size(), 0u);
  EXPECT_EQ(scan_all("TYPE string").size(), 3u);
  EXPECT_EQ(scan_all("type HASH").size(), 1u);
  EXPECT_EQ(scan_all("TYPE nosuch").size(), 0u);
  EXPECT_EQ(scan_all("MATCH a* TYPE hash COUNT 1").size(), 1u);
  EXPECT_EQ(scan_all("MATCH ap* MATCH b*").size(), 1u);  // the last one counts
}

TEST_F(ScanTest, AnyNumberIsAValidCursor) {
  fill(100);
  for (const char* cursor :
       {"1", "17", "4294967295", "4294967296", "70368744177663", "70368744177664",
        "9223372036854775807", "18446744073709551615", "-1", "+5", "''"}) {
    const std::string reply = run(std::string("SCAN ") + cursor);
    EXPECT_TRUE(reply.starts_with("*2\r\n")) << cursor << reply;
  }
  EXPECT_EQ(run("SCAN 70368744177664"), array({bulk("0"), array({})}));  // behind the last slot
  EXPECT_EQ(run("SCAN -1"), array({bulk("0"), array({})}));
  EXPECT_EQ(scan("''").keys, scan("0").keys);
}

TEST_F(ScanTest, OtherTextsAreNot) {
  for (const char* cursor :
       {"x", "0x", "1.5", "' 0'", "'0 '", "-", "18446744073709551616", "--1"}) {
    EXPECT_EQ(run(std::string("SCAN ") + cursor), error("ERR invalid cursor")) << cursor;
  }
}

TEST_F(ScanTest, TheCursorIsCheckedBeforeTheOptions) {
  EXPECT_EQ(run("SCAN x foo"), error("ERR invalid cursor"));
  EXPECT_EQ(run("SCAN 0 foo bar"), error(kSyntaxError));
  EXPECT_EQ(run("SCAN 0 COUNT"), error(kSyntaxError));
  EXPECT_EQ(run("SCAN 0 MATCH"), error(kSyntaxError));
  EXPECT_EQ(run("SCAN 0 TYPE"), error(kSyntaxError));
  EXPECT_EQ(run("SCAN 0 COUNT 0"), error(kSyntaxError));
  EXPECT_EQ(run("SCAN 0 COUNT -1"), error(kSyntaxError));
  EXPECT_EQ(run("SCAN 0 COUNT x"), error(kNotInteger));
  EXPECT_EQ(run("SCAN 0 COUNT 9223372036854775808"), error(kNotInteger));
}

// --- KEYS ----------------------------------------------------------------------------------------

TEST_F(ScanTest, KeysMatchesItsPattern) {
  EXPECT_EQ(run("KEYS *"), array({}));
  run("MSET foo 1 fob 2 bar 3");
  EXPECT_THAT(bulks(run("KEYS *")), UnorderedElementsAre("foo", "fob", "bar"));
  EXPECT_THAT(bulks(run("KEYS fo?")), UnorderedElementsAre("foo", "fob"));
  EXPECT_THAT(bulks(run("KEYS fo[a-c]")), UnorderedElementsAre("fob"));
  EXPECT_EQ(run("KEYS nosuch"), array({}));
  EXPECT_EQ(run("KEYS"), error("ERR wrong number of arguments for 'keys' command"));
}

TEST_F(ScanTest, KeysMayHoldAnyBytes) {
  const std::string key("a\r\n\0\xff*", 6);
  run_args({"SET", key, "1"});
  EXPECT_THAT(bulks(run("KEYS *")), UnorderedElementsAre(key));
}

// --- RANDOMKEY -----------------------------------------------------------------------------------

TEST_F(ScanTest, RandomkeyIsNullOnlyWhenThereIsNoKey) {
  EXPECT_EQ(run("RANDOMKEY"), kNull);
  run("SET only 1");
  for (int i = 0; i < 50; ++i) EXPECT_EQ(run("RANDOMKEY"), bulk("only"));
  run("PEXPIRE only 10");
  advance_ms(10);
  EXPECT_EQ(run("RANDOMKEY"), kNull);
  client_.protocol = 3;
  EXPECT_EQ(run("RANDOMKEY"), "_\r\n");
}

TEST_F(ScanTest, RandomkeyReachesEveryKey) {
  // 20 keys and 3000 draws: a key that has an even chance is missed with probability 1e-67.
  for (const std::string prefix : {"key:", "{tag}:"}) {
    run("FLUSHALL");
    fill(20, prefix);
    std::set<std::string> seen;
    for (int i = 0; i < 3000; ++i) seen.insert(bulks(run("RANDOMKEY")).at(0));
    EXPECT_EQ(seen.size(), 20u) << prefix;
  }
}

// --- DBSIZE --------------------------------------------------------------------------------------

TEST_F(ScanTest, DbsizeIsExact) {
  EXPECT_EQ(run("DBSIZE"), integer(0));
  fill(10);
  EXPECT_EQ(run("DBSIZE"), integer(10));
  run("SET key:1 again");
  run("DEL key:2 key:3");
  EXPECT_EQ(run("DBSIZE"), integer(8));
  client_.db = 1;
  EXPECT_EQ(run("DBSIZE"), integer(0));
}

TEST_F(ScanTest, DbsizeLeavesOutWhatExpiredInBatchesOfAnySize) {
  fill(10);
  for (int i = 0; i < 2500; ++i) run("SET short:" + std::to_string(i) + " 1 PX 100");
  EXPECT_EQ(run("DBSIZE"), integer(2510));
  advance_ms(99);
  EXPECT_EQ(run("DBSIZE"), integer(2510));
  advance_ms(1);
  EXPECT_EQ(run("DBSIZE"), integer(10));
}

TEST_F(ScanTest, DbsizeWithinATransactionDrainsWithoutCommitting) {
  run("SET a 1");
  run("SET b 1 PX 10");
  advance_ms(10);
  client_.in_transaction = true;
  EXPECT_EQ(run("DBSIZE"), integer(1));
  client_.in_transaction = false;
  EXPECT_EQ(run("DBSIZE"), integer(1));
}

}  // namespace
}  // namespace syntropy
