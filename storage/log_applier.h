// LogApplier: what replication does to a store. Each call is one commit: the rows and the position
// in the log change together, or not at all.
//
//   a primary    begin_lineage()   when it starts, and when it is promoted
//                take_over()       rows that a node hands over which others don't have
//                pause_writes()    so that a replica can take its place without losing any
//   a follower   stop_writing()    before anything else
//                follow()          from the point up to which its log is that of the primary
//                append()          the log, record by record
//                merge()           rows from elsewhere: a copy of what the log no longer reaches
//                arrive()          when such a copy is complete
//
// A call that returns ok is visible; whether it is durable is Durability's business, as after every
// commit. append() and merge() read the disk, so they belong on a thread that may wait.
//
// Thread safety: any thread, one call at a time per keyspace for those of a follower.
#pragma once

#include <optional>
#include <string_view>

#include "storage/base/status.h"
#include "storage/keyspace.h"
#include "storage/lineage.h"

namespace syntropy {

class LogApplier {
 public:
  /// The keyspace must be replicated, and outlive this.
  explicit LogApplier(Keyspace& keyspace) : keyspace_(keyspace) {}

  /// From here on this node is the writer, of lineage `id`, which follows on what it has.
  Status begin_lineage(const LineageId& id);
  /// Merges the rows of whole records in ticks of this writer, which log what they change. Returns
  /// a point of the log that has them all. kUnavailable when this node isn't the writer.
  Result<LogPoint> take_over(std::string_view records);
  /// No tick changes rows from here on, until resume_writes() or a change of roles. Returns where
  /// the log stands. kUnavailable when this node isn't the writer.
  Result<LogPoint> pause_writes();
  void resume_writes();

  /// What of this node's data counts for those whom it is going to follow.
  enum class Keep {
    kLog,      // the log: they have a part of it
    kRows,     // they have nothing of the log, and may lack some of the rows
    kNothing,  // they need nothing from here
  };
  /// From here on this node takes no writes of its own.
  Status stop_writing(Keep keep = Keep::kLog);
  /// From here on this node follows a primary with this history from `offset` on, up to where its
  /// own log is the same. `owed`: what it then has beyond that, as LogPosition says.
  Status follow(const History& history, uint64_t offset, const std::optional<LogPoint>& owed);
  /// Merges whole records, which begin at `offset` in the log and are appended to it. Errors:
  /// kInvalidArgument when the log ends elsewhere, kUnavailable when this node is the writer,
  /// kCorruption when they are no records; nothing has changed then.
  Status append(uint64_t offset, std::string_view records);
  /// Merges whole records that are not the continuation of the log. The rows are owed until the log
  /// has come to `source`. Errors as append().
  Status merge(std::string_view records, const LogPoint& source);
  /// The store now has all that the primary's log has up to `offset`.
  Status arrive(const History& history, uint64_t offset);

 private:
  ReplicationLog& log() { return *keyspace_.replication_log(); }
  /// `make` gives the position to go on from, while nothing else is committed.
  template <class Make>
  Status move(bool writer, Make&& make);
  Status commit_merged(std::string_view records, std::optional<LogChange> change);

  Keyspace& keyspace_;
};

}  // namespace syntropy
