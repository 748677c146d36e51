// RedisUpstream: the replica's side of Redis' replication protocol, by which a node follows a
// redis-server until its clients are cut over.
//
//   here                                      redis-server
//   [AUTH], PING, REPLCONF ..., each ------>
//           <------------------------------   a line each
//   PSYNC <id> <offset> ------------------>
//           <------------------------------   +FULLRESYNC <id> <offset>, and a dump (rdb_reader.h)
//           <------------------------------   or +CONTINUE [<id>]
//           <------------------------------   commands, as clients send them ...
//   REPLCONF ACK <offset> ---------------->   once in a while
//
//   dump := "$" length CRLF bytes / "$EOF:" mark CRLF bytes mark        mark: 40 bytes
//
// Bytes in, events out; what it holds is one command, or one key of the dump.
//
// Thread safety: none.
// Source: Redis' documentation of replication, and redis-server 7.0.15.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/resp/parser.h"
#include "server/resp/rdb_reader.h"
#include "storage/base/status.h"

namespace syntropy {

class RedisUpstream {
 public:
  struct Options {
    std::string user;                  // empty: "default"
    std::string password;              // empty: AUTH isn't sent
    uint16_t port = 0;                 // this node's, for the other's INFO
    uint64_t most_bytes = 512u << 20;  // of a key, a value or an argument
  };
  /// Where this node is in the other's stream of commands.
  struct Place {
    std::string id;  // of the history, 40 hex digits; empty: nowhere
    uint64_t offset = 0;
  };
  enum class Event : uint8_t {
    kMore,        // feed() it more
    kCopyBegins,  // what this node holds isn't part of that history: a dump comes
    kKey,         // of the dump, a string: entry()
    kOther,       // of the dump, what isn't: entry().type
    kCopyEnds,    // the dump is whole
    kContinues,   // commands from place() on
    kCommand,     // command()
  };

  /// `from`: where it goes on, if the other still can.
  RedisUpstream(const Options& options, const Place& from);

  /// What is to be sent now.
  std::string take_output() { return std::exchange(output_, {}); }
  void feed(std::string_view bytes) { input_.append(bytes); }
  /// kUnavailable: the other refuses, for now or for good, with its words; kCorruption: that isn't
  /// the protocol; else as RdbReader. After an error there is nothing more.
  Result<Event> next();

  /// Of the event that next() gave last.
  const RdbReader::Entry& entry() const { return dump_->entry(); }
  std::span<const std::string_view> command() const { return args_; }

  /// Behind the command that next() gave last.
  const Place& place() const { return place_; }
  /// Tells the other that all up to there is applied. Nothing before commands come: who waits for
  /// a dump must be silent, or the other goes on waiting for more who want one.
  void acknowledge(uint64_t offset);

 private:
  enum class State : uint8_t { kGreeting, kPsync, kSize, kDump, kMark, kStream };

  std::optional<std::string> take_line();
  void send(std::initializer_list<std::string_view> args);
  void greet();
  Result<Event> hear_greeting(std::string_view line);
  Result<Event> hear_psync(std::string_view line);
  Result<Event> hear_size(std::string_view line);
  Result<Event> read_dump();
  Result<Event> end_dump();
  Result<Event> read_command();
  Result<Event> fail(Status status);

  const Options options_;
  Place place_;
  State state_ = State::kGreeting;
  Status failed_;
  std::string output_;
  std::string input_;
  size_t used_ = 0;  // of input_, by the command that was given last

  std::deque<std::vector<std::string>> greetings_;  // still to be sent
  bool may_refuse_ = false;  // what was sent last is good to have, and no more
  std::optional<RdbReader> dump_;
  std::string mark_;                    // behind the dump
  std::optional<uint64_t> dump_bytes_;  // unset: it has a mark
  RequestParser parser_;
  std::vector<std::string_view> args_;
};

}  // namespace syntropy
