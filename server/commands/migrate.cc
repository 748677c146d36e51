// MIGRATE: moves keys to another node, one connection and one round trip for all of them.
//
// A key is sent as it is at one moment; it goes from here only if it is still that, else it is sent
// again. It goes without a trace: a tombstone would be newer than what the other node has of it,
// should the slot ever come back.
#include <hiredis/hiredis.h>
#include <sys/time.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/commands/arguments.h"
#include "server/commands/object.h"
#include "server/context.h"
#include "server/resp/rdb_string.h"
#include "storage/counter.h"
#include "storage/durability.h"

namespace syntropy {
namespace {

constexpr int64_t kDefaultTimeoutMs = 1000;
constexpr int kMostTries = 100;  // of a key that clients write to meanwhile

struct Request {
  std::string host;
  int port = 0;
  int64_t db = 0;
  int64_t timeout_ms = kDefaultTimeoutMs;
  bool copy = false;
  bool replace = false;
  std::vector<std::string> auth;  // AUTH with its arguments; empty: none
  std::vector<std::string> keys;
};

/// False after replying with an error.
bool parse(Call& call, Request* request) {
  const std::optional<int64_t> timeout = int64_argument(call, 5);
  if (!timeout) return false;
  const std::optional<int64_t> db = int64_argument(call, 4);
  if (!db) return false;
  request->host = call.args[1];
  const std::optional<int64_t> port = parse_int64(call.args[2]);
  if (!port || *port < 1 || *port > std::numeric_limits<uint16_t>::max()) {
    call.reply.error("ERR Invalid port number: " + std::string(call.args[2]));
    return false;
  }
  request->port = static_cast<int>(*port);
  request->db = *db;
  if (*timeout > 0) request->timeout_ms = *timeout;
  for (size_t i = 6; i < call.argc(); ++i) {
    const std::string_view option = call.args[i];
    const size_t rest = call.argc() - i - 1;
    if (equals_ignoring_case(option, "copy")) {
      request->copy = true;
    } else if (equals_ignoring_case(option, "replace")) {
      request->replace = true;
    } else if (equals_ignoring_case(option, "auth") && rest >= 1) {
      request->auth = {"AUTH", std::string(call.args[++i])};
    } else if (equals_ignoring_case(option, "auth2") && rest >= 2) {
      request->auth = {"AUTH", std::string(call.args[i + 1]), std::string(call.args[i + 2])};
      i += 2;
    } else if (equals_ignoring_case(option, "keys")) {
      if (!call.args[3].empty()) {
        call.reply.error(
            "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string");
        return false;
      }
      request->keys.assign(call.args.begin() + static_cast<std::ptrdiff_t>(i) + 1, call.args.end());
      return true;
    } else {
      reply_syntax_error(call);
      return false;
    }
  }
  request->keys.emplace_back(call.args[3]);
  return true;
}

class Target {
 public:
  static std::unique_ptr<Target> connect(const Request& request) {
    const timeval timeout{static_cast<time_t>(request.timeout_ms / 1000),
                          static_cast<suseconds_t>(request.timeout_ms % 1000 * 1000)};
    Context context(redisConnectWithTimeout(request.host.c_str(), request.port, timeout));
    if (!context || context->err != 0 || redisSetTimeout(context.get(), timeout) != REDIS_OK) {
      return nullptr;
    }
    return std::unique_ptr<Target>(new Target(std::move(context)));
  }

  void append(const std::vector<std::string>& words) {
    std::vector<const char*> starts;
    std::vector<size_t> sizes;
    for (const std::string& word : words) {
      starts.push_back(word.data());
      sizes.push_back(word.size());
    }
    redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), starts.data(),
                           sizes.data());
  }
  bool flush() {
    int done = 0;
    while (done == 0) {
      if (redisBufferWrite(context_.get(), &done) != REDIS_OK) return false;
    }
    return true;
  }
  /// The next reply: nothing: the connection is lost. Else the error in it, or an empty text.
  std::optional<std::string> error_of_next() {
    void* reply = nullptr;
    if (redisGetReply(context_.get(), &reply) != REDIS_OK || reply == nullptr) return std::nullopt;
    const Reply owned(static_cast<redisReply*>(reply));
    if (owned->type != REDIS_REPLY_ERROR) return std::string();
    return std::string(owned->str, owned->len);
  }

 private:
  struct FreeContext {
    void operator()(redisContext* context) const { redisFree(context); }
  };
  struct FreeReply {
    void operator()(redisReply* reply) const { freeReplyObject(reply); }
  };
  using Context = std::unique_ptr<redisContext, FreeContext>;
  using Reply = std::unique_ptr<redisReply, FreeReply>;

  explicit Target(Context context) : context_(std::move(context)) {}

  Context context_;
};

/// A key as it was sent.
struct Sent {
  std::string key;
  std::string row_key;
  HlcStamp stamp = 0;  // the newest in the row
};

class Migration {
 public:
  Migration(Call& call, const Request& request) : call_(call), request_(request) {}

  void run() {
    std::vector<std::string> keys = request_.keys;
    bool found = false;
    for (int tries = 0; !keys.empty(); ++tries) {
      if (tries == kMostTries) return fail("a key is written to all the time");
      const bool replace = request_.replace || tries > 0;
      Result<std::vector<Sent>> sent = send(keys, replace);
      if (!sent.ok()) return fail(sent.status().message());
      if (unreachable_) {
        return call_.reply.error("IOERR error or timeout writing to target instance");
      }
      if (sent->empty()) break;
      found = true;
      if (!hear(&*sent)) return;
      keys.clear();
      if (request_.copy) break;
      const Status gone = remove(*sent, &keys);
      if (!gone.ok()) return fail(gone.message());
    }
    if (!error_.empty()) {
      return call_.reply.error("ERR Target instance replied with error: " + error_);
    }
    if (!found) return call_.reply.simple_string("NOKEY");
    call_.reply.ok();
  }

 private:
  void fail(std::string_view why) { call_.reply.error("ERR " + std::string(why)); }

  /// Reads the keys that are here and writes them to the connection, which is made for the first.
  Result<std::vector<Sent>> send(const std::vector<std::string>& keys, bool replace) {
    std::vector<Sent> sent;
    Tick tick(call_.server.keyspace);
    const bool in_cluster = call_.server.cluster != nullptr;
    for (const std::string& key : keys) {
      tick.begin_command(call_.server.clock.wall_ms(), ReadTier::kDisk);
      const std::optional<RowView> row = tick.get(call_.db(), key);
      if (!tick.error().ok()) return tick.error();
      if (!row) continue;
      if (!is_string(*row)) {
        return Status::invalid_argument("MIGRATE of a " + std::string(type_name(row->kind)) +
                                        " is not supported yet");
      }
      const Result<HlcStamp> newest = newest_stamp_of(*row);
      if (!newest.ok()) return newest.status();
      if (!begin()) {
        unreachable_ = true;
        return sent;
      }
      DigitsBuffer digits;
      const uint64_t now_ms = call_.server.clock.wall_ms();
      const uint64_t ttl = row->expires_at_ms == 0       ? 0
                           : row->expires_at_ms > now_ms ? row->expires_at_ms - now_ms
                                                         : 1;
      std::vector<std::string> words = {in_cluster ? "RESTORE-ASKING" : "RESTORE", key,
                                        std::to_string(ttl),
                                        encode_dump_string(string_value(*row, &digits))};
      if (replace) words.emplace_back("REPLACE");
      target_->append(words);
      Sent one{key, {}, *newest};
      const uint16_t physical = call_.server.keyspace.physical_database(call_.db());
      encode_row_key(physical, key, {}, &one.row_key);
      sent.push_back(std::move(one));
    }
    return sent;
  }

  bool begin() {
    if (target_) return true;
    target_ = Target::connect(request_);
    if (!target_) return false;
    if (!request_.auth.empty()) target_->append(request_.auth);
    select_ = request_.db != 0 || call_.server.cluster == nullptr;
    if (select_) target_->append({"SELECT", std::to_string(request_.db)});
    auth_ = !request_.auth.empty();
    return true;
  }

  /// Reads the replies; what was refused is taken off `sent`. False after replying with an error.
  bool hear(std::vector<Sent>* sent) {
    if (!target_->flush()) {
      call_.reply.error("IOERR error or timeout writing to target instance");
      return false;
    }
    for (bool* const wanted : {&auth_, &select_}) {
      if (!std::exchange(*wanted, false)) continue;
      const std::optional<std::string> error = target_->error_of_next();
      if (!error) return lost();
      if (!error->empty()) {
        call_.reply.error("ERR Target instance replied with error: " + *error);
        return false;
      }
    }
    std::vector<Sent> taken;
    for (Sent& one : *sent) {
      const std::optional<std::string> error = target_->error_of_next();
      if (!error) {
        // What was answered so far is there, and needn't be here.
        std::vector<std::string> again;
        if (!request_.copy) (void)remove(taken, &again);
        return lost();
      }
      if (error->empty()) {
        taken.push_back(std::move(one));
      } else if (error_.empty()) {
        error_ = *error;
      }
    }
    *sent = std::move(taken);
    return true;
  }

  bool lost() {
    call_.reply.error("IOERR error or timeout reading from target instance");
    return false;
  }

  /// Removes what is still as it was sent; the rest has to be sent again.
  Status remove(const std::vector<Sent>& sent, std::vector<std::string>* again) {
    if (sent.empty()) return {};
    Tick tick(call_.server.keyspace);
    tick.begin_command(0, ReadTier::kDisk);
    tick.begin_write();
    for (const Sent& one : sent) {
      const Result<bool> gone = tick.purge_row(one.row_key, one.stamp, Tick::Alive::kGoes);
      if (!gone.ok()) return gone.status();
      if (!*gone) again->push_back(one.key);
    }
    const Status committed = tick.commit();
    return committed.ok() ? call_.server.durability.finish_tick(/*wrote=*/true) : committed;
  }

  Call& call_;
  const Request& request_;
  std::unique_ptr<Target> target_;
  bool unreachable_ = false;
  bool auth_ = false;    // its reply has yet to come
  bool select_ = false;  // the same
  std::string error_;    // the first of the target's
};

void migrate_command(Call& call) {
  Request request;
  if (!parse(call, &request)) return;
  Migration(call, request).run();
}

/// The one key, or those behind KEYS.
bool find_migrated_keys(std::span<const std::string_view> args, std::vector<size_t>* indexes) {
  if (args.size() < 6) return false;
  if (!args[3].empty()) {
    indexes->push_back(3);
    return true;
  }
  for (size_t i = 6; i < args.size(); ++i) {
    if (equals_ignoring_case(args[i], "auth")) {
      ++i;
    } else if (equals_ignoring_case(args[i], "auth2")) {
      i += 2;
    } else if (equals_ignoring_case(args[i], "keys")) {
      for (size_t k = i + 1; k < args.size(); ++k) indexes->push_back(k);
      return !indexes->empty();
    }
  }
  indexes->push_back(3);
  return true;
}

constexpr CommandSpec kSpecs[] = {
    {.name = "migrate",
     .arity = -6,
     .flags = kWrite | kMovableKeys | kWorker | kStaysWhereItMoves,
     .keys = {3, 3, 1, "RW access delete"},
     .handler = migrate_command,
     .group = "generic",
     .since = "2.6.0",
     .summary = "Moves keys to another node.",
     .complexity = "O(N) where N is the size of the values",
     .syntax = "host port <key|\"\"> destination-db timeout [COPY] [REPLACE] "
               "[AUTH password|AUTH2 username password] [KEYS key [key ...]]",
     .categories = "@keyspace @write @slow @dangerous",
     .find_keys = find_migrated_keys},
};

}  // namespace

std::span<const CommandSpec> migrate_commands() { return kSpecs; }

}  // namespace syntropy
