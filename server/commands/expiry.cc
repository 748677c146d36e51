// The expiry of a key: the EXPIRE family, TTL and its kin, PERSIST.

#include <optional>
#include <string>

#include "server/commands/arguments.h"

namespace syntropy {
namespace {

struct ExpireCondition {
  bool only_without = false;  // NX: only a key without expiry
  bool only_with = false;     // XX: only a key with one
  bool only_later = false;    // GT
  bool only_earlier = false;  // LT

  /// Whether a key that expires at `current` (0: never) may get `wanted` instead.
  bool allows(uint64_t current, uint64_t wanted) const {
    if (only_without && current != 0) return false;
    if (only_with && current == 0) return false;
    // Without an expiry the key counts as one that expires after all others.
    if (only_later && (current == 0 || wanted <= current)) return false;
    if (only_earlier && current != 0 && wanted >= current) return false;
    return true;
  }
};

bool parse_condition(Call& call, ExpireCondition* condition) {
  for (const std::string_view option : call.args.subspan(3)) {
    if (equals_ignoring_case(option, "nx")) {
      condition->only_without = true;
    } else if (equals_ignoring_case(option, "xx")) {
      condition->only_with = true;
    } else if (equals_ignoring_case(option, "gt")) {
      condition->only_later = true;
    } else if (equals_ignoring_case(option, "lt")) {
      condition->only_earlier = true;
    } else {
      // Redis prints it as a C string.
      call.reply.error("ERR Unsupported option " +
                       std::string(option.substr(0, option.find('\0'))));
      return false;
    }
  }
  if (condition->only_without &&
      (condition->only_with || condition->only_later || condition->only_earlier)) {
    call.reply.error("ERR NX and XX, GT or LT options at the same time are not compatible");
    return false;
  }
  if (condition->only_later && condition->only_earlier) {
    call.reply.error("ERR GT and LT options at the same time are not compatible");
    return false;
  }
  return true;
}

void expire(Call& call, TimeUnit unit, TimeBase base) {
  ExpireCondition condition;
  if (!parse_condition(call, &condition)) return;
  const std::optional<uint64_t> expires_at_ms = parse_expire_time(call, call.args[2], unit, base);
  if (!expires_at_ms) return;
  const std::string_view key = call.args[1];
  const std::optional<RowView> row = call.tick.get(call.db(), key);
  if (!row || !condition.allows(row->expires_at_ms, *expires_at_ms)) return call.reply.integer(0);
  call.tick.set_expiry(call.db(), key, *expires_at_ms);  // deletes it when that time has come
  call.reply.integer(1);
}

void expire_command(Call& call) { expire(call, TimeUnit::kSeconds, TimeBase::kNow); }
void pexpire_command(Call& call) { expire(call, TimeUnit::kMilliseconds, TimeBase::kNow); }
void expireat_command(Call& call) { expire(call, TimeUnit::kSeconds, TimeBase::kUnixEpoch); }
void pexpireat_command(Call& call) { expire(call, TimeUnit::kMilliseconds, TimeBase::kUnixEpoch); }

/// -2: no such key; -1: it never expires.
void time_to_live(Call& call, TimeUnit unit, TimeBase base) {
  const std::optional<RowView> row = call.tick.get(call.db(), call.args[1]);
  if (!row) return call.reply.integer(-2);
  if (row->expires_at_ms == 0) return call.reply.integer(-1);
  uint64_t ms = row->expires_at_ms;
  if (base == TimeBase::kNow) ms -= call.tick.now_ms();
  // Seconds are rounded to the nearest.
  call.reply.integer(static_cast<int64_t>(unit == TimeUnit::kSeconds ? (ms + 500) / 1000 : ms));
}

void ttl_command(Call& call) { time_to_live(call, TimeUnit::kSeconds, TimeBase::kNow); }
void pttl_command(Call& call) { time_to_live(call, TimeUnit::kMilliseconds, TimeBase::kNow); }
void expiretime_command(Call& call) {
  time_to_live(call, TimeUnit::kSeconds, TimeBase::kUnixEpoch);
}
void pexpiretime_command(Call& call) {
  time_to_live(call, TimeUnit::kMilliseconds, TimeBase::kUnixEpoch);
}

void persist_command(Call& call) {
  const std::string_view key = call.args[1];
  const std::optional<RowView> row = call.tick.get(call.db(), key);
  if (!row || row->expires_at_ms == 0) return call.reply.integer(0);
  call.tick.set_expiry(call.db(), key, 0);
  call.reply.integer(1);
}

const CommandSpec kSpecs[] = {
    {.name = "expire",
     .arity = -3,
     .flags = kWrite | kFast,
     .keys = {1, 1, 1, "RW update"},
     .handler = expire_command,
     .group = "generic",
     .since = "1.0.0",
     .summary = "Lets a key expire after a number of seconds.",
     .complexity = "O(1)",
     .syntax = "key seconds [NX|XX|GT|LT]",
     .categories = "@keyspace @write @fast"},
    {.name = "expireat",
     .arity = -3,
     .flags = kWrite | kFast,
     .keys = {1, 1, 1, "RW update"},
     .handler = expireat_command,
     .group = "generic",
     .since = "1.2.0",
     .summary = "Lets a key expire at a Unix time in seconds.",
     .complexity = "O(1)",
     .syntax = "key unix-time-seconds [NX|XX|GT|LT]",
     .categories = "@keyspace @write @fast"},
    {.name = "expiretime",
     .arity = 2,
     .flags = kReadOnly | kFast,
     .keys = {1, 1, 1, "RO access"},
     .handler = expiretime_command,
     .group = "generic",
     .since = "7.0.0",
     .summary = "Tells the Unix time in seconds at which a key expires.",
     .complexity = "O(1)",
     .syntax = "key",
     .categories = "@keyspace @read @fast"},
    {.name = "persist",
     .arity = 2,
     .flags = kWrite | kFast,
     .keys = {1, 1, 1, "RW update"},
     .handler = persist_command,
     .group = "generic",
     .since = "2.2.0",
     .summary = "Removes the expiry of a key.",
     .complexity = "O(1)",
     .syntax = "key",
     .categories = "@keyspace @write @fast"},
    {.name = "pexpire",
     .arity = -3,
     .flags = kWrite | kFast,
     .keys = {1, 1, 1, "RW update"},
     .handler = pexpire_command,
     .group = "generic",
     .since = "2.6.0",
     .summary = "Lets a key expire after a number of milliseconds.",
     .complexity = "O(1)",
     .syntax = "key milliseconds [NX|XX|GT|LT]",
     .categories = "@keyspace @write @fast"},
    {.name = "pexpireat",
     .arity = -3,
     .flags = kWrite | kFast,
     .keys = {1, 1, 1, "RW update"},
     .handler = pexpireat_command,
     .group = "generic",
     .since = "2.6.0",
     .summary = "Lets a key expire at a Unix time in milliseconds.",
     .complexity = "O(1)",
     .syntax = "key unix-time-milliseconds [NX|XX|GT|LT]",
     .categories = "@keyspace @write @fast"},
    {.name = "pexpiretime",
     .arity = 2,
     .flags = kReadOnly | kFast,
     .keys = {1, 1, 1, "RO access"},
     .handler = pexpiretime_command,
     .group = "generic",
     .since = "7.0.0",
     .summary = "Tells the Unix time in milliseconds at which a key expires.",
     .complexity = "O(1)",
     .syntax = "key",
     .categories = "@keyspace @read @fast"},
    {.name = "pttl",
     .arity = 2,
     .flags = kReadOnly | kFast,
     .keys = {1, 1, 1, "RO access"},
     .handler = pttl_command,
     .group = "generic",
     .since = "2.6.0",
     .summary = "Tells in how many milliseconds a key expires.",
     .complexity = "O(1)",
     .syntax = "key",
     .categories = "@keyspace @read @fast"},
    {.name = "ttl",
     .arity = 2,
     .flags = kReadOnly | kFast,
     .keys = {1, 1, 1, "RO access"},
     .handler = ttl_command,
     .group = "generic",
     .since = "1.0.0",
     .summary = "Tells in how many seconds a key expires.",
     .complexity = "O(1)",
     .syntax = "key",
     .categories = "@keyspace @read @fast"},
};

}  // namespace

std::span<const CommandSpec> expiry_commands() { return kSpecs; }

}  // namespace syntropy
