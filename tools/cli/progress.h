// Progress: one line on the terminal that says how far a long work is, and vanishes in the end.
// Says nothing when the standard error is no terminal. Also how figures are written for people.
//
// Thread safety: one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace syntropy {

class Progress {
 public:
  Progress();
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Shows "label  42% details", at most ten times a second. `total` 0: not known, no percentage.
  void show(std::string_view label, uint64_t done, uint64_t total, std::string_view details = {});
  /// Takes the line away, so that something else can be printed.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  const bool enabled_;
  Clock::time_point next_;
  bool shown_ = false;
};

/// 1234567 as "1,234,567".
std::string with_separators(uint64_t value);
/// 1536 as "1.5 KiB".
std::string bytes_text(uint64_t bytes);
/// 93784 as "1d 2h 3m"; below a minute "42s".
std::string duration_text(uint64_t seconds);
/// Unix time as "2026-01-31 23:59:59 UTC".
std::string time_text(uint64_t unix_s);

}  // namespace syntropy
