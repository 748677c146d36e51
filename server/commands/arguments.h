// Reading a command's arguments and rows: what several files of commands share.
//
// Numbers are read as Redis 7.0 reads them: strictly, without blanks, plus signs or leading zeros.
// Functions that take a Call write the error reply themselves when they fail; the handler then only
// returns.
//
// Thread safety: free functions on the caller's data.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/command.h"
#include "storage/counter.h"

namespace syntropy {

// --- text to numbers -----------------------------------------------------------------------------

/// A decimal integer in its shortest form ("0", "-12"; not "-0", "+1", "01", " 1").
inline std::optional<int64_t> parse_int64(std::string_view text) { return parse_integer(text); }
/// A number as strtod reads it ("1e3", "0x10", "inf" included), without blanks around it and
/// neither NaN nor out of range.
std::optional<double> parse_double(std::string_view text);
std::optional<long double> parse_long_double(std::string_view text);

/// True when they differ at most in the case of ASCII letters.
bool equals_ignoring_case(std::string_view text, std::string_view lower_case);

/// The integer argument, or nothing after replying `error`.
std::optional<int64_t> int64_argument(Call& call, size_t index,
                                      std::string_view error = kNotInteger);

void reply_syntax_error(Call& call);
/// "ERR wrong number of arguments for '...' command".
void reply_wrong_arity(Call& call);

// --- expiry --------------------------------------------------------------------------------------

enum class TimeUnit : uint8_t { kSeconds, kMilliseconds };
enum class TimeBase : uint8_t { kNow, kUnixEpoch };

/// The expiry of SET, GETEX and SETEX: a positive number. Returns Unix milliseconds, which may be
/// past when the base is the epoch; or nothing after replying with an error.
std::optional<uint64_t> parse_expiry(Call& call, std::string_view text, TimeUnit unit,
                                     TimeBase base);

/// The expiry of the EXPIRE family, which may be zero, negative or past. Returns Unix milliseconds,
/// at least 1 (0 would mean: never); or nothing after replying with an error.
std::optional<uint64_t> parse_expire_time(Call& call, std::string_view text, TimeUnit unit,
                                          TimeBase base);

/// The options that SET and GETEX have in common.
struct StringOptions {
  bool only_if_absent = false;   // NX
  bool only_if_present = false;  // XX
  bool get = false;              // GET
  bool keep_expiry = false;      // KEEPTTL
  bool persist = false;          // PERSIST
  std::string_view expiry_name;  // "ex", "px", "exat" or "pxat"; empty: none was given
  std::string_view expiry;       // its argument, not yet parsed
  TimeUnit expiry_unit = TimeUnit::kSeconds;
  TimeBase expiry_base = TimeBase::kNow;

  bool has_expiry() const { return !expiry_name.empty(); }
};

enum class StringOptionSet : uint8_t { kSet, kGetEx };

/// Reads the options from args[first] on; false after replying with a syntax error.
bool parse_string_options(Call& call, size_t first, StringOptionSet allowed,
                          StringOptions* options);

// --- rows ----------------------------------------------------------------------------------------

/// Room for the decimal digits of a counter.
using DigitsBuffer = std::array<char, 24>;

/// True for the kinds that clients know as a string.
inline bool is_string(const RowView& row) {
  return row.kind == RowKind::kString || row.kind == RowKind::kCounter;
}

/// The bytes of a string or counter row, which point into the row or into `buffer`.
/// The row must be one of the two.
std::string_view string_value(const RowView& row, DigitsBuffer* buffer);

/// A key's string, as get_string() found it.
struct StringRow {
  StringRow() = default;
  StringRow(const StringRow&) = delete;  // `bytes` may point into `digits`
  StringRow& operator=(const StringRow&) = delete;

  bool present = false;
  std::string_view bytes;      // valid until the next command; empty when absent
  uint64_t expires_at_ms = 0;  // 0: never
  DigitsBuffer digits;
};

/// Reads the key into `*row`; false after replying kWrongType when it holds something else.
bool get_string(Call& call, std::string_view key, StringRow* row);

/// Replies the row as a bulk, or kWrongType (then false).
bool reply_string(Call& call, const RowView& row);

/// Whether a string may be `size` bytes long: proto-max-bulk-len, and never above 2 GiB.
bool string_size_allowed(Call& call, uint64_t size);
/// The same; replies the error when it may not.
bool check_string_size(Call& call, uint64_t size);

}  // namespace syntropy
