// Connection: a session and its socket, and where the two stand.
//
// Thread safety: belongs to one I/O thread, `home`, which may hand it on to another.
#pragma once

#include <atomic>
#include <boost/asio/generic/stream_protocol.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "server/session.h"

namespace syntropy {

class IoThread;

struct Connection {
  using Socket = boost::asio::generic::stream_protocol::socket;

  Connection(Socket connected, std::shared_ptr<Client> client, const RequestLimits& limits)
      : socket(std::move(connected)), session(std::move(client), limits) {}

  Socket socket;
  Session session;
  std::atomic<IoThread*> home{nullptr};

  bool reading = false;   // a wait for readability is pending
  bool writing = false;   // a wait for writability is pending
  bool queued = false;    // on the ready list
  bool readable = false;  // the socket has something, or may have
  bool held = false;      // what was answered must not leave yet: it isn't durable
  bool closed = false;
  size_t sent = 0;                  // bytes of the session's output that the kernel has taken
  uint64_t over_soft_since_ms = 0;  // the output is above its soft limit since then; 0: it isn't

  size_t unsent() { return session.output().size() - sent; }
};

}  // namespace syntropy
