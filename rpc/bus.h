// Bus: all connections of a node: who is connected, what waits for whom, who is dialed when, which
// connection is closed when there are too many. A Transport over any Wire, without I/O of its own.
//
// Invariants
//   1. A handler hears of a peer (on_connected, on_message, on_stream_open) only after a handshake
//      with it has succeeded.
//   2. Memory is bounded by TransportLimits: strangers can hold one handshake frame each, peers one
//      incomplete frame and one send queue per connection.
//   3. Frames of a connection leave in the order in which they are numbered: messages are framed
//      when the wire takes them.
//   4. An on_connected() has one on_disconnected(), an on_stream_open() one on_stream_closed(),
//      unless the node itself closed the connection or the transport was stopped.
//
// Threading: the loop of the transport; links() and stats() from any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/back_off.h"
#include "rpc/bus_counters.h"
#include "rpc/link.h"
#include "rpc/transport.h"
#include "rpc/wire.h"
#include "storage/base/random.h"

namespace syntropy {

struct BusOptions {
  NodeId self;
  ClusterKey key;         // none: peers are taken as what they say
  uint64_t instance = 0;  // tells this process from an earlier one of the same node; 0: drawn
  TransportLimits limits;
};

class Bus : public Transport {
 public:
  ~Bus() override;

  TimeMs now() const override { return wire_.now(); }
  void set_alarm(TimeMs at) override;
  void send(const Peer& to, uint8_t type, std::string payload) override;
  size_t message_limit() const override { return limits_.message_bytes; }
  void disconnect(const NodeId& id) override;
  void set_self(const NodeId& id) override;
  StreamId open_stream(const Peer& to, uint8_t purpose) override;
  bool write(StreamId stream, uint8_t type, std::string_view payload) override;
  void set_reading(StreamId stream, bool reading) override;
  void close_stream(StreamId stream) override;
  std::vector<LinkInfo> links() const override;
  TransportStats stats() const override;

  // What happened on the wire. Unknown connections are ones that have just been closed.

  /// Somebody has connected. The number of the connection; the wire starts to read from it.
  ConnectionId accepted(const PeerAddress& remote, const std::string& local_host);
  void connected(ConnectionId id, const PeerAddress& remote, const std::string& local_host);
  void dial_failed(ConnectionId id, Unreachable kind, const Status& why);
  void received(ConnectionId id, std::string_view bytes);
  /// The wire has taken all of the last write().
  void written(ConnectionId id);
  /// The connection is gone.
  void lost(ConnectionId id, const Status& why);
  /// The alarm.
  void tick();

 protected:
  /// `wire` isn't called before serve().
  Bus(const BusOptions& options, Wire& wire);
  void serve(TransportHandler& handler);
  /// Closes all connections without a word to the handler.
  void close_all();

 private:
  class Scope;

  Link* find(ConnectionId id);
  Link* find_stream(StreamId id);
  Link* choose(const Peer& to);
  Link& add(bool outbound, uint8_t purpose, const Peer& target);
  void begin_dial(Link& link);
  void pump(Link& link);
  void handshake_frame(Link& link, const FrameView& frame);
  void become_ready(Link& link);
  void make_room(Link& link);
  void user_frame(Link& link, const FrameView& frame);

  /// Tells the handler what fits how far the link got. `kind`: for a dial that failed.
  void close(Link& link, const Status& why, Unreachable kind = Unreachable::kNoAnswer);
  /// Tells nobody.
  void drop(Link& link);
  void tell_closed(const Link& link, Link::State was, const Status& why, Unreachable kind);
  void close_idlest(const NodeId* peer, const Link& keep);
  void touch(Link& link);
  void close_oldest_stranger();
  void unregister(Link& link);

  TimeMs deadline_of(const Link& link) const;
  void expire(Link& link);
  void lower_deadline(TimeMs deadline);
  void rearm();
  void show(Link& link);
  HandshakeNonce nonce();

  Wire& wire_;
  HandshakeConfig config_;
  const TransportLimits limits_;
  SeededRandom random_{0};  // of the back-off's jitter; seeded by serve()
  BackOff back_off_;
  TransportHandler* handler_ = nullptr;

  std::map<ConnectionId, std::unique_ptr<Link>> links_;
  std::map<NodeId, std::vector<Link*>> by_peer_;  // message links whose node is known or expected
  std::vector<std::unique_ptr<Link>> closed_;     // until the outermost Scope ends
  ConnectionId last_id_ = 0;
  uint64_t uses_ = 0;
  size_t message_links_ = 0;  // without strangers
  size_t strangers_ = 0;
  size_t inbound_streams_ = 0;
  int depth_ = 0;

  TimeMs next_deadline_ = kNoAlarm;  // not above any link's
  TimeMs user_alarm_ = kNoAlarm;
  TimeMs armed_ = kNoAlarm;

  mutable std::mutex mutex_;  // guards shown_ and the `info` in it
  std::map<ConnectionId, std::shared_ptr<ShownLink>> shown_;
  BusCounters counters_;
};

}  // namespace syntropy
