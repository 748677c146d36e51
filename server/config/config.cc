#include "server/config/config.h"

#include <algorithm>

namespace syntropy {

std::uint64_t MemoryLimit::resolve(std::uint64_t total_bytes) const {
  if (percent == 0) return bytes;
  // Divided first: total_bytes * percent may not fit.
  return total_bytes / 100 * percent + total_bytes % 100 * percent / 100;
}

int GeneralConfig::effective_io_threads(unsigned cores) const {
  return io_threads != 0 ? io_threads : static_cast<int>(std::clamp(cores, 1U, 128U));
}

std::uint64_t StorageConfig::effective_row_cache_size() const {
  return row_cache_size.value_or(block_cache_size);
}

std::uint64_t StorageConfig::effective_write_buffer_size() const {
  // Small nodes count each MiB; for large ones fewer flushes count more.
  const std::uint64_t beyond = block_cache_size - std::min(block_cache_size, 32 * kMiB);
  return write_buffer_size.value_or(std::clamp(beyond / 4, 4 * kMiB, 64 * kMiB));
}

int Config::effective_cluster_port() const {
  if (cluster.port != 0 || network.port == 0) return cluster.port;
  return network.port + kClusterPortDistance;
}

}  // namespace syntropy
