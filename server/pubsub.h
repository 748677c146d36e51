// PubSub: who listens to what is published. Channels, patterns over their names (glob.h), and shard
// channels, which are names of their own and belong to the slot of theirs.
//
// A message goes to the connections that listen at that moment, and is kept for nobody. Of one
// publisher's messages each listener gets those of a channel in order.
//
// A connection in RESP2 that listens can do nothing but (un)subscribe, PING, RESET and QUIT; in
// RESP3 messages are pushes beside its replies (Redis 7's Pub/Sub).
//
// Thread safety: any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/client.h"

namespace syntropy {

enum class Listening : uint8_t { kChannel, kPattern, kShardChannel };

class PubSub {
 public:
  /// What RESP calls it: "subscribe", "psubscribe", "ssubscribe"; with "un", as "punsubscribe".
  static std::string_view verb(Listening kind, bool ends);

  /// From now on the client gets what is published there. Nothing if it does already.
  void subscribe(const std::shared_ptr<Client>& client, Listening kind, std::string_view name);
  /// False: it didn't listen to that.
  bool unsubscribe(Client& client, Listening kind, std::string_view name);
  /// What the client listens to, in the order of the names.
  std::vector<std::string> names_of(const Client& client, Listening kind) const;
  /// The client is gone, or RESET.
  void forget(Client& client);

  /// Sends the message to all who listen; returns to how many, counted once for the channel and
  /// once for each pattern.
  size_t publish(std::string_view channel, std::string_view message);
  size_t publish_to_shard(std::string_view channel, std::string_view message);
  /// Ends all listening to shard channels that `served` doesn't hold for, and tells those who did.
  void end_shard_channels(const std::function<bool(std::string_view channel)>& served);

  /// With listeners now, in the order of their names.
  std::vector<std::string> channels(Listening kind) const;
  size_t listeners(Listening kind, std::string_view name) const;
  /// Of different names with listeners.
  size_t count(Listening kind) const;

 private:
  using Listeners = std::map<uint64_t, std::shared_ptr<Client>>;  // by id of the client
  using Names = std::map<std::string, Listeners, std::less<>>;

  Names& names(Listening kind) { return names_[static_cast<size_t>(kind)]; }
  const Names& names(Listening kind) const { return names_[static_cast<size_t>(kind)]; }
  void remove(Client& client, Listening kind, Names::iterator at);
  size_t deliver(Listening kind, std::string_view channel, std::string_view message);

  mutable std::mutex mutex_;  // guards all below
  std::array<Names, 3> names_;
  // The reverse: what each client listens to.
  std::unordered_map<uint64_t, std::array<std::set<std::string, std::less<>>, 3>> clients_;
};

}  // namespace syntropy
