// Crypto: the few primitives of the bus, from OpenSSL 3, with its errors turned into ours.
//
//   ClusterKey    the shared secret of a cluster, stretched once per process
//   hmac_sha256   proves knowledge of that key (RFC 2104, FIPS 180-4)
//   FrameMac      a keyed 64-bit tag per frame: SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast
//                 short-input PRF", INDOCRYPT 2012). 64 bits are enough where a wrong tag ends the
//                 connection and the next one has other keys: a forger has one guess each.
//
// Check: SipHash-2-4 with key 00 01 .. 0F over 00 01 .. 0E is 0xA129CA6149BE45E5.
//
// Thread safety: free functions from any thread; ClusterKey is a value; a FrameMac belongs to one
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>

#include "storage/base/status.h"

namespace syntropy {

using Sha256 = std::array<char, 32>;

inline std::string_view view(const Sha256& digest) { return {digest.data(), digest.size()}; }

/// HMAC-SHA256 over the parts, one after the other. Parts of variable length need their length in
/// them, or two splits of the same bytes would have the same digest.
Sha256 hmac_sha256(std::string_view key, std::initializer_list<std::string_view> parts);

/// In time that depends on the sizes alone.
bool equal_in_constant_time(std::string_view a, std::string_view b);

/// From the operating system's entropy; ends the process when there is none.
void secure_random(char* out, size_t size);

/// What `cluster-secret` is to the bus. Default: no secret, every peer is taken as what it says.
class ClusterKey {
 public:
  ClusterKey() = default;
  /// PBKDF2-HMAC-SHA256 (RFC 8018) of `secret` with kRounds rounds and a fixed salt, some 20 ms:
  /// who records a handshake must spend that for each secret to try. An empty secret gives no key.
  static ClusterKey derive(std::string_view secret);
  static constexpr int kRounds = 50'000;

  explicit operator bool() const { return set_; }
  std::string_view bytes() const { return view(key_); }

 private:
  bool set_ = false;
  Sha256 key_{};
};

class FrameMac {
 public:
  static constexpr size_t kKeyBytes = 16;

  /// kInvalidArgument: the key has another size. kUnavailable: OpenSSL has no SipHash (a provider
  /// configuration without it).
  static Result<FrameMac> make(std::string_view key);

  /// The tag of `first` followed by `second`.
  uint64_t tag(std::string_view first, std::string_view second);

 private:
  struct Free {
    void operator()(void* context) const;
  };
  FrameMac() = default;

  std::array<char, kKeyBytes> key_{};
  std::unique_ptr<void, Free> context_;  // EVP_MAC_CTX
};

}  // namespace syntropy
