// RespKeyServer: a KeyServer over the Redis protocol: Redis, Valkey, Kvrocks, Syntropy, alone or as
// a cluster.
//
// Uses SCAN, EXISTS, PEXPIRETIME (PTTL where there is none), STRLEN, GET, TYPE, DUMP; of
// collections whose DUMPs differ, HGETALL, SMEMBERS, LRANGE, ZRANGE, XRANGE; to write, SET, RESTORE
// and DEL.
//
// Thread safety: as a KeyServer's.
#pragma once

#include <memory>
#include <string>

#include "storage/base/clock.h"
#include "tools/cli/key_server.h"
#include "tools/cli/resp_router.h"

namespace syntropy {

/// Which keys a walk yields.
struct ScanOptions {
  std::string match;    // a glob pattern; empty: all keys
  size_t batch = 1000;  // keys of a page, about
};

class RespKeyServer final : public KeyServer {
 public:
  /// Connects and finds out what the server can. The errors of RespRouter::open(). `clock` outlives
  /// the server.
  static Result<std::unique_ptr<RespKeyServer>> open(const NodeAddress& address, uint32_t database,
                                                     const ScanOptions& scan, const Clock& clock);

  bool has_collections() const override { return has_collections_; }
  bool has_exact_expiry() const override { return has_exact_expiry_; }
  Result<KeyPage> scan(const std::string& from) override;
  Result<std::vector<bool>> exist(Keys keys) override;
  Result<std::vector<KeyState>> look(Keys keys) override;
  Result<std::vector<std::optional<std::string>>> values(Keys keys) override;
  Result<std::vector<KeyContents>> contents(Keys keys) override;
  Result<std::vector<std::string>> elements(const std::string& key,
                                            const std::string& type) override;
  Result<std::vector<std::optional<KeyCopy>>> copies(Keys keys,
                                                     std::span<const KeyState> states) override;
  Result<std::vector<std::string>> write(std::span<const KeyCopy> keys, bool only_absent) override;
  Result<std::vector<std::string>> erase(Keys keys) override;
  Traffic traffic() const override { return router_.traffic(); }

 private:
  RespKeyServer(RespRouter router, std::string name, const ScanOptions& scan, const Clock& clock)
      : router_(std::move(router)), name_(std::move(name)), scan_(scan), clock_(clock) {}

  Status find_abilities();
  RespCommand expiry_command(const std::string& key) const;
  /// Of the answer to expiry_command(): Unix time, -1 never, -2 no such key.
  int64_t expiry_of(const RespReply& reply) const;
  RespCommand write_command(const KeyCopy& copy, bool only_absent) const;
  Status refused(const RespCommand& command, const RespReply& reply) const;
  /// As the router's, but any error reply is an error, WRONGTYPE excepted.
  Result<std::vector<RespReply>> ask(const std::vector<RespCommand>& commands);

  RespRouter router_;
  std::string name_;  // for messages
  ScanOptions scan_;
  const Clock& clock_;
  bool has_collections_ = false;
  bool has_exact_expiry_ = false;
};

}  // namespace syntropy
