// Dispatcher: from a request to its reply. Finds the command, checks what Redis checks before it
// runs one (arity, authentication, transactions, pauses, a failed disk), runs it in the tick of the
// calling thread, and accounts for it.
//
// Thread safety: one per thread; all share the ServerContext.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/cluster/routing.h"
#include "server/command.h"
#include "server/config/config.h"
#include "server/context.h"
#include "server/session.h"
#include "server/stats.h"

namespace syntropy {

class RequestKeys;

/// A thread's turn: the tick that it is executing, and what it has to remember until the commit.
struct Turn {
  using Clock = std::chrono::steady_clock;

  Tick& tick;
  ThreadStats& stats;
  const Config& config;
  uint64_t now_ms = 0;     // wall time of the turn
  Clock::time_point last;  // end of the last command executed
  uint32_t commands_left = 0;

  /// Replies that depend on the commit, by session, in the order of their output.
  struct Dependent {
    Session* session;
    Session::Span span;
  };
  std::vector<Dependent> dependents;

  /// What the turn knows of the cluster; null until it is asked, and outside of cluster mode.
  std::shared_ptr<const Routing> routing = nullptr;

  /// Time to commit: enough was executed or written.
  bool spent() const { return commands_left == 0 || tick.pending_bytes() > kMaxPendingBytes; }

  static constexpr uint32_t kMaxCommands = 4096;
  static constexpr size_t kMaxPendingBytes = size_t{4} << 20;
};

class Dispatcher {
 public:
  explicit Dispatcher(ServerContext& server) : server_(server) {}

  /// Executes one request on the I/O thread. What the session has to wait for, if anything.
  Session::Wait execute(Session& session, std::span<const std::string_view> args, Turn& turn);

  /// Executes the request of a session that waits for a worker, on the worker's thread; returns
  /// the reply. Commits what it wrote.
  std::string execute_on_worker(Client& client, const std::vector<std::string>& args, Turn& turn);

  /// The reply to a WAIT: so many replicas hold what was written.
  static void reply_replicas(Session& session, uint64_t replicas);

  /// Looks for the rows that a request will need, so that the tick notes those that aren't in
  /// memory.
  void look_up_rows(const Client& client, std::span<const std::string_view> args, Tick& tick) const;
  /// Tells the tick which rows it will look up.
  static void warm_rows(const Client& client, std::span<const std::string_view> args, Tick& tick);

  /// Every reply that depends on a commit or sync that failed becomes an error.
  static void fail_dependents(std::vector<Turn::Dependent>& dependents, const Status& why);
  static void fail_dependents(std::vector<Turn::Dependent>& dependents, std::string_view error);

 private:
  struct Request {
    std::span<const std::string_view> args;
    const CommandSpec* spec = nullptr;  // of the subcommand, where there is one
    ReadTier tier = ReadTier::kMemory;
    bool redirected = false;                      // refused by the cluster's rules
    bool undecided = false;                       // they need rows that are the tick's misses()
    std::optional<uint16_t> slot = std::nullopt;  // of its keys, in a cluster
  };

  /// The error reply that refuses the request; empty: it may run, unless it is undecided.
  std::string refusal(const Client& client, Request& request, Turn& turn) const;
  /// Cluster mode (dispatcher_cluster.cc).
  std::string redirection(const Client& client, Request& request, Turn& turn) const;
  void look_up_moving(const Client& client, Request& request, RequestKeys* keys, Turn& turn) const;
  std::string replica_shortage(const Turn& turn) const;
  /// Of a node that follows a redis-server.
  std::string_view refusal_of_follower(const Client& client, const CommandSpec& spec) const;
  static bool may_join_transaction(const Client& client, const CommandSpec& spec);
  static bool asks_loop(const Client& client);
  bool must_queue(const Client& client, const CommandSpec& spec) const;
  bool writes(const Client& client, const CommandSpec& spec) const;
  bool is_light(const Client& client, const Request& request, const Turn& turn) const;
  void queue(Client& client, const Request& request) const;

  /// Forwards the request if it is for another node; nullopt: it isn't (dispatcher_proxy.cc).
  /// `even_here`: also if it is for this one, for whom it then comes back until it can be served.
  std::optional<Session::Wait> forward(Session& session, std::span<const std::string_view> args,
                                       bool even_here, Turn& turn);
  Session::Wait run(Session& session, const Request& request, Turn& turn);
  static Session::Wait wait_for_rows(Session& session, Turn& turn);
  void call(Client& client, const Request& request, ReplyWriter& reply, Turn& turn);
  void call_transaction(Client& client, const Request& exec, ReplyWriter& reply, Turn& turn);
  bool load_transaction(Client& client, Tick& tick) const;
  void account(Client& client, const Request& request, std::string_view reply, Turn& turn);
  void account_slot(const Request& request, size_t reply_bytes, std::chrono::nanoseconds elapsed,
                    Turn& turn);
  void reject(Client& client, const Request& request, std::string_view error, ReplyWriter& reply,
              Turn& turn);

  ServerContext& server_;
};

/// The text in which a failed commit or sync is reported; kUnavailable is a commit that was
/// refused.
std::string disk_error(const Status& why);

}  // namespace syntropy
