// RowTrees: the tree of sums over a store's rows (merkle/tree.h), always ready: kept up to date as
// rows change, kept over restarts and crashes.
//
//   a commit ──> marks of its rows, before and after ──> journal (tree_journal.h)
//                                                    └─> noted ──> the tree, behind the writers
//   now and then: the tree ──> a file (tree_file.h); the journal begins anew
//
// Writers pay two hashes a row and a copy; what the tree costs is paid by a thread of its own, or
// by whoever asks for the tree, which is up to date for him.
//
// After a start the tree is what the file says and the journal has since. Where that isn't all (the
// loss of power took the end of the journal, the disk was full, it is the first start with trees)
// slots are *stale*: their rows are read in the background, a range of slots at a time, while the
// node serves. The same is done with slots that have outgrown their depth, and after FLUSHDB.
//
// Locks, in the order in which they are taken: read_mutex_, the keyspace's, tree_mutex_,
// noted_mutex_.
//
// Invariants
//   1. The tree with what is noted is the sum over the covered rows (storage/row_changes.h) of all
//      slots that aren't stale.
//   2. A file stands for a commit that is durable.
//
// Thread safety: any thread.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "merkle/tree.h"
#include "server/trees/tree_journal.h"
#include "storage/keyspace.h"
#include "storage/row_changes.h"

namespace syntropy {

struct RowTreesOptions {
  /// Of the file and the journal; made if it isn't there. Empty: nothing is kept over restarts.
  std::string dir;
  /// Changes after which the file is written: so many, or a quarter of the rows if that is more.
  uint64_t save_after_changes = 1'000'000;
  /// False: nothing runs in the background. Whoever asks for the tree waits for what is missing.
  bool background = true;
  /// What a test breaks on purpose, to see that it is found.
  bool forget_what_was = false;  // of a row that is replaced or deleted
};

struct RowTreesStats {
  uint64_t rows = 0;  // in the tree
  uint64_t stale_slots = 0;
  uint64_t noted = 0;              // changes on their way to the tree
  uint64_t rebuilt_slots = 0;      // since the start
  uint64_t rows_read = 0;          // for that
  uint64_t session_rows_read = 0;  // by reconcile sessions
  uint64_t saves = 0;
  uint64_t journal_bytes = 0;
  std::string journal_error;  // empty: it takes what it is given
};

class RowTrees final : private RowChangeListener {
 public:
  /// `keyspace` outlives this, and has committed nothing since it was opened. Errors are the
  /// engine's; files that can't be used are only logged.
  static Result<std::unique_ptr<RowTrees>> open(Keyspace& keyspace, const RowTreesOptions& options);
  /// Nothing may be committed any more.
  ~RowTrees() override;

  /// Gives the tree with all that was committed before, settled. Holds off its upkeep while it
  /// lives; who has it must not wait for the keyspace's lock.
  class Access {
   public:
    const Tree& tree() const { return *trees_->tree_; }
    /// Lets go of the tree, so that the keyspace may be written to; and has it anew.
    void release();
    void acquire();

   private:
    friend class RowTrees;
    explicit Access(RowTrees& trees) : trees_(&trees) { acquire(); }
    RowTrees* trees_;
    std::unique_lock<std::mutex> lock_;
  };
  /// kUnavailable while slots among `slots` are stale: how many.
  Result<Access> access(const SlotRanges& slots);
  /// Whether access() would have it within some ten microseconds: nobody holds it now, and what is
  /// on its way to it is little.
  bool at_hand() const;
  /// The tree and the rows as of one moment. Writers wait for about a millisecond; what is frozen
  /// holds back the engine from removing what is replaced, and should not live for hours.
  struct Frozen {
    std::unique_ptr<const Tree> tree;
    FrozenRows rows;
    std::vector<uint16_t> databases;  // as databases()
  };
  /// `at_that_moment`, if given, is called while nothing is committed. kUnavailable as access().
  Result<Frozen> freeze(const SlotRanges& slots, const std::function<void()>& at_that_moment);
  /// Reads the rows of stale slots now, until none is left.
  Status make_ready();

  /// How many keys each of the slots has, in their order, over all databases: as
  /// Keyspace::key_count() counts them, so with those expired that aren't drained. kUnavailable as
  /// access().
  Result<std::vector<uint64_t>> key_counts(const SlotRanges& slots);

  /// Those that have rows. kUnavailable as access().
  Result<SlotRanges> occupied_slots();

  /// Databases that have, or had, covered rows, by physical number, ascending.
  std::vector<uint16_t> databases() const;

  /// Writes the file now, so that the next start has nothing to do.
  Status save();
  RowTreesStats stats() const;

  /// Counts rows that a session has read.
  void note_session_reads(uint64_t rows) { session_rows_read_ += rows; }

  /// Rows of the slots that the tree and the store disagree about.
  struct Verdict {
    uint64_t rows = 0;                  // read
    std::vector<uint16_t> wrong_slots;  // or only their number of keys, which is counted anew then
    /// Rows whose content isn't what was written: keys, encoded.
    std::vector<std::string> rotten;
    /// Rows that were written and aren't there: their positions.
    std::vector<uint64_t> lost;
    /// Ranges of slots in which too many rows are wrong to name them.
    uint64_t unnamed_leaves = 0;
  };
  /// Reads the rows of the slots and holds the tree against them. kUnavailable as access().
  Result<Verdict> verify(const SlotRange& range);
  /// Takes from another node a row that verify() finds rotten or lost here, if it is that very row:
  /// the one that the tree stands for. kInvalidArgument: it isn't; else as verify() and
  /// Keyspace::mend_row().
  Status mend(const std::string& row_key, std::string_view row_value);

 private:
  // What was committed and isn't in the tree yet.
  struct Noted {
    Killed killed = Killed::kNone;  // before `changes`
    std::vector<MarkChange> changes;
    uint64_t commit = 0;  // the last one; 0: none
  };
  // A range of slots whose rows are being read; changes since it began.
  struct Reading {
    SlotRange range;
    bool spoiled = false;  // rows died meanwhile that weren't named
    std::vector<MarkChange> changes;
  };
  // What is wrong with slots that are being verified.
  struct Judged {
    std::vector<uint16_t> slots;
    std::vector<uint64_t> elements;  // that the tree has and the rows don't, or the reverse
    uint64_t unnamed_leaves = 0;
  };
  // Marks of the rows of some slots, by slot.
  struct SlotMarks {
    uint16_t first = 0;
    std::vector<std::vector<RowMark>> slots;
    std::vector<int64_t> keys;  // the same
    uint64_t rows = 0;
    uint64_t databases = 0;  // as databases_
  };

  RowTrees(Keyspace& keyspace, const RowTreesOptions& options);

  void changing(uint64_t commit, Killed killed, std::span<const RowChange> changes,
                std::span<const SlotKeys> keys) override;
  void changed(uint64_t commit, bool stored) override;
  void recount() override;
  void emptied() override;

  std::string file() const { return options_.dir + "/sums"; }
  Status load();
  bool load_file(uint64_t stored);
  void begin_anew(Killed killed);
  /// The tree's lock, with all in it that was committed before; not settled.
  std::unique_lock<std::mutex> catch_up();
  void catch_up(Noted noted);
  Noted take_noted();
  void clear(bool stale);
  Status check_ready(const SlotRanges& slots) const;
  void apply(const MarkChange& change);
  std::optional<SlotRange> next_to_read();
  Status read_slots(const SlotRange& range);
  void take_in(const SlotMarks& marks, const Reading& since);
  using MarkVisitor =
      std::function<void(const RowMark& mark, std::string_view row_key, const RowView& row)>;
  Status visit_marks(const FrozenRows& rows, const SlotRange& range, const MarkVisitor& visitor,
                     const std::function<void(std::string_view row_key)>& unreadable) const;
  Result<SlotMarks> read_marks(const FrozenRows& rows, const SlotRange& range,
                               Verdict* names) const;
  static void judge(std::span<const Summary> leaves, uint16_t slot,
                    const std::vector<RowMark>& rows, Judged* judged);
  /// verify(), with the elements that the tree has and the rows don't, or the reverse.
  Result<Verdict> verify(const SlotRange& range, std::vector<uint64_t>* elements);
  Status name_rows(const FrozenRows& rows, const std::vector<uint64_t>& elements,
                   Verdict* verdict) const;
  void count_anew(uint16_t slot);
  bool save_due();
  void run();
  std::chrono::milliseconds upkeep();

  Keyspace& keyspace_;
  const RowTreesOptions options_;

  mutable std::mutex tree_mutex_;  // guards the tree and all down to noted_mutex_
  std::unique_ptr<Tree> tree_;
  uint64_t applied_ = 0;  // the last commit in the tree
  uint64_t changes_since_save_ = 0;
  std::vector<int64_t> keys_;   // by slot; how many
  std::vector<bool> stale_;     // by slot
  std::vector<bool> outgrown_;  // the same
  uint64_t stale_slots_ = 0;
  uint64_t outgrown_slots_ = 0;
  size_t read_from_ = 0;  // where next_to_read() looks first

  mutable std::mutex noted_mutex_;  // guards down to read_mutex_
  Noted noted_;
  TreeJournal journal_;
  std::optional<Reading> reading_;
  uint64_t databases_ = 0;  // that have, or had, covered rows: bit db % 64

  // Of the commit that is under way; guarded by the keyspace's lock.
  Killed killed_ = Killed::kNone;
  std::vector<MarkChange> marks_;

  std::mutex read_mutex_;  // one reads slots, verifies or saves at a time; taken before the others

  std::atomic<uint64_t> rebuilt_slots_{0};
  std::atomic<uint64_t> rows_read_{0};
  std::atomic<uint64_t> session_rows_read_{0};
  std::atomic<uint64_t> saves_{0};
  std::atomic<bool> has_file_{false};  // that the journal continues

  // Of the thread alone.
  uint64_t applied_at_upkeep_ = 0;
  std::chrono::milliseconds upkeep_interval_{1};  // grows while nothing changes

  std::mutex thread_mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace syntropy
