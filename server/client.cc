#include "server/client.h"

#include <algorithm>

namespace syntropy {

namespace {

// Ids only grow and clients are appended, so the list is sorted.
template <class List>
auto position_of(List& clients, uint64_t id) {
  return std::lower_bound(
      clients.begin(), clients.end(), id,
      [](const std::shared_ptr<Client>& client, uint64_t wanted) { return client->id < wanted; });
}

}  // namespace

void ClientRegistry::add(const std::shared_ptr<Client>& client) {
  std::lock_guard lock(mutex_);
  client->id = next_id_++;
  clients_.push_back(client);
}

void ClientRegistry::remove(uint64_t id) {
  // The last reference may be ours; what it destroys must not run under the mutex.
  std::shared_ptr<Client> removed;
  std::lock_guard lock(mutex_);
  const auto at = position_of(clients_, id);
  if (at == clients_.end() || (*at)->id != id) return;
  removed = std::move(*at);
  clients_.erase(at);
  std::erase(monitoring_, removed);
  monitors_.store(monitoring_.size(), std::memory_order_relaxed);
}

std::shared_ptr<Client> ClientRegistry::find(uint64_t id) const {
  std::lock_guard lock(mutex_);
  const auto at = position_of(clients_, id);
  return at != clients_.end() && (*at)->id == id ? *at : nullptr;
}

std::vector<std::shared_ptr<Client>> ClientRegistry::all() const {
  std::lock_guard lock(mutex_);
  return clients_;
}

size_t ClientRegistry::size() const {
  std::lock_guard lock(mutex_);
  return clients_.size();
}

size_t ClientRegistry::blocked() const {
  std::lock_guard lock(mutex_);
  return static_cast<size_t>(
      std::count_if(clients_.begin(), clients_.end(), [](const std::shared_ptr<Client>& client) {
        return client->shared.blocked.load(std::memory_order_relaxed);
      }));
}

void ClientRegistry::set_monitor(Client& client, bool on) {
  std::lock_guard lock(mutex_);
  const auto at = position_of(clients_, client.id);
  if (at == clients_.end() || at->get() != &client) return;
  if (client.shared.monitor.exchange(on) == on) return;
  if (on) {
    monitoring_.push_back(*at);
  } else {
    std::erase(monitoring_, *at);
  }
  monitors_.store(monitoring_.size(), std::memory_order_relaxed);
}

std::vector<std::shared_ptr<Client>> ClientRegistry::monitors() const {
  std::lock_guard lock(mutex_);
  return monitoring_;
}

}  // namespace syntropy
