#include "storage/rocks_options.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace syntropy {
namespace {

constexpr uint64_t kKiB = uint64_t{1} << 10;
constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;

bool known_compression(std::string_view name) {
  constexpr std::array<std::string_view, 5> kNames = {"none", "snappy", "zlib", "lz4", "zstd"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

Status unknown_compression(const std::string& name) {
  return Status::invalid_argument("unknown compression '" + name +
                                  "'; known are none, snappy, zlib, lz4 and zstd");
}

Status out_of_bounds(const char* field, uint64_t value, uint64_t least, uint64_t most) {
  return Status::invalid_argument(std::string(field) + " is " + std::to_string(value) +
                                  "; it must be " + std::to_string(least) + " to " +
                                  std::to_string(most));
}

}  // namespace

Status validate(const RocksOptions& options) {
  struct Bounds {
    const char* field;
    uint64_t value, least, most;
  };
  const Bounds bounds[] = {
      {"block_cache_bytes", options.block_cache_bytes, kMiB, UINT64_MAX >> 1},
      {"write_buffer_bytes", options.write_buffer_bytes, 64 * kKiB, kGiB},
      {"max_write_buffers", options.max_write_buffers, 2, 64},
      {"max_background_jobs", options.max_background_jobs, 1, 64},
      {"block_bytes", options.block_bytes, kKiB, kMiB},
      {"target_file_bytes", options.target_file_bytes, 64 * kKiB, kGiB},
  };
  if (options.dir.empty()) return Status::invalid_argument("the data directory has no name");
  for (const Bounds& b : bounds) {
    if (b.value < b.least || b.value > b.most) {
      return out_of_bounds(b.field, b.value, b.least, b.most);
    }
  }
  if (!(options.bloom_bits_per_key >= 0 && options.bloom_bits_per_key <= 100)) {
    return Status::invalid_argument("bloom_bits_per_key must be 0 to 100");
  }
  if (options.max_open_files != -1 && options.max_open_files < 64) {
    return Status::invalid_argument("max_open_files must be -1 or at least 64");
  }
  if (!known_compression(options.compression)) return unknown_compression(options.compression);
  if (!options.bottommost_compression.empty() &&
      !known_compression(options.bottommost_compression)) {
    return unknown_compression(options.bottommost_compression);
  }
  return {};
}

}  // namespace syntropy
