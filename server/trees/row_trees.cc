#include "server/trees/row_trees.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "server/trees/tree_file.h"
#include "storage/base/coding.h"
#include "storage/local_keys.h"

namespace syntropy {
namespace {

using Killed = RowChangeListener::Killed;

constexpr auto kUpkeepInterval = std::chrono::milliseconds(20);
constexpr auto kMostIdleInterval = std::chrono::milliseconds(160);  // while nothing changes
constexpr auto kRetryInterval = std::chrono::milliseconds(5000);    // after a failure
// Changes that wait for the tree before writers have to help.
constexpr size_t kMostNoted = size_t{1} << 21;

RowMark mark_encoded(const RowChange& change, std::string_view row_value) {
  const auto slot = load_be<uint16_t>(change.row_key.data());
  const auto hash = load_be<uint32_t>(change.row_key.data() + 2 * sizeof(uint16_t));
  return mark_row(slot, hash, change.key_hash, row_value);
}

constexpr uint64_t database_bit(uint16_t db) { return uint64_t{1} << (db % 64); }

bool in(const SlotRange& range, const MarkChange& change) {
  const uint16_t slot = change.slot();
  return slot >= range.first && slot <= range.last;
}

}  // namespace

RowTrees::RowTrees(Keyspace& keyspace, const RowTreesOptions& options)
    : keyspace_(keyspace),
      options_(options),
      tree_(std::make_unique<Tree>()),
      keys_(kSlotCount),
      stale_(kSlotCount),
      outgrown_(kSlotCount),
      journal_(options.dir) {}

RowTrees::~RowTrees() {
  {
    const std::lock_guard lock(thread_mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

// --- what commits say ----------------------------------------------------------------------------

void RowTrees::changing(uint64_t commit, Killed killed, std::span<const RowChange> changes,
                        std::span<const SlotKeys> keys) {
  killed_ = killed;
  marks_.clear();
  for (const RowChange& change : changes) {
    MarkChange mark;
    if (!change.before.empty() && !options_.forget_what_was)
      mark.before = mark_encoded(change, change.before);
    if (!change.after.empty()) mark.after = mark_encoded(change, change.after);
    marks_.push_back(mark);
  }
  for (const SlotKeys& slot : keys) marks_.push_back(MarkChange::of_keys(slot));
  const std::lock_guard lock(noted_mutex_);
  uint64_t databases = 0;
  for (const RowChange& change : changes) {
    databases |= database_bit(load_be<uint16_t>(change.row_key.data() + sizeof(uint16_t)));
  }
  databases_ |= databases;
  if (!options_.dir.empty()) journal_.append({commit, killed, databases, marks_});
}

std::vector<uint16_t> RowTrees::databases() const {
  const std::lock_guard lock(noted_mutex_);
  std::vector<uint16_t> found;
  for (uint32_t db = 0; db < keyspace_.databases(); ++db) {
    if ((databases_ & database_bit(static_cast<uint16_t>(db))) != 0) {
      found.push_back(static_cast<uint16_t>(db));
    }
  }
  return found;
}

void RowTrees::changed(uint64_t commit, bool stored) {
  bool help = false;
  {
    const std::lock_guard lock(noted_mutex_);
    if (!stored) return journal_.undo();
    if (killed_ != Killed::kNone) {
      noted_.changes.clear();
      noted_.killed = killed_;
      if (reading_) reading_->spoiled = true;
    }
    noted_.changes.insert(noted_.changes.end(), marks_.begin(), marks_.end());
    noted_.commit = commit;
    if (reading_) {
      for (const MarkChange& change : marks_) {
        if (in(reading_->range, change)) reading_->changes.push_back(change);
      }
    }
    help = noted_.changes.size() > kMostNoted;
  }
  if (!help) return;
  catch_up();
}

void RowTrees::recount() { begin_anew(Killed::kSome); }

void RowTrees::emptied() { begin_anew(Killed::kAll); }

// What is on disk says nothing any more.
void RowTrees::begin_anew(Killed killed) {
  const std::lock_guard lock(noted_mutex_);
  if (!options_.dir.empty()) {
    std::error_code ignored;
    std::filesystem::remove(file(), ignored);
    journal_.clear();
  }
  has_file_ = false;
  noted_.changes.clear();
  noted_.killed = killed;
  if (reading_) reading_->spoiled = true;
}

// --- the tree ------------------------------------------------------------------------------------

RowTrees::Noted RowTrees::take_noted() {
  const std::lock_guard lock(noted_mutex_);
  return std::exchange(noted_, {});
}

std::unique_lock<std::mutex> RowTrees::catch_up() {
  std::unique_lock lock(tree_mutex_);
  catch_up(take_noted());
  return lock;
}

void RowTrees::catch_up(Noted noted) {
  if (noted.killed != Killed::kNone) clear(noted.killed == Killed::kSome);
  for (const MarkChange& change : noted.changes) apply(change);
  changes_since_save_ += noted.changes.size();
  applied_ = std::max(applied_, noted.commit);
}

void RowTrees::clear(bool stale) {
  tree_ = std::make_unique<Tree>();
  keys_.assign(kSlotCount, 0);
  stale_.assign(kSlotCount, stale);
  stale_slots_ = stale ? kSlotCount : 0;
  outgrown_.assign(kSlotCount, false);
  outgrown_slots_ = 0;
}

void RowTrees::apply(const MarkChange& change) {
  const uint16_t slot = change.slot();
  if (change.is_of_keys()) {
    keys_[slot] += change.keys_delta();
    return;
  }
  if (change.before.element != 0 && change.after.element != 0) {
    return tree_->update(change.before, change.after);
  }
  if (change.before.element != 0) tree_->remove(change.before);
  if (change.after.element != 0) tree_->add(change.after);
  if (outgrown_[slot] || stale_[slot] || !tree_->wants_rebuild(slot)) return;
  outgrown_[slot] = true;
  ++outgrown_slots_;
}

void RowTrees::Access::acquire() {
  lock_ = trees_->catch_up();
  trees_->tree_->settle();
}

bool RowTrees::at_hand() const {
  constexpr size_t kFew = 64;  // changes, or slots to be summed up
  const std::unique_lock tree(tree_mutex_, std::try_to_lock);
  if (!tree.owns_lock() || tree_->unsettled() > kFew) return false;
  const std::lock_guard noted(noted_mutex_);
  return noted_.killed == Killed::kNone && noted_.changes.size() <= kFew;
}

void RowTrees::Access::release() { lock_.unlock(); }

Result<RowTrees::Access> RowTrees::access(const SlotRanges& slots) {
  Access access(*this);
  if (const Status ready = check_ready(slots); !ready.ok()) return ready;
  return access;
}

// With the tree's lock.
Status RowTrees::check_ready(const SlotRanges& slots) const {
  if (stale_slots_ == 0) return {};
  uint64_t stale = 0;
  for (const SlotRange& range : slots.ranges()) {
    for (unsigned slot = range.first; slot <= range.last; ++slot) stale += stale_[slot];
  }
  if (stale == 0) return {};
  return Status::unavailable(fmt::format(
      "the trees are being made: the rows of {} slots are still to be read; ask again later",
      stale));
}

Result<std::vector<uint64_t>> RowTrees::key_counts(const SlotRanges& slots) {
  const auto lock = catch_up();
  if (const Status ready = check_ready(slots); !ready.ok()) return ready;
  std::vector<uint64_t> counts;
  for (const SlotRange& range : slots.ranges()) {
    for (unsigned slot = range.first; slot <= range.last; ++slot) {
      counts.push_back(static_cast<uint64_t>(std::max<int64_t>(keys_[slot], 0)));
    }
  }
  return counts;
}

Result<SlotRanges> RowTrees::occupied_slots() {
  const auto lock = catch_up();
  if (const Status ready = check_ready(SlotRanges::all()); !ready.ok()) return ready;
  SlotRanges occupied;
  for (unsigned slot = 0; slot < kSlotCount; ++slot) {
    const std::span<const Summary> leaves = tree_->leaves(static_cast<uint16_t>(slot));
    const bool rows = std::any_of(leaves.begin(), leaves.end(),
                                  [](const Summary& leaf) { return leaf.rows != 0; });
    if (rows) occupied.add({static_cast<uint16_t>(slot), static_cast<uint16_t>(slot)});
  }
  return occupied;
}

Result<RowTrees::Frozen> RowTrees::freeze(const SlotRanges& slots,
                                          const std::function<void()>& at_that_moment) {
  if (!options_.background) {
    const Status ready = make_ready();
    if (!ready.ok()) return ready;
  }
  {
    const Access before(*this);  // so that there is little left to do while writers wait
  }
  Frozen frozen;
  Status ready;
  frozen.rows = keyspace_.freeze([&](uint64_t) {
    const Result<Access> access = this->access(slots);
    ready = access.status();
    if (ready.ok()) frozen.tree = std::make_unique<const Tree>(access->tree());
    if (at_that_moment) at_that_moment();
  });
  if (!ready.ok()) return ready;
  frozen.databases = databases();
  return frozen;
}

// --- reading rows --------------------------------------------------------------------------------

std::optional<SlotRange> RowTrees::next_to_read() {
  constexpr unsigned kMostSlots = 64;
  if (stale_slots_ + outgrown_slots_ == 0) return std::nullopt;
  const auto wanted = [&](size_t slot) { return stale_[slot] || outgrown_[slot]; };
  size_t first = read_from_ % kSlotCount;
  while (!wanted(first)) first = (first + 1) % kSlotCount;
  size_t last = first;
  while (last + 1 < kSlotCount && last + 1 < first + kMostSlots && wanted(last + 1)) ++last;
  read_from_ = last + 1;
  return SlotRange{static_cast<uint16_t>(first), static_cast<uint16_t>(last)};
}

Status RowTrees::read_slots(const SlotRange& range) {
  const std::lock_guard one(read_mutex_);
  const FrozenRows rows = keyspace_.freeze([&](uint64_t) {
    const std::lock_guard lock(noted_mutex_);
    reading_ = Reading{range, false, {}};
  });
  const Result<SlotMarks> marks = read_marks(rows, range, nullptr);
  const std::lock_guard lock(tree_mutex_);
  Noted noted;
  Reading since;
  {
    // At one moment: no change is in both, or in neither.
    const std::lock_guard noted_lock(noted_mutex_);
    noted = std::exchange(noted_, {});
    since = *std::exchange(reading_, std::nullopt);
    if (marks.ok()) databases_ |= marks->databases;
  }
  catch_up(std::move(noted));
  if (!marks.ok()) return marks.status();
  if (!since.spoiled) take_in(*marks, since);
  return {};
}

void RowTrees::take_in(const SlotMarks& marks, const Reading& since) {
  for (unsigned slot = since.range.first; slot <= since.range.last; ++slot) {
    tree_->rebuild(static_cast<uint16_t>(slot), marks.slots[slot - marks.first]);
    keys_[slot] = marks.keys[slot - marks.first];
    stale_slots_ -= stale_[slot];
    outgrown_slots_ -= outgrown_[slot];
    stale_[slot] = false;
    outgrown_[slot] = false;
  }
  for (const MarkChange& change : since.changes) apply(change);
  rebuilt_slots_ += marks.slots.size();
  rows_read_ += marks.rows;
}

// `names`, if given, takes the keys of rows that can't be read.
Result<RowTrees::SlotMarks> RowTrees::read_marks(const FrozenRows& rows, const SlotRange& range,
                                                 Verdict* names) const {
  SlotMarks marks{range.first, {}, {}, 0, 0};
  marks.slots.resize(size_t{range.last} - range.first + 1);
  marks.keys.resize(marks.slots.size());
  const Status read = visit_marks(
      rows, range,
      [&](const RowMark& mark, std::string_view row_key, const RowView& row) {
        marks.databases |= database_bit(load_be<uint16_t>(row_key.data() + sizeof(uint16_t)));
        const size_t at = slot_of_position(position_of(mark.element)) - range.first;
        marks.slots[at].push_back(mark);
        marks.keys[at] += rows.coverage.counts(row, row_key);
        ++marks.rows;
      },
      [&](std::string_view row_key) {
        if (names != nullptr) names->rotten.emplace_back(row_key);
      });
  if (!read.ok()) return read;
  return marks;
}

Status RowTrees::visit_marks(const FrozenRows& rows, const SlotRange& range,
                             const MarkVisitor& visitor,
                             const std::function<void(std::string_view)>& unreadable) const {
  std::string lower;
  std::string upper;
  encode_row_position(range.first, 0, 0, &lower);
  encode_row_position(static_cast<uint16_t>(range.last + 1), 0, 0, &upper);
  const auto row = keyspace_.engine().iterate(lower, upper, rows.snapshot.get());
  for (row->seek(lower); row->valid(); row->next()) {
    const Result<RowKeyView> key = decode_row_key(row->key());
    const Result<RowView> value = decode_row(row->value());
    if (!key.ok() || !value.ok()) {
      unreadable(row->key());
      continue;
    }
    if (!rows.coverage.covers(*key, *value, row->key())) continue;
    visitor(mark_row(key->slot, key->hash, row->key(), row->value()), row->key(), *value);
  }
  return row->status();
}

Status RowTrees::make_ready() {
  while (true) {
    std::optional<SlotRange> range;
    {
      const auto lock = catch_up();
      range = next_to_read();
    }
    if (!range) return {};
    const Status read = read_slots(*range);
    if (!read.ok()) return read;
  }
}

// --- upkeep --------------------------------------------------------------------------------------

Status RowTrees::save() {
  const std::lock_guard one(read_mutex_);
  std::string bytes;
  uint64_t commit = 0;
  {
    const auto lock = catch_up();
    commit = applied_;
    changes_since_save_ = 0;
    uint64_t databases = 0;
    {
      const std::lock_guard noted_lock(noted_mutex_);
      journal_.begin_file();
      databases = databases_;
    }
    bytes = encode_tree(commit, databases, *tree_, keys_, stale_);
  }
  // It must not be ahead of the store after the loss of power.
  Status saved = keyspace_.engine().sync();
  if (saved.ok()) saved = write_tree_file(file(), bytes);
  if (!saved.ok()) return saved;
  ++saves_;
  has_file_ = true;
  const std::lock_guard lock(noted_mutex_);
  if (journal_.status().ok()) {
    journal_.forget(commit);
  } else {
    journal_.clear();
  }
  return {};
}

bool RowTrees::save_due() {
  const auto caught_up = catch_up();
  if (stale_slots_ != 0 || options_.dir.empty()) return false;
  if (!has_file_ ||
      changes_since_save_ >= std::max(options_.save_after_changes, tree_->rows() / 4)) {
    return true;
  }
  const std::lock_guard lock(noted_mutex_);
  return !journal_.status().ok();
}

// Returns how long to wait for the next one.
std::chrono::milliseconds RowTrees::upkeep() {
  std::optional<SlotRange> range;
  {
    const auto lock = catch_up();
    range = next_to_read();
    const bool idle = std::exchange(applied_at_upkeep_, applied_) == applied_;
    upkeep_interval_ = idle ? std::min(2 * upkeep_interval_, kMostIdleInterval) : kUpkeepInterval;
  }
  Status done;
  if (range) {
    done = read_slots(*range);
  } else if (save_due()) {
    done = save();
  }
  if (done.ok()) return range ? std::chrono::milliseconds(0) : upkeep_interval_;
  spdlog::warn("the upkeep of the trees failed: {}", done.message());
  return kRetryInterval;
}

void RowTrees::run() {
  while (true) {
    const std::chrono::milliseconds pause = upkeep();
    std::unique_lock lock(thread_mutex_);
    if (stopping_) return;
    wake_.wait_for(lock, pause, [this] { return stopping_; });
  }
}

RowTreesStats RowTrees::stats() const {
  RowTreesStats stats;
  {
    const std::lock_guard lock(tree_mutex_);
    stats.rows = tree_->rows();
    stats.stale_slots = stale_slots_;
  }
  stats.rebuilt_slots = rebuilt_slots_;
  stats.rows_read = rows_read_;
  stats.session_rows_read = session_rows_read_;
  stats.saves = saves_;
  const std::lock_guard lock(noted_mutex_);
  stats.noted = noted_.changes.size();
  stats.journal_bytes = journal_.bytes();
  stats.journal_error = journal_.status().message();
  return stats;
}

}  // namespace syntropy
