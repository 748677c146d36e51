// RowSessions: how two stores are made equal, as the sessions of replication see it. One side asks
// about the rows of the other and moves those that differ (merkle/reconciler.h); here are both
// sides of that, over rows as of one moment, whatever is written meanwhile.
//
// What is asked and answered are bytes of merkle/reconcile_message.h; nobody here looks into them.
//
// Thread safety: RowSessions on the loop. What it gives reads and writes the store, so it is used
// where that may take time, by one thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/replication/message.h"
#include "storage/base/slot_ranges.h"
#include "storage/base/status.h"
#include "storage/lineage.h"
#include "storage/log_applier.h"

namespace syntropy {

/// What comparing may take of a node.
struct CompareRate {
  /// Of one rest: long before the other side takes this one to be gone.
  static constexpr uint64_t kLongestRestMs = 1000;

  uint64_t bytes_per_s = 0;  // sent to the other side; 0: no bound
  uint64_t rows_per_s = 0;   // read for it; 0: no bound
  uint64_t percent = 100;    // of the time, in which there is work at all; 1 .. 100

  /// How many milliseconds to wait after so much, which took `took_ms`.
  uint64_t pause_after(uint64_t bytes, uint64_t rows, uint64_t took_ms) const {
    const uint64_t sending = bytes_per_s == 0 ? 0 : bytes * 1000 / bytes_per_s;
    const uint64_t reading = rows_per_s == 0 ? 0 : rows * 1000 / rows_per_s;
    const uint64_t rest = std::min(kLongestRestMs, took_ms * (100 - percent) / percent);
    return std::max({sending, reading, rest});
  }
};

/// The side that is asked.
class RowAnswers {
 public:
  virtual ~RowAnswers() = default;

  /// Makes the rows those of now. `flushes`: a log record (storage/log_record.h) of the other
  /// side's flush stamps, or nothing, to be taken over first. kUnavailable: not ready, ask again.
  virtual Status freeze(std::string_view flushes) = 0;

  // --- after freeze()
  /// What the rows are as of: together with the log from its offset on they are all there is.
  virtual const LogPosition& position() const = 0;
  virtual const StoreMarks& marks() const = 0;
  /// The reply to a request; one that can't be answered has a reply that says so.
  virtual std::string answer(std::string_view request) = 0;
  /// For all answers so far.
  virtual uint64_t rows_read() const = 0;
  /// Takes over a log record of what the other side has purged.
  virtual Status purge(std::string_view purges) = 0;
};

/// What a side that asks does with rows that differ.
enum class RowFlow : uint8_t {
  kPull,  // takes in what the other has
  kPush,  // gives it what is here
  kBoth,
};

struct RowStep {
  std::vector<std::string> requests;  // to be answered by the other side, in this order
  /// Of this side: for RowAnswers::freeze(). In the first step.
  std::string flushes;
  /// For RowAnswers::purge(), in a push; or nothing.
  std::string purges;
  bool done = false;
  uint64_t differences = 0;  // rows, so far
  uint64_t pulled = 0;       // rows that came, the same
  uint64_t pushed = 0;       // rows that went, the same
};

/// The side that asks.
class RowQuestions {
 public:
  virtual ~RowQuestions() = default;

  /// Makes the rows those of now. `source`: where in whose log the rows are accounted for that come
  /// from the other side. In a pull the other side's flushes and purges are this one's as well:
  /// what it has purged is dropped here, and in the end this side's watermark is its.
  virtual Result<RowStep> begin(const StoreMarks& theirs, const LogPoint& source) = 0;
  /// With the replies to the oldest requests without one, in their order.
  virtual Result<RowStep> go_on(const std::vector<std::string>& replies,
                                const LogPoint& source) = 0;
};

class RowSessions {
 public:
  virtual ~RowSessions() = default;
  /// `purged`: what to do with rows of the other side that were purged here.
  virtual std::shared_ptr<RowAnswers> answers(LogApplier::Purged purged) = 0;
  virtual std::shared_ptr<RowQuestions> questions(RowFlow flow, const SlotRanges& slots) = 0;
  /// This store's purge watermark, if its log accounts for all its rows; else 0: what it lacks it
  /// may never have had.
  virtual HlcStamp purged_for_sure() const = 0;
};

}  // namespace syntropy
