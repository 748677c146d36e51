// Connection: a session and its socket, and where the two stand.
//
// Thread safety: but for what is held (below) it belongs to one I/O thread, `home`, which may hand
// it on to another.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "server/descriptor.h"
#include "server/session.h"

namespace syntropy {

class IoThread;

struct Connection : std::enable_shared_from_this<Connection> {
  Connection(Descriptor connected, std::shared_ptr<Client> client, const RequestLimits& limits)
      : socket(std::move(connected)), session(std::move(client), limits) {}

  Descriptor socket;
  Session session;
  std::atomic<IoThread*> home{nullptr};

  bool writing = false;   // the socket is full: there is more to write when it tells so
  bool queued = false;    // on the ready list
  bool readable = false;  // the socket has something, or may have
  bool ended = false;     // and behind that the end of the stream
  // What was answered must not leave before it is durable. Until then the output, `sent` and the
  // socket belong to the thread that syncs, which sends it (reply_sender.h).
  bool held = false;
  bool sendable = false;  // while held: the socket took everything so far
  bool closed = false;
  std::string pushed;               // for behind the output, while that is held
  size_t sent = 0;                  // bytes of the session's output that the kernel has taken
  uint64_t over_soft_since_ms = 0;  // the output is above its soft limit since then; 0: it isn't

  size_t unsent() const { return session.sendable() - sent; }
};

using ConnectionPtr = std::shared_ptr<Connection>;

}  // namespace syntropy
