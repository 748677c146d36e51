#include "server/reply_sender.h"

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "server/cluster/cluster.h"
#include "server/latency.h"
#include "storage/base/clock.h"
#include "storage/tick.h"

namespace syntropy {
namespace {

constexpr size_t kKeptOutput = 64 * 1024;  // an output buffer that was larger gives memory back

/// Offers the kernel all that is unsent. The bytes that it took; negative: errno says why none.
ssize_t send_some(Connection& connection) {
  const ssize_t taken =
      ::send(connection.socket.get(), connection.session.output().data() + connection.sent,
             connection.unsent(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (taken > 0) {
    connection.sent += static_cast<size_t>(taken);
    connection.session.client().shared.total_out.fetch_add(static_cast<uint64_t>(taken),
                                                           std::memory_order_relaxed);
  }
  return taken;
}

}  // namespace

ReplySender::ReplySender(ServerContext& server, Durability& durability, ThreadStats& stats,
                         EventLoop& loop, Events events)
    : server_(server),
      durability_(durability),
      stats_(stats),
      loop_(loop),
      events_(std::move(events)) {}

void ReplySender::finish(Turn& turn, std::vector<ConnectionPtr>& connections) {
  const bool wrote = turn.tick.has_writes();
  const uint64_t started_us = server_.clock.monotonic_us();
  Status ended = turn.tick.commit();
  if (wrote) {
    server_.latency.record(kLatencyCommit, server_.clock.monotonic_us() - started_us,
                           turn.now_ms / 1000);
  }
  const Result<Durability::Point> point = durability_.end_tick(wrote && ended.ok());
  if (ended.ok() && !point.ok()) ended = point.status();
  Held tick{std::move(connections), std::move(turn.dependents)};
  if (ended.ok() && wrote && server_.cluster != nullptr) {
    hold_for_copies(tick, WriteAcks::kMajority, turn.config, *point);
    hold_for_copies(tick, WriteAcks::kAll, turn.config, *point);
  }
  if (ended.ok() && *point != 0) {
    connections = {};
    return hold(std::move(tick), *point);
  }
  release(tick, ended);
  tick.connections.clear();
  connections = std::move(tick.connections);  // with its memory
}

void ReplySender::hold(Held tick, Durability::Point point) {
  for (const ConnectionPtr& connection : tick.connections) {
    connection->held = true;
    connection->sendable = !connection->writing;
  }
  const size_t replies = tick.connections.size();
  auto held = std::make_shared<Held>(std::move(tick));
  durability_.await(point, replies, [this, held = std::move(held)](const Status& durable) {
    if (durable.ok()) send_held(*held);
    loop_.post([this, held, durable] { release(*held, durable); });
  });
}

// Takes out of the tick those connections whose clients want so many copies of what they wrote.
ReplySender::Held ReplySender::split(Held& tick, WriteAcks acks, const Config& config) {
  Held apart;
  std::erase_if(tick.connections, [&](const ConnectionPtr& connection) {
    Session& session = connection->session;
    if (session.client().write_acks.value_or(config.cluster.write_acks) != acks) return false;
    bool depends = false;
    std::erase_if(tick.dependents, [&](const Turn::Dependent& dependent) {
      if (dependent.session != &session) return false;
      apart.dependents.push_back(dependent);
      return depends = true;
    });
    if (depends) apart.connections.push_back(connection);
    return depends;
  });
  return apart;
}

void ReplySender::hold_for_copies(Held& tick, WriteAcks acks, const Config& config,
                                  Durability::Point point) {
  auto held = std::make_shared<Held>(split(tick, acks, config));
  if (held->connections.empty()) return;
  for (const ConnectionPtr& connection : held->connections) {
    connection->held = true;
    connection->sendable = false;
  }
  const auto done = [this, held](std::string error) {
    loop_.post([this, held, error = std::move(error)] { release(*held, error); });
  };
  const uint64_t timeout_ms = config.cluster.write_acks_timeout_ms;
  server_.cluster->await(acks, timeout_ms, [this, point, done](const Status& copies) {
    if (!copies.ok()) return done("NOREPLICAS " + std::string(copies.message()));
    if (point == 0) return done({});
    durability_.await(point, 1, [done](const Status& durable) {
      done(durable.ok() ? std::string() : disk_error(durable));
    });
  });
}

// On the thread that syncs.
void ReplySender::send_held(Held& held) {
  for (const ConnectionPtr& connection : held.connections) {
    if (!connection->sendable || connection->unsent() == 0) continue;
    // What the kernel doesn't take now, release() sends; it also meets the errors.
    const ssize_t taken = send_some(*connection);
    if (taken <= 0) continue;
    held.bytes += static_cast<uint64_t>(taken);
    ++held.sends;
  }
}

void ReplySender::release(Held& held, const Status& ended) {
  if (!ended.ok()) Dispatcher::fail_dependents(held.dependents, ended);
  release(held, std::string_view());
}

void ReplySender::release(Held& held, std::string_view error) {
  if (!error.empty()) Dispatcher::fail_dependents(held.dependents, error);
  stats_.add(kOutputBytes, held.bytes);
  stats_.add(kWrites, held.sends);
  for (const ConnectionPtr& connection : held.connections) {
    connection->held = false;
    if (connection->closed) {
      connection->socket.close();
      continue;
    }
    if (!connection->pushed.empty()) {
      connection->session.output().append(std::exchange(connection->pushed, {}));
    }
    events_.released(connection);
  }
}

void ReplySender::flush(const ConnectionPtr& connection) {
  if (connection->held) return;
  while (connection->unsent() > 0) {
    const ssize_t taken = send_some(*connection);
    if (taken < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) {
        return events_.close(connection, std::strerror(errno));
      }
      break;
    }
    stats_.add(kOutputBytes, static_cast<uint64_t>(taken));
    stats_.add(kWrites);
  }
  std::string& output = connection->session.output();
  if (connection->unsent() == 0) {
    output.clear();
    if (output.capacity() > kKeptOutput) std::string().swap(output);
    connection->sent = 0;
  } else {
    if (connection->sent > output.size() / 2) {
      output.erase(0, connection->sent);
      connection->sent = 0;
    }
    connection->writing = true;
  }
  check_limits(connection, server_.clock.monotonic_us() / 1000);
  const bool answered = connection->session.wait() != Session::Wait::kForward;
  if (answered && connection->unsent() == 0 && connection->session.client().close_after_reply) {
    events_.close(connection, "done");
  }
}

void ReplySender::push(const ConnectionPtr& connection, std::string_view bytes) {
  if (connection->closed) return;
  if (!connection->held) {
    connection->session.output().append(bytes);
    return flush(connection);
  }
  connection->pushed.append(bytes);
  const size_t waiting = connection->pushed.size();
  const OutputLimit& limit = limit_of(connection);
  if (limit.hard_bytes != 0 && waiting > limit.hard_bytes) close_unread(connection, waiting);
}

const OutputLimit& ReplySender::limit_of(const ConnectionPtr& connection) const {
  return is_listening(connection->session.client()) ? pubsub_limit_ : limit_;
}

void ReplySender::check_limits(const ConnectionPtr& connection, uint64_t now_ms) {
  if (connection->closed || connection->held) return;
  const size_t unsent = connection->unsent();
  connection->session.client().shared.output_bytes.store(
      unsent == 0 ? 0 : connection->session.output().capacity(), std::memory_order_relaxed);
  const OutputLimit& limit = limit_of(connection);
  const bool over_soft = limit.soft_bytes != 0 && unsent > limit.soft_bytes;
  if (!over_soft) connection->over_soft_since_ms = 0;
  if (over_soft && connection->over_soft_since_ms == 0) connection->over_soft_since_ms = now_ms;
  const bool too_long =
      over_soft && now_ms - connection->over_soft_since_ms >= limit.soft_seconds * 1000;
  const bool over_hard = limit.hard_bytes != 0 && unsent > limit.hard_bytes;
  if (over_hard || too_long) close_unread(connection, unsent);
}

void ReplySender::close_unread(const ConnectionPtr& connection, size_t unsent) {
  stats_.add(kOutputLimitClosed);
  spdlog::warn(
      "closing client {}: {} bytes of replies it doesn't read exceed "
      "client-output-buffer-limit",
      connection->session.client().address, unsent);
  events_.close(connection, "output limit");
}

}  // namespace syntropy
