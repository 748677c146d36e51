// FlowControl: how often a node may write entries of its own, so that the cluster's gossip keeps
// up.
//
// Gossip moves a bounded number of bytes a round. When all nodes together write more than that,
// views fall behind without end. So each node limits its own updates: a message that didn't hold
// all that was to be said lowers the rate by a factor, each that did raises it by a step (AIMD).
// Nodes that want less than they may give the surplus to their peers: whenever two nodes gossip,
// both compute the same new pair of rates from both rates and both demands; the sum is kept.
//
// Updates that must not wait (role, slots, suspicions) pass by; the limited ones (load, replication
// offset) are coalesced until a token is there.
//
// Source: van Renesse, Dumitriu, Gough, Thomas, LADIS 2008, section 4.
//
// Thread safety: belongs to one thread.
#pragma once

#include <cstdint>
#include <utility>

#include "membership/entry.h"

namespace syntropy {

/// Rates are updates per 100 seconds, so that whole numbers will do.
struct FlowControlOptions {
  uint32_t max_rate = 2000;        // 20 a second; what an unhindered node has
  uint32_t min_rate = 20;          // one in five seconds; at least 1
  uint32_t step = 50;              // added when all fitted
  uint32_t decrease_percent = 20;  // taken off when something was left out
  uint32_t burst = 2;              // tokens that can be saved up; at least 1
};

/// What two nodes tell each other.
struct FlowShare {
  uint32_t rate = 0;    // that it may use
  uint32_t demand = 0;  // that it would like to use

  bool operator==(const FlowShare&) const = default;
};

/// The new rates of two nodes that meet: each gets what it wants if there is enough for both, and
/// half of what is left over; else who wants less than half gets that, and the other the rest.
/// fair_shares(a, b) mirrors fair_shares(b, a); the sum stays, to within 1.
std::pair<uint32_t, uint32_t> fair_shares(FlowShare a, FlowShare b);

class FlowControl {
 public:
  FlowControl(const FlowControlOptions& options, TimeMs now);

  FlowShare share(TimeMs now) const { return {rate_, demand(now)}; }
  uint32_t rate() const { return rate_; }
  /// Whether peers need to be told: the rate is below the maximum.
  bool limited() const { return rate_ < options_.max_rate; }

  /// An update is wanted now. Counts towards the demand.
  void want(TimeMs now);
  /// Takes a token if there is one.
  bool take(TimeMs now);
  /// When take() will succeed: perhaps in the past. 0 if a token was there at the last take().
  TimeMs next_token() const;

  /// A delta of ours did (not) hold all that the peer lacked.
  void on_delta(bool complete);
  /// A peer told its share, in the exchange for which ours was told as `told`.
  void on_peer(FlowShare told, FlowShare peer);

 private:
  uint32_t demand(TimeMs now) const;
  uint32_t clamp(uint64_t rate) const;
  void refill(TimeMs now);

  FlowControlOptions options_;
  uint32_t rate_;
  uint32_t wanted_ = 0;       // updates wanted in the current window
  uint32_t last_wanted_ = 0;  // in the window before
  TimeMs window_start_;
  uint64_t tokens_;  // in 1/kTokenUnit
  TimeMs refilled_;
};

}  // namespace syntropy
