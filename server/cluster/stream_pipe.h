// StreamPipe: a stream of the bus with what waits to be written to it.
//
// Thread safety: the loop's.
#pragma once

#include <deque>
#include <utility>

#include "rpc/transport.h"
#include "server/cluster/replication_codec.h"

namespace syntropy {

class StreamPipe {
 public:
  explicit StreamPipe(Transport& transport, StreamId id = 0) : transport_(&transport), id_(id) {}

  /// 0: none.
  StreamId id() const { return id_; }
  /// Closes the one before.
  void open(const Peer& peer, uint8_t purpose) {
    close();
    id_ = peer.address.host.empty() ? 0 : transport_->open_stream(peer, purpose);
  }
  void close() {
    const StreamId closing = std::exchange(id_, 0);
    forget();
    if (closing != 0) transport_->close_stream(closing);
  }
  /// It is at its end.
  void forget() {
    id_ = 0;
    unsent_.clear();
    stuck_since_ = 0;
  }

  template <class Message>
  void push(const Message& message) {
    unsent_.push_back(encode_frame(message));
  }
  /// True when all is written. Adds to `bytes`, if given.
  bool flush(TimeMs now, uint64_t* bytes = nullptr) {
    while (!unsent_.empty()) {
      const ReplicationFrame& frame = unsent_.front();
      if (id_ == 0 || !transport_->write(id_, frame.type, frame.payload)) {
        if (stuck_since_ == 0) stuck_since_ = now;
        return false;
      }
      if (bytes != nullptr) *bytes += frame.payload.size();
      unsent_.pop_front();
      stuck_since_ = 0;
    }
    return true;
  }
  /// `session`, unless something waits to be written: that is woken by on_writable(), if ever, and
  /// given up after timeout_ms.
  TimeMs deadline(TimeMs session, TimeMs timeout_ms) const {
    return stuck_since_ == 0 ? session : stuck_since_ + timeout_ms;
  }

 private:
  Transport* transport_;
  StreamId id_;
  std::deque<ReplicationFrame> unsent_;
  TimeMs stuck_since_ = 0;  // while something is unsent
};

}  // namespace syntropy
