// ReplySender: the last part of a tick's way, for one I/O thread: commit, wait until what was
// answered is durable enough, send it.
//
// Replies that have to wait for a sync are *held*. The thread goes on with other connections; the
// thread that syncs sends them, for it has nothing better to do while it waits for those whom they
// release. Then the I/O thread *releases* them: it sends what the kernel did not take.
//
// In a cluster, replies may also have to wait for replicas (cluster-write-acks, or what the client
// chose): those whose clients want that are held apart from the others of the tick.
//
// Invariants: nothing that depends on a write leaves before that is as durable as the policy
// demands, and on as many nodes as the client does; of one connection, bytes leave in the order in
// which they were answered and pushed; what a client doesn't read is no more than
// client-output-buffer-limit allows.
//
// Thread safety: everything on the I/O thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "server/config/config.h"
#include "server/connection.h"
#include "server/dispatcher.h"
#include "server/event_loop.h"
#include "storage/durability.h"

namespace syntropy {

class ReplySender {
 public:
  struct Events {
    /// The replies to a connection's part of a tick may leave: flush() it.
    std::function<void(const ConnectionPtr&)> released;
    /// The connection is at its end, or has to be ended.
    std::function<void(const ConnectionPtr&, std::string_view why)> close;
  };

  /// `loop` is the I/O thread's. All references must outlive what was held.
  ReplySender(ServerContext& server, Durability& durability, ThreadStats& stats, EventLoop& loop,
              Events events);

  /// Of replies that a client doesn't read, and of messages that one who listens doesn't.
  void set_limits(const OutputLimit& replies, const OutputLimit& messages) {
    limit_ = replies;
    pubsub_limit_ = messages;
  }

  /// Commits the turn. Releases its `connections`, now or when they are durable; what depends on
  /// the turn's writes becomes an error where these failed. Leaves `connections` empty.
  void finish(Turn& turn, std::vector<ConnectionPtr>& connections);

  /// Sends what was answered, unless that is held; what the kernel doesn't take follows by itself.
  /// Closes a connection that failed, exceeds its limit, or shall be closed when all is sent.
  void flush(const ConnectionPtr& connection);
  /// Sends bytes outside of a reply, behind all that was answered.
  void push(const ConnectionPtr& connection, std::string_view bytes);
  /// Closes the connection if too many replies wait in it, or for too long. `now_ms` monotonic.
  void check_limits(const ConnectionPtr& connection, uint64_t now_ms);

 private:
  // A tick's connections, and which of their replies depend on its writes.
  struct Held {
    std::vector<ConnectionPtr> connections;
    std::vector<Turn::Dependent> dependents;
    uint64_t bytes = 0;  // sent by the thread that syncs, in so many calls
    uint64_t sends = 0;
  };

  void hold(Held tick, Durability::Point point);
  void hold_for_copies(Held& tick, WriteAcks acks, const Config& config, Durability::Point point);
  static Held split(Held& tick, WriteAcks acks, const Config& config);
  static void send_held(Held& held);
  /// `error`: replaces what depends on the tick's writes; empty: all is well.
  void release(Held& held, std::string_view error);
  void release(Held& held, const Status& ended);
  const OutputLimit& limit_of(const ConnectionPtr& connection) const;
  void close_unread(const ConnectionPtr& connection, size_t unsent);

  ServerContext& server_;
  Durability& durability_;
  ThreadStats& stats_;
  EventLoop& loop_;
  const Events events_;
  OutputLimit limit_;
  OutputLimit pubsub_limit_;
};

}  // namespace syntropy
