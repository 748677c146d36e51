// AsioSockets: the Wire of sockets: an event loop, its listeners and its connections. Inside of
// rpc/ only, as it shows Asio.
//
// Thread safety: open() and everything behind it on the loop, or before it runs.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "rpc/bus.h"
#include "rpc/wire.h"

namespace syntropy {

class AsioSockets final : public Wire {
 public:
  using Tcp = boost::asio::ip::tcp;

  /// `tls` null: none. What the sockets tell goes to begin()'s bus.
  AsioSockets(boost::asio::io_context& context, std::unique_ptr<boost::asio::ssl::context> tls,
              uint64_t unacknowledged_ms);

  Status listen(const PeerAddress& address);
  uint16_t port() const { return port_; }
  /// Starts to accept.
  void begin(Bus& bus);
  /// Closes everything. The loop isn't run afterwards.
  void end();

  TimeMs now() const override;
  TimeMs wall_ms() const override;
  void random(char* out, size_t size) override;
  void set_alarm(TimeMs at) override;
  void dial(ConnectionId id, const PeerAddress& address) override;
  void write(ConnectionId id, std::string bytes) override;
  void set_patient(ConnectionId id) override;
  void set_reading(ConnectionId id, bool reading) override;
  void close(ConnectionId id) override;

 private:
  struct Connection;
  struct Door;
  using ConnectionPtr = std::shared_ptr<Connection>;

  void accept(const std::shared_ptr<Door>& door);
  void admit(Tcp::socket socket);
  void on_dialed(const ConnectionPtr& connection, const boost::system::error_code& error);
  void dial_failed(const ConnectionPtr& connection, Unreachable kind, std::string why);
  void start_tls(const ConnectionPtr& connection, bool dialed);
  void announce(const ConnectionPtr& connection);
  void read(const ConnectionPtr& connection);
  void read_plain(const ConnectionPtr& connection);
  void read_tls(const ConnectionPtr& connection);
  void on_written(const ConnectionPtr& connection, const boost::system::error_code& error);
  void lose(const ConnectionPtr& connection, const boost::system::error_code& error);
  void linger(const ConnectionPtr& connection);
  void set_options(Tcp::socket& socket);

  boost::asio::io_context& context_;
  std::unique_ptr<boost::asio::ssl::context> tls_;
  const uint64_t unacknowledged_ms_;
  Bus* bus_ = nullptr;
  uint16_t port_ = 0;
  std::vector<std::shared_ptr<Door>> doors_;
  std::unordered_map<ConnectionId, ConnectionPtr> connections_;
  boost::asio::steady_timer alarm_;
  uint64_t alarm_number_ = 0;
  std::vector<char> buffer_;  // all plain connections read into it
};

}  // namespace syntropy
