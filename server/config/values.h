// How the values of options are written: parsing and printing of single values, in Redis' forms.
//
// A parser returns the value or a reason, in the words with which Redis answers CONFIG SET
// ("argument must be ..."); the caller says which option it was.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/config/config.h"
#include "storage/base/status.h"

namespace syntropy {

/// A decimal integer without sign '+', blanks or leading zeros, within min..max.
Result<std::int64_t> parse_integer(std::string_view text, std::int64_t min, std::int64_t max);

/// Bytes: a decimal number with an optional unit, in any case: b, k = 1000, kb = 1024, m, mb, g,
/// gb. Within min..max; at most 2^63 - 1.
Result<std::uint64_t> parse_memory(std::string_view text, std::uint64_t min, std::uint64_t max);

/// A memory size, or 0..100 followed by '%'. "0%" is no limit.
Result<MemoryLimit> parse_memory_limit(std::string_view text);

/// yes or no, in any case.
Result<bool> parse_bool(std::string_view text);

/// Mode bits in octal digits, 0..0777.
Result<unsigned> parse_octal(std::string_view text);

/// A plain decimal number, 0..100; `option` is named by the message.
Result<double> parse_percentile(std::string_view text, std::string_view option);

/// The shortest form that parse_memory reads back: "64mb", "1gb", "1000".
std::string format_memory(std::uint64_t bytes);

/// ASCII letters compared without case.
bool equal_ignoring_case(std::string_view a, std::string_view b);
std::string to_lower(std::string_view text);

}  // namespace syntropy
