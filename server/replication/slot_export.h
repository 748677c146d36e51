// SlotExport: the side of a move of slots that has them (slot_message.h has the conversation).
//
// Rows are compared with the target's again and again, and those that it lacks are pushed: each
// round costs what has changed during the one before. When a round had little to move, and all that
// came before is on the target's disk and on its replicas, writes to these slots are paused, until a
// round finds that nothing is left to move. The target says when that is safe as well; then this
// node gives the slots away, durably, and the target may claim them.
//
//   offer -> copy, copy, ... -> settle -> copy -> pause -> finish -> confirm -> give -> grant
//            \_____ nothing is lost up to here: whatever fails, the slots stay _____/   until claimed
//
// Rows of slots that are the target's already are handed over in one round: offer -> copy -> confirm.
//
// Thread safety: one thread. No I/O, no clock: what takes time is handed out as work.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "membership/entry.h"
#include "server/replication/comparison.h"
#include "server/replication/row_sessions.h"
#include "server/replication/slot_message.h"
#include "storage/base/random.h"

namespace syntropy {

struct SlotExportOptions {
  StreamOptions stream;
  CompareRate rate;  // its `percent` until a first round has ended, and when spare rows are removed
  // Writes are paused after a round that moved few rows, or was short; or when rounds don't become
  // shorter and two of them fit into the pause.
  uint64_t few_rows = 500;
  TimeMs short_ms = 50;
  TimeMs pause_ms = 1000;       // of writes to the slots, at most; then the move tries again later
  TimeMs retry_ms = 500;        // of what wasn't answered
  TimeMs silence_ms = 10'000;   // ends a connection
  TimeMs patience_ms = 60'000;  // without a target that accepts: the move has failed
  bool unproved =
      false;  // what a test breaks on purpose: gives what was accepted, without its rows
};

class SlotExport {
 public:
  enum class Stage : uint8_t {
    kConnecting,
    kOffering,
    kRestamping,
    kCopying,
    kSettling,
    kPausing,
    kFinishing,
    kConfirming,
    kGiving,
    kGranting,
    kDone,
    kFailed,
  };

  struct Ready {
    bool disconnect = false;
    bool connect = false;  // connected() or disconnected() follows
    std::vector<SlotMessage> send;
    std::vector<ReplicaMessage> rows;  // Ask, ReplyAck
    /// To be done by ask_work(); asked() follows.
    std::optional<ComparisonAsker::Work> ask;
    /// Rows with a version up to this one have to be written anew; restamped() follows.
    std::optional<HlcStamp> restamp;
    bool pause = false;   // writes to the slots; paused() follows
    bool resume = false;  // the same writes
    bool give = false;    // durably; given() follows
  };

  enum class Kind : uint8_t {
    kMove,
    kGrant,     // what was given away before
    kHandOver,  // of slots that are the target's
  };

  /// `rows` outlives it. Connects at once.
  SlotExport(RowSessions& rows, SlotRanges slots, Kind kind, ReplicationSessionId session,
             const SlotExportOptions& options, TimeMs now);

  void connected(TimeMs now);
  void disconnected(TimeMs now);
  void step(const SlotMessage& message, TimeMs now);
  /// Reply and AskAck; others are ignored.
  void step(const PrimaryMessage& message, TimeMs now);
  void asked(const Result<RowStep>& step, TimeMs now);
  void restamped(const Status& done, TimeMs now);
  void paused(const Status& done, TimeMs now);
  void given(const Status& done, TimeMs now);
  /// Writes aren't paused for this any more: all of the node are about to be. What is given away
  /// already stays so.
  void interrupted(TimeMs now);
  /// The target has claimed them.
  void taken();
  /// What was given stays here, for no node is left that could take it.
  void taken_back();
  /// False: they are given already.
  bool cancel(std::string reason);

  Ready take_ready(TimeMs now);
  TimeMs next_deadline() const;

  const SlotRanges& slots() const { return slots_; }
  ReplicationSessionId session() const { return session_; }
  Stage stage() const { return stage_; }
  bool is_given() const { return given_; }  // durably
  bool ended() const { return stage_ == Stage::kDone || stage_ == Stage::kFailed; }
  /// Why it failed, or why the last try came to nothing.
  const std::string& trouble() const { return trouble_; }
  uint64_t rows_moved() const { return rows_moved_; }
  uint64_t rounds() const { return round_; }
  TimeMs last_heard() const { return last_heard_; }

 private:
  void on(const SlotAccept& message, TimeMs now);
  void on(const SlotRefusal& message, TimeMs now);
  void on(const SlotReady& message, TimeMs now);
  template <class Other>
  void on(const Other&, TimeMs) {}

  bool holding() const { return stage_ >= Stage::kPausing && stage_ <= Stage::kConfirming; }
  void begin_round(TimeMs now);
  void end_round(TimeMs now);
  bool pause_is_due(TimeMs now);
  void break_off(std::string why, TimeMs now);
  void release_writes();
  void fail(std::string why);
  void send_control(TimeMs now, Ready* ready);

  RowSessions& rows_;
  const SlotRanges slots_;
  const bool hands_over_;
  const ReplicationSessionId session_;
  const SlotExportOptions options_;

  Stage stage_;
  bool given_;
  std::string trouble_;
  bool linked_ = false;
  bool connecting_ = false;
  bool disconnect_ = false;
  TimeMs connect_at_;
  TimeMs last_heard_;
  TimeMs progress_at_;  // patience counts from here

  TimeMs control_at_ = 0;  // when what the stage says is said (again)
  std::optional<HlcStamp> restamp_;
  bool restamping_ = false;

  std::optional<ComparisonAsker> asker_;
  bool asking_ = false;  // the store is at it
  TimeMs round_at_ = 0;  // not before
  TimeMs ask_at_ = 0;    // the same, of the next work
  TimeMs asked_at_ = 0;  // when the last began
  uint64_t round_ = 0;
  TimeMs round_began_ = 0;
  uint64_t last_rows_ = UINT64_MAX;  // moved in the round before
  uint64_t step_rows_ = 0;           // moved in this round, as counted so far
  uint64_t rows_moved_ = 0;

  bool bulk_moved_ = false;  // from here on it is a race with those who write
  bool settled_ = false;     // most of the rows are safe at the target
  bool pause_due_ = false;
  bool paused_ = false;
  bool resume_due_ = false;
  bool give_due_ = false;
  TimeMs pause_until_ = UINT64_MAX;
};

}  // namespace syntropy
