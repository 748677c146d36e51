// Link: one connection as a Bus keeps it: its place in the handshake, what is to be sent, and what
// CLUSTER LINKS shows of it.
//
// Thread safety: a Link belongs to the loop of its Bus; a ShownLink is shared.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "rpc/frame.h"
#include "rpc/handshake.h"
#include "rpc/transport.h"
#include "rpc/wire.h"

namespace syntropy {

/// Messages that wait for their connection. Droppable: the oldest go when there are too many.
/// They are framed when they leave, so that what is dropped leaves no gap in the frames' numbers.
class MessageQueue {
 public:
  /// What a queued message costs over its payload.
  static constexpr size_t kOverheadBytes = 64;

  /// The number of messages dropped so that the queue is within `limit_bytes`, or holds just this.
  size_t push(uint8_t type, std::string payload, size_t limit_bytes);
  /// Appends frames to `out` until it has `batch_bytes` or the queue is empty; their types go to
  /// `sent`.
  template <class Sent>
  void fill(size_t batch_bytes, FrameCheck* check, std::string* out, Sent sent) {
    while (!messages_.empty() && out->size() < batch_bytes) {
      const Message& message = messages_.front();
      append_frame(message.type, message.payload, check, out);
      sent(message.type);
      pop();
    }
  }
  size_t size() const { return messages_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Message {
    uint8_t type;
    std::string payload;
  };
  void pop();

  std::deque<Message> messages_;
  size_t bytes_ = 0;
};

/// The part of a link that any thread may read. `info` is guarded by the Bus' mutex.
struct ShownLink {
  LinkInfo info;
  std::atomic<bool> writing{false};
  std::atomic<size_t> used{0};
  std::atomic<size_t> allocated{0};
};

struct Link {
  enum class State : uint8_t {
    kPaused,     // a stream that waits for the end of its address' pause
    kDialing,    // the wire connects
    kHandshake,  // connected
    kReady,
    kClosed,  // kept until nobody on the stack refers to it
  };

  Link(ConnectionId connection, bool dialed, uint8_t what_for)
      : id(connection), outbound(dialed), purpose(what_for), parser(kMaxHandshakePayload) {}

  bool ready() const { return state == State::kReady; }
  bool closed() const { return state == State::kClosed; }
  bool is_stream() const { return purpose != kMessages; }
  /// Accepted, and nobody knows yet who it is.
  bool is_stranger() const { return !outbound && !ready() && !closed(); }
  /// Bytes that the wire hasn't taken.
  size_t unsent() const { return outgoing.size() + in_flight + messages.bytes(); }

  const ConnectionId id;
  const bool outbound;
  uint8_t purpose;  // an inbound link's is known after the handshake
  State state = State::kDialing;
  Peer target;    // whom we dialed; inbound: the address alone
  Remote remote;  // the id is known after the handshake
  uint64_t peer_instance = 0;

  TimeMs deadline = 0;  // kPaused: when to dial; kDialing, kHandshake: when to give up
  TimeMs used = 0;      // when the last message was sent or received
  uint64_t uses = 0;    // the greater, the later was that
  TimeMs heard = 0;     // when the last message was received

  std::optional<Handshake> handshake;
  FrameParser parser;
  FrameCheck check;  // of what we send

  MessageQueue messages;
  std::string outgoing;  // framed: the handshake, a stream's frames
  size_t in_flight = 0;  // bytes given to the wire, which hasn't said written()
  bool starved = false;  // write() said no
  std::shared_ptr<ShownLink> shown;
};

}  // namespace syntropy
