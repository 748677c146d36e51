#include "server/listener.h"

#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <type_traits>
#include <utility>

#include "server/config/config_store.h"
#include "storage/base/clock.h"

namespace syntropy {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using unix_stream = asio::local::stream_protocol;
using boost::system::error_code;

// The process is out of descriptors or memory: a pause, so that the loop doesn't spin.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

constexpr std::string_view kProtectedMode =
    "-DENIED Syntropy runs in protected mode: no password is set, so only clients on this machine "
    "are served. Set one ('requirepass' in the configuration file or CONFIG SET requirepass on "
    "this machine), or, if the network is trusted, turn the protection off with CONFIG SET "
    "protected-mode no or --protected-mode no.\r\n";

void set_option(int descriptor, int level, int name, int value) {
  // A connection without the option works as well; there is nobody to tell.
  (void)::setsockopt(descriptor, level, name, &value, sizeof(value));
}

void set_tcp_options(int descriptor, int keepalive_s) {
  set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  if (keepalive_s <= 0) return;
  set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_s);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, std::max(1, keepalive_s / 3));
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

std::string describe(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  const std::string port = std::to_string(endpoint.port());
  return endpoint.address().is_v6() ? "[" + address + "]:" + port : address + ":" + port;
}

bool is_loopback(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback();
  }
  return address.is_loopback();
}

}  // namespace

template <class Protocol>
struct Listener::Door {
  Door(asio::io_context& context, bool only_proxied)
      : acceptor(context), pause(context), proxied(only_proxied) {}
  typename Protocol::acceptor acceptor;
  asio::steady_timer pause;
  const bool proxied;  // its clients know no cluster, whatever cluster-routing says
};

Listener::Listener(asio::io_context& context, ServerContext& server, ThreadStats& stats,
                   IoPool& threads)
    : context_(context), server_(server), stats_(stats), threads_(threads) {}

Status Listener::open(const Config& config) {
  if (config.network.port != 0) {
    const Status opened = open_all(config, config.network.port, /*proxied=*/false);
    if (!opened.ok()) return opened;
    port_ = static_cast<uint16_t>(config.network.port);
  }
  if (config.cluster.enabled && config.cluster.proxy_port != 0) {
    const Status opened = open_all(config, config.cluster.proxy_port, /*proxied=*/true);
    if (!opened.ok()) return opened;
  }
  if (!config.network.unix_socket.empty()) return open_unix(config);
  return Status();
}

Status Listener::open_all(const Config& config, int port, bool proxied) {
  const size_t before = tcp_.size();
  for (const BindAddress& address : config.network.bind) {
    const Status opened = open_tcp(address, config, port, proxied);
    if (!opened.ok()) return opened;
  }
  if (tcp_.size() > before) return Status();
  return Status::unavailable(
      "none of the addresses in 'bind' could be bound: name one that this machine has");
}

Status Listener::open_tcp(const BindAddress& address, const Config& config, int port,
                          bool proxied) {
  std::string host = address.address;
  if (host == "*") host = "0.0.0.0";
  if (host == "::*") host = "::";
  error_code error;
  const auto found =
      tcp::resolver(context_).resolve(host, std::to_string(port), tcp::resolver::passive, error);
  const std::string name = address.address + " port " + std::to_string(port);
  if (error) {
    if (address.optional) return Status();
    return Status::invalid_argument("bind: cannot resolve " + address.address + ": " +
                                    error.message());
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  auto door = std::make_shared<Door<tcp>>(context_, proxied);
  door->acceptor.open(endpoint.protocol(), error);
  if (!error) door->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && endpoint.address().is_v6()) {
    door->acceptor.set_option(asio::ip::v6_only(true), error);
  }
  if (!error) door->acceptor.bind(endpoint, error);
  if (!error) door->acceptor.listen(config.network.tcp_backlog, error);
  if (error) {
    const bool absent = error == asio::error::address_family_not_supported ||
                        error.value() == EADDRNOTAVAIL || error.value() == EAFNOSUPPORT;
    if (address.optional && absent) return Status();
    return Status::io_error("cannot listen on " + name + ": " + error.message() +
                            ". Choose another with --port or --bind, or stop what uses it.");
  }
  tcp_.push_back(door);
  accept(door);
  return Status();
}

Status Listener::open_unix(const Config& config) {
  const std::string& path = config.network.unix_socket;
  ::unlink(path.c_str());  // what a killed process left; another file makes bind() fail
  error_code error;
  auto door = std::make_shared<Door<unix_stream>>(context_, false);
  door->acceptor.open(unix_stream(), error);
  if (!error) door->acceptor.bind(unix_stream::endpoint(path), error);
  if (!error) door->acceptor.listen(config.network.tcp_backlog, error);
  if (error) {
    return Status::io_error("cannot listen on unix socket " + path + ": " + error.message());
  }
  unix_socket_ = path;
  if (config.network.unix_socket_perm != 0 &&
      ::chmod(path.c_str(), config.network.unix_socket_perm) != 0) {
    return Status::io_error("cannot set 'unixsocketperm' on " + path);
  }
  local_.push_back(door);
  accept(door);
  return Status();
}

void Listener::close() {
  error_code ignored;
  for (const auto& door : tcp_) door->acceptor.close(ignored);
  for (const auto& door : local_) door->acceptor.close(ignored);
  tcp_.clear();
  local_.clear();
  if (!unix_socket_.empty()) ::unlink(unix_socket_.c_str());
  unix_socket_.clear();
}

template <class Protocol>
void Listener::accept(const std::shared_ptr<Door<Protocol>>& door) {
  door->acceptor.async_accept([this, door](const error_code& error,
                                           typename Protocol::socket socket) {
    if (error == asio::error::operation_aborted || !door->acceptor.is_open()) return;
    if (error) {
      spdlog::warn("cannot accept a connection: {}", error.message());
      door->pause.expires_after(kAcceptPause);
      door->pause.async_wait([this, door](const error_code& stopped) {
        if (!stopped) accept(door);
      });
      return;
    }
    auto client = std::make_shared<Client>();
    const bool proxies = server_.config.current()->cluster.routing == ClusterRouting::kProxy;
    client->proxied = server_.cluster != nullptr && (door->proxied || proxies);
    error_code ignored;
    bool loopback = true;
    if constexpr (std::is_same_v<Protocol, tcp>) {
      const tcp::endpoint peer = socket.remote_endpoint(ignored);
      client->address = describe(peer);
      client->local_address = describe(socket.local_endpoint(ignored));
      loopback = is_loopback(peer.address());
      set_tcp_options(socket.native_handle(), server_.config.current()->network.tcp_keepalive_s);
    } else {
      client->address = unix_socket_ + ":0";
      client->local_address = unix_socket_ + ":0";
      client->shared.unix_socket.store(true, std::memory_order_relaxed);
    }
    socket.non_blocking(true, ignored);
    const int descriptor = socket.release(ignored);
    if (!ignored) admit(Descriptor(descriptor), std::move(client), loopback);
    accept(door);
  });
}

std::string Listener::refusal(const Config& config, bool loopback) const {
  if (server_.clients.size() >= config.clients.max_clients) {
    return "-ERR max number of clients reached\r\n";
  }
  if (config.network.protected_mode && config.security.require_pass.empty() && !loopback) {
    return std::string(kProtectedMode);
  }
  return {};
}

void Listener::admit(Descriptor socket, std::shared_ptr<Client> client, bool loopback) {
  const auto config = server_.config.current();
  stats_.add(kConnectionsReceived);
  const std::string refused = refusal(*config, loopback);
  if (!refused.empty()) {
    stats_.add(kConnectionsRejected);
    (void)::send(socket.get(), refused.data(), refused.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return;
  }
  client->fd = socket.get();
  client->connected_ms = server_.clock.monotonic_us() / 1000;
  client->shared.last_active_ms.store(client->connected_ms, std::memory_order_relaxed);
  client->authenticated = config->security.require_pass.empty();
  threads_.next().adopt(std::move(socket), std::move(client));
}

}  // namespace syntropy
