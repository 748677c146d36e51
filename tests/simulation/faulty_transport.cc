#include "tests/simulation/faulty_transport.h"

#include <utility>

namespace syntropy::testing {

FaultyTransport::FaultyTransport(Process& process, const std::string& host,
                                 const BusOptions& options, const MessageTrouble& trouble,
                                 Random& random, Watch watch)
    : process_(process),
      trouble_(trouble),
      random_(random),
      watch_(std::move(watch)),
      inner_(MemoryTransport::make(process.network(), host, options)) {}

Status FaultyTransport::start(TransportHandler& handler) {
  handler_ = &handler;
  return inner_->start(*this);
}

void FaultyTransport::post(std::function<void()> job) {
  inner_->post([this, job = std::move(job)]() mutable { process_.run(std::move(job)); });
}

void FaultyTransport::set_alarm(TimeMs at) { inner_->set_alarm(at); }

void FaultyTransport::send(const Peer& to, uint8_t type, std::string payload) {
  watch_.sent(to.id, type, payload);
  inner_->send(to, type, std::move(payload));
}

void FaultyTransport::close_stream(StreamId stream) {
  closed_.insert(stream);
  inner_->close_stream(stream);
}

void FaultyTransport::deliver(const Remote& from, uint8_t type, const std::string& payload) {
  const Status taken = handler_->on_message(from, type, payload);
  if (!taken.ok()) watch_.refused(taken);
}

Status FaultyTransport::on_message(const Remote& from, uint8_t type, std::string_view payload) {
  if (chance(trouble_.lost_per_mille)) return Status();
  const int copies = chance(trouble_.doubled_per_mille) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    const bool late = i > 0 || chance(trouble_.late_per_mille);
    const TimeMs delay = late && trouble_.late_ms != 0 ? 1 + random_.below(trouble_.late_ms) : 0;
    auto job = [this, from, type, bytes = std::string(payload)] { deliver(from, type, bytes); };
    if (delay == 0) {
      process_.run(std::move(job));
    } else {
      process_.in(delay, std::move(job));
    }
  }
  return Status();
}

void FaultyTransport::on_connected(const Remote& remote) {
  process_.run([this, remote] { handler_->on_connected(remote); });
}

void FaultyTransport::on_disconnected(const Remote& remote, const Status& why) {
  process_.run([this, remote, why] { handler_->on_disconnected(remote, why); });
}

void FaultyTransport::on_unreachable(const Peer& peer, Unreachable kind, const Status& why) {
  process_.run([this, peer, kind, why] { handler_->on_unreachable(peer, kind, why); });
}

void FaultyTransport::on_stranger(const PeerAddress& address, const Status& why) {
  process_.run([this, address, why] { handler_->on_stranger(address, why); });
}

void FaultyTransport::later(StreamId stream, std::function<void()> job) {
  process_.run([this, stream, job = std::move(job)] {
    if (!closed_.contains(stream)) job();
  });
}

void FaultyTransport::on_stream_open(StreamId stream, const Remote& remote, uint8_t purpose) {
  later(stream, [=, this] { handler_->on_stream_open(stream, remote, purpose); });
}

Status FaultyTransport::on_stream_frame(StreamId stream, uint8_t type, std::string_view payload) {
  later(stream, [this, stream, type, bytes = std::string(payload)] {
    const Status taken = handler_->on_stream_frame(stream, type, bytes);
    if (!taken.ok()) watch_.refused(taken);
  });
  return Status();
}

void FaultyTransport::on_stream_writable(StreamId stream) {
  later(stream, [this, stream] { handler_->on_stream_writable(stream); });
}

void FaultyTransport::on_stream_closed(StreamId stream, const Status& why) {
  later(stream, [this, stream, why] { handler_->on_stream_closed(stream, why); });
}

void FaultyTransport::on_alarm(TimeMs now) {
  constexpr int kMostAlarms = 10'000;
  if (std::exchange(alarmed_at_, now) != now) alarms_ = 0;
  if (++alarms_ == kMostAlarms) watch_.spins();
  if (alarms_ >= kMostAlarms) return;
  process_.run([this] { handler_->on_alarm(inner_->now()); });
}

}  // namespace syntropy::testing
