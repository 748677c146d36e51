// TestNode: sessions, dispatcher and keyspace over an engine in memory, without sockets or threads.
// The test plays the I/O thread: it says what arrives on which session in one tick, when the tick
// is committed, and when those that wait are served.
//
//   TestNode node;
//   Session& session = node.connect();
//   node.exchange(session, "SET k 1\r\nGET k\r\n");   // one tick and all that it waits for
//
// Thread safety: one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/dispatcher.h"
#include "server/session.h"
#include "server/stats.h"
#include "storage/tick.h"
#include "tests/support/test_services.h"

namespace syntropy::testing {

// RESP2 as tests write it.
inline constexpr std::string_view kOk = "+OK\r\n";
inline constexpr std::string_view kQueued = "+QUEUED\r\n";
inline constexpr std::string_view kNull = "$-1\r\n";
inline constexpr std::string_view kNullArray = "*-1\r\n";
std::string integer(int64_t value);
std::string bulk(std::string_view text);
std::string error(std::string_view text);
std::string array(const std::vector<std::string>& elements);
/// A request as clients send it.
std::string request(const std::vector<std::string>& args);
/// Cuts a stream of replies into its replies. Fails the test when it ends within one.
std::vector<std::string> split_replies(std::string_view replies);

class TestNode : public TestServices {
 public:
  explicit TestNode(size_t row_cache_bytes = kRowCacheBytes);
  ~TestNode();

  /// A client that has connected; the node keeps it.
  Session& connect();

  // --- one tick ----------------------------------------------------------------------------------

  void begin_tick(uint32_t max_commands = Turn::kMaxCommands);
  /// Lets the session execute what arrived and what it still holds.
  void run(Session& session, std::string_view bytes = {});
  /// Whether the commit will write anything.
  bool has_writes() const { return tick_.has_writes(); }
  /// Commits, as an I/O thread does: when that fails, the replies that depend on it become errors.
  /// `sync`: as under "appendfsync always", replies depend on the sync as well.
  Status end_tick(bool sync = false);

  /// What another thread would do meanwhile for a session that waits; then it may run again.
  void serve_fetch(Session& session);
  void serve_worker(Session& session);

  /// One tick with these bytes, and further ones until the session waits for nothing (but the end
  /// of a pause). Returns and takes the replies.
  std::string exchange(Session& session, std::string_view bytes);
  static std::string take_output(Session& session);

  // --- looking inside: TestServices, and ---------------------------------------------------------

  uint64_t stat(Stat stat) const { return stats.totals()[stat]; }
  ServerStats::CommandTotals command_totals(std::string_view name) const;

 private:
  Dispatcher dispatcher_;
  Tick tick_;
  std::shared_ptr<const Config> turn_config_;
  std::optional<Turn> turn_;
  std::vector<std::unique_ptr<Session>> sessions_;
};

}  // namespace syntropy::testing
