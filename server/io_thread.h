// IoThread: one event loop with its connections. In a loop: take all sockets that are ready,
// execute what they sent in one tick, commit it, send the replies.
//
// Two reads of one socket never happen in a tick, and a connection that has to wait (session.h)
// isn't read from, so that a client cannot make the server hold more than its limits. Bytes are
// read into one buffer of the thread; only an incomplete command is kept per connection.
//
// Thread safety: start, stop, adopt, post and the counters from any thread; everything else on the
// thread itself.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "server/connection.h"
#include "server/dispatcher.h"
#include "server/event_loop.h"
#include "server/reply_sender.h"
#include "server/workers.h"
#include "storage/durability.h"

namespace syntropy {

class IoPool;

class IoThread {
 public:
  /// `workers` runs what would stall the thread. All references must outlive stop().
  IoThread(size_t index, IoPool& pool, ServerContext& server, Durability& durability,
           Workers& workers, std::atomic<uint64_t>& stall_until_us);
  ~IoThread();

  void start();
  /// Executes nothing more, sends what was answered and closes the connections; those that don't
  /// take their replies are closed at `deadline`.
  void begin_stop(std::chrono::steady_clock::time_point deadline);
  /// Waits for the end of begin_stop(), which it calls with no time to spare if nobody has.
  void stop();

  /// Takes over a connected socket that doesn't block, whose client isn't registered yet.
  void adopt(Descriptor socket, std::shared_ptr<Client> client);
  /// Runs `call` on the thread.
  void post(std::function<void()> call) { loop_.post(std::move(call)); }

  size_t connections() const { return connection_count_.load(std::memory_order_relaxed); }
  /// Hands the next `count` connections that have nothing to do to other threads of the pool.
  void set_surplus(size_t count) { surplus_.store(count, std::memory_order_relaxed); }
  /// Processor time that the thread has used; 0 before start() and after stop().
  double cpu_seconds();

 private:
  // What a connection has sent.
  struct Arrival {
    std::string_view fresh;
    bool open = true;
  };

  void serve();
  void run_tick();
  void receive_together(size_t first);
  void execute(const ConnectionPtr& connection, const Arrival& arrival, Turn& turn);
  void after_tick(const ConnectionPtr& connection);

  void take_in(const ConnectionPtr& connection);
  void forget(const ConnectionPtr& connection);
  void hand_on(const ConnectionPtr& connection);
  void on_home(const ConnectionPtr& connection, std::function<void(IoThread&)> act);
  void on_socket(Connection& connection, EventLoop::SocketEvent event);
  void make_ready(const ConnectionPtr& connection);
  bool receive(Connection& connection, std::span<char> room, std::string_view* fresh);
  void close(const ConnectionPtr& connection, std::string_view why);

  void start_fetch(const ConnectionPtr& connection);
  void start_worker(const ConnectionPtr& connection);
  void start_forward(const ConnectionPtr& connection);
  void start_replica_wait(const ConnectionPtr& connection);
  void resume(const ConnectionPtr& connection);
  void start_timer();
  void on_timer();
  void watch_pauses();
  void look_at_pauses();
  void refresh_config();

  IoPool& pool_;
  ServerContext& server_;
  Durability& durability_;
  Workers& workers_;
  std::atomic<uint64_t>& stall_until_us_;  // monotonic; DEBUG SLEEP
  ThreadStats& stats_;
  Dispatcher dispatcher_;
  Tick tick_;
  std::shared_ptr<const Config> config_;
  uint64_t config_generation_ = 0;

  EventLoop loop_;
  ReplySender sender_;
  std::unordered_map<uint64_t, ConnectionPtr> connections_;  // by client id
  std::atomic<size_t> connection_count_{0};
  std::atomic<size_t> surplus_{0};
  std::vector<ConnectionPtr> ready_;
  std::vector<ConnectionPtr> current_;  // those of this tick
  std::vector<ProxyRequest> forwards_;  // for other nodes, of this turn
  std::vector<char> buffer_;
  std::vector<Arrival> arrivals_;  // of current_, one after the other
  // While sessions wait for the end of a pause: what they wait for, as it was.
  bool watches_pauses_ = false;
  bool paused_ = false;
  std::shared_ptr<const Routing> routing_;
  bool stopping_ = false;
  std::chrono::steady_clock::time_point stop_deadline_;
  std::thread thread_;
};

}  // namespace syntropy
