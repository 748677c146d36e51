// SYNC: a dump of all keys, as redis-cli --rdb and --cluster backup ask a redis-server for it; and
// REPLCONF, by which they say how they want it.
//
//   reply := "$EOF:" mark CRLF dump mark          the dump: server/resp/rdb_reader.h; mark: 40 bytes
//
// The dump is of one moment. It is read from the store and sent as the client takes it, so it costs
// a worker's time and no memory. Behind it the connection is closed: there is no stream of commands
// for those who would follow.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server/commands/arguments.h"
#include "server/commands/object.h"
#include "server/config/config_store.h"
#include "server/context.h"
#include "server/resp/rdb_writer.h"
#include "storage/base/random.h"
#include "storage/keyspace.h"
#include "storage/local_keys.h"
#include "storage/row.h"

namespace syntropy {
namespace {

constexpr size_t kChunkBytes = size_t{64} << 10;
constexpr uint64_t kMostUnread = size_t{1} << 20;  // sent ahead of what the client has taken
constexpr std::chrono::milliseconds kWait{1};
constexpr std::string_view kCantBeFollowed =
    "ERR a redis-server can't follow this node; 'redis-cli --rdb' gets a dump of it";

/// Sends bytes no faster than the client reads them.
class SlowSender {
 public:
  explicit SlowSender(Call& call)
      : call_(call),
        timeout_ms_(static_cast<uint64_t>(call.server.config.current()->replication.timeout_s) *
                    1000),
        begun_at_(total_out()) {}

  /// False: the client is gone, or has read nothing for repl-timeout.
  bool send(std::string bytes) {
    if (!wait(kMostUnread)) return false;
    pushed_ += bytes.size();
    call_.client.push(std::move(bytes));
    return true;
  }

  /// Waits until no more than that is unread. False as send().
  bool wait(uint64_t most_unread) {
    uint64_t unread = this->unread();
    uint64_t since_ms = now_ms();
    while (unread > most_unread) {
      if (call_.client.shared.closing.load(std::memory_order_relaxed)) return false;
      std::this_thread::sleep_for(kWait);
      if (const uint64_t left = this->unread(); left != unread) {
        unread = left;
        since_ms = now_ms();
      } else if (now_ms() - since_ms > timeout_ms_) {
        return false;
      }
    }
    return true;
  }

 private:
  uint64_t total_out() const {
    return call_.client.shared.total_out.load(std::memory_order_relaxed);
  }
  uint64_t unread() const { return pushed_ - std::min(pushed_, total_out() - begun_at_); }
  uint64_t now_ms() const { return call_.server.clock.monotonic_us() / 1000; }

  Call& call_;
  const uint64_t timeout_ms_;
  const uint64_t begun_at_;
  uint64_t pushed_ = 0;
};

struct Source {
  FrozenRows rows;
  std::vector<uint16_t> logical;  // by physical database
};

Source freeze(Keyspace& keyspace) {
  Source source;
  source.logical.resize(keyspace.databases());
  source.rows = keyspace.freeze([&](uint64_t) {
    for (uint32_t db = 0; db < keyspace.databases(); ++db) {
      source.logical[keyspace.physical_database(static_cast<uint16_t>(db))] =
          static_cast<uint16_t>(db);
    }
  });
  return source;
}

bool is_live(const Source& source, const RowKeyView& key, const RowView& row, uint64_t now_ms) {
  return key.db < source.logical.size() && row.kind != RowKind::kTombstone &&
         row.version.stamp > source.rows.coverage.flush_stamps[key.db] && !row.expired(now_ms);
}

/// False: sending it came to nothing. An error of the store ends the connection as well: a dump
/// that breaks off is told from a whole one.
bool send_dump(Call& call) {
  const Source source = freeze(call.server.keyspace);
  SeededRandom random(system_seed());
  std::string mark;
  while (mark.size() < 40) mark.push_back("0123456789abcdef"[random.below(16)]);
  SlowSender sender(call);
  if (!sender.send("$EOF:" + mark + "\r\n")) return false;
  RdbWriter dump(call.now_ms / 1000);
  const auto row =
      call.server.engine.iterate({}, std::string(kRowKeysEnd), source.rows.snapshot.get());
  DigitsBuffer digits;
  for (row->seek({}); row->valid(); row->next()) {
    const Result<RowKeyView> key = decode_row_key(row->key());
    const Result<RowView> value = decode_row(row->value());
    if (!key.ok() || !value.ok()) {
      spdlog::error("SYNC: a row can't be read: 'syntropy verify' tells which");
      return false;
    }
    if (!is_live(source, *key, *value, call.now_ms)) continue;
    if (!is_string(*value)) {
      spdlog::error("SYNC: there is a {}, which can't be dumped yet", type_name(value->kind));
      return false;
    }
    const std::optional<uint64_t> expiry =
        value->expires_at_ms == 0 ? std::nullopt : std::optional(value->expires_at_ms);
    dump.put(source.logical[key->db], key->key, string_value(*value, &digits), expiry);
    if (dump.size() >= kChunkBytes && !sender.send(dump.take())) return false;
  }
  if (!row->status().ok()) {
    spdlog::error("SYNC: {}", row->status().message());
    return false;
  }
  dump.finish();
  // The connection is closed next, and what is pushed isn't sent at once.
  return sender.send(dump.take() + mark) && sender.wait(0);
}

void sync_command(Call& call) {
  // redis-cli --cluster backup says nothing beforehand, and takes a dump with a mark all the same.
  if (call.client.dump_options.follows && !call.client.dump_options.dump_only) {
    return call.reply.error(kCantBeFollowed);
  }
  // Each holds a worker as long as its client reads.
  static std::atomic<bool> sending{false};
  if (sending.exchange(true)) {
    return call.reply.error("ERR another dump is being sent: ask again later");
  }
  if (!send_dump(call)) spdlog::warn("the dump for client {} broke off", call.client.address);
  call.client.request_close();
  sending = false;
}

void psync_command(Call& call) { call.reply.error(kCantBeFollowed); }

void replconf_command(Call& call) {
  if (call.argc() % 2 == 0) return reply_syntax_error(call);
  for (size_t i = 1; i < call.argc(); i += 2) {
    const std::string_view name = call.args[i];
    const std::string_view value = call.args[i + 1];
    if (equals_ignoring_case(name, "capa")) {
      if (equals_ignoring_case(value, "psync2")) call.client.dump_options.follows = true;
    } else if (equals_ignoring_case(name, "rdb-only")) {
      const std::optional<int64_t> only = int64_argument(call, i + 1);
      if (!only) return;
      call.client.dump_options.dump_only = *only == 1;
    } else if (equals_ignoring_case(name, "listening-port") ||
               equals_ignoring_case(name, "ip-address")) {
      call.client.dump_options.follows = true;
    } else {
      return call.reply.error("ERR Unrecognized REPLCONF option: " + std::string(name));
    }
  }
  call.reply.ok();
}

constexpr uint32_t kDumpFlags = kAdmin | kNoScript | kNoAsyncLoading | kNoMulti | kNoRows;

constexpr CommandSpec command(std::string_view name, int arity, uint32_t flags,
                              CommandHandler handler, std::string_view since,
                              std::string_view summary, std::string_view complexity,
                              std::string_view syntax) {
  CommandSpec spec{};
  spec.name = name;
  spec.arity = arity;
  spec.flags = flags;
  spec.handler = handler;
  spec.group = "server";
  spec.since = since;
  spec.summary = summary;
  spec.complexity = complexity;
  spec.syntax = syntax;
  spec.categories = "@admin @slow @dangerous";
  return spec;
}

constexpr CommandSpec kSpecs[] = {
    command("psync", -3, kDumpFlags, psync_command, "2.8.0",
            "Would make a redis-server follow this node, which can't be.", "O(1)",
            "replicationid offset"),
    command("replconf", -1, kAdmin | kNoScript | kLoading | kStale | kAllowBusy | kNoRows,
            replconf_command, "3.0.0", "Says how a dump is wanted.", "O(1)",
            "[option value [option value ...]]"),
    command("sync", 1, kDumpFlags | kWorker, sync_command, "1.0.0",
            "Sends a dump of all keys and closes the connection.",
            "O(N) where N is the number of keys", ""),
};

}  // namespace

std::span<const CommandSpec> sync_commands() { return kSpecs; }

}  // namespace syntropy
