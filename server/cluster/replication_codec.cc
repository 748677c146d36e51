#include "server/cluster/replication_codec.h"

#include <optional>
#include <type_traits>
#include <utility>

#include "storage/base/coding.h"

namespace syntropy {
namespace {

enum Type : uint8_t {
  kFollow = 32,
  kHandOverData,
  kReplicaAck,
  kAsk,
  kReplyAck,
  kRefused = 48,
  kHandOver,
  kHandOverAck,
  kBegin,
  kLogData,
  kHeartbeat,
  kCompare,
  kAskAck,
  kReply,
  kSlotOffer = 64,
  kSlotAccept,
  kSlotRefusal,
  kSlotConfirm,
  kSlotReady,
  kSlotGrant,
};

// --- writing -------------------------------------------------------------------------------------

void put_optional(std::string* out, const std::optional<uint64_t>& offset) {
  out->push_back(offset ? 1 : 0);
  if (offset) put_varint64(out, *offset);
}

void put_point(std::string* out, const std::optional<LogPoint>& point) {
  out->push_back(point ? 1 : 0);
  if (!point) return;
  out->append(point->lineage.bytes());
  put_varint64(out, point->offset);
}

void put_piece(std::string* out, const StreamPiece& piece) {
  put_varint64(out, piece.offset);
  out->push_back(piece.last ? 1 : 0);
  out->append(piece.bytes);
}

void put_marks(std::string* out, const StoreMarks& marks) {
  put_fixed64_le(out, marks.clock);
  put_fixed64_le(out, marks.purged);
  marks.foreign.encode(out);
  out->append(marks.flushes);
}

uint8_t put(std::string* out, const Follow& message) {
  put_varint64(out, message.position.offset);
  put_point(out, message.position.owed);
  encode_history(message.position.history, out);
  put_fixed64_le(out, message.purged);
  return kFollow;
}

uint8_t put(std::string* out, const HandOverData& message) {
  put_piece(out, message.piece);
  return kHandOverData;
}

uint8_t put(std::string* out, const ReplicaAck& message) {
  out->push_back(message.following ? 1 : 0);
  put_varint64(out, message.log_received);
  put_varint64(out, message.applied);
  put_varint64(out, message.acknowledged);
  return kReplicaAck;
}

uint8_t put(std::string* out, const Refused& message) {
  out->append(message.reason);
  return kRefused;
}

uint8_t put(std::string* out, const HandOver& message) {
  put_optional(out, message.common);
  return kHandOver;
}

uint8_t put(std::string* out, const HandOverAck& message) {
  put_varint64(out, message.received);
  return kHandOverAck;
}

uint8_t put(std::string* out, const Begin& message) {
  out->push_back(message.copy ? 1 : 0);
  put_optional(out, message.common);
  put_point(out, message.owed);
  put_varint64(out, message.log_offset);
  encode_history(message.history, out);
  put_marks(out, message.marks);
  return kBegin;
}

uint8_t put(std::string* out, const LogData& message) {
  put_varint64(out, message.log_end);
  put_piece(out, message.piece);
  return kLogData;
}

uint8_t put(std::string* out, const PrimaryHeartbeat& message) {
  put_varint64(out, message.log_end);
  return kHeartbeat;
}

uint8_t put(std::string* out, const Compare& message) {
  put_varint64(out, message.round);
  put_varint64(out, message.offset);
  put_marks(out, message.marks);
  return kCompare;
}

uint8_t put(std::string* out, const Ask& message) {
  put_varint64(out, message.round);
  put_piece(out, message.piece);
  return kAsk;
}

uint8_t put(std::string* out, const Reply& message) {
  put_varint64(out, message.round);
  put_piece(out, message.piece);
  return kReply;
}

uint8_t put(std::string* out, const AskAck& message) {
  put_varint64(out, message.round);
  put_varint64(out, message.received);
  return kAskAck;
}

uint8_t put(std::string* out, const ReplyAck& message) {
  put_varint64(out, message.round);
  put_varint64(out, message.received);
  return kReplyAck;
}

uint8_t put(std::string* out, const SlotOffer& message) {
  out->push_back(message.hand_over ? 1 : 0);
  message.slots.encode(out);
  return kSlotOffer;
}

uint8_t put(std::string* out, const SlotAccept& message) {
  put_fixed64_le(out, message.flushed);
  return kSlotAccept;
}

uint8_t put(std::string* out, const SlotRefusal& message) {
  out->push_back(message.later ? 1 : 0);
  out->append(message.reason);
  return kSlotRefusal;
}

uint8_t put(std::string* out, const SlotConfirm& message) {
  put_varint64(out, message.round);
  return kSlotConfirm;
}

uint8_t put(std::string* out, const SlotReady& message) {
  put_varint64(out, message.round);
  return kSlotReady;
}

uint8_t put(std::string* out, const SlotGrant& message) {
  message.slots.encode(out);
  return kSlotGrant;
}

template <class Variant>
ReplicationFrame encode_any(const Variant& message) {
  ReplicationFrame frame;
  std::visit(
      [&frame](const auto& known) {
        put_fixed64_le(&frame.payload, known.session);
        frame.type = put(&frame.payload, known);
      },
      message);
  return frame;
}

// --- reading: false for what is ill-formed -------------------------------------------------------

bool read_flag(ByteReader* in, bool* flag) {
  uint8_t byte = 0;
  if (!in->read_u8(&byte) || byte > 1) return false;
  *flag = byte == 1;
  return true;
}

bool read_optional(ByteReader* in, std::optional<uint64_t>* offset) {
  bool there = false;
  if (!read_flag(in, &there)) return false;
  return !there || in->read_varint64(&offset->emplace());
}

bool read_point(ByteReader* in, std::optional<LogPoint>* point) {
  bool there = false;
  if (!read_flag(in, &there)) return false;
  if (!there) return true;
  std::string_view bytes;
  if (!in->read_bytes(LineageId::kBytes, &bytes)) return false;
  const auto lineage = LineageId::from_bytes(bytes);
  point->emplace().lineage = *lineage;
  return in->read_varint64(&(*point)->offset);
}

bool read_rest(ByteReader* in, std::string* bytes) {
  std::string_view rest;
  if (!in->ok() || !in->read_bytes(in->rest().size(), &rest)) return false;
  *bytes = rest;
  return true;
}

bool read_piece(ByteReader* in, StreamPiece* piece) {
  return in->read_varint64(&piece->offset) && read_flag(in, &piece->last) &&
         read_rest(in, &piece->bytes);
}

// A history begins with its own number of lineages, each of which takes 28 bytes.
bool read_history(ByteReader* in, History* history) {
  ByteReader ahead(in->rest());
  uint32_t count = 0;
  std::string_view bytes;
  if (!ahead.read_varint32(&count) || count > kMaxLineages) return false;
  const size_t size = varint_size(count) + count * (LineageId::kBytes + sizeof(uint64_t));
  if (!in->read_bytes(size, &bytes)) return false;
  Result<History> decoded = decode_history(bytes);
  if (!decoded.ok()) return false;
  *history = std::move(*decoded);
  return true;
}

bool read_ranges(ByteReader* in, SlotRanges* slots) {
  Result<SlotRanges> decoded = SlotRanges::decode(in);
  if (!decoded.ok()) return false;
  *slots = std::move(*decoded);
  return true;
}

bool read_marks(ByteReader* in, StoreMarks* marks) {
  return in->read_fixed64_le(&marks->clock) && in->read_fixed64_le(&marks->purged) &&
         read_ranges(in, &marks->foreign) && read_rest(in, &marks->flushes);
}

bool read(ByteReader* in, Follow* message) {
  return in->read_varint64(&message->position.offset) && read_point(in, &message->position.owed) &&
         read_history(in, &message->position.history) && in->read_fixed64_le(&message->purged);
}

bool read(ByteReader* in, HandOverData* message) { return read_piece(in, &message->piece); }

bool read(ByteReader* in, ReplicaAck* message) {
  return read_flag(in, &message->following) && in->read_varint64(&message->log_received) &&
         in->read_varint64(&message->applied) && in->read_varint64(&message->acknowledged);
}

bool read(ByteReader* in, Refused* message) { return read_rest(in, &message->reason); }
bool read(ByteReader* in, HandOver* message) { return read_optional(in, &message->common); }
bool read(ByteReader* in, HandOverAck* message) { return in->read_varint64(&message->received); }

bool read(ByteReader* in, Begin* message) {
  return read_flag(in, &message->copy) && read_optional(in, &message->common) &&
         read_point(in, &message->owed) && in->read_varint64(&message->log_offset) &&
         read_history(in, &message->history) && read_marks(in, &message->marks);
}

bool read(ByteReader* in, LogData* message) {
  return in->read_varint64(&message->log_end) && read_piece(in, &message->piece);
}

bool read(ByteReader* in, PrimaryHeartbeat* message) {
  return in->read_varint64(&message->log_end);
}

bool read(ByteReader* in, Compare* message) {
  return in->read_varint64(&message->round) && in->read_varint64(&message->offset) &&
         read_marks(in, &message->marks);
}

bool read(ByteReader* in, Ask* message) {
  return in->read_varint64(&message->round) && read_piece(in, &message->piece);
}

bool read(ByteReader* in, Reply* message) {
  return in->read_varint64(&message->round) && read_piece(in, &message->piece);
}

bool read(ByteReader* in, AskAck* message) {
  return in->read_varint64(&message->round) && in->read_varint64(&message->received);
}

bool read(ByteReader* in, ReplyAck* message) {
  return in->read_varint64(&message->round) && in->read_varint64(&message->received);
}

bool read(ByteReader* in, SlotOffer* message) {
  return read_flag(in, &message->hand_over) && read_ranges(in, &message->slots);
}
bool read(ByteReader* in, SlotAccept* message) { return in->read_fixed64_le(&message->flushed); }
bool read(ByteReader* in, SlotRefusal* message) {
  return read_flag(in, &message->later) && read_rest(in, &message->reason);
}
bool read(ByteReader* in, SlotConfirm* message) { return in->read_varint64(&message->round); }
bool read(ByteReader* in, SlotReady* message) { return in->read_varint64(&message->round); }
bool read(ByteReader* in, SlotGrant* message) { return read_ranges(in, &message->slots); }

template <class Message, class Variant>
Result<Variant> decode_as(std::string_view payload) {
  Message message;
  ByteReader in(payload);
  // Who is refused may not have said of which session it is.
  constexpr bool kMayBeNone = std::is_same_v<Message, Refused>;
  if (in.read_fixed64_le(&message.session) && (kMayBeNone || message.session != 0) &&
      read(&in, &message) && in.at_end()) {
    return Variant(std::move(message));
  }
  return Status::corruption("an ill-formed message of replication");
}

Status unknown_type(uint8_t type) {
  return Status::corruption("replication knows no message of type " + std::to_string(type));
}

}  // namespace

ReplicationFrame encode_frame(const ReplicaMessage& message) { return encode_any(message); }
ReplicationFrame encode_frame(const PrimaryMessage& message) { return encode_any(message); }
ReplicationFrame encode_frame(const SlotMessage& message) { return encode_any(message); }

bool is_slot_message(uint8_t type) { return type >= kSlotOffer && type <= kSlotGrant; }

Result<SlotMessage> decode_slot_message(uint8_t type, std::string_view payload) {
  switch (type) {
    case kSlotOffer:
      return decode_as<SlotOffer, SlotMessage>(payload);
    case kSlotAccept:
      return decode_as<SlotAccept, SlotMessage>(payload);
    case kSlotRefusal:
      return decode_as<SlotRefusal, SlotMessage>(payload);
    case kSlotConfirm:
      return decode_as<SlotConfirm, SlotMessage>(payload);
    case kSlotReady:
      return decode_as<SlotReady, SlotMessage>(payload);
    case kSlotGrant:
      return decode_as<SlotGrant, SlotMessage>(payload);
    default:
      return unknown_type(type);
  }
}

Result<ReplicaMessage> decode_replica_message(uint8_t type, std::string_view payload) {
  switch (type) {
    case kFollow:
      return decode_as<Follow, ReplicaMessage>(payload);
    case kHandOverData:
      return decode_as<HandOverData, ReplicaMessage>(payload);
    case kReplicaAck:
      return decode_as<ReplicaAck, ReplicaMessage>(payload);
    case kAsk:
      return decode_as<Ask, ReplicaMessage>(payload);
    case kReplyAck:
      return decode_as<ReplyAck, ReplicaMessage>(payload);
    default:
      return unknown_type(type);
  }
}

Result<PrimaryMessage> decode_primary_message(uint8_t type, std::string_view payload) {
  switch (type) {
    case kRefused:
      return decode_as<Refused, PrimaryMessage>(payload);
    case kHandOver:
      return decode_as<HandOver, PrimaryMessage>(payload);
    case kHandOverAck:
      return decode_as<HandOverAck, PrimaryMessage>(payload);
    case kBegin:
      return decode_as<Begin, PrimaryMessage>(payload);
    case kLogData:
      return decode_as<LogData, PrimaryMessage>(payload);
    case kHeartbeat:
      return decode_as<PrimaryHeartbeat, PrimaryMessage>(payload);
    case kCompare:
      return decode_as<Compare, PrimaryMessage>(payload);
    case kAskAck:
      return decode_as<AskAck, PrimaryMessage>(payload);
    case kReply:
      return decode_as<Reply, PrimaryMessage>(payload);
    default:
      return unknown_type(type);
  }
}

}  // namespace syntropy
