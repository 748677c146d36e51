// Codec: the messages of membership as the payloads of frames, by the schema in rpc/syntropy.proto.
//
// Decoding is strict: what a core takes for granted of a message's form (ids of 20 bytes, ascending
// versions, no empty lists) is checked here, so that bytes of a hostile peer become a message that
// an honest one could have sent, or kCorruption. Whether what it says is true is the cores' affair.
//
// Thread safety: free functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "membership/message.h"
#include "storage/base/status.h"

namespace syntropy {

/// Types of frames (rpc/frame.h). Part of the wire format.
enum class MessageType : uint8_t {
  kGossipSyn = 16,
  kGossipAck = 17,
  kGossipPush = 18,
  kGossipAgree = 19,
  kMeet = 20,
  kPing = 24,
  kAck = 25,
  kIndirectProbe = 26,
  kRelayedPing = 27,
  kRelayedAck = 28,
  kIndirectAck = 29,
  kBallotNews = 30,
  kVoteRequest = 32,
  kVote = 33,
  kVoteRefusal = 34,
  kVoteWithdrawn = 35,
  kStanding = 36,
  kMfStart = 37,
  kMfPaused = 38,
  kMfCancel = 39,
};

MessageType message_type(const Message& message);

/// The name as in the schema, for logs and counters; empty: there is no such type.
std::string_view message_type_name(uint8_t type);

/// The payload: wire_size(message) bytes.
std::string encode_message(const Message& message);

/// kCorruption: the type is unknown, or the payload is not what such a message can be.
Result<Message> decode_message(uint8_t type, std::string_view payload);

}  // namespace syntropy
