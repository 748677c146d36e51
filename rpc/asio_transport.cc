#include "rpc/asio_transport.h"

#include <openssl/ssl.h>
#include <pthread.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <thread>
#include <utility>

#include "rpc/asio_sockets.h"

namespace syntropy {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using TlsContext = std::unique_ptr<asio::ssl::context>;

Result<TlsContext> make_tls(const TlsFiles& files) {
  if (!files.any()) return TlsContext();
  if (files.certificate.empty() || files.key.empty() || files.authority.empty()) {
    return Status::invalid_argument(
        "TLS between nodes takes all of cluster-tls-cert-file, cluster-tls-key-file and "
        "cluster-tls-ca-file");
  }
  const auto failed = [](const std::string& option, const std::string& file,
                         const error_code& error) {
    return Status::invalid_argument(option + " " + file + ": " + error.message());
  };
  TlsContext tls;
  try {
    tls = std::make_unique<asio::ssl::context>(asio::ssl::context::tls);
  } catch (const std::exception& error) {
    return Status::unavailable(std::string("TLS cannot be set up: ") + error.what());
  }
  ::SSL_CTX_set_min_proto_version(tls->native_handle(), TLS1_2_VERSION);
  // Each connection proves itself in full.
  ::SSL_CTX_set_session_cache_mode(tls->native_handle(), SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_num_tickets(tls->native_handle(), 0);
  error_code error;
  tls->load_verify_file(files.authority, error);
  if (error) return failed("cluster-tls-ca-file", files.authority, error);
  tls->use_certificate_chain_file(files.certificate, error);
  if (error) return failed("cluster-tls-cert-file", files.certificate, error);
  tls->use_private_key_file(files.key, asio::ssl::context::pem, error);
  if (error) return failed("cluster-tls-key-file", files.key, error);
  tls->set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert, error);
  if (error) return Status::unavailable("TLS cannot be set up: " + error.message());
  return tls;
}

}  // namespace

class AsioTransport::Loop {
 public:
  Loop(TlsContext tls, uint64_t unacknowledged_ms)
      : context(1),
        work(context.get_executor()),
        sockets(context, std::move(tls), unacknowledged_ms) {}

  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> work;
  AsioSockets sockets;
  std::thread thread;
};

Result<std::unique_ptr<AsioTransport>> AsioTransport::make(const BusOptions& options,
                                                           const TlsFiles& tls) {
  Result<TlsContext> context = make_tls(tls);
  if (!context.ok()) return context.status();
  auto loop = std::make_unique<Loop>(std::move(*context), options.limits.unacknowledged_ms);
  return std::unique_ptr<AsioTransport>(new AsioTransport(options, std::move(loop)));
}

AsioTransport::AsioTransport(const BusOptions& options, std::unique_ptr<Loop> loop)
    : Bus(options, loop->sockets), loop_(std::move(loop)) {}

AsioTransport::~AsioTransport() { stop(); }

Status AsioTransport::listen(const PeerAddress& address) { return loop_->sockets.listen(address); }
uint16_t AsioTransport::port() const { return loop_->sockets.port(); }

Status AsioTransport::start(TransportHandler& handler) {
  serve(handler);
  loop_->sockets.begin(*this);
  try {
    loop_->thread = std::thread([this] { loop_->context.run(); });
  } catch (const std::system_error& error) {
    return Status::unavailable(std::string("cannot start the thread of the bus: ") + error.what());
  }
  ::pthread_setname_np(loop_->thread.native_handle(), "bus");
  return Status();
}

void AsioTransport::stop() {
  if (!loop_->thread.joinable()) return;
  asio::post(loop_->context, [this] {
    close_all();
    loop_->sockets.end();
    loop_->context.stop();
  });
  loop_->thread.join();
}

void AsioTransport::post(std::function<void()> job) { asio::post(loop_->context, std::move(job)); }

}  // namespace syntropy
