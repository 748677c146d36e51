#include "rpc/codec.h"

#include <algorithm>
#include <iterator>
#include <type_traits>
#include <utility>

#include "rpc/codec_wire.h"

namespace syntropy {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;  // clang before 17 doesn't deduce it

template <class Struct, class Family>
Result<Message> decode(std::string_view payload) {
  using Wire = decltype(to_wire(std::declval<const Struct&>()));
  Wire from;
  Struct to;
  if (payload.size() > INT32_MAX ||
      !from.ParseFromArray(payload.data(), static_cast<int>(payload.size())) ||
      !from_wire(from, &to)) {
    return Status::corruption("an ill-formed message");
  }
  if constexpr (std::is_same_v<Struct, Family>) {
    return Message(std::move(to));
  } else {
    return Message(Family(std::move(to)));
  }
}

struct TypeRow {
  MessageType type;
  std::string_view name;
  Result<Message> (*decode)(std::string_view payload);
};

constexpr TypeRow kTypes[] = {
    {MessageType::kGossipSyn, "GossipSyn", decode<GossipSyn, GossipMessage>},
    {MessageType::kGossipAck, "GossipAck", decode<GossipAck, GossipMessage>},
    {MessageType::kGossipPush, "GossipPush", decode<GossipPush, GossipMessage>},
    {MessageType::kGossipAgree, "GossipAgree", decode<GossipAgree, GossipMessage>},
    {MessageType::kMeet, "Meet", decode<Meet, Meet>},
    {MessageType::kPing, "Ping", decode<Ping, DetectorMessage>},
    {MessageType::kAck, "Ack", decode<Ack, DetectorMessage>},
    {MessageType::kIndirectProbe, "IndirectProbe", decode<IndirectProbe, DetectorMessage>},
    {MessageType::kRelayedPing, "RelayedPing", decode<RelayedPing, DetectorMessage>},
    {MessageType::kRelayedAck, "RelayedAck", decode<RelayedAck, DetectorMessage>},
    {MessageType::kIndirectAck, "IndirectAck", decode<IndirectAck, DetectorMessage>},
    {MessageType::kBallotNews, "BallotNews", decode<BallotNews, DetectorMessage>},
    {MessageType::kVoteRequest, "VoteRequest", decode<VoteRequest, ElectionMessage>},
    {MessageType::kVote, "Vote", decode<Vote, ElectionMessage>},
    {MessageType::kVoteRefusal, "VoteRefusal", decode<VoteRefusal, ElectionMessage>},
    {MessageType::kVoteWithdrawn, "VoteWithdrawn", decode<VoteWithdrawn, ElectionMessage>},
    {MessageType::kStanding, "Standing", decode<Standing, ElectionMessage>},
    {MessageType::kMfStart, "MfStart", decode<MfStart, ElectionMessage>},
    {MessageType::kMfPaused, "MfPaused", decode<MfPaused, ElectionMessage>},
    {MessageType::kMfCancel, "MfCancel", decode<MfCancel, ElectionMessage>},
};

const TypeRow* find_type(uint8_t type) {
  const auto* const found =
      std::find_if(std::begin(kTypes), std::end(kTypes),
                   [&](const TypeRow& row) { return static_cast<uint8_t>(row.type) == type; });
  return found == std::end(kTypes) ? nullptr : found;
}

MessageType type_of(const GossipSyn&) { return MessageType::kGossipSyn; }
MessageType type_of(const GossipAck&) { return MessageType::kGossipAck; }
MessageType type_of(const GossipPush&) { return MessageType::kGossipPush; }
MessageType type_of(const GossipAgree&) { return MessageType::kGossipAgree; }
MessageType type_of(const Meet&) { return MessageType::kMeet; }
MessageType type_of(const Ping&) { return MessageType::kPing; }
MessageType type_of(const Ack&) { return MessageType::kAck; }
MessageType type_of(const IndirectProbe&) { return MessageType::kIndirectProbe; }
MessageType type_of(const RelayedPing&) { return MessageType::kRelayedPing; }
MessageType type_of(const RelayedAck&) { return MessageType::kRelayedAck; }
MessageType type_of(const IndirectAck&) { return MessageType::kIndirectAck; }
MessageType type_of(const BallotNews&) { return MessageType::kBallotNews; }
MessageType type_of(const VoteRequest&) { return MessageType::kVoteRequest; }
MessageType type_of(const Vote&) { return MessageType::kVote; }
MessageType type_of(const VoteRefusal&) { return MessageType::kVoteRefusal; }
MessageType type_of(const VoteWithdrawn&) { return MessageType::kVoteWithdrawn; }
MessageType type_of(const Standing&) { return MessageType::kStanding; }
MessageType type_of(const MfStart&) { return MessageType::kMfStart; }
MessageType type_of(const MfPaused&) { return MessageType::kMfPaused; }
MessageType type_of(const MfCancel&) { return MessageType::kMfCancel; }

// Calls `visit` with the struct inside of the variants.
template <class Visit>
auto visit_struct(const Message& message, Visit visit) {
  return std::visit(Overloaded{[&](const Meet& meet) { return visit(meet); },
                               [&](const auto& family) { return std::visit(visit, family); }},
                    message);
}

}  // namespace

MessageType message_type(const Message& message) {
  return visit_struct(message, [](const auto& m) { return type_of(m); });
}

std::string_view message_type_name(uint8_t type) {
  const TypeRow* const row = find_type(type);
  return row == nullptr ? std::string_view() : row->name;
}

std::string encode_message(const Message& message) {
  return visit_struct(message, [](const auto& m) { return to_wire(m).SerializeAsString(); });
}

Result<Message> decode_message(uint8_t type, std::string_view payload) {
  const TypeRow* const row = find_type(type);
  if (row == nullptr) {
    return Status::corruption("a message of unknown type " + std::to_string(type));
  }
  Result<Message> message = row->decode(payload);
  if (message.ok()) return message;
  return Status::corruption("an ill-formed message of type " + std::string(row->name));
}

}  // namespace syntropy
