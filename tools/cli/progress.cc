#include "tools/cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace syntropy {
namespace {

constexpr auto kInterval = std::chrono::milliseconds(100);
constexpr char kBackAndErase[] = "\r\x1b[K";

}  // namespace

Progress::Progress() : enabled_(::isatty(STDERR_FILENO) == 1), next_(Clock::now()) {}

void Progress::show(std::string_view label, uint64_t done, uint64_t total,
                    std::string_view details) {
  if (!enabled_ || Clock::now() < next_) return;
  next_ = Clock::now() + kInterval;
  shown_ = true;
  std::string line = fmt::format("{}{}", kBackAndErase, label);
  if (total != 0) {
    // Totals are estimates at times; more than all is never done.
    const double percent =
        std::min(100.0, 100.0 * static_cast<double>(done) / static_cast<double>(total));
    line += fmt::format("  {:.0f}%", percent);
  }
  if (!details.empty()) line += fmt::format("  {}", details);
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
}

void Progress::clear() {
  if (!shown_) return;
  shown_ = false;
  std::fputs(kBackAndErase, stderr);
  std::fflush(stderr);
}

std::string with_separators(uint64_t value) {
  const std::string digits = std::to_string(value);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) text.push_back(',');
    text.push_back(digits[i]);
  }
  return text;
}

std::string bytes_text(uint64_t bytes) {
  constexpr std::array<std::string_view, 7> kUnits = {"B",   "KiB", "MiB", "GiB",
                                                      "TiB", "PiB", "EiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string duration_text(uint64_t seconds) {
  if (seconds < 60) return fmt::format("{}s", seconds);
  const uint64_t minutes = seconds / 60;
  if (minutes < 60) return fmt::format("{}m {}s", minutes, seconds % 60);
  const uint64_t hours = minutes / 60;
  if (hours < 24) return fmt::format("{}h {}m", hours, minutes % 60);
  return fmt::format("{}d {}h {}m", hours / 24, hours % 24, minutes % 60);
}

std::string time_text(uint64_t unix_s) {
  const auto time = static_cast<time_t>(unix_s);
  tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text.data();
}

}  // namespace syntropy
