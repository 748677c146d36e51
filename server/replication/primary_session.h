// PrimarySession: a primary's side of one replica that follows it (message.h has the conversation).
//
// It decides with what the replica begins (follow_plan.h), lets it hand over first what the primary
// lacks, and then streams the log from the point up to which both are the same. Where the backlog
// doesn't reach back that far, rows are copied beside it from a snapshot, while the log goes on;
// the replica merges both, so nothing that it has is wiped, and nothing needs to be kept back for
// the end of the copy. The session ends when the backlog no longer has what it must send next, when
// the replica isn't heard for timeout_ms, or when this node is no longer the writer of the lineage.
//
// Thread safety: one thread. No socket, thread or clock inside; log and rows are read through their
// interfaces, in take_ready() alone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "membership/entry.h"
#include "server/replication/follow_plan.h"
#include "server/replication/message.h"
#include "server/replication/row_source.h"
#include "server/replication/stream.h"
#include "storage/base/status.h"
#include "storage/replication_log.h"

namespace syntropy {

/// What a test breaks on purpose, to see that it is found.
enum class ReplicationFault : uint8_t {
  kNone,
  kNoHandOver,   // a primary believes that nobody has rows that it lacks
  kAckReceived,  // a replica says that it has applied what it has received
  kForgetOwed,   // a replica doesn't say what it owes
};

struct ReplicationSessionOptions {
  StreamOptions stream;
  size_t store_bytes = size_t{512} << 10;  // merged in one commit at most, but a whole record
  TimeMs heartbeat_ms = 1000;              // repl-ping-replica-period
  TimeMs timeout_ms = 60'000;              // repl-timeout: silence that ends a session
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
    /// The session is over: send what is in `send`, then end the connection.
    bool close = false;
  };

  /// `log` and `rows` must outlive the session.
  PrimarySession(ReplicationLog& log, RowSources& rows, const ReplicationSessionOptions& options,
                 TimeMs now);

  void step(const ReplicaMessage& message, TimeMs now);
  void taken_over(const Result<LogPoint>& result);
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
  /// Whether rows were copied, for INFO's sync_full and sync_partial_ok.
  bool copied() const { return copied_; }

 private:
  void on(const Follow& message, TimeMs now);
  void on(const HandOverData& message, TimeMs now);
  void on(const ReplicaAck& message, TimeMs now);
  void begin();
  void close(std::string reason);
  bool still_writer() const;
  void send_control(TimeMs now, Ready* ready);
  void fill_log();
  void fill_copy();
  void send_streams(TimeMs now, Ready* ready);

  ReplicationLog& log_;
  RowSources& rows_;
  const ReplicationSessionOptions options_;

  State state_ = State::kWaiting;
  std::string closed_because_;
  ReplicationSessionId session_ = 0;
  RowCopy::Slots slots_;
  LineageId lineage_;  // that this node writes while the session lasts
  FollowPlan plan_;
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
  std::unique_ptr<RowSource> copy_;
  std::optional<StreamSender> copy_out_;
  bool copied_ = false;
  ReplicaAck ack_;
};

}  // namespace syntropy
