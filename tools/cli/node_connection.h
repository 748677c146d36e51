// NodeConnection: commands to a running node and their replies. hiredis connects, writes commands
// and parses replies; the bytes go through a NodeStream, for TLS and so that sending a long
// pipeline never waits for a server that waits for us to read.
//
// Thread safety: one thread.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/status.h"
#include "tools/cli/node_stream.h"
#include "tools/cli/resp_reply.h"

struct redisContext;

namespace syntropy {

struct NodeAddress {
  std::string host = "127.0.0.1";
  uint16_t port = 7379;
  std::string socket;  // path of a Unix socket; empty: host and port
  std::string user;    // empty: the default one
  std::string password;
  double timeout_s = 5;  // to connect, and to wait for anything to come
  TlsOptions tls;

  /// "127.0.0.1:7379", or the path of the socket.
  std::string text() const;
};

/// Declares the options that name a node: -h, -p, -s, -a, --user, --timeout.
void add_address_options(CLI::App& command, NodeAddress* address);

class NodeConnection {
 public:
  /// Connects and authenticates. kUnavailable: nobody answers there; kInvalidArgument: the node
  /// refuses the password. The message names the address.
  static Result<NodeConnection> open(const NodeAddress& address);

  /// Sends a command. The reply's text (status, bulk or number), or its elements one after the
  /// other; an array within an array is flattened. kUnavailable when the connection broke or
  /// nothing came in time, kInvalidArgument with the text of an error reply.
  Result<std::vector<std::string>> call(const std::vector<std::string>& args);
  /// As call(), for commands that answer one text.
  Result<std::string> call_text(const std::vector<std::string>& args);
  /// Sends all commands at once; their replies, in order, error replies among them. kUnavailable
  /// when the connection broke or nothing came in time; then the connection is of no more use.
  Result<std::vector<RespReply>> pipeline(const std::vector<RespCommand>& commands);

  /// From here on, how long to wait for anything to come.
  void set_timeout_s(double timeout_s) { timeout_s_ = timeout_s; }

  /// Sent and received since the connection was opened, without what TLS adds.
  uint64_t bytes() const { return bytes_; }
  /// Calls and pipelines since then.
  uint64_t round_trips() const { return round_trips_; }

 private:
  struct Close {
    void operator()(redisContext* context) const;
  };
  NodeConnection(const NodeAddress& address, redisContext* context);

  /// Receives what is there and appends the replies that have come whole.
  Status receive(std::vector<RespReply>* replies);
  Status take_replies(std::vector<RespReply>* replies);

  std::string address_;  // for messages
  double timeout_s_;
  std::unique_ptr<redisContext, Close> context_;
  std::optional<NodeStream> stream_;  // on the context's socket; there once opened
  uint64_t bytes_ = 0;
  uint64_t round_trips_ = 0;
};

}  // namespace syntropy
