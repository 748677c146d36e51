// TransportTest: nodes on either network, for the suites that run on both.
//
// Threading: a test's own thread; what happens on loops is seen through the recorders.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "storage/base/random.h"
#include "tests/rpc/nets.h"

namespace syntropy::testing {

inline NodeId node_id(uint64_t number) {
  SeededRandom random(number);
  return NodeId::random(random);
}

/// Derived once: it is slow on purpose.
inline const ClusterKey& key_of(const std::string& secret) {
  static std::map<std::string, ClusterKey> keys;
  const auto found = keys.find(secret);
  if (found != keys.end()) return found->second;
  return keys.emplace(secret, ClusterKey::derive(secret)).first->second;
}

/// A transport with its recorder, listening.
struct Node {
  Peer peer;
  std::unique_ptr<Recorder> recorder;
  std::unique_ptr<Transport> transport;

  ~Node() { transport->stop(); }
  size_t count(Event::Kind kind) const { return recorder->count(kind); }
  size_t ready_links() const {
    size_t ready = 0;
    for (const LinkInfo& link : transport->links()) ready += link.ready ? 1 : 0;
    return ready;
  }
};
using NodePtr = std::unique_ptr<Node>;

inline constexpr uint8_t kType = 20;

template <class Net>
class TransportTest : public ::testing::Test {
 protected:
  using Setup = std::function<void(Recorder&)>;

  /// Node `number`, at `address` if that has a host. With `setup` its recorder is made ready.
  NodePtr start(uint64_t number, BusOptions options = {}, const Setup& setup = {},
                PeerAddress address = {}) {
    auto node = std::make_unique<Node>();
    if (address.host.empty()) address.host = net.host();
    options.self = node_id(number);
    node->recorder = std::make_unique<Recorder>(signal);
    if (setup) setup(*node->recorder);
    node->transport = net.make(address.host, options);
    const Status listening = node->transport->listen(address);
    EXPECT_TRUE(listening.ok()) << listening.message();
    EXPECT_TRUE(node->transport->start(*node->recorder).ok());
    if (address.port == 0) address.port = node->transport->port();
    node->peer = {node_id(number), address};
    return node;
  }

  bool wait(const std::function<bool()>& done) { return net.wait(signal, done); }
  bool wait_count(const NodePtr& node, Event::Kind kind, size_t count) {
    return wait([&] { return node->count(kind) >= count; });
  }

  /// Runs `job` on the node's loop and waits for its end.
  void on_loop(const NodePtr& node, const std::function<void(Transport&)>& job) {
    std::atomic<bool> done{false};
    node->transport->post([&] {
      job(*node->transport);
      done.store(true);
    });
    ASSERT_TRUE(wait([&] { return done.load(); }));
  }
  void send(const NodePtr& from, const Peer& to, const std::string& payload, uint8_t type = kType) {
    on_loop(from, [&](Transport& transport) { transport.send(to, type, payload); });
  }
  /// Both nodes have a connection, made by `from`.
  void connect(const NodePtr& from, const NodePtr& to) {
    const size_t messages = to->count(Event::kMessage);
    send(from, to->peer, "connect");
    ASSERT_TRUE(wait_count(to, Event::kMessage, messages + 1));
  }
  StreamId open_stream(const NodePtr& from, const Peer& to, uint8_t purpose = 5) {
    StreamId stream = 0;
    on_loop(from, [&](Transport& transport) { stream = transport.open_stream(to, purpose); });
    return stream;
  }

  Net net;
  Signal signal;
};

using Nets = ::testing::Types<SocketNet, MemoryNet>;

struct NetNames {
  template <class Net>
  static std::string GetName(int) {
    return std::is_same_v<Net, SocketNet> ? "Sockets" : "Memory";
  }
};

}  // namespace syntropy::testing
