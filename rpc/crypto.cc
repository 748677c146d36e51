#include "rpc/crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "storage/base/coding.h"

namespace syntropy {
namespace {

constexpr std::string_view kSalt = "syntropy cluster-secret 1";

const unsigned char* unsigned_bytes(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "syntropy: %s failed: this process cannot go on safely\n", what);
  std::abort();
}

EVP_MAC_CTX* mac_context(void* context) { return static_cast<EVP_MAC_CTX*>(context); }

}  // namespace

Sha256 hmac_sha256(std::string_view key, std::initializer_list<std::string_view> parts) {
  std::string bytes;
  for (const std::string_view part : parts) bytes.append(part);
  Sha256 digest;
  unsigned int size = 0;
  if (::HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), unsigned_bytes(bytes),
             bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), &size) == nullptr ||
      size != digest.size()) {
    give_up("HMAC-SHA256");
  }
  return digest;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void secure_random(char* out, size_t size) {
  if (::RAND_bytes(reinterpret_cast<unsigned char*>(out), static_cast<int>(size)) != 1) {
    give_up("the random generator");
  }
}

ClusterKey ClusterKey::derive(std::string_view secret) {
  ClusterKey key;
  if (secret.empty()) return key;
  if (::PKCS5_PBKDF2_HMAC(secret.data(), static_cast<int>(secret.size()), unsigned_bytes(kSalt),
                          static_cast<int>(kSalt.size()), kRounds, EVP_sha256(),
                          static_cast<int>(key.key_.size()),
                          reinterpret_cast<unsigned char*>(key.key_.data())) != 1) {
    give_up("PBKDF2");
  }
  key.set_ = true;
  return key;
}

void FrameMac::Free::operator()(void* context) const { ::EVP_MAC_CTX_free(mac_context(context)); }

Result<FrameMac> FrameMac::make(std::string_view key) {
  if (key.size() != kKeyBytes) return Status::invalid_argument("a frame key has 16 bytes");
  // Fetched once: looking the algorithm up costs more than a frame.
  static EVP_MAC* const algorithm = ::EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
  EVP_MAC_CTX* const context = algorithm == nullptr ? nullptr : ::EVP_MAC_CTX_new(algorithm);
  if (context == nullptr) {
    return Status::unavailable(
        "OpenSSL offers no SipHash, which frames are authenticated with: enable its default "
        "provider, or unset cluster-secret and use TLS");
  }
  FrameMac mac;
  mac.context_.reset(context);
  std::copy(key.begin(), key.end(), mac.key_.begin());
  return mac;
}

uint64_t FrameMac::tag(std::string_view first, std::string_view second) {
  size_t wanted = sizeof(uint64_t);
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &wanted),
                               OSSL_PARAM_construct_end()};
  EVP_MAC_CTX* const context = mac_context(context_.get());
  unsigned char bytes[sizeof(uint64_t)];
  size_t size = 0;
  if (::EVP_MAC_init(context, unsigned_bytes({key_.data(), key_.size()}), key_.size(), params) !=
          1 ||
      ::EVP_MAC_update(context, unsigned_bytes(first), first.size()) != 1 ||
      ::EVP_MAC_update(context, unsigned_bytes(second), second.size()) != 1 ||
      ::EVP_MAC_final(context, bytes, &size, sizeof(bytes)) != 1 || size != sizeof(bytes)) {
    give_up("SipHash");
  }
  return load_le<uint64_t>(reinterpret_cast<const char*>(bytes));
}

}  // namespace syntropy
