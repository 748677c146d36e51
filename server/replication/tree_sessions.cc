#include "server/replication/tree_sessions.h"

#include <optional>
#include <utility>

#include "merkle/reconciler.h"
#include "merkle/responder.h"
#include "server/trees/frozen_tree_rows.h"
#include "storage/log_record.h"
#include "storage/row.h"

namespace syntropy {
namespace {

// Of rows that are pushed here: clients wait for a commit to end.
constexpr size_t kRowsPerCommit = 64;
// They come in a steady stream instead of bursts that keep clients waiting on either side.
constexpr size_t kPushBytes = size_t{32} << 10;
constexpr size_t kPushesOutstanding = 2;

// A record of the flush stamps; empty when there are none.
Result<std::string> flushes_of(const RowCoverage& coverage) {
  LogRecordBuilder record;
  for (size_t db = 0; db < coverage.flush_stamps.size(); ++db) {
    const HlcStamp stamp = coverage.flush_stamps[db];
    if (stamp != 0) record.add_flush(static_cast<uint16_t>(db), stamp);
  }
  if (record.empty()) return std::string();
  return record.take();
}

void add_rows(std::span<const ReconcileRow> rows, LogRecordBuilder* record) {
  for (const ReconcileRow& row : rows) record->add_row(row.key, row.value);
}

}  // namespace

// --- the side that is asked ----------------------------------------------------------------------

class TreeSessions::Answers final : public RowAnswers {
 public:
  Answers(TreeSessions& sessions, LogApplier::Purged purged)
      : sessions_(sessions), purged_(purged) {}

  Status freeze(std::string_view flushes) override {
    // A flush of another shard was none of the rows here.
    if (!flushes.empty() && purged_ != LogApplier::Purged::kTaken) {
      const Status taken = sessions_.applier_.take_over(flushes).status();
      if (!taken.ok()) return taken;
    }
    // What becomes this shard's own meanwhile is foreign no longer, and nothing of it has gone.
    const SlotRanges foreign = sessions_.foreign();
    Result<RowTrees::Frozen> frozen = sessions_.trees_.freeze(SlotRanges::all(), [this] {
      position_ = sessions_.keyspace_.replication_log()->position();
      marks_.purged = sessions_.keyspace_.purged_up_to();
    });
    if (!frozen.ok()) return frozen.status();
    Result<std::string> own_flushes = flushes_of(frozen->rows.coverage);
    if (!own_flushes.ok()) return own_flushes.status();
    marks_.flushes = std::move(*own_flushes);
    marks_.clock = frozen->rows.clock;
    marks_.foreign = foreign;
    rows_.emplace(sessions_.keyspace_, sessions_.trees_, std::move(*frozen),
                  [this](std::span<const ReconcileRow> rows) { return merge(rows); });
    responder_.emplace(&*rows_);
    return {};
  }

  const LogPosition& position() const override { return position_; }
  const StoreMarks& marks() const override { return marks_; }
  std::string answer(std::string_view request) override {
    std::string reply = responder_->answer(request);
    rows_->rest();
    return reply;
  }
  uint64_t rows_read() const override { return rows_->rows_read(); }
  Status purge(std::string_view purges) override {
    return sessions_.applier_.take_over(purges, purged_).status();
  }

 private:
  Status merge(std::span<const ReconcileRow> rows) {
    while (rows.size() > kRowsPerCommit) {
      const Status merged = merge(rows.first(kRowsPerCommit));
      if (!merged.ok()) return merged;
      rows = rows.subspan(kRowsPerCommit);
    }
    LogRecordBuilder builder;
    add_rows(rows, &builder);
    if (builder.empty()) return {};
    Result<std::string> record = builder.take();
    if (!record.ok()) return record.status();
    return sessions_.applier_.take_over(*record, purged_).status();
  }

  TreeSessions& sessions_;
  const LogApplier::Purged purged_;
  LogPosition position_;
  StoreMarks marks_;
  std::optional<FrozenTreeRows> rows_;
  std::optional<Responder> responder_;
};

std::shared_ptr<RowAnswers> TreeSessions::answers(LogApplier::Purged purged) {
  return std::make_shared<Answers>(*this, purged);
}

// --- the side that asks --------------------------------------------------------------------------

class TreeSessions::Questions final : public RowQuestions, private DifferenceListener {
 public:
  Questions(TreeSessions& sessions, RowFlow flow, const SlotRanges& slots) : sessions_(sessions) {
    options_.slots = slots;
    options_.pull = flow != RowFlow::kPush;
    options_.push = flow != RowFlow::kPull;
    if (flow == RowFlow::kPush) {
      options_.window_bytes = kPushBytes;
      options_.most_outstanding = kPushesOutstanding;
    }
  }

  Result<RowStep> begin(const StoreMarks& theirs, const LogPoint& source) override {
    if (options_.pull) {
      const Status taken = take(theirs, source);
      if (!taken.ok()) return taken;
    } else {
      told_ = sessions_.purged_for_sure();
    }
    Result<RowTrees::Frozen> frozen = sessions_.trees_.freeze(options_.slots, {});
    if (!frozen.ok()) return frozen.status();
    Result<std::string> flushes = flushes_of(frozen->rows.coverage);
    if (!flushes.ok()) return flushes.status();
    rows_.emplace(sessions_.keyspace_, sessions_.trees_, std::move(*frozen),
                  [this](std::span<const ReconcileRow> rows) {
                    add_rows(rows, &merged_);
                    return Status();
                  });
    reconciler_.emplace(&*rows_, options_, static_cast<DifferenceListener*>(this));
    Result<RowStep> step = next(source);
    if (step.ok()) step->flushes = std::move(*flushes);
    return step;
  }

  Result<RowStep> go_on(const std::vector<std::string>& replies, const LogPoint& source) override {
    for (const std::string& reply : replies) {
      const Status heard = reconciler_->receive(reply);
      if (!heard.ok()) return heard;
      if (reconciler_->done()) break;
    }
    return next(source);
  }

 private:
  void on_difference(DifferenceKind kind, std::string_view row_key) override {
    if (kind == DifferenceKind::kMissingThere && options_.pull) {
      const Result<RowKeyView> key = decode_row_key(row_key);
      if (key.ok() && foreign_.contains(key->slot)) {
        foreign_rows_.emplace_back(row_key);
        ++foreign_count_;
      } else if (purged_ != 0) {
        lacking_.emplace_back(row_key);
      }
    }
    if (kind == DifferenceKind::kMissingHere && told_ != 0) purges_.add_purge(told_, row_key);
  }
  void on_begin_anew() override { foreign_count_ = 0; }

  Status take(const StoreMarks& theirs, const LogPoint& source) {
    purged_ = theirs.purged;
    foreign_ = theirs.foreign;
    const Status followed = sessions_.applier_.follow_clock(theirs.clock);
    if (!followed.ok() || theirs.flushes.empty()) return followed;
    return sessions_.applier_.merge(theirs.flushes, source);
  }

  Result<RowStep> next(const LogPoint& source) {
    RowStep step;
    if (!reconciler_->done()) step.requests = reconciler_->take_requests();
    if (!reconciler_->status().ok()) return reconciler_->status();
    step.done = reconciler_->done();
    const ReconcileSummary& summary = reconciler_->summary();
    // Copies that a move has left on a node which has been a primary meanwhile are no fault of a log.
    step.differences = summary.differences() - foreign_count_;
    step.pulled = summary.rows_pulled;
    step.pushed = summary.rows_pushed;
    if (step.done && !summary.proven) {
      return Status::corruption("rows that differ could not all be found");
    }
    rows_->rest();
    const Status stored = store(source, step.done);
    if (!stored.ok()) return stored;
    // All together: where a row is gone the watermark says so, and where the watermark says that
    // rows may be gone, all that this side has is there.
    if (step.done && told_ != 0) {
      purges_.add_purge_watermark(told_);
      Result<std::string> purges = purges_.take();
      if (!purges.ok()) return purges.status();
      step.purges = std::move(*purges);
    }
    return step;
  }

  // What came with the replies, in one commit.
  Status store(const LogPoint& source, bool done) {
    if (!merged_.empty()) {
      Result<std::string> record = merged_.take();
      if (!record.ok()) return record.status();
      const Status merged = sessions_.applier_.merge(*record, source);
      if (!merged.ok()) return merged;
    }
    if (!lacking_.empty()) {
      const Status dropped = sessions_.applier_.drop(std::exchange(lacking_, {}), purged_);
      if (!dropped.ok()) return dropped;
    }
    if (!foreign_rows_.empty()) {
      const Status dropped =
          sessions_.applier_.drop(std::exchange(foreign_rows_, {}), UINT64_MAX - 1);
      if (!dropped.ok()) return dropped;
    }
    if (!done || !options_.pull) return {};
    if (purged_ != 0) {
      const Status raised = sessions_.applier_.raise_watermark(purged_);
      if (!raised.ok()) return raised;
    }
    // The other side may purge what this one now says that it holds.
    return sessions_.keyspace_.engine().sync();
  }

  TreeSessions& sessions_;
  ReconcileOptions options_;
  HlcStamp purged_ = 0;               // the other side's watermark, in a pull
  SlotRanges foreign_;                // of the other side, in a pull
  HlcStamp told_ = 0;                 // in a push, what this side has purged for sure
  LogRecordBuilder purges_;           // rows that the other side has, and this one may have purged
  LogRecordBuilder merged_;           // rows that came and aren't merged yet
  std::vector<std::string> lacking_;  // rows that the other side hasn't got
  std::vector<std::string> foreign_rows_;  // the same, of slots of other shards
  uint64_t foreign_count_ = 0;             // of all that there were
  std::optional<FrozenTreeRows> rows_;
  std::optional<Reconciler> reconciler_;
};

std::shared_ptr<RowQuestions> TreeSessions::questions(RowFlow flow, const SlotRanges& slots) {
  return std::make_shared<Questions>(*this, flow, slots);
}

void TreeSessions::set_foreign(SlotRanges slots) {
  const std::lock_guard<std::mutex> lock(mutex_);
  foreign_ = std::move(slots);
}

SlotRanges TreeSessions::foreign() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return foreign_;
}

HlcStamp TreeSessions::purged_for_sure() const {
  const LogPosition position = keyspace_.replication_log()->position();
  return position.history.empty() || position.owed ? 0 : keyspace_.purged_up_to();
}

}  // namespace syntropy
