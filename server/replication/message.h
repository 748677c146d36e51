// Messages between a primary and a replica that follows it. Plain values; rpc/ gives them bytes.
//
//   replica                                  primary
//   Follow  ------------------------------>
//           <------------------------------  HandOver        the replica has what nobody else has
//   HandOverData ... --------------------->
//           <------------------------------  HandOverAck ...
//           <------------------------------  Begin           the log from here on, or a copy and it
//           <------------------------------  LogData ..., CopyData ..., PrimaryHeartbeat
//   ReplicaAck ... ----------------------->
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
#include <utility>
#include <variant>
#include <vector>

#include "storage/lineage.h"

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
  /// First and last slot of the ranges to be copied, should a copy be needed.
  std::vector<std::pair<uint16_t, uint16_t>> slots;
};

/// The replica is to hand over what it has beyond `common`, up to where both logs are the same; all
/// its rows if that isn't known.
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

/// What comes now. Sent until a ReplicaAck shows that it came.
struct Begin {
  ReplicationSessionId session = 0;
  History history;                 // the primary's
  std::optional<uint64_t> common;  // the replica's own log counts up to here; nullopt: not at all
  std::optional<LogPoint> owed;    // the primary's log has what the replica handed over by here
  bool copy = false;               // rows come as well, because the log doesn't reach back
  uint64_t log_offset = 0;         // where LogData begins: `common`, or the moment of the copy
};

struct LogData {
  ReplicationSessionId session = 0;
  StreamPiece piece;     // offsets are those of the log
  uint64_t log_end = 0;  // where the primary's log ends now
};

struct CopyData {
  ReplicationSessionId session = 0;
  StreamPiece piece;
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
  uint64_t log_received = 0;   // as StreamSender::acknowledged()
  uint64_t copy_received = 0;  // the same
  /// False while a copy is under way: the offsets below say nothing yet.
  bool following = false;
  uint64_t applied = 0;       // visible to readers of the replica
  uint64_t acknowledged = 0;  // as durable as the replica's appendfsync demands; <= applied
};

using ReplicaMessage = std::variant<Follow, HandOverData, ReplicaAck>;
using PrimaryMessage =
    std::variant<Refused, HandOver, HandOverAck, Begin, LogData, CopyData, PrimaryHeartbeat>;

}  // namespace syntropy
