// Handshake: how two nodes that have just connected find out who the other is, and that it knows
// the cluster's secret. A state machine without I/O.
//
// Four frames (rpc/frame.h, check open), all of fixed size. I dialed, R was dialed.
//   I -> R  1 hello     := lowest:u8 | highest:u8 | auth:u8 | purpose:u8 | nonce:32
//   R -> I  2 challenge := version:u8 | auth:u8 | nonce:32
//   I -> R  3 proof     := self:20 | expected:20 | instance:u64 | mac
//   R -> I  4 welcome   := self:20 | instance:u64 | mac
//   either  5 refusal   := reason:u8               and the connection is closed
//   lowest..highest  the format versions that I speaks; `version` is R's choice among them
//   auth             1: with secret, 0: without. Both must say the same, there is no falling back.
//   purpose          what the connection is for: 0 messages, else a stream of the user's kind
//   nonce            32 random bytes, fresh for each connection
//   self, expected   node ids; expected is all zero when I knows nothing but the address
//   instance         random, drawn at the start of the process: tells a restart from a reconnect
//   mac              32 bytes with secret, none without
//
// With secret, K being the cluster's key (rpc/crypto.h) and T all payloads so far:
//   proof.mac   = HMAC-SHA256(K, "syntropy proof 1"   | hello | challenge | proof before mac)
//   welcome.mac = HMAC-SHA256(K, "syntropy welcome 1" | hello | challenge | proof | welcome before
//                                                       mac)
//   S           = HMAC-SHA256(K, "syntropy session 1" | T)
//   the key of the frames from I to R is the first 16 bytes of HMAC-SHA256(S, "I to R"), from R to
//   I of HMAC-SHA256(S, "R to I"); every frame after the welcome carries a tag under them.
//
// What follows from it
//   1. A stranger who connects gets a nonce and whether a secret is in use, nothing else: no node
//      id, and nothing to try secrets against, as the one who dialed proves itself first.
//   2. A recording can't be replayed: both nonces go into both proofs. A proof can't be reflected:
//      the labels differ by role, and a node refuses itself. Versions, purpose and ids can't be
//      altered on the way: they are all under the macs.
//   3. Who passes messages on between two nodes ends up without the session's keys: it can read
//   (TLS
//      hides the contents), delay and cut off, but not forge, repeat or reorder.
//   4. Whom a node dials does get a proof to try secrets against: a secret should be long and
//   random.
// The purpose of refusals is the log of an honest operator; they aren't authenticated, and end
// nothing that cutting the connection wouldn't.
//
// Thread safety: objects belong to one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "membership/node_id.h"
#include "rpc/crypto.h"
#include "rpc/frame.h"
#include "storage/base/status.h"

namespace syntropy {

/// No handshake frame has a larger payload; the limit for peers that aren't authenticated.
inline constexpr size_t kMaxHandshakePayload = 80;

/// Purpose of a connection that carries messages.
inline constexpr uint8_t kMessages = 0;

using HandshakeNonce = std::array<char, 32>;

enum class Refusal : uint8_t {
  kVersion = 1,     // no format version in common
  kSecretNeeded,    // the dialing side has no secret, the other has one
  kSecretUnwanted,  // the other way round
  kWrongSecret,     // the mac is wrong
  kSelf,            // a node has dialed itself
  kOtherNode,       // not the node that was expected at this address
  kBusy,            // too many connections
};

/// What an operator should read about a refusal. `by_peer`: who refused.
std::string describe(Refusal refusal, bool by_peer);

struct HandshakeConfig {
  NodeId self;
  uint64_t instance = 0;
  ClusterKey key;
  uint8_t lowest_version = 1;
  uint8_t highest_version = 1;
};

/// What both sides know after a handshake.
struct HandshakeResult {
  NodeId peer;
  uint64_t peer_instance = 0;
  uint8_t version = 0;
  uint8_t purpose = kMessages;
  FrameCheck send;
  FrameCheck receive;
};

class Handshake {
 public:
  /// The side that dialed. `expected`: whom it wants; none: whoever is there.
  static Handshake initiator(const HandshakeConfig& config, const NodeId& expected, uint8_t purpose,
                             const HandshakeNonce& nonce);
  /// The side that was dialed.
  static Handshake responder(const HandshakeConfig& config, const HandshakeNonce& nonce);

  /// A frame from the peer. Not ok: the handshake has failed, and the connection is to be closed
  /// once take_output() has been sent.
  Status step(const FrameView& frame);

  /// Refuses whatever the peer is, if that is still possible.
  void refuse(Refusal reason);

  /// Bytes to send; the first come before any step when this side dialed.
  std::string take_output() { return std::exchange(output_, {}); }

  /// True when the peer is known. From then on frames are checked as take_result() says. Output
  /// that is left is to be sent first, as it is.
  bool done() const { return state_ == State::kDone; }
  /// Once, when done().
  HandshakeResult take_result() { return std::move(result_); }

  /// Why it failed, if one side refused the other.
  std::optional<Refusal> refusal() const { return refusal_; }

 private:
  enum class State : uint8_t {
    kAwaitHello,
    kAwaitChallenge,
    kAwaitProof,
    kAwaitWelcome,
    kDone,
    kFailed
  };

  Handshake(const HandshakeConfig& config, const HandshakeNonce& nonce, State state)
      : config_(config), nonce_(nonce), state_(state) {}

  Status on_hello(std::string_view payload);
  Status on_challenge(std::string_view payload);
  Status on_proof(std::string_view payload);
  Status on_welcome(std::string_view payload);
  Status on_refusal(std::string_view payload);
  Status fail(Refusal reason);
  Status malformed();
  void put(uint8_t type, std::string_view payload);
  void add_mac(std::string_view label, std::string* payload) const;
  bool mac_is_right(std::string_view label, std::string_view payload) const;
  Status finish(bool dialed);
  size_t mac_bytes() const { return config_.key ? sizeof(Sha256) : 0; }

  HandshakeConfig config_;
  HandshakeNonce nonce_;
  State state_;
  NodeId expected_;
  std::string transcript_;  // the payloads sent and received so far, in the order of their types
  std::string output_;
  FrameCheck check_;
  HandshakeResult result_;
  std::optional<Refusal> refusal_;
};

}  // namespace syntropy
