#include "server/replication/primary_session.h"

#include <algorithm>
#include <utility>

namespace syntropy {

PrimarySession::PrimarySession(ReplicationLog& log, RowSources& rows,
                               const ReplicationSessionOptions& options, TimeMs now)
    : log_(log), rows_(rows), options_(options), last_heard_(now) {}

void PrimarySession::close(std::string reason) {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  closed_because_ = std::move(reason);
  reader_.reset();
  copy_.reset();
  log_out_.reset();
  copy_out_.reset();
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
  slots_ = message.slots;
  const LogPosition position = log_.position();
  if (!log_.writer() || position.history.empty()) return close("this node is no primary");
  lineage_ = position.history.back().id;
  plan_ = plan_to_follow(position, message.position);
  if (options_.fault == ReplicationFault::kNoHandOver) plan_.hand_over = {};
  if (plan_.hand_over == FollowPlan::HandOver::kNothing) return begin();
  state_ = State::kTakingOver;
  handed_over_.emplace(0);
  control_due_ = now;
}

void PrimarySession::on(const HandOverData& message, TimeMs now) {
  if (message.session != session_ || state_ != State::kTakingOver) return;
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
  begin_ = Begin{session_, {}, plan_.common, taken_, false, 0};
  // The reader holds the backlog from here on, so look at what it covers afterwards.
  if (plan_.common) reader_ = std::make_unique<LogReader>(log_, *plan_.common);
  if (!reader_ || !log_.covers(*plan_.common)) {
    reader_.reset();
    Result<std::unique_ptr<RowSource>> copy = rows_.open(slots_);
    if (!copy.ok()) return close(std::string(copy.status().message()));
    copy_ = std::move(*copy);
    const History& history = copy_->position().history;
    if (history.empty() || history.back().id != lineage_) return close("the roles have changed");
    copied_ = begin_->copy = true;
    copy_out_.emplace(0, options_.stream);
    reader_ = std::make_unique<LogReader>(log_, copy_->position().offset);
  }
  begin_->history = log_.position().history;
  begin_->log_offset = reader_->offset();
  log_out_.emplace(begin_->log_offset, options_.stream);
  state_ = begin_->copy ? State::kCopying : State::kStreaming;
  control_due_ = 0;
}

void PrimarySession::on(const ReplicaAck& message, TimeMs now) {
  if (message.session != session_) return;
  last_heard_ = now;
  if (!log_out_) return;
  begun_ = true;
  control_due_ = UINT64_MAX;
  log_out_->acknowledged(message.log_received, now);
  if (copy_out_) copy_out_->acknowledged(message.copy_received, now);
  // Acknowledgements may come out of order; within a session they only grow.
  if (message.following < ack_.following || message.acknowledged > message.applied) return;
  if (message.applied > log_.offset()) return;
  ack_.following = message.following;
  ack_.applied = std::max(ack_.applied, message.applied);
  ack_.acknowledged = std::max(ack_.acknowledged, message.acknowledged);
  if (ack_.following) state_ = State::kStreaming;
}

PrimarySession::Ready PrimarySession::take_ready(TimeMs now) {
  Ready ready;
  if (state_ != State::kClosed && now >= last_heard_ + options_.timeout_ms) {
    close("the replica hasn't been heard for too long");
  }
  if (session_ != 0 && state_ != State::kClosed && !still_writer()) {
    close("this node is no primary any more");
  }
  if (state_ == State::kTakingOver && !taking_over_) {
    if (handed_over_->has_records()) {
      ready.take_over = handed_over_->take(options_.store_bytes);
      taking_over_ = true;
    } else if (handed_over_->done()) {
      begin();
    }
  }
  send_control(now, &ready);
  send_streams(now, &ready);
  if (state_ == State::kClosed) {
    ready.send.clear();
    ready.send.push_back(Refused{session_, closed_because_});
    ready.close = true;
  } else if (session_ != 0 && now >= last_sent_ + options_.heartbeat_ms && ready.send.empty()) {
    ready.send.push_back(PrimaryHeartbeat{session_, log_.offset()});
  }
  if (!ready.send.empty()) last_sent_ = now;
  return ready;
}

void PrimarySession::send_control(TimeMs now, Ready* ready) {
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
  for (size_t room = log_out_->room(); room > 0; room = log_out_->room()) {
    Result<std::string> bytes = reader_->read(room);
    if (!bytes.ok()) return close("the backlog no longer has what the replica needs next");
    if (bytes->empty()) return;
    log_out_->push(std::move(*bytes));
  }
}

void PrimarySession::fill_copy() {
  for (size_t room = copy_out_->room(); room > 0; room = copy_out_->room()) {
    std::string records;
    Result<bool> more = copy_->next(room, &records);
    if (!more.ok()) {
      if (!more.status().is(StatusCode::kIncomplete)) close(std::string(more.status().message()));
      return;
    }
    if (*more) {
      copy_out_->push(std::move(records));
    } else {
      copy_out_->finish();
      copy_.reset();  // and with it the snapshot
    }
  }
}

void PrimarySession::send_streams(TimeMs now, Ready* ready) {
  if (state_ != State::kCopying && state_ != State::kStreaming) return;
  fill_log();
  if (state_ != State::kClosed && copy_) fill_copy();
  if (state_ == State::kClosed) return;
  std::vector<StreamPiece> pieces;
  log_out_->collect(now, &pieces);
  const uint64_t end = log_.offset();
  for (StreamPiece& piece : pieces) {
    ready->send.push_back(LogData{session_, std::move(piece), end});
  }
  if (!copy_out_) return;
  pieces.clear();
  copy_out_->collect(now, &pieces);
  for (StreamPiece& piece : pieces) ready->send.push_back(CopyData{session_, std::move(piece)});
}

TimeMs PrimarySession::next_deadline() const {
  if (state_ == State::kClosed) return UINT64_MAX;
  TimeMs deadline = last_heard_ + options_.timeout_ms;
  if (session_ != 0) deadline = std::min(deadline, last_sent_ + options_.heartbeat_ms);
  deadline = std::min(deadline, control_due_);
  if (log_out_) deadline = std::min(deadline, log_out_->next_deadline());
  if (copy_out_) deadline = std::min(deadline, copy_out_->next_deadline());
  return deadline;
}

}  // namespace syntropy
