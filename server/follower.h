// Follower: a node that follows a redis-server (REPLICAOF), as commands and the dispatcher see it.
// server/migration/redis_follower.h does it.
//
// Thread safety: any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>

#include "storage/base/status.h"

namespace syntropy {

class Follower {
 public:
  enum class Mode : uint8_t {
    kNone,       // a node of its own
    kCopying,    // no reads, no writes
    kFollowing,  // no writes
  };
  enum class Link : uint8_t { kConnecting, kHandshake, kCopying, kFollowing, kFailed };
  struct View {
    std::string host;
    uint16_t port = 0;
    Link link = Link::kConnecting;
    uint64_t offset = 0;   // of the other's stream, applied
    uint64_t idle_ms = 0;  // since something came
    uint64_t down_ms = 0;  // since it last followed
    uint64_t copied_keys = 0;
    uint64_t failed_commands = 0;
    std::map<std::string, uint64_t> left_out;  // by type of key or name of command
    std::string error;                         // of the last try, or what ended it
  };

  virtual ~Follower() = default;

  /// kInvalidArgument: this node has keys of its own, which would be lost; kAlreadyExists: it
  /// follows that one.
  virtual Status follow(const std::string& host, uint16_t port) = 0;
  /// Waits until it has ended.
  virtual Status stop() = 0;
  virtual View view() const = 0;

  Mode mode() const { return mode_.load(std::memory_order_acquire); }

 protected:
  void set_mode(Mode mode) { mode_.store(mode, std::memory_order_release); }

 private:
  std::atomic<Mode> mode_{Mode::kNone};
};

}  // namespace syntropy
