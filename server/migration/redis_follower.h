// RedisFollower: follows a redis-server (REPLICAOF), so that a service can move here while it runs:
// all keys are copied, then each write follows within moments, until REPLICAOF NO ONE makes this
// node the one that is written to.
//
//   follow() -> connecting -> copying -> following -> ... -> stop(): a node of its own
//                   ^____________________/  a link that breaks: goes on where it was, or copies anew
//
// While it follows, clients can't write, and while it copies, they can't read: the copy begins with
// an empty store. Whom it follows is kept in the store (record redis/upstream), so that a restart
// goes on with a new copy. A node whose keys aren't such a copy follows nobody: they would be lost.
//
// What there is no place for (upstream_store.h), or a database that isn't here, ends it, so that
// somebody has to look: INFO replication says why. Until another REPLICAOF clients still can't write,
// nor read a copy that isn't whole.
//
// Thread safety: any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "server/context.h"
#include "server/follower.h"
#include "server/migration/redis_upstream.h"

namespace syntropy {

class UpstreamStore;

class RedisFollower final : public Follower {
 public:
  /// `server` outlives this.
  explicit RedisFollower(ServerContext& server);
  ~RedisFollower() override;

  /// Goes on with what the store says: whom it followed when it was stopped.
  Status resume();

  // Follower
  Status follow(const std::string& host, uint16_t port) override;
  Status stop() override;
  View view() const override;

 private:
  void end_thread();
  void start(std::string host, uint16_t port);
  void run();
  /// One connection, until it breaks; the error says why, kInvalidArgument that there is no use in
  /// another one.
  Status serve();
  Status take(RedisUpstream& upstream);
  Status commit();
  Status on_event(RedisUpstream& upstream, RedisUpstream::Event event);
  Status remember(const std::string& host, uint16_t port);
  Status forget();
  void show();
  void set_link(Link link, std::string error = {});

  ServerContext& server_;
  std::mutex control_;  // one follow() or stop() at a time
  std::atomic<bool> stopping_{false};
  std::thread thread_;

  // Of the thread.
  RedisUpstream::Place place_;  // all up to there is in the store; no id: nothing
  uint64_t applied_ = 0;        // the same, once what waits for its commit is
  std::unique_ptr<UpstreamStore> store_;

  mutable std::mutex view_mutex_;  // guards down to the end
  View view_;
  uint64_t heard_ms_ = 0;  // monotonic
  uint64_t up_ms_ = 0;
};

}  // namespace syntropy
