#include "membership/heartbeat.h"

#include <algorithm>

namespace syntropy {
namespace {

/// The time not after `now` whose low bits are `low`.
TimeMs widen(uint32_t low, TimeMs now) { return now - static_cast<uint32_t>(now - low); }

/// A burst of losses counts as so many at most: a neighbour that was away isn't a lossy network.
constexpr uint32_t kMaxMissing = 8;

}  // namespace

Heartbeat::Heartbeat(uint32_t first_seq, TimeMs now)
    : heard_at_(now), seq_(first_seq), confirmed_(first_seq) {}

Heartbeat::Numbers Heartbeat::next(TimeMs now) {
  ++seq_;
  if (shown_ != peer_seq_) {
    shown_ = peer_seq_;
    shown_since_ = now;
  }
  // Where the low bits are 0 by chance, a millisecond less is on the safe side.
  const auto since = static_cast<uint32_t>(shown_since_);
  const uint32_t shown = shown_ == 0 ? 0 : since == 0 ? ~uint32_t{0} : since;
  sent_[seq_ % kWindow] = {static_cast<uint32_t>(now), shown};
  return {seq_, shown_};
}

Heartbeat::Received Heartbeat::receive(uint32_t seq, uint32_t seen, bool no_lease, TimeMs now) {
  Received received;
  if (seq > peer_seq_) {
    received.in_order = peer_seq_ != 0 && seq - peer_seq_ <= kWindow;
    received.missing = std::min(seq - peer_seq_ - 1, kMaxMissing);
    peer_seq_ = seq;
  } else if (seq != 0 && peer_seq_ - seq >= kWindow) {
    peer_seq_ = seq;  // no straggler: the neighbour has restarted
  }
  // `confirmed_` starts where no message was sent, so what is above it is one of ours or nonsense.
  if (seen <= confirmed_ || seen > seq_ || seq_ - seen >= kWindow) return received;
  confirmed_ = seen;
  heard_at_ = now;
  ever_heard_ = true;
  received.heard = true;
  if (no_lease) return received;
  const Sent& sent = sent_[seen % kWindow];
  if (seq == 0) {
    // It doesn't watch us; if it begins to, it will be patient from then on.
    lease_from_ = std::max(lease_from_, widen(sent.at, now));
  } else if (sent.shown != 0) {
    lease_from_ = std::max(lease_from_, widen(sent.shown, now));
  }
  return received;
}

}  // namespace syntropy
