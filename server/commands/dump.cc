// DUMP and RESTORE: a value as bytes, in the form that Redis uses (server/resp/rdb_string.h).

#include <limits>
#include <optional>
#include <string>

#include "server/commands/arguments.h"
#include "server/commands/object.h"
#include "server/config/config_store.h"
#include "server/context.h"
#include "server/resp/rdb_string.h"

namespace syntropy {
namespace {

void dump_command(Call& call) {
  const std::optional<RowView> row = call.tick.get(call.db(), call.args[1]);
  if (!row) return call.reply.null();
  if (!is_string(*row)) {
    return call.reply.error("ERR DUMP of a " + std::string(type_name(row->kind)) +
                            " is not supported yet: only strings can be dumped");
  }
  DigitsBuffer digits;
  call.reply.bulk(encode_dump_string(string_value(*row, &digits)));
}

struct RestoreOptions {
  bool replace = false;
  bool absolute_ttl = false;
};

/// IDLETIME and FREQ are checked as in Redis; nothing here keeps either of them.
bool parse_restore_options(Call& call, RestoreOptions* options) {
  bool has_idle_time = false;
  bool has_frequency = false;
  for (size_t i = 4; i < call.argc(); ++i) {
    const std::string_view name = call.args[i];
    const bool has_argument = i + 1 < call.argc();
    if (equals_ignoring_case(name, "replace")) {
      options->replace = true;
    } else if (equals_ignoring_case(name, "absttl")) {
      options->absolute_ttl = true;
    } else if (equals_ignoring_case(name, "idletime") && has_argument && !has_frequency) {
      const std::optional<int64_t> seconds = int64_argument(call, ++i);
      if (!seconds) return false;
      if (*seconds < 0) {
        call.reply.error("ERR Invalid IDLETIME value, must be >= 0");
        return false;
      }
      has_idle_time = true;
    } else if (equals_ignoring_case(name, "freq") && has_argument && !has_idle_time) {
      const std::optional<int64_t> frequency = int64_argument(call, ++i);
      if (!frequency) return false;
      if (*frequency < 0 || *frequency > 255) {
        call.reply.error("ERR Invalid FREQ value, must be >= 0 and <= 255");
        return false;
      }
      has_frequency = true;
    } else {
      reply_syntax_error(call);
      return false;
    }
  }
  return true;
}

/// Unix milliseconds, 0 for never. A time beyond all clocks counts as the last one.
uint64_t restored_expiry(int64_t ttl_ms, bool absolute, uint64_t now_ms) {
  constexpr uint64_t kLast = std::numeric_limits<int64_t>::max();
  const auto ttl = static_cast<uint64_t>(ttl_ms);
  if (ttl == 0 || absolute) return ttl;
  return std::min(ttl + now_ms, kLast);
}

/// The value in a payload; nothing after replying with an error.
std::optional<std::string> decode_payload(Call& call, std::string_view payload) {
  if (!verify_dump_payload(payload).ok()) {
    call.reply.error("ERR DUMP payload version or checksum are wrong");
    return std::nullopt;
  }
  const uint64_t max_bytes = call.server.config.current()->clients.proto_max_bulk_len;
  Result<std::string> value = decode_dump_string(payload, max_bytes);
  if (value.ok()) return std::move(*value);
  if (value.status().is(StatusCode::kInvalidArgument)) {
    call.reply.error("ERR " + std::string(value.status().message()));
  } else {
    call.reply.error("ERR Bad data format");
  }
  return std::nullopt;
}

void restore_command(Call& call) {
  RestoreOptions options;
  if (!parse_restore_options(call, &options)) return;
  const std::string_view key = call.args[1];
  if (!options.replace && call.tick.get(call.db(), key)) {
    return call.reply.error("BUSYKEY Target key name already exists.");
  }
  const std::optional<int64_t> ttl = int64_argument(call, 2);
  if (!ttl) return;
  if (*ttl < 0) return call.reply.error("ERR Invalid TTL value, must be >= 0");
  const std::optional<std::string> value = decode_payload(call, call.args[3]);
  if (!value) return;
  const uint64_t expires_at_ms = restored_expiry(*ttl, options.absolute_ttl, call.now_ms);
  call.tick.put(call.db(), key, RowKind::kString, *value, expires_at_ms);
  call.reply.ok();
}

constexpr CommandSpec kRestore = {
    .name = "restore",
    .arity = -4,
    .flags = kWrite | kDenyOom,
    .keys = {1, 1, 1, "OW update"},
    .handler = restore_command,
    .group = "generic",
    .since = "2.6.0",
    .summary = "Creates a key from the bytes that DUMP returned.",
    .complexity = "O(N) where N is the size of the value",
    .syntax = "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
    .categories = "@keyspace @write @slow @dangerous"};

/// What MIGRATE sends to a node that takes the slot over: nobody has to say ASKING before.
constexpr CommandSpec restore_asking() {
  CommandSpec spec = kRestore;
  spec.name = "restore-asking";
  spec.flags |= kAsking;
  spec.group = "server";
  spec.since = "3.0.0";
  spec.summary = "Creates a key from the bytes that DUMP returned, in a slot on its way here.";
  return spec;
}

constexpr CommandSpec kSpecs[] = {
    {.name = "dump",
     .arity = 2,
     .flags = kReadOnly,
     .keys = {1, 1, 1, "RO access"},
     .handler = dump_command,
     .group = "generic",
     .since = "2.6.0",
     .summary = "Returns a key's value as bytes that RESTORE reads, here and in Redis.",
     .complexity = "O(N) where N is the size of the value",
     .syntax = "key",
     .categories = "@keyspace @read @slow"},
    kRestore,
    restore_asking(),
};

}  // namespace

std::span<const CommandSpec> dump_commands() { return kSpecs; }

}  // namespace syntropy
