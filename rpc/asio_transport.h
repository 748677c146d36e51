// AsioTransport: a Transport on TCP sockets, with mutual TLS if asked for, on one thread with its
// own event loop.
//
// TLS: the peer's certificate must have been issued by the authority given, on both sides; the
// names in it don't matter, as a node is known by its id. With a secret as well, that is proven
// inside of TLS.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "rpc/bus.h"

namespace syntropy {

/// PEM files. All three or none.
struct TlsFiles {
  std::string certificate;  // with its chain: cluster-tls-cert-file
  std::string key;          // cluster-tls-key-file
  std::string authority;    // who issues the certificates of all nodes: cluster-tls-ca-file
  bool any() const { return !certificate.empty() || !key.empty() || !authority.empty(); }
};

class AsioTransport final : public Bus {
 public:
  /// kInvalidArgument: a TLS file is missing or can't be used; says which.
  static Result<std::unique_ptr<AsioTransport>> make(const BusOptions& options,
                                                     const TlsFiles& tls = {});
  ~AsioTransport() override;

  Status listen(const PeerAddress& address) override;
  uint16_t port() const override;
  Status start(TransportHandler& handler) override;
  void stop() override;
  void post(std::function<void()> job) override;

 private:
  class Loop;
  AsioTransport(const BusOptions& options, std::unique_ptr<Loop> loop);

  std::unique_ptr<Loop> loop_;
};

}  // namespace syntropy
