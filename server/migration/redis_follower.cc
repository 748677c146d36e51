#include "server/migration/redis_follower.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "server/config/config_store.h"
#include "server/descriptor.h"
#include "server/migration/upstream_store.h"
#include "storage/keyspace.h"
#include "storage/local_keys.h"

namespace syntropy {
namespace {

constexpr int kPollMs = 100;  // how soon a stop is noticed
constexpr uint64_t kAckIntervalMs = 1000;
constexpr uint64_t kRetryMs = 1000;
constexpr size_t kReadBytes = size_t{1} << 18;

std::string record_key() { return meta_key("redis/upstream"); }

Status broken(const std::string& what) { return Status::io_error(what); }
Status broken(const std::string& what, int error) { return broken(what + ": " + strerror(error)); }

struct Addresses {
  addrinfo* first = nullptr;
  ~Addresses() {
    if (first != nullptr) ::freeaddrinfo(first);
  }
};

/// A TCP connection whose calls return within kPollMs, or soon after.
class Socket {
 public:
  /// `go_on` is asked again and again.
  template <class GoOn>
  static Result<Socket> connect(const std::string& host, uint16_t port, const GoOn& go_on) {
    Addresses addresses;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    const int found =
        ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &addresses.first);
    if (found != 0) return broken("the host '" + host + "' isn't known: " + gai_strerror(found));
    Status failed = broken("the host '" + host + "' has no address");
    for (const addrinfo* at = addresses.first; at != nullptr && go_on(); at = at->ai_next) {
      Socket socket(::socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      failed = socket.dial(*at, go_on);
      if (failed.ok()) return socket;
    }
    return failed;
  }

  Status send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(descriptor_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        bytes.remove_prefix(static_cast<size_t>(sent));
      } else if (errno == EAGAIN) {
        pollfd wait{descriptor_.get(), POLLOUT, 0};
        if (::poll(&wait, 1, kPollMs) == 0) return broken("it doesn't read what it is told");
      } else if (errno != EINTR) {
        return broken("the connection broke", errno);
      }
    }
    return Status();
  }

  /// Empty: nothing came within kPollMs.
  Result<std::string_view> receive(std::string* buffer) {
    pollfd wait{descriptor_.get(), POLLIN, 0};
    if (::poll(&wait, 1, kPollMs) <= 0) return std::string_view();
    const ssize_t got = ::recv(descriptor_.get(), buffer->data(), buffer->size(), 0);
    if (got > 0) return std::string_view(*buffer).substr(0, static_cast<size_t>(got));
    if (got == 0) return broken("it closed the connection");
    if (errno == EAGAIN || errno == EINTR) return std::string_view();
    return broken("the connection broke", errno);
  }

 private:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}

  template <class GoOn>
  Status dial(const addrinfo& address, const GoOn& go_on) {
    if (descriptor_.get() < 0) return broken("no socket can be made", errno);
    const int on = 1;
    (void)::setsockopt(descriptor_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)::setsockopt(descriptor_.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    if (::connect(descriptor_.get(), address.ai_addr, address.ai_addrlen) == 0) return Status();
    if (errno != EINPROGRESS) return broken("it can't be reached", errno);
    while (go_on()) {
      pollfd wait{descriptor_.get(), POLLOUT, 0};
      if (::poll(&wait, 1, kPollMs) <= 0) continue;
      int error = 0;
      socklen_t size = sizeof(error);
      (void)::getsockopt(descriptor_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
      return error == 0 ? Status() : broken("it can't be reached", error);
    }
    return broken("it can't be reached: it doesn't answer");
  }

  Descriptor descriptor_;
};

uint64_t monotonic_ms(const ServerContext& server) { return server.clock.monotonic_us() / 1000; }

}  // namespace

RedisFollower::RedisFollower(ServerContext& server) : server_(server) {}

RedisFollower::~RedisFollower() { end_thread(); }

Status RedisFollower::resume() {
  std::string record;
  const Status read = server_.engine.get(record_key(), ReadTier::kDisk, &record);
  if (read.is(StatusCode::kNotFound)) return Status();
  if (!read.ok()) return read;
  const size_t blank = std::min(record.rfind(' '), record.size());
  uint16_t port = 0;
  const char* const end = record.data() + record.size();
  const char* const digits = record.data() + std::min(blank + 1, record.size());
  const auto [parsed, error] = std::from_chars(digits, end, port);
  if (error != std::errc() || parsed != end) {
    return Status::corruption("the record redis/upstream is ill-formed");
  }
  const std::lock_guard lock(control_);
  spdlog::warn("this node goes on following the redis-server at {}; REPLICAOF NO ONE ends that",
               record);
  start(record.substr(0, blank), port);
  return Status();
}

Status RedisFollower::follow(const std::string& host, uint16_t port) {
  const std::lock_guard lock(control_);
  if (mode() == Mode::kNone) {
    set_mode(Mode::kCopying);  // before the count: what a client writes behind it would be lost
    uint64_t keys = 0;
    for (uint32_t db = 0; db < server_.keyspace.databases(); ++db) {
      keys += server_.keyspace.key_count(static_cast<uint16_t>(db));
    }
    if (keys != 0) {
      set_mode(Mode::kNone);
      return Status::invalid_argument(fmt::format(
          "this node holds {} keys of its own, which a copy of another one would replace: send "
          "FLUSHALL first, if they aren't wanted",
          keys));
    }
  }
  const View now = view();
  const bool followed = thread_.joinable();
  if (followed && now.host == host && now.port == port && now.link != Link::kFailed) {
    return Status::already_exists("Already connected to specified master");
  }
  end_thread();
  const Status stored = remember(host, port);
  if (!stored.ok()) {
    if (!followed) set_mode(Mode::kNone);
    return stored;
  }
  start(host, port);
  return Status();
}

Status RedisFollower::stop() {
  const std::lock_guard lock(control_);
  if (mode() == Mode::kNone) return Status();
  end_thread();
  const Status forgotten = forget();
  if (!forgotten.ok()) return forgotten;
  set_mode(Mode::kNone);
  spdlog::warn("this node follows no redis-server any more: clients may write");
  const std::lock_guard view_lock(view_mutex_);
  view_ = {};
  return Status();
}

void RedisFollower::end_thread() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  stopping_ = false;
}

void RedisFollower::start(std::string host, uint16_t port) {
  {
    const std::lock_guard lock(view_mutex_);
    view_ = {};
    view_.host = std::move(host);
    view_.port = port;
    heard_ms_ = up_ms_ = monotonic_ms(server_);
  }
  place_ = {};
  const bool leave_out = server_.config.current()->replication.leave_out;
  store_ = std::make_unique<UpstreamStore>(server_, leave_out);
  set_mode(Mode::kCopying);
  thread_ = std::thread([this] { run(); });
}

// Synced: after a restart this node must not take its keys for its own.
Status RedisFollower::remember(const std::string& host, uint16_t port) {
  const std::unique_ptr<EngineBatch> batch = server_.engine.new_batch();
  batch->put(record_key(), fmt::format("{} {}", host, port));
  const Status written = server_.engine.write(*batch);
  return written.ok() ? server_.engine.sync() : written;
}

Status RedisFollower::forget() {
  const std::unique_ptr<EngineBatch> batch = server_.engine.new_batch();
  batch->erase(record_key());
  const Status written = server_.engine.write(*batch);
  return written.ok() ? server_.engine.sync() : written;
}

void RedisFollower::run() {
  while (!stopping_) {
    set_link(Link::kConnecting, view().error);
    const Status ended = serve();
    const bool followed = view().link == Link::kFollowing;
    store_->abandon();
    if (stopping_) return;
    const bool useless = ended.is(StatusCode::kInvalidArgument);
    spdlog::error("following {}:{}{}: {}", view().host, view().port,
                  useless ? " has ended" : " is interrupted", ended.message());
    set_link(useless ? Link::kFailed : Link::kConnecting, std::string(ended.message()));
    if (useless) return;
    // Who had followed goes on at once: what the other keeps for that may not reach far.
    for (uint64_t waited = followed ? kRetryMs : 0; waited < kRetryMs && !stopping_;
         waited += kPollMs) {
      std::this_thread::sleep_for(std::chrono::milliseconds(kPollMs));
    }
  }
}

Status RedisFollower::serve() {
  const View target = view();
  const auto config = server_.config.current();
  const uint64_t timeout_ms = static_cast<uint64_t>(config->replication.timeout_s) * 1000;
  const uint64_t begun_ms = monotonic_ms(server_);
  Result<Socket> socket = Socket::connect(target.host, target.port, [&] {
    return !stopping_ && monotonic_ms(server_) - begun_ms < timeout_ms;
  });
  if (!socket.ok()) return socket.status();
  set_link(Link::kHandshake);
  RedisUpstream::Options options;
  options.user = config->replication.master_user;
  options.password = config->replication.master_auth;
  options.port = server_.port;
  options.most_bytes = config->clients.proto_max_bulk_len;
  RedisUpstream upstream(options, place_);
  std::string buffer(kReadBytes, '\0');
  uint64_t heard_ms = monotonic_ms(server_);
  uint64_t acknowledged_ms = 0;
  while (!stopping_) {
    const Status sent = socket->send(upstream.take_output());
    if (!sent.ok()) return sent;
    const Result<std::string_view> got = socket->receive(&buffer);
    if (!got.ok()) return got.status();
    const uint64_t now_ms = monotonic_ms(server_);
    if (!got->empty()) {
      heard_ms = now_ms;
      upstream.feed(*got);
      const Status taken = take(upstream);
      if (!taken.ok()) return taken;
      show();
    } else if (now_ms - heard_ms > timeout_ms) {
      return broken("it was silent for " + std::to_string(timeout_ms / 1000) + " s");
    }
    if (mode() == Mode::kFollowing && now_ms - acknowledged_ms >= kAckIntervalMs) {
      acknowledged_ms = now_ms;
      upstream.acknowledge(place_.offset);
    }
  }
  return Status();
}

Status RedisFollower::take(RedisUpstream& upstream) {
  while (!stopping_) {
    const Result<RedisUpstream::Event> event = upstream.next();
    if (!event.ok()) return event.status();
    if (*event == RedisUpstream::Event::kMore) break;
    const Status taken = on_event(upstream, *event);
    if (!taken.ok()) return taken;
  }
  return commit();
}

// What is committed is never asked for again, and what isn't always is: the two go together.
Status RedisFollower::commit() {
  const Status committed = store_->commit();
  if (committed.ok()) place_.offset = applied_;
  return committed;
}

Status RedisFollower::on_event(RedisUpstream& upstream, RedisUpstream::Event event) {
  switch (event) {
    case RedisUpstream::Event::kCopyBegins: {
      set_mode(Mode::kCopying);
      place_ = {};
      applied_ = 0;
      set_link(Link::kCopying);
      spdlog::warn("copying all keys of {}:{}", view().host, view().port);
      return store_->begin_copy();
    }
    case RedisUpstream::Event::kKey:
      return store_->put(upstream.entry());
    case RedisUpstream::Event::kOther:
      store_->pass_over(upstream.entry());
      return Status();
    case RedisUpstream::Event::kCopyEnds: {
      const Status ended = store_->end_copy();
      if (!ended.ok()) return ended;
      spdlog::warn(
          "all keys are copied, {}; writes follow{}", store_->counts().keys,
          store_->counts().left_out.empty() ? "" : "; left out: " + store_->left_out_text());
      break;
    }
    case RedisUpstream::Event::kContinues:
      spdlog::warn("following {}:{} goes on", view().host, view().port);
      break;
    case RedisUpstream::Event::kCommand: {
      const Status applied = store_->apply(upstream.command());
      if (!applied.ok()) return applied;
      if (store_->at_rest()) applied_ = upstream.place().offset;
      return store_->is_large() ? commit() : Status();
    }
    case RedisUpstream::Event::kMore:
      return Status();
  }
  place_ = upstream.place();
  applied_ = place_.offset;
  set_mode(Mode::kFollowing);
  set_link(Link::kFollowing);
  return Status();
}

Follower::View RedisFollower::view() const {
  const std::lock_guard lock(view_mutex_);
  View view = view_;
  const uint64_t now_ms = monotonic_ms(server_);
  view.idle_ms = now_ms - heard_ms_;
  view.down_ms = view.link == Link::kFollowing ? 0 : now_ms - up_ms_;
  return view;
}

void RedisFollower::show() {
  const UpstreamStore::Counts& counts = store_->counts();
  const std::lock_guard lock(view_mutex_);
  heard_ms_ = monotonic_ms(server_);
  if (view_.link == Link::kFollowing) up_ms_ = heard_ms_;
  view_.offset = place_.offset;
  view_.copied_keys = counts.keys;
  view_.failed_commands = counts.failed;
  view_.left_out = counts.left_out;
}

void RedisFollower::set_link(Link link, std::string error) {
  const std::lock_guard lock(view_mutex_);
  view_.link = link;
  view_.error = std::move(error);
}

}  // namespace syntropy
