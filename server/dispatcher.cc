#include "server/dispatcher.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "server/cluster/redirect.h"
#include "server/commands/arguments.h"
#include "server/commands/pubsub.h"
#include "server/commands/table.h"
#include "server/commands/transactions.h"
#include "server/follower.h"
#include "server/latency.h"
#include "server/monitor.h"
#include "server/redaction.h"
#include "server/slowlog.h"
#include "storage/keyspace.h"

namespace syntropy {
namespace {

using std::chrono::steady_clock;

// After so many fetches in a row the rows of a command are evicted faster than it is executed:
// then it reads the disk itself.
constexpr int kMaxFetches = 3;
// How long a request for a slot that is just going waits to be told where.
constexpr uint64_t kMostHoldMs = 2000;
constexpr std::string_view kLoadingError = "LOADING Redis is loading the dataset in memory";
constexpr size_t kMaxShownBytes = 128;  // of the command and of the arguments in an error

// What an error quotes ends at a NUL, as in Redis.
std::string_view quotable(std::string_view text, size_t most) {
  return text.substr(0, std::min(most, text.find('\0')));
}

// A browser that was lured into sending a form to our port begins with these. Whatever follows is
// not for us: the connection is closed.
bool is_http(std::string_view name) {
  return equals_ignoring_case(name, "post") || equals_ignoring_case(name, "host:");
}

std::string unknown_command(std::span<const std::string_view> args) {
  std::string error = "ERR unknown command '";
  error.append(quotable(args[0], kMaxShownBytes)).append("', with args beginning with: ");
  size_t shown = 0;
  for (size_t i = 1; i < args.size() && shown < kMaxShownBytes; ++i) {
    const std::string_view part = quotable(args[i], kMaxShownBytes - shown);
    error.append("'").append(part).append("' ");
    shown += part.size() + 3;
  }
  return error;
}

std::string unknown_subcommand(std::string_view command, std::string_view subcommand) {
  std::string upper(command);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  std::string error = "ERR unknown subcommand '";
  error.append(quotable(subcommand, kMaxShownBytes)).append("'. Try ").append(upper);
  return error + " HELP.";
}

// Among the queued commands is one that may take expired keys out of the counts (DBSIZE), which
// needs the lock exclusively, though it writes nothing that a client could see.
bool drains(const Client& client) {
  return std::any_of(client.queue.begin(), client.queue.end(), [](const QueuedCommand& queued) {
    return (queued.spec->flags & kWorker) != 0;
  });
}

bool arity_fits(const CommandSpec& spec, size_t argc) {
  const auto count = static_cast<int>(std::min<size_t>(argc, INT32_MAX));
  return spec.arity >= 0 ? count == spec.arity : count >= -spec.arity;
}

}  // namespace

std::string disk_error(const Status& why) {
  // Not the disk: another node has taken this one's place meanwhile, or the node is ending.
  if (why.is(StatusCode::kUnavailable)) return "CLUSTERDOWN " + std::string(why.message());
  return "MISCONF Errors writing to disk: " + std::string(why.message()) +
         ". Writes are refused until the disk is well again; reads go on.";
}

std::string Dispatcher::refusal(const Client& client, Request& request, Turn& turn) const {
  const CommandSpec* spec = find_command(request.args[0]);
  if (spec == nullptr) return unknown_command(request.args);
  if (!spec->subcommands.empty() && request.args.size() > 1) {
    const CommandSpec* subcommand = find_subcommand(*spec, request.args[1]);
    if (subcommand == nullptr && spec->handler == nullptr) {
      return unknown_subcommand(spec->name, request.args[1]);
    }
    if (subcommand != nullptr) spec = subcommand;
  }
  request.spec = spec;
  if (spec->handler == nullptr || !arity_fits(*spec, request.args.size())) {
    return "ERR wrong number of arguments for '" + std::string(full_name(*spec)) + "' command";
  }
  if (!client.authenticated && (spec->flags & kNoAuth) == 0)
    return "NOAUTH Authentication required.";
  if (only_listens(client) && !allowed_while_listening(*spec)) {
    return "ERR Can't execute '" + std::string(full_name(*spec)) +
           "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
           "context";
  }
  if (client.in_multi && !may_join_transaction(client, *spec)) {
    return "ERR Command not allowed inside a transaction";
  }
  // What a client that knows no cluster queues is looked at with EXEC.
  const bool queues = client.proxied && client.in_multi && !is_exec(*spec);
  if (server_.cluster != nullptr && !queues) {
    std::string elsewhere = redirection(client, request, turn);
    request.redirected = !elsewhere.empty();
    if (request.redirected || request.undecided) return elsewhere;
  }
  if (server_.follower != nullptr) {
    const std::string_view refused = refusal_of_follower(client, *spec);
    if (!refused.empty()) return std::string(refused);
  }
  if (client.shared.monitor.load(std::memory_order_relaxed) &&
      (spec->flags & (kReadOnly | kWrite)) != 0) {
    return "ERR Replica can't interact with the keyspace";
  }
  if (writes(client, *spec)) {
    const Status health = server_.engine.health();
    if (!health.ok()) return disk_error(health);
    if (server_.cluster != nullptr) return replica_shortage(turn);
  }
  return {};
}

std::string_view Dispatcher::refusal_of_follower(const Client& client,
                                                 const CommandSpec& spec) const {
  const Follower::Mode mode = server_.follower->mode();
  if (mode == Follower::Mode::kNone) return {};
  if (writes(client, spec)) return "READONLY You can't write against a read only replica.";
  const bool copying = mode == Follower::Mode::kCopying;
  return copying && (spec.flags & kReadOnly) != 0 ? kLoadingError : std::string_view();
}

// What asks the loop may wait for it, and so not hold the lock that rows in a transaction need: it
// is in one only with its like. Nor can MIGRATE, which waits for another node.
bool Dispatcher::may_join_transaction(const Client& client, const CommandSpec& spec) {
  if ((spec.flags & (kNoMulti | kStaysWhereItMoves)) != 0) return false;
  if (runs_inside_multi(spec) || client.queue.empty()) return true;
  return asks_loop(client) == ((spec.flags & kAsksLoop) != 0);
}

bool Dispatcher::asks_loop(const Client& client) {
  return !client.queue.empty() && (client.queue.front().spec->flags & kAsksLoop) != 0;
}

bool Dispatcher::must_queue(const Client& client, const CommandSpec& spec) const {
  return client.in_multi && !runs_inside_multi(spec);
}

bool Dispatcher::writes(const Client& client, const CommandSpec& spec) const {
  if ((spec.flags & kWrite) != 0) return true;
  if (!is_exec(spec)) return false;
  return std::any_of(client.queue.begin(), client.queue.end(),
                     [](const QueuedCommand& queued) { return queued.spec->flags & kWrite; });
}

bool Dispatcher::is_light(const Client& client, const Request& request, const Turn& turn) const {
  return request.spec->is_light != nullptr && !turn.tick.holds_lock() &&
         request.spec->is_light(request.args, client, server_);
}

void Dispatcher::queue(Client& client, const Request& request) const {
  for (std::string_view argument : request.args) client.held_bytes += argument.size();
  client.held_bytes += sizeof(QueuedCommand) + request.args.size() * sizeof(std::string);
  client.queue.push_back({request.spec, {request.args.begin(), request.args.end()}});
  client.shared.queued.store(static_cast<int>(client.queue.size()), std::memory_order_relaxed);
}

Session::Wait Dispatcher::execute(Session& session, std::span<const std::string_view> args,
                                  Turn& turn) {
  Client& client = session.client();
  Request request{args};
  request.tier = session.fetches_ < kMaxFetches ? ReadTier::kMemory : ReadTier::kDisk;
  ReplyWriter reply(&session.output_, client.protocol);
  const size_t mark = reply.size();
  if (client.reply_mode == Client::ReplyMode::kSkipNext) {
    client.reply_mode = Client::ReplyMode::kSkipThis;
  }
  --turn.commands_left;
  if (is_http(args[0]) && find_command(args[0]) == nullptr) {
    spdlog::warn("closing client {}: it speaks HTTP, perhaps a browser that was misled",
                 client.address);
    client.close_after_reply = true;
    client.close_unanswered = true;
    return Session::Wait::kNone;
  }
  if (client.proxied && server_.proxy != nullptr) {
    if (const auto forwarded = forward(session, args, false, turn)) return *forwarded;
  }
  Session::Wait wait = Session::Wait::kNone;
  const std::string error = refusal(client, request, turn);
  if (request.redirected && is_on_its_way(error)) {
    if (session.unserved_since_ms_ == 0) session.unserved_since_ms_ = turn.now_ms;
    if (turn.now_ms < session.unserved_since_ms_ + kMostHoldMs) return Session::Wait::kPause;
  }
  session.unserved_since_ms_ = 0;
  // The pool asks again, which a client that knows no cluster wouldn't.
  const bool may_pass =
      request.redirected && (error.starts_with("TRYAGAIN ") || error.starts_with("CLUSTERDOWN "));
  if (may_pass && client.proxied && server_.proxy != nullptr) {
    if (const auto forwarded = forward(session, args, true, turn)) return *forwarded;
  }
  if (!error.empty()) {
    session.fetches_ = 0;
    reject(client, request, error, reply, turn);
  } else if (request.undecided) {
    return wait_for_rows(session, turn);
  } else if (must_queue(client, *request.spec)) {
    queue(client, request);
    reply.simple_string("QUEUED");
  } else if (server_.pause.holds(turn.now_ms, writes(client, *request.spec))) {
    wait = Session::Wait::kPause;
  } else if (((request.spec->flags & kWorker) != 0 && !is_light(client, request, turn)) ||
             (is_exec(*request.spec) && asks_loop(client))) {
    session.worker_args_.assign(args.begin(), args.end());
    wait = Session::Wait::kWorker;
  } else {
    wait = run(session, request, turn);
  }
  if (wait == Session::Wait::kFetch || wait == Session::Wait::kPause) return wait;
  if (client.asking != 0 && !client.in_multi) --client.asking;
  if (client.reply_mode == Client::ReplyMode::kOff) reply.truncate(mark);
  if (client.reply_mode == Client::ReplyMode::kSkipThis && wait == Session::Wait::kNone) {
    reply.truncate(mark);
    client.reply_mode = Client::ReplyMode::kOn;
  }
  return wait;
}

void Dispatcher::reject(Client& client, const Request& request, std::string_view error,
                        ReplyWriter& reply, Turn& turn) {
  if (request.spec != nullptr) {
    server_.stats.record_command(turn.stats, command_index(*request.spec), {}, Outcome::kRejected);
  }
  server_.stats.record_error(turn.stats, error);
  if (request.spec != nullptr && is_exec(*request.spec)) {
    discard_transaction(client);
    if (request.redirected) return reply.error(error);
    if (error.starts_with("ERR ")) error.remove_prefix(4);
    return reply.error("EXECABORT Transaction discarded because of: " + std::string(error));
  }
  if (client.in_multi) client.exec_aborted = true;
  reply.error(error);
}

Session::Wait Dispatcher::run(Session& session, const Request& request, Turn& turn) {
  Client& client = session.client();
  ReplyWriter reply(&session.output_, client.protocol);
  const size_t mark = reply.size();
  turn.tick.begin_command(turn.now_ms, request.tier);
  const bool exec = is_exec(*request.spec);
  const bool exclusive = writes(client, *request.spec) || (exec && drains(client));
  if (exclusive) turn.tick.begin_write();
  const bool shared = !exclusive && ((request.spec->flags & kManyRows) != 0 || exec);
  if (shared) turn.tick.begin_shared();
  bool loaded = true;
  if (exec && client.in_multi && !client.exec_aborted) loaded = load_transaction(client, turn.tick);
  if (loaded && exec) {
    call_transaction(client, request, reply, turn);
  } else if (loaded) {
    call(client, request, reply, turn);
  }
  if (shared) turn.tick.end_shared();
  if (!turn.tick.misses().empty() && request.tier == ReadTier::kMemory) {
    turn.tick.rollback_command();
    reply.truncate(mark);
    return wait_for_rows(session, turn);
  }
  session.fetches_ = 0;
  if (!turn.tick.error().ok()) {
    turn.tick.rollback_command();
    reply.truncate(mark);
    reply.error("ERR reading from disk failed: " + std::string(turn.tick.error().message()));
  }
  account(client, request, std::string_view(session.output_).substr(mark), turn);
  // A reply that is not sent has nothing to be replaced.
  const bool silent = client.reply_mode == Client::ReplyMode::kOff ||
                      client.reply_mode == Client::ReplyMode::kSkipThis;
  if (turn.tick.touched_uncommitted() && !silent) {
    turn.dependents.push_back({&session, {mark, reply.size()}});
  }
  return client.replica_wait ? Session::Wait::kReplicas : Session::Wait::kNone;
}

Session::Wait Dispatcher::wait_for_rows(Session& session, Turn& turn) {
  session.misses_ = turn.tick.misses();
  ++session.fetches_;
  turn.stats.add(kFetches);
  return Session::Wait::kFetch;
}

void Dispatcher::reply_replicas(Session& session, uint64_t replicas) {
  Client& client = session.client();
  const bool silent = client.reply_mode == Client::ReplyMode::kOff ||
                      client.reply_mode == Client::ReplyMode::kSkipThis;
  if (client.reply_mode == Client::ReplyMode::kSkipThis) {
    client.reply_mode = Client::ReplyMode::kOn;
  }
  if (silent) return;
  ReplyWriter(&session.output_, client.protocol).integer(static_cast<int64_t>(replicas));
}

void Dispatcher::call(Client& client, const Request& request, ReplyWriter& reply, Turn& turn) {
  Call command{request.args, *request.spec, client, turn.tick, reply, server_, turn.now_ms};
  request.spec->handler(command);
}

void Dispatcher::look_up_rows(const Client& client, std::span<const std::string_view> args,
                              Tick& tick) const {
  const CommandSpec* spec = find_command(args[0]);
  if (spec == nullptr || !arity_fits(*spec, args.size())) return;
  for (const size_t position : key_positions(*spec, args)) {
    (void)tick.get(client.db, args[position]);
  }
}

void Dispatcher::warm_rows(const Client& client, std::span<const std::string_view> args,
                           Tick& tick) {
  const CommandSpec* spec = find_command(args[0]);
  if (spec == nullptr) return;
  for_each_key(*spec, args, [&](std::string_view key) { tick.warm(client.db, key); });
}

// A transaction is executed once and for all, so all its rows are brought into memory first.
bool Dispatcher::load_transaction(Client& client, Tick& tick) const {
  for (const WatchedKey& watched : client.watched) (void)tick.get(watched.db, watched.key);
  std::vector<std::string_view> args;
  for (const QueuedCommand& queued : client.queue) {
    args.assign(queued.args.begin(), queued.args.end());
    for (size_t position : key_positions(*queued.spec, args)) {
      (void)tick.get(client.db, args[position]);
    }
  }
  return tick.misses().empty();
}

void Dispatcher::call_transaction(Client& client, const Request& exec, ReplyWriter& reply,
                                  Turn& turn) {
  if (!client.in_multi) return reply.error("ERR EXEC without MULTI");
  if (client.exec_aborted) {
    discard_transaction(client);
    return reply.error("EXECABORT Transaction discarded because of previous errors.");
  }
  // What was loaded may have been evicted again; from here on nothing is tried twice.
  turn.tick.begin_command(turn.now_ms, ReadTier::kDisk);
  if (watched_keys_changed(client, turn.tick)) {
    discard_transaction(client);
    return reply.null_array();
  }
  const std::vector<QueuedCommand> queue = std::move(client.queue);
  discard_transaction(client);
  client.in_transaction = true;
  reply.array(queue.size());
  std::vector<std::string_view> args;
  for (const QueuedCommand& queued : queue) {
    args.assign(queued.args.begin(), queued.args.end());
    Request request{args, queued.spec, ReadTier::kDisk};
    request.slot = exec.slot;
    std::string one;  // accounted for by itself
    ReplyWriter writer(&one, client.protocol);
    call(client, request, writer, turn);
    account(client, request, one, turn);
    reply.raw(one);
    reply.set_protocol(client.protocol);
  }
  client.in_transaction = false;
}

void Dispatcher::account(Client& client, const Request& request, std::string_view reply,
                         Turn& turn) {
  const CommandSpec& spec = *request.spec;
  const steady_clock::time_point now = steady_clock::now();
  const auto elapsed = now - turn.last;
  turn.last = now;
  const bool failed = !reply.empty() && reply.front() == '-';
  if (failed) {
    server_.stats.record_error(turn.stats, reply.substr(1, reply.find('\r') - 1));
  }
  server_.stats.record_command(turn.stats, command_index(spec), elapsed,
                               failed ? Outcome::kFailed : Outcome::kOk);
  if (request.slot && turn.config.cluster.slot_stats && !is_exec(spec)) {
    account_slot(request, reply.size(), elapsed, turn);
  }
  client.shared.last_command.store(&spec, std::memory_order_relaxed);
  if ((spec.flags & kReadOnly) != 0) {
    const Tick::Lookups lookups = turn.tick.take_lookups();
    if (lookups.found != 0) turn.stats.add(kKeyspaceHits, lookups.found);
    if (lookups.absent != 0) turn.stats.add(kKeyspaceMisses, lookups.absent);
  } else if ((spec.flags & kWrite) != 0 && !failed) {
    turn.stats.add(kChanges);
  }
  const auto micros =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(elapsed).count());
  server_.latency.record((spec.flags & kFast) != 0 ? kLatencyFastCommand : kLatencyCommand, micros,
                         turn.now_ms / 1000);
  if (server_.slowlog.wants(micros) && (spec.flags & kSkipSlowlog) == 0) {
    std::vector<std::string_view> storage;
    server_.slowlog.add(redact_arguments(full_name(spec), request.args, &storage), micros,
                        turn.now_ms / 1000, client.address, client.shared.copy_name());
  }
  if (server_.clients.has_monitors() && (spec.flags & (kSkipMonitor | kAdmin)) == 0) {
    feed_monitors(server_.clients, server_.clock.wall_us(), client, full_name(spec), request.args);
  }
}

void Dispatcher::account_slot(const Request& request, size_t reply_bytes,
                              std::chrono::nanoseconds elapsed, Turn& turn) {
  // "*3\r\n$3\r\nSET\r\n" and so on.
  const auto digits = [](size_t number) { return std::to_string(number).size(); };
  size_t request_bytes = 3 + digits(request.args.size());
  for (const std::string_view argument : request.args) {
    request_bytes += 5 + digits(argument.size()) + argument.size();
  }
  const auto nanos = static_cast<uint64_t>(std::max<int64_t>(elapsed.count(), 0));
  server_.stats.record_slot(turn.stats, *request.slot, {nanos, request_bytes, reply_bytes});
}

std::string Dispatcher::execute_on_worker(Client& client, const std::vector<std::string>& args,
                                          Turn& turn) {
  std::string output;
  const std::vector<std::string_view> views(args.begin(), args.end());
  Request request{views, nullptr, ReadTier::kDisk};
  ReplyWriter reply(&output, client.protocol);
  const std::string error = refusal(client, request, turn);
  turn.last = steady_clock::now();
  if (!error.empty()) {
    reject(client, request, error, reply, turn);
  } else {
    turn.tick.begin_command(turn.now_ms, ReadTier::kDisk);
    if (is_exec(*request.spec)) {
      call_transaction(client, request, reply, turn);
    } else {
      call(client, request, reply, turn);
    }
    Status failed = turn.tick.error();
    if (failed.ok() && turn.tick.has_writes()) failed = turn.tick.commit();
    if (!failed.ok()) {
      reply.truncate(0);
      reply.error("ERR the store cannot be read or written: " + std::string(failed.message()));
    }
    account(client, request, output, turn);
  }
  if (client.reply_mode == Client::ReplyMode::kOff) output.clear();
  if (client.reply_mode == Client::ReplyMode::kSkipThis) {
    output.clear();
    client.reply_mode = Client::ReplyMode::kOn;
  }
  return output;
}

void Dispatcher::fail_dependents(std::vector<Turn::Dependent>& dependents, const Status& why) {
  // Not the disk: the node was replaced between the check and the commit. Nothing was written.
  const bool replaced = why.is(StatusCode::kUnavailable);
  fail_dependents(dependents,
                  replaced ? "CLUSTERDOWN " + std::string(why.message()) : disk_error(why));
}

void Dispatcher::fail_dependents(std::vector<Turn::Dependent>& dependents, std::string_view error) {
  std::vector<Session::Span> spans;
  for (size_t i = 0; i < dependents.size();) {
    Session* session = dependents[i].session;
    spans.clear();
    for (size_t j = i; j < dependents.size(); ++j) {
      if (dependents[j].session != session) continue;
      spans.push_back(dependents[j].span);
      dependents[j].session = nullptr;
    }
    session->replace_replies(spans, std::string(error));
    while (i < dependents.size() && dependents[i].session == nullptr) ++i;
  }
  dependents.clear();
}

}  // namespace syntropy
