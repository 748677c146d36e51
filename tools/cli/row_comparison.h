// RowComparison: which keys differ between two sides that keep trees of their rows, found by
// reconcile sessions (docs/merkle.md) in a few round trips, and mended by them.
//
// A asks, B is asked; what is said to be missing here is missing at A.
//
// While a side is in use, rows are always on their way from one to the other, so a session may find
// some. Then another one is held a moment later, up to `rechecks` times, and a key counts if each
// session has found it. Sessions are cheap where little differs, so nothing is remembered between
// them but these keys.
//
// Memory: up to `max_remembered` keys that differ, twice. If more do, they are counted as rows, and
// not looked at again: that is no matter of what is on its way.
//
// Time comes from a RowComparisonHost, for tests. Thread safety: one thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "tools/cli/comparison.h"
#include "tools/cli/reconcile_side.h"

namespace syntropy {

struct RowComparisonOptions {
  unsigned rechecks = 3;
  uint64_t recheck_delay_ms = 100;
  /// How long to wait for a side that still makes its trees, while it doesn't get on with it.
  uint64_t patience_ms = 5000;
  size_t max_remembered = 1'000'000;
};

/// A key of a database, by its physical number.
struct RowOwner {
  uint16_t database = 0;
  std::string key;
  auto operator<=>(const RowOwner&) const = default;
};

struct RowOutcome {
  /// Keys found by each session; of a collection, whatever of its rows differ.
  std::map<RowOwner, Difference::Kind> differences;
  std::array<uint64_t, Difference::kKinds> counts{};
  /// False: more than could be remembered differ; counts are of rows, and of the keys some are
  /// told.
  bool exact = true;
  /// The last session found all there is: what is told is complete, and if it is nothing, the
  /// sums of all rows were equal.
  bool proven = false;
  uint64_t on_their_way = 0;  // keys found by some session and not by each
  uint64_t rows = 0;          // on either side, as of the last session
  unsigned sessions = 0;

  // Of all sessions together.
  uint64_t rows_pulled = 0;
  uint64_t rows_pushed = 0;
  uint64_t identify_bytes = 0;
  uint64_t row_bytes = 0;
  uint64_t round_trips = 0;

  uint64_t total() const;
};

/// What a comparison needs of the world.
class RowComparisonHost {
 public:
  virtual ~RowComparisonHost() = default;
  /// From any start, never backwards.
  virtual uint64_t now_ms() = 0;
  virtual void wait_ms(uint64_t ms) = 0;
  /// The trees of a side ("A", "B") are being made.
  virtual void making_trees(std::string_view side, uint64_t slots_left) = 0;
  /// After each round trip: the place to tell of progress, and to slow down.
  virtual void after_round_trip(const ReconcileSummary& so_far) = 0;
};

/// Waits until a side's trees are made. kUnavailable when it doesn't get on for `patience_ms`.
Status wait_for_trees(ReconcileSide& side, std::string_view name, uint64_t patience_ms,
                      RowComparisonHost& host);

class RowComparison {
 public:
  /// Everything outlives the comparison.
  RowComparison(ReconcileSide& a, ReconcileSide& b, const RowComparisonOptions& options,
                RowComparisonHost& host)
      : a_(a), b_(b), options_(options), host_(host) {}

  /// Compares, or mends if the plan says so: then one session is held, and its differences are what
  /// it met, mended or not. The errors of the sides.
  Result<RowOutcome> run(const ReconcilePlan& plan);

 private:
  struct Found {
    std::map<RowOwner, Difference::Kind> keys;
    bool all = true;  // no more than could be remembered
    uint64_t rows = 0;
    ReconcileSummary summary;
  };

  Result<Found> session(const ReconcilePlan& plan);
  Result<Found> try_session(const ReconcilePlan& plan);
  void note_rows(const std::string& request, Found* found) const;
  void take_in(const ReconcileSide::Step& step, bool mends, Found* found) const;
  bool in_use() const { return a_.in_use() || b_.in_use(); }

  ReconcileSide& a_;
  ReconcileSide& b_;
  const RowComparisonOptions options_;
  RowComparisonHost& host_;
};

}  // namespace syntropy
