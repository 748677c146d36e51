// The bytes of the messages between a primary and its replica (server/replication/message.h), as
// frames of a stream of the bus. A frame's type says which message it is:
//
//   32 Follow        session position purged:u64
//   33 HandOverData  session piece
//   34 ReplicaAck    session following:u8 log:varint applied:varint acknowledged:varint
//   35 Ask           session round:varint piece
//   36 ReplyAck      session round:varint received:varint
//   48 Refused       session reason:rest
//   49 HandOver      session optional
//   50 HandOverAck   session received:varint
//   51 Begin         session copy:u8 optional point log_offset:varint history marks
//   52 LogData       session log_end:varint piece
//   53 PrimaryHeartbeat     session log_end:varint
//   54 Compare       session round:varint offset:varint marks
//   55 AskAck        session round:varint received:varint
//   56 Reply         session round:varint piece
//
// and of those between owners of slots (server/replication/slot_message.h), beside 35, 36, 55, 56:
//
//   64 SlotOffer     session hand_over:u8 ranges
//   65 SlotAccept    session flushed:u64
//   66 SlotRefusal   session later:u8 reason:rest
//   67 SlotConfirm   session round:varint 68 SlotReady     session round:varint
//   69 SlotGrant     session ranges
//
//   ranges   := as in storage/base/slot_ranges.h
//   session  := u64, not 0 (but for Refused)    position := offset:varint point history
//   history  := as in storage/lineage.h         optional := 00 | 01 offset:varint
//   point    := 00 | 01 lineage:20 offset:varint
//   piece    := offset:varint last:u8 bytes:rest
//   marks    := clock:u64 purged:u64 foreign:ranges flushes:rest
// Integers little-endian; a u8 that answers a question is 0 or 1. Rows, comparisons and
// the history are in their own formats (storage/log_record.h, server/replication/comparison.h,
// storage/lineage.h), which are checked where they are used.
// Check: PrimaryHeartbeat of session 1 with log_end 300 is type 53, 01 00 00 00 00 00 00 00 AC 02.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/replication/message.h"
#include "server/replication/slot_message.h"
#include "storage/base/status.h"

namespace syntropy {

struct ReplicationFrame {
  uint8_t type = 0;
  std::string payload;
};

ReplicationFrame encode_frame(const ReplicaMessage& message);
ReplicationFrame encode_frame(const PrimaryMessage& message);
ReplicationFrame encode_frame(const SlotMessage& message);

/// kCorruption when encode_frame() doesn't write these bytes.
Result<ReplicaMessage> decode_replica_message(uint8_t type, std::string_view payload);
Result<PrimaryMessage> decode_primary_message(uint8_t type, std::string_view payload);
/// Whether it is one.
bool is_slot_message(uint8_t type);
Result<SlotMessage> decode_slot_message(uint8_t type, std::string_view payload);

}  // namespace syntropy
