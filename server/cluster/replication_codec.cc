#include "server/cluster/replication_codec.h"

#include <optional>
#include <type_traits>
#include <utility>

#include "storage/base/coding.h"
#include "storage/base/slot.h"

namespace syntropy {
namespace {

enum Type : uint8_t {
  kFollow = 32,
  kHandOverData,
  kReplicaAck,
  kRefused = 48,
  kHandOver,
  kHandOverAck,
  kBegin,
  kLogData,
  kCopyData,
  kHeartbeat,
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

uint8_t put(std::string* out, const Follow& message) {
  put_varint64(out, message.position.offset);
  put_point(out, message.position.owed);
  encode_history(message.position.history, out);
  put_varint64(out, message.slots.size());
  for (const auto& [first, last] : message.slots) {
    put_fixed16_le(out, first);
    put_fixed16_le(out, last);
  }
  return kFollow;
}

uint8_t put(std::string* out, const HandOverData& message) {
  put_piece(out, message.piece);
  return kHandOverData;
}

uint8_t put(std::string* out, const ReplicaAck& message) {
  out->push_back(message.following ? 1 : 0);
  put_varint64(out, message.log_received);
  put_varint64(out, message.copy_received);
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
  return kBegin;
}

uint8_t put(std::string* out, const LogData& message) {
  put_varint64(out, message.log_end);
  put_piece(out, message.piece);
  return kLogData;
}

uint8_t put(std::string* out, const CopyData& message) {
  put_piece(out, message.piece);
  return kCopyData;
}

uint8_t put(std::string* out, const PrimaryHeartbeat& message) {
  put_varint64(out, message.log_end);
  return kHeartbeat;
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

bool read(ByteReader* in, Follow* message) {
  uint64_t ranges = 0;
  if (!in->read_varint64(&message->position.offset) || !read_point(in, &message->position.owed) ||
      !read_history(in, &message->position.history) || !in->read_varint64(&ranges) ||
      ranges > kSlotCount) {
    return false;
  }
  int32_t before = -1;
  for (uint64_t i = 0; i < ranges; ++i) {
    uint16_t first = 0;
    uint16_t last = 0;
    if (!in->read_fixed16_le(&first) || !in->read_fixed16_le(&last)) return false;
    if (first <= before || last < first || last >= kSlotCount) return false;
    before = last;
    message->slots.emplace_back(first, last);
  }
  return true;
}

bool read(ByteReader* in, HandOverData* message) { return read_piece(in, &message->piece); }

bool read(ByteReader* in, ReplicaAck* message) {
  return read_flag(in, &message->following) && in->read_varint64(&message->log_received) &&
         in->read_varint64(&message->copy_received) && in->read_varint64(&message->applied) &&
         in->read_varint64(&message->acknowledged);
}

bool read(ByteReader* in, Refused* message) { return read_rest(in, &message->reason); }
bool read(ByteReader* in, HandOver* message) { return read_optional(in, &message->common); }
bool read(ByteReader* in, HandOverAck* message) { return in->read_varint64(&message->received); }

bool read(ByteReader* in, Begin* message) {
  return read_flag(in, &message->copy) && read_optional(in, &message->common) &&
         read_point(in, &message->owed) && in->read_varint64(&message->log_offset) &&
         read_history(in, &message->history);
}

bool read(ByteReader* in, LogData* message) {
  return in->read_varint64(&message->log_end) && read_piece(in, &message->piece);
}

bool read(ByteReader* in, CopyData* message) { return read_piece(in, &message->piece); }
bool read(ByteReader* in, PrimaryHeartbeat* message) {
  return in->read_varint64(&message->log_end);
}

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

Result<ReplicaMessage> decode_replica_message(uint8_t type, std::string_view payload) {
  switch (type) {
    case kFollow:
      return decode_as<Follow, ReplicaMessage>(payload);
    case kHandOverData:
      return decode_as<HandOverData, ReplicaMessage>(payload);
    case kReplicaAck:
      return decode_as<ReplicaAck, ReplicaMessage>(payload);
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
    case kCopyData:
      return decode_as<CopyData, PrimaryMessage>(payload);
    case kHeartbeat:
      return decode_as<PrimaryHeartbeat, PrimaryMessage>(payload);
    default:
      return unknown_type(type);
  }
}

}  // namespace syntropy
