// Session: one client's conversation, without its socket. Bytes in, commands executed in the
// current tick, bytes out.
//
// A session stops in the midst of a pipeline when its next command has to wait: for a row that is
// being fetched from the disk, for a worker thread, for replicas, or for the end of a pause. It is
// *parked* until its I/O thread resumes it; others go on meanwhile. A command that waits for a
// fetch or a pause stays in the input and is executed anew; nothing of its first try is kept.
//
// Thread safety: belongs to one I/O thread. While it waits for a worker, the worker may use client.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/client.h"
#include "server/proxy/proxy_plan.h"
#include "server/resp/parser.h"

namespace syntropy {

class Dispatcher;
class Tick;
struct Turn;

class Session {
 public:
  /// A session of `client`, which must be authenticated already if it needs no password.
  Session(std::shared_ptr<Client> client, const RequestLimits& limits);

  enum class Wait {
    kNone,
    kFetch,   // rows are being read from disk: misses() says which
    kWorker,  // a worker executes worker_args()
    kPause,
    kReplicas,  // client().replica_wait says for how many
    kForward,   // other nodes execute what take_forwards() gives
  };

  /// Tells the tick which rows the first commands of `fresh` are about (Tick::warm()).
  void warm(std::string_view fresh, Tick& tick);

  /// Executes commands until the input is used up, the session has to wait, the turn is spent or
  /// the connection must close. `fresh` are bytes just received; what is left of them is kept.
  void run(std::string_view fresh, Dispatcher& dispatcher, Turn& turn);

  /// The wait is over: run() goes on with the command that waited, or with the one after it.
  void resume() { wait_ = Wait::kNone; }
  Wait wait() const { return wait_; }
  const std::vector<std::string>& misses() const { return misses_; }
  const std::vector<std::string>& worker_args() const { return worker_args_; }

  /// Requests that are for other nodes, and what was answered behind the first of them, which must
  /// not leave before.
  struct Forwards {
    struct Request {
      size_t at;  // in `behind`: where its reply belongs
      ProxyPlan plan;
      bool silent;                       // its reply isn't wanted
      std::vector<std::string> watched;  // if it is WATCH: the keys
      std::string reply = {};
    };
    std::vector<Request> requests;
    std::string behind;
  };
  Forwards take_forwards();
  /// Bytes of output() that may leave: what was answered behind a request that is for another node
  /// waits for that one's reply.
  size_t sendable() const { return forwards_.empty() ? output_.size() : forwards_.front().at; }
  /// All have their replies.
  void take_in(const Forwards& forwards);

  /// True when run() left commands in the input only because the turn was spent.
  bool has_more() const { return has_more_; }
  /// Bytes of input held: an incomplete command, or commands behind one that waits.
  size_t input_bytes() const { return input_.size() + parser_.memory_usage(); }
  /// At least so many more bytes must come for the next command.
  uint64_t bytes_needed() const { return parser_.bytes_needed(); }

  /// Replies for the socket. The I/O thread removes what the kernel took.
  std::string& output() { return output_; }
  Client& client() { return *client_; }
  const std::shared_ptr<Client>& shared_client() const { return client_; }
  void set_limits(const RequestLimits& limits) { parser_.set_limits(limits); }

  /// Replaces the replies [begin, end) of a command whose write did not last by an error.
  struct Span {
    size_t begin;
    size_t end;
  };
  void replace_replies(const std::vector<Span>& spans, std::string_view error);

 private:
  friend class Dispatcher;

  void keep(std::string_view view, bool is_input, size_t used);
  void look_ahead(std::string_view view, const Dispatcher& dispatcher, Turn& turn);

  std::shared_ptr<Client> client_;
  RequestParser parser_;
  std::string input_;   // not yet executed
  std::string output_;  // not yet taken by the kernel
  std::vector<std::string_view> args_;

  Wait wait_ = Wait::kNone;
  bool has_more_ = false;
  int fetches_ = 0;                 // in a row for the same command
  uint64_t unserved_since_ms_ = 0;  // the command at hand has waited for an owner; 0: it hasn't
  std::vector<std::string> misses_;
  std::vector<std::string> worker_args_;
  std::vector<Forwards::Request> forwards_;  // `at` in output_
  bool forwards_elsewhere_ = true;           // each of them is for a slot of another node, alone
};

}  // namespace syntropy
