// Commands that take a string for a number.
//
// Integers are changed as counters, which merge: increments made on both sides of a partition add
// up. A float has no such form; INCRBYFLOAT writes a plain string.
#include <cmath>
#include <cstdio>
#include <limits>

#include "server/commands/arguments.h"
#include "server/commands/string_handlers.h"

namespace syntropy {
namespace {

void increment(Call& call, int64_t delta) {
  const Result<int64_t> sum = call.tick.increment(call.db(), call.args[1], delta);
  if (sum.ok()) return call.reply.integer(*sum);

  const Status failure = sum.status();
  if (failure.is(StatusCode::kUnavailable)) return call.reply.error(kOverflow);
  if (!failure.is(StatusCode::kInvalidArgument)) {
    return call.reply.error("ERR " + std::string(failure.message()));
  }
  const std::optional<RowView> row = call.tick.get(call.db(), call.args[1]);
  call.reply.error(row && !is_string(*row) ? kWrongType : kNotInteger);
}

// The sign, 4933 digits before the point and 17 behind it.
constexpr size_t kLongDoubleText = 5 * 1024;

// Up to 17 digits behind the point, no exponent, no trailing zeros, no minus before a zero.
std::string_view format_long_double(long double value, char (&text)[kLongDoubleText]) {
  const int printed = std::snprintf(text, sizeof(text), "%.17Lf", value);
  assert(printed > 0 && static_cast<size_t>(printed) < sizeof(text));
  std::string_view shown(text, static_cast<size_t>(printed));
  shown.remove_suffix(shown.size() - 1 - shown.find_last_not_of('0'));
  if (shown.back() == '.') shown.remove_suffix(1);
  return shown == "-0" ? "0" : shown;
}

}  // namespace

void incr_command(Call& call) { increment(call, 1); }

void decr_command(Call& call) { increment(call, -1); }

void incrby_command(Call& call) {
  if (const std::optional<int64_t> delta = int64_argument(call, 2)) increment(call, *delta);
}

void decrby_command(Call& call) {
  const std::optional<int64_t> delta = int64_argument(call, 2);
  if (!delta) return;
  if (*delta == std::numeric_limits<int64_t>::min()) {
    return call.reply.error("ERR decrement would overflow");
  }
  increment(call, -*delta);
}

void incrbyfloat_command(Call& call) {
  StringRow row;
  if (!get_string(call, call.args[1], &row)) return;
  const std::optional<long double> value = row.present ? parse_long_double(row.bytes) : 0.0L;
  if (!value) return call.reply.error(kNotFloat);
  const std::optional<long double> delta = parse_long_double(call.args[2]);
  if (!delta) return call.reply.error(kNotFloat);

  const long double sum = *value + *delta;
  if (!std::isfinite(sum)) return call.reply.error("ERR increment would produce NaN or Infinity");
  char text[kLongDoubleText];
  const std::string_view shown = format_long_double(sum, text);
  call.tick.put(call.db(), call.args[1], RowKind::kString, shown, row.expires_at_ms);
  call.reply.bulk(shown);
}

}  // namespace syntropy
