#include "rpc/asio_sockets.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <utility>

#include "rpc/crypto.h"

namespace syntropy {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr size_t kReadBytes = 256 * 1024;
constexpr size_t kTlsReadBytes = 17 * 1024;  // one record
constexpr int kUnsentOfStream = 512 * 1024;
constexpr int kUnsentInKernel = 64 * 1024;         // more waits with us, where it can be dropped
constexpr auto kLinger = std::chrono::seconds(1);  // for the last bytes of a closed connection
constexpr auto kAcceptPause = std::chrono::milliseconds(100);
constexpr int kKeepAliveSeconds = 30;

void set_option(int descriptor, int level, int name, int value) {
  // A connection without the option works as well; there is nobody to tell.
  (void)::setsockopt(descriptor, level, name, &value, sizeof(value));
}

// An IPv4 peer of an IPv6 socket is shown as what it is.
PeerAddress address_of(const AsioSockets::Tcp::endpoint& endpoint) {
  asio::ip::address address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return {address.to_string(), endpoint.port()};
}

}  // namespace

struct AsioSockets::Connection {
  Connection(ConnectionId number, Tcp::socket connected)
      : id(number), socket(std::move(connected)), linger(socket.get_executor()) {}

  ConnectionId id;
  Tcp::socket socket;
  std::optional<asio::ssl::stream<Tcp::socket&>> tls;
  PeerAddress remote;
  std::string local_host;
  std::string output;        // what is being written
  std::vector<char> buffer;  // TLS reads into it
  asio::steady_timer linger;
  bool reading = false;  // a read is under way
  bool paused = false;
  bool closed = false;  // the bus doesn't know it any more
};

struct AsioSockets::Door {
  explicit Door(asio::io_context& context) : acceptor(context), pause(context) {}
  Tcp::acceptor acceptor;
  asio::steady_timer pause;
};

AsioSockets::AsioSockets(asio::io_context& context, std::unique_ptr<asio::ssl::context> tls,
                         uint64_t unacknowledged_ms)
    : context_(context),
      tls_(std::move(tls)),
      unacknowledged_ms_(unacknowledged_ms),
      alarm_(context),
      buffer_(kReadBytes) {}

// --- Listening -----------------------------------------------------------------------------------

Status AsioSockets::listen(const PeerAddress& address) {
  error_code error;
  const asio::ip::address host = asio::ip::make_address(address.host, error);
  if (error) return Status::invalid_argument("not an IP address: " + address.host);
  const Tcp::endpoint endpoint(host, address.port);
  auto door = std::make_shared<Door>(context_);
  door->acceptor.open(endpoint.protocol(), error);
  if (!error) door->acceptor.set_option(Tcp::acceptor::reuse_address(true), error);
  if (!error && host.is_v6()) door->acceptor.set_option(asio::ip::v6_only(true), error);
  if (!error) door->acceptor.bind(endpoint, error);
  if (!error) door->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return Status::io_error("cannot listen for the cluster on " + to_text(address) + ": " +
                            error.message());
  }
  if (port_ == 0) port_ = door->acceptor.local_endpoint(error).port();
  doors_.push_back(std::move(door));
  return Status();
}

void AsioSockets::begin(Bus& bus) {
  bus_ = &bus;
  for (const auto& door : doors_) accept(door);
}

void AsioSockets::end() {
  error_code ignored;
  for (const auto& door : doors_) {
    door->acceptor.close(ignored);
    door->pause.cancel();
  }
  doors_.clear();
  for (const auto& [id, connection] : std::exchange(connections_, {})) {
    connection->closed = true;
    connection->socket.close(ignored);
  }
  ++alarm_number_;
  alarm_.cancel();
}

void AsioSockets::accept(const std::shared_ptr<Door>& door) {
  door->acceptor.async_accept([this, door](const error_code& error, Tcp::socket socket) {
    if (error == asio::error::operation_aborted || !door->acceptor.is_open()) return;
    if (!error) {
      admit(std::move(socket));
      return accept(door);
    }
    // Out of descriptors or memory: a pause, so that the loop doesn't spin.
    door->pause.expires_after(kAcceptPause);
    door->pause.async_wait([this, door](const error_code& stopped) {
      if (!stopped) accept(door);
    });
  });
}

void AsioSockets::admit(Tcp::socket socket) {
  error_code error;
  const Tcp::endpoint remote = socket.remote_endpoint(error);
  const Tcp::endpoint local = error ? Tcp::endpoint() : socket.local_endpoint(error);
  if (error) return;  // already gone
  set_options(socket);
  const auto connection = std::make_shared<Connection>(0, std::move(socket));
  connection->remote = address_of(remote);
  connection->local_host = address_of(local).host;
  connection->id = bus_->accepted(connection->remote, connection->local_host);
  connections_.emplace(connection->id, connection);
  if (tls_) return start_tls(connection, false);
  read(connection);
}

void AsioSockets::set_options(Tcp::socket& socket) {
  error_code ignored;
  socket.non_blocking(true, ignored);
  const int descriptor = socket.native_handle();
  set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(unacknowledged_ms_));
  set_option(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, kUnsentInKernel);
  // With little under way, a lost packet is repeated at even intervals, not at doubling ones:
  // heartbeats must get through a bad network, and be there soon after a partition.
  set_option(descriptor, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1);
  set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveSeconds);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveSeconds / 3);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

// --- Dialing -------------------------------------------------------------------------------------

void AsioSockets::dial(ConnectionId id, const PeerAddress& address) {
  const auto connection = std::make_shared<Connection>(id, Tcp::socket(context_));
  connection->remote = address;
  connections_.emplace(id, connection);
  error_code error;
  const asio::ip::address host = asio::ip::make_address(address.host, error);
  if (error || address.port == 0) {
    asio::post(context_, [this, connection] {
      dial_failed(connection, Unreachable::kNoAnswer,
                  "not an address of a bus: " + to_text(connection->remote));
    });
    return;
  }
  connection->socket.async_connect(
      Tcp::endpoint(host, address.port),
      [this, connection](const error_code& failed) { on_dialed(connection, failed); });
}

void AsioSockets::on_dialed(const ConnectionPtr& connection, const error_code& error) {
  if (connection->closed) return;
  error_code gone;
  const Tcp::endpoint local = error ? Tcp::endpoint() : connection->socket.local_endpoint(gone);
  if (error || gone) {
    const bool refused = error == asio::error::connection_refused;
    return dial_failed(connection, refused ? Unreachable::kRefused : Unreachable::kNoAnswer,
                       error ? error.message() : gone.message());
  }
  connection->local_host = address_of(local).host;
  set_options(connection->socket);
  if (tls_) return start_tls(connection, true);
  announce(connection);
}

void AsioSockets::dial_failed(const ConnectionPtr& connection, Unreachable kind, std::string why) {
  if (connection->closed) return;
  bus_->dial_failed(connection->id, kind,
                    Status::unavailable(to_text(connection->remote) + ": " + why));
}

void AsioSockets::start_tls(const ConnectionPtr& connection, bool dialed) {
  connection->buffer.resize(kTlsReadBytes);
  connection->tls.emplace(connection->socket, *tls_);
  const auto side = dialed ? asio::ssl::stream_base::client : asio::ssl::stream_base::server;
  connection->tls->async_handshake(side, [this, connection, dialed](const error_code& error) {
    if (connection->closed) return;
    if (!error) {
      if (dialed) return announce(connection);
      return read(connection);
    }
    const std::string why = "TLS: " + error.message();
    if (dialed) return dial_failed(connection, Unreachable::kNotAdmitted, why);
    bus_->lost(connection->id, Status::unavailable(why));
  });
}

void AsioSockets::announce(const ConnectionPtr& connection) {
  bus_->connected(connection->id, connection->remote, connection->local_host);
  read(connection);
}

// --- Bytes ---------------------------------------------------------------------------------------

void AsioSockets::read(const ConnectionPtr& connection) {
  if (connection->closed || connection->paused || connection->reading) return;
  connection->reading = true;
  if (connection->tls) return read_tls(connection);
  read_plain(connection);
}

void AsioSockets::read_plain(const ConnectionPtr& connection) {
  connection->socket.async_wait(Tcp::socket::wait_read, [this, connection](error_code error) {
    connection->reading = false;
    if (connection->closed || connection->paused) return;
    size_t got = 0;
    if (!error) got = connection->socket.read_some(asio::buffer(buffer_), error);
    if (error == asio::error::would_block || error == asio::error::try_again) {
      return read(connection);
    }
    if (error) return lose(connection, error);
    bus_->received(connection->id, {buffer_.data(), got});
    read(connection);
  });
}

void AsioSockets::read_tls(const ConnectionPtr& connection) {
  connection->tls->async_read_some(
      asio::buffer(connection->buffer), [this, connection](const error_code& error, size_t got) {
        connection->reading = false;
        if (connection->closed) return;
        if (error) return lose(connection, error);
        bus_->received(connection->id, {connection->buffer.data(), got});
        read(connection);
      });
}

void AsioSockets::set_reading(ConnectionId id, bool reading) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  found->second->paused = !reading;
  // Not from here, as a TLS read may have bytes at hand.
  asio::post(context_, [this, connection = found->second] { read(connection); });
}

void AsioSockets::set_patient(ConnectionId id) {
  const int descriptor = connections_.at(id)->socket.native_handle();
  // To the kernel a reader who pauses is one who doesn't acknowledge.
  set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
  set_option(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, kUnsentOfStream);
}

void AsioSockets::write(ConnectionId id, std::string bytes) {
  const ConnectionPtr connection = connections_.at(id);
  connection->output = std::move(bytes);
  const auto done = [this, connection](const error_code& error, size_t) {
    on_written(connection, error);
  };
  if (connection->tls) {
    asio::async_write(*connection->tls, asio::buffer(connection->output), done);
  } else {
    asio::async_write(connection->socket, asio::buffer(connection->output), done);
  }
}

void AsioSockets::on_written(const ConnectionPtr& connection, const error_code& error) {
  connection->output.clear();
  error_code ignored;
  if (connection->closed) {
    connection->linger.cancel();
    connection->socket.close(ignored);
    return;
  }
  if (error) return lose(connection, error);
  bus_->written(connection->id);
}

void AsioSockets::lose(const ConnectionPtr& connection, const error_code& error) {
  const bool ended = error == asio::error::eof || error == asio::ssl::error::stream_truncated;
  bus_->lost(connection->id,
             Status::unavailable(ended ? "the peer closed the connection" : error.message()));
}

void AsioSockets::close(ConnectionId id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  const ConnectionPtr connection = found->second;
  connections_.erase(found);
  connection->closed = true;
  error_code ignored;
  if (connection->output.empty()) {
    connection->socket.close(ignored);
  } else {
    linger(connection);
  }
}

void AsioSockets::linger(const ConnectionPtr& connection) {
  connection->linger.expires_after(kLinger);
  connection->linger.async_wait([connection](const error_code& error) {
    error_code ignored;
    if (!error) connection->socket.close(ignored);
  });
}

// --- Time ----------------------------------------------------------------------------------------

TimeMs AsioSockets::now() const {
  return static_cast<TimeMs>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                 std::chrono::steady_clock::now().time_since_epoch())
                                 .count());
}

TimeMs AsioSockets::wall_ms() const {
  return static_cast<TimeMs>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                 std::chrono::system_clock::now().time_since_epoch())
                                 .count());
}

void AsioSockets::random(char* out, size_t size) { secure_random(out, size); }

void AsioSockets::set_alarm(TimeMs at) {
  const uint64_t number = ++alarm_number_;
  if (at == Transport::kNoAlarm) {
    alarm_.cancel();
    return;
  }
  alarm_.expires_at(std::chrono::steady_clock::time_point(std::chrono::milliseconds(at)));
  alarm_.async_wait([this, number](const error_code& error) {
    if (!error && number == alarm_number_) bus_->tick();
  });
}

}  // namespace syntropy
