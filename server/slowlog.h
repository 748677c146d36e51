// SlowLog: the commands that took longest to execute, newest first, in memory.
//
// An entry holds at most 32 arguments of at most 128 bytes each, so the log's memory is bounded by
// its length; what is left out is counted in the last argument, or at the end of the argument, in
// the form of redis-server 7.0.
//
// Thread safety: any thread. wants() is one relaxed load, for the path of every command.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace syntropy {

struct SlowLogEntry {
  uint64_t id = 0;  // growing, not reused by reset()
  uint64_t unix_time_s = 0;
  uint64_t micros = 0;
  std::vector<std::string> args;
  std::string client_address;
  std::string client_name;
};

class SlowLog {
 public:
  static constexpr size_t kMaxArgs = 32;
  static constexpr size_t kMaxArgBytes = 128;

  /// `slower_than_us`: 0 logs every command, a negative number none. `max_len`: entries kept; a
  /// smaller number than before takes effect with the next entry.
  void configure(int64_t slower_than_us, uint64_t max_len);

  bool wants(uint64_t micros) const {
    const int64_t slower_than = slower_than_us_.load(std::memory_order_relaxed);
    return slower_than >= 0 && micros >= static_cast<uint64_t>(slower_than);
  }
  /// Enters a command; `args` as redact_arguments() made them. The caller has asked wants().
  void add(std::span<const std::string_view> args, uint64_t micros, uint64_t unix_time_s,
           std::string_view client_address, std::string_view client_name);

  /// At most `limit` entries, newest first.
  std::vector<SlowLogEntry> newest(size_t limit) const;
  size_t size() const;
  void reset();

 private:
  std::atomic<int64_t> slower_than_us_{10000};
  mutable std::mutex mutex_;  // guards what follows
  uint64_t max_len_ = 128;
  uint64_t next_id_ = 0;
  std::deque<SlowLogEntry> entries_;  // newest first
};

}  // namespace syntropy
