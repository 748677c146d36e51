// Commands on the bits of a string.
#include <algorithm>

#include "server/commands/arguments.h"
#include "server/commands/bitmap_handlers.h"
#include "server/commands/bits.h"

namespace syntropy {
namespace {

constexpr std::string_view kBadBit = "ERR bit is not an integer or out of range";
constexpr std::string_view kBadBitOffset = "ERR bit offset is not an integer or out of range";

enum class IndexUnit : uint8_t { kByte, kBit };

// Reads BYTE or BIT; false after replying with a syntax error.
bool parse_index_unit(Call& call, std::string_view text, IndexUnit* unit) {
  if (equals_ignoring_case(text, "bit")) {
    *unit = IndexUnit::kBit;
  } else if (equals_ignoring_case(text, "byte")) {
    *unit = IndexUnit::kByte;
  } else {
    reply_syntax_error(call);
    return false;
  }
  return true;
}

struct BitRange {
  uint64_t first = 0;
  uint64_t last = 0;
};

// Bits of a string of `size` bytes. Negative indexes count from its end; nullopt when the range is
// empty.
std::optional<BitRange> to_bit_range(int64_t first, int64_t last, IndexUnit unit, size_t size) {
  const int64_t bits_per_index = unit == IndexUnit::kBit ? 1 : 8;
  const int64_t length = static_cast<int64_t>(size) * 8 / bits_per_index;
  if (first < 0) first = std::max<int64_t>(first + length, 0);
  if (last < 0) last = std::max<int64_t>(last + length, 0);
  last = std::min(last, length - 1);
  if (first > last) return std::nullopt;
  return BitRange{static_cast<uint64_t>(first * bits_per_index),
                  static_cast<uint64_t>((last + 1) * bits_per_index - 1)};
}

}  // namespace

std::optional<uint64_t> parse_bit_offset(Call& call, std::string_view text, unsigned width) {
  const bool scaled = width != 0 && text.starts_with('#');
  if (scaled) text.remove_prefix(1);
  const std::optional<int64_t> number = parse_int64(text);
  int64_t offset = number.value_or(-1);
  const int64_t scale = scaled ? static_cast<int64_t>(width) : 1;
  if (offset < 0 || __builtin_mul_overflow(offset, scale, &offset) ||
      !string_size_allowed(call, static_cast<uint64_t>(offset) / 8 + 1)) {
    call.reply.error(kBadBitOffset);
    return std::nullopt;
  }
  return static_cast<uint64_t>(offset);
}

void setbit_command(Call& call) {
  const std::optional<uint64_t> position = parse_bit_offset(call, call.args[2]);
  if (!position) return;
  const std::optional<int64_t> bit = int64_argument(call, 3, kBadBit);
  if (!bit) return;
  if (*bit != 0 && *bit != 1) return call.reply.error(kBadBit);
  StringRow row;
  if (!get_string(call, call.args[1], &row)) return;

  const bool old = get_bit(row.bytes, *position);
  const size_t needed = *position / 8 + 1;
  // What changes nothing is no write: a watched key stays untouched, as in Redis.
  if (row.bytes.size() < needed || old != (*bit == 1)) {
    std::string value;
    value.reserve(std::max(needed, row.bytes.size()));
    value.assign(row.bytes);
    if (value.size() < needed) value.resize(needed);
    set_bit(&value, *position, *bit == 1);
    call.tick.put(call.db(), call.args[1], RowKind::kString, value, row.expires_at_ms);
  }
  call.reply.integer(old ? 1 : 0);
}

void getbit_command(Call& call) {
  const std::optional<uint64_t> position = parse_bit_offset(call, call.args[2]);
  if (!position) return;
  StringRow row;
  if (!get_string(call, call.args[1], &row)) return;
  call.reply.integer(get_bit(row.bytes, *position) ? 1 : 0);
}

void bitcount_command(Call& call) {
  StringRow row;
  if (!get_string(call, call.args[1], &row)) return;
  if (!row.present) return call.reply.integer(0);  // whatever the other arguments are
  int64_t first = 0;
  int64_t last = -1;
  IndexUnit unit = IndexUnit::kByte;
  if (call.argc() == 4 || call.argc() == 5) {
    const std::optional<int64_t> first_given = int64_argument(call, 2);
    if (!first_given) return;
    const std::optional<int64_t> last_given = int64_argument(call, 3);
    if (!last_given) return;
    first = *first_given;
    last = *last_given;
    if (first < 0 && last < 0 && first > last) return call.reply.integer(0);
    if (call.argc() == 5 && !parse_index_unit(call, call.args[4], &unit)) return;
  } else if (call.argc() != 2) {
    return reply_syntax_error(call);
  }
  const std::optional<BitRange> range = to_bit_range(first, last, unit, row.bytes.size());
  const uint64_t count = range ? count_bits(row.bytes, range->first, range->last) : 0;
  call.reply.integer(static_cast<int64_t>(count));
}

void bitpos_command(Call& call) {
  const std::optional<int64_t> bit = int64_argument(call, 2);
  if (!bit) return;
  if (*bit != 0 && *bit != 1) return call.reply.error("ERR The bit argument must be 1 or 0.");
  StringRow row;
  if (!get_string(call, call.args[1], &row)) return;
  if (!row.present) return call.reply.integer(*bit == 1 ? -1 : 0);

  int64_t first = 0;
  int64_t last = -1;
  IndexUnit unit = IndexUnit::kByte;
  if (call.argc() > 6) return reply_syntax_error(call);
  if (call.argc() >= 4) {
    const std::optional<int64_t> first_given = int64_argument(call, 3);
    if (!first_given) return;
    first = *first_given;
  }
  if (call.argc() == 6 && !parse_index_unit(call, call.args[5], &unit)) return;
  const bool has_end = call.argc() >= 5;
  if (has_end) {
    const std::optional<int64_t> last_given = int64_argument(call, 4);
    if (!last_given) return;
    last = *last_given;
  }
  const std::optional<BitRange> range = to_bit_range(first, last, unit, row.bytes.size());
  if (!range) return call.reply.integer(-1);
  const std::optional<uint64_t> found = find_bit(row.bytes, *bit == 1, range->first, range->last);
  if (found) return call.reply.integer(static_cast<int64_t>(*found));
  // Without an end, the string is taken as followed by zeros.
  const bool zero_behind = *bit == 0 && !has_end;
  call.reply.integer(zero_behind ? static_cast<int64_t>(8 * row.bytes.size()) : -1);
}

void bitop_command(Call& call) {
  BitOperation operation = BitOperation::kOr;
  bool invert = false;
  if (equals_ignoring_case(call.args[1], "and")) {
    operation = BitOperation::kAnd;
  } else if (equals_ignoring_case(call.args[1], "xor")) {
    operation = BitOperation::kXor;
  } else if (equals_ignoring_case(call.args[1], "not")) {
    invert = true;
  } else if (!equals_ignoring_case(call.args[1], "or")) {
    return reply_syntax_error(call);
  }
  if (invert && call.argc() != 4) {
    return call.reply.error("ERR BITOP NOT must be called with a single source key.");
  }

  std::string result;
  for (size_t i = 3; i < call.argc(); ++i) {
    StringRow row;
    if (!get_string(call, call.args[i], &row)) return;
    if (i == 3) {
      result.assign(row.bytes);
    } else {
      combine_bits(operation, row.bytes, &result);
    }
  }
  if (invert) invert_bits(&result);
  if (result.empty()) {
    call.tick.erase(call.db(), call.args[2]);
  } else {
    call.tick.put(call.db(), call.args[2], RowKind::kString, result, 0);
  }
  call.reply.integer(static_cast<int64_t>(result.size()));
}

}  // namespace syntropy
