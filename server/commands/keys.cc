// Commands on keys whatever they hold, and on whole databases.
//
// A row that is copied gets a version of its own; a counter becomes the string of its value, since
// the running totals of its writers belong to the key at which they were counted.

#include <optional>

#include "server/commands/arguments.h"
#include "server/commands/object.h"
#include "server/context.h"
#include "storage/keyspace.h"

namespace syntropy {
namespace {

constexpr std::string_view kSameObject = "ERR source and destination objects are the same";
constexpr std::string_view kDbOutOfRange = "ERR DB index is out of range";
constexpr std::string_view kNotInt32 =
    "ERR value is out of range, value must between -2147483648 and 2147483647";

bool exists(Call& call, uint16_t db, std::string_view key) {
  return call.tick.get(db, key).has_value();
}

/// Writes a string row at another key. Rows of collections do not exist yet.
void write_copy(Call& call, const RowView& row, uint16_t db, std::string_view key) {
  DigitsBuffer digits;
  call.tick.put(db, key, RowKind::kString, string_value(row, &digits), row.expires_at_ms);
}

// --- databases -----------------------------------------------------------------------------------

int64_t databases(const Call& call) { return call.server.keyspace.databases(); }

std::optional<int32_t> parse_int32(std::string_view text) {
  const std::optional<int64_t> value = parse_int64(text);
  if (!value || *value != static_cast<int32_t>(*value)) return std::nullopt;
  return static_cast<int32_t>(*value);
}

/// The database that an argument of COPY or MOVE names; nothing after replying with an error.
std::optional<uint16_t> db_argument(Call& call, std::string_view text) {
  const std::optional<int64_t> value = parse_int64(text);
  if (!value) {
    call.reply.error(kNotInteger);
  } else if (*value != static_cast<int32_t>(*value)) {
    call.reply.error(kNotInt32);
  } else if (*value < 0 || *value >= databases(call)) {
    call.reply.error(kDbOutOfRange);
  } else {
    return static_cast<uint16_t>(*value);
  }
  return std::nullopt;
}

void swapdb_command(Call& call) {
  if (call.server.cluster != nullptr) {
    return call.reply.error("ERR SWAPDB is not allowed in cluster mode");
  }
  if (call.server.keyspace.replication_log() != nullptr) {
    return call.reply.error("ERR SWAPDB is not possible once a node has been part of a cluster");
  }
  const std::optional<int32_t> first = parse_int32(call.args[1]);
  if (!first) return call.reply.error("ERR invalid first DB index");
  const std::optional<int32_t> second = parse_int32(call.args[2]);
  if (!second) return call.reply.error("ERR invalid second DB index");
  const int64_t count = databases(call);
  if (*first < 0 || *first >= count || *second < 0 || *second >= count) {
    return call.reply.error(kDbOutOfRange);
  }
  if (*first != *second) {
    call.tick.swap_dbs(static_cast<uint16_t>(*first), static_cast<uint16_t>(*second));
  }
  call.reply.ok();
}

/// ASYNC and SYNC mean the same here: a flush takes constant time.
bool check_flush_mode(Call& call) {
  if (call.argc() == 1) return true;
  const bool known =
      equals_ignoring_case(call.args[1], "async") || equals_ignoring_case(call.args[1], "sync");
  if (known && call.argc() == 2) return true;
  reply_syntax_error(call);
  return false;
}

void flushdb_command(Call& call) {
  if (!check_flush_mode(call)) return;
  call.tick.flush_db(call.db());
  call.reply.ok();
}

void flushall_command(Call& call) {
  if (!check_flush_mode(call)) return;
  const int64_t count = databases(call);
  for (int64_t db = 0; db < count; ++db) call.tick.flush_db(static_cast<uint16_t>(db));
  call.reply.ok();
}

// --- keys ----------------------------------------------------------------------------------------

void del_command(Call& call) {
  int64_t deleted = 0;
  for (const std::string_view key : call.args.subspan(1)) {
    if (call.tick.erase(call.db(), key)) ++deleted;
  }
  call.reply.integer(deleted);
}

/// EXISTS and TOUCH: a key that is named twice counts twice. No access time is kept, so that there
/// is nothing more to touch.
void exists_command(Call& call) {
  int64_t found = 0;
  for (const std::string_view key : call.args.subspan(1)) {
    if (exists(call, call.db(), key)) ++found;
  }
  call.reply.integer(found);
}

void type_command(Call& call) {
  const std::optional<RowView> row = call.tick.get(call.db(), call.args[1]);
  call.reply.simple_string(row ? type_name(row->kind) : "none");
}

void rename(Call& call, bool only_if_absent) {
  const std::string_view from = call.args[1];
  const std::string_view to = call.args[2];
  const std::optional<RowView> row = call.tick.get(call.db(), from);
  if (!row) return call.reply.error(kNoSuchKey);
  const bool same = from == to;
  if (only_if_absent && (same || exists(call, call.db(), to))) return call.reply.integer(0);
  if (!same) {
    write_copy(call, *row, call.db(), to);
    call.tick.erase(call.db(), from);
  }
  if (only_if_absent) {
    call.reply.integer(1);
  } else {
    call.reply.ok();
  }
}

void rename_command_handler(Call& call) { rename(call, false); }
void renamenx_command(Call& call) { rename(call, true); }

void copy_command(Call& call) {
  uint16_t target_db = call.db();
  bool replace = false;
  for (size_t i = 3; i < call.argc(); ++i) {
    if (equals_ignoring_case(call.args[i], "replace")) {
      replace = true;
    } else if (equals_ignoring_case(call.args[i], "db") && i + 1 < call.argc()) {
      const std::optional<uint16_t> db = db_argument(call, call.args[++i]);
      if (!db) return;
      target_db = *db;
    } else {
      return reply_syntax_error(call);
    }
  }
  if (call.server.cluster != nullptr && target_db != 0) {
    return call.reply.error("ERR Copying to another database is not allowed in cluster mode");
  }
  const std::string_view from = call.args[1];
  const std::string_view to = call.args[2];
  if (target_db == call.db() && from == to) return call.reply.error(kSameObject);
  const std::optional<RowView> row = call.tick.get(call.db(), from);
  if (!row || (!replace && exists(call, target_db, to))) return call.reply.integer(0);
  write_copy(call, *row, target_db, to);
  call.reply.integer(1);
}

void move_command(Call& call) {
  if (call.server.cluster != nullptr) {
    return call.reply.error("ERR MOVE is not allowed in cluster mode");
  }
  const std::string_view key = call.args[1];
  const std::optional<uint16_t> target_db = db_argument(call, call.args[2]);
  if (!target_db) return;
  if (*target_db == call.db()) return call.reply.error(kSameObject);
  const std::optional<RowView> row = call.tick.get(call.db(), key);
  if (!row || exists(call, *target_db, key)) return call.reply.integer(0);
  write_copy(call, *row, *target_db, key);
  call.tick.erase(call.db(), key);
  call.reply.integer(1);
}

// --- the table -----------------------------------------------------------------------------------

const CommandSpec kSpecs[] = {
    {.name = "copy",
     .arity = -3,
     .flags = kWrite | kDenyOom,
     .keys = {1, 2, 1, "RO access|OW update"},
     .handler = copy_command,
     .group = "generic",
     .since = "6.2.0",
     .summary = "Copies a key's value and expiry to another key.",
     .complexity = "O(N) where N is the size of the value",
     .syntax = "source destination [DB destination-db] [REPLACE]",
     .categories = "@keyspace @write @slow"},
    {.name = "del",
     .arity = -2,
     .flags = kWrite,
     .keys = {1, -1, 1, "RM delete"},
     .handler = del_command,
     .group = "generic",
     .since = "1.0.0",
     .summary = "Deletes keys and returns how many there were.",
     .complexity = "O(N) where N is the number of keys",
     .syntax = "key [key ...]",
     .categories = "@keyspace @write @slow"},
    {.name = "exists",
     .arity = -2,
     .flags = kReadOnly | kFast | kManyRows,
     .keys = {1, -1, 1, "RO"},
     .handler = exists_command,
     .group = "generic",
     .since = "1.0.0",
     .summary = "Counts how many of the named keys exist.",
     .complexity = "O(N) where N is the number of keys",
     .syntax = "key [key ...]",
     .categories = "@keyspace @read @fast"},
    {.name = "flushall",
     .arity = -1,
     .flags = kWrite,
     .keys = {},
     .handler = flushall_command,
     .group = "server",
     .since = "1.0.0",
     .summary = "Deletes all keys of all databases.",
     .complexity = "O(N) where N is the number of databases",
     .syntax = "[ASYNC|SYNC]",
     .categories = "@keyspace @write @slow @dangerous"},
    {.name = "flushdb",
     .arity = -1,
     .flags = kWrite,
     .keys = {},
     .handler = flushdb_command,
     .group = "server",
     .since = "1.0.0",
     .summary = "Deletes all keys of the selected database.",
     .complexity = "O(1)",
     .syntax = "[ASYNC|SYNC]",
     .categories = "@keyspace @write @slow @dangerous"},
    {.name = "move",
     .arity = 3,
     .flags = kWrite | kFast,
     .keys = {1, 1, 1, "RW access update"},
     .handler = move_command,
     .group = "generic",
     .since = "1.0.0",
     .summary = "Moves a key to another database, unless it exists there.",
     .complexity = "O(N) where N is the size of the value",
     .syntax = "key db",
     .categories = "@keyspace @write @fast"},
    {.name = "object",
     .arity = -2,
     .flags = 0,
     .keys = {},
     .handler = nullptr,
     .group = "generic",
     .since = "2.2.3",
     .summary = "Tells how a key's value is stored.",
     .complexity = "Depends on the subcommand.",
     .syntax = "",
     .categories = "@slow",
     .subcommands = object_subcommands()},
    {.name = "rename",
     .arity = 3,
     .flags = kWrite,
     .keys = {1, 2, 1, "RW access delete|OW update"},
     .handler = rename_command_handler,
     .group = "generic",
     .since = "1.0.0",
     .summary = "Gives a key another name and replaces the key that had it.",
     .complexity = "O(N) where N is the size of the value",
     .syntax = "key newkey",
     .categories = "@keyspace @write @slow"},
    {.name = "renamenx",
     .arity = 3,
     .flags = kWrite | kFast,
     .keys = {1, 2, 1, "RW access delete|OW insert"},
     .handler = renamenx_command,
     .group = "generic",
     .since = "1.0.0",
     .summary = "Gives a key another name, unless a key has it already.",
     .complexity = "O(N) where N is the size of the value",
     .syntax = "key newkey",
     .categories = "@keyspace @write @fast"},
    {.name = "swapdb",
     .arity = 3,
     .flags = kWrite | kFast,
     .keys = {},
     .handler = swapdb_command,
     .group = "server",
     .since = "4.0.0",
     .summary = "Exchanges the contents of two databases.",
     .complexity = "O(1)",
     .syntax = "index1 index2",
     .categories = "@keyspace @write @fast @dangerous"},
    {.name = "touch",
     .arity = -2,
     .flags = kReadOnly | kFast | kManyRows,
     .keys = {1, -1, 1, "RO"},
     .handler = exists_command,
     .group = "generic",
     .since = "3.2.1",
     .summary = "Counts how many of the named keys exist; access times are not kept.",
     .complexity = "O(N) where N is the number of keys",
     .syntax = "key [key ...]",
     .categories = "@keyspace @read @fast"},
    {.name = "type",
     .arity = 2,
     .flags = kReadOnly | kFast,
     .keys = {1, 1, 1, "RO"},
     .handler = type_command,
     .group = "generic",
     .since = "1.0.0",
     .summary = "Names the type of a key's value.",
     .complexity = "O(1)",
     .syntax = "key",
     .categories = "@keyspace @read @fast"},
    {.name = "unlink",
     .arity = -2,
     .flags = kWrite | kFast,
     .keys = {1, -1, 1, "RM delete"},
     .handler = del_command,
     .group = "generic",
     .since = "4.0.0",
     .summary = "Deletes keys and returns how many there were, like DEL.",
     .complexity = "O(N) where N is the number of keys",
     .syntax = "key [key ...]",
     .categories = "@keyspace @write @fast"},
};

}  // namespace

std::span<const CommandSpec> key_commands() { return kSpecs; }

}  // namespace syntropy
