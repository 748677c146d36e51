// ManualHandshake: the two sides of CLUSTER FAILOVER before votes are asked for.
//
//   replica                               primary
//   MfStart(attempt), till it is answered ->  stops writing, for manual_timeout at most
//                                         <-  MfPaused(attempt, lineage, offset), once it has
//                                         stopped
//   waits until it is at that offset
//   asks for votes; wins: its claim ends the primary's pause
//   gives up after 0.9 manual_timeout: MfCancel ->  writes again
//
// The replica's time begins before the primary's and is shorter by a tenth: when it wins in its
// last moment, the primary is still silent and hears of the new owner before it would write again.
//
// Thread safety: none; one thread.
#pragma once

#include "membership/election_view.h"
#include "membership/ownership.h"
#include "storage/base/random.h"

namespace syntropy {

class ManualHandshake {
 public:
  ManualHandshake(const Ownership& ownership, const ElectionView& view, Random& random,
                  const ElectionOptions& options, ElectionReady& ready)
      : ownership_(ownership), view_(view), random_(random), options_(options), ready_(ready) {}

  // The replica's side.

  /// Replaces one that is under way. `ask_primary`: false for FORCE.
  void start(const NodeId& primary, bool ask_primary, TimeMs now);
  bool in_progress() const { return attempt_ != 0; }
  /// Votes may be asked for.
  bool may_ask() const { return in_progress() && may_ask_; }
  /// Won, or replaced: forget it, tell nobody.
  void finish() { attempt_ = 0; }

  // The primary's side.

  bool pausing() const { return paused_attempt_ != 0; }
  void writes_paused(const LineageId& lineage, uint64_t offset);

  void step(const NodeId& from, const MfStart& message, TimeMs now);
  void step(const NodeId& from, const MfPaused& message);
  void step(const NodeId& from, const MfCancel& message);
  void tick(TimeMs now);
  TimeMs next_deadline() const;

 private:
  void give_up();
  void check_offset();
  void resume();

  const Ownership& ownership_;
  const ElectionView& view_;
  Random& random_;
  const ElectionOptions& options_;
  ElectionReady& ready_;

  uint64_t attempt_ = 0;  // 0: none is under way
  NodeId primary_;
  TimeMs give_up_at_ = 0;
  TimeMs next_at_ = 0;  // to send MfStart again or to look at the offset again
  bool told_ = false;   // the primary's offset is known
  bool may_ask_ = false;
  LineageId lineage_;
  uint64_t offset_ = 0;

  uint64_t paused_attempt_ = 0;  // 0: no pause
  uint64_t ended_attempt_ = 0;   // an MfStart of it that comes late pauses nothing
  NodeId replica_;
  TimeMs paused_until_ = 0;
  bool stopped_ = false;  // writes have stopped, at:
  LineageId stopped_lineage_;
  uint64_t stopped_offset_ = 0;
};

}  // namespace syntropy
