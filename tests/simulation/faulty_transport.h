// FaultyTransport: a MemoryTransport whose messages are lost, doubled, late and out of order, as on
// a network of datagrams; and that stands still while its process is stopped. Streams are as TCP
// has them, whole and in order: they suffer from what the network does (rpc/memory_network.h).
//
// Thread safety: none.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/memory_transport.h"
#include "storage/base/random.h"
#include "tests/simulation/process.h"

namespace syntropy::testing {

struct MessageTrouble {
  uint64_t lost_per_mille = 0;
  uint64_t doubled_per_mille = 0;
  uint64_t late_per_mille = 0;  // by up to ...
  uint64_t late_ms = 0;         // ... so much, and then out of order
};

class FaultyTransport final : public Transport, private TransportHandler {
 public:
  struct Watch {
    std::function<void(const NodeId& to, uint8_t type, std::string_view payload)> sent;
    /// A node didn't understand what another one had sent: nothing is changed on the way.
    std::function<void(const Status&)> refused;
    /// A node wants to be woken again and again, at one moment.
    std::function<void()> spins;
  };

  /// `trouble` may change at any time. All outlive this.
  FaultyTransport(Process& process, const std::string& host, const BusOptions& options,
                  const MessageTrouble& trouble, Random& random, Watch watch);

  Status listen(const PeerAddress& address) override { return inner_->listen(address); }
  uint16_t port() const override { return inner_->port(); }
  Status start(TransportHandler& handler) override;
  void stop() override { inner_->stop(); }
  void post(std::function<void()> job) override;
  TimeMs now() const override { return inner_->now(); }
  void set_alarm(TimeMs at) override;
  void send(const Peer& to, uint8_t type, std::string payload) override;
  size_t message_limit() const override { return inner_->message_limit(); }
  void disconnect(const NodeId& id) override { inner_->disconnect(id); }
  void set_self(const NodeId& id) override { inner_->set_self(id); }
  StreamId open_stream(const Peer& to, uint8_t purpose) override {
    return inner_->open_stream(to, purpose);
  }
  bool write(StreamId stream, uint8_t type, std::string_view payload) override {
    return inner_->write(stream, type, payload);
  }
  void set_reading(StreamId stream, bool reading) override { inner_->set_reading(stream, reading); }
  void close_stream(StreamId stream) override;
  std::vector<LinkInfo> links() const override { return inner_->links(); }
  TransportStats stats() const override { return inner_->stats(); }

 private:
  Status on_message(const Remote& from, uint8_t type, std::string_view payload) override;
  void on_connected(const Remote& remote) override;
  void on_disconnected(const Remote& remote, const Status& why) override;
  void on_unreachable(const Peer& peer, Unreachable kind, const Status& why) override;
  void on_stranger(const PeerAddress& address, const Status& why) override;
  void on_stream_open(StreamId stream, const Remote& remote, uint8_t purpose) override;
  Status on_stream_frame(StreamId stream, uint8_t type, std::string_view payload) override;
  void on_stream_writable(StreamId stream) override;
  void on_stream_closed(StreamId stream, const Status& why) override;
  void on_alarm(TimeMs now) override;

  bool chance(uint64_t per_mille) { return per_mille != 0 && random_.below(1000) < per_mille; }
  void deliver(const Remote& from, uint8_t type, const std::string& payload);
  /// Of streams: dropped when the stream was closed while the process was stopped.
  void later(StreamId stream, std::function<void()> job);

  Process& process_;
  TimeMs alarmed_at_ = 0;
  int alarms_ = 0;  // at that time
  const MessageTrouble& trouble_;
  Random& random_;
  const Watch watch_;
  std::unique_ptr<MemoryTransport> inner_;
  TransportHandler* handler_ = nullptr;
  std::set<StreamId> closed_;  // by the node, while it was stopped with calls for them held
};

}  // namespace syntropy::testing
