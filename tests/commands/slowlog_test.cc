// SLOWLOG. Expected replies are those of redis-server 7.0.15.

#include "tests/commands/command_fixture.h"

namespace syntropy {
namespace {

class SlowlogTest : public CommandFixture {
 protected:
  void enter(uint64_t micros) {
    const std::vector<std::string_view> args = {"get", "a"};
    server().slowlog.add(args, micros, 1'700'000'000, "127.0.0.1:9", "me");
  }
  static std::string entry(int id, int micros) {
    return "*6\r\n" + integer(id) + integer(1'700'000'000) + integer(micros) +
           array({bulk("get"), bulk("a")}) + bulk("127.0.0.1:9") + bulk("me");
  }
};

TEST_F(SlowlogTest, GetAnswersNewestFirst) {
  EXPECT_EQ(run("SLOWLOG GET"), array({}));
  enter(11'000);
  enter(12'000);
  EXPECT_EQ(run("SLOWLOG GET"), array({entry(1, 12'000), entry(0, 11'000)}));
  EXPECT_EQ(run("SLOWLOG GET 1"), array({entry(1, 12'000)}));
  EXPECT_EQ(run("SLOWLOG GET 0"), array({}));
}

TEST_F(SlowlogTest, GetAnswersTenUnlessToldOtherwise) {
  for (int i = 0; i < 12; ++i) enter(10'000);
  EXPECT_THAT(run("SLOWLOG GET"), ::testing::StartsWith("*10\r\n"));
  EXPECT_THAT(run("SLOWLOG GET -1"), ::testing::StartsWith("*12\r\n"));
  EXPECT_EQ(run("SLOWLOG LEN"), integer(12));
}

TEST_F(SlowlogTest, GetRefusesBadCounts) {
  const std::string bad = error("ERR count should be greater than or equal to -1");
  EXPECT_EQ(run("SLOWLOG GET x"), bad);
  EXPECT_EQ(run("SLOWLOG GET -2"), bad);
  EXPECT_EQ(run("SLOWLOG GET 99999999999999999999"), bad);
  EXPECT_EQ(run("SLOWLOG GET 1 2"), error("ERR unknown subcommand or wrong number of arguments for "
                                          "'GET'. Try SLOWLOG HELP."));
}

TEST_F(SlowlogTest, ResetEmptiesTheLog) {
  enter(10'000);
  EXPECT_EQ(run("SLOWLOG RESET"), kOk);
  EXPECT_EQ(run("SLOWLOG LEN"), integer(0));
  enter(10'000);
  EXPECT_EQ(run("SLOWLOG GET"), array({entry(1, 10'000)}));
}

}  // namespace
}  // namespace syntropy
