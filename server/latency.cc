#include "server/latency.h"

#include <algorithm>

namespace syntropy {

void LatencyMonitor::add(std::string_view event, uint64_t millis, uint64_t unix_time_s) {
  std::lock_guard lock(mutex_);
  auto at = events_.find(event);
  if (at == events_.end()) at = events_.emplace(std::string(event), LatencyHistory()).first;
  LatencyHistory& history = at->second;
  history.longest_ms = std::max(history.longest_ms, millis);
  if (!history.samples.empty() && history.samples.back().unix_time_s == unix_time_s) {
    LatencySample& second = history.samples.back();
    second.millis = std::max(second.millis, millis);
    return;
  }
  if (history.samples.size() == kMaxSamples) history.samples.erase(history.samples.begin());
  history.samples.push_back({unix_time_s, millis});
}

std::map<std::string, LatencyHistory, std::less<>> LatencyMonitor::all() const {
  std::lock_guard lock(mutex_);
  return events_;
}

LatencyHistory LatencyMonitor::history(std::string_view event) const {
  std::lock_guard lock(mutex_);
  const auto at = events_.find(event);
  return at == events_.end() ? LatencyHistory() : at->second;
}

bool LatencyMonitor::reset(std::string_view event) {
  std::lock_guard lock(mutex_);
  const auto at = events_.find(event);
  if (at == events_.end()) return false;
  events_.erase(at);
  return true;
}

size_t LatencyMonitor::reset_all() {
  std::lock_guard lock(mutex_);
  const size_t count = events_.size();
  events_.clear();
  return count;
}

}  // namespace syntropy
