#include "rpc/memory_transport.h"

#include <map>
#include <utility>
#include <vector>

namespace syntropy {

class MemoryTransport::Sockets final : public Wire {
 public:
  Sockets(MemoryNetwork& network, std::string host) : network_(network), host_(std::move(host)) {}

  void begin(Bus& bus) { bus_ = &bus; }

  void end() {
    bus_ = nullptr;
    for (const PeerAddress& address : listening_) network_.unlisten(address);
    listening_.clear();
    for (const auto& [id, socket] : std::exchange(sockets_, {})) socket->close();
  }

  Status listen(PeerAddress address) {
    const Status listening =
        network_.listen(&address, [this](const MemorySocketPtr& socket) { accept(socket); });
    if (listening.ok()) listening_.push_back(address);
    return listening;
  }

  uint16_t port() const { return listening_.empty() ? 0 : listening_.front().port; }

  void post(std::function<void()> job) {
    network_.at(network_.now(), [alive = std::weak_ptr(alive_), this, job = std::move(job)] {
      if (!alive.expired() && bus_ != nullptr) job();
    });
  }

  TimeMs now() const override { return network_.now(); }
  TimeMs wall_ms() const override { return kWallStart + network_.now(); }

  void random(char* out, size_t size) override {
    for (size_t i = 0; i < size; ++i) out[i] = static_cast<char>(network_.random().next());
  }

  void set_alarm(TimeMs at) override {
    const uint64_t number = ++alarm_;
    if (at == Transport::kNoAlarm) return;
    network_.at(at, [alive = std::weak_ptr(alive_), this, number] {
      if (!alive.expired() && bus_ != nullptr && number == alarm_) bus_->tick();
    });
  }

  void dial(ConnectionId id, const PeerAddress& address) override {
    const MemorySocketPtr socket = network_.dial(host_, address);
    socket->on_connected = [this, id, weak = std::weak_ptr(socket)] {
      if (const auto self = weak.lock()) bus_->connected(id, self->remote(), self->local().host);
    };
    socket->on_dial_failed = [this, id](Unreachable kind, const Status& why) {
      bus_->dial_failed(id, kind, why);
    };
    adopt(id, socket);
  }

  void write(ConnectionId id, std::string bytes) override { sockets_.at(id)->write(bytes); }
  void set_patient(ConnectionId id) override { sockets_.at(id)->set_patient(); }
  void set_reading(ConnectionId id, bool reading) override {
    sockets_.at(id)->set_reading(reading);
  }

  void close(ConnectionId id) override {
    const auto found = sockets_.find(id);
    found->second->close();
    sockets_.erase(found);
  }

 private:
  static constexpr TimeMs kWallStart = 1'700'000'000'000;

  void accept(const MemorySocketPtr& socket) {
    if (bus_ == nullptr) return socket->close();
    adopt(bus_->accepted(socket->remote(), socket->local().host), socket);
  }

  void adopt(ConnectionId id, const MemorySocketPtr& socket) {
    socket->on_bytes = [this, id](std::string_view bytes) { bus_->received(id, bytes); };
    socket->on_written = [this, id] { bus_->written(id); };
    socket->on_lost = [this, id](const Status& why) { bus_->lost(id, why); };
    sockets_.emplace(id, socket);
  }

  MemoryNetwork& network_;
  const std::string host_;
  Bus* bus_ = nullptr;  // while it runs
  std::vector<PeerAddress> listening_;
  std::map<ConnectionId, MemorySocketPtr> sockets_;
  uint64_t alarm_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

std::unique_ptr<MemoryTransport> MemoryTransport::make(MemoryNetwork& network,
                                                       const std::string& host,
                                                       const BusOptions& options) {
  return std::unique_ptr<MemoryTransport>(
      new MemoryTransport(options, std::make_unique<Sockets>(network, host)));
}

MemoryTransport::MemoryTransport(const BusOptions& options, std::unique_ptr<Sockets> sockets)
    : Bus(options, *sockets), sockets_(std::move(sockets)) {}

MemoryTransport::~MemoryTransport() { stop(); }

Status MemoryTransport::listen(const PeerAddress& address) { return sockets_->listen(address); }
uint16_t MemoryTransport::port() const { return sockets_->port(); }

Status MemoryTransport::start(TransportHandler& handler) {
  serve(handler);
  sockets_->begin(*this);
  return Status();
}

void MemoryTransport::stop() {
  close_all();
  sockets_->end();
}

void MemoryTransport::post(std::function<void()> job) { sockets_->post(std::move(job)); }

}  // namespace syntropy
