#include "server/slowlog.h"

#include <fmt/format.h>

#include <algorithm>

namespace syntropy {

namespace {

std::string trim_argument(std::string_view arg) {
  if (arg.size() <= SlowLog::kMaxArgBytes) return std::string(arg);
  return fmt::format("{}... ({} more bytes)", arg.substr(0, SlowLog::kMaxArgBytes),
                     arg.size() - SlowLog::kMaxArgBytes);
}

std::vector<std::string> trim_arguments(std::span<const std::string_view> args) {
  std::vector<std::string> trimmed;
  const bool too_many = args.size() > SlowLog::kMaxArgs;
  const size_t whole = too_many ? SlowLog::kMaxArgs - 1 : args.size();
  trimmed.reserve(whole + (too_many ? 1 : 0));
  for (const std::string_view arg : args.first(whole)) trimmed.push_back(trim_argument(arg));
  if (too_many) trimmed.push_back(fmt::format("... ({} more arguments)", args.size() - whole));
  return trimmed;
}

}  // namespace

void SlowLog::configure(int64_t slower_than_us, uint64_t max_len) {
  slower_than_us_.store(slower_than_us, std::memory_order_relaxed);
  std::lock_guard lock(mutex_);
  max_len_ = max_len;
}

void SlowLog::add(std::span<const std::string_view> args, uint64_t micros, uint64_t unix_time_s,
                  std::string_view client_address, std::string_view client_name) {
  SlowLogEntry entry{0,
                     unix_time_s,
                     micros,
                     trim_arguments(args),
                     std::string(client_address),
                     std::string(client_name)};
  std::lock_guard lock(mutex_);
  entry.id = next_id_++;
  entries_.push_front(std::move(entry));
  while (entries_.size() > max_len_) entries_.pop_back();
}

std::vector<SlowLogEntry> SlowLog::newest(size_t limit) const {
  std::lock_guard lock(mutex_);
  const size_t count = std::min(limit, entries_.size());
  return {entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(count)};
}

size_t SlowLog::size() const {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

void SlowLog::reset() {
  std::lock_guard lock(mutex_);
  entries_.clear();
}

}  // namespace syntropy
