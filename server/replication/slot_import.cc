#include "server/replication/slot_import.h"

#include <algorithm>
#include <utility>

namespace syntropy {

void SlotImport::step(const SlotMessage& message, TimeMs) {
  std::visit([this](const auto& known) { on(known); }, message);
}

void SlotImport::on(const SlotOffer& message) {
  if (message.session == session_) {
    verdict_due_ = verdict_.has_value();  // it was lost
    return;
  }
  if (session_ != 0) return;  // one session for one connection
  session_ = message.session;
  offer_ = message;
  judge_due_ = true;
}

void SlotImport::on(const SlotConfirm& message) {
  if (message.session != session_ || slots_.empty()) return;
  if (message.round == ready_) {
    ready_due_ = true;
  } else {
    confirm_ = message.round;
  }
}

Status SlotImport::step(const ReplicaMessage& message, TimeMs now) {
  if (slots_.empty()) return {};
  if (const auto* ask = std::get_if<Ask>(&message); ask != nullptr && ask->session == session_) {
    if (answerer_ && answerer_->end() && !answerer_->end()->missed) rate_ = CompareRate();
    const bool next = !answerer_ || (ask->round > answerer_->round() && !answerer_->working());
    if (next) {
      // Of its own slots this node knows what has gone for good.
      const auto purged =
          offer_.hand_over ? LogApplier::Purged::kReturned : LogApplier::Purged::kMoved;
      answerer_.emplace(ask->round, rows_.answers(purged),
                        /*told_flushes=*/true, rate_, stream_);
    }
    if (answerer_->round() == ask->round) return answerer_->accept(ask->piece);
  }
  if (const auto* ack = std::get_if<ReplyAck>(&message);
      ack != nullptr && ack->session == session_ && answerer_ && answerer_->round() == ack->round) {
    answerer_->acknowledged(ack->received, now);
  }
  return {};
}

void SlotImport::accept(HlcStamp flushed) {
  slots_ = offer_.slots;
  verdict_ = SlotAccept{session_, flushed};
  verdict_due_ = true;
}

void SlotImport::refuse(std::string reason, bool later) {
  verdict_ = SlotRefusal{session_, later, std::move(reason)};
  verdict_due_ = true;
}

Status SlotImport::answered(const Result<std::string>& reply, TimeMs now) {
  return answerer_ ? answerer_->worked(reply, now) : Status();
}

void SlotImport::secured(const Status& done) {
  securing_ = false;
  if (!done.ok()) return;  // the owner asks again
  ready_ = std::exchange(confirm_, 0);
  ready_due_ = ready_ != 0;
}

Result<SlotImport::Ready> SlotImport::take_ready(TimeMs now) {
  Ready ready;
  if (std::exchange(judge_due_, false)) ready.judge = offer_;
  if (std::exchange(verdict_due_, false)) ready.send.push_back(*verdict_);
  if (answerer_) {
    Result<std::optional<ComparisonAnswerer::Work>> work = answerer_->take_work(now);
    if (!work.ok()) return work.status();
    ready.answer = std::move(*work);
    answerer_->collect(session_, now, &ready.rows);
    const bool all_here = answerer_->round() == confirm_ && answerer_->end() &&
                          !answerer_->end()->missed && !answerer_->working();
    if (all_here && !securing_) securing_ = ready.secure = true;
  }
  if (std::exchange(ready_due_, false)) ready.send.emplace_back(SlotReady{session_, ready_});
  return ready;
}

TimeMs SlotImport::next_deadline() const {
  return answerer_ ? answerer_->next_deadline() : UINT64_MAX;
}

}  // namespace syntropy
