#include "server/replication/replica_session.h"

#include <algorithm>
#include <utility>

#include "storage/log_applier.h"

namespace syntropy {
namespace {

bool same(const ReplicaAck& a, const ReplicaAck& b) {
  return a.log_received == b.log_received && a.following == b.following && a.applied == b.applied &&
         a.acknowledged == b.acknowledged;
}

}  // namespace

StoreOpResult apply_store_op(LogApplier& applier, const StoreOp& op) {
  switch (op.kind) {
    case StoreOp::Kind::kFollow:
      return {applier.follow(op.history, op.offset, op.owed), {}};
    case StoreOp::Kind::kAppend:
      return {applier.append(op.offset, op.records), {}};
    case StoreOp::Kind::kMerge:
      return {applier.merge(op.records, op.source), {}};
    case StoreOp::Kind::kArrive: {
      const Status purged = op.records.empty() ? Status() : applier.purge_as_told(op.records);
      if (!purged.ok()) return {purged, {}};
      return {applier.arrive(op.history, op.offset), {}};
    }
    case StoreOp::Kind::kCompare:
      break;
  }
  Result<RowStep> step = ask_work(*op.comparison);
  if (!step.ok()) return {step.status(), {}};
  return {{}, std::move(*step)};
}

ReplicaSession::ReplicaSession(ReplicationLog& log, RowSessions& rows, SlotRanges slots,
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
  hand_over_.reset();
  begin_.reset();
  follow_asked_ = false;
  log_in_.reset();
  comparison_.reset();
  purges_.clear();
  pulled_rows_ = 0;
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

void ReplicaSession::begin_comparison(uint64_t round, ComparisonAsker::Purpose purpose,
                                      RowFlow flow, StoreMarks theirs, uint64_t offset) {
  comparison_.emplace(round, purpose, rows_.questions(flow, slots_), std::move(theirs), offset,
                      options_.stream);
}

void ReplicaSession::on(const HandOver& message, TimeMs) {
  if (state_ != State::kAsking) return;
  state_ = State::kHandingOver;
  if (message.common && log_.covers(*message.common)) {
    hand_over_.emplace(0, options_.stream);
    own_log_ = std::make_unique<LogReader>(log_, *message.common);
  } else {
    begin_comparison(kHandOverRound, ComparisonAsker::Purpose::kHandOver, RowFlow::kPush, {}, 0);
  }
}

void ReplicaSession::on(const HandOverAck& message, TimeMs now) {
  if (hand_over_) hand_over_->acknowledged(message.received, now);
}

void ReplicaSession::on(const Begin& message, TimeMs now) {
  if (begin_) {  // it had not seen our answer
    sent_ack_.reset();
    return;
  }
  if (state_ == State::kHandingOver &&
      !(hand_over_ ? hand_over_->finished() : comparison_->done())) {
    return;
  }
  if (message.history.empty() || (message.common && *message.common > log_.offset()) ||
      (!message.copy && message.common != message.log_offset)) {
    return fail("the primary says what can't be", now);
  }
  own_log_.reset();
  hand_over_.reset();
  comparison_.reset();
  ask_at_ = UINT64_MAX;
  begin_ = message;
  log_in_.emplace(message.log_offset);
  if (message.copy) {
    begin_comparison(kCopyRound, ComparisonAsker::Purpose::kCopy, RowFlow::kPull, message.marks, 0);
  }
  state_ = message.copy ? State::kCopying : State::kFollowing;
  backoff_ms_ = options_.backoff_min_ms;
}

void ReplicaSession::on(const LogData& message, TimeMs now) {
  primary_log_end_ = message.log_end;
  if (!log_in_) return;  // Begin has yet to come: it will be sent again
  const uint64_t before = log_in_->received();
  const Status accepted = log_in_->accept(message.piece);
  if (!accepted.ok()) return fail(std::string(accepted.message()), now);
  // Nothing new: the acknowledgement was lost, or is late.
  if (log_in_->received() == before && !log_in_->has_records()) sent_ack_.reset();
}

void ReplicaSession::on(const PrimaryHeartbeat& message, TimeMs) {
  primary_log_end_ = message.log_end;
}

void ReplicaSession::on(const Compare& message, TimeMs) {
  if (state_ != State::kFollowing || message.round <= kCopyRound) return;
  // One at a time; the message comes again.
  if (comparison_ && (!comparison_->done() || comparison_->round() >= message.round)) return;
  begin_comparison(message.round, ComparisonAsker::Purpose::kCheck, RowFlow::kBoth, message.marks,
                   message.offset);
  if (log_in_->taken() > message.offset) comparison_->give_up();
}

void ReplicaSession::on(const AskAck& message, TimeMs now) {
  if (!comparison_ || comparison_->round() != message.round) return;
  comparison_->acknowledged(message.received, now);
}

void ReplicaSession::on(const Reply& message, TimeMs now) {
  if (!comparison_ || comparison_->round() != message.round) return;
  const Status accepted = comparison_->accept(message.piece);
  if (!accepted.ok()) fail(std::string(accepted.message()), now);
}

void ReplicaSession::stored(const StoreOpResult& result, TimeMs now) {
  const std::optional<StoreOp::Kind> kind = std::exchange(op_, std::nullopt);
  if (!kind || op_session_ != session_ || session_ == 0) return;
  if (*kind == StoreOp::Kind::kCompare && result.status.is(StatusCode::kUnavailable) &&
      comparison_ && comparison_->purpose() == ComparisonAsker::Purpose::kCheck) {
    return comparison_->give_up();  // the trees are being made; it will be asked again
  }
  if (!result.status.ok()) return fail(std::string(result.status.message()), now);
  if (*kind == StoreOp::Kind::kCompare && comparison_) {
    pulled_rows_ = result.step.pulled;
    comparison_->worked(result.step);
  }
  if (*kind == StoreOp::Kind::kArrive) {
    begin_->copy = false;
    state_ = State::kFollowing;
  }
}

void ReplicaSession::acknowledged(ReplicationSessionId session, uint64_t offset) {
  if (session == session_) acknowledged_ = std::max(acknowledged_, offset);
}

std::optional<StoreOp> ReplicaSession::next_op() {
  if (!begin_) return next_comparison_op();
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
  if (state_ == State::kCopying && comparison_->done()) {
    // What has come of the log and is not merged yet is appended then.
    op.kind = StoreOp::Kind::kArrive;
    op.history = begin_->history;
    op.offset = log_in_->taken();
    if (!purges_.empty()) op.records = *purges_.take();
    return op;
  }
  std::optional<StoreOp> next;
  if (comparison_next_) next = next_comparison_op();
  const bool compared = next.has_value();
  if (!next) next = next_log_op();
  if (!next) next = next_comparison_op();
  comparison_next_ = !compared;
  return next;
}

std::optional<StoreOp> ReplicaSession::next_log_op() {
  if (!log_in_->has_records()) return std::nullopt;
  StoreOp op;
  op.session = session_;
  if (state_ == State::kCopying) {
    op.kind = StoreOp::Kind::kMerge;
    op.records = log_in_->take(options_.store_bytes);
    // Records that can't be read fail in the store.
    (void)LogApplier::add_purges(op.records, &purges_);
    op.source = {begin_->history.back().id, log_in_->taken()};
    return op;
  }
  uint64_t end = UINT64_MAX;
  if (comparison_ && !comparison_->begun() && !comparison_->done()) end = comparison_->offset();
  op.kind = StoreOp::Kind::kAppend;
  op.offset = log_in_->taken();
  if (op.offset >= end) return std::nullopt;
  op.records = log_in_->take(options_.store_bytes, end);
  return op;
}

std::optional<StoreOp> ReplicaSession::next_comparison_op() {
  if (!comparison_ || !comparison_->has_work()) return std::nullopt;
  LogPoint source;
  if (log_in_) source = {begin_->history.back().id, log_in_->taken()};
  const bool check = comparison_->purpose() == ComparisonAsker::Purpose::kCheck &&
                     options_.fault != ReplicationFault::kCheckAnywhere;
  if (check && !comparison_->begun() && source.offset != comparison_->offset()) return std::nullopt;
  StoreOp op;
  op.kind = StoreOp::Kind::kCompare;
  op.session = session_;
  op.comparison = comparison_->take_work(source);
  return op;
}

void ReplicaSession::ask(TimeMs now, Ready* ready) {
  // A step on the store that an earlier session asked for may still move the log.
  if (now < ask_at_ || op_) return;
  LogPosition position = log_.position();
  if (options_.fault == ReplicationFault::kForgetOwed) position.owed.reset();
  ready->send.push_back(Follow{session_, std::move(position), rows_.purged_for_sure()});
  ask_at_ = now + options_.stream.retry_ms;
}

void ReplicaSession::fill_hand_over(TimeMs now) {
  for (size_t room = hand_over_->room(); room > 0; room = hand_over_->room()) {
    Result<std::string> bytes = own_log_->read(room);
    if (!bytes.ok()) return fail(std::string(bytes.status().message()), now);
    if (bytes->empty()) {
      hand_over_->finish();
    } else {
      hand_over_->push(std::move(*bytes));
    }
  }
}

void ReplicaSession::send_ack(TimeMs now, Ready* ready) {
  if (!begin_) return;
  ReplicaAck ack;
  ack.session = session_;
  ack.log_received = log_in_->received();
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
  if (hand_over_) fill_hand_over(now);
  if (!op_) {
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
  if (hand_over_) {
    std::vector<StreamPiece> pieces;
    hand_over_->collect(now, &pieces);
    for (StreamPiece& piece : pieces) {
      ready.send.push_back(HandOverData{session_, std::move(piece)});
    }
  }
  if (comparison_) comparison_->collect(session_, now, &ready.send);
  send_ack(now, &ready);
  return ready;
}

TimeMs ReplicaSession::next_deadline() const {
  if (state_ == State::kIdle) return connect_at_;
  if (state_ == State::kConnecting) return UINT64_MAX;
  TimeMs deadline = heard_since_ + options_.timeout_ms;
  if (!op_) deadline = std::min(deadline, ask_at_);
  if (hand_over_) deadline = std::min(deadline, hand_over_->next_deadline());
  if (comparison_) deadline = std::min(deadline, comparison_->next_deadline());
  return std::min(deadline, ack_at_);
}

}  // namespace syntropy
