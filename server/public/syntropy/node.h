// syntropy/node.h: a Syntropy node inside your own program.
//
//   syntropy::Result<syntropy::Node> node = syntropy::Node::open({.dir = "/var/lib/app"});
//   if (!node.ok()) { ... node.status().message() says what is wrong and what can be done ... }
//   syntropy::Status put = node->put("user:1", "Ada");
//   auto name = node->get("user:1");        // Result<std::optional<std::string>>
//
// The node keeps its data in `dir`, which no other process may have open. It works on database 0,
// the one that Redis clients see first. With the option `port` it serves Redis clients as well.
//
// With the option `cluster-enabled` it is a node of a cluster, which replicates and fails over like
// any other (docs/cluster.md). get, put, erase and write then act on keys whose slot this node
// owns; for others, on a replica, and while the cluster is down they fail with kUnavailable and the
// text that a Redis client would get: "MOVED 3999 10.0.0.2:7379" says who has the key. All keys of
// a batch must have one slot. scan and count see what is on this node. A write returns when as many
// nodes hold it as `cluster-write-acks` says.
//
// Durability follows the option `appendfsync` (everysec unless set): with `always`, a write is on
// the disk when the call returns; otherwise when flush() returns, or about a second later.
//
// Thread safety: all functions except the move and close() may be called from any number of
// threads; calls that write at the same time share one write to the disk. Calls block on the disk.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "syntropy/status.h"

namespace syntropy {

struct NodeOptions {
  /// The data directory; made when missing. Required.
  std::string dir;
  /// Options of the configuration file by name, such as {"appendfsync", "always"} or
  /// {"block-cache-size", "64mb"}. Unless `port` or `unixsocket` is among them, nothing listens.
  std::vector<std::pair<std::string, std::string>> config;
};

/// Changes that happen together: after a crash all of them are there, or none.
class WriteBatch {
 public:
  /// `ttl` zero: never expires. The key and value are copied.
  void put(std::string_view key, std::string_view value, std::chrono::milliseconds ttl = {});
  void erase(std::string_view key);
  void clear() { changes_.clear(); }
  size_t size() const { return changes_.size(); }

 private:
  friend class Node;
  struct Change {
    std::string key;
    std::optional<std::string> value;  // nullopt: erase
    std::chrono::milliseconds ttl;
  };
  std::vector<Change> changes_;
};

class Node {
 public:
  /// Opens the store and recovers it after a crash, however the last process ended. Errors:
  ///   kInvalidArgument  an option is unknown or ill-formed; the message names it
  ///   kUnavailable      another process has the directory open
  ///   kCorruption       a file is damaged; the message names it and says what can be done
  ///   kIoError, kNoSpace
  static Result<Node> open(const NodeOptions& options);

  Node(Node&&) noexcept;
  Node& operator=(Node&&) noexcept;
  /// As close(), with its error lost.
  ~Node();

  /// The value; nullopt when the key is absent or expired. kInvalidArgument when the key holds
  /// something other than a string.
  Result<std::optional<std::string>> get(std::string_view key);
  /// Sets the key, whatever it held. `ttl` zero: never expires; a negative one is refused.
  Status put(std::string_view key, std::string_view value, std::chrono::milliseconds ttl = {});
  /// True when the key was there.
  Result<bool> erase(std::string_view key);
  /// All changes of the batch in their order, atomically.
  Status write(const WriteBatch& batch);

  /// Calls `visit` for the string keys that begin with `prefix`, in no particular order, until it
  /// returns false. Keys that are there throughout are visited once; of those that come and go
  /// meanwhile nothing is promised. Walks over the whole store; memory stays bounded. `visit` may
  /// use the node.
  using Visitor = std::function<bool(std::string_view key, std::string_view value)>;
  Status scan(std::string_view prefix, const Visitor& visit);
  /// The exact number of keys of any type.
  Result<uint64_t> count();

  /// Returns when everything written so far is on the disk, whatever `appendfsync` says.
  Status flush();
  /// The port that Redis clients can connect to; 0: none.
  uint16_t port() const;

  /// Joins the cluster of which the node at `host` (an IP address) is a member; `bus_port` is its
  /// port on the cluster's bus, 10000 above that for clients unless it is told otherwise. Returns
  /// when they know each other; slots, or a primary to replicate, are given by CLUSTER commands or
  /// by `redis-cli --cluster`. kInvalidArgument: not an address; kUnavailable: not in cluster mode,
  /// or nobody answered within `patience`. A node that has joined once rejoins when it is opened.
  Status join(std::string_view host, uint16_t bus_port,
              std::chrono::milliseconds patience = std::chrono::seconds(5));
  /// Where the other nodes of a cluster reach this one; 0: not in cluster mode. Any free port
  /// unless `port` or `cluster-port` is set.
  uint16_t bus_port() const;

  /// Makes everything durable, disconnects clients and releases the directory. Later calls of any
  /// function fail with kUnavailable. No other call may be running.
  Status close();

 private:
  struct State;
  explicit Node(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace syntropy
