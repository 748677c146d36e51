#include "server/pubsub.h"

#include <algorithm>
#include <utility>

#include "server/config/glob.h"
#include "server/resp/reply.h"

namespace syntropy {
namespace {

// A push in both protocols, made when it is first needed: most messages have listeners of one.
class Push {
 public:
  explicit Push(std::vector<std::string_view> parts) : parts_(std::move(parts)) {}

  void send_to(Client& client) {
    if (!client.push) return;
    const int protocol = client.shared.protocol.load(std::memory_order_relaxed);
    std::string& bytes = bytes_[protocol == 3 ? 1 : 0];
    if (bytes.empty()) {
      ReplyWriter writer(&bytes, protocol);
      writer.push(parts_.size());
      for (const std::string_view part : parts_) writer.bulk(part);
    }
    client.push(bytes);
  }

 private:
  const std::vector<std::string_view> parts_;
  std::array<std::string, 2> bytes_;
};

std::atomic<uint32_t>& count_of(Client& client, Listening kind) {
  return client.shared.listening[static_cast<size_t>(kind)];
}

}  // namespace

std::string_view PubSub::verb(Listening kind, bool ends) {
  switch (kind) {
    case Listening::kChannel:
      return ends ? "unsubscribe" : "subscribe";
    case Listening::kPattern:
      return ends ? "punsubscribe" : "psubscribe";
    case Listening::kShardChannel:
      break;
  }
  return ends ? "sunsubscribe" : "ssubscribe";
}

void PubSub::subscribe(const std::shared_ptr<Client>& client, Listening kind,
                       std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (!clients_[client->id][static_cast<size_t>(kind)].emplace(name).second) return;
  names(kind)[std::string(name)].emplace(client->id, client);
  count_of(*client, kind).fetch_add(1, std::memory_order_relaxed);
}

bool PubSub::unsubscribe(Client& client, Listening kind, std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto at = names(kind).find(name);
  if (at == names(kind).end() || !at->second.contains(client.id)) return false;
  remove(client, kind, at);
  return true;
}

// The client listens to it.
void PubSub::remove(Client& client, Listening kind, Names::iterator at) {
  const auto of_client = clients_.find(client.id);
  of_client->second[static_cast<size_t>(kind)].erase(at->first);
  count_of(client, kind).fetch_sub(1, std::memory_order_relaxed);
  const bool silent = std::all_of(of_client->second.begin(), of_client->second.end(),
                                  [](const auto& all) { return all.empty(); });
  if (silent) clients_.erase(of_client);
  at->second.erase(client.id);
  if (at->second.empty()) names(kind).erase(at);
}

std::vector<std::string> PubSub::names_of(const Client& client, Listening kind) const {
  const std::lock_guard lock(mutex_);
  const auto at = clients_.find(client.id);
  if (at == clients_.end()) return {};
  const auto& all = at->second[static_cast<size_t>(kind)];
  return {all.begin(), all.end()};
}

void PubSub::forget(Client& client) {
  for (const Listening kind :
       {Listening::kChannel, Listening::kPattern, Listening::kShardChannel}) {
    if (count_of(client, kind).load(std::memory_order_relaxed) == 0) continue;
    for (const std::string& name : names_of(client, kind)) unsubscribe(client, kind, name);
  }
}

// With the lock held, so that the messages of one publisher stay in order. Pushing only queues.
size_t PubSub::deliver(Listening kind, std::string_view channel, std::string_view message) {
  const auto at = names(kind).find(channel);
  if (at == names(kind).end()) return 0;
  Push push({kind == Listening::kChannel ? "message" : "smessage", channel, message});
  for (const auto& [id, client] : at->second) push.send_to(*client);
  return at->second.size();
}

size_t PubSub::publish(std::string_view channel, std::string_view message) {
  const std::lock_guard lock(mutex_);
  size_t receivers = deliver(Listening::kChannel, channel, message);
  for (const auto& [pattern, listeners] : names(Listening::kPattern)) {
    if (!glob_match(pattern, channel)) continue;
    Push push({"pmessage", pattern, channel, message});
    for (const auto& [id, client] : listeners) push.send_to(*client);
    receivers += listeners.size();
  }
  return receivers;
}

size_t PubSub::publish_to_shard(std::string_view channel, std::string_view message) {
  const std::lock_guard lock(mutex_);
  return deliver(Listening::kShardChannel, channel, message);
}

void PubSub::end_shard_channels(const std::function<bool(std::string_view channel)>& served) {
  const std::lock_guard lock(mutex_);
  Names& all = names(Listening::kShardChannel);
  for (auto next = all.begin(); next != all.end();) {
    const auto at = next++;
    if (served(at->first)) continue;
    const std::string name = at->first;
    const Listeners listeners = at->second;
    for (const auto& [id, client] : listeners) {
      remove(*client, Listening::kShardChannel, all.find(name));
      if (!client->push) continue;
      std::string bytes;
      ReplyWriter writer(&bytes, client->shared.protocol.load(std::memory_order_relaxed));
      writer.push(3);
      writer.bulk(verb(Listening::kShardChannel, /*ends=*/true));
      writer.bulk(name);
      writer.integer(count_of(*client, Listening::kShardChannel).load(std::memory_order_relaxed));
      client->push(bytes);
    }
  }
}

std::vector<std::string> PubSub::channels(Listening kind) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> all;
  all.reserve(names(kind).size());
  for (const auto& [name, listeners] : names(kind)) all.push_back(name);
  return all;
}

size_t PubSub::listeners(Listening kind, std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto at = names(kind).find(name);
  return at == names(kind).end() ? 0 : at->second.size();
}

size_t PubSub::count(Listening kind) const {
  const std::lock_guard lock(mutex_);
  return names(kind).size();
}

}  // namespace syntropy
