#include "server/commands/object.h"

#include <optional>

#include "server/commands/arguments.h"
#include "server/commands/help.h"

namespace syntropy {
namespace {

// Redis stores up to this length in one allocation with the object, and calls that embstr.
constexpr size_t kMaxEmbeddedString = 44;

/// The row of the key that OBJECT asks about; nothing after replying with null.
std::optional<RowView> object_row(Call& call) {
  const std::optional<RowView> row = call.tick.get(call.db(), call.args[2]);
  if (!row) call.reply.null();
  return row;
}

std::string_view encoding_name(const RowView& row) {
  if (row.kind == RowKind::kCounter) return "int";
  if (row.kind != RowKind::kString) return "rows";
  if (parse_int64(row.payload)) return "int";
  return row.payload.size() <= kMaxEmbeddedString ? "embstr" : "raw";
}

/// What Redis would say of the same value freshly set. Values are all stored alike.
void encoding_command(Call& call) {
  if (const auto row = object_row(call)) call.reply.bulk(encoding_name(*row));
}

void freq_command(Call& call) {
  if (!object_row(call)) return;
  call.reply.error(
      "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that "
      "when switching between policies at runtime LRU and LFU data will take some time to adjust.");
}

/// Seconds since the last write: accesses are not recorded.
void idletime_command(Call& call) {
  const auto row = object_row(call);
  if (!row) return;
  const uint64_t written_ms = row->version.wall_ms();
  const uint64_t idle_ms = call.now_ms > written_ms ? call.now_ms - written_ms : 0;
  call.reply.integer(static_cast<int64_t>(idle_ms / 1000));
}

/// Always 1: no two keys share a value.
void refcount_command(Call& call) {
  if (object_row(call)) call.reply.integer(1);
}

const CommandSpec kSpecs[] = {
    {.name = "encoding",
     .arity = 3,
     .flags = kReadOnly,
     .keys = {2, 2, 1, "RO"},
     .handler = encoding_command,
     .group = "generic",
     .since = "2.2.3",
     .summary = "Names the encoding that Redis would choose for the key's value.",
     .complexity = "O(1)",
     .syntax = "key",
     .categories = "@keyspace @read @slow"},
    {.name = "freq",
     .arity = 3,
     .flags = kReadOnly,
     .keys = {2, 2, 1, "RO"},
     .handler = freq_command,
     .group = "generic",
     .since = "4.0.0",
     .summary = "Answers an error: how often a key is accessed is not recorded.",
     .complexity = "O(1)",
     .syntax = "key",
     .categories = "@keyspace @read @slow"},
    {.name = "help",
     .arity = 2,
     .flags = kLoading | kStale | kNoRows,
     .keys = {},
     .handler = help_command,
     .group = "generic",
     .since = "6.2.0",
     .summary = "Lists the subcommands.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = "@keyspace @slow"},
    {.name = "idletime",
     .arity = 3,
     .flags = kReadOnly,
     .keys = {2, 2, 1, "RO"},
     .handler = idletime_command,
     .group = "generic",
     .since = "2.2.3",
     .summary = "Tells how many seconds ago the key was last written.",
     .complexity = "O(1)",
     .syntax = "key",
     .categories = "@keyspace @read @slow"},
    {.name = "refcount",
     .arity = 3,
     .flags = kReadOnly,
     .keys = {2, 2, 1, "RO"},
     .handler = refcount_command,
     .group = "generic",
     .since = "2.2.3",
     .summary = "Tells how many references the key's value has, which is always one.",
     .complexity = "O(1)",
     .syntax = "key",
     .categories = "@keyspace @read @slow"},
};

}  // namespace

std::span<const CommandSpec> object_subcommands() { return kSpecs; }

std::string_view type_name(RowKind kind) {
  switch (kind) {
    case RowKind::kString:
    case RowKind::kCounter:
      return "string";
    case RowKind::kHash:
      return "hash";
    case RowKind::kSet:
      return "set";
    case RowKind::kSortedSet:
      return "zset";
    case RowKind::kList:
      return "list";
    case RowKind::kStream:
      return "stream";
    case RowKind::kTombstone:
    case RowKind::kElement:
      break;
  }
  return "none";
}

}  // namespace syntropy
