// UpstreamStore: writes into a node's store what comes from a redis-server (redis_upstream.h): the
// keys of its dump, then its commands. They are executed by the handlers that clients' commands
// have, at a time at which nothing has expired that the other hasn't deleted.
//
// What there is no place for here yet, types beside strings and the commands that work on them, is
// counted by name. Unless it may be left out, it ends the copy: before a key was written of a dump
// that has any, the dump is read to its end, so that all can be named.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/client.h"
#include "server/context.h"
#include "server/resp/rdb_reader.h"
#include "storage/tick.h"

namespace syntropy {

class UpstreamStore {
 public:
  struct Counts {
    uint64_t keys = 0;                         // of the dump, written
    uint64_t commands = 0;                     // executed
    uint64_t failed = 0;                       // of these, with an error
    std::map<std::string, uint64_t> left_out;  // by type of key or name of command
  };

  /// `leave_out`: what there is no place for is left out. `server` outlives this.
  UpstreamStore(ServerContext& server, bool leave_out);

  /// All that is here goes; the keys of the dump follow.
  Status begin_copy();
  Status put(const RdbReader::Entry& entry);
  void pass_over(const RdbReader::Entry& entry);
  /// kInvalidArgument: the dump has what there is no place for.
  Status end_copy();

  /// Executes a command; those between MULTI and EXEC when that comes, so that no commit parts them. kInvalidArgument as end_copy(),
  /// and when it names a database that there isn't here.
  Status apply(std::span<const std::string_view> command);
  /// The connection is gone: what isn't committed comes again. Also lets go of the writers' lock,
  /// which is held from the first write to the commit.
  void abandon();
  /// Makes visible, and as durable as the node's policy demands, what was written so far.
  Status commit();

  /// Enough waits for commit().
  bool is_large() const;
  /// Nothing of a transaction waits for its EXEC: all that came is executed.
  bool at_rest() const { return !in_transaction_; }
  const Counts& counts() const { return counts_; }
  /// "2 hash, 1 list".
  std::string left_out_text() const;

 private:
  using Args = std::vector<std::string>;

  Status execute(std::span<const std::string_view> command);
  void begin_command();
  Status select(std::string_view database);
  Status set_database(uint64_t database);
  void erase_keys(std::span<const std::string_view> command);

  ServerContext& server_;
  const bool leave_out_;
  std::optional<Tick> tick_;  // while something waits for its commit
  Client client_;
  uint64_t batched_ = 0;  // commands and keys since the last commit
  bool in_transaction_ = false;
  std::vector<Args> transaction_;
  Counts counts_;
};

}  // namespace syntropy
