// Transport: what carries a node's messages to other nodes, behind an interface, so that the node
// runs on sockets (rpc/asio_transport.h) and on an in-memory network in virtual time
// (rpc/memory_transport.h) alike. Both are a Bus (rpc/bus.h) over different wires.
//
// Messages are small and droppable, like datagrams: nothing waits for them, nothing repeats them,
// and where a peer doesn't take them the oldest give way to the newest. Messages of one connection
// arrive in order. Streams are for bulk: ordered, complete, with back-pressure. Each has a TCP
// connection of its own, so that a heartbeat never queues behind a megabyte of rows, and so that a
// reader who pauses pauses nobody else.
//
// Connections for messages are shared by both directions: an answer takes the connection that the
// question came by, which saves gossip with random peers every second dial and works from behind
// a one-way firewall. When two nodes dial each other at the same moment both connections stay; the
// one that is used less goes when it is idle. Nobody has to agree on which, so no tie-break can
// close both. A message prefers the connection that was heard from last, the one most likely alive.
//
// Who is dialed and doesn't answer is dialed again after a pause that doubles, with jitter, up to
// a bound; what is sent to it meanwhile is dropped and counted.
//
// Threading: everything happens on the transport's thread, its loop. Handlers are called there, and
// may call anything but stop(). Functions marked "any thread" may be called from elsewhere;
// everything else is for the loop, or for before start().
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "membership/entry.h"
#include "membership/node_id.h"
#include "storage/base/status.h"

namespace syntropy {

struct PeerAddress {
  std::string host;   // an IPv4 or IPv6 literal; names aren't looked up
  uint16_t port = 0;  // of the bus
  auto operator<=>(const PeerAddress&) const = default;
};

/// "127.0.0.1:17379", "[::1]:17379".
std::string to_text(const PeerAddress& address);

/// Whom to send to.
struct Peer {
  NodeId id;            // none: whoever is at `address` (CLUSTER MEET)
  PeerAddress address;  // used when there is no connection; an empty host is never dialed
};

/// Who is at the other end of a connection.
struct Remote {
  NodeId id;
  PeerAddress address;     // the socket's; the port is the peer's bus port only if outbound
  std::string local_host;  // by which of our addresses the peer talks to us
  bool outbound = false;   // we dialed
};

/// 0 is no stream.
using StreamId = uint64_t;

enum class Unreachable : uint8_t {
  kRefused,      // a live host, nobody listens: the process is gone
  kNoAnswer,     // timeout, no route, reset
  kOtherNode,    // another node is at the address
  kNotAdmitted,  // we were refused for another reason, or refused the peer: secret, version, TLS
};

/// Bytes, milliseconds and counts. The defaults suit a node; a test makes them small.
struct TransportLimits {
  size_t message_bytes = 1024 * 1024;            // payload of a message
  size_t stream_frame_bytes = 64 * 1024 * 1024;  // payload of a stream's frame
  size_t message_queue_bytes = 256 * 1024;       // unsent, per connection; then the oldest go
  size_t stream_queue_bytes = 1024 * 1024;       // unsent, per stream; then write() says no
  size_t links = 1024;                           // connections for messages; then the idlest goes
  size_t links_per_peer = 4;                     // of these to one node; then the idlest goes
  size_t streams = 256;
  size_t strangers = 128;        // accepted and not yet authenticated; then the oldest goes
  uint64_t handshake_ms = 3000;  // from the dial, or from being dialed, to the end of the handshake
  uint64_t idle_ms = 60'000;     // a message connection without messages, for the side that dialed
                                 // it; twice that for the other
  uint64_t back_off_first_ms = 50;
  uint64_t back_off_most_ms = 2000;
  uint64_t unacknowledged_ms = 5000;  // of message connections: sent, and not acknowledged by the
                                      // peer's kernel; then the connection is lost
};

/// One connection, as CLUSTER LINKS shows it.
struct LinkInfo {
  bool outbound = false;
  NodeId peer;  // none until the handshake is done
  PeerAddress address;
  uint8_t purpose = 0;      // 0: messages; else a stream's
  bool ready = false;       // the handshake is done
  uint64_t created_ms = 0;  // wall time
  bool writing = false;     // bytes are waiting for the socket
  size_t send_buffer_allocated = 0;
  size_t send_buffer_used = 0;
};

/// Since the start.
struct TransportStats {
  struct Traffic {
    uint64_t sent = 0;
    uint64_t received = 0;
  };
  std::array<Traffic, 256> frames;  // by type of message; streams aside
  Traffic stream_frames;
  Traffic bytes;                     // of everything, on the wire below TLS
  uint64_t dropped_full = 0;         // messages: the peer's queue was full
  uint64_t dropped_unreachable = 0;  // messages: no connection, and none could be made
  uint64_t dropped_large = 0;        // messages: above TransportLimits::message_bytes
  uint64_t dials = 0;
  uint64_t accepted = 0;
  uint64_t refused = 0;  // connections that failed to authenticate, either way
  uint64_t broken = 0;   // connections ended by what the peer sent
};

class TransportHandler {
 public:
  virtual ~TransportHandler() = default;

  /// A message; `payload` is good during the call. Not ok: the message is ill-formed, and the
  /// connection is closed.
  virtual Status on_message(const Remote& from, uint8_t type, std::string_view payload) = 0;

  /// A connection for messages has been made, or is at its end. `why` is ok when it was idle or
  /// closed on purpose. A peer may have several.
  virtual void on_connected(const Remote&) {}
  virtual void on_disconnected(const Remote&, const Status& /*why*/) {}

  /// A dial has failed. One call per dial, not per message.
  virtual void on_unreachable(const Peer&, Unreachable, const Status& /*why*/) {}

  /// Somebody connected and didn't get through the handshake. For the log, which should limit the
  /// rate of such lines.
  virtual void on_stranger(const PeerAddress&, const Status& /*why*/) {}

  /// A stream is open: one of ours, or one that the peer opened for `purpose`.
  virtual void on_stream_open(StreamId, const Remote&, uint8_t /*purpose*/) {}
  /// The next frame of a stream; as on_message.
  virtual Status on_stream_frame(StreamId, uint8_t /*type*/, std::string_view /*payload*/) {
    return Status::invalid_argument("no streams are taken here");
  }
  /// write() said no before, and will take something now.
  virtual void on_stream_writable(StreamId) {}
  /// A stream is at its end, or could not be opened; not called after close_stream(). `why` is
  /// never ok: kUnavailable when the peer closed or can't be reached, kCorruption when it sent
  /// something broken.
  virtual void on_stream_closed(StreamId, const Status& /*why*/) {}

  /// The time given to set_alarm() has come.
  virtual void on_alarm(TimeMs /*now*/) {}
};

class Transport {
 public:
  virtual ~Transport() = default;

  /// Listens there; port 0: any free one. Before start().
  virtual Status listen(const PeerAddress& address) = 0;
  /// The port of the first listen(); 0: none. Any thread.
  virtual uint16_t port() const = 0;
  /// Begins to call `handler`, which must outlive stop().
  virtual Status start(TransportHandler& handler) = 0;
  /// Closes everything; no handler runs afterwards. Any thread but the loop.
  virtual void stop() = 0;

  /// Runs `job` on the loop, soon; after stop() never. Any thread.
  virtual void post(std::function<void()> job) = 0;
  virtual TimeMs now() const = 0;
  /// One on_alarm() at `at`, or soon when that is past. Replaces the alarm set before; kNoAlarm:
  /// none.
  virtual void set_alarm(TimeMs at) = 0;
  static constexpr TimeMs kNoAlarm = UINT64_MAX;

  /// Sends a message; `type` from kFirstMessageType on. Dials if there is no connection.
  virtual void send(const Peer& to, uint8_t type, std::string payload) = 0;
  /// Larger payloads of messages are dropped. Any thread.
  virtual size_t message_limit() const = 0;
  /// Closes all connections and streams with that node, without a word to the handler.
  virtual void disconnect(const NodeId& id) = 0;
  /// The node is another one from now on (CLUSTER RESET HARD): closes everything but the listeners.
  virtual void set_self(const NodeId& id) = 0;

  /// Opens a stream to a node; `purpose` is not 0. One dial: on_stream_open() or on_stream_closed()
  /// follows. While the address is in its pause after a failed dial, the dial comes after the
  /// pause.
  virtual StreamId open_stream(const Peer& to, uint8_t purpose) = 0;
  /// Queues a frame. False: the queue is full or the stream is closed or not yet open, and nothing
  /// was queued; on_stream_writable() follows in the first case.
  virtual bool write(StreamId stream, uint8_t type, std::string_view payload) = 0;
  /// False: reads nothing more from an open stream until true; the peer's writes stall. Frames that
  /// have been read already, at most 256 KiB of them, still come.
  virtual void set_reading(StreamId stream, bool reading) = 0;
  /// Closes at once; what is queued is lost.
  virtual void close_stream(StreamId stream) = 0;

  /// In the order in which the connections were made. Any thread.
  virtual std::vector<LinkInfo> links() const = 0;
  /// Any thread.
  virtual TransportStats stats() const = 0;
};

}  // namespace syntropy
