#include "tests/rpc/nets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>

namespace syntropy::testing {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);
constexpr TimeMs kVirtualPatience = 600'000;

sockaddr_in socket_address(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A socket bound to a free port, which is told in `port`.
int bound_socket(uint16_t* port) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = socket_address(0);
  socklen_t size = sizeof(address);
  if (::bind(descriptor, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no free port");
  }
  *port = ntohs(address.sin_port);
  return descriptor;
}

class SocketPeer final : public RawPeer {
 public:
  explicit SocketPeer(uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const sockaddr_in address = socket_address(port);
    const timeval patience{20, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      throw std::runtime_error("cannot connect");
    }
  }
  ~SocketPeer() override { ::close(descriptor_); }

  void send(const std::string& bytes) override {
    (void)::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  std::string receive(size_t bytes) override {
    while (received_.size() < bytes && read_some()) {
    }
    return received_;
  }
  bool wait_closed() override {
    while (read_some()) {
    }
    return ended_;
  }

 private:
  bool read_some() {
    char buffer[65536];
    const ssize_t got = ::recv(descriptor_, buffer, sizeof(buffer), 0);
    if (got > 0) received_.append(buffer, static_cast<size_t>(got));
    if (got == 0 || (got < 0 && errno != EAGAIN)) ended_ = true;
    return got > 0;
  }

  int descriptor_;
  std::string received_;
  bool ended_ = false;
};

class MemoryPeer final : public RawPeer {
 public:
  MemoryPeer(MemoryNetwork& network, const PeerAddress& address)
      : network_(network), socket_(network.dial("10.9.9.9", address)) {
    // Like a program that reads when it wants to: nothing before receive().
    socket_->set_reading(false);
    socket_->on_connected = [this] { connected_ = true; };
    socket_->on_bytes = [this](std::string_view bytes) { received_.append(bytes); };
    socket_->on_lost = [this](const Status&) { ended_ = true; };
    wait([this] { return connected_; });
  }
  ~MemoryPeer() override { socket_->close(); }

  void send(const std::string& bytes) override { socket_->write(bytes); }
  std::string receive(size_t bytes) override {
    socket_->set_reading(true);
    wait([&] { return received_.size() >= bytes || ended_; });
    socket_->set_reading(false);
    return received_;
  }
  bool wait_closed() override {
    socket_->set_reading(true);
    return wait([this] { return ended_; });
  }

 private:
  bool wait(const std::function<bool()>& done) {
    return network_.run_until(done, network_.now() + kVirtualPatience);
  }

  MemoryNetwork& network_;
  MemorySocketPtr socket_;
  std::string received_;
  bool connected_ = false;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<Transport> SocketNet::make(const std::string&, const BusOptions& options) {
  Result<std::unique_ptr<AsioTransport>> made = AsioTransport::make(options);
  if (!made.ok()) throw std::runtime_error(std::string(made.status().message()));
  return std::move(*made);
}

PeerAddress SocketNet::silent_host() {
  PeerAddress address{host(), 0};
  sockets_.push_back(bound_socket(&address.port));
  ::listen(sockets_.back(), 16);
  return address;
}

PeerAddress SocketNet::nobody() {
  // Bound and not listening: nobody else gets the port meanwhile.
  PeerAddress address{host(), 0};
  sockets_.push_back(bound_socket(&address.port));
  return address;
}

SocketNet::~SocketNet() {
  for (const int descriptor : sockets_) ::close(descriptor);
}

std::unique_ptr<RawPeer> SocketNet::connect(const PeerAddress& address) {
  return std::make_unique<SocketPeer>(address.port);
}

bool SocketNet::wait(Signal& signal, const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    // Also what no recorder is told of changes: looked at again soon.
    std::unique_lock lock(signal.mutex);
    signal.changed.wait_for(lock, std::chrono::milliseconds(2));
  }
  return true;
}

std::unique_ptr<Transport> MemoryNet::make(const std::string& host, const BusOptions& options) {
  return MemoryTransport::make(network, host, options);
}

PeerAddress MemoryNet::silent_host() {
  PeerAddress address{host(), 0};
  const auto kept = std::make_shared<std::vector<MemorySocketPtr>>();
  const Status listening =
      network.listen(&address, [kept](const MemorySocketPtr& socket) { kept->push_back(socket); });
  if (!listening.ok()) throw std::runtime_error("cannot listen");
  return address;
}

std::unique_ptr<RawPeer> MemoryNet::connect(const PeerAddress& address) {
  return std::make_unique<MemoryPeer>(network, address);
}

bool MemoryNet::wait(Signal&, const std::function<bool()>& done) {
  return network.run_until(done, network.now() + kVirtualPatience);
}

}  // namespace syntropy::testing
