// PrimarySession: a primary's side of one replica that follows it (message.h has the conversation).
//
// It decides with what the replica begins (follow_plan.h), lets it hand over first what the primary
// lacks, and then streams the log from the point up to which both are the same. Where the backlog
// doesn't reach back that far, rows are compared beside it (comparison.h), those of the primary as
// of the moment from which the log is sent; the replica merges what differs, so nothing that it has
// is wiped, and nothing needs to be kept back for the end. The session ends when the backlog no
// longer has what it must send next, when the replica isn't heard for timeout_ms, or when this node
// is no longer the writer of the lineage.
//
// Anti-entropy. Every check_interval_ms the rows of both are compared as of one point of the log,
// at which they must be equal whatever is written: that takes one round trip, and what differs all
// the same is mended.
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
#include "server/replication/follow_plan.h"
#include "server/replication/message.h"
#include "server/replication/row_sessions.h"
#include "server/replication/stream.h"
#include "storage/base/status.h"
#include "storage/replication_log.h"

namespace syntropy {

/// What a test breaks on purpose, to see that it is found.
enum class ReplicationFault : uint8_t {
  kNone,
  kNoHandOver,     // a primary believes that nobody has rows that it lacks
  kAckReceived,    // a replica says that it has applied what it has received
  kForgetOwed,     // a replica doesn't say what it owes
  kCheckAnywhere,  // a replica compares its rows wherever its log is
};

struct ReplicationSessionOptions {
  StreamOptions stream;
  size_t store_bytes = size_t{512} << 10;  // merged in one commit at most, but a whole record
  TimeMs heartbeat_ms = 1000;              // repl-ping-replica-period
  TimeMs timeout_ms = 60'000;              // repl-timeout: silence that ends a session
  CompareRate compare_rate;                // anti-entropy-rate, anti-entropy-row-rate
  TimeMs check_interval_ms = 0;            // anti-entropy-interval; 0: no checks
  TimeMs backoff_min_ms = 100;             // of a replica that tries again, doubling...
  TimeMs backoff_max_ms = 5000;            // ...up to here, each drawn from the upper half
  ReplicationFault fault = ReplicationFault::kNone;
};

class PrimarySession {
 public:
  /// What for INFO and ROLE is wait_bgsave, send_bulk and online.
  enum class State { kWaiting, kTakingOver, kCopying, kStreaming, kClosed };

  struct Ready {
    std::vector<PrimaryMessage> send;
    /// Whole records to merge by LogApplier::take_over(), whose result goes to taken_over().
    /// Nothing more is asked for until then.
    std::optional<std::string> take_over;
    /// What is to be done for a comparison, by answer_work(), whose result goes to answered().
    /// Nothing more is asked for until then.
    std::optional<ComparisonAnswerer::Work> answer;
    /// The rows of the replica are taken over by that: it changes the store.
    bool answer_changes = false;
    /// With what take_over is merged.
    LogApplier::Purged purged = LogApplier::Purged::kDropped;
    /// The session is over: send what is in `send`, then end the connection.
    bool close = false;
  };

  /// `log` and `rows` must outlive the session.
  PrimarySession(ReplicationLog& log, RowSessions& rows, const ReplicationSessionOptions& options,
                 TimeMs now);

  void step(const ReplicaMessage& message, TimeMs now);
  void taken_over(const Result<LogPoint>& result);
  void answered(const Result<std::string>& result, TimeMs now);
  /// To be called after each of these, at next_deadline(), and when the log has grown.
  Ready take_ready(TimeMs now);
  TimeMs next_deadline() const;

  State state() const { return state_; }
  /// The replica has this much of the log, as durable as it promises (ReplicaAck). 0 until it
  /// follows by the log alone.
  uint64_t acknowledged() const { return ack_.following ? ack_.acknowledged : 0; }
  uint64_t applied() const { return ack_.following ? ack_.applied : 0; }
  bool following() const { return ack_.following; }
  /// When the replica was last heard.
  TimeMs last_heard() const { return last_heard_; }
  /// Why the session was closed; empty while it isn't.
  const std::string& closed_because() const { return closed_because_; }
  /// Whether rows were compared to begin with, for INFO's sync_full and sync_partial_ok.
  bool copied() const { return copied_; }

  /// The last time that the replica was found to hold the same rows, as of one point of the log.
  struct Proof {
    TimeMs at = 0;  // 0: not in this session
    uint64_t offset = 0;
    HlcStamp clock = 0;  // as RowAnswers::clock()
  };
  const Proof& proof() const { return proof_; }
  /// Rows in which the replica differed at checks, and which were mended.
  uint64_t mended_rows() const { return mended_rows_; }

 private:
  void on(const Follow& message, TimeMs now);
  void on(const HandOverData& message, TimeMs now);
  void on(const ReplicaAck& message, TimeMs now);
  void on(const Ask& message, TimeMs now);
  void on(const ReplyAck& message, TimeMs now);
  void begin();
  void begin_with_rows();
  void begin_to_stream();
  void work_on_comparison(TimeMs now, Ready* ready);
  void follow_comparison(TimeMs now);
  void begin_check(TimeMs now);
  void end_check(const ComparisonAnswerer::End& end, TimeMs now);
  bool checking() const { return answerer_ && answerer_->round() > kCopyRound && !check_ended_; }
  void close(std::string reason);
  bool still_writer() const;
  void send_control(TimeMs now, Ready* ready);
  void fill_log();
  void send_streams(TimeMs now, Ready* ready);

  ReplicationLog& log_;
  RowSessions& rows_;
  const ReplicationSessionOptions options_;

  State state_ = State::kWaiting;
  std::string closed_because_;
  ReplicationSessionId session_ = 0;
  LineageId lineage_;  // that this node writes while the session lasts
  FollowPlan plan_;
  LogApplier::Purged purged_ = LogApplier::Purged::kDropped;  // rows that it hands over
  TimeMs last_heard_;
  TimeMs last_sent_ = 0;
  TimeMs control_due_ = UINT64_MAX;  // when HandOver or Begin is sent (again)

  // Taking over.
  std::optional<RecordReceiver> handed_over_;
  uint64_t hand_over_acked_ = 0;
  bool ack_hand_over_ = false;
  bool taking_over_ = false;  // the store is at it
  std::optional<LogPoint> taken_;

  // Sending.
  std::optional<Begin> begin_;
  bool begun_ = false;  // the replica has got it
  std::unique_ptr<LogReader> reader_;
  std::optional<StreamSender> log_out_;
  bool copied_ = false;
  ReplicaAck ack_;

  // Comparing.
  std::optional<ComparisonAnswerer> answerer_;
  uint64_t last_round_ = kCopyRound;
  std::optional<Compare> compare_;  // of a check that the replica may not have heard of
  TimeMs compare_due_ = UINT64_MAX;
  bool check_ended_ = true;
  TimeMs check_at_ = UINT64_MAX;
  Proof check_;  // what the check under way will prove
  Proof proof_;
  uint64_t mended_rows_ = 0;
};

}  // namespace syntropy
