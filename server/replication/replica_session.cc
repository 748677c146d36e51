#include "server/replication/replica_session.h"

#include <algorithm>
#include <utility>

#include "storage/log_applier.h"

namespace syntropy {
namespace {

bool same(const ReplicaAck& a, const ReplicaAck& b) {
  return a.log_received == b.log_received && a.copy_received == b.copy_received &&
         a.following == b.following && a.applied == b.applied && a.acknowledged == b.acknowledged;
}

}  // namespace

Status apply_store_op(LogApplier& applier, const StoreOp& op) {
  switch (op.kind) {
    case StoreOp::Kind::kFollow:
      return applier.follow(op.history, op.offset, op.owed);
    case StoreOp::Kind::kAppend:
      return applier.append(op.offset, op.records);
    case StoreOp::Kind::kMerge:
      return applier.merge(op.records, op.source);
    case StoreOp::Kind::kArrive:
      return applier.arrive(op.history, op.offset);
  }
  return {};
}

ReplicaSession::ReplicaSession(ReplicationLog& log, RowSources& rows, RowCopy::Slots slots,
                               const ReplicationSessionOptions& options, Random& random, TimeMs now)
    : log_(log),
      rows_(rows),
      slots_(std::move(slots)),
      options_(options),
      random_(random),
      connect_at_(now),
      backoff_ms_(options.backoff_min_ms) {}

void ReplicaSession::forget_session() {
  session_ = 0;
  ask_at_ = UINT64_MAX;
  own_log_.reset();
  own_rows_.reset();
  hand_over_.reset();
  begin_.reset();
  follow_asked_ = false;
  log_in_.reset();
  copy_in_.reset();
  acknowledged_ = 0;
  sent_ack_.reset();
  ack_at_ = UINT64_MAX;
}

void ReplicaSession::fail(std::string reason, TimeMs now) {
  last_error_ = std::move(reason);
  if (in_session()) disconnect_ = true;
  state_ = State::kIdle;
  forget_session();
  connect_at_ = now + backoff_ms_ / 2 + random_.below(backoff_ms_ / 2 + 1);
  backoff_ms_ = std::min(2 * backoff_ms_, options_.backoff_max_ms);
}

void ReplicaSession::connected(TimeMs now) {
  if (state_ != State::kConnecting) return;
  state_ = State::kAsking;
  while (session_ == 0) session_ = random_.next();
  heard_since_ = now;
  ask_at_ = now;
}

void ReplicaSession::disconnected(TimeMs now) {
  if (state_ == State::kIdle) return;
  fail("the connection to the primary was lost", now);
  disconnect_ = false;
}

void ReplicaSession::step(const PrimaryMessage& message, TimeMs now) {
  if (!in_session()) return;
  std::visit(
      [&](const auto& known) {
        if (known.session != session_) return;
        last_heard_ = heard_since_ = now;
        on(known, now);
      },
      message);
}

void ReplicaSession::on(const Refused& message, TimeMs now) { fail(message.reason, now); }

void ReplicaSession::on(const HandOver& message, TimeMs now) {
  if (state_ != State::kAsking) return;
  state_ = State::kHandingOver;
  hand_over_.emplace(0, options_.stream);
  if (message.common && log_.covers(*message.common)) {
    own_log_ = std::make_unique<LogReader>(log_, *message.common);
    return;
  }
  Result<std::unique_ptr<RowSource>> rows = rows_.open(slots_);
  if (!rows.ok()) return fail(std::string(rows.status().message()), now);
  own_rows_ = std::move(*rows);
}

void ReplicaSession::on(const HandOverAck& message, TimeMs now) {
  if (hand_over_) hand_over_->acknowledged(message.received, now);
}

void ReplicaSession::on(const Begin& message, TimeMs now) {
  if (begin_) {  // it had not seen our answer
    sent_ack_.reset();
    return;
  }
  if (state_ == State::kHandingOver && !hand_over_->finished()) return;
  if (message.history.empty() || (message.common && *message.common > log_.offset()) ||
      (!message.copy && message.common != message.log_offset)) {
    return fail("the primary says what can't be", now);
  }
  own_log_.reset();
  own_rows_.reset();
  hand_over_.reset();
  ask_at_ = UINT64_MAX;
  begin_ = message;
  log_in_.emplace(message.log_offset);
  if (message.copy) copy_in_.emplace(0);
  state_ = message.copy ? State::kCopying : State::kFollowing;
  backoff_ms_ = options_.backoff_min_ms;
}

void ReplicaSession::accept(std::optional<RecordReceiver>& stream, const StreamPiece& piece,
                            TimeMs now) {
  if (!stream) return;  // Begin has yet to come: it will be sent again
  const uint64_t before = stream->received();
  const Status accepted = stream->accept(piece);
  if (!accepted.ok()) return fail(std::string(accepted.message()), now);
  // Nothing new: the acknowledgement was lost, or is late.
  if (stream->received() == before && !stream->has_records()) sent_ack_.reset();
}

void ReplicaSession::on(const LogData& message, TimeMs now) {
  primary_log_end_ = message.log_end;
  accept(log_in_, message.piece, now);
}

void ReplicaSession::on(const CopyData& message, TimeMs now) {
  accept(copy_in_, message.piece, now);
}

void ReplicaSession::on(const PrimaryHeartbeat& message, TimeMs) {
  primary_log_end_ = message.log_end;
}

void ReplicaSession::stored(const Status& result, TimeMs now) {
  const std::optional<StoreOp::Kind> kind = std::exchange(op_, std::nullopt);
  if (!kind || op_session_ != session_ || session_ == 0) return;
  if (!result.ok()) return fail(std::string(result.message()), now);
  if (*kind == StoreOp::Kind::kArrive) {
    copy_in_.reset();
    begin_->copy = false;
    state_ = State::kFollowing;
  }
}

void ReplicaSession::acknowledged(ReplicationSessionId session, uint64_t offset) {
  if (session == session_) acknowledged_ = std::max(acknowledged_, offset);
}

std::optional<StoreOp> ReplicaSession::next_op() {
  StoreOp op;
  op.session = session_;
  if (!std::exchange(follow_asked_, true)) {
    op.kind = StoreOp::Kind::kFollow;
    // A log that the primary's has nothing in common with is no history to go on from.
    if (begin_->common) op.history = begin_->history;
    op.offset = begin_->common.value_or(0);
    op.owed = begin_->owed ? begin_->owed : log_.position().owed;
    return op;
  }
  const LineageId& lineage = begin_->history.back().id;
  if (state_ == State::kFollowing) {
    if (!log_in_->has_records()) return std::nullopt;
    op.kind = StoreOp::Kind::kAppend;
    op.offset = log_in_->taken();
    op.records = log_in_->take(options_.store_bytes);
    return op;
  }
  if (copy_in_->done()) {  // what has come of the log and is not merged yet is appended then
    op.kind = StoreOp::Kind::kArrive;
    op.history = begin_->history;
    op.offset = log_in_->taken();
    return op;
  }
  copy_next_ = copy_in_->has_records() && (!copy_next_ || !log_in_->has_records());
  RecordReceiver& stream = copy_next_ ? *copy_in_ : *log_in_;
  if (!stream.has_records()) return std::nullopt;
  op.kind = StoreOp::Kind::kMerge;
  op.records = stream.take(options_.store_bytes);
  op.source = {lineage, log_in_->taken()};
  return op;
}

void ReplicaSession::ask(TimeMs now, Ready* ready) {
  // A step on the store that an earlier session asked for may still move the log.
  if (now < ask_at_ || op_) return;
  LogPosition position = log_.position();
  if (options_.fault == ReplicationFault::kForgetOwed) position.owed.reset();
  ready->send.push_back(Follow{session_, std::move(position), slots_});
  ask_at_ = now + options_.stream.retry_ms;
}

void ReplicaSession::fill_hand_over(TimeMs now) {
  for (size_t room = hand_over_->room(); room > 0; room = hand_over_->room()) {
    std::string records;
    if (own_log_) {
      Result<std::string> bytes = own_log_->read(room);
      if (!bytes.ok()) return fail(std::string(bytes.status().message()), now);
      records = std::move(*bytes);
    } else {
      Result<bool> more = own_rows_->next(room, &records);
      if (!more.ok()) {
        if (more.status().is(StatusCode::kIncomplete)) return;
        return fail(std::string(more.status().message()), now);
      }
    }
    if (records.empty()) {
      hand_over_->finish();
    } else {
      hand_over_->push(std::move(records));
    }
  }
}

void ReplicaSession::send_ack(TimeMs now, Ready* ready) {
  if (!begin_) return;
  ReplicaAck ack;
  ack.session = session_;
  ack.log_received = log_in_->received();
  // Once the copy has arrived, all of it is acknowledged, its end as well.
  ack.copy_received = copy_in_ ? copy_in_->received() : UINT64_MAX;
  ack.following = state_ == State::kFollowing && op_ != StoreOp::Kind::kFollow;
  if (ack.following) {
    ack.applied = log_.offset();
    ack.acknowledged = std::min(acknowledged_, ack.applied);
    if (options_.fault == ReplicationFault::kAckReceived) {
      ack.applied = ack.acknowledged = log_in_->received();
    }
  }
  if (sent_ack_ && same(*sent_ack_, ack) && now < ack_at_) return;
  ready->send.push_back(ack);
  sent_ack_ = ack;
  ack_at_ = now + options_.heartbeat_ms;
}

ReplicaSession::Ready ReplicaSession::take_ready(TimeMs now) {
  Ready ready;
  if (in_session() && now >= heard_since_ + options_.timeout_ms) {
    fail("the primary hasn't been heard for too long", now);
  }
  if (state_ == State::kHandingOver) fill_hand_over(now);
  if (begin_ && !op_) {
    ready.op = next_op();
    if (ready.op) {
      op_ = ready.op->kind;
      op_session_ = session_;
    }
  }
  ready.disconnect = std::exchange(disconnect_, false);
  if (state_ == State::kIdle && now >= connect_at_) {
    state_ = State::kConnecting;
    ready.connect = true;
  }
  if (!in_session()) return ready;
  ask(now, &ready);
  if (state_ == State::kHandingOver) {
    std::vector<StreamPiece> pieces;
    hand_over_->collect(now, &pieces);
    for (StreamPiece& piece : pieces) {
      ready.send.push_back(HandOverData{session_, std::move(piece)});
    }
  }
  send_ack(now, &ready);
  return ready;
}

TimeMs ReplicaSession::next_deadline() const {
  if (state_ == State::kIdle) return connect_at_;
  if (state_ == State::kConnecting) return UINT64_MAX;
  TimeMs deadline = heard_since_ + options_.timeout_ms;
  if (!op_) deadline = std::min(deadline, ask_at_);
  if (hand_over_) deadline = std::min(deadline, hand_over_->next_deadline());
  return std::min(deadline, ack_at_);
}

}  // namespace syntropy
