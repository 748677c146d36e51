#include "tools/cli/node_stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

namespace syntropy {
namespace {

/// The oldest error that the TLS library has noted, and forgets the rest.
std::string tls_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "unknown TLS error" : reason;
}

bool is_address(const std::string& host) {
  in6_addr ignored;
  return inet_pton(AF_INET, host.c_str(), &ignored) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

Status load_files(SSL_CTX* context, const TlsOptions& tls) {
  const int trusted = tls.ca_cert.empty()
                          ? SSL_CTX_set_default_verify_paths(context)
                          : SSL_CTX_load_verify_locations(context, tls.ca_cert.c_str(), nullptr);
  if (trusted != 1) {
    return Status::invalid_argument("cannot use the CA certificates of '" + tls.ca_cert +
                                    "': " + tls_error());
  }
  if (tls.cert.empty() && tls.key.empty()) return {};
  if (SSL_CTX_use_certificate_chain_file(context, tls.cert.c_str()) != 1) {
    return Status::invalid_argument("cannot use the certificate '" + tls.cert +
                                    "': " + tls_error());
  }
  if (SSL_CTX_use_PrivateKey_file(context, tls.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Status::invalid_argument("cannot use the key '" + tls.key + "': " + tls_error());
  }
  return {};
}

}  // namespace

void NodeStream::FreeTls::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }
void NodeStream::FreeTls::operator()(ssl_st* session) const { SSL_free(session); }

Result<NodeStream> NodeStream::open(int socket, const TlsOptions& tls, const std::string& host,
                                    double timeout_s) {
  NodeStream stream(socket);
  const int flags = fcntl(socket, F_GETFL);
  if (flags < 0 || fcntl(socket, F_SETFL, flags | O_NONBLOCK) != 0) {
    return Status::unavailable(std::strerror(errno));
  }
  if (tls.enabled) {
    const Status started = stream.start_tls(tls, host, timeout_s);
    if (!started.ok()) return started;
  }
  return stream;
}

Status NodeStream::start_tls(const TlsOptions& tls, const std::string& host, double timeout_s) {
  context_.reset(SSL_CTX_new(TLS_client_method()));
  if (context_ == nullptr) return Status::unavailable(tls_error());
  SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context_.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  const Status loaded = load_files(context_.get(), tls);
  if (!loaded.ok()) return loaded;
  session_.reset(SSL_new(context_.get()));
  if (session_ == nullptr || SSL_set_fd(session_.get(), socket_) != 1) {
    return Status::unavailable(tls_error());
  }
  SSL_set_verify(session_.get(), tls.insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  if (is_address(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session_.get()), host.c_str());
  } else {
    SSL_set_tlsext_host_name(session_.get(), host.c_str());
    SSL_set1_host(session_.get(), host.c_str());
  }
  while (true) {
    const int result = SSL_connect(session_.get());
    if (result == 1) return {};
    const Result<size_t> outcome = tls_outcome(result, "the TLS handshake failed");
    if (!outcome.ok()) {
      const long verified = SSL_get_verify_result(session_.get());
      if (tls.insecure || verified == X509_V_OK) return outcome.status();
      return Status::unavailable(std::string("its certificate is not trusted: ") +
                                 X509_verify_cert_error_string(verified));
    }
    const Status waited = wait(false, timeout_s);
    if (!waited.ok()) return waited;
  }
}

Result<size_t> NodeStream::tls_outcome(int result, std::string_view what) {
  switch (SSL_get_error(session_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      tls_wants_to_write_ = false;
      return size_t{0};
    case SSL_ERROR_WANT_WRITE:
      tls_wants_to_write_ = true;
      return size_t{0};
    case SSL_ERROR_ZERO_RETURN:
      return Status::unavailable("the server closed the connection");
    case SSL_ERROR_SYSCALL:
      ERR_clear_error();
      return Status::unavailable(errno != 0 ? std::strerror(errno)
                                            : "the server closed the connection");
    default:
      return Status::unavailable(std::string(what) + ": " + tls_error());
  }
}

Result<size_t> NodeStream::write_some(std::string_view bytes) {
  if (session_ != nullptr) {
    errno = 0;
    const int wanted = static_cast<int>(std::min<size_t>(bytes.size(), INT_MAX));
    const int sent = SSL_write(session_.get(), bytes.data(), wanted);
    if (sent > 0) return static_cast<size_t>(sent);
    return tls_outcome(sent, "sending failed");
  }
  const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<size_t>(sent);
  if (errno == EAGAIN || errno == EINTR) return size_t{0};
  return Status::unavailable(std::strerror(errno));
}

Result<size_t> NodeStream::read_some(char* buffer, size_t size) {
  if (session_ != nullptr) {
    errno = 0;
    const int got =
        SSL_read(session_.get(), buffer, static_cast<int>(std::min<size_t>(size, INT_MAX)));
    if (got > 0) return static_cast<size_t>(got);
    return tls_outcome(got, "receiving failed");
  }
  const ssize_t got = ::recv(socket_, buffer, size, 0);
  if (got > 0) return static_cast<size_t>(got);
  if (got == 0) return Status::unavailable("the server closed the connection");
  if (errno == EAGAIN || errno == EINTR) return size_t{0};
  return Status::unavailable(std::strerror(errno));
}

Status NodeStream::wait(bool to_write, double timeout_s) {
  pollfd waiting{};
  waiting.fd = socket_;
  waiting.events = static_cast<short>(POLLIN | (to_write || tls_wants_to_write_ ? POLLOUT : 0));
  const int ready = poll(&waiting, 1, static_cast<int>(timeout_s * 1000));
  if (ready > 0 || (ready < 0 && errno == EINTR)) return {};
  return ready == 0 ? Status::unavailable("nothing came in time")
                    : Status::unavailable(std::strerror(errno));
}

}  // namespace syntropy
