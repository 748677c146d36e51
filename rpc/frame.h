// Frames: how messages lie in the byte stream of the cluster bus, and the parser that takes them
// out of it. No I/O.
//
//   stream   := *frame                      in each direction of a connection
//   frame    := magic | version:u8 | type:u8 | length:u32 | check:u64 | payload
//   magic    := 'S' 'y'                     so that another protocol is told apart at once
//   version  := 1                           of this grammar and of all payloads
//   type     := 1..15 the handshake (rpc/handshake.h), 16..255 messages; 0 is none
//   length   := bytes of the payload; bounded by the state of the connection
//   check    := of the whole frame; which one, both sides know from the handshake:
//     open       XXH3-64 of the payload, seeded with the first eight bytes (magic to length)
//     with key   SipHash-2-4 of number:u64 | the first eight bytes | payload under the key of the
//                direction, where number counts the frames of the direction from 0: nobody without
//                the key can forge, repeat, leave out or reorder frames. XXH3 finds what a wire
//                flips, and protects from nobody.
// Integers are little endian. A frame costs 16 bytes over its payload.
//
// Check: type 16, payload "abc", open:
//   53 79 01 10 03 00 00 00  0C 78 19 F1 2B 57 7A 07  61 62 63
//
// Whatever is wrong with a frame, the connection it came by is at its end: there is no way to tell
// where the next one starts.
//
// Thread safety: objects belong to one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "rpc/crypto.h"
#include "storage/base/status.h"

namespace syntropy {

inline constexpr size_t kFrameHeaderBytes = 16;
inline constexpr uint8_t kFrameVersion = 1;
/// Types below are the handshake's.
inline constexpr uint8_t kFirstMessageType = 16;

/// The check of one direction: which one, and how many frames there were.
class FrameCheck {
 public:
  /// Open.
  FrameCheck() = default;
  /// With key.
  explicit FrameCheck(FrameMac mac) : mac_(std::move(mac)) {}

  /// Of the next frame. `header`: the first eight bytes.
  uint64_t next(std::string_view header, std::string_view payload);

 private:
  std::optional<FrameMac> mac_;
  uint64_t number_ = 0;
};

/// Appends a frame to `out`. The payload fits 32 bits.
void append_frame(uint8_t type, std::string_view payload, FrameCheck* check, std::string* out);

struct FrameView {
  uint8_t type;
  std::string_view payload;
};

class FrameParser {
 public:
  /// `max_payload`: bytes; a frame that announces more is refused before its payload is read.
  explicit FrameParser(size_t max_payload) : max_payload_(max_payload) {}

  /// For the frames from the next on.
  void set_max_payload(size_t bytes) { max_payload_ = bytes; }
  void set_check(FrameCheck check) { check_ = std::move(check); }

  /// Takes bytes off the front of `input`. A frame when one is complete: its payload lies in what
  /// was `input` or in the parser, and is good until the next call. No frame when `input` is used
  /// up; what is incomplete is kept. kCorruption: the stream is broken, and every later call says
  /// so again.
  Result<std::optional<FrameView>> next(std::string_view* input);

  /// Bytes of an incomplete frame that are held: never more than have arrived.
  size_t held() const { return held_.size(); }

 private:
  Status check_header(std::string_view header) const;
  Result<std::optional<FrameView>> finish(std::string_view frame);

  size_t max_payload_;
  FrameCheck check_;
  std::string held_;
  bool done_with_held_ = false;  // held_ was handed out by the last call
  Status broken_;
};

}  // namespace syntropy
