#include "server/proxy/reply_scanner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace syntropy {
namespace {

using ::testing::ElementsAre;

const std::vector<std::string> kReplies = {
    "+OK\r\n",
    "-ERR no\r\n",
    ":-12\r\n",
    "$-1\r\n",
    "$0\r\n\r\n",
    "$8\r\na\r\nb\r\ncd\r\n",
    "*-1\r\n",
    "*0\r\n",
    "*2\r\n$1\r\na\r\n*2\r\n:1\r\n*0\r\n",
    "_\r\n",
    "#t\r\n",
    ",1.5\r\n",
    "(123\r\n",
    "=7\r\ntxt:abc\r\n",
    "!3\r\nERR\r\n",
    "%1\r\n+a\r\n*1\r\n:1\r\n",
    "~1\r\n+a\r\n",
    ">2\r\n+a\r\n+b\r\n",
    "|1\r\n+key\r\n:1\r\n*1\r\n+value\r\n",
};

TEST(ReplyScanner, FindsEveryReplyInAStreamHoweverItIsCut) {
  std::string stream;
  for (const std::string& reply : kReplies) stream += reply;
  for (size_t piece = 1; piece <= stream.size(); ++piece) {
    ReplyScanner scanner;
    std::vector<std::string> found;
    std::string buffer;
    for (size_t at = 0; at < stream.size(); at += piece) {
      buffer += stream.substr(at, piece);
      while (true) {
        const Result<size_t> size = scanner.scan(buffer);
        ASSERT_TRUE(size.ok()) << size.status().message();
        if (*size == 0) break;
        found.push_back(buffer.substr(0, *size));
        buffer.erase(0, *size);
      }
    }
    ASSERT_EQ(found, kReplies) << "in pieces of " << piece;
  }
}

TEST(ReplyScanner, RefusesWhatIsNoReply) {
  for (const std::string& bytes :
       {std::string("hello\r\n"), std::string("\r\n"), std::string("$x\r\n"),
        std::string("*-2\r\n"), std::string("$9999999999999999999\r\n"), std::string(100'000, '+'),
        std::string("*99999999999\r\n")}) {
    EXPECT_TRUE(ReplyScanner().scan(bytes).status().is(StatusCode::kCorruption)) << bytes;
  }
}

TEST(ReplyScanner, TakesArraysApart) {
  EXPECT_THAT(*elements_of("*2\r\n$1\r\na\r\n*1\r\n:1\r\n"),
              ElementsAre("$1\r\na\r\n", "*1\r\n:1\r\n"));
  EXPECT_FALSE(elements_of(":1\r\n"));
  EXPECT_FALSE(elements_of("*-1\r\n"));
  EXPECT_FALSE(elements_of("*2\r\n:1\r\n"));
  EXPECT_EQ(bulk_of("$3\r\nabc\r\n"), "abc");
  EXPECT_FALSE(bulk_of("$-1\r\n"));
  EXPECT_FALSE(bulk_of("+abc\r\n"));
}

}  // namespace
}  // namespace syntropy
