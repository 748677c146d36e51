// SlotImport: the side of a move of slots that gets them (slot_message.h has the conversation), for
// one connection with their owner. Rows that come are merged as writes of this node's own; whether
// the slots may come, and when what came is safe, is decided by whom it asks.
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

namespace syntropy {

class SlotImport {
 public:
  struct Ready {
    /// May they come? accept() or refuse() follows.
    std::optional<SlotOffer> judge;
    std::vector<SlotMessage> send;
    std::vector<PrimaryMessage> rows;  // Reply, AskAck
    /// To be done by answer_work(), which changes the store; answered() follows.
    std::optional<ComparisonAnswerer::Work> answer;
    /// Is all that has come safe, here and on enough replicas? secured() follows.
    bool secure = false;
  };

  /// `rows` outlives it.
  /// `rate`: of taking rows in, until a first round has ended; then it is a race with those who
  /// write.
  SlotImport(RowSessions& rows, const CompareRate& rate, const StreamOptions& stream)
      : rows_(rows), rate_(rate), stream_(stream) {}

  void step(const SlotMessage& message, TimeMs now);
  /// Ask and ReplyAck; others are ignored. kCorruption: those are no asks.
  Status step(const ReplicaMessage& message, TimeMs now);
  void accept(HlcStamp flushed);
  void refuse(std::string reason, bool later);
  /// Not ok: the session can't go on.
  Status answered(const Result<std::string>& reply, TimeMs now);
  void secured(const Status& done);

  /// Not ok: the session can't go on.
  Result<Ready> take_ready(TimeMs now);
  TimeMs next_deadline() const;

  /// Accepted ones.
  const SlotRanges& slots() const { return slots_; }
  /// They are this node's already: only their rows come.
  bool hand_over() const { return offer_.hand_over; }

 private:
  void on(const SlotOffer& message);
  void on(const SlotConfirm& message);
  template <class Other>
  void on(const Other&) {}

  RowSessions& rows_;
  CompareRate rate_;
  const StreamOptions stream_;
  ReplicationSessionId session_ = 0;
  SlotOffer offer_;
  SlotRanges slots_;
  bool judge_due_ = false;
  std::optional<SlotMessage> verdict_;
  bool verdict_due_ = false;
  std::optional<ComparisonAnswerer> answerer_;
  uint64_t confirm_ = 0;  // the round that the owner asks about; 0: none
  bool securing_ = false;
  uint64_t ready_ = 0;  // the round that is safe
  bool ready_due_ = false;
};

}  // namespace syntropy
