// Redis' replication protocol from the replica's side: what is said, what comes of it, cut into
// pieces of every size; and what a server that isn't one, or is broken, leads to.
#include "server/migration/redis_upstream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/resp/rdb_string.h"
#include "storage/base/coding.h"

namespace syntropy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Event = RedisUpstream::Event;

const std::string kId(40, 'a');
const std::string kOtherId(40, 'b');
const std::string kMark(40, 'm');
constexpr std::string_view kPing = "*1\r\n$4\r\nPING\r\n";

std::string request(const std::vector<std::string>& args) {
  std::string text = "*" + std::to_string(args.size()) + "\r\n";
  for (const std::string& arg : args) {
    text += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
  }
  return text;
}

/// A dump with the string k=v, and a list if it is to have one.
std::string dump(bool with_list = false) {
  std::string file = "REDIS0010";
  file += std::string("\x00\x01k\x01v", 5);
  if (with_list) file += std::string("\x01\x01l\x01\x01x", 6);
  file += "\xFF";
  put_fixed64_le(&file, rdb_crc64(file));
  return file;
}

/// The other side: says what it was told to, and keeps what it hears.
class Conversation {
 public:
  explicit Conversation(const RedisUpstream::Place& from = {}, const std::string& password = {})
      : upstream_({.user = {}, .password = password, .port = 7379}, from) {
    hear();
  }

  /// Says it in pieces of that size; what came of it is in events.
  void say(std::string_view bytes, size_t piece = SIZE_MAX) {
    while (!bytes.empty()) {
      upstream_.feed(bytes.substr(0, piece));
      bytes.remove_prefix(std::min(piece, bytes.size()));
      take();
      hear();
    }
  }
  /// Greetings up to PSYNC.
  void greet() { say("+PONG\r\n+OK\r\n-ERR unknown option\r\n"); }

  RedisUpstream& upstream() { return upstream_; }
  std::vector<std::string> events;
  std::string heard;

 private:
  void hear() { heard += upstream_.take_output(); }
  void take() {
    while (true) {
      const Result<Event> event = upstream_.next();
      if (!event.ok()) {
        events.push_back("error: " + std::string(event.status().message()));
        return;
      }
      switch (*event) {
        case Event::kMore:
          return;
        case Event::kCopyBegins:
          events.emplace_back("copy");
          break;
        case Event::kKey:
          events.push_back(upstream_.entry().key + "=" + upstream_.entry().value);
          break;
        case Event::kOther:
          events.push_back(upstream_.entry().type + " " + upstream_.entry().key);
          break;
        case Event::kCopyEnds:
          events.emplace_back("copied");
          break;
        case Event::kContinues:
          events.emplace_back("continues");
          break;
        case Event::kCommand: {
          std::string line;
          for (const std::string_view arg : upstream_.command()) line.append(arg).append(" ");
          events.push_back(line + std::to_string(upstream_.place().offset));
          break;
        }
      }
    }
  }

  RedisUpstream upstream_;
};

TEST(RedisUpstream, GreetsAndAsksForEverything) {
  Conversation other;
  EXPECT_EQ(other.heard, kPing);
  other.greet();
  EXPECT_EQ(other.heard, std::string(kPing) + request({"REPLCONF", "listening-port", "7379"}) +
                             request({"REPLCONF", "capa", "eof", "capa", "psync2"}) +
                             request({"PSYNC", "?", "-1"}));
}

TEST(RedisUpstream, AuthenticatesFirst) {
  Conversation other({}, "secret");
  EXPECT_EQ(other.heard, request({"AUTH", "secret"}));
  other.say("-WRONGPASS invalid\r\n");
  EXPECT_THAT(other.events, ElementsAre("error: it answered: WRONGPASS invalid"));
}

TEST(RedisUpstream, ADumpAndCommandsInPiecesOfEverySize) {
  const std::string set = request({"SET", "a", "1"});
  const std::string del = request({"DEL", "a"});
  const std::string marked =
      "\n\n+FULLRESYNC " + kId + " 100\r\n\n$EOF:" + kMark + "\r\n" + dump(true) + kMark;
  const std::string sized =
      "+FULLRESYNC " + kId + " 100\r\n$" + std::to_string(dump(true).size()) + "\r\n" + dump(true);
  for (const std::string& copy : {marked, sized}) {
    for (size_t piece = 1; piece <= copy.size(); ++piece) {
      Conversation other;
      other.greet();
      other.say(copy + set + del, piece);
      ASSERT_THAT(other.events,
                  ElementsAre("copy", "k=v", "list l", "copied",
                              "SET a 1 " + std::to_string(100 + set.size()),
                              "DEL a " + std::to_string(100 + set.size() + del.size())))
          << "in pieces of " << piece;
    }
  }
}

TEST(RedisUpstream, GoesOnWhereItWas) {
  Conversation other({kId, 500});
  other.greet();
  EXPECT_THAT(other.heard, HasSubstr(request({"PSYNC", kId, "501"})));
  other.say("+CONTINUE " + kOtherId + "\r\n" + std::string(kPing));
  EXPECT_THAT(other.events, ElementsAre("continues", "PING 514"));
  EXPECT_EQ(other.upstream().place().id, kOtherId);
  other.heard.clear();
  other.upstream().acknowledge(514);
  other.say("\r\n");
  EXPECT_EQ(other.heard, request({"REPLCONF", "ACK", "514"}));
}

TEST(RedisUpstream, IsSilentWhileItWaitsForADump) {
  Conversation other;
  other.greet();
  other.say("+FULLRESYNC " + kId + " 100\r\n");
  other.heard.clear();
  other.upstream().acknowledge(100);
  other.say("\n");
  EXPECT_EQ(other.heard, "");
}

TEST(RedisUpstream, WhatIsNoRedisServerIsSaid) {
  const auto said = [](std::string_view bytes) {
    Conversation other;
    other.greet();
    other.say(bytes);
    return other.events.empty() ? std::string() : other.events.back();
  };
  EXPECT_THAT(said("-NOMASTERLINK Can't SYNC\r\n"), HasSubstr("NOMASTERLINK"));
  EXPECT_THAT(said("HTTP/1.1 400\r\n"), HasSubstr("that isn't a redis-server"));
  EXPECT_THAT(said("+CONTINUE\r\n"), HasSubstr("that isn't a redis-server"));
  EXPECT_THAT(said("+FULLRESYNC short 1\r\n"), HasSubstr("that isn't a redis-server"));
  EXPECT_THAT(said("+FULLRESYNC " + kId + " x\r\n"), HasSubstr("that isn't a redis-server"));
  EXPECT_THAT(said("+FULLRESYNC " + kId + " 1\r\n$x\r\n"), HasSubstr("isn't a redis-server"));
  EXPECT_THAT(said("+FULLRESYNC " + kId + " 1\r\n$EOF:m\r\n"), HasSubstr("isn't a redis-server"));
  EXPECT_THAT(said(std::string(100'000, 'x')), HasSubstr("that isn't a redis-server"));
  const std::string begin = "+FULLRESYNC " + kId + " 1\r\n";
  EXPECT_THAT(said(begin + "$7\r\n" + dump()), HasSubstr("bytes instead of 7"));
  EXPECT_THAT(said(begin + "$EOF:" + kMark + "\r\n" + dump() + std::string(40, 'x')),
              HasSubstr("mark that it announced"));
  EXPECT_THAT(said(begin + "$9\r\nnot a dump"), HasSubstr("error"));
  EXPECT_THAT(said(begin + "$" + std::to_string(dump().size()) + "\r\n" + dump() + "*1\r\nx\r\n"),
              HasSubstr("its stream of commands"));
}

}  // namespace
}  // namespace syntropy
