// Two stores and a session between them. The property, after Riak's hashtree: keys are dealt out as
// same, here only, there only and different; exactly those are found; what is moved makes them
// equal; a second session finds nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "merkle/reconciler.h"
#include "merkle/responder.h"
#include "storage/base/random.h"
#include "tests/merkle/memory_rows.h"

namespace syntropy {
namespace {

using testing::MemoryRows;
using Found = std::set<std::pair<DifferenceKind, std::string>>;

class Notebook final : public DifferenceListener {
 public:
  void on_difference(DifferenceKind kind, std::string_view key) override {
    const bool first = found.emplace(kind, key).second;
    EXPECT_TRUE(first || begun_anew) << "told twice";
  }
  void on_begin_anew() override { begun_anew = true; }

  Found found;
  bool begun_anew = false;
};

struct Pair {
  MemoryRows mine;
  MemoryRows theirs;
  Found expected;
};

struct Outcome {
  ReconcileSummary summary;
  Found found;
  uint64_t rows_read = 0;  // on both sides
};

Outcome reconcile(MemoryRows* mine, MemoryRows* theirs, ReconcileOptions options) {
  Notebook notebook;
  Reconciler reconciler(mine, options, &notebook);
  Responder responder(theirs);
  const uint64_t before = mine->visits() + theirs->visits();
  std::deque<std::string> wire;
  while (!reconciler.done()) {
    for (std::string& request : reconciler.take_requests()) wire.push_back(std::move(request));
    EXPECT_LE(wire.size(), options.most_outstanding);
    if (wire.empty()) {
      ADD_FAILURE() << "not done, and nothing to send";
      break;
    }
    const Status status = reconciler.receive(responder.answer(wire.front()));
    wire.pop_front();
    if (!status.ok()) {
      ADD_FAILURE() << status.message();
      break;
    }
  }
  return {reconciler.summary(), notebook.found, mine->visits() + theirs->visits() - before};
}

// `rows` rows, `differences` of which are here only, there only, or different. Positions come from
// the lowest `spread` ones, as many rows to one as it happens.
Pair deal(Random& random, size_t rows, size_t differences, uint64_t spread) {
  Pair pair;
  for (size_t i = 0; i < rows; ++i) {
    const uint64_t position = random.below(spread);
    const std::string name = "k" + std::to_string(i);
    const std::string value = "v" + std::to_string(random.next());
    const std::string key = MemoryRows::key_of(position, name);
    if (i >= differences) {
      pair.mine.put(position, name, value);
      pair.theirs.put(position, name, value);
      continue;
    }
    const auto kind = static_cast<DifferenceKind>(i % 3);
    pair.expected.emplace(kind, key);
    if (kind != DifferenceKind::kMissingHere) pair.mine.put(position, name, value);
    if (kind != DifferenceKind::kMissingThere) {
      pair.theirs.put(position, name, kind == DifferenceKind::kDifferent ? value + "'" : value);
    }
  }
  return pair;
}

void expect_counts(const ReconcileSummary& summary, const Found& expected) {
  std::map<DifferenceKind, uint64_t> counts;
  for (const auto& [kind, key] : expected) ++counts[kind];
  EXPECT_EQ(summary.missing_here, counts[DifferenceKind::kMissingHere]);
  EXPECT_EQ(summary.missing_there, counts[DifferenceKind::kMissingThere]);
  EXPECT_EQ(summary.different, counts[DifferenceKind::kDifferent]);
}

TEST(Reconcile, EqualStoresNeedOneRoundTrip) {
  SeededRandom random(1);
  Pair pair = deal(random, 5000, 0, kPositions);
  const Outcome run = reconcile(&pair.mine, &pair.theirs, {});
  EXPECT_TRUE(run.summary.proven);
  EXPECT_EQ(run.summary.differences(), 0u);
  EXPECT_EQ(run.summary.round_trips, 1u);
  EXPECT_LE(run.summary.identify_bytes, 64u);
  EXPECT_EQ(run.rows_read, 0u);
}

TEST(Reconcile, FindsExactlyWhatDiffers) {
  SeededRandom random(2);
  for (const uint64_t spread : {kPositions, kPositions / kSlotCount, uint64_t{300}}) {
    for (const size_t differences : {1, 2, 3, 5, 12, 40, 100, 400, 1500, 5000}) {
      Pair pair = deal(random, 5000, differences, spread);
      const Outcome run = reconcile(&pair.mine, &pair.theirs, {});
      EXPECT_TRUE(run.summary.proven);
      EXPECT_EQ(run.found, pair.expected) << differences << " differences, spread " << spread;
      expect_counts(run.summary, pair.expected);
      EXPECT_EQ(run.summary.rows_pulled + run.summary.rows_pushed, 0u);
    }
  }
}

TEST(Reconcile, PullPushAndBothMoveWhatTheyShould) {
  SeededRandom random(3);
  for (const auto& [pull, push] : {std::pair{true, false}, {false, true}, {true, true}}) {
    for (const size_t differences : {1, 30, 2000}) {
      Pair pair = deal(random, 4000, differences, kPositions);
      const auto mine_before = pair.mine.rows();
      const auto theirs_before = pair.theirs.rows();
      ReconcileOptions options;
      options.pull = pull;
      options.push = push;
      const Outcome run = reconcile(&pair.mine, &pair.theirs, options);
      EXPECT_TRUE(run.summary.proven);
      EXPECT_EQ(run.found, pair.expected);
      auto merged = mine_before;
      for (const auto& [key, value] : theirs_before) merged[key] = std::max(merged[key], value);
      EXPECT_EQ(pair.mine.rows(), pull ? merged : mine_before);
      EXPECT_EQ(pair.theirs.rows(), push ? merged : theirs_before);
      const Outcome again = reconcile(&pair.mine, &pair.theirs, options);
      EXPECT_TRUE(again.summary.proven);
      if (pull && push) {
        EXPECT_EQ(again.summary.round_trips, 1u);
      }
    }
  }
}

TEST(Reconcile, EmptySideIsFilledByAWalk) {
  SeededRandom random(4);
  for (const bool pull : {true, false}) {
    Pair pair = deal(random, 20000, 0, kPositions);
    const auto rows = pair.mine.rows();
    MemoryRows empty;
    ReconcileOptions options;
    options.pull = pull;
    options.push = !pull;
    options.window_bytes = 10000;
    MemoryRows* const mine = pull ? &empty : &pair.mine;
    MemoryRows* const theirs = pull ? &pair.mine : &empty;
    const Outcome run = reconcile(mine, theirs, options);
    EXPECT_TRUE(run.summary.proven);
    EXPECT_EQ(empty.rows(), rows);
    EXPECT_EQ(run.summary.differences(), rows.size());
    EXPECT_LE(run.summary.identify_bytes, 400u);
    EXPECT_EQ(reconcile(mine, theirs, options).summary.round_trips, 1u);
  }
}

TEST(Reconcile, OnlyTheChosenSlotsCount) {
  SeededRandom random(5);
  Pair pair = deal(random, 6000, 600, kPositions);
  ReconcileOptions options;
  options.slots = {{0, 99}, {101, 101}, {5000, 12000}, {16383, 16383}};
  options.pull = options.push = true;
  const Outcome run = reconcile(&pair.mine, &pair.theirs, options);
  EXPECT_TRUE(run.summary.proven);
  Found expected;
  for (const auto& [kind, key] : pair.expected) {
    const uint64_t position = position_of(pair.mine.mark(key, "")->element);
    if (options.slots.contains(slot_of_position(position))) expected.emplace(kind, key);
  }
  EXPECT_FALSE(expected.empty());
  EXPECT_EQ(run.found, expected);
}

// Windows bound how much is on its way, not what is found.
TEST(Reconcile, SmallWindowsFindTheSame) {
  SeededRandom random(6);
  Pair pair = deal(random, 3000, 700, kPositions);
  ReconcileOptions options;
  options.window_nodes = 16;
  options.window_positions = 3;
  options.window_bytes = 100;
  options.most_outstanding = 2;
  options.pull = options.push = true;
  const Outcome run = reconcile(&pair.mine, &pair.theirs, options);
  EXPECT_TRUE(run.summary.proven);
  EXPECT_EQ(run.found, pair.expected);
  EXPECT_EQ(pair.mine.rows(), pair.theirs.rows());
}

// The trees need not have the same depth: one side's slot may have outgrown its leaves.
TEST(Reconcile, SlotsOfDifferentDepthCompare) {
  SeededRandom random(7);
  for (const bool swapped : {false, true}) {
    Pair pair;
    for (int i = 0; i < 3000; ++i) {
      const uint64_t position = random.below(kPositions / kSlotCount);
      const std::string name = "k" + std::to_string(i);
      pair.mine.put(position, name, "v");
      if (i % 30 == 0) pair.theirs.put(position, name, "v");
    }
    EXPECT_NE(pair.mine.tree().depth(0), pair.theirs.tree().depth(0));
    if (swapped) std::swap(pair.mine, pair.theirs);
    const Outcome run = reconcile(&pair.mine, &pair.theirs, {});
    EXPECT_TRUE(run.summary.proven);
    EXPECT_EQ(run.summary.differences(), 2900u);
  }
}

// What differs is read, and what happens to lie beside it: not the store.
TEST(Reconcile, ReadsAFewRowsPerDifference) {
  SeededRandom random(8);
  for (const size_t differences : {1, 10, 100, 1000}) {
    Pair pair = deal(random, 50000, differences, kPositions);
    const Outcome run = reconcile(&pair.mine, &pair.theirs, {});
    EXPECT_TRUE(run.summary.proven);
    EXPECT_LE(run.rows_read, 3 * differences) << differences;
  }
}

// The counts of rows tell most of what is missing here from what is missing there.
TEST(Reconcile, LooksUpFewRowsInVain) {
  SeededRandom random(9);
  Pair pair = deal(random, 50000, 3000, kPositions);
  const uint64_t before = pair.mine.look_ups();
  EXPECT_TRUE(reconcile(&pair.mine, &pair.theirs, {}).summary.proven);
  const uint64_t in_vain = pair.mine.look_ups() - before - 2000;
  EXPECT_LT(in_vain, 500u) << "of a thousand that are missing here";
}

// No chance of the census or of the sums makes a session begin anew, or ask for all again.
TEST(Reconcile, CostsWhatTheDifferencesCost) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SeededRandom random(seed);
    const size_t differences = seed % 3 == 0 ? 60 : seed % 3 == 1 ? 150 : 600;
    Pair pair = deal(random, 3000, differences, kPositions);
    const Outcome run = reconcile(&pair.mine, &pair.theirs, {});
    EXPECT_EQ(run.found, pair.expected) << "seed " << seed;
    EXPECT_EQ(run.summary.passes, 1u) << "seed " << seed;
    const uint64_t census = differences > 100 ? 33000 : 0;
    EXPECT_LE(run.summary.identify_bytes, census + 500 + 60 * differences) << "seed " << seed;
    EXPECT_LE(run.summary.round_trips, 9u) << "seed " << seed;
  }
}

// Two versions of a row with the same element: only the checks tell.
class Twins final : public ReconcileStore {
 public:
  Twins(std::string value, uint64_t check) : value_(std::move(value)) {
    for (uint64_t i = 1; i <= 100; ++i) {
      const uint64_t element = (i << (kPositionBits - 7 + kContentBits)) | i;
      marks_.push_back({element, i == 50 ? check : i});
      tree_.add(marks_.back());
    }
    tree_.settle();
  }
  const Tree& tree() const override { return tree_; }
  Status visit(uint64_t first, uint64_t end, const Visitor& visitor) const override {
    for (const RowMark& mark : marks_) {
      const uint64_t position = position_of(mark.element);
      if (position < first || position >= end) continue;
      if (!visitor(mark, std::to_string(position), value_)) break;
    }
    return {};
  }
  Result<RowMark> mark(std::string_view, std::string_view) const override {
    return Status::unavailable("not needed");
  }
  Status merge(std::span<const ReconcileRow>) override { return {}; }

 private:
  const std::string value_;
  std::vector<RowMark> marks_;
  Tree tree_;
};

TEST(Reconcile, RowsThatOnlyTheChecksTellApartAreFound) {
  Twins mine("a", 1111);
  Twins theirs("b", 2222);
  Notebook notebook;
  Reconciler reconciler(&mine, {}, &notebook);
  Responder responder(&theirs);
  std::deque<std::string> wire;
  while (!reconciler.done()) {
    for (std::string& request : reconciler.take_requests()) wire.push_back(std::move(request));
    ASSERT_FALSE(wire.empty());
    const Status status = reconciler.receive(responder.answer(wire.front()));
    ASSERT_TRUE(status.ok()) << status.message();
    wire.pop_front();
  }
  EXPECT_TRUE(reconciler.summary().proven);
  EXPECT_EQ(reconciler.summary().passes, 2u);
  const std::string key = std::to_string(uint64_t{50} << (kPositionBits - 7));
  EXPECT_EQ(notebook.found, (Found{{DifferenceKind::kDifferent, key}}));
}

// A store that can't be read.
class BrokenRows final : public ReconcileStore {
 public:
  explicit BrokenRows(MemoryRows* rows) : rows_(*rows) {}
  const Tree& tree() const override { return rows_.tree(); }
  Status visit(uint64_t, uint64_t, const Visitor&) const override {
    return Status::io_error("the disk is gone");
  }
  Result<RowMark> mark(std::string_view key, std::string_view value) const override {
    return rows_.mark(key, value);
  }
  Status merge(std::span<const ReconcileRow>) override {
    return Status::io_error("the disk is gone");
  }

 private:
  MemoryRows& rows_;
};

TEST(Reconcile, AStoreThatFailsEndsTheSession) {
  SeededRandom random(11);
  for (const bool theirs_is_empty : {false, true}) {
    for (const bool mine_fails : {false, true}) {
      Pair pair = deal(random, 100, 20, kPositions);
      MemoryRows empty;
      BrokenRows broken(mine_fails ? &pair.mine : &pair.theirs);
      ReconcileStore* const theirs = theirs_is_empty ? &empty : &pair.theirs;
      ReconcileOptions options;
      options.push = true;
      Reconciler reconciler(mine_fails ? static_cast<ReconcileStore*>(&broken) : &pair.mine,
                            options, nullptr);
      Responder responder(mine_fails ? theirs : &broken);
      std::deque<std::string> wire;
      while (!reconciler.done()) {
        for (std::string& request : reconciler.take_requests()) wire.push_back(std::move(request));
        if (reconciler.done()) break;
        ASSERT_FALSE(wire.empty());
        reconciler.receive(responder.answer(wire.front())).ok();
        wire.pop_front();
      }
      EXPECT_FALSE(reconciler.status().ok());
      EXPECT_THAT(std::string(reconciler.status().message()), ::testing::HasSubstr("disk is gone"));
    }
  }
}

// A session that was cut off at any point loses nothing, and the next one finishes.
TEST(Reconcile, AnInterruptedSessionIsTakenUpByAnother) {
  SeededRandom random(9);
  for (size_t cut = 0; cut < 12; ++cut) {
    Pair pair = deal(random, 2000, 300, kPositions);
    ReconcileOptions options;
    options.pull = options.push = true;
    options.window_positions = 20;
    Responder responder(&pair.theirs);
    {
      Reconciler reconciler(&pair.mine, options, nullptr);
      std::deque<std::string> wire;
      for (size_t i = 0; i < cut; ++i) {
        for (std::string& request : reconciler.take_requests()) wire.push_back(request);
        ASSERT_TRUE(reconciler.receive(responder.answer(wire.front())).ok());
        wire.pop_front();
      }
    }
    const Outcome run = reconcile(&pair.mine, &pair.theirs, options);
    EXPECT_TRUE(run.summary.proven);
    EXPECT_LE(run.summary.differences(), 300u);
    EXPECT_EQ(pair.mine.rows(), pair.theirs.rows());
  }
}

// Rows change on both sides while the session runs, old ones and new ones, some of them again and
// again: what it found then is true enough to be mended, and once they rest, a session proves it.
TEST(Reconcile, RowsThatChangeMeanwhileDoNoHarm) {
  SeededRandom random(10);
  for (int round = 0; round < 100; ++round) {
    SCOPED_TRACE(round);
    Pair pair = deal(random, 500, random.below(200), kPositions);
    ReconcileOptions options;
    options.pull = random.one_in(2);
    options.push = random.one_in(2);
    options.window_positions = 1 + random.below(20);
    options.most_outstanding = 1 + random.below(4);
    Reconciler reconciler(&pair.mine, options, nullptr);
    Responder responder(&pair.theirs);
    const uint64_t names = 1 + random.below(500);
    const uint64_t changes = random.below(50);  // before each reply
    std::deque<std::string> wire;
    for (int step = 0; !reconciler.done() && step < 10000; ++step) {
      for (std::string& request : reconciler.take_requests()) wire.push_back(std::move(request));
      ASSERT_FALSE(wire.empty());
      const Status status = reconciler.receive(responder.answer(wire.front()));
      ASSERT_TRUE(status.ok()) << status.message();
      wire.pop_front();
      for (uint64_t i = 0; step <= 300 && i < changes; ++i) {
        MemoryRows& side = random.one_in(2) ? pair.mine : pair.theirs;
        const uint64_t name = random.below(names);
        side.put(name * (kPositions / names), "live" + std::to_string(name),
                 "v" + std::to_string(random.next()));
      }
    }
    EXPECT_TRUE(reconciler.done());
    options.pull = options.push = true;
    const Outcome run = reconcile(&pair.mine, &pair.theirs, options);
    EXPECT_TRUE(run.summary.proven);
    EXPECT_EQ(pair.mine.rows(), pair.theirs.rows());
  }
}

}  // namespace
}  // namespace syntropy
