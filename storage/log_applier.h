// LogApplier: what replication does to a store. Each call is one commit: the rows and the position
// in the log change together, or not at all.
//
//   a primary    begin_lineage()   when it starts, and when it is promoted
//                take_over()       rows that a node hands over which others don't have
//                purge()           rows that all replicas are proved to hold as dead
//                remove()          rows of slots that have gone to another node
//                restamp()         rows that a flush of the node that gets them would kill
//                pause_writes()    so that a replica can take its place without losing any
//   a follower   stop_writing()    before anything else
//                follow()          from the point up to which its log is that of the primary
//                append()          the log, record by record
//                merge()           rows from elsewhere: a copy of what the log no longer reaches
//                arrive()          when such a copy is complete
//                drop()            rows that were purged while this node was away
//                raise_watermark() what was purged, once such a copy is complete
//                follow_clock()    before it says that it holds what the primary does
//
// A call that returns ok is visible; whether it is durable is Durability's business, as after every
// commit. Those that take rows read the disk, so they belong on a thread that may wait.
//
// Thread safety: any thread, one call at a time per keyspace for those of a follower.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "storage/base/status.h"
#include "storage/keyspace.h"
#include "storage/lineage.h"
#include "storage/log_record.h"
#include "storage/purge_scan.h"

namespace syntropy {

class LogApplier {
 public:
  /// The keyspace must be replicated, and outlive this.
  explicit LogApplier(Keyspace& keyspace) : keyspace_(keyspace) {}

  /// From here on this node is the writer, of lineage `id`, which follows on what it has.
  Status begin_lineage(const LineageId& id);
  /// Merges the rows of whole records in ticks of this writer, which log what they change. Returns
  /// a point of the log that has them all. kUnavailable when this node isn't the writer.
  /// What to do with rows that were purged, and with what the records say was.
  enum class Purged {
    /// Rows that were purged here (Tick::was_purged()) are dropped: who hands them over was away
    /// for
    /// longer than the purge watermark. What was purged there is purged here if it is dead.
    kDropped,
    /// He has the greater watermark: his rows are taken, and what he has purged goes, dead or
    /// alive, unless this writer wrote it.
    kTold,
    /// He comes from another shard: purges there were proved of other replicas and say nothing
    /// here, nor do those here of his rows.
    kTaken,
    /// The same, and he owns the slots of the rows: what he has purged of them goes, as with kTold.
    kMoved,
    /// He comes from another shard, and the rows from slots that are this one's: those that were
    /// purged here are dropped; what he has purged says nothing.
    kReturned,
  };
  Result<LogPoint> take_over(std::string_view records, Purged purged = Purged::kDropped);
  /// Raises the purge watermark and removes those of `rows` that Tick::purge_row() lets go, in one
  /// record of the log. `watermark` has to be proved: every replica holds what died at or before
  /// it, and its clock has followed it. Not above the newest stamp of any row that all of them hold
  /// is enough. kUnavailable when this node isn't the writer; nothing has changed then, nor after
  /// another error.
  Status purge(HlcStamp watermark, std::span<const PurgedRow> rows);
  /// Removes rows for good, dead or alive, as long as nothing of them is newer than it was: of slots
  /// that are another node's, who has them. Errors as purge().
  Status remove(std::span<const PurgedRow> rows);
  /// Writes those of the rows that are alive anew, with versions above `floor` (Tick::restamp_row()),
  /// and has the clock follow that. Errors as purge().
  Status restamp(std::span<const PurgedRow> rows, HlcStamp floor);
  /// No tick changes rows from here on, until resume_writes() or a change of roles. Returns where
  /// the log stands. kUnavailable when this node isn't the writer.
  Result<LogPoint> pause_writes();
  void resume_writes();
  /// ReplicationLog::fence().
  void fence(uint64_t generation);
  /// The same, and until release() or a change of roles ReplicationLog::set_only_judged(): what
  /// `generation` forbids is written by nobody. kUnavailable when this node isn't the writer.
  Status hold(uint64_t generation);
  void release();

  /// What of this node's data counts for those whom it is going to follow.
  enum class Keep {
    kLog,      // the log: they have a part of it
    kRows,     // they have nothing of the log, and may lack some of the rows
    kNothing,  // they need nothing from here
    kCopies,   // the same, and what is here may be what they have
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
  /// has come to `source`. What they purge is passed over: rows that were purged may yet come in
  /// from elsewhere, and a node that lacks rows may not refuse any because of a watermark. Errors
  /// as append().
  Status merge(std::string_view records, const LogPoint& source);
  /// The store now has all that the primary's log has up to `offset`.
  Status arrive(const History& history, uint64_t offset);
  /// Before arrive(): what the records that merge() was given purge, and nothing else of them.
  Status purge_as_told(std::string_view records);
  /// Appends that to a record, for purge_as_told().
  static Status add_purges(std::string_view records, LogRecordBuilder* purges_of);
  /// Removes rows that the primary has purged, without a trace in the log: those of which nothing
  /// is newer than `watermark`, the primary's. What is owed stays owed. kUnavailable when this node
  /// is the writer.
  Status drop(std::span<const std::string> row_keys, HlcStamp watermark);
  /// The primary's purge watermark is this node's: it has all that the primary has. As drop().
  Status raise_watermark(HlcStamp watermark);
  /// Nothing is written here from now on, even after the loss of power, with a stamp up to this
  /// one. As drop().
  Status follow_clock(HlcStamp stamp);

 private:
  ReplicationLog& log() { return *keyspace_.replication_log(); }
  /// `make` gives the position to go on from, while nothing else is committed.
  template <class Make>
  Status move(bool writer, Make&& make);
  /// One tick for all of `change`; the log's own when there is none.
  template <class Fill>
  Status commit(std::optional<LogChange> change, Fill&& fill);

  Keyspace& keyspace_;
};

}  // namespace syntropy
