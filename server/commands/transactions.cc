#include "server/commands/transactions.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <optional>
#include <utility>

#include "server/commands/arguments.h"

namespace syntropy {
namespace {

void multi(Call& call) {
  if (call.client.in_multi) return call.reply.error("ERR MULTI calls can not be nested");
  call.client.in_multi = true;
  call.client.shared.queued.store(0, std::memory_order_relaxed);
  call.reply.ok();
}

void exec(Call&) { assert(false && "the dispatcher executes EXEC"); }

void discard(Call& call) {
  if (!call.client.in_multi) return call.reply.error("ERR DISCARD without MULTI");
  discard_transaction(call.client);
  call.reply.ok();
}

void add_watched(Client& client, std::vector<WatchedKey> added) {
  for (WatchedKey& key : added) {
    client.held_bytes += key.key.size() + sizeof(WatchedKey);
    client.watched.push_back(std::move(key));
  }
  client.shared.watched.store(static_cast<uint32_t>(client.watched.size()),
                              std::memory_order_relaxed);
}

void watch(Call& call) {
  if (call.client.in_multi) return call.reply.error("ERR WATCH inside MULTI is not allowed");
  std::vector<WatchedKey> added;
  const HlcStamp since = call.tick.latest_stamp();
  for (std::string_view key : call.args.subspan(1)) {
    const auto watches = [&](const WatchedKey& watched) {
      return watched.db == call.db() && watched.key == key;
    };
    const std::vector<WatchedKey>& watched = call.client.watched;
    if (std::any_of(watched.begin(), watched.end(), watches)) continue;
    if (std::any_of(added.begin(), added.end(), watches)) continue;
    added.push_back(
        {call.db(), std::string(key), call.tick.fingerprint(call.db(), key, since), since});
  }
  if (!call.tick.misses().empty()) return;  // it will be run again
  add_watched(call.client, std::move(added));
  call.reply.ok();
}

void unwatch(Call& call) {
  call.client.watched.clear();
  call.client.held_bytes = 0;  // outside of MULTI nothing is queued
  call.client.shared.watched.store(0, std::memory_order_relaxed);
  call.reply.ok();
}

constexpr uint32_t kFlags = kNoScript | kLoading | kStale | kFast | kAllowBusy;

constexpr std::array<CommandSpec, 5> kCommands = {{
    {"multi",
     1,
     kFlags | kNoRows,
     {},
     multi,
     "transactions",
     "1.2.0",
     "Starts a transaction: the commands that follow are queued.",
     "O(1)",
     "",
     "@fast @transaction"},
    {"exec",
     1,
     kNoScript | kLoading | kStale | kSkipSlowlog,
     {},
     exec,
     "transactions",
     "1.2.0",
     "Executes the queued commands as one, unless a watched key has changed.",
     "Depends on commands in the transaction",
     "",
     "@slow @transaction"},
    {"discard",
     1,
     kFlags | kNoRows,
     {},
     discard,
     "transactions",
     "2.0.0",
     "Drops the queued commands and forgets the watched keys.",
     "O(N), when N is the number of queued commands",
     "",
     "@fast @transaction"},
    {"watch",
     -2,
     kFlags,
     {1, -1, 1, "RO"},
     watch,
     "transactions",
     "2.2.0",
     "Makes the next EXEC depend on these keys staying as they are.",
     "O(1) for every key.",
     "key [key ...]",
     "@fast @transaction"},
    {"unwatch",
     1,
     kFlags | kNoRows,
     {},
     unwatch,
     "transactions",
     "2.2.0",
     "Forgets the watched keys.",
     "O(1)",
     "",
     "@fast @transaction"},
}};

}  // namespace

// What a WATCH of these keys would note, as two numbers for each key.
void client_watch_state_command(Call& call) {
  std::vector<uint64_t> numbers;
  const HlcStamp since = call.tick.latest_stamp();
  for (const std::string_view key : call.args.subspan(2)) {
    numbers.push_back(call.tick.fingerprint(call.db(), key, since));
    numbers.push_back(since);
  }
  if (!call.tick.misses().empty()) return;  // it will be run again
  call.reply.array(numbers.size());
  for (const uint64_t number : numbers) call.reply.integer(static_cast<int64_t>(number));
}

// Inside MULTI, where an error ends the transaction: it must not be executed unwatched.
void client_watch_at_command(Call& call) {
  if (!call.client.in_multi) return call.reply.error("ERR CLIENT WATCH-AT without MULTI");
  std::vector<WatchedKey> added;
  for (size_t i = 2; i + 2 < call.argc(); i += 3) {
    const std::optional<int64_t> fingerprint = parse_int64(call.args[i + 1]);
    const std::optional<int64_t> since = parse_int64(call.args[i + 2]);
    if (!fingerprint || !since) break;
    added.push_back({call.db(), std::string(call.args[i]), static_cast<uint64_t>(*fingerprint),
                     static_cast<uint64_t>(*since)});
  }
  if (added.size() * 3 + 2 != call.argc()) {
    call.client.exec_aborted = true;
    return call.reply.error("ERR CLIENT WATCH-AT takes keys, with two integers each");
  }
  add_watched(call.client, std::move(added));
  call.reply.ok();
}

std::span<const CommandSpec> transaction_commands() { return kCommands; }

bool is_exec(const CommandSpec& spec) { return spec.handler == exec; }

bool runs_inside_multi(const CommandSpec& spec) {
  const CommandHandler handler = spec.handler;
  return handler == exec || handler == discard || handler == multi || handler == watch ||
         handler == client_watch_at_command || spec.name == "quit" || spec.name == "reset";
}

void discard_transaction(Client& client) {
  client.in_multi = false;
  client.exec_aborted = false;
  client.held_bytes = 0;
  client.queue.clear();
  client.watched.clear();
  client.shared.queued.store(-1, std::memory_order_relaxed);
  client.shared.watched.store(0, std::memory_order_relaxed);
}

bool watched_keys_changed(const Client& client, Tick& tick) {
  return std::any_of(client.watched.begin(), client.watched.end(), [&](const WatchedKey& watched) {
    return tick.fingerprint(watched.db, watched.key, watched.since) != watched.fingerprint;
  });
}

}  // namespace syntropy
