#include "membership/manual_failover.h"

#include <algorithm>

namespace syntropy {
namespace {

// How often a replica looks whether it has reached the primary's offset, if nobody tells it.
constexpr TimeMs kOffsetPollMs = 10;

}  // namespace

void ManualHandshake::start(const NodeId& primary, bool ask_primary, TimeMs now) {
  do {
    attempt_ = random_.next();
  } while (attempt_ == 0);
  primary_ = primary;
  give_up_at_ = now + options_.manual_timeout_ms - options_.manual_timeout_ms / 10;
  next_at_ = now;
  told_ = false;
  may_ask_ = !ask_primary;
  tick(now);
}

void ManualHandshake::step(const NodeId& from, const MfPaused& message) {
  if (message.attempt != attempt_ || attempt_ == 0 || from != primary_ || told_) return;
  told_ = true;
  lineage_ = message.lineage;
  offset_ = message.offset;
  check_offset();
}

void ManualHandshake::check_offset() {
  const OwnReplication own = view_.own_replication();
  if (told_ && own.lineage == lineage_ && own.offset == offset_) may_ask_ = true;
}

void ManualHandshake::give_up() {
  ready_.send.emplace_back(primary_, MfCancel{attempt_});
  ready_.events.push_back({ElectionEvent::kManualFailed, 0, primary_});
  finish();
}

void ManualHandshake::step(const NodeId& from, const MfStart& message, TimeMs now) {
  const SlotMap& map = ownership_.map();
  if (message.attempt == 0 || message.attempt == ended_attempt_ ||
      !map.owns_slots(ownership_.self()) || view_.primary_of(from) != ownership_.self()) {
    return;
  }
  if (message.attempt == paused_attempt_ && from == replica_) {
    if (stopped_) {
      ready_.send.emplace_back(from, MfPaused{paused_attempt_, stopped_lineage_, stopped_offset_});
    }
    return;
  }
  // The pause is the other's: its end would let writes in while the other asks for votes.
  if (pausing() && from != replica_ && !view_.failed(replica_)) return;
  paused_attempt_ = message.attempt;
  replica_ = from;
  paused_until_ = now + options_.manual_timeout_ms;
  stopped_ = false;
  ready_.pause_writes_until = paused_until_;
  ready_.resume_writes = false;
}

void ManualHandshake::writes_paused(const LineageId& lineage, uint64_t offset) {
  if (!pausing()) return;
  stopped_ = true;
  stopped_lineage_ = lineage;
  stopped_offset_ = offset;
  ready_.send.emplace_back(replica_, MfPaused{paused_attempt_, lineage, offset});
}

void ManualHandshake::step(const NodeId& from, const MfCancel& message) {
  if (view_.primary_of(from) != ownership_.self()) return;
  if (pausing() && message.attempt == paused_attempt_ && from == replica_) resume();
  ended_attempt_ = message.attempt;
}

void ManualHandshake::resume() {
  ended_attempt_ = paused_attempt_;
  paused_attempt_ = 0;
  ready_.pause_writes_until = 0;
  ready_.resume_writes = true;
}

void ManualHandshake::tick(TimeMs now) {
  if (in_progress()) {
    const bool moot =
        view_.primary_of(ownership_.self()) != primary_ || !ownership_.map().owns_slots(primary_);
    if (moot || now >= give_up_at_) {
      give_up();
    } else if (!may_ask_) {
      check_offset();
      if (!may_ask_ && now >= next_at_) {
        if (!told_) ready_.send.emplace_back(primary_, MfStart{attempt_});
        next_at_ = now + (told_ ? kOffsetPollMs : options_.resend_ms);
      }
    }
  }
  // Without slots there is nothing to write: clients are sent to the new owner.
  if (pausing() && (now >= paused_until_ || !ownership_.map().owns_slots(ownership_.self()))) {
    resume();
  }
}

TimeMs ManualHandshake::next_deadline() const {
  TimeMs next = UINT64_MAX;
  if (in_progress()) next = may_ask_ ? give_up_at_ : std::min(give_up_at_, next_at_);
  if (pausing()) next = std::min(next, paused_until_);
  return next;
}

}  // namespace syntropy
