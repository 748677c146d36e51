// LCS as redis-server 7.0.15 answers it.
#include "tests/commands/command_fixture.h"

namespace syntropy {
namespace {

class LcsTest : public CommandFixture {
 protected:
  LcsTest() { run("MSET a ohmytext b mynewtext"); }

  static std::string range(int first, int last) { return array({integer(first), integer(last)}); }
  static std::string indexes(const std::vector<std::string>& matches, int length) {
    return array({bulk("matches"), array(matches), bulk("len"), integer(length)});
  }
};

TEST_F(LcsTest, SubsequenceAndLength) {
  EXPECT_EQ(run("LCS a b"), bulk("mytext"));
  EXPECT_EQ(run("LCS a b LEN"), integer(6));
  EXPECT_EQ(run("LCS a absent"), bulk(""));
  EXPECT_EQ(run("LCS absent absent len"), integer(0));
  EXPECT_EQ(run("LCS a a"), bulk("ohmytext"));
}

TEST_F(LcsTest, Indexes) {
  const std::string text = array({range(4, 7), range(5, 8)});
  const std::string my = array({range(2, 3), range(0, 1)});
  EXPECT_EQ(run("LCS a b IDX"), indexes({text, my}, 6));
  EXPECT_EQ(run("LCS a b idx minmatchlen 4"), indexes({text}, 6));
  EXPECT_EQ(run("LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN"),
            indexes({array({range(4, 7), range(5, 8), integer(4)})}, 6));
  EXPECT_EQ(run("LCS a b IDX MINMATCHLEN -3"), indexes({text, my}, 6));
  EXPECT_EQ(run("LCS a b IDX MINMATCHLEN 5"), indexes({}, 6));
  EXPECT_EQ(run("LCS a absent IDX"), indexes({}, 0));
}

TEST_F(LcsTest, IndexesAreAMapInResp3) {
  client_.protocol = 3;
  EXPECT_EQ(run("LCS a b IDX MINMATCHLEN 5"),
            "%2\r\n" + bulk("matches") + "*0\r\n" + bulk("len") + integer(6));
}

TEST_F(LcsTest, AmongEquallyLongOnesGivesThatOfRedis) {
  run("MSET a abcbdab b bdcaba");
  EXPECT_EQ(run("LCS a b"), bulk("bdab"));
  EXPECT_EQ(run("LCS b a"), bulk("bcba"));
  run("MSET a ab b ba");
  EXPECT_EQ(run("LCS a b"), bulk("b"));
  EXPECT_EQ(run("LCS a b IDX"), indexes({array({range(1, 1), range(0, 0)})}, 1));
}

TEST_F(LcsTest, BytesAreBytes) {
  run_args({"SET", "a", std::string("\0\xff\0", 3)});
  run_args({"SET", "b", std::string("\0\0", 2)});
  EXPECT_EQ(run("LCS a b"), bulk(std::string("\0\0", 2)));
  run("INCRBY n 1234");
  run("SET m 24");
  EXPECT_EQ(run("LCS n m"), bulk("24"));
}

TEST_F(LcsTest, Errors) {
  EXPECT_EQ(run("LCS a b FOO"), error("ERR syntax error"));
  EXPECT_EQ(run("LCS a b IDX MINMATCHLEN"), error("ERR syntax error"));
  EXPECT_EQ(run("LCS a b MINMATCHLEN x"), error("ERR value is not an integer or out of range"));
  EXPECT_EQ(run("LCS a b IDX LEN"),
            error("ERR If you want both the length and indexes, please just use IDX."));
  put_hash("h");
  EXPECT_EQ(run("LCS a h FOO"), error("ERR The specified keys must contain string values"));
  EXPECT_EQ(run("LCS h absent"), error("ERR The specified keys must contain string values"));
}

TEST_F(LcsTest, RefusesATableBeyondTheBound) {
  set_config("proto-max-bulk-len", "1mb");
  run_args({"SET", "a", std::string(511, 'x')});
  run_args({"SET", "b", std::string(511, 'x')});
  EXPECT_EQ(run("LCS a b LEN"), integer(511));
  run("APPEND a x");
  EXPECT_EQ(run("LCS a b LEN"),
            error("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"));
}

}  // namespace
}  // namespace syntropy
