#include "server/latency_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

namespace syntropy {

namespace {

constexpr size_t kColumns = 80;
constexpr int kRows = 4;
// Glyphs of a cell, by how much of it is filled.
constexpr std::string_view kLevels = " _-#";
constexpr int kLevelsPerRow = 3;

std::string age_label(uint64_t seconds) {
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m", seconds / 60);
  if (seconds < 86400) return fmt::format("{}h", seconds / 3600);
  return fmt::format("{}d", seconds / 86400);
}

// One line of the chart: character `row` of each label, blanks cut off at the end.
std::string label_line(const std::vector<std::string>& labels, size_t row) {
  std::string line;
  for (const std::string& label : labels) line.push_back(row < label.size() ? label[row] : ' ');
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

struct Summary {
  size_t count = 0;
  double mean_ms = 0;
  double deviation_ms = 0;  // mean absolute
  double period_s = 0;      // between two spikes on average; 0 with less than two
};

Summary summarize(const LatencyHistory& history) {
  Summary summary;
  summary.count = history.samples.size();
  const auto count = static_cast<double>(summary.count);
  for (const LatencySample& sample : history.samples) {
    summary.mean_ms += static_cast<double>(sample.millis) / count;
  }
  for (const LatencySample& sample : history.samples) {
    summary.deviation_ms += std::abs(static_cast<double>(sample.millis) - summary.mean_ms) / count;
  }
  if (summary.count > 1) {
    const uint64_t span = history.samples.back().unix_time_s - history.samples.front().unix_time_s;
    summary.period_s = static_cast<double>(span) / (count - 1);
  }
  return summary;
}

std::string_view advice_on(std::string_view event) {
  if (event == kLatencyCommand) {
    return "Commands that are not O(1) took long. SLOWLOG GET names them. KEYS, large MGET and "
           "SCAN with a large COUNT are the usual ones; split them.";
  }
  if (event == kLatencyFastCommand) {
    return "Commands that touch one key took long, so the time went elsewhere: look for other busy "
           "processes, swapping, or more io-threads than processors.";
  }
  if (event == kLatencyCommit) {
    return "Writing a batch to the log took long. INFO storage tells whether writes are stalled by "
           "compaction (storage_write_stalled, storage_pending_compaction_bytes): raise "
           "max-background-jobs or write-buffer-size, or write less at a time.";
  }
  if (event == kLatencyFsync) {
    return "The disk took long to sync the log. Check what else uses the disk; on disks without a "
           "power-safe cache 'appendfsync everysec' takes syncs off the path of replies.";
  }
  if (event == kLatencyExpireCycle) {
    return "Many keys expired at the same moment. Spread their expiry times.";
  }
  if (event == kLatencyFetch) {
    return "Rows that were not in memory were read slowly. Raise block-cache-size or "
           "row-cache-size, or read-threads if the disk serves more requests at a time.";
  }
  return {};
}

}  // namespace

std::string latency_graph(std::string_view event, const LatencyHistory& history, uint64_t now_s) {
  const size_t shown = std::min(history.samples.size(), kColumns);
  const auto first = history.samples.end() - static_cast<std::ptrdiff_t>(shown);
  uint64_t high = 0;
  uint64_t low = UINT64_MAX;
  for (auto at = first; at != history.samples.end(); ++at) {
    high = std::max(high, at->millis);
    low = std::min(low, at->millis);
  }
  std::string text = fmt::format("{} - high {} ms, low {} ms (all time high {} ms)\n{}\n", event,
                                 high, low, history.longest_ms, std::string(kColumns, '-'));

  std::vector<int> heights;
  std::vector<std::string> labels;
  for (auto at = first; at != history.samples.end(); ++at) {
    const double share =
        high == low ? 1.0 : static_cast<double>(at->millis - low) / static_cast<double>(high - low);
    // The lowest sample still shows.
    heights.push_back(1 + static_cast<int>(std::lround(share * (kRows * kLevelsPerRow - 1))));
    labels.push_back(age_label(now_s > at->unix_time_s ? now_s - at->unix_time_s : 0));
  }
  for (int row = kRows - 1; row >= 0; --row) {
    for (const int height : heights) {
      const int level = std::clamp(height - row * kLevelsPerRow, 0, kLevelsPerRow);
      text.push_back(kLevels[static_cast<size_t>(level)]);
    }
    text.push_back('\n');
  }
  size_t longest_label = 0;
  for (const std::string& label : labels) longest_label = std::max(longest_label, label.size());
  text.push_back('\n');
  for (size_t row = 0; row < longest_label; ++row) text += label_line(labels, row);
  return text;
}

std::string latency_advice(const std::map<std::string, LatencyHistory, std::less<>>& events,
                           uint64_t threshold_ms, int64_t slowlog_slower_than_us) {
  if (threshold_ms == 0) {
    return "Latency monitoring is off, so there is nothing to judge by. Turn it on with CONFIG SET "
           "latency-monitor-threshold <milliseconds> and ask again after a while.\n";
  }
  if (events.empty()) {
    return fmt::format("No step of the server took {} ms or longer since monitoring began.\n",
                       threshold_ms);
  }
  std::string text =
      fmt::format("Steps of the server that took {} ms or longer:\n\n", threshold_ms);
  std::string advice;
  size_t number = 0;
  for (const auto& [event, history] : events) {
    const Summary summary = summarize(history);
    text += fmt::format("{}. {}: {} {}, {:.0f} ms on average, mean deviation {:.0f} ms", ++number,
                        event, summary.count, summary.count == 1 ? "spike" : "spikes",
                        summary.mean_ms, summary.deviation_ms);
    if (summary.count > 1) text += fmt::format(", one every {:.2f} s", summary.period_s);
    text += fmt::format(", the longest ever {} ms.\n", history.longest_ms);
    if (const std::string_view hint = advice_on(event); !hint.empty()) {
      advice += fmt::format("- {}: {}\n", event, hint);
    }
  }
  const bool about_commands =
      events.contains(kLatencyCommand) || events.contains(kLatencyFastCommand);
  if (about_commands && (slowlog_slower_than_us < 0 ||
                         static_cast<uint64_t>(slowlog_slower_than_us) > threshold_ms * 1000)) {
    advice += fmt::format(
        "- The slow log misses some of these commands: set slowlog-log-slower-than to {}.\n",
        threshold_ms * 1000);
  }
  if (!advice.empty()) text += "\nWhat can be done:\n\n" + advice;
  return text;
}

}  // namespace syntropy
