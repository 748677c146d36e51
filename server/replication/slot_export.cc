#include "server/replication/slot_export.h"

#include <algorithm>
#include <utility>

namespace syntropy {

SlotExport::SlotExport(RowSessions& rows, SlotRanges slots, Kind kind, ReplicationSessionId session,
                       const SlotExportOptions& options, TimeMs now)
    : rows_(rows),
      slots_(std::move(slots)),
      hands_over_(kind == Kind::kHandOver),
      session_(session),
      options_(options),
      stage_(kind == Kind::kGrant ? Stage::kGranting : Stage::kConnecting),
      given_(kind == Kind::kGrant),
      connect_at_(now),
      last_heard_(now),
      progress_at_(now) {}

void SlotExport::connected(TimeMs now) {
  connecting_ = false;
  linked_ = true;
  last_heard_ = now;
  control_at_ = now;
  if (stage_ == Stage::kConnecting) stage_ = Stage::kOffering;
}

void SlotExport::disconnected(TimeMs now) {
  connecting_ = false;
  if (ended()) return;
  if (!std::exchange(linked_, false)) trouble_ = "the target can't be reached";
  break_off({}, now);
}

// Begins again from the offer; what the target has by now it need not be given once more.
void SlotExport::break_off(std::string why, TimeMs now) {
  if (!why.empty()) trouble_ = std::move(why);
  if (std::exchange(linked_, false)) disconnect_ = true;
  connect_at_ = now + options_.retry_ms;
  asker_.reset();
  restamp_.reset();
  settled_ = false;
  if (given_ || stage_ == Stage::kGiving) return;
  release_writes();
  stage_ = Stage::kConnecting;
}

void SlotExport::release_writes() {
  pause_due_ = false;
  pause_until_ = UINT64_MAX;
  if (!hands_over_ && (holding() || paused_)) resume_due_ = true;
  paused_ = false;
}

void SlotExport::fail(std::string why) {
  release_writes();
  trouble_ = std::move(why);
  stage_ = Stage::kFailed;
  disconnect_ = linked_ || connecting_;
  asker_.reset();
}

bool SlotExport::cancel(std::string reason) {
  if (given_ || stage_ == Stage::kGiving) return false;
  if (!ended()) fail(std::move(reason));
  return true;
}

void SlotExport::taken() {
  if (ended()) return;
  release_writes();
  stage_ = Stage::kDone;
  trouble_.clear();
  disconnect_ = linked_ || connecting_;
}

void SlotExport::taken_back() {
  if (!ended()) fail("no node is left of the shard that they were given to");
}

// --- what comes ----------------------------------------------------------------------------------

void SlotExport::step(const SlotMessage& message, TimeMs now) {
  std::visit(
      [&](const auto& known) {
        if (known.session != session_ || !linked_) return;
        last_heard_ = now;
        on(known, now);
      },
      message);
}

void SlotExport::step(const PrimaryMessage& message, TimeMs now) {
  const auto* reply = std::get_if<Reply>(&message);
  const auto* ack = std::get_if<AskAck>(&message);
  if (!linked_) return;
  if (reply != nullptr && reply->session == session_) {
    last_heard_ = now;
    if (!asker_ || asker_->round() != reply->round) return;
    const Status accepted = asker_->accept(reply->piece);
    if (!accepted.ok()) break_off(std::string(accepted.message()), now);
  } else if (ack != nullptr && ack->session == session_) {
    last_heard_ = now;
    if (asker_ && asker_->round() == ack->round) asker_->acknowledged(ack->received, now);
  }
}

void SlotExport::on(const SlotAccept& message, TimeMs now) {
  if (stage_ != Stage::kOffering) return;
  progress_at_ = now;
  stage_ = Stage::kRestamping;
  // What was flushed by the owner of the slots is gone.
  if (message.flushed == 0 || hands_over_) return restamped(Status(), now);
  restamp_ = message.flushed;
}

void SlotExport::on(const SlotRefusal& message, TimeMs now) {
  if (stage_ != Stage::kOffering) return;
  if (!message.later) return fail(message.reason);
  break_off(message.reason, now);
}

void SlotExport::on(const SlotReady& message, TimeMs now) {
  if (message.round != round_) return;
  if (stage_ == Stage::kSettling) {
    settled_ = true;
    stage_ = Stage::kCopying;
    return begin_round(now);
  }
  if (stage_ != Stage::kConfirming) return;
  if (hands_over_) return taken();
  if (now >= pause_until_) return;
  stage_ = Stage::kGiving;
  give_due_ = true;
}

void SlotExport::restamped(const Status& done, TimeMs now) {
  restamping_ = false;
  if (stage_ != Stage::kRestamping) return;
  if (!done.ok()) return break_off(std::string(done.message()), now);
  restamp_.reset();
  stage_ = options_.unproved ? Stage::kGiving : Stage::kCopying;
  if (options_.unproved) give_due_ = true;
  if (!options_.unproved) begin_round(now);
}

void SlotExport::paused(const Status& done, TimeMs now) {
  if (stage_ != Stage::kPausing) {
    if (done.ok() && !given_) resume_due_ = true;
    return;
  }
  if (!done.ok()) {
    trouble_ = std::string(done.message());
    pause_until_ = UINT64_MAX;
    stage_ = Stage::kCopying;
    return begin_round(now + options_.retry_ms);
  }
  paused_ = true;
  stage_ = Stage::kFinishing;
  begin_round(now);
}

void SlotExport::given(const Status& done, TimeMs now) {
  if (stage_ != Stage::kGiving) return;
  if (!done.ok()) {
    stage_ = Stage::kConfirming;
    return break_off(std::string(done.message()), now);
  }
  given_ = true;
  stage_ = Stage::kGranting;
  control_at_ = now;
}

void SlotExport::interrupted(TimeMs now) {
  if (!holding() && (stage_ != Stage::kGiving || given_)) return;
  stage_ = Stage::kConfirming;
  give_due_ = false;
  break_off("a failover has begun", now);
  resume_due_ = false;
}

// --- rounds --------------------------------------------------------------------------------------

void SlotExport::begin_round(TimeMs at) {
  ++round_;
  step_rows_ = 0;
  round_at_ = round_began_ = at;
  asker_.emplace(round_, ComparisonAsker::Purpose::kMove, rows_.questions(RowFlow::kPush, slots_),
                 StoreMarks(), 0, options_.stream);
}

void SlotExport::asked(const Result<RowStep>& step, TimeMs now) {
  asking_ = false;
  if (!asker_ || (stage_ != Stage::kCopying && stage_ != Stage::kFinishing)) return;
  if (!step.ok()) {
    if (!step.status().is(StatusCode::kUnavailable)) {
      return break_off(std::string(step.status().message()), now);
    }
    trouble_ = std::string(step.status().message());  // trees that are being made take a while
    if (stage_ == Stage::kFinishing) release_writes();
    stage_ = Stage::kCopying;
    return begin_round(now + options_.retry_ms);
  }
  size_t bytes = 0;
  for (const std::string& request : step->requests) bytes += request.size();
  CompareRate rate = options_.rate;
  if (bulk_moved_ || step->done) rate.percent = 100;
  ask_at_ = now + rate.pause_after(bytes, step->pushed - step_rows_, now - asked_at_);
  rows_moved_ += step->pushed - step_rows_;
  step_rows_ = step->pushed;
  progress_at_ = now;
  asker_->worked(*step);
  if (asker_->done()) end_round(now);
}

void SlotExport::end_round(TimeMs now) {
  bulk_moved_ = true;
  if (hands_over_) {
    stage_ = Stage::kConfirming;
    control_at_ = now;
    return;
  }
  if (stage_ == Stage::kFinishing) {
    // The round that moved rows doesn't tell what has become of them.
    if (step_rows_ != 0) return begin_round(now);
    stage_ = Stage::kConfirming;
    control_at_ = now;
    return;
  }
  // What is asked last must have come before another round begins: collect() goes on until then.
  if (!pause_is_due(now)) return;
  if (!settled_) {
    stage_ = Stage::kSettling;
    control_at_ = now;
    return;
  }
  stage_ = Stage::kPausing;
  pause_due_ = true;
  pause_until_ = now + options_.pause_ms;
}

bool SlotExport::pause_is_due(TimeMs now) {
  const TimeMs took = now - round_began_;
  const bool shrinks = step_rows_ < last_rows_ / 4 * 3;
  last_rows_ = step_rows_;
  return step_rows_ <= options_.few_rows || took <= options_.short_ms ||
         (!shrinks && 2 * took < options_.pause_ms);
}

// --- what goes -----------------------------------------------------------------------------------

void SlotExport::send_control(TimeMs now, Ready* ready) {
  if (now < control_at_) return;
  control_at_ = now + options_.retry_ms;
  if (stage_ == Stage::kOffering)
    ready->send.emplace_back(SlotOffer{session_, hands_over_, slots_});
  if (stage_ == Stage::kSettling || stage_ == Stage::kConfirming) {
    ready->send.emplace_back(SlotConfirm{session_, round_});
  }
  if (stage_ == Stage::kGranting) ready->send.emplace_back(SlotGrant{session_, slots_});
}

SlotExport::Ready SlotExport::take_ready(TimeMs now) {
  Ready ready;
  if (!ended() && linked_ && now >= last_heard_ + options_.silence_ms &&
      stage_ != Stage::kGranting) {
    break_off("the target is silent", now);
  }
  if (!ended() && !given_ && stage_ <= Stage::kOffering &&
      now >= progress_at_ + options_.patience_ms) {
    fail(trouble_.empty() ? "the target doesn't answer" : trouble_);
  }
  if (holding() && !hands_over_ && now >= pause_until_) {
    // Clients have waited long enough.
    release_writes();
    trouble_ = "the last rows took too long";
    settled_ = false;
    stage_ = Stage::kCopying;
    begin_round(now + options_.retry_ms);
  }
  if (paused_ && given_ && now >= pause_until_) release_writes();
  ready.disconnect = std::exchange(disconnect_, false);
  if (ended()) {
    ready.resume = std::exchange(resume_due_, false);
    return ready;
  }
  if (!linked_ && !connecting_ && now >= connect_at_) {
    connecting_ = ready.connect = true;
    connect_at_ = now + options_.retry_ms;
  }
  if (linked_) {
    send_control(now, &ready);
    if (restamp_ && !restamping_) {
      restamping_ = true;
      ready.restamp = restamp_;
    }
    if (stage_ == Stage::kCopying && asker_ && asker_->done() && asker_->all_asked()) {
      begin_round(now);
    }
    if (asker_) {
      if (asker_->has_work() && !asking_ && now >= std::max(ask_at_, round_at_)) {
        asking_ = true;
        asked_at_ = now;
        ready.ask = asker_->take_work({});
      }
      asker_->collect(session_, now, &ready.rows);
    }
  }
  ready.pause = std::exchange(pause_due_, false);
  ready.resume = std::exchange(resume_due_, false);
  ready.give = std::exchange(give_due_, false);
  return ready;
}

TimeMs SlotExport::next_deadline() const {
  if (ended()) return disconnect_ || resume_due_ ? 0 : UINT64_MAX;
  const bool pausing = (holding() && !hands_over_) || (given_ && paused_);
  TimeMs next = pausing ? pause_until_ : UINT64_MAX;
  if (!given_ && stage_ <= Stage::kOffering) {
    next = std::min(next, progress_at_ + options_.patience_ms);
  }
  if (!linked_) return connecting_ ? next : std::min(next, connect_at_);
  if (stage_ == Stage::kOffering || stage_ == Stage::kSettling || stage_ >= Stage::kConfirming) {
    next = std::min(next, control_at_);
  }
  if (stage_ != Stage::kGranting) next = std::min(next, last_heard_ + options_.silence_ms);
  if (!asker_) return next;
  next = std::min(next, asker_->next_deadline());
  if (asker_->has_work() && !asking_) next = std::min(next, std::max(ask_at_, round_at_));
  return next;
}

}  // namespace syntropy
