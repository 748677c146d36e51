// NodeConnection: commands to a running node and their replies, over hiredis.
//
// Thread safety: one thread.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "storage/base/status.h"

struct redisContext;

namespace syntropy {

struct NodeAddress {
  std::string host = "127.0.0.1";
  uint16_t port = 7379;
  std::string socket;  // path of a Unix socket; empty: host and port
  std::string user;    // empty: the default one
  std::string password;
  double timeout_s = 5;  // to connect, and for each reply

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

 private:
  struct Close {
    void operator()(redisContext* context) const;
  };
  explicit NodeConnection(std::string address) : address_(std::move(address)) {}

  std::string address_;  // for messages
  std::unique_ptr<redisContext, Close> context_;
};

}  // namespace syntropy
