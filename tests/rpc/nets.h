// Nets: the two networks on which the tests of transports run: sockets in real time, and the
// in-memory one in virtual time. What a test says of one holds for the other.
//
// A net makes transports, waits for what a test expects (bounded), and lets a test act as a peer
// that keeps no rules: connect by itself and say what it likes.
#pragma once

#include <memory>
#include <string>

#include "rpc/asio_transport.h"
#include "rpc/memory_transport.h"
#include "tests/rpc/recorder.h"

namespace syntropy::testing {

/// A connection in the hands of the test.
class RawPeer {
 public:
  virtual ~RawPeer() = default;
  virtual void send(const std::string& bytes) = 0;
  /// Waits until at least so many bytes have come or the connection has ended; all that came.
  virtual std::string receive(size_t bytes) = 0;
  /// Waits for the other side to close; false: it doesn't.
  virtual bool wait_closed() = 0;
};

class SocketNet {
 public:
  std::unique_ptr<Transport> make(const std::string& host, const BusOptions& options);
  /// A host for a node; another one each time where there are more.
  std::string host() { return "127.0.0.1"; }
  /// A host where connections are taken and nothing is ever said.
  PeerAddress silent_host();
  /// An address where nobody listens.
  PeerAddress nobody();
  std::unique_ptr<RawPeer> connect(const PeerAddress& address);
  bool wait(Signal& signal, const std::function<bool()>& done);

  ~SocketNet();

 private:
  std::vector<int> sockets_;
};

class MemoryNet {
 public:
  std::unique_ptr<Transport> make(const std::string& host, const BusOptions& options);
  std::string host() { return "10.0.0." + std::to_string(++hosts_); }
  PeerAddress silent_host();
  PeerAddress nobody() { return {host(), 1}; }
  std::unique_ptr<RawPeer> connect(const PeerAddress& address);
  bool wait(Signal&, const std::function<bool()>& done);

  MemoryNetwork network{1};

 private:
  int hosts_ = 0;
};

}  // namespace syntropy::testing
