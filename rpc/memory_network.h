// MemoryNetwork: hosts, sockets and time, all of them made up: the network under MemoryTransport.
//
// Sockets are like TCP's: ordered bytes, a window that fills up when the other side doesn't read, a
// refusal where nobody listens, silence where the way is cut. Bytes arrive in pieces of random
// size. Time is virtual and moves when a test says so; the same seed and the same calls give the
// same trace.
//
// Threading: one thread. Callbacks run inside run_...().
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "membership/entry.h"
#include "rpc/transport.h"
#include "storage/base/random.h"

namespace syntropy {

class MemoryNetwork;

/// One end of a connection. Callbacks may be null; none comes after close().
class MemorySocket : public std::enable_shared_from_this<MemorySocket> {
 public:
  std::function<void()> on_connected;
  std::function<void(Unreachable, const Status&)> on_dial_failed;
  std::function<void(std::string_view)> on_bytes;
  std::function<void()> on_written;  // all of the last write() is on its way
  std::function<void(const Status&)> on_lost;

  const PeerAddress& local() const { return local_; }
  const PeerAddress& remote() const { return remote_; }
  void write(std::string_view bytes);
  /// Isn't lost however long a cut lasts.
  void set_patient() { patient_ = true; }
  void set_reading(bool reading);
  void close();

 private:
  friend class MemoryNetwork;
  MemorySocket(MemoryNetwork& network, PeerAddress local, PeerAddress remote)
      : network_(network), local_(std::move(local)), remote_(std::move(remote)) {}

  void push();
  void arrive(std::string bytes);
  void deliver();
  void finish_if_read();
  void lose(const Status& why);

  MemoryNetwork& network_;
  PeerAddress local_;
  PeerAddress remote_;
  std::weak_ptr<MemorySocket> other_;
  std::string unsent_;                          // the writes that aren't under way in full
  size_t sent_ = 0;                             // bytes of `unsent_` that are
  bool writing_ = false;                        // on_written is owed
  size_t outstanding_ = 0;                      // sent, and not yet read by the other side
  std::string inbox_;                           // arrived, not yet read
  std::vector<std::function<void()>> stalled_;  // what a cut holds back, in order
  TimeMs arrives_ = 0;                          // what was sent last
  bool reading_ = true;
  bool patient_ = false;
  bool closed_ = false;
  bool at_end_ = false;  // the other side has closed
};

using MemorySocketPtr = std::shared_ptr<MemorySocket>;

class MemoryNetwork {
 public:
  explicit MemoryNetwork(uint64_t seed) : random_(seed) {}
  ~MemoryNetwork();
  MemoryNetwork(const MemoryNetwork&) = delete;
  MemoryNetwork& operator=(const MemoryNetwork&) = delete;

  TimeMs now() const { return now_; }
  Random& random() { return random_; }
  /// Runs `job` at `at`, in the order of times, then of calls.
  void at(TimeMs at, std::function<void()> job);
  /// Runs everything up to `until`, and moves the time there.
  void run_until(TimeMs until);
  /// Runs until `done` says true, at most up to `limit`; what it said last.
  bool run_until(const std::function<bool()>& done, TimeMs limit);

  /// kAlreadyExists: somebody listens there. Port 0 in `address` becomes a free one.
  Status listen(PeerAddress* address, std::function<void(MemorySocketPtr)> on_accept);
  void unlisten(const PeerAddress& address) { listeners_.erase(address); }
  /// Connects from `host`. on_connected or on_dial_failed follows, or nothing if the way is cut.
  MemorySocketPtr dial(const std::string& host, const PeerAddress& address);

  /// One way, from the next arrival on; 1 to begin with.
  void set_latency_ms(uint64_t ms) { latency_ms_ = ms; }
  /// As set_latency_ms(), for what goes from one host to another: at least `ms`, and up to
  /// `jitter_ms` more. What is under way on one connection stays in order.
  void set_link(const std::string& from, const std::string& to, uint64_t ms, uint64_t jitter_ms) {
    links_[{from, to}] = {ms, jitter_ms};
  }
  void clear_links() { links_.clear(); }
  /// Nothing arrives at host `to` from host `from`; it is kept back and arrives when healed.
  void cut(const std::string& from, const std::string& to);
  void heal(const std::string& from, const std::string& to);
  /// After so long in a cut, a connection with bytes under way is lost to their sender.
  void set_unacknowledged_ms(uint64_t ms) { unacknowledged_ms_ = ms; }

 private:
  friend class MemorySocket;

  struct Event {
    TimeMs at;
    uint64_t number;
    std::function<void()> job;
  };
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      return std::pair(a.at, a.number) > std::pair(b.at, b.number);
    }
  };

  // Runs `job` when something from `sender` arrives at its other side.
  void carry(const MemorySocketPtr& sender, std::function<void()> job);
  uint64_t latency(const std::string& from, const std::string& to);
  bool is_cut(const std::string& from, const std::string& to) const {
    return cuts_.contains({from, to});
  }
  void step();

  SeededRandom random_;
  TimeMs now_ = 0;
  struct LinkDelay {
    uint64_t ms;
    uint64_t jitter_ms;
  };
  uint64_t latency_ms_ = 1;
  std::map<std::pair<std::string, std::string>, LinkDelay> links_;
  uint64_t unacknowledged_ms_ = 20'000;
  uint64_t numbers_ = 0;
  uint16_t last_port_ = 40'000;
  std::priority_queue<Event, std::vector<Event>, Later> events_;
  std::map<PeerAddress, std::function<void(MemorySocketPtr)>> listeners_;
  std::set<std::pair<std::string, std::string>> cuts_;
  std::vector<std::weak_ptr<MemorySocket>> sockets_;
};

}  // namespace syntropy
