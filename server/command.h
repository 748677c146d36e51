// Commands: what a handler is given, and how a command describes itself.
//
// A handler reads its arguments, works on the rows through call.tick and writes exactly one reply.
// It never blocks, never sends, and holds no state between calls. It may be run again for the same
// request when a row wasn't in memory (storage/tick.h): until the tick commits nothing of it is
// kept, so a handler must not have effects outside the tick, unless its command carries kNoRows.
// A handler needn't handle storage errors: the dispatcher replaces the reply.
//
// Thread safety: handlers run on any I/O thread or worker; `call` belongs to the current thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "server/client.h"
#include "server/resp/reply.h"
#include "storage/tick.h"

namespace syntropy {

struct CommandSpec;
struct ServerContext;

struct Call {
  std::span<const std::string_view> args;  // args[0]: the name as it was sent
  const CommandSpec& spec;
  Client& client;
  Tick& tick;
  ReplyWriter& reply;
  ServerContext& server;
  uint64_t now_ms;  // the time of the command; the same for all commands of a transaction

  uint16_t db() const { return client.db; }
  size_t argc() const { return args.size(); }
};

using CommandHandler = void (*)(Call&);

enum CommandFlag : uint32_t {
  // Redis' flags, reported by COMMAND INFO.
  kWrite = 1u << 0,
  kReadOnly = 1u << 1,
  kDenyOom = 1u << 2,
  kAdmin = 1u << 3,
  kNoScript = 1u << 4,
  kLoading = 1u << 5,
  kStale = 1u << 6,
  kFast = 1u << 7,
  kNoAuth = 1u << 8,
  kSkipMonitor = 1u << 9,
  kSkipSlowlog = 1u << 10,
  kMayReplicate = 1u << 11,
  kNoAsyncLoading = 1u << 12,
  kNoMulti = 1u << 13,
  kMovableKeys = 1u << 14,
  kAllowBusy = 1u << 15,
  kSentinelOnly = 1u << 16,
  kPubSub = 1u << 17,
  kAsking = 1u << 18,
  // Ours, not reported.
  kManyRows = 1u << 24,  // a read that must see several rows as of one moment
  kWorker = 1u << 25,    // may take long or touch the disk: runs on a worker thread
  kNoRows = 1u << 26,    // touches no rows: may have effects outside the tick
  kAsksLoop = 1u << 27,  // waits for the cluster's loop: kWorker as well, and not in transactions
  kStaysWhereItMoves = 1u << 28,  // served here while its slot is on its way (MIGRATE)
};

/// Where a command's keys are, as COMMAND INFO reports it. first 0: no keys.
struct KeySpec {
  int first = 0;
  int last = 0;  // negative: counted from the end of the arguments
  int step = 0;
  /// Redis' key-spec flags for COMMAND INFO/DOCS, blank-separated, such as "RO ACCESS".
  std::string_view flags;
};

struct CommandSpec {
  std::string_view name;  // lower case; of a subcommand its own name only, such as "list"
  int arity;              // Redis' convention: counts the name; negative: at least
  uint32_t flags;
  KeySpec keys;
  CommandHandler handler;  // null for a container of subcommands

  // Documentation, for COMMAND DOCS. `syntax` lists the arguments in Redis' notation, such as
  // "key value [NX|XX] [GET] [EX seconds|PX milliseconds|KEEPTTL]"; COMMAND DOCS parses it.
  std::string_view
      group;  // generic, string, transactions, connection, server, bitmap, cluster, pubsub
  std::string_view since;    // the Redis version that introduced it
  std::string_view summary;  // one sentence of our own
  std::string_view complexity;
  std::string_view syntax;
  /// ACL categories, blank-separated, such as "@write @string @slow".
  std::string_view categories;
  std::span<const CommandSpec> subcommands = {};
  /// For kMovableKeys: writes the indexes of the keys, or returns false when the arguments are bad.
  bool (*find_keys)(std::span<const std::string_view> args, std::vector<size_t>* indexes) = nullptr;
  /// For kWorker: whether a request costs so little that handing it to another thread would cost
  /// more. It then runs on the I/O thread, unless that holds the keyspace's lock.
  bool (*is_light)(std::span<const std::string_view> args, const Client& client,
                   const ServerContext& server) = nullptr;
};

/// The reply texts that several commands share.
inline constexpr std::string_view kSyntaxError = "ERR syntax error";
inline constexpr std::string_view kNotInteger = "ERR value is not an integer or out of range";
inline constexpr std::string_view kNotFloat = "ERR value is not a valid float";
inline constexpr std::string_view kWrongType =
    "WRONGTYPE Operation against a key holding the wrong kind of value";
inline constexpr std::string_view kNoSuchKey = "ERR no such key";
inline constexpr std::string_view kOutOfRange = "ERR index out of range";
inline constexpr std::string_view kOverflow = "ERR increment or decrement would overflow";

// Each file of commands offers its table; server/commands/table.h joins them.
std::span<const CommandSpec> string_commands();
std::span<const CommandSpec> bitmap_commands();
std::span<const CommandSpec> key_commands();
std::span<const CommandSpec> expiry_commands();
std::span<const CommandSpec> scan_commands();
std::span<const CommandSpec> dump_commands();
std::span<const CommandSpec> connection_commands();
std::span<const CommandSpec> client_commands();
std::span<const CommandSpec> command_commands();
std::span<const CommandSpec> server_commands();
std::span<const CommandSpec> config_commands();
std::span<const CommandSpec>
diagnosis_commands();  // SLOWLOG, LATENCY, MONITOR, MEMORY, DEBUG, INFO
std::span<const CommandSpec> transaction_commands();
std::span<const CommandSpec> cluster_commands();
std::span<const CommandSpec> replication_commands();  // ROLE, WAIT, REPLICAOF
std::span<const CommandSpec> reconcile_commands();
std::span<const CommandSpec> pubsub_commands();
std::span<const CommandSpec> sentinel_commands();
std::span<const CommandSpec> sync_commands();
std::span<const CommandSpec> migrate_commands();
std::span<const CommandSpec> function_commands();

}  // namespace syntropy
