// Walking a database: SCAN, KEYS, RANDOMKEY, and its exact size.
//
// These read the disk as far as they must, so they run on a worker thread with a tick of its own.
// Within a transaction they run where EXEC runs.

#include <charconv>
#include <limits>
#include <optional>
#include <string>

#include "server/commands/arguments.h"
#include "server/commands/counting.h"
#include "server/commands/object.h"
#include "server/config/glob.h"
#include "storage/base/random.h"
#include "storage/base/slot.h"

namespace syntropy {
namespace {

constexpr ScanPosition kStart;
constexpr uint64_t kWholeDatabase = std::numeric_limits<uint64_t>::max();

/// Storage errors are the dispatcher's; this says it even when the tick didn't notice.
void reply_scan_error(Call& call, const Status& status) {
  call.reply.error("ERR reading the database failed: " + std::string(status.message()));
}

/// True when nothing can be found, without a walk. Expired keys may still count.
bool is_empty(Call& call) { return call.tick.key_count(call.db()) == 0; }

// --- SCAN ----------------------------------------------------------------------------------------

// A cursor is the position to go on at: slot * 2^32 + hash. It is 0 at the start alone, because
// every later position is above it.
constexpr int kSlotShift = 32;

uint64_t encode_cursor(ScanPosition position) {
  return uint64_t{position.slot} << kSlotShift | position.hash;
}

/// Nothing for a number that SCAN never gave out: it is above all positions.
std::optional<ScanPosition> decode_cursor(uint64_t cursor) {
  const uint64_t slot = cursor >> kSlotShift;
  if (slot >= kSlotCount) return std::nullopt;
  return ScanPosition{static_cast<uint16_t>(slot), static_cast<uint32_t>(cursor)};
}

/// Reads what C's strtoul takes without blanks in front, as Redis does: an empty text is 0, and a
/// minus sign negates modulo 2^64.
std::optional<uint64_t> parse_cursor(std::string_view text) {
  if (text.empty()) return 0;
  const bool negative = text.front() == '-';
  if (negative || text.front() == '+') text.remove_prefix(1);
  uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return negative ? 0 - value : value;
}

struct ScanOptions {
  uint64_t count = 10;
  std::optional<std::string_view> pattern;
  std::optional<std::string_view> type;

  bool accepts(std::string_view key, const RowView& row) const {
    if (pattern && !glob_match(*pattern, key)) return false;
    return !type || equals_ignoring_case(*type, type_name(row.kind));
  }
};

/// False after replying with an error.
bool parse_scan_options(Call& call, ScanOptions* options) {
  for (size_t i = 2; i < call.argc(); i += 2) {
    const std::string_view name = call.args[i];
    if (i + 1 == call.argc()) {
      reply_syntax_error(call);
      return false;
    }
    if (equals_ignoring_case(name, "count")) {
      const std::optional<int64_t> count = int64_argument(call, i + 1);
      if (!count) return false;
      if (*count < 1) {
        reply_syntax_error(call);
        return false;
      }
      options->count = static_cast<uint64_t>(*count);
    } else if (equals_ignoring_case(name, "match")) {
      options->pattern = call.args[i + 1];
    } else if (equals_ignoring_case(name, "type")) {
      options->type = call.args[i + 1];
    } else {
      reply_syntax_error(call);
      return false;
    }
  }
  if (options->pattern == "*") options->pattern.reset();
  return true;
}

void scan_command(Call& call) {
  const std::optional<uint64_t> cursor = parse_cursor(call.args[1]);
  if (!cursor) return call.reply.error("ERR invalid cursor");
  ScanOptions options;
  if (!parse_scan_options(call, &options)) return;

  std::optional<ScanPosition> next;
  if (!is_empty(call)) next = decode_cursor(*cursor);
  std::string keys;
  size_t found = 0;
  if (next) {
    ReplyWriter writer(&keys, call.reply.protocol());
    auto scanned = call.tick.scan(call.db(), *next, options.count,
                                  [&](std::string_view key, const RowView& row) {
                                    if (options.accepts(key, row)) {
                                      writer.bulk(key);
                                      ++found;
                                    }
                                    return true;
                                  });
    if (!scanned.ok()) return reply_scan_error(call, scanned.status());
    next = *scanned;
  }
  call.reply.array(2);
  call.reply.bulk(std::to_string(next ? encode_cursor(*next) : 0));
  call.reply.array(found);
  call.reply.raw(keys);
}

// --- KEYS ----------------------------------------------------------------------------------------

/// One pass over one view of the store: all keys as of the same moment, as in Redis.
void keys_command(Call& call) {
  if (is_empty(call)) return call.reply.array(0);
  const std::string_view pattern = call.args[1];
  const bool all = pattern == "*";
  const size_t mark = call.reply.size();
  size_t found = 0;
  const auto scanned =
      call.tick.scan(call.db(), kStart, kWholeDatabase, [&](std::string_view key, const RowView&) {
        if (all || glob_match(pattern, key)) {
          call.reply.bulk(key);
          ++found;
        }
        return true;
      });
  if (!scanned.ok()) {
    call.reply.truncate(mark);
    return reply_scan_error(call, scanned.status());
  }
  call.reply.insert_array_header(mark, found);
}

// --- RANDOMKEY -----------------------------------------------------------------------------------

/// The first live key from the position on; nothing at the end of the database.
Result<std::optional<std::string>> first_key(Call& call, ScanPosition from) {
  std::optional<std::string> found;
  const auto scanned =
      call.tick.scan(call.db(), from, kWholeDatabase, [&](std::string_view key, const RowView&) {
        if (!found) found = std::string(key);
        return false;
      });
  if (!scanned.ok()) return scanned.status();
  return found;
}

/// One of the next few live keys from the position on, each with the same chance.
Result<std::optional<std::string>> any_key_near(Call& call, ScanPosition from, Random& random) {
  constexpr uint64_t kNeighbours = 16;
  std::optional<std::string> chosen;
  uint64_t seen = 0;
  const auto scanned =
      call.tick.scan(call.db(), from, kNeighbours, [&](std::string_view key, const RowView&) {
        if (random.one_in(++seen)) chosen = std::string(key);
        return true;
      });
  if (!scanned.ok()) return scanned.status();
  return chosen;
}

/// A random slot, then a random place in the first slot from there on that has a key: keys are
/// found alike whether they fill all slots or share one.
Result<std::optional<std::string>> random_key(Call& call, Random& random) {
  const auto slot = static_cast<uint16_t>(random.below(kSlotCount));
  auto first = first_key(call, ScanPosition{slot, 0});
  if (first.ok() && !*first) first = first_key(call, kStart);
  if (!first.ok() || !*first) return first;
  const ScanPosition near{slot_of(**first), static_cast<uint32_t>(random.next())};
  auto chosen = any_key_near(call, near, random);
  // Only dead rows there, or the end: the key found first will do.
  if (chosen.ok() && !*chosen) return first;
  return chosen;
}

void randomkey_command(Call& call) {
  thread_local SeededRandom random(system_seed());
  if (is_empty(call)) return call.reply.null();
  const auto key = random_key(call, random);
  if (!key.ok()) return reply_scan_error(call, key.status());
  if (!*key) return call.reply.null();
  call.reply.bulk(**key);
}

// --- DBSIZE --------------------------------------------------------------------------------------

/// Keys that have expired and are still counted are taken out first, in batches, so that writers
/// wait for one batch only. The count is read under the lock under which nothing more was due.
void dbsize_command(Call& call) {
  drain_expired(call);
  call.reply.integer(static_cast<int64_t>(call.tick.key_count(call.db())));
  // Nothing but the end of the lock.
  if (!call.client.in_transaction) (void)call.tick.commit();
}

const CommandSpec kSpecs[] = {
    {.name = "dbsize",
     .arity = 1,
     .flags = kReadOnly | kFast | kWorker,
     .keys = {},
     .handler = dbsize_command,
     .group = "server",
     .since = "1.0.0",
     .summary = "Counts the keys of the selected database.",
     .complexity = "O(1), and O(N) for N keys that have expired since the last count",
     .syntax = "",
     .categories = "@keyspace @read @fast"},
    {.name = "keys",
     .arity = 2,
     .flags = kReadOnly | kWorker,
     .keys = {},
     .handler = keys_command,
     .group = "generic",
     .since = "1.0.0",
     .summary = "Lists all keys whose names match a pattern.",
     .complexity = "O(N) where N is the number of keys in the database",
     .syntax = "pattern",
     .categories = "@keyspace @read @slow @dangerous"},
    {.name = "randomkey",
     .arity = 1,
     .flags = kReadOnly | kWorker,
     .keys = {},
     .handler = randomkey_command,
     .group = "generic",
     .since = "1.0.0",
     .summary = "Names a key of the selected database, chosen at random.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = "@keyspace @read @slow"},
    {.name = "scan",
     .arity = -2,
     .flags = kReadOnly | kWorker,
     .keys = {},
     .handler = scan_command,
     .group = "generic",
     .since = "2.8.0",
     .summary = "Lists the keys of the selected database in steps.",
     .complexity = "O(COUNT) for a step, O(N) for all N keys of the database",
     .syntax = "cursor [MATCH pattern] [COUNT count] [TYPE type]",
     .categories = "@keyspace @read @slow"},
};

}  // namespace

std::span<const CommandSpec> scan_commands() { return kSpecs; }

}  // namespace syntropy
