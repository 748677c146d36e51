#include "server/io_thread.h"

#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <cerrno>
#include <ctime>

#include "server/cluster/cluster.h"
#include "server/config/config_store.h"
#include "server/io_pool.h"
#include "server/latency.h"
#include "server/proxy/proxy_pool.h"
#include "server/pubsub.h"
#include "storage/base/clock.h"
#include "storage/keyspace.h"

namespace syntropy {
namespace {

constexpr size_t kSmallRead = 64 * 1024;
constexpr size_t kLargeRead = 256 * 1024;  // while a large argument is arriving
// Connections that are received from before the first is executed, and rows that these ask for:
// what is fetched for them has to fit into the nearest of the processor's caches.
constexpr size_t kMostTogether = 16;
constexpr size_t kRowsTogether = 128;
constexpr auto kTimerInterval = std::chrono::milliseconds(100);
constexpr auto kPauseInterval = std::chrono::milliseconds(2);

/// A connection that waits isn't read from; a wait that may last for ever has to look.
bool has_hung_up(Connection& connection) {
  char byte = 0;
  return ::recv(connection.socket.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

}  // namespace

IoThread::IoThread(size_t index, IoPool& pool, ServerContext& server, Durability& durability,
                   Workers& workers, std::atomic<uint64_t>& stall_until_us)
    : pool_(pool),
      server_(server),
      durability_(durability),
      workers_(workers),
      stall_until_us_(stall_until_us),
      stats_(server.stats.slot(index)),
      dispatcher_(server),
      tick_(server.keyspace),
      loop_([this](void* tag, EventLoop::SocketEvent event) {
        on_socket(*static_cast<Connection*>(tag), event);
      }),
      sender_(server, durability, stats_, loop_,
              {.released = [this](const ConnectionPtr& c) { after_tick(c); },
               .close = [this](const ConnectionPtr& c, std::string_view why) { close(c, why); }}),
      buffer_(kLargeRead) {
  refresh_config();
}

IoThread::~IoThread() { stop(); }

void IoThread::start() {
  start_timer();
  thread_ = std::thread([this] { serve(); });
}

void IoThread::begin_stop(std::chrono::steady_clock::time_point deadline) {
  loop_.post([this, deadline] {
    if (stopping_) return;
    stopping_ = true;
    stop_deadline_ = deadline;
    const auto connections = connections_;
    for (const auto& [id, connection] : connections) {
      connection->session.client().close_after_reply = true;
      sender_.flush(connection);
    }
  });
}

void IoThread::stop() {
  if (!thread_.joinable()) return;
  begin_stop(std::chrono::steady_clock::now());
  thread_.join();
}

void IoThread::serve() {
  durability_.busy();
  while (!stopping_ || !connections_.empty()) {
    if (!loop_.run(/*wait=*/false) && ready_.empty()) {
      durability_.idle();
      loop_.run(/*wait=*/true);
      durability_.busy();
    }
    const uint64_t stall_until = stall_until_us_.load(std::memory_order_relaxed);
    if (stall_until != 0) {
      const uint64_t now = server_.clock.monotonic_us();
      if (now < stall_until) {
        std::this_thread::sleep_for(std::chrono::microseconds(stall_until - now));
      }
    }
    if (!ready_.empty()) run_tick();
    if (!forwards_.empty()) server_.proxy->forward(std::exchange(forwards_, {}));
  }
  durability_.idle();
}

void IoThread::refresh_config() {
  const uint64_t generation = server_.config.generation();
  if (generation == config_generation_) return;
  config_generation_ = generation;
  config_ = server_.config.current();
  sender_.set_limits(config_->clients.output_limit(ClientClass::kNormal),
                     config_->clients.output_limit(ClientClass::kPubSub));
  const RequestLimits limits{static_cast<int64_t>(config_->clients.proto_max_bulk_len)};
  for (const auto& [id, connection] : connections_) connection->session.set_limits(limits);
}

void IoThread::run_tick() {
  refresh_config();
  current_.swap(ready_);
  tick_.judged_by(UINT64_MAX);
  Turn turn{
      tick_, stats_, *config_, server_.clock.wall_ms(), Turn::Clock::now(), Turn::kMaxCommands, {}};
  size_t executed = 0;
  while (executed < current_.size() && !turn.spent()) {
    receive_together(executed);
    for (const Arrival& arrival : arrivals_) {
      current_[executed]->queued = false;
      execute(current_[executed++], arrival, turn);
    }
  }
  // The turn is spent: the others come first in the next one.
  ready_.insert(ready_.begin(), current_.begin() + static_cast<std::ptrdiff_t>(executed),
                current_.end());
  current_.resize(executed);
  sender_.finish(turn, current_);
}

// What several connections have sent, side by side in the buffer, so that the memory of the rows
// that they ask for is on its way before the first of them is looked up.
void IoThread::receive_together(size_t first) {
  arrivals_.clear();
  size_t used = 0;
  for (size_t i = first; i < current_.size() && arrivals_.size() < kMostTogether; ++i) {
    if (tick_.warmed() >= kRowsTogether) break;
    Connection& connection = *current_[i];
    const bool reads = connection.readable && !connection.closed;
    const size_t want = connection.session.bytes_needed() > kSmallRead ? kLargeRead : kSmallRead;
    if (reads && used + want > buffer_.size()) break;
    Arrival& arrival = arrivals_.emplace_back();
    if (!reads) continue;
    arrival.open = receive(connection, {buffer_.data() + used, want}, &arrival.fresh);
    used += arrival.fresh.size();
    connection.session.warm(arrival.fresh, tick_);
  }
  tick_.prefetch();
}

void IoThread::execute(const ConnectionPtr& connection, const Arrival& arrival, Turn& turn) {
  if (connection->closed) return;
  if (!arrival.open) {
    close(connection, "the client closed the connection");
    return;
  }
  Client& client = connection->session.client();
  client.shared.last_active_ms.store(server_.clock.monotonic_us() / 1000,
                                     std::memory_order_relaxed);
  turn.last = Turn::Clock::now();
  connection->session.run(arrival.fresh, dispatcher_, turn);
}

// False when the connection is at its end.
bool IoThread::receive(Connection& connection, std::span<char> room, std::string_view* fresh) {
  const ssize_t got = ::recv(connection.socket.get(), room.data(), room.size(), MSG_DONTWAIT);
  if (got < 0) {
    connection.readable = false;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  }
  if (got == 0) return false;
  const auto bytes = static_cast<size_t>(got);
  connection.readable = bytes == room.size() || connection.ended;  // then there may be more
  *fresh = {room.data(), bytes};
  stats_.add(kInputBytes, bytes);
  stats_.add(kReads);
  connection.session.client().shared.total_in.fetch_add(bytes, std::memory_order_relaxed);
  return true;
}

void IoThread::after_tick(const ConnectionPtr& connection) {
  if (connection->session.client().close_unanswered) return close(connection, "refused");
  Session& session = connection->session;
  if (session.wait() == Session::Wait::kForward) start_forward(connection);
  sender_.flush(connection);
  if (connection->closed) return;
  const size_t held = session.input_bytes() + session.client().held_bytes;
  session.client().shared.query_bytes.store(held, std::memory_order_relaxed);
  if (session.client().close_after_reply) return;
  if (held > config_->clients.query_buffer_limit) {
    stats_.add(kQueryLimitClosed);
    spdlog::warn("closing client {}: its query exceeds client-query-buffer-limit ({} bytes)",
                 session.client().address, config_->clients.query_buffer_limit);
    return close(connection, "query limit");
  }
  session.client().shared.blocked.store(session.wait() != Session::Wait::kNone,
                                        std::memory_order_relaxed);
  switch (session.wait()) {
    case Session::Wait::kFetch:
      return start_fetch(connection);
    case Session::Wait::kWorker:
      return start_worker(connection);
    case Session::Wait::kReplicas:
      return start_replica_wait(connection);
    case Session::Wait::kForward:
      return;  // begun above
    case Session::Wait::kPause:
      return watch_pauses();
    case Session::Wait::kNone:
      break;
  }
  if (session.has_more() || connection->readable) {
    make_ready(connection);
  } else {
    hand_on(connection);
  }
}

void IoThread::make_ready(const ConnectionPtr& connection) {
  if (connection->queued || connection->closed) return;
  connection->queued = true;
  ready_.push_back(connection);
}

void IoThread::on_socket(Connection& connection, EventLoop::SocketEvent event) {
  if (connection.closed) return;
  const ConnectionPtr alive = connection.shared_from_this();
  if (event.readable) {
    connection.readable = true;
    connection.ended = connection.ended || event.ended;
    // While it waits, what the client sends stays in the kernel.
    if (!connection.held && connection.session.wait() == Session::Wait::kNone) make_ready(alive);
  }
  if (event.writable && std::exchange(connection.writing, false)) sender_.flush(alive);
}

void IoThread::close(const ConnectionPtr& connection, std::string_view why) {
  if (connection->closed) return;
  connection->closed = true;
  Client& client = connection->session.client();
  spdlog::debug("client {} closed: {}", client.address, why);
  client.shared.closing.store(true, std::memory_order_relaxed);
  server_.clients.set_monitor(client, false);
  server_.pubsub.forget(client);
  server_.clients.remove(client.id);
  forget(connection);
  if (connection->held) {
    // Another thread may be about to send: the descriptor must not become another connection's.
    ::shutdown(connection->socket.get(), SHUT_RDWR);
  } else {
    connection->socket.close();
  }
}

void IoThread::adopt(Descriptor socket, std::shared_ptr<Client> client) {
  const RequestLimits limits{
      static_cast<int64_t>(server_.config.current()->clients.proto_max_bulk_len)};
  auto connection = std::make_shared<Connection>(std::move(socket), client, limits);
  connection->home = this;
  const std::weak_ptr<Connection> weak = connection;
  client->request_close = [weak] {
    const ConnectionPtr alive = weak.lock();
    if (alive == nullptr) return;
    alive->home.load()->on_home(alive,
                                [alive](IoThread& home) { home.close(alive, "asked to close"); });
  };
  client->push = [weak](std::string bytes) {
    const ConnectionPtr alive = weak.lock();
    if (alive == nullptr) return;
    alive->home.load()->on_home(alive, [alive, bytes = std::move(bytes)](IoThread& home) {
      home.sender_.push(alive, bytes);
    });
  };
  server_.clients.add(client);
  loop_.post([this, connection] { take_in(connection); });
}

void IoThread::take_in(const ConnectionPtr& connection) {
  connections_.emplace(connection->session.client().id, connection);
  connection_count_.store(connections_.size(), std::memory_order_relaxed);
  if (stopping_) return close(connection, "shutdown");
  if (!loop_.add(connection->socket.get(), connection.get())) {
    close(connection, "its socket cannot be watched");
  }
}

void IoThread::forget(const ConnectionPtr& connection) {
  connections_.erase(connection->session.client().id);
  connection_count_.store(connections_.size(), std::memory_order_relaxed);
}

// Runs `act` on the thread that the connection belongs to by then.
void IoThread::on_home(const ConnectionPtr& connection, std::function<void(IoThread&)> act) {
  loop_.post([this, connection, act = std::move(act)]() mutable {
    IoThread* home = connection->home.load();
    if (home != this) return home->on_home(connection, std::move(act));
    act(*this);
  });
}

// Only when this thread has more than its share, and the connection nothing to do.
void IoThread::hand_on(const ConnectionPtr& connection) {
  const size_t surplus = surplus_.load(std::memory_order_relaxed);
  if (surplus == 0 || stopping_ || connection->writing) return;
  IoThread& target = pool_.next();
  if (&target == this) return;
  surplus_.store(surplus - 1, std::memory_order_relaxed);
  forget(connection);
  loop_.remove(connection->socket.get());
  connection->home = &target;
  target.post([&target, connection] { target.take_in(connection); });
}

double IoThread::cpu_seconds() {
  if (!thread_.joinable()) return 0;
  clockid_t clock{};
  timespec used{};
  if (::pthread_getcpuclockid(thread_.native_handle(), &clock) != 0) return 0;
  if (::clock_gettime(clock, &used) != 0) return 0;
  return static_cast<double>(used.tv_sec) + 1e-9 * static_cast<double>(used.tv_nsec);
}

void IoThread::start_fetch(const ConnectionPtr& connection) {
  workers_.post([this, connection, keys = connection->session.misses()](ThreadStats&) {
    const uint64_t started_us = server_.clock.monotonic_us();
    // An error shows again, with its text, when the command is executed anew.
    (void)server_.keyspace.fetch(keys);
    server_.latency.record(kLatencyFetch, server_.clock.monotonic_us() - started_us,
                           server_.clock.wall_ms() / 1000);
    loop_.post([this, connection] { resume(connection); });
  });
}

void IoThread::start_worker(const ConnectionPtr& connection) {
  workers_.post([this, connection, config = config_](ThreadStats& stats) {
    Session& session = connection->session;
    Tick tick(server_.keyspace);
    Turn turn{tick, stats, *config, server_.clock.wall_ms(), Turn::Clock::now(), 1, {}};
    auto reply = std::make_shared<std::string>(
        Dispatcher(server_).execute_on_worker(session.client(), session.worker_args(), turn));
    // Under "always" what it read must be durable before the reply leaves; what it wrote is only
    // bookkeeping, so an error is the engine's to report.
    (void)durability_.finish_tick(false);
    loop_.post([this, connection, reply] {
      connection->session.output().append(*reply);
      resume(connection);
    });
  });
}

// Replies come in any order; they leave in that of the requests, when all are there.
void IoThread::start_forward(const ConnectionPtr& connection) {
  auto forwards = std::make_shared<Session::Forwards>(connection->session.take_forwards());
  auto missing = std::make_shared<size_t>(forwards->requests.size());
  const int protocol = connection->session.client().protocol;
  for (Session::Forwards::Request& request : forwards->requests) {
    // All on the pool's thread.
    const auto answered = [this, connection, forwards, missing, &request](std::string reply) {
      request.reply = std::move(reply);
      if (--*missing != 0) return;
      loop_.post([this, connection, forwards] {
        connection->session.take_in(*forwards);
        resume(connection);
      });
    };
    forwards_.push_back({std::move(request.plan), protocol, answered});
  }
}

// What the connection wrote is committed by now. Without a cluster there is nobody to wait for.
void IoThread::start_replica_wait(const ConnectionPtr& connection) {
  const Client::ReplicaWait wait = *connection->session.client().replica_wait;
  connection->session.client().replica_wait.reset();
  const auto answer = [this, weak = std::weak_ptr<Connection>(connection)](uint64_t replicas) {
    const ConnectionPtr alive = weak.lock();
    if (alive == nullptr || alive->closed) return;
    Dispatcher::reply_replicas(alive->session, replicas);
    resume(alive);
  };
  if (server_.cluster != nullptr) {
    return server_.cluster->wait(wait.replicas, wait.timeout_ms, [this, answer](uint64_t replicas) {
      loop_.post([answer, replicas] { answer(replicas); });
    });
  }
  if (wait.timeout_ms == 0) return;
  loop_.post_after(std::chrono::milliseconds(wait.timeout_ms), [answer] { answer(0); });
}

void IoThread::resume(const ConnectionPtr& connection) {
  if (connection->closed) return;
  connection->session.resume();
  make_ready(connection);
}

void IoThread::start_timer() {
  loop_.post_after(kTimerInterval, [this] {
    on_timer();
    start_timer();
  });
}

void IoThread::watch_pauses() {
  if (std::exchange(watches_pauses_, true)) return;
  paused_ = server_.pause.holds(server_.clock.wall_ms(), true);
  routing_ = server_.cluster != nullptr ? server_.cluster->gate().routing() : nullptr;
  loop_.post_after(kPauseInterval, [this] { look_at_pauses(); });
}

// Resumes those that wait when a pause has ended or slots have gone; the timer looks after the rest.
void IoThread::look_at_pauses() {
  watches_pauses_ = false;
  const bool paused = server_.pause.holds(server_.clock.wall_ms(), true);
  const auto routing = server_.cluster != nullptr ? server_.cluster->gate().routing() : nullptr;
  const bool changed = paused != paused_ || routing != routing_;
  bool waits = false;
  const auto connections = connections_;
  for (const auto& [id, connection] : connections) {
    if (connection->session.wait() != Session::Wait::kPause || connection->held) continue;
    waits = true;
    if (changed) resume(connection);
  }
  if (waits) {
    watch_pauses();
  } else {
    routing_.reset();
  }
}

void IoThread::on_timer() {
  refresh_config();
  const uint64_t now_ms = server_.clock.monotonic_us() / 1000;
  const auto timeout_ms = static_cast<uint64_t>(config_->clients.timeout_s) * 1000;
  const auto connections = connections_;
  for (const auto& [id, connection] : connections) {
    Session& session = connection->session;
    sender_.check_limits(connection, now_ms);
    if (connection->closed) continue;
    if (stopping_ && std::chrono::steady_clock::now() >= stop_deadline_) {
      close(connection, "shutdown: it doesn't take its replies");
      continue;
    }
    if (session.wait() == Session::Wait::kPause && !connection->held) resume(connection);
    if (session.wait() == Session::Wait::kReplicas && has_hung_up(*connection)) {
      close(connection, "the client closed the connection");
      continue;
    }
    const uint64_t last_active =
        session.client().shared.last_active_ms.load(std::memory_order_relaxed);
    if (timeout_ms != 0 && session.wait() == Session::Wait::kNone &&
        !session.client().shared.monitor.load() && now_ms - last_active > timeout_ms) {
      close(connection, "idle for longer than 'timeout'");
    }
  }
}

}  // namespace syntropy
