// Heartbeat: one node's end of the exchange with one neighbour.
//
// Each message of either side carries a number of the sender's and the highest number that it had
// from the other ("seen"). When the other's `seen` shows a recent number of ours for the first
// time, the path works in both directions: that moment is when the neighbour was last *heard*. A
// neighbour that still sends but hears nothing shows nothing new, and falls silent in this sense.
//
// The same exchange gives the *lease* that we have from the neighbour, the time until which it
// can't suspect us. It last heard us when a message of ours first showed it a new `seen`. Of the
// messages of ours that carried one value of `seen` we don't know which arrived first; but it can't
// have been before the first of them was sent. So when the neighbour shows that it had a message,
// its lease on us runs from the time at which we first sent the `seen` that this message carried. A
// neighbour that withholds its lease says so in each message.
//
// Thread safety: a value.
#pragma once

#include <array>
#include <cstdint>

#include "membership/entry.h"
#include "membership/node_id.h"

namespace syntropy {

class Heartbeat {
 public:
  /// A number of ours proves the path only while it is among the last so many.
  static constexpr uint32_t kWindow = 64;

  struct Numbers {
    uint32_t seq;
    uint32_t seen;
  };
  struct Received {
    bool heard = false;    // the neighbour had a recent message of ours that it hadn't shown before
    uint32_t missing = 0;  // numbers of the neighbour's that were skipped: lost, or late
    bool in_order = false;  // `missing` means something
  };

  /// `first_seq` > 0, random, so that a restarted node's numbers aren't taken for its former ones.
  Heartbeat(uint32_t first_seq, TimeMs now);

  /// The numbers of the next message to the neighbour.
  Numbers next(TimeMs now);
  Received receive(uint32_t seq, uint32_t seen, bool no_lease, TimeMs now);

  /// When the neighbour was last heard; when we began to listen, if never.
  TimeMs heard_at() const { return heard_at_; }
  bool ever_heard() const { return ever_heard_; }
  /// Begins to listen anew.
  void listen_from(TimeMs now) { heard_at_ = now; }
  /// Since when the neighbour's patience with us runs; 0: we don't know that it heard us.
  TimeMs lease_from() const { return lease_from_; }

 private:
  struct Sent {
    uint32_t at = 0;     // low bits of the time at which it was sent
    uint32_t shown = 0;  // low bits of the time at which its `seen` was first sent; 0: it had none
  };

  TimeMs heard_at_;
  TimeMs lease_from_ = 0;
  TimeMs shown_since_ = 0;
  uint32_t seq_;           // of the last message sent
  uint32_t confirmed_;     // highest that the neighbour has shown
  uint32_t peer_seq_ = 0;  // highest of the neighbour's; 0: none
  uint32_t shown_ = 0;     // `seen` of the last message sent
  bool ever_heard_ = false;
  std::array<Sent, kWindow> sent_{};
};

}  // namespace syntropy
