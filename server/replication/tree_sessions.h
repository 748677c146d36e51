// TreeSessions: RowSessions over a store and its trees (server/trees).
//
// Rows that come from the other side are merged as the log is: on a primary as writes of its own,
// on a replica as rows that are owed (storage/log_applier.h).
//
// Thread safety: as RowSessions says; what it gives must be gone before it.
#pragma once

#include <memory>
#include <mutex>

#include "server/replication/row_sessions.h"
#include "server/trees/row_trees.h"
#include "storage/keyspace.h"
#include "storage/log_applier.h"

namespace syntropy {

class TreeSessions final : public RowSessions {
 public:
  /// All outlive this.
  TreeSessions(Keyspace& keyspace, RowTrees& trees, LogApplier& applier)
      : keyspace_(keyspace), trees_(trees), applier_(applier) {}

  /// Any thread. StoreMarks::foreign, from now on.
  void set_foreign(SlotRanges slots);
  SlotRanges foreign() const;

  std::shared_ptr<RowAnswers> answers(LogApplier::Purged purged) override;
  std::shared_ptr<RowQuestions> questions(RowFlow flow, const SlotRanges& slots) override;
  HlcStamp purged_for_sure() const override;
  /// RowTrees::occupied_slots(). Any thread.
  Result<SlotRanges> occupied_slots() const { return trees_.occupied_slots(); }

 private:
  class Answers;
  class Questions;

  Keyspace& keyspace_;
  RowTrees& trees_;
  LogApplier& applier_;

  mutable std::mutex mutex_;  // guards foreign_
  SlotRanges foreign_;
};

}  // namespace syntropy
