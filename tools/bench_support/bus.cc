// Measures the cluster bus between two nodes of this process over loopback: messages one way, round
// trips, a stream, new connections; without a secret, with one, and with TLS if files are given.
// Prints a Markdown table. Each figure is of one second.

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>

#include "rpc/asio_transport.h"
#include "storage/base/random.h"

namespace syntropy {
namespace {

using Clock = std::chrono::steady_clock;
constexpr uint8_t kType = 20;
constexpr auto kSpan = std::chrono::seconds(1);

struct End : TransportHandler {
  Peer peer;
  std::unique_ptr<AsioTransport> transport;
  std::atomic<uint64_t> messages{0};
  std::atomic<uint64_t> stream_bytes{0};
  std::atomic<uint64_t> connections{0};
  std::function<void(const Remote&)> on_each;
  std::function<void(StreamId)> on_room;

  Status on_message(const Remote& from, uint8_t, std::string_view) override {
    messages.fetch_add(1, std::memory_order_relaxed);
    if (on_each) on_each(from);
    return Status();
  }
  void on_connected(const Remote&) override { connections.fetch_add(1); }
  Status on_stream_frame(StreamId, uint8_t, std::string_view payload) override {
    stream_bytes.fetch_add(payload.size(), std::memory_order_relaxed);
    return Status();
  }
  void on_stream_open(StreamId stream, const Remote& remote, uint8_t) override {
    if (remote.outbound) on_stream_writable(stream);
  }
  void on_stream_writable(StreamId stream) override {
    if (on_room) on_room(stream);
  }

  void on_loop(const std::function<void()>& job) {
    std::promise<void> done;
    transport->post([&] {
      job();
      done.set_value();
    });
    done.get_future().get();
  }
};

std::unique_ptr<End> start(const ClusterKey& key, const TlsFiles& tls, uint64_t seed) {
  auto end = std::make_unique<End>();
  SeededRandom random(seed);
  BusOptions options;
  options.self = NodeId::random(random);
  options.key = key;
  auto made = AsioTransport::make(options, tls);
  Status status = made.status();
  if (made.ok()) {
    end->transport = std::move(*made);
    status = end->transport->listen({"127.0.0.1", 0});
  }
  if (status.ok()) status = end->transport->start(*end);
  if (!status.ok()) {
    fmt::print(stderr, "{}\n", status.message());
    std::exit(1);
  }
  end->peer = {options.self, {"127.0.0.1", end->transport->port()}};
  return end;
}

// What `count` grew by in a second, per second.
double rate(const std::atomic<uint64_t>& count) {
  const uint64_t before = count.load();
  const auto began = Clock::now();
  std::this_thread::sleep_for(kSpan);
  const double grown = static_cast<double>(count.load() - before);
  return grown / std::chrono::duration<double>(Clock::now() - began).count();
}

// As many as the receiver takes, with 64 KiB under way at most.
double one_way(const ClusterKey& key, const TlsFiles& tls, size_t bytes) {
  const auto from = start(key, tls, 1);
  const auto to = start(key, tls, 2);
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> sent{0};
  const uint64_t window = 64 * 1024 / bytes;
  const std::function<void()> more = [&] {
    while (sent.load() < to->messages.load() + window) {
      from->transport->send(to->peer, kType, std::string(bytes, 'x'));
      sent.fetch_add(1);
    }
    if (!stop.load()) from->transport->post(more);
  };
  from->transport->post(more);
  while (to->messages.load() == 0) std::this_thread::yield();
  const double result = rate(to->messages);
  stop.store(true);
  from->transport->stop();
  to->transport->stop();
  return result;
}

double round_trips(const ClusterKey& key, const TlsFiles& tls) {
  const auto from = start(key, tls, 1);
  const auto to = start(key, tls, 2);
  const auto answer = [](End& end) {
    return [&end](const Remote& remote) {
      end.transport->send(Peer{remote.id, {}}, kType, std::string(64, 'x'));
    };
  };
  from->on_each = answer(*from);
  to->on_each = answer(*to);
  from->on_loop([&] { from->transport->send(to->peer, kType, std::string(64, 'x')); });
  const double result = rate(from->messages);
  from->transport->stop();
  to->transport->stop();
  return result;
}

double stream_mb(const ClusterKey& key, const TlsFiles& tls) {
  const auto from = start(key, tls, 1);
  const auto to = start(key, tls, 2);
  const std::string frame(64 * 1024, 'x');
  from->on_room = [&](StreamId stream) {
    while (from->transport->write(stream, kType, frame)) {
    }
  };
  from->on_loop([&] { from->transport->open_stream(to->peer, 1); });
  while (to->stream_bytes.load() == 0) std::this_thread::yield();
  const double result = rate(to->stream_bytes);
  from->transport->stop();
  to->transport->stop();
  return result / 1e6;
}

double connections(const ClusterKey& key, const TlsFiles& tls) {
  const auto from = start(key, tls, 1);
  const auto to = start(key, tls, 2);
  to->on_each = [&](const Remote& remote) {
    to->transport->disconnect(remote.id);
    from->transport->post([&] {
      from->transport->disconnect(to->peer.id);
      from->transport->send(to->peer, kType, "x");
    });
  };
  from->on_loop([&] { from->transport->send(to->peer, kType, "x"); });
  const double result = rate(to->connections);
  from->transport->stop();
  to->transport->stop();
  return result;
}

void measure(const std::string& name, const ClusterKey& key, const TlsFiles& tls) {
  fmt::print("| {} | {:.0f} | {:.0f} | {:.0f} | {:.0f} | {:.0f} |\n", name, one_way(key, tls, 64),
             one_way(key, tls, 1024), round_trips(key, tls), stream_mb(key, tls),
             connections(key, tls));
  std::fflush(stdout);
}

}  // namespace
}  // namespace syntropy

int main(int argc, char** argv) {
  using namespace syntropy;
  CLI::App app("Measures the cluster bus over loopback.");
  TlsFiles tls;
  app.add_option("--tls-cert", tls.certificate, "certificate (PEM)");
  app.add_option("--tls-key", tls.key, "its key (PEM)");
  app.add_option("--tls-ca", tls.authority, "who issued it (PEM)");
  CLI11_PARSE(app, argc, argv);
  fmt::print(
      "| a second, two threads | messages of 64 B | of 1 KiB | round trips | stream, MB | new "
      "connections |\n|---|---|---|---|---|---|\n");
  const ClusterKey key = ClusterKey::derive("a secret");
  measure("open", ClusterKey(), {});
  measure("secret", key, {});
  if (tls.any()) {
    measure("TLS", ClusterKey(), tls);
    measure("TLS and secret", key, tls);
  }
}
