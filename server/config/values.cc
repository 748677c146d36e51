#include "server/config/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

namespace syntropy {
namespace {

constexpr std::uint64_t kMaxBytes = std::numeric_limits<std::int64_t>::max();

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

/// Parses all of `text` as an unsigned number of the base; false when it is anything else.
bool parse_unsigned(std::string_view text, int base, std::uint64_t* value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *value, base);
  return error == std::errc() && stop == end;
}

Status out_of_bounds(std::int64_t min, std::int64_t max) {
  return Status::invalid_argument(
      fmt::format("argument must be between {} and {} inclusive", min, max));
}

/// Bytes per unit; 0 when there is no such unit.
std::uint64_t unit_bytes(std::string_view unit) {
  struct Unit {
    std::string_view name;
    std::uint64_t bytes;
  };
  constexpr Unit kUnits[] = {{"", 1},        {"b", 1},     {"k", 1000},       {"kb", kKiB},
                             {"m", 1000000}, {"mb", kMiB}, {"g", 1000000000}, {"gb", kGiB}};
  for (const Unit& known : kUnits) {
    if (equal_ignoring_case(unit, known.name)) return known.bytes;
  }
  return 0;
}

/// False when `text` is no memory size or exceeds kMaxBytes.
bool read_memory(std::string_view text, std::uint64_t* bytes) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  std::uint64_t number = 0;
  const std::uint64_t unit = unit_bytes(text.substr(digits));
  if (digits == 0 || unit == 0 || !parse_unsigned(text.substr(0, digits), 10, &number)) {
    return false;
  }
  if (number > kMaxBytes / unit) return false;
  *bytes = number * unit;
  return true;
}

}  // namespace

Result<std::int64_t> parse_integer(std::string_view text, std::int64_t min, std::int64_t max) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  const bool canonical = text == "0" || !digits.starts_with('0');
  if (error != std::errc() || stop != end || !canonical) {
    return Status::invalid_argument("argument couldn't be parsed into an integer");
  }
  if (value < min || value > max) return out_of_bounds(min, max);
  return value;
}

Result<std::uint64_t> parse_memory(std::string_view text, std::uint64_t min, std::uint64_t max) {
  std::uint64_t bytes = 0;
  if (!read_memory(text, &bytes)) {
    return Status::invalid_argument("argument must be a memory value");
  }
  const std::uint64_t limit = std::min(max, kMaxBytes);
  if (bytes < min || bytes > limit) {
    return out_of_bounds(static_cast<std::int64_t>(min), static_cast<std::int64_t>(limit));
  }
  return bytes;
}

Result<MemoryLimit> parse_memory_limit(std::string_view text) {
  MemoryLimit limit;
  if (text.ends_with('%')) {
    const auto percent =
        parse_integer(text.substr(0, text.size() - 1), 0, std::numeric_limits<std::int64_t>::max());
    if (percent.ok()) {
      if (*percent > 100) {
        return Status::invalid_argument("percentage argument must be less or equal to 100");
      }
      limit.percent = static_cast<unsigned>(*percent);
      return limit;
    }
  } else if (read_memory(text, &limit.bytes)) {
    return limit;
  }
  return Status::invalid_argument("argument must be a memory or percent value");
}

Result<bool> parse_bool(std::string_view text) {
  if (equal_ignoring_case(text, "yes")) return true;
  if (equal_ignoring_case(text, "no")) return false;
  return Status::invalid_argument("argument must be 'yes' or 'no'");
}

Result<unsigned> parse_octal(std::string_view text) {
  std::uint64_t bits = 0;
  if (!parse_unsigned(text, 8, &bits)) {
    return Status::invalid_argument("argument couldn't be parsed as an octal number");
  }
  if (bits > 0777) {
    return Status::invalid_argument("argument must be between 0 and 777 inclusive");
  }
  return static_cast<unsigned>(bits);
}

Result<double> parse_percentile(std::string_view text, std::string_view option) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  if (error != std::errc() || stop != end || !std::isfinite(value)) {
    return Status::invalid_argument(fmt::format("Invalid {} parameters", option));
  }
  if (value < 0 || value > 100) {
    return Status::invalid_argument(
        fmt::format("{} parameters should sit between [0.0,100.0]", option));
  }
  return value;
}

std::string format_memory(std::uint64_t bytes) {
  if (bytes != 0 && bytes % kGiB == 0) return fmt::format("{}gb", bytes / kGiB);
  if (bytes != 0 && bytes % kMiB == 0) return fmt::format("{}mb", bytes / kMiB);
  if (bytes != 0 && bytes % kKiB == 0) return fmt::format("{}kb", bytes / kKiB);
  return fmt::format("{}", bytes);
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

}  // namespace syntropy
