// LATENCY: the spikes that the latency monitor kept (server/latency.h), and the distribution of
// each command's execution times (server/stats.h).

#include "server/latency.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "server/commands/arguments.h"
#include "server/commands/diagnosis.h"
#include "server/commands/help.h"
#include "server/commands/table.h"
#include "server/config/config_store.h"
#include "server/context.h"
#include "server/latency_report.h"
#include "server/stats.h"
#include "storage/base/clock.h"

namespace syntropy {
namespace {

void latency_latest_command(Call& call) {
  const auto events = call.server.latency.all();
  call.reply.array(events.size());
  for (const auto& [event, history] : events) {
    call.reply.array(4);
    call.reply.bulk(event);
    call.reply.integer(static_cast<int64_t>(history.samples.back().unix_time_s));
    call.reply.integer(static_cast<int64_t>(history.samples.back().millis));
    call.reply.integer(static_cast<int64_t>(history.longest_ms));
  }
}

void latency_history_command(Call& call) {
  const LatencyHistory history = call.server.latency.history(call.args[2]);
  call.reply.array(history.samples.size());
  for (const LatencySample& sample : history.samples) {
    call.reply.array(2);
    call.reply.integer(static_cast<int64_t>(sample.unix_time_s));
    call.reply.integer(static_cast<int64_t>(sample.millis));
  }
}

void latency_reset_command(Call& call) {
  size_t events = 0;
  if (call.argc() == 2) events = call.server.latency.reset_all();
  for (const std::string_view event : call.args.subspan(2)) {
    if (call.server.latency.reset(event)) ++events;
  }
  call.reply.integer(static_cast<int64_t>(events));
}

void latency_graph_command(Call& call) {
  const LatencyHistory history = call.server.latency.history(call.args[2]);
  if (history.samples.empty()) {
    return call.reply.error(fmt::format("ERR No samples available for event '{}'", call.args[2]));
  }
  const uint64_t now_s = call.server.clock.wall_us() / 1'000'000;
  call.reply.verbatim("txt", latency_graph(call.args[2], history, now_s));
}

void latency_doctor_command(Call& call) {
  const LatencyMonitor& monitor = call.server.latency;
  const auto config = call.server.config.current();
  call.reply.verbatim("txt", latency_advice(monitor.all(), monitor.threshold_ms(),
                                            config->monitor.slowlog_log_slower_than_us));
}

/// A command's entry in LATENCY HISTOGRAM; false when it was never called.
bool reply_histogram(Call& call, const CommandSpec& spec) {
  const size_t index = command_index(spec);
  const LatencyCounts counts = call.server.stats.latency(index);
  if (counts.total == 0) return false;
  const std::vector<LatencyCounts::Point> points = counts.cumulative();
  call.reply.bulk(full_name(spec));
  call.reply.map(2);
  call.reply.bulk("calls");
  call.reply.integer(static_cast<int64_t>(counts.total));
  call.reply.bulk("histogram_usec");
  call.reply.map(points.size());
  for (const LatencyCounts::Point& point : points) {
    call.reply.integer(static_cast<int64_t>(point.micros));
    call.reply.integer(static_cast<int64_t>(point.calls));
  }
  return true;
}

/// The command and, for a container, its subcommands; returns how many entries were written.
size_t reply_histograms(Call& call, const CommandSpec& spec) {
  size_t entries = reply_histogram(call, spec) ? 1 : 0;
  for (const CommandSpec& subcommand : spec.subcommands) {
    if (reply_histogram(call, subcommand)) ++entries;
  }
  return entries;
}

void latency_histogram_command(Call& call) {
  const size_t mark = call.reply.size();
  size_t entries = 0;
  if (call.argc() == 2) {
    for (const CommandSpec* spec : all_commands()) entries += reply_histograms(call, *spec);
  }
  for (const std::string_view name : call.args.subspan(2)) {
    const size_t bar = name.find('|');
    const CommandSpec* spec = find_command(name.substr(0, bar));
    if (spec == nullptr) continue;
    if (bar == name.npos) {
      entries += reply_histograms(call, *spec);
    } else if (const auto* subcommand = find_subcommand(*spec, name.substr(bar + 1))) {
      entries += reply_histogram(call, *subcommand) ? 1 : 0;
    }
  }
  call.reply.insert_map_header(mark, entries);
}

constexpr uint32_t kAdminFlags = kAdmin | kNoScript | kLoading | kStale | kNoRows;
constexpr std::string_view kDangerous = "@admin @slow @dangerous";

const CommandSpec kSubcommands[] = {
    {.name = "doctor",
     .arity = 2,
     .flags = kAdminFlags,
     .keys = {},
     .handler = latency_doctor_command,
     .group = "server",
     .since = "2.8.13",
     .summary = "Says in words which steps were slow and what can be done.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = kDangerous},
    {.name = "graph",
     .arity = 3,
     .flags = kAdminFlags,
     .keys = {},
     .handler = latency_graph_command,
     .group = "server",
     .since = "2.8.13",
     .summary = "Draws the samples of an event.",
     .complexity = "O(1)",
     .syntax = "event",
     .categories = kDangerous},
    {.name = "help",
     .arity = 2,
     .flags = kLoading | kStale | kNoRows,
     .keys = {},
     .handler = help_command,
     .group = "server",
     .since = "2.8.13",
     .summary = "Lists the subcommands.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = "@slow"},
    {.name = "histogram",
     .arity = -2,
     .flags = kAdminFlags,
     .keys = {},
     .handler = latency_histogram_command,
     .group = "server",
     .since = "7.0.0",
     .summary = "Answers with the distribution of commands' execution times.",
     .complexity =
         "O(N) where N is the number of commands with latency information being retrieved.",
     .syntax = "[command ...]",
     .categories = kDangerous},
    {.name = "history",
     .arity = 3,
     .flags = kAdminFlags,
     .keys = {},
     .handler = latency_history_command,
     .group = "server",
     .since = "2.8.13",
     .summary = "Answers with the samples of an event, oldest first.",
     .complexity = "O(1)",
     .syntax = "event",
     .categories = kDangerous},
    {.name = "latest",
     .arity = 2,
     .flags = kAdminFlags,
     .keys = {},
     .handler = latency_latest_command,
     .group = "server",
     .since = "2.8.13",
     .summary = "Answers with the newest sample of each event.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = kDangerous},
    {.name = "reset",
     .arity = -2,
     .flags = kAdminFlags,
     .keys = {},
     .handler = latency_reset_command,
     .group = "server",
     .since = "2.8.13",
     .summary = "Forgets the samples of some or all events and tells of how many.",
     .complexity = "O(1)",
     .syntax = "[event ...]",
     .categories = kDangerous},
};

}  // namespace

CommandSpec latency_spec() {
  return {.name = "latency",
          .arity = -2,
          .flags = 0,
          .keys = {},
          .handler = nullptr,
          .group = "server",
          .since = "2.8.13",
          .summary = "Commands on the server's latency.",
          .complexity = "Depends on subcommand.",
          .syntax = "",
          .categories = "@slow",
          .subcommands = kSubcommands};
}

}  // namespace syntropy
