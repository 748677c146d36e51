// ProxyPool: this node's connections to the others as their client, for the requests of clients
// that know no cluster (proxy_plan.h). Requests of many clients share a connection, one behind the
// other; replies come back in order.
//
//   I/O thread --- forward(plans) --> pool's thread ---> one connection per node and protocol
//        ^                                 |
//        +------ done(reply) --------------+
//
// What an I/O thread has for others in a turn comes in one go, and what goes to one node then is
// written in one go: waking a thread and calling the kernel cost more than the rest.
//
// What another node answers is followed: MOVED and ASK to where they lead, TRYAGAIN after a moment.
// A part that was never sent, or only reads, is sent again, to whoever owns its slot by then, when a
// node can't be reached; else the reply says that it may have been done. All within a time that a
// failover takes.
//
// Thread safety: forward() from any thread; `done` is called on the pool's thread.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server/context.h"
#include "server/proxy/proxy_plan.h"

namespace syntropy {

class ProxyLink;

class ProxyPool {
 public:
  /// `server` outlives it, and is part of a cluster.
  explicit ProxyPool(ServerContext& server);
  /// No `done` is called any more.
  ~ProxyPool();

  /// For how long a request may have to wait: what a failover takes, and more.
  uint64_t patience_ms() const;
  /// Calls the `done` of each once.
  void forward(std::vector<ProxyRequest> requests);

 private:
  friend class ProxyLink;

  // A request of a client, whose parts are on their way.
  struct Job {
    ProxyRequest request;
    std::vector<std::string> replies;
    size_t missing = 0;
    uint64_t deadline_ms = 0;  // monotonic
  };
  // One of them.
  struct Errand {
    std::shared_ptr<Job> job;
    size_t index = 0;     // of the part
    std::string node;     // where it is sent
    bool asking = false;  // it was sent there by ASK
    int turns = 0;        // that it was sent elsewhere

    const ProxyPart& part() const { return job->request.plan.parts[index]; }
  };

  void watch();
  void send(Errand errand);
  void send_later(Errand errand);
  void answered(Errand errand, std::string reply);
  /// `sent`: it may have arrived.
  void broke(Errand errand, bool sent, const std::string& why);
  static void finish(const Errand& errand, std::string reply);
  bool late(const Errand& errand) const;
  uint64_t now_ms() const;

  ServerContext& server_;
  boost::asio::io_context loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::steady_timer watch_;
  std::map<std::pair<std::string, int>, std::shared_ptr<ProxyLink>> links_;  // host:port, protocol
  std::thread thread_;
};

}  // namespace syntropy
