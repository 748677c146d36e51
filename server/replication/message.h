// Messages between a primary and a replica that follows it. Plain values; rpc/ gives them bytes.
//
//   replica                                  primary
//   Follow  ------------------------------>
//           <------------------------------  HandOver        the replica has what nobody else has
//   HandOverData ... --------------------->
//           <------------------------------  HandOverAck ...
//           <------------------------------  Begin           the log from here on, or a copy and it
//           <------------------------------  LogData ..., PrimaryHeartbeat
//   ReplicaAck ... ----------------------->
//           <------------------------------  Compare         once in a while: are we equal?
//
// A comparison of rows (comparison.h) is part of a hand-over and of a copy where the logs don't
// tell which rows they are about, and follows Compare. It has a number, its *round*; a message of
// another round than the present one is ignored.
//
//   Ask ... ------------------------------>
//           <------------------------------  Reply ...
//   ReplyAck ... ------------------------->
//           <------------------------------  AskAck ...
//
// All but Follow carry the session that Follow named; those of another session are ignored, so that
// nothing of a former connection can do harm. Every message may be lost, doubled or late: data says
// where it belongs, and what isn't acknowledged is sent again.
//
// Thread safety: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "storage/base/slot_ranges.h"
#include "storage/lineage.h"
#include "storage/version.h"

namespace syntropy {

/// Drawn at random by the replica for each try to follow. Never 0.
using ReplicationSessionId = uint64_t;

/// A piece of a stream of log records (storage/log_record.h), cut anywhere.
struct StreamPiece {
  uint64_t offset = 0;  // of its first byte in the stream
  std::string bytes;
  bool last = false;  // the stream ends behind it
};

struct Follow {
  ReplicationSessionId session = 0;
  LogPosition position;
  HlcStamp purged = 0;  // RowSessions::purged_for_sure()
};

/// The rounds of comparisons that are part of the way to follow; later ones are checks.
inline constexpr uint64_t kHandOverRound = 1;
inline constexpr uint64_t kCopyRound = 2;

/// The replica is to hand over what it has beyond `common`, up to where both logs are the same; or,
/// if that isn't known, those of its rows that differ, in a comparison.
struct HandOver {
  ReplicationSessionId session = 0;
  std::optional<uint64_t> common;
};

struct HandOverData {
  ReplicationSessionId session = 0;
  StreamPiece piece;
};

struct HandOverAck {
  ReplicationSessionId session = 0;
  uint64_t received = 0;  // as StreamSender::acknowledged()
};

/// What the other side of a comparison has to know of a store, as of the moment of its rows.
struct StoreMarks {
  /// A log record (storage/log_record.h) of its flush stamps, or nothing.
  std::string flushes;
  /// No later write of that node has a stamp up to this one.
  HlcStamp clock = 0;
  /// Keyspace::purged_up_to().
  HlcStamp purged = 0;
  /// Slots of other shards. Rows of these that it hasn't got any more nobody needs.
  SlotRanges foreign;
};

/// What comes now. Sent until a ReplicaAck shows that it came.
struct Begin {
  ReplicationSessionId session = 0;
  History history;                 // the primary's
  std::optional<uint64_t> common;  // the replica's own log counts up to here; nullopt: not at all
  std::optional<LogPoint> owed;    // the primary's log has what the replica handed over by here
  /// Rows have to be compared as well, because the log doesn't reach back.
  bool copy = false;
  uint64_t log_offset = 0;  // where LogData begins: `common`, or the moment of the primary's rows
  StoreMarks marks;         // copy: of the primary
};

struct LogData {
  ReplicationSessionId session = 0;
  StreamPiece piece;     // offsets are those of the log
  uint64_t log_end = 0;  // where the primary's log ends now
};

/// The replica is to compare its rows with the primary's, both as of this point of the log. Sent
/// before what the log has beyond it.
struct Compare {
  ReplicationSessionId session = 0;
  uint64_t round = 0;
  uint64_t offset = 0;
  StoreMarks marks;
};

struct Ask {
  ReplicationSessionId session = 0;
  uint64_t round = 0;
  StreamPiece piece;
};

struct AskAck {
  ReplicationSessionId session = 0;
  uint64_t round = 0;
  uint64_t received = 0;  // as StreamSender::acknowledged()
};

struct Reply {
  ReplicationSessionId session = 0;
  uint64_t round = 0;
  StreamPiece piece;
};

struct ReplyAck {
  ReplicationSessionId session = 0;
  uint64_t round = 0;
  uint64_t received = 0;  // the same
};

struct PrimaryHeartbeat {
  ReplicationSessionId session = 0;
  uint64_t log_end = 0;
};

struct Refused {
  ReplicationSessionId session = 0;
  std::string reason;
};

/// Sent when something of it changed, and as a heartbeat.
struct ReplicaAck {
  ReplicationSessionId session = 0;
  uint64_t log_received = 0;  // as StreamSender::acknowledged()
  /// False while a copy is under way: the offsets below say nothing yet.
  bool following = false;
  uint64_t applied = 0;       // visible to readers of the replica
  uint64_t acknowledged = 0;  // as durable as the replica's appendfsync demands; <= applied
};

using ReplicaMessage = std::variant<Follow, HandOverData, ReplicaAck, Ask, ReplyAck>;
using PrimaryMessage = std::variant<Refused, HandOver, HandOverAck, Begin, LogData,
                                    PrimaryHeartbeat, Compare, AskAck, Reply>;

}  // namespace syntropy
