#include "server/replication/primary_session.h"

#include <algorithm>
#include <utility>

namespace syntropy {

PrimarySession::PrimarySession(ReplicationLog& log, RowSessions& rows,
                               const ReplicationSessionOptions& options, TimeMs now)
    : log_(log), rows_(rows), options_(options), last_heard_(now) {}

void PrimarySession::close(std::string reason) {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  closed_because_ = std::move(reason);
  reader_.reset();
  log_out_.reset();
  answerer_.reset();
}

bool PrimarySession::still_writer() const {
  if (!log_.writer()) return false;
  const History history = log_.position().history;
  return !history.empty() && history.back().id == lineage_;
}

void PrimarySession::step(const ReplicaMessage& message, TimeMs now) {
  if (state_ == State::kClosed) return;
  std::visit([&](const auto& known) { on(known, now); }, message);
}

void PrimarySession::on(const Follow& message, TimeMs now) {
  if (message.session == 0) return;
  last_heard_ = now;
  if (message.session == session_) {
    if (!begun_ && !taking_over_) control_due_ = std::min(control_due_, now);
    return;
  }
  if (state_ != State::kWaiting) return close("the replica begins anew");
  session_ = message.session;
  const LogPosition position = log_.position();
  if (!log_.writer() || position.history.empty()) return close("this node is no primary");
  lineage_ = position.history.back().id;
  plan_ = plan_to_follow(position, message.position);
  if (!is_of_shard(position, message.position)) {
    purged_ = LogApplier::Purged::kTaken;
  } else if (message.purged > rows_.purged_for_sure()) {
    purged_ = LogApplier::Purged::kTold;
  }
  if (options_.fault == ReplicationFault::kNoHandOver) plan_.hand_over = {};
  if (plan_.hand_over == FollowPlan::HandOver::kNothing) return begin();
  state_ = State::kTakingOver;
  control_due_ = now;
  if (plan_.hand_over == FollowPlan::HandOver::kLog) {
    handed_over_.emplace(0);
  } else {
    answerer_.emplace(kHandOverRound, rows_.answers(purged_), /*told_flushes=*/true,
                      options_.compare_rate, options_.stream);
  }
}

void PrimarySession::on(const HandOverData& message, TimeMs now) {
  if (message.session != session_ || state_ != State::kTakingOver || !handed_over_) return;
  last_heard_ = now;
  control_due_ = UINT64_MAX;  // it has understood
  ack_hand_over_ = true;
  const Status accepted = handed_over_->accept(message.piece);
  if (!accepted.ok()) close(std::string(accepted.message()));
}

void PrimarySession::taken_over(const Result<LogPoint>& result) {
  if (!taking_over_) return;
  taking_over_ = false;
  if (state_ != State::kTakingOver) return;
  if (!result.ok()) return close(std::string(result.status().message()));
  taken_ = *result;
  ack_hand_over_ = true;
}

void PrimarySession::begin() {
  if (!still_writer()) return close("this node is no primary any more");
  handed_over_.reset();
  // Where rows were compared to be handed over, the replica may also lack some: what it had purged.
  const bool compared = std::exchange(answerer_, std::nullopt).has_value();
  begin_ = Begin{session_, {}, plan_.common, taken_, false, 0, {}};
  // The reader holds the backlog from here on, so look at what it covers afterwards.
  if (plan_.common) reader_ = std::make_unique<LogReader>(log_, *plan_.common);
  if (reader_ && !compared && log_.covers(*plan_.common)) return begin_to_stream();
  reader_.reset();
  state_ = State::kCopying;
  answerer_.emplace(kCopyRound, rows_.answers(LogApplier::Purged::kDropped), /*told_flushes=*/false,
                    options_.compare_rate, options_.stream);
}

// They are frozen.
void PrimarySession::begin_with_rows() {
  const RowAnswers& rows = *answerer_->rows();
  const History& history = rows.position().history;
  if (history.empty() || history.back().id != lineage_) return close("the roles have changed");
  copied_ = begin_->copy = true;
  begin_->marks = rows.marks();
  reader_ = std::make_unique<LogReader>(log_, rows.position().offset);
  begin_to_stream();
}

void PrimarySession::begin_to_stream() {
  begin_->history = log_.position().history;
  begin_->log_offset = reader_->offset();
  log_out_.emplace(begin_->log_offset, options_.stream);
  state_ = begin_->copy ? State::kCopying : State::kStreaming;
  control_due_ = 0;
}

// --- comparing -----------------------------------------------------------------------------------

void PrimarySession::on(const Ask& message, TimeMs now) {
  if (message.session != session_) return;
  last_heard_ = now;
  if (state_ == State::kTakingOver && handed_over_ && message.round == kHandOverRound) {
    // Its backlog has lost what its log has beyond the common point.
    handed_over_.reset();
    answerer_.emplace(kHandOverRound, rows_.answers(purged_), /*told_flushes=*/true,
                      options_.compare_rate, options_.stream);
  }
  if (!answerer_ || answerer_->round() != message.round) return;
  compare_.reset();  // it has come
  compare_due_ = UINT64_MAX;
  if (state_ == State::kTakingOver) control_due_ = UINT64_MAX;
  const Status accepted = answerer_->accept(message.piece);
  if (!accepted.ok()) close(std::string(accepted.message()));
}

void PrimarySession::on(const ReplyAck& message, TimeMs now) {
  if (message.session != session_) return;
  last_heard_ = now;
  if (answerer_ && answerer_->round() == message.round) {
    answerer_->acknowledged(message.received, now);
  }
}

void PrimarySession::answered(const Result<std::string>& result, TimeMs now) {
  if (state_ == State::kClosed || !answerer_) return;
  const bool was_frozen = answerer_->rows() != nullptr;
  if (checking() && !was_frozen && !result.ok()) return end_check({true, 0}, now);
  const Status worked = answerer_->worked(result, now);
  if (!worked.ok()) return close(std::string(worked.message()));
  if (was_frozen || answerer_->rows() == nullptr) return;
  if (answerer_->round() == kCopyRound) return begin_with_rows();
  if (!checking()) return;
  const RowAnswers& rows = *answerer_->rows();
  check_ = {now, rows.position().offset, rows.marks().clock};
  compare_ = Compare{session_, answerer_->round(), check_.offset, rows.marks()};
  compare_due_ = now;
}

// To be called while a comparison may have come further.
void PrimarySession::follow_comparison(TimeMs now) {
  if (!answerer_ || !answerer_->end()) return;
  const ComparisonAnswerer::End end = *answerer_->end();
  if (state_ == State::kTakingOver) {
    // The log has by now whatever was handed over.
    taken_ = LogPoint{lineage_, log_.offset()};
    begin();
  } else if (checking()) {
    end_check(end, now);
  }
}

void PrimarySession::begin_check(TimeMs now) {
  if (now < check_at_ || state_ != State::kStreaming || !ack_.following) return;
  if (answerer_ && !answerer_->end()) return;
  check_at_ = UINT64_MAX;
  check_ended_ = false;
  answerer_.emplace(++last_round_, rows_.answers(LogApplier::Purged::kDropped),
                    /*told_flushes=*/false, options_.compare_rate, options_.stream);
}

void PrimarySession::end_check(const ComparisonAnswerer::End& end, TimeMs now) {
  check_ended_ = true;
  compare_.reset();
  compare_due_ = UINT64_MAX;
  check_at_ = now + (end.missed ? std::min(options_.check_interval_ms, options_.stream.retry_ms)
                                : options_.check_interval_ms);
  if (end.missed) {
    if (!answerer_->end()) answerer_.reset();  // its rows could not be frozen
    return;
  }
  mended_rows_ += end.differences;
  if (end.differences == 0) proof_ = check_;
}

// --- following -----------------------------------------------------------------------------------

void PrimarySession::on(const ReplicaAck& message, TimeMs now) {
  if (message.session != session_) return;
  last_heard_ = now;
  if (!log_out_) return;
  begun_ = true;
  control_due_ = UINT64_MAX;
  log_out_->acknowledged(message.log_received, now);
  // Acknowledgements may come out of order; within a session they only grow.
  if (message.following < ack_.following || message.acknowledged > message.applied) return;
  if (message.applied > log_.offset()) return;
  ack_.following = message.following;
  ack_.applied = std::max(ack_.applied, message.applied);
  ack_.acknowledged = std::max(ack_.acknowledged, message.acknowledged);
  if (!ack_.following) return;
  state_ = State::kStreaming;
  if (options_.check_interval_ms != 0 && check_at_ == UINT64_MAX && check_ended_) check_at_ = now;
}

PrimarySession::Ready PrimarySession::take_ready(TimeMs now) {
  Ready ready;
  if (state_ != State::kClosed && now >= last_heard_ + options_.timeout_ms) {
    close("the replica hasn't been heard for too long");
  }
  if (session_ != 0 && state_ != State::kClosed && !still_writer()) {
    close("this node is no primary any more");
  }
  if (state_ == State::kTakingOver && handed_over_ && !taking_over_) {
    if (handed_over_->has_records()) {
      ready.take_over = handed_over_->take(options_.store_bytes);
      ready.purged = purged_;
      taking_over_ = true;
    } else if (handed_over_->done()) {
      begin();
    }
  }
  work_on_comparison(now, &ready);
  send_control(now, &ready);
  send_streams(now, &ready);
  if (state_ == State::kClosed) {
    ready.answer.reset();
    ready.send.clear();
    ready.send.push_back(Refused{session_, closed_because_});
    ready.close = true;
  } else if (session_ != 0 && now >= last_sent_ + options_.heartbeat_ms && ready.send.empty()) {
    ready.send.push_back(PrimaryHeartbeat{session_, log_.offset()});
  }
  if (!ready.send.empty()) last_sent_ = now;
  return ready;
}

void PrimarySession::work_on_comparison(TimeMs now, Ready* ready) {
  begin_check(now);
  uint64_t round = 0;
  // The end of one may be the beginning of the next.
  while (state_ != State::kClosed && answerer_ && answerer_->round() != round) {
    round = answerer_->round();
    Result<std::optional<ComparisonAnswerer::Work>> work = answerer_->take_work(now);
    if (!work.ok()) return close(std::string(work.status().message()));
    ready->answer = std::move(*work);
    ready->answer_changes = round != kCopyRound;
    answerer_->collect(session_, now, &ready->send);
    follow_comparison(now);
  }
}

void PrimarySession::send_control(TimeMs now, Ready* ready) {
  if (compare_ && now >= compare_due_) {
    ready->send.push_back(*compare_);
    compare_due_ = now + options_.stream.retry_ms;
  }
  if (handed_over_ && std::exchange(ack_hand_over_, false)) {
    ready->send.push_back(HandOverAck{session_, handed_over_->received()});
  }
  if (now < control_due_) return;
  if (begin_ && !begun_) {
    ready->send.push_back(*begin_);
  } else if (state_ == State::kTakingOver) {
    ready->send.push_back(HandOver{
        session_, plan_.hand_over == FollowPlan::HandOver::kLog ? plan_.common : std::nullopt});
  }
  control_due_ = now + options_.stream.retry_ms;
}

void PrimarySession::fill_log() {
  // Until the rows of a check are frozen, nothing beyond that moment may be sent.
  if (checking() && answerer_->rows() == nullptr) return;
  for (size_t room = log_out_->room(); room > 0; room = log_out_->room()) {
    Result<std::string> bytes = reader_->read(room);
    if (!bytes.ok()) return close("the backlog no longer has what the replica needs next");
    if (bytes->empty()) return;
    log_out_->push(std::move(*bytes));
  }
}

void PrimarySession::send_streams(TimeMs now, Ready* ready) {
  if (!log_out_) return;
  fill_log();
  if (state_ == State::kClosed) return;
  std::vector<StreamPiece> pieces;
  log_out_->collect(now, &pieces);
  const uint64_t end = log_.offset();
  for (StreamPiece& piece : pieces) {
    ready->send.push_back(LogData{session_, std::move(piece), end});
  }
}

TimeMs PrimarySession::next_deadline() const {
  if (state_ == State::kClosed) return UINT64_MAX;
  TimeMs deadline = last_heard_ + options_.timeout_ms;
  if (session_ != 0) deadline = std::min(deadline, last_sent_ + options_.heartbeat_ms);
  deadline = std::min(deadline, control_due_);
  if (log_out_) deadline = std::min(deadline, log_out_->next_deadline());
  if (!answerer_ || answerer_->end()) deadline = std::min(deadline, check_at_);
  deadline = std::min(deadline, compare_due_);
  if (answerer_ && !answerer_->working()) deadline = std::min(deadline, answerer_->next_deadline());
  return deadline;
}

}  // namespace syntropy
