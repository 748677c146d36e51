#include "server/context.h"

#include <algorithm>

namespace syntropy {

void PauseState::pause(uint64_t now_ms, uint64_t until_ms, Mode mode) {
  std::lock_guard lock(mutex_);
  const bool in_force = until_ms_.load(std::memory_order_relaxed) > now_ms;
  const bool all = mode == Mode::kAll || (in_force && all_.load(std::memory_order_relaxed));
  // Strictness first: a reader between the two stores may wait too long, never too short.
  all_.store(all, std::memory_order_release);
  const uint64_t until =
      in_force ? std::max(until_ms, until_ms_.load(std::memory_order_relaxed)) : until_ms;
  until_ms_.store(until, std::memory_order_release);
}

void PauseState::unpause() {
  std::lock_guard lock(mutex_);
  until_ms_.store(0, std::memory_order_release);
  all_.store(false, std::memory_order_release);
}

bool PauseState::holds(uint64_t now_ms, bool is_write) const {
  if (is_write && failover_until_ms_.load(std::memory_order_acquire) > now_ms) return true;
  if (until_ms_.load(std::memory_order_acquire) <= now_ms) return false;
  return is_write || all_.load(std::memory_order_acquire);
}

}  // namespace syntropy
