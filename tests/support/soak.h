// How long the longer random tests run.
//
// Thread safety: any thread.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace syntropy::testing {

/// n where the environment says SYNTROPY_SOAK=<n>, else `usual`.
inline uint64_t soak_rounds(uint64_t usual) {
  const char* soak = std::getenv("SYNTROPY_SOAK");
  return soak == nullptr ? usual : std::strtoull(soak, nullptr, 10);
}

}  // namespace syntropy::testing
