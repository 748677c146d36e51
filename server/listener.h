// Listener: accepts connections on the configured addresses and hands each to an I/O thread,
// or refuses it with the error that Redis gives (too many clients, protected mode).
//
// Thread safety: open() before the loop of `context` runs; everything else on that loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <memory>
#include <string>
#include <vector>

#include "server/config/config.h"
#include "server/context.h"
#include "server/descriptor.h"
#include "server/io_pool.h"

namespace syntropy {

class Listener {
 public:
  /// `stats`: the slot of the thread that runs `context`.
  Listener(boost::asio::io_context& context, ServerContext& server, ThreadStats& stats,
           IoPool& threads);
  ~Listener() { close(); }

  /// Binds and listens on everything that the configuration names. The errors name the address.
  Status open(const Config& config);
  /// Stops accepting; removes the unix socket.
  void close();
  /// The TCP port in use; 0: none.
  uint16_t port() const { return port_; }

 private:
  template <class Protocol>
  struct Door;

  Status open_all(const Config& config, int port, bool proxied);
  Status open_tcp(const BindAddress& address, const Config& config, int port, bool proxied);
  Status open_unix(const Config& config);
  template <class Protocol>
  void accept(const std::shared_ptr<Door<Protocol>>& door);
  void admit(Descriptor socket, std::shared_ptr<Client> client, bool loopback);
  std::string refusal(const Config& config, bool loopback) const;

  boost::asio::io_context& context_;
  ServerContext& server_;
  ThreadStats& stats_;
  IoPool& threads_;
  uint16_t port_ = 0;
  std::string unix_socket_;
  std::vector<std::shared_ptr<Door<boost::asio::ip::tcp>>> tcp_;
  std::vector<std::shared_ptr<Door<boost::asio::local::stream_protocol>>> local_;
};

}  // namespace syntropy
