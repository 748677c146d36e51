// Recorder: a handler that writes down what it is told, for tests that wait until something is.
//
// Thread safety: all functions from any thread; the hooks are set before the transport starts.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "rpc/transport.h"

namespace syntropy::testing {

/// Wakes those who wait for a change in any of the recorders that share it.
struct Signal {
  std::mutex mutex;
  std::condition_variable changed;
};

struct Event {
  enum Kind {
    kMessage,
    kConnected,
    kDisconnected,
    kUnreachable,
    kStranger,
    kStreamOpen,
    kStreamFrame,
    kStreamWritable,
    kStreamClosed,
    kAlarm,
  };
  Kind kind;
  NodeId peer;
  std::string text;  // payload, or the message of the status
  int type = 0;      // of a frame; purpose of a stream; an Unreachable
  StreamId stream = 0;
  bool outbound = false;
  StatusCode code = StatusCode::kOk;
};

class Recorder final : public TransportHandler {
 public:
  explicit Recorder(Signal& signal) : signal_(signal) {}

  /// Called on the loop for each message; the answer is the handler's.
  std::function<Status(const Remote&, uint8_t, std::string_view)> on_each_message;
  std::function<void(StreamId)> on_each_writable;

  std::vector<Event> events(Event::Kind kind) const {
    const std::lock_guard lock(signal_.mutex);
    std::vector<Event> found;
    std::copy_if(events_.begin(), events_.end(), std::back_inserter(found),
                 [&](const Event& event) { return event.kind == kind; });
    return found;
  }
  size_t count(Event::Kind kind) const {
    const std::lock_guard lock(signal_.mutex);
    return static_cast<size_t>(std::count_if(
        events_.begin(), events_.end(), [&](const Event& event) { return event.kind == kind; }));
  }
  /// The last one; there is one.
  Event last(Event::Kind kind) const { return events(kind).back(); }

  Status on_message(const Remote& from, uint8_t type, std::string_view payload) override {
    const Status status = on_each_message ? on_each_message(from, type, payload) : Status();
    add({Event::kMessage, from.id, std::string(payload), type, 0, from.outbound});
    return status;
  }
  void on_connected(const Remote& remote) override {
    add({Event::kConnected, remote.id, remote.address.host, 0, 0, remote.outbound});
  }
  void on_disconnected(const Remote& remote, const Status& why) override {
    add({Event::kDisconnected, remote.id, std::string(why.message()), 0, 0, remote.outbound,
         why.code()});
  }
  void on_unreachable(const Peer& peer, Unreachable kind, const Status& why) override {
    add({Event::kUnreachable, peer.id, std::string(why.message()), static_cast<int>(kind), 0, true,
         why.code()});
  }
  void on_stranger(const PeerAddress& address, const Status& why) override {
    add({Event::kStranger, NodeId(), address.host + ": " + std::string(why.message()), 0, 0, false,
         why.code()});
  }
  void on_stream_open(StreamId stream, const Remote& remote, uint8_t purpose) override {
    add({Event::kStreamOpen, remote.id, "", purpose, stream, remote.outbound});
  }
  Status on_stream_frame(StreamId stream, uint8_t type, std::string_view payload) override {
    add({Event::kStreamFrame, NodeId(), std::string(payload), type, stream});
    return Status();
  }
  void on_stream_writable(StreamId stream) override {
    if (on_each_writable) on_each_writable(stream);
    add({Event::kStreamWritable, NodeId(), "", 0, stream});
  }
  void on_stream_closed(StreamId stream, const Status& why) override {
    add({Event::kStreamClosed, NodeId(), std::string(why.message()), 0, stream, false, why.code()});
  }
  void on_alarm(TimeMs) override { add({Event::kAlarm, NodeId(), ""}); }

 private:
  void add(Event event) {
    const std::lock_guard lock(signal_.mutex);
    events_.push_back(std::move(event));
    signal_.changed.notify_all();
  }

  Signal& signal_;
  std::vector<Event> events_;
};

}  // namespace syntropy::testing
