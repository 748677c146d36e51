// CommandFixture: runs commands on a keyspace in memory, without sockets or dispatcher.
//
// A request goes through the command table, the check of its arity, and the handler in a tick of
// its own that is committed at once. Every handler runs twice, the first time rolled back, as it
// happens to a command that met a row which wasn't in memory: a handler with an effect outside of
// its tick shows.
//
// Thread safety: one thread.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/client.h"
#include "storage/row.h"
#include "tests/support/test_services.h"

namespace syntropy {

// RESP as tests write it.
inline constexpr std::string_view kOk = "+OK\r\n";
inline constexpr std::string_view kNull = "$-1\r\n";  // RESP2
std::string integer(int64_t value);
std::string bulk(std::string_view text);
std::string error(std::string_view text);
/// An array of elements that are RESP already.
std::string array(const std::vector<std::string>& elements);

class CommandFixture : public ::testing::Test {
 protected:
  /// Runs a line, split and unquoted like one of redis-cli; returns the raw reply.
  std::string run(std::string_view line);
  /// Runs arguments as they are.
  std::string run_args(const std::vector<std::string>& args);

  /// Writes a row of a kind that no string command may touch.
  void put_hash(std::string_view key);
  /// Writes a row whatever its payload is.
  void put_row(std::string_view key, RowKind kind, std::string_view payload);
  /// The error that reading the key meets.
  Status read_error(std::string_view key);
  /// The kind of the key's first row; kTombstone when it is absent.
  RowKind kind_of(std::string_view key);
  /// Changes whenever the key's row is written; 0 when it is absent.
  uint64_t fingerprint(std::string_view key);
  /// Milliseconds to live; -1 without expiry, -2 when absent.
  int64_t ttl_ms(std::string_view key);

  void advance_ms(uint64_t ms) { services_.clock.advance_ms(ms); }
  uint64_t now_ms() const { return services_.clock.wall_ms(); }
  void set_config(const std::string& name, const std::string& value);
  /// What handlers reach beyond rows.
  ServerContext& server() { return services_.context; }

  Client client_;

 private:
  testing::TestServices services_;
};

}  // namespace syntropy
