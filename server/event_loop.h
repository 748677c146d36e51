// EventLoop: what wakes an I/O thread: its clients' sockets, calls posted by other threads, delays.
//
// A socket is registered once, edge-triggered, for as long as it lives here. A general purpose loop
// asks the kernel anew for each wait; with one request a wait that is a third of all system calls
// (docs/performance.md).
//
// Edges. The kernel tells of a socket when something has come since it last told, so whoever is
// told must remember it until a read or write has found the socket empty or full, or took less than
// it asked for. An end of the stream that came together with data is told once: `ended` says that a
// read has to go on until it meets it.
//
// Calls and delays run in run(), in the order in which they were posted or are due.
//
// Thread safety: post() from any thread; everything else on the thread that calls run(), or before
// and after it does.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "server/descriptor.h"

namespace syntropy {

class EventLoop {
 public:
  struct SocketEvent {
    bool readable = false;
    bool writable = false;
    bool ended = false;  // the peer closed, or the connection broke
  };
  /// Is told of a socket in run(); must not add or remove sockets then.
  using SocketHandler = std::function<void(void* tag, SocketEvent event)>;

  /// Descriptors are made here: std::system_error when the process has none left.
  explicit EventLoop(SocketHandler on_socket);
  ~EventLoop() = default;
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Tells of the socket, as of `tag`, until remove() or until it is closed; of what is there
  /// already at once. False when the kernel doesn't take it.
  bool add(int socket, void* tag);
  void remove(int socket);

  /// Runs `call` once, in run().
  void post(std::function<void()> call);
  /// The same, not before `delay` has passed.
  void post_after(std::chrono::milliseconds delay, std::function<void()> call);

  /// Tells and runs what is ready. If that is nothing and `wait`, waits for something. Returns
  /// whether anything was told or run.
  bool run(bool wait);

 private:
  using Time = std::chrono::steady_clock::time_point;

  bool run_posted();
  bool run_due();
  int wait_ms() const;
  bool poll_sockets(int timeout_ms);

  const SocketHandler on_socket_;
  const Descriptor epoll_;
  const Descriptor wake_;
  std::array<epoll_event, 128> events_;
  std::multimap<Time, std::function<void()>> delayed_;

  std::atomic<bool> has_posted_{false};
  std::mutex mutex_;       // guards the two below
  bool sleeping_ = false;  // the thread waits, or is about to
  std::vector<std::function<void()>> posted_;
};

}  // namespace syntropy
