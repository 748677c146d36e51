// DEBUG DIGEST-VALUE: what redis-cli compares where a move of keys has left one of them on two nodes.
// The digest is Redis' (debug.c): equal for equal keys of both.
#include <openssl/evp.h>

#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "server/commands/arguments.h"
#include "server/commands/diagnosis.h"
#include "server/context.h"

namespace syntropy {
namespace {

constexpr size_t kSha1Bytes = 20;

class Digest {
 public:
  /// The order in which things are added doesn't matter.
  void add(std::string_view bytes) {
    const Bytes hash = sha1(bytes);
    for (size_t i = 0; i < kSha1Bytes; ++i) bytes_[i] ^= hash[i];
  }
  /// It does.
  void mix(std::string_view bytes) {
    add(bytes);
    bytes_ = sha1({reinterpret_cast<const char*>(bytes_.data()), kSha1Bytes});
  }
  std::string hex() const {
    std::string text;
    for (const unsigned char byte : bytes_) {
      std::array<char, 3> digits{};
      std::snprintf(digits.data(), digits.size(), "%02x", byte);
      text.append(digits.data(), 2);
    }
    return text;
  }

 private:
  using Bytes = std::array<unsigned char, kSha1Bytes>;

  static Bytes sha1(std::string_view bytes) {
    Bytes hash{};
    (void)EVP_Digest(bytes.data(), bytes.size(), hash.data(), nullptr, EVP_sha1(), nullptr);
    return hash;
  }

  Bytes bytes_{};
};

}  // namespace

void debug_digest_value(Call& call) {
  Tick tick(call.server.keyspace);
  std::vector<std::string> digests;
  for (const std::string_view key : call.args.subspan(2)) {
    tick.begin_command(call.now_ms, ReadTier::kDisk);
    const std::optional<RowView> row = tick.get(call.db(), key);
    if (!tick.error().ok()) {
      return call.reply.error("ERR reading from disk failed: " +
                              std::string(tick.error().message()));
    }
    Digest digest;
    if (row && is_string(*row)) {
      digest.mix(std::string_view("\0\0\0\0", 4));  // the type: a string
      DigitsBuffer digits;
      digest.mix(string_value(*row, &digits));
      if (row->expires_at_ms != 0) digest.add("!!expire!!");
    }
    digests.push_back(digest.hex());
  }
  call.reply.array(digests.size());
  for (const std::string& digest : digests) call.reply.bulk(digest);
}

}  // namespace syntropy
