// Wire: what a Bus needs of the world: connections that carry bytes, a clock, an alarm and random
// numbers. Sockets are one, the in-memory network another.
//
// No call of a Wire calls the Bus back before it returns.
//
// Threading: as the Bus.
#pragma once

#include <cstdint>
#include <string>

#include "membership/entry.h"
#include "rpc/transport.h"

namespace syntropy {

/// Of one Wire; never used again.
using ConnectionId = uint64_t;

class Wire {
 public:
  virtual ~Wire() = default;

  /// Monotonic.
  virtual TimeMs now() const = 0;
  virtual TimeMs wall_ms() const = 0;
  /// Fit for secrets (in a test: deterministic).
  virtual void random(char* out, size_t size) = 0;
  /// Calls Bus::tick() at `at`; replaces the alarm set before. Transport::kNoAlarm: none.
  virtual void set_alarm(TimeMs at) = 0;

  /// Begins to connect. Answered by connected() or dial_failed(), unless closed before.
  virtual void dial(ConnectionId connection, const PeerAddress& address) = 0;
  /// Sends `bytes`; the next call comes after written().
  virtual void write(ConnectionId connection, std::string bytes) = 0;
  /// The connection is a stream's: its reader may pause for as long as it likes.
  virtual void set_patient(ConnectionId connection) = 0;
  /// Whether received() is to be called. A connection starts with true.
  virtual void set_reading(ConnectionId connection, bool reading) = 0;
  /// No call for the connection follows. What was given to write() is still sent as far as that
  /// is possible without waiting long.
  virtual void close(ConnectionId connection) = 0;
};

}  // namespace syntropy
