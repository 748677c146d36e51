// Client: what the server knows of one connection, apart from its socket.
//
// Thread safety: a client belongs to the I/O thread that serves it. Other threads may only read
// `shared` (atomics and strings under its mutex, for CLIENT LIST and INFO) and call request_close.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "server/cluster/write_acks.h"

namespace syntropy {

struct CommandSpec;

/// The part that other threads read.
struct ClientShared {
  std::atomic<uint32_t> db{0};
  std::atomic<int> protocol{2};
  std::atomic<int> queued{-1};  // commands queued by MULTI; -1 outside
  std::atomic<uint32_t> watched{0};
  std::atomic<uint64_t> last_active_ms{0};  // monotonic
  std::atomic<uint64_t> query_bytes{0};     // unparsed input held
  std::atomic<uint64_t> output_bytes{0};    // replies not yet taken by the kernel
  std::atomic<uint64_t> total_in{0};        // bytes received so far
  std::atomic<uint64_t> total_out{0};
  std::atomic<const CommandSpec*> last_command{nullptr};
  /// To how many channels, patterns and shard channels it listens (pubsub.h's Listening).
  std::array<std::atomic<uint32_t>, 3> listening{};
  std::atomic<bool> monitor{false};
  std::atomic<bool> no_evict{false};
  std::atomic<bool> no_touch{false};
  std::atomic<bool> blocked{false};  // parked: waits for a fetch, a worker or the end of a pause
  std::atomic<bool> closing{false};
  std::atomic<bool> unix_socket{false};
  std::atomic<bool> readonly{false};  // READONLY: a replica answers its reads

  std::mutex mutex;  // guards the strings
  std::string name;
  std::string lib_name;
  std::string lib_version;

  std::string copy_name() {
    std::lock_guard lock(mutex);
    return name;
  }
};

/// A key watched by WATCH and what it was then (Tick::fingerprint, latest_stamp).
struct WatchedKey {
  uint16_t db;
  std::string key;
  uint64_t fingerprint;
  uint64_t since;
};

class ReconcileConversation;

struct QueuedCommand {
  const CommandSpec* spec;
  std::vector<std::string> args;
};

struct Client {
  uint64_t id = 0;
  std::string address;        // ip:port or path:0, of the peer
  std::string local_address;  // of our side
  int fd = -1;                // for CLIENT LIST only
  uint64_t connected_ms = 0;  // monotonic

  int protocol = 2;
  uint16_t db = 0;
  bool authenticated = false;
  std::optional<WriteAcks> write_acks;  // unset: as cluster-write-acks says

  // Transactions.
  bool in_multi = false;
  bool in_transaction = false;  // EXEC is executing the queued commands
  bool exec_aborted = false;    // a queued command was refused: EXEC answers EXECABORT
  size_t held_bytes = 0;        // by the queue and the watched keys, about
  std::vector<QueuedCommand> queue;
  std::vector<WatchedKey> watched;

  // Cluster mode.
  bool proxied = false;  // it knows no cluster: what isn't for this node is forwarded
  uint8_t asking = 0;    // ASKING goes for the next command: 2 while it runs, 1 for that one
  /// Set by WAIT, outside of transactions: the connection waits, and the count is its reply.
  struct ReplicaWait {
    uint64_t replicas = 0;
    uint64_t timeout_ms = 0;  // 0: never
  };
  std::optional<ReplicaWait> replica_wait;

  enum class ReplyMode : uint8_t { kOn, kOff, kSkipNext, kSkipThis };
  ReplyMode reply_mode = ReplyMode::kOn;

  /// What REPLCONF said before SYNC.
  struct DumpOptions {
    bool follows = false;    // it is a server that would follow this one
    bool dump_only = false;  // no commands are wanted behind the dump
  };
  DumpOptions dump_options;

  /// What RECONCILE has begun on this connection.
  std::shared_ptr<ReconcileConversation> reconcile;

  bool close_after_reply = false;
  bool close_unanswered = false;  // with close_after_reply: what was answered isn't sent either

  ClientShared shared;

  /// Closes the connection from any thread, soon. Set once before the client is registered.
  std::function<void()> request_close;
  /// Sends bytes outside of a reply (MONITOR lines, pushes), from any thread, soon.
  std::function<void(std::string)> push;
};

/// Whether it listens to anything (Pub/Sub). Any thread.
inline bool is_listening(const Client& client) {
  for (const std::atomic<uint32_t>& count : client.shared.listening) {
    if (count.load(std::memory_order_relaxed) != 0) return true;
  }
  return false;
}

/// All clients of the server.
/// Thread safety: any thread.
class ClientRegistry {
 public:
  /// Gives the client its id (growing, never reused) and lists it.
  void add(const std::shared_ptr<Client>& client);
  void remove(uint64_t id);
  std::shared_ptr<Client> find(uint64_t id) const;
  /// In the order of ids.
  std::vector<std::shared_ptr<Client>> all() const;
  size_t size() const;
  size_t blocked() const;

  /// Those that asked for MONITOR. The count is cheap enough to be asked before every command.
  bool has_monitors() const { return monitors_.load(std::memory_order_relaxed) != 0; }
  void set_monitor(Client& client, bool on);
  std::vector<std::shared_ptr<Client>> monitors() const;

 private:
  mutable std::mutex mutex_;
  uint64_t next_id_ = 1;
  std::vector<std::shared_ptr<Client>> clients_;     // by id
  std::vector<std::shared_ptr<Client>> monitoring_;  // those with shared.monitor set
  std::atomic<size_t> monitors_{0};  // monitoring_.size(), readable without the mutex
};

}  // namespace syntropy
