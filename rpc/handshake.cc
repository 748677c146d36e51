#include "rpc/handshake.h"

#include <algorithm>

#include "storage/base/coding.h"

namespace syntropy {
namespace {

constexpr uint8_t kHello = 1;
constexpr uint8_t kChallenge = 2;
constexpr uint8_t kProof = 3;
constexpr uint8_t kWelcome = 4;
constexpr uint8_t kRefusal = 5;

constexpr std::string_view kProofLabel = "syntropy proof 1";
constexpr std::string_view kWelcomeLabel = "syntropy welcome 1";
constexpr std::string_view kSessionLabel = "syntropy session 1";

constexpr size_t kNonceBytes = sizeof(HandshakeNonce);
constexpr size_t kHelloBytes = 4 + kNonceBytes;
constexpr size_t kChallengeBytes = 2 + kNonceBytes;
constexpr size_t kProofBytes = 2 * NodeId::kBytes + sizeof(uint64_t);  // before the mac
constexpr size_t kWelcomeBytes = NodeId::kBytes + sizeof(uint64_t);    // before the mac
static_assert(kProofBytes + sizeof(Sha256) == kMaxHandshakePayload);

uint8_t byte_at(std::string_view payload, size_t at) { return static_cast<uint8_t>(payload[at]); }

NodeId id_at(std::string_view payload, size_t at) {
  return *NodeId::from_bytes(payload.substr(at, NodeId::kBytes));
}

}  // namespace

std::string describe(Refusal refusal, bool by_peer) {
  const std::string who = by_peer ? "the peer refused us: " : "we refused the peer: ";
  switch (refusal) {
    case Refusal::kVersion:
      return who + "no version of the bus protocol in common";
    case Refusal::kSecretNeeded:
      return who + "only one of us has a cluster-secret (the one that was dialed)";
    case Refusal::kSecretUnwanted:
      return who + "only one of us has a cluster-secret (the one that dialed)";
    case Refusal::kWrongSecret:
      return who + "our cluster-secrets differ";
    case Refusal::kSelf:
      return who + "the address leads back to the node itself";
    case Refusal::kOtherNode:
      return who + "another node is at this address";
    case Refusal::kBusy:
      return who + "too many connections";
  }
  return who + "reason " + std::to_string(static_cast<int>(refusal));
}

Handshake Handshake::initiator(const HandshakeConfig& config, const NodeId& expected,
                               uint8_t purpose, const HandshakeNonce& nonce) {
  Handshake handshake(config, nonce, State::kAwaitChallenge);
  handshake.expected_ = expected;
  handshake.result_.purpose = purpose;
  std::string hello;
  hello.push_back(static_cast<char>(config.lowest_version));
  hello.push_back(static_cast<char>(config.highest_version));
  hello.push_back(config.key ? 1 : 0);
  hello.push_back(static_cast<char>(purpose));
  hello.append(nonce.data(), nonce.size());
  handshake.put(kHello, hello);
  return handshake;
}

Handshake Handshake::responder(const HandshakeConfig& config, const HandshakeNonce& nonce) {
  return Handshake(config, nonce, State::kAwaitHello);
}

Status Handshake::step(const FrameView& frame) {
  if (frame.type == kRefusal) return on_refusal(frame.payload);
  if (state_ == State::kAwaitHello && frame.type == kHello) return on_hello(frame.payload);
  if (state_ == State::kAwaitChallenge && frame.type == kChallenge) {
    return on_challenge(frame.payload);
  }
  if (state_ == State::kAwaitProof && frame.type == kProof) return on_proof(frame.payload);
  if (state_ == State::kAwaitWelcome && frame.type == kWelcome) return on_welcome(frame.payload);
  state_ = State::kFailed;
  return Status::corruption("a frame of type " + std::to_string(frame.type) +
                            " out of turn in the handshake");
}

Status Handshake::on_hello(std::string_view payload) {
  if (payload.size() != kHelloBytes) return malformed();
  const uint8_t lowest = byte_at(payload, 0);
  const uint8_t highest = byte_at(payload, 1);
  const uint8_t auth = byte_at(payload, 2);
  if (lowest > highest || lowest == 0 || auth > 1) return malformed();
  if (highest < config_.lowest_version || lowest > config_.highest_version) {
    return fail(Refusal::kVersion);
  }
  if (config_.key && auth == 0) return fail(Refusal::kSecretNeeded);
  if (!config_.key && auth == 1) return fail(Refusal::kSecretUnwanted);
  result_.version = std::min(highest, config_.highest_version);
  result_.purpose = byte_at(payload, 3);
  transcript_.append(payload);

  std::string challenge;
  challenge.push_back(static_cast<char>(result_.version));
  challenge.push_back(static_cast<char>(auth));
  challenge.append(nonce_.data(), nonce_.size());
  put(kChallenge, challenge);
  state_ = State::kAwaitProof;
  return Status();
}

Status Handshake::on_challenge(std::string_view payload) {
  if (payload.size() != kChallengeBytes) return malformed();
  const uint8_t version = byte_at(payload, 0);
  const uint8_t auth = byte_at(payload, 1);
  if (auth > 1) return malformed();
  if (version < config_.lowest_version || version > config_.highest_version) {
    return fail(Refusal::kVersion);
  }
  // A node with a secret proves itself to nobody who claims to have none, and takes no welcome
  // without proof from it either.
  if (config_.key && auth == 0) return fail(Refusal::kSecretUnwanted);
  if (!config_.key && auth == 1) return fail(Refusal::kSecretNeeded);
  result_.version = version;
  transcript_.append(payload);

  std::string proof;
  proof.append(config_.self.bytes());
  proof.append(expected_.bytes());
  put_le<uint64_t>(&proof, config_.instance);
  add_mac(kProofLabel, &proof);
  put(kProof, proof);
  state_ = State::kAwaitWelcome;
  return Status();
}

Status Handshake::on_proof(std::string_view payload) {
  if (payload.size() != kProofBytes + mac_bytes()) return malformed();
  // Nothing that it says is looked at before.
  if (!mac_is_right(kProofLabel, payload)) return fail(Refusal::kWrongSecret);
  result_.peer = id_at(payload, 0);
  const NodeId wanted = id_at(payload, NodeId::kBytes);
  result_.peer_instance = load_le<uint64_t>(payload.data() + 2 * NodeId::kBytes);
  if (!result_.peer) return malformed();
  if (result_.peer == config_.self) return fail(Refusal::kSelf);
  if (wanted && wanted != config_.self) return fail(Refusal::kOtherNode);
  transcript_.append(payload);

  std::string welcome;
  welcome.append(config_.self.bytes());
  put_le<uint64_t>(&welcome, config_.instance);
  add_mac(kWelcomeLabel, &welcome);
  put(kWelcome, welcome);
  return finish(false);
}

Status Handshake::on_welcome(std::string_view payload) {
  if (payload.size() != kWelcomeBytes + mac_bytes()) return malformed();
  if (!mac_is_right(kWelcomeLabel, payload)) return fail(Refusal::kWrongSecret);
  result_.peer = id_at(payload, 0);
  result_.peer_instance = load_le<uint64_t>(payload.data() + NodeId::kBytes);
  if (!result_.peer) return malformed();
  if (result_.peer == config_.self) return fail(Refusal::kSelf);
  if (expected_ && expected_ != result_.peer) return fail(Refusal::kOtherNode);
  transcript_.append(payload);
  return finish(true);
}

Status Handshake::on_refusal(std::string_view payload) {
  if (payload.size() != 1 || payload[0] == 0) return malformed();
  state_ = State::kFailed;
  refusal_ = static_cast<Refusal>(payload[0]);
  return Status::unavailable(describe(*refusal_, true));
}

Status Handshake::finish(bool dialed) {
  state_ = State::kDone;
  if (!config_.key) return Status();
  const Sha256 session = hmac_sha256(config_.key.bytes(), {kSessionLabel, transcript_});
  const Sha256 there = hmac_sha256(view(session), {"I to R"});
  const Sha256 back = hmac_sha256(view(session), {"R to I"});
  Result<FrameMac> sends =
      FrameMac::make(view(dialed ? there : back).substr(0, FrameMac::kKeyBytes));
  Result<FrameMac> receives =
      FrameMac::make(view(dialed ? back : there).substr(0, FrameMac::kKeyBytes));
  if (!sends.ok() || !receives.ok()) {
    state_ = State::kFailed;
    output_.clear();
    return sends.ok() ? receives.status() : sends.status();
  }
  result_.send = FrameCheck(std::move(*sends));
  result_.receive = FrameCheck(std::move(*receives));
  return Status();
}

void Handshake::refuse(Refusal reason) {
  if (state_ != State::kDone && state_ != State::kFailed) (void)fail(reason);
}

Status Handshake::fail(Refusal reason) {
  state_ = State::kFailed;
  refusal_ = reason;
  const char byte = static_cast<char>(reason);
  append_frame(kRefusal, {&byte, 1}, &check_, &output_);
  return Status::unavailable(describe(reason, false));
}

Status Handshake::malformed() {
  state_ = State::kFailed;
  return Status::corruption("an ill-formed handshake");
}

// What this side says goes into the transcript as what it hears does.
void Handshake::put(uint8_t type, std::string_view payload) {
  append_frame(type, payload, &check_, &output_);
  transcript_.append(payload);
}

void Handshake::add_mac(std::string_view label, std::string* payload) const {
  if (!config_.key) return;
  payload->append(view(hmac_sha256(config_.key.bytes(), {label, transcript_, *payload})));
}

bool Handshake::mac_is_right(std::string_view label, std::string_view payload) const {
  if (!config_.key) return true;
  const size_t covered = payload.size() - sizeof(Sha256);
  const Sha256 right =
      hmac_sha256(config_.key.bytes(), {label, transcript_, payload.substr(0, covered)});
  return equal_in_constant_time(view(right), payload.substr(covered));
}

}  // namespace syntropy
