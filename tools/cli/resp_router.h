// RespRouter: commands on keys to a server, or to the nodes of a cluster, each to the node that has
// the key's slot. Follows MOVED and ASK; asks for the cluster's map once, and learns from MOVED.
//
// Thread safety: one thread.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "storage/base/slot.h"
#include "storage/base/status.h"
#include "tools/cli/key_server.h"
#include "tools/cli/node_connection.h"

namespace syntropy {

class RespRouter {
 public:
  /// Connects, selects the database and finds out whether the server is part of a cluster. The
  /// errors of NodeConnection::open(); kInvalidArgument also when there is no such database, or
  /// when the cluster leaves a slot to nobody.
  static Result<RespRouter> open(const NodeAddress& address, uint32_t database);

  /// Nodes to be walked to see all keys: 1, or the cluster's primaries.
  size_t node_count() const { return primaries_.size(); }
  /// Asks one of them, below node_count().
  Result<RespReply> ask_node(size_t node, const RespCommand& command);

  /// Whether each slot is still where it was at the beginning: a key that moves from a node yet to
  /// be walked to one that has been is seen by nobody. kUnavailable when one isn't.
  Status check_slots();

  /// Commands whose second word is their key; their replies, in order, error replies among them.
  Result<std::vector<RespReply>> ask(const std::vector<RespCommand>& commands);

  /// Of all connections.
  Traffic traffic() const;

 private:
  using Place = std::string;  // "host:port"

  RespRouter(NodeAddress address, uint32_t database)
      : address_(std::move(address)), database_(database) {}

  /// The place of each slot, as the first node knows it; kInvalidArgument when one has none.
  Result<std::vector<Place>> ask_slots();
  uint16_t index_of(const Place& place);
  Result<NodeConnection*> connection(const Place& place);
  /// Asks again what was redirected by `reply`, until it isn't any more.
  Status follow(const RespCommand& command, RespReply* reply);

  NodeAddress address_;  // of the first node; its password and options are those of all
  uint32_t database_;
  bool is_cluster_ = false;
  std::vector<Place> slots_;  // of a cluster: as they were at the beginning
  std::vector<Place> primaries_;
  std::array<uint16_t, kSlotCount> places_of_slots_{};  // index into places_; follows MOVED
  std::vector<Place> places_;
  std::map<Place, NodeConnection> connections_;
};

}  // namespace syntropy
