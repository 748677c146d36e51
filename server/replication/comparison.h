// A comparison of the rows of a replica with those of its primary, within a session of theirs
// (message.h): the replica asks, the primary answers, over two streams (stream.h). Rows are of one
// moment on either side (row_sessions.h).
//
//   replica   ComparisonAsker   Ask  ---->   ComparisonAnswerer   primary
//                               <---- Reply
//
// Both streams carry records of the shape that stream.h wants:
//
//   ask   := body_bytes:u32 01 what                                     (little-endian)
//   what  := 01 flushes:rest           of the replica, to be taken over before rows are frozen
//          | 02 request:rest           merkle/reconcile_message.h
//          | 03 differences:varint     the end: rows in which both differed, and differ no more
//          | 04                        the end: it could not be begun
//          | 05 purges:rest            a log record of what the replica has purged, and the
//                                      primary hasn't
//   reply := body_bytes:u32 01 00 reply:rest
//          | body_bytes:u32 01 01 reply_bytes:varint lzf:rest            if that is shorter
//
// Thread safety: one thread. No I/O: what takes time is handed out as work.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "membership/entry.h"
#include "server/replication/message.h"
#include "server/replication/row_sessions.h"
#include "server/replication/stream.h"
#include "storage/base/status.h"

namespace syntropy {

class ComparisonAsker {
 public:
  enum class Purpose : uint8_t {
    kHandOver,  // the primary may lack rows that this node has
    kCopy,      // the other way round, and the log doesn't tell which
    kCheck,     // nothing should differ: both stand at the same point of one log
    kMove,      // slots go to the other side, which has flushes of its own
  };
  struct Work {
    std::shared_ptr<RowQuestions> questions;
    std::optional<StoreMarks> begin;   // the first step
    std::vector<std::string> replies;  // of a later one; packed
    LogPoint source;
  };

  /// `offset`: kCheck begins when this node's log is there.
  ComparisonAsker(uint64_t round, Purpose purpose, std::shared_ptr<RowQuestions> questions,
                  StoreMarks theirs, uint64_t offset, const StreamOptions& options);

  uint64_t round() const { return round_; }
  Purpose purpose() const { return purpose_; }
  uint64_t offset() const { return offset_; }
  bool begun() const { return begun_; }
  /// It can't be begun any more; the other side is told so.
  void give_up();

  bool has_work() const { return !working_ && !done_ && (!begun_ || replies_.has_records()); }
  /// has_work() must be true; worked() follows.
  Work take_work(const LogPoint& source);
  void worked(const RowStep& step);
  /// All differences are found and moved.
  bool done() const { return done_; }
  /// And the other side has heard so.
  bool all_asked() const { return asks_.all_acknowledged(); }

  Status accept(const StreamPiece& piece);
  void acknowledged(uint64_t received, TimeMs now) { asks_.acknowledged(received, now); }
  /// Appends what is to be sent now.
  void collect(ReplicationSessionId session, TimeMs now, std::vector<ReplicaMessage>* messages);
  TimeMs next_deadline() const { return asks_.next_deadline(); }

 private:
  void ask(uint8_t what, std::string_view bytes);
  void end();

  const uint64_t round_;
  const Purpose purpose_;
  std::shared_ptr<RowQuestions> questions_;  // until it is done: it holds frozen rows
  const StoreMarks theirs_;
  const uint64_t offset_;
  StreamSender asks_;
  RecordReceiver replies_{0};
  bool begun_ = false;
  bool working_ = false;
  bool done_ = false;
  bool ack_due_ = false;
  uint64_t acked_ = 0;
};

class ComparisonAnswerer {
 public:
  struct Work {
    enum class Kind : uint8_t { kFreeze, kAnswer, kPurge };
    std::shared_ptr<RowAnswers> rows;
    Kind kind = Kind::kAnswer;
    std::string bytes;  // the replica's flushes; a request; what it has purged
  };
  struct End {
    bool missed = false;  // it could not be begun
    uint64_t differences = 0;
  };

  /// `told_flushes`: rows are frozen once the replica has told its flush stamps; else at once.
  /// `rate`: of replies, packed as they may be.
  ComparisonAnswerer(uint64_t round, std::shared_ptr<RowAnswers> rows, bool told_flushes,
                     const CompareRate& rate, const StreamOptions& options);

  uint64_t round() const { return round_; }
  /// Null before they are frozen, and after the end.
  const RowAnswers* rows() const { return frozen_ ? rows_.get() : nullptr; }
  const std::optional<End>& end() const { return end_; }

  /// What is to be done now, if anything; worked() follows. kCorruption: that was no ask.
  Result<std::optional<Work>> take_work(TimeMs now);
  bool working() const { return working_; }
  /// kUnavailable of a freeze: it is tried again after a while. Else returns the error.
  Status worked(const Result<std::string>& reply, TimeMs now);

  Status accept(const StreamPiece& piece);
  void acknowledged(uint64_t received, TimeMs now) { replies_.acknowledged(received, now); }
  void collect(ReplicationSessionId session, TimeMs now, std::vector<PrimaryMessage>* messages);
  TimeMs next_deadline() const;

 private:
  Result<std::optional<Work>> hear(std::string_view what);

  const uint64_t round_;
  std::shared_ptr<RowAnswers> rows_;
  StreamSender replies_;
  RecordReceiver asks_{0};
  const CompareRate rate_;
  uint64_t rows_read_ = 0;  // for answers that were paid for
  TimeMs work_at_ = 0;      // when the last began
  TimeMs answer_at_ = 0;    // not before
  TimeMs freeze_at_;        // UINT64_MAX: not yet, or done
  std::string flushes_;
  bool frozen_ = false;
  bool working_ = false;
  Work::Kind work_ = Work::Kind::kFreeze;
  std::optional<End> end_;
  bool ack_due_ = false;
  uint64_t acked_ = 0;
};

/// Does it. Errors as those of RowAnswers and RowQuestions; kCorruption: those are no replies.
Result<std::string> answer_work(const ComparisonAnswerer::Work& work);
Result<RowStep> ask_work(const ComparisonAsker::Work& work);

}  // namespace syntropy
