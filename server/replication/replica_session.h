// ReplicaSession: a replica's side of following its primary (message.h has the conversation).
//
// It connects, says where it stands, hands over what only it has, and applies what comes: each step
// on the store is handed out as a StoreOp for LogApplier (storage/log_applier.h) or for a
// comparison of rows (comparison.h), one at a time, and the session goes on when it has been done.
// It tells the primary what is applied and what is acknowledged (storage/replication_log.h says
// what these mean). When anything fails, or the primary isn't heard for timeout_ms, it connects
// anew after a back-off, from wherever the store stands.
//
// The node must have stopped to write when the session starts.
//
// Thread safety: one thread. No socket, thread or clock inside; the log is read in take_ready()
// alone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "membership/entry.h"
#include "server/replication/comparison.h"
#include "server/replication/message.h"
#include "server/replication/primary_session.h"
#include "server/replication/row_sessions.h"
#include "server/replication/stream.h"
#include "storage/base/random.h"
#include "storage/base/status.h"
#include "storage/replication_log.h"

namespace syntropy {

/// One call of LogApplier, or one step of a comparison.
struct StoreOp {
  enum class Kind { kFollow, kAppend, kMerge, kArrive, kCompare };
  Kind kind = Kind::kAppend;
  ReplicationSessionId session = 0;
  History history;               // kFollow, kArrive
  uint64_t offset = 0;           // kFollow, kAppend, kArrive
  std::optional<LogPoint> owed;  // kFollow
  std::string records;           // kAppend, kMerge; of kArrive: what was purged meanwhile
  LogPoint source;               // kMerge
  std::optional<ComparisonAsker::Work> comparison;  // kCompare

  /// Whether it says where in the primary's log the store is: of no other may the session be told
  /// that it is acknowledged(). A comparison may come before kFollow, when the log is another one.
  bool moves_log() const { return kind != Kind::kMerge && kind != Kind::kCompare; }
};
struct StoreOpResult {
  Status status;
  RowStep step;  // kCompare
};

class LogApplier;

/// Does it. Errors as those of LogApplier and RowQuestions.
StoreOpResult apply_store_op(LogApplier& applier, const StoreOp& op);

class ReplicaSession {
 public:
  enum class State {
    kIdle,         // until the back-off is over
    kConnecting,   // the driver is at it
    kAsking,       // connected; the primary hasn't answered
    kHandingOver,  // what only this node has
    kCopying,      // rows that differ, and the log
    kFollowing,    // the log alone
  };

  struct Ready {
    /// End the connection, if there is one, before anything else.
    bool disconnect = false;
    /// Make a connection; connected() or disconnected() follows.
    bool connect = false;
    std::vector<ReplicaMessage> send;
    /// What is to be done on the store; stored() follows. Nothing more is asked for until then.
    std::optional<StoreOp> op;
  };

  /// `slots`: whose rows are compared. `log`, `rows` and `random` must outlive the session.
  /// Connects at once.
  ReplicaSession(ReplicationLog& log, RowSessions& rows, SlotRanges slots,
                 const ReplicationSessionOptions& options, Random& random, TimeMs now);

  void connected(TimeMs now);
  /// The connection is gone, or could not be made.
  void disconnected(TimeMs now);
  void step(const PrimaryMessage& message, TimeMs now);
  void stored(const StoreOpResult& result, TimeMs now);
  /// What the store had applied when its log ended at `offset`, by a StoreOp of `session` that
  /// moves_log(), is as durable as this node promises. Of another session than the present one it
  /// says nothing: the log may have gone back since.
  void acknowledged(ReplicationSessionId session, uint64_t offset);

  /// To be called after each of these and at next_deadline().
  Ready take_ready(TimeMs now);
  TimeMs next_deadline() const;

  State state() const { return state_; }
  /// The last message of the primary came then. 0: none yet.
  TimeMs last_heard() const { return last_heard_; }
  /// Where the primary's log ended when it was last heard: how far this node is behind.
  uint64_t primary_log_end() const { return primary_log_end_; }
  /// Rows that have come with the comparison that is under way, or the last one of this session.
  uint64_t pulled_rows() const { return pulled_rows_; }
  /// Why the last try ended; empty when none has.
  const std::string& last_error() const { return last_error_; }

 private:
  void on(const Refused& message, TimeMs now);
  void on(const HandOver& message, TimeMs now);
  void on(const HandOverAck& message, TimeMs now);
  void on(const Begin& message, TimeMs now);
  void on(const LogData& message, TimeMs now);
  void on(const PrimaryHeartbeat& message, TimeMs now);
  void on(const Compare& message, TimeMs now);
  void on(const AskAck& message, TimeMs now);
  void on(const Reply& message, TimeMs now);

  void fail(std::string reason, TimeMs now);
  void forget_session();
  void ask(TimeMs now, Ready* ready);
  void fill_hand_over(TimeMs now);
  void begin_comparison(uint64_t round, ComparisonAsker::Purpose purpose, RowFlow flow,
                        StoreMarks theirs, uint64_t offset);
  std::optional<StoreOp> next_op();
  std::optional<StoreOp> next_log_op();
  std::optional<StoreOp> next_comparison_op();
  void send_ack(TimeMs now, Ready* ready);
  bool in_session() const { return state_ >= State::kAsking; }

  ReplicationLog& log_;
  RowSessions& rows_;
  const SlotRanges slots_;
  const ReplicationSessionOptions options_;
  Random& random_;

  State state_ = State::kIdle;
  bool disconnect_ = false;
  TimeMs connect_at_;
  TimeMs backoff_ms_;
  TimeMs last_heard_ = 0;
  TimeMs heard_since_ = 0;  // the timeout counts from here
  uint64_t primary_log_end_ = 0;
  std::string last_error_;

  ReplicationSessionId session_ = 0;
  TimeMs ask_at_ = UINT64_MAX;

  // Handing over from the log. By rows: comparison_.
  std::unique_ptr<LogReader> own_log_;
  std::optional<StreamSender> hand_over_;

  // Following.
  std::optional<Begin> begin_;
  bool follow_asked_ = false;
  std::optional<RecordReceiver> log_in_;
  std::optional<ComparisonAsker> comparison_;
  uint64_t pulled_rows_ = 0;
  LogRecordBuilder purges_;          // of the log while rows come: for kArrive
  bool comparison_next_ = false;     // rows and log take turns
  std::optional<StoreOp::Kind> op_;  // under way; outlives the session that asked for it
  ReplicationSessionId op_session_ = 0;
  uint64_t acknowledged_ = 0;
  std::optional<ReplicaAck> sent_ack_;
  TimeMs ack_at_ = UINT64_MAX;
};

}  // namespace syntropy
