// MemoryTransport: a Transport on a MemoryNetwork: the real handshake, frames, queues and back-off
// without sockets and clocks. For tests.
//
// Threading: that of the network, which is all threads that the interface speaks of.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "rpc/bus.h"
#include "rpc/memory_network.h"

namespace syntropy {

class MemoryTransport final : public Bus {
 public:
  /// A node on `host`. `network` must outlive it.
  static std::unique_ptr<MemoryTransport> make(MemoryNetwork& network, const std::string& host,
                                               const BusOptions& options);
  ~MemoryTransport() override;

  Status listen(const PeerAddress& address) override;
  uint16_t port() const override;
  Status start(TransportHandler& handler) override;
  void stop() override;
  void post(std::function<void()> job) override;

 private:
  class Sockets;
  MemoryTransport(const BusOptions& options, std::unique_ptr<Sockets> sockets);

  std::unique_ptr<Sockets> sockets_;
};

}  // namespace syntropy
