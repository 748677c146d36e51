// BITFIELD and BITFIELD_RO: a string as an array of integers of any width.
//
// The whole request is parsed before anything is done, so that an error anywhere in it leaves the
// string as it was. Integers are handled as the 64-bit patterns that read_bits gives, sign-extended
// for the signed ones.
#include <algorithm>
#include <limits>
#include <vector>

#include "server/commands/arguments.h"
#include "server/commands/bitmap_handlers.h"
#include "server/commands/bits.h"

namespace syntropy {
namespace {

enum class FieldAction : uint8_t { kGet, kSet, kIncrement };
enum class OverflowMode : uint8_t { kWrap, kSaturate, kFail };

struct FieldType {
  bool is_signed = false;
  unsigned width = 0;  // bits: 1..64 when signed, else 1..63
};

struct FieldOperation {
  FieldAction action = FieldAction::kGet;
  OverflowMode overflow = OverflowMode::kWrap;
  FieldType type;
  uint64_t position = 0;  // of the first bit
  int64_t operand = 0;    // the value of SET, the increment of INCRBY
};

struct FieldRequest {
  std::vector<FieldOperation> operations;
  bool writes = false;
  size_t bytes_needed = 0;  // the length of a string that has all the fields written
};

std::optional<FieldType> parse_field_type(Call& call, std::string_view text) {
  FieldType type;
  type.is_signed = text.starts_with('i');
  if (type.is_signed || text.starts_with('u')) {
    const std::optional<int64_t> width = parse_int64(text.substr(1));
    if (width && *width >= 1 && *width <= (type.is_signed ? 64 : 63)) {
      type.width = static_cast<unsigned>(*width);
      return type;
    }
  }
  call.reply.error(
      "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but "
      "i64 is.");
  return std::nullopt;
}

std::optional<OverflowMode> parse_overflow_mode(Call& call, std::string_view text) {
  if (equals_ignoring_case(text, "wrap")) return OverflowMode::kWrap;
  if (equals_ignoring_case(text, "sat")) return OverflowMode::kSaturate;
  if (equals_ignoring_case(text, "fail")) return OverflowMode::kFail;
  call.reply.error("ERR Invalid OVERFLOW type specified");
  return std::nullopt;
}

// The action named args[index] if enough arguments follow.
std::optional<FieldAction> parse_field_action(const Call& call, size_t index) {
  const size_t following = call.argc() - index - 1;
  const std::string_view name = call.args[index];
  if (following >= 2 && equals_ignoring_case(name, "get")) return FieldAction::kGet;
  if (following >= 3 && equals_ignoring_case(name, "set")) return FieldAction::kSet;
  if (following >= 3 && equals_ignoring_case(name, "incrby")) return FieldAction::kIncrement;
  return std::nullopt;
}

// False after replying with an error.
bool parse_field_request(Call& call, FieldRequest* request) {
  OverflowMode overflow = OverflowMode::kWrap;
  for (size_t i = 2; i < call.argc();) {
    if (i + 1 < call.argc() && equals_ignoring_case(call.args[i], "overflow")) {
      const std::optional<OverflowMode> mode = parse_overflow_mode(call, call.args[i + 1]);
      if (!mode) return false;
      overflow = *mode;
      i += 2;
      continue;
    }
    const std::optional<FieldAction> action = parse_field_action(call, i);
    if (!action) {
      reply_syntax_error(call);
      return false;
    }
    const std::optional<FieldType> type = parse_field_type(call, call.args[i + 1]);
    if (!type) return false;
    const std::optional<uint64_t> position = parse_bit_offset(call, call.args[i + 2], type->width);
    if (!position) return false;

    FieldOperation operation{*action, overflow, *type, *position, 0};
    i += 3;
    if (*action != FieldAction::kGet) {
      const std::optional<int64_t> operand = int64_argument(call, i);
      if (!operand) return false;
      operation.operand = *operand;
      request->writes = true;
      const size_t last_byte = (*position + type->width - 1) / 8;
      request->bytes_needed = std::max(request->bytes_needed, last_byte + 1);
      ++i;
    }
    request->operations.push_back(operation);
  }
  return true;
}

uint64_t low_bits(unsigned width) {
  return width == 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1;
}

// The lower bits of `pattern` as a number of that type.
int64_t to_number(FieldType type, uint64_t pattern) {
  pattern &= low_bits(type.width);
  const uint64_t sign_bit = uint64_t{1} << (type.width - 1);
  if (type.is_signed && (pattern & sign_bit) != 0) pattern |= ~low_bits(type.width);
  return static_cast<int64_t>(pattern);
}

struct FieldResult {
  int64_t value = 0;  // brought into the type's range by wrapping or saturating
  bool overflowed = false;
};

// base + increment. `base` lies in the type's range, or `increment` is 0: then base is any signed
// number for a signed type, and for an unsigned one is taken as 64 unsigned bits, so that a
// negative one is too large (SET's operand, as in Redis).
FieldResult add_to_field(const FieldOperation& operation, int64_t base, int64_t increment) {
  const FieldType type = operation.type;
  int64_t sum = 0;
  bool too_large = false;
  bool too_small = false;
  int64_t min = 0;
  int64_t max = static_cast<int64_t>(low_bits(type.width));
  if (type.is_signed) {
    max = static_cast<int64_t>(low_bits(type.width) >> 1);
    min = -max - 1;
  }
  if (__builtin_add_overflow(base, increment, &sum)) {
    too_large = increment > 0;
    too_small = increment < 0;
  } else if (!type.is_signed && base < 0) {
    too_large = true;
  } else {
    too_large = sum > max;
    too_small = sum < min;
  }
  if (!too_large && !too_small) return {sum, false};
  if (operation.overflow == OverflowMode::kSaturate) return {too_large ? max : min, true};
  return {to_number(type, static_cast<uint64_t>(sum)), true};
}

// Runs SET or INCRBY on the string and replies; returns whether a bit changed.
bool run_field_write(Call& call, const FieldOperation& operation, std::string* value) {
  const FieldType type = operation.type;
  const int64_t old = to_number(type, read_bits(*value, operation.position, type.width));
  const bool is_set = operation.action == FieldAction::kSet;
  const FieldResult result = is_set ? add_to_field(operation, operation.operand, 0)
                                    : add_to_field(operation, old, operation.operand);
  if (result.overflowed && operation.overflow == OverflowMode::kFail) {
    call.reply.null();
    return false;
  }
  call.reply.integer(is_set ? old : result.value);
  write_bits(value, operation.position, type.width, static_cast<uint64_t>(result.value));
  return result.value != old;
}

void reply_field(Call& call, const FieldOperation& operation, std::string_view bytes) {
  const uint64_t pattern = read_bits(bytes, operation.position, operation.type.width);
  call.reply.integer(to_number(operation.type, pattern));
}

void run_bitfield(Call& call, bool read_only) {
  FieldRequest request;
  if (!parse_field_request(call, &request)) return;
  if (read_only && request.writes) {
    return call.reply.error("ERR BITFIELD_RO only supports the GET subcommand");
  }
  StringRow row;
  if (!get_string(call, call.args[1], &row)) return;

  call.reply.array(request.operations.size());
  if (!request.writes) {
    for (const FieldOperation& operation : request.operations) {
      reply_field(call, operation, row.bytes);
    }
    return;
  }
  std::string value;
  value.reserve(std::max(request.bytes_needed, row.bytes.size()));
  value.assign(row.bytes);
  // The string grows even when every operation then fails: Redis does so, and STRLEN shows it.
  bool changed = value.size() < request.bytes_needed;
  if (changed) value.resize(request.bytes_needed);
  for (const FieldOperation& operation : request.operations) {
    if (operation.action == FieldAction::kGet) {
      reply_field(call, operation, value);
    } else {
      changed |= run_field_write(call, operation, &value);
    }
  }
  if (changed) {
    call.tick.put(call.db(), call.args[1], RowKind::kString, value, row.expires_at_ms);
  }
}

}  // namespace

void bitfield_command(Call& call) { run_bitfield(call, false); }

void bitfield_ro_command(Call& call) { run_bitfield(call, true); }

}  // namespace syntropy
