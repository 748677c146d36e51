// What a stranger sends to the bus. Input: one byte that says into which pieces the rest is cut and
// whether a key is set; the rest is the stream.
//
// Properties: frames don't depend on how the bytes arrive; a frame that is accepted has the bytes
// that append_frame() writes; nothing is held beyond what arrived; nobody gets through a handshake
// that asks for a secret, and a node answers a stranger a bounded number of bytes.

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "rpc/frame.h"
#include "rpc/handshake.h"
#include "tests/fuzz/check.h"

namespace syntropy {
namespace {

constexpr size_t kLimit = 200;

struct Parsed {
  std::vector<std::pair<uint8_t, std::string>> frames;
  bool broken = false;
  bool operator==(const Parsed&) const = default;
};

FrameCheck check_of(bool keyed) {
  return keyed ? FrameCheck(*FrameMac::make("sixteen bytes!!!")) : FrameCheck();
}

Parsed parse(std::string_view bytes, size_t piece, bool keyed) {
  FrameParser parser(kLimit);
  parser.set_check(check_of(keyed));
  Parsed parsed;
  while (!bytes.empty() && !parsed.broken) {
    std::string_view input = bytes.substr(0, piece);
    bytes.remove_prefix(input.size());
    for (;;) {
      const auto frame = parser.next(&input);
      parsed.broken = !frame.ok();
      if (!frame.ok() || !frame->has_value()) break;
      SYNTROPY_CHECK((*frame)->payload.size() <= kLimit);
      parsed.frames.emplace_back((*frame)->type, (*frame)->payload);
    }
    SYNTROPY_CHECK(parser.held() < kFrameHeaderBytes + kLimit);
  }
  return parsed;
}

void check_frames(std::string_view bytes, size_t piece, bool keyed) {
  const Parsed whole = parse(bytes, std::max<size_t>(bytes.size(), 1), keyed);
  SYNTROPY_CHECK(parse(bytes, piece, keyed) == whole);
  std::string again;
  FrameCheck check = check_of(keyed);
  for (const auto& [type, payload] : whole.frames) append_frame(type, payload, &check, &again);
  SYNTROPY_CHECK(bytes.starts_with(again));
}

NodeId node(char fill) { return *NodeId::from_bytes(std::string(NodeId::kBytes, fill)); }

// The frames in `bytes`, each with its check made right, so that the fuzzer gets past it.
void check_handshake(std::string_view bytes, bool secret, bool dialed) {
  static const ClusterKey key = ClusterKey::derive("fuzz");
  HandshakeConfig config;
  config.self = node('s');
  if (secret) config.key = key;
  HandshakeNonce nonce;
  nonce.fill('n');
  Handshake handshake = dialed ? Handshake::initiator(config, NodeId(), 0, nonce)
                               : Handshake::responder(config, nonce);
  size_t said = handshake.take_output().size();
  bool failed = false;
  while (bytes.size() >= 2 && !failed && !handshake.done()) {
    const auto type = static_cast<uint8_t>(bytes[0]);
    const std::string_view payload =
        bytes.substr(2, std::min<size_t>(static_cast<uint8_t>(bytes[1]), kMaxHandshakePayload));
    bytes.remove_prefix(2 + payload.size());
    failed = !handshake.step({type, payload}).ok();
    said += handshake.take_output().size();
  }
  SYNTROPY_CHECK(said <= 3 * (kFrameHeaderBytes + kMaxHandshakePayload));
  if (!handshake.done()) return;
  SYNTROPY_CHECK(!secret && !failed);
  const HandshakeResult result = handshake.take_result();
  SYNTROPY_CHECK(result.peer && result.peer != config.self && result.version == 1);
}

}  // namespace
}  // namespace syntropy

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool keyed = (data[0] & 0x80) != 0;
  syntropy::check_frames(input, 1 + (data[0] & 0x3F), keyed);
  syntropy::check_handshake(input, keyed, (data[0] & 0x40) != 0);
  return 0;
}
