// NodeStream: the bytes to and from a server, over a socket or over TLS on it. Never blocks by
// itself: who has nothing to read waits with wait().
//
// Thread safety: one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "storage/base/status.h"

struct ssl_ctx_st;
struct ssl_st;

namespace syntropy {

/// How to speak TLS. Files are PEM.
struct TlsOptions {
  bool enabled = false;
  bool insecure = false;  // don't check whose certificate it is
  std::string ca_cert;    // whom to trust; empty: those whom the system trusts
  std::string cert;       // our own certificate; empty: none is shown
  std::string key;        // of `cert`
};

class NodeStream {
 public:
  /// Over a connected socket, which stays the caller's and becomes non-blocking. With TLS, makes
  /// the handshake: the certificate has to be valid for `host`, a name or an address. kUnavailable
  /// when that fails or takes longer than `timeout_s`, kInvalidArgument when a file is unusable.
  static Result<NodeStream> open(int socket, const TlsOptions& tls, const std::string& host,
                                 double timeout_s);

  /// Sends what can be sent now; the count, 0 when nothing can.
  Result<size_t> write_some(std::string_view bytes);
  /// Receives what is there, up to `size`; 0 when nothing is. kUnavailable at the end of the
  /// stream.
  Result<size_t> read_some(char* buffer, size_t size);
  /// Until there may be something to read or, with `to_write`, room to write. kUnavailable after
  /// `timeout_s`.
  Status wait(bool to_write, double timeout_s);

 private:
  struct FreeTls {
    void operator()(ssl_ctx_st* context) const;
    void operator()(ssl_st* session) const;
  };
  explicit NodeStream(int socket) : socket_(socket) {}

  Status start_tls(const TlsOptions& tls, const std::string& host, double timeout_s);
  /// What a call of the TLS library that returned `result` means: nothing now, or an error.
  Result<size_t> tls_outcome(int result, std::string_view what);

  int socket_;
  std::unique_ptr<ssl_ctx_st, FreeTls> context_;
  std::unique_ptr<ssl_st, FreeTls> session_;  // null: no TLS
  bool tls_wants_to_write_ = false;           // before it can go on reading
};

}  // namespace syntropy
