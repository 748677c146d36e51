#include "server/commands/arguments.h"

#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "server/commands/table.h"
#include "server/config/config_store.h"
#include "server/context.h"

namespace syntropy {
namespace {

// No option sets proto-max-bulk-len below this, so that a short string needs no look at it.
constexpr uint64_t kAlwaysAllowedSize = 1 << 20;

// Whatever the option says: the engine takes no row of 4 GiB, and a few bytes of request must not
// ask for more memory than there is.
constexpr uint64_t kLongestString = uint64_t{2} << 30;

// Longer texts are no numbers to Redis either; all digits of the greatest long double fit.
constexpr size_t kMaxFloatText = 5 * 1024;

struct ExpiryOption {
  std::string_view name;
  TimeUnit unit;
  TimeBase base;
};

constexpr ExpiryOption kExpiryOptions[] = {
    {"ex", TimeUnit::kSeconds, TimeBase::kNow},
    {"px", TimeUnit::kMilliseconds, TimeBase::kNow},
    {"exat", TimeUnit::kSeconds, TimeBase::kUnixEpoch},
    {"pxat", TimeUnit::kMilliseconds, TimeBase::kUnixEpoch},
};

const ExpiryOption* find_expiry_option(std::string_view name) {
  for (const ExpiryOption& option : kExpiryOptions) {
    if (equals_ignoring_case(name, option.name)) return &option;
  }
  return nullptr;
}

double strto(const char* text, char** end, double) { return std::strtod(text, end); }
long double strto(const char* text, char** end, long double) { return std::strtold(text, end); }

template <class Float>
std::optional<Float> parse_float(std::string_view text) {
  if (text.empty() || text.size() >= kMaxFloatText) return std::nullopt;
  if (std::isspace(static_cast<unsigned char>(text.front()))) return std::nullopt;
  char terminated[kMaxFloatText];
  std::memcpy(terminated, text.data(), text.size());
  terminated[text.size()] = '\0';

  char* end = nullptr;
  errno = 0;
  const Float value = strto(terminated, &end, Float());
  if (end != terminated + text.size() || std::isnan(value)) return std::nullopt;
  // A subnormal result also sets ERANGE, and is a fine number.
  if (errno == ERANGE && (std::isinf(value) || value == 0)) return std::nullopt;
  return value;
}

bool reply_bad_expiry(Call& call) {
  std::string text = "ERR invalid expire time in '";
  text.append(full_name(call.spec)).append("' command");
  call.reply.error(text);
  return false;
}

// The integer in milliseconds, moved to the epoch. False when it leaves the range of int64_t.
bool to_unix_ms(int64_t number, TimeUnit unit, TimeBase base, uint64_t now_ms, int64_t* unix_ms) {
  if (unit == TimeUnit::kSeconds && __builtin_mul_overflow(number, 1000, &number)) return false;
  const int64_t start = base == TimeBase::kNow ? static_cast<int64_t>(now_ms) : 0;
  return !__builtin_add_overflow(number, start, unix_ms);
}

}  // namespace

std::optional<double> parse_double(std::string_view text) { return parse_float<double>(text); }

std::optional<long double> parse_long_double(std::string_view text) {
  return parse_float<long double>(text);
}

bool equals_ignoring_case(std::string_view text, std::string_view lower_case) {
  if (text.size() != lower_case.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    if (lower != lower_case[i]) return false;
  }
  return true;
}

std::optional<int64_t> int64_argument(Call& call, size_t index, std::string_view error) {
  const std::optional<int64_t> value = parse_int64(call.args[index]);
  if (!value) call.reply.error(error);
  return value;
}

void reply_syntax_error(Call& call) { call.reply.error(kSyntaxError); }

void reply_wrong_arity(Call& call) {
  std::string text = "ERR wrong number of arguments for '";
  text.append(full_name(call.spec)).append("' command");
  call.reply.error(text);
}

std::optional<uint64_t> parse_expiry(Call& call, std::string_view text, TimeUnit unit,
                                     TimeBase base) {
  const std::optional<int64_t> number = parse_int64(text);
  if (!number) {
    call.reply.error(kNotInteger);
    return std::nullopt;
  }
  int64_t unix_ms = 0;
  if (*number <= 0 || !to_unix_ms(*number, unit, base, call.now_ms, &unix_ms)) {
    reply_bad_expiry(call);
    return std::nullopt;
  }
  return static_cast<uint64_t>(unix_ms);
}

std::optional<uint64_t> parse_expire_time(Call& call, std::string_view text, TimeUnit unit,
                                          TimeBase base) {
  const std::optional<int64_t> number = parse_int64(text);
  if (!number) {
    call.reply.error(kNotInteger);
    return std::nullopt;
  }
  int64_t unix_ms = 0;
  if (!to_unix_ms(*number, unit, base, call.now_ms, &unix_ms)) {
    reply_bad_expiry(call);
    return std::nullopt;
  }
  return static_cast<uint64_t>(unix_ms < 1 ? 1 : unix_ms);
}

bool parse_string_options(Call& call, size_t first, StringOptionSet allowed,
                          StringOptions* options) {
  const bool is_set = allowed == StringOptionSet::kSet;
  for (size_t i = first; i < call.argc(); ++i) {
    const std::string_view name = call.args[i];
    if (is_set && !options->only_if_present && equals_ignoring_case(name, "nx")) {
      options->only_if_absent = true;
    } else if (is_set && !options->only_if_absent && equals_ignoring_case(name, "xx")) {
      options->only_if_present = true;
    } else if (is_set && equals_ignoring_case(name, "get")) {
      options->get = true;
    } else if (is_set && !options->has_expiry() && equals_ignoring_case(name, "keepttl")) {
      options->keep_expiry = true;
    } else if (!is_set && !options->has_expiry() && equals_ignoring_case(name, "persist")) {
      options->persist = true;
    } else {
      const ExpiryOption* expiry = find_expiry_option(name);
      // The same option twice is allowed, as in Redis: the last one counts.
      const bool conflicts =
          options->keep_expiry || options->persist ||
          (options->has_expiry() && expiry != nullptr && options->expiry_name != expiry->name);
      if (expiry == nullptr || conflicts || i + 1 == call.argc()) {
        reply_syntax_error(call);
        return false;
      }
      options->expiry_name = expiry->name;
      options->expiry_unit = expiry->unit;
      options->expiry_base = expiry->base;
      options->expiry = call.args[++i];
    }
  }
  return true;
}

std::string_view string_value(const RowView& row, DigitsBuffer* buffer) {
  if (row.kind == RowKind::kString) return row.payload;
  assert(row.kind == RowKind::kCounter);
  // Tick::get() gives no counter that cannot be read.
  const Result<int64_t> value = counter_value_saturated(row);
  char* begin = buffer->data();
  const char* end = std::to_chars(begin, begin + buffer->size(), *value).ptr;
  return {begin, static_cast<size_t>(end - begin)};
}

bool get_string(Call& call, std::string_view key, StringRow* row) {
  const std::optional<RowView> found = call.tick.get(call.db(), key);
  if (!found) return true;
  if (!is_string(*found)) {
    call.reply.error(kWrongType);
    return false;
  }
  row->present = true;
  row->bytes = string_value(*found, &row->digits);
  row->expires_at_ms = found->expires_at_ms;
  return true;
}

bool reply_string(Call& call, const RowView& row) {
  if (!is_string(row)) {
    call.reply.error(kWrongType);
    return false;
  }
  DigitsBuffer digits;
  call.reply.bulk(string_value(row, &digits));
  return true;
}

bool string_size_allowed(Call& call, uint64_t size) {
  if (size <= kAlwaysAllowedSize) return true;
  return size <= kLongestString && size <= call.server.config.current()->clients.proto_max_bulk_len;
}

bool check_string_size(Call& call, uint64_t size) {
  if (string_size_allowed(call, size)) return true;
  call.reply.error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
  return false;
}

}  // namespace syntropy
