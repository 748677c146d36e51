#include "server/replication/comparison.h"

#include <lzf.h>

#include <algorithm>
#include <utility>

#include "storage/base/coding.h"
#include "storage/log_record.h"

namespace syntropy {
namespace {

constexpr TimeMs kFreezeRetryMs = 500;  // trees that are being made take seconds

enum What : uint8_t { kFlushes = 1, kRequest, kEnd, kMissed, kPurges };

std::string record_of(std::string_view head, std::string_view body) {
  std::string record;
  record.reserve(kLogRecordHeaderBytes + 1 + head.size() + body.size());
  put_fixed32_le(&record, static_cast<uint32_t>(1 + head.size() + body.size()));
  record.push_back(static_cast<char>(kLogRecordFormat));
  record.append(head).append(body);
  return record;
}

std::string_view body_of(std::string_view record) {
  return record.substr(kLogRecordHeaderBytes + 1);
}

constexpr size_t kCompressedFrom = 512;   // bytes of a reply
constexpr uint64_t kMostExpansion = 100;  // of LZF: three bytes stand for 264 at most
constexpr uint64_t kMostReplyBytes = uint64_t{1} << 31;  // of a compressed one

// What the record of a reply holds.
std::string pack(const std::string& reply) {
  if (reply.size() >= kCompressedFrom && reply.size() <= kMostReplyBytes) {
    std::string packed(1, '\1');
    put_varint64(&packed, reply.size());
    const size_t head = packed.size();
    packed.resize(reply.size());
    packed.resize(head + lzf_compress(reply.data(), static_cast<unsigned>(reply.size()),
                                      packed.data() + head,
                                      static_cast<unsigned>(packed.size() - head)));
    if (packed.size() > head) return packed;
  }
  return '\0' + reply;
}

Result<std::string> unpack(std::string_view body) {
  ByteReader in(body);
  uint8_t packed = 0;
  uint64_t bytes = 0;
  if (!in.read_u8(&packed) || packed > 1) return Status::corruption("a reply of unknown shape");
  if (packed == 0) return std::string(in.rest());
  if (!in.read_varint64(&bytes) || bytes > kMostReplyBytes ||
      bytes > kMostExpansion * in.rest().size()) {
    return Status::corruption("a compressed reply of no such size");
  }
  std::string reply(bytes, '\0');
  const unsigned got = lzf_decompress(in.rest().data(), static_cast<unsigned>(in.rest().size()),
                                      reply.data(), static_cast<unsigned>(reply.size()));
  if (got != bytes) return Status::corruption("a compressed reply that can't be read");
  return reply;
}

// Whether the other side has to be told of what `stream` has received.
bool take_ack(const RecordReceiver& stream, bool* due, uint64_t* acked) {
  const bool changed = std::exchange(*acked, stream.received()) != stream.received();
  return std::exchange(*due, false) || changed;
}

}  // namespace

// --- the replica's side --------------------------------------------------------------------------

ComparisonAsker::ComparisonAsker(uint64_t round, Purpose purpose,
                                 std::shared_ptr<RowQuestions> questions, StoreMarks theirs,
                                 uint64_t offset, const StreamOptions& options)
    : round_(round),
      purpose_(purpose),
      questions_(std::move(questions)),
      theirs_(std::move(theirs)),
      offset_(offset),
      asks_(0, options) {}

void ComparisonAsker::ask(uint8_t what, std::string_view bytes) {
  const char head = static_cast<char>(what);
  asks_.push(record_of({&head, 1}, bytes));
}

void ComparisonAsker::give_up() {
  ask(kMissed, {});
  end();
}

void ComparisonAsker::end() {
  asks_.finish();
  done_ = true;
  questions_.reset();
}

ComparisonAsker::Work ComparisonAsker::take_work(const LogPoint& source) {
  working_ = true;
  Work work{questions_, std::nullopt, {}, source};
  if (!std::exchange(begun_, true)) work.begin = theirs_;
  while (replies_.has_records()) work.replies.emplace_back(body_of(replies_.take(1)));
  return work;
}

void ComparisonAsker::worked(const RowStep& step) {
  working_ = false;
  if (done_) return;
  // Otherwise the primary's rows are frozen already, and it has what flushed rows here.
  if (asks_.next_offset() == 0) {
    if (purpose_ == Purpose::kHandOver) ask(kFlushes, step.flushes);
    if (purpose_ == Purpose::kMove) ask(kFlushes, {});
  }
  for (const std::string& request : step.requests) ask(kRequest, request);
  if (!step.purges.empty()) ask(kPurges, step.purges);
  if (!step.done) return;
  std::string differences;
  put_varint64(&differences, step.differences);
  ask(kEnd, differences);
  end();
}

Status ComparisonAsker::accept(const StreamPiece& piece) {
  ack_due_ = true;
  return replies_.accept(piece);
}

void ComparisonAsker::collect(ReplicationSessionId session, TimeMs now,
                              std::vector<ReplicaMessage>* messages) {
  if (take_ack(replies_, &ack_due_, &acked_)) {
    messages->emplace_back(ReplyAck{session, round_, replies_.received()});
  }
  std::vector<StreamPiece> pieces;
  asks_.collect(now, &pieces);
  for (StreamPiece& piece : pieces) messages->emplace_back(Ask{session, round_, std::move(piece)});
}

// --- the primary's side --------------------------------------------------------------------------

ComparisonAnswerer::ComparisonAnswerer(uint64_t round, std::shared_ptr<RowAnswers> rows,
                                       bool told_flushes, const CompareRate& rate,
                                       const StreamOptions& options)
    : round_(round),
      rows_(std::move(rows)),
      replies_(0, options),
      rate_(rate),
      freeze_at_(told_flushes ? UINT64_MAX : 0) {}

Result<std::optional<ComparisonAnswerer::Work>> ComparisonAnswerer::hear(std::string_view what) {
  ByteReader in(what);
  uint8_t kind = 0;
  in.read_u8(&kind);
  if (kind == kFlushes && !frozen_) {
    flushes_ = in.rest();
    freeze_at_ = 0;
    return std::optional<Work>();
  }
  if (frozen_ && (kind == kRequest || kind == kPurges)) {
    const auto work = kind == kRequest ? Work::Kind::kAnswer : Work::Kind::kPurge;
    return std::optional(Work{rows_, work, std::string(in.rest())});
  }
  if (kind == kEnd || kind == kMissed) {
    end_.emplace().missed = kind == kMissed;
    if (kind == kEnd) in.read_varint64(&end_->differences);
    if (in.ok()) {
      rows_.reset();
      frozen_ = false;
      return std::optional<Work>();
    }
  }
  return Status::corruption("a replica asks what can't be asked");
}

Result<std::optional<ComparisonAnswerer::Work>> ComparisonAnswerer::take_work(TimeMs now) {
  std::optional<Work> work;
  while (!working_ && !end_ && !work) {
    if (freeze_at_ != UINT64_MAX) {
      if (now < freeze_at_) break;
      freeze_at_ = UINT64_MAX;
      work = Work{rows_, Work::Kind::kFreeze, flushes_};
    } else {
      if (!asks_.has_records() || replies_.room() == 0 || now < answer_at_) break;
      Result<std::optional<Work>> heard = hear(body_of(asks_.take(1)));
      if (!heard.ok()) return heard;
      work = std::move(*heard);
    }
  }
  if (work) {
    working_ = true;
    work_ = work->kind;
    work_at_ = now;
  }
  return work;
}

Status ComparisonAnswerer::worked(const Result<std::string>& reply, TimeMs now) {
  working_ = false;
  if (!frozen_) {
    if (reply.ok()) {
      frozen_ = true;
    } else if (reply.status().is(StatusCode::kUnavailable)) {
      freeze_at_ = now + kFreezeRetryMs;
    } else {
      return reply.status();
    }
    return {};
  }
  if (!reply.ok() || work_ == Work::Kind::kPurge) return reply.status();
  const uint64_t read = rows_->rows_read();
  const TimeMs pause =
      rate_.pause_after(reply->size(), read - std::exchange(rows_read_, read), now - work_at_);
  answer_at_ = pause == 0 ? 0 : now + pause;
  replies_.push(record_of({}, *reply));
  return {};
}

Status ComparisonAnswerer::accept(const StreamPiece& piece) {
  ack_due_ = true;
  return asks_.accept(piece);
}

void ComparisonAnswerer::collect(ReplicationSessionId session, TimeMs now,
                                 std::vector<PrimaryMessage>* messages) {
  if (take_ack(asks_, &ack_due_, &acked_)) {
    messages->emplace_back(AskAck{session, round_, asks_.received()});
  }
  std::vector<StreamPiece> pieces;
  replies_.collect(now, &pieces);
  for (StreamPiece& piece : pieces)
    messages->emplace_back(Reply{session, round_, std::move(piece)});
}

TimeMs ComparisonAnswerer::next_deadline() const {
  const TimeMs deadline = std::min(freeze_at_, replies_.next_deadline());
  // Else something else has to happen first.
  const bool waits =
      answer_at_ != 0 && asks_.has_records() && !working_ && !end_ && replies_.room() != 0;
  return waits ? std::min(deadline, answer_at_) : deadline;
}

Result<std::string> answer_work(const ComparisonAnswerer::Work& work) {
  using Kind = ComparisonAnswerer::Work::Kind;
  if (work.kind == Kind::kAnswer) return pack(work.rows->answer(work.bytes));
  const Status done =
      work.kind == Kind::kFreeze ? work.rows->freeze(work.bytes) : work.rows->purge(work.bytes);
  if (!done.ok()) return done;
  return std::string();
}

Result<RowStep> ask_work(const ComparisonAsker::Work& work) {
  if (work.begin) return work.questions->begin(*work.begin, work.source);
  std::vector<std::string> replies;
  for (const std::string& body : work.replies) {
    Result<std::string> reply = unpack(body);
    if (!reply.ok()) return reply.status();
    replies.push_back(std::move(*reply));
  }
  return work.questions->go_on(replies, work.source);
}

}  // namespace syntropy
