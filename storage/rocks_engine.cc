#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <filesystem>
#include <optional>
#include <utility>

#include "storage/base/coding.h"
#include "storage/local_keys.h"
#include "storage/page_cache_reads.h"
#include "storage/rocks_engine_impl.h"
#include "storage/rocks_setup.h"
#include "storage/wal_audit.h"

namespace syntropy {
namespace {

using rocksdb::Slice;

// Counts how often a new log had to be begun.
constexpr std::string_view kRecoveriesMeta = "recoveries";
constexpr int kResumeAttempts = 3;
constexpr std::chrono::seconds kFlushPatience{20};

Status not_found() {
  // Absent keys are common, and making a Status allocates.
  thread_local const Status kStatus = Status::not_found("no such key");
  return kStatus;
}

Status not_in_memory() {
  thread_local const Status kStatus = Status::incomplete("the row is not in memory");
  return kStatus;
}

class RocksBatch final : public EngineBatch {
 public:
  void put(std::string_view key, std::string_view value) override { note(batch_.Put(key, value)); }
  void erase(std::string_view key) override { note(batch_.Delete(key)); }
  void clear() override {
    batch_.Clear();
    status_ = rocksdb::Status::OK();
  }
  bool empty() const override { return batch_.Count() == 0; }
  size_t bytes() const override { return batch_.GetDataSize(); }

  rocksdb::WriteBatch& batch() { return batch_; }
  const rocksdb::Status& status() const { return status_; }

 private:
  void note(rocksdb::Status status) {
    if (status_.ok()) status_ = std::move(status);
  }

  rocksdb::WriteBatch batch_;
  rocksdb::Status status_;  // the first change that could not be taken in (above 4 GiB)
};

class RocksSnapshot final : public EngineSnapshot {
 public:
  explicit RocksSnapshot(rocksdb::DB& db) : db_(db), snapshot_(db.GetSnapshot()) {}
  ~RocksSnapshot() override { db_.ReleaseSnapshot(snapshot_); }
  const rocksdb::Snapshot* get() const { return snapshot_; }

 private:
  rocksdb::DB& db_;
  const rocksdb::Snapshot* const snapshot_;
};

class RocksIterator final : public EngineIterator {
 public:
  RocksIterator(rocksdb::DB& db, std::string lower, std::string upper,
                const rocksdb::Snapshot* snapshot)
      : lower_(std::move(lower)),
        upper_(std::move(upper)),
        lower_slice_(lower_),
        upper_slice_(upper_) {
    rocksdb::ReadOptions options;
    options.iterate_lower_bound = &lower_slice_;
    if (!upper_.empty()) options.iterate_upper_bound = &upper_slice_;
    options.snapshot = snapshot;
    options.fill_cache = snapshot == nullptr;
    iterator_.reset(db.NewIterator(options));
  }

  void seek(std::string_view key) override { iterator_->Seek(key); }
  void next() override { iterator_->Next(); }
  bool valid() const override { return iterator_->Valid(); }
  std::string_view key() const override { return iterator_->key().ToStringView(); }
  std::string_view value() const override { return iterator_->value().ToStringView(); }
  Status status() const override { return from_rocks(iterator_->status()); }

 private:
  const std::string lower_;
  const std::string upper_;
  const Slice lower_slice_;
  const Slice upper_slice_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

}  // namespace

rocksdb::CompactionFilter::Decision PurgeAdapter::FilterV2(int, const Slice& key, ValueType type,
                                                           const Slice& value, std::string*,
                                                           std::string*) const {
  const bool drop =
      type == ValueType::kValue && purge_->may_drop(key.ToStringView(), value.ToStringView());
  return drop ? Decision::kRemove : Decision::kKeep;
}

namespace {

// Whether this thread of RocksDB compacts or flushes: background errors don't say.
thread_local bool compacting = false;

}  // namespace

void RocksWatch::OnCompactionBegin(rocksdb::DB*, const rocksdb::CompactionJobInfo&) {
  compacting = true;
}

void RocksWatch::OnFlushBegin(rocksdb::DB*, const rocksdb::FlushJobInfo&) { compacting = false; }

void RocksWatch::OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo& job) {
  note_flushed(job.largest_seqno);
}

void RocksWatch::note_flushed(uint64_t sequence) {
  const std::lock_guard lock(mutex_);
  flushed_through_ = std::max(flushed_through_, sequence);
  changed_.notify_all();
}

bool RocksWatch::wait_flushed(uint64_t sequence, const std::function<bool()>& gives_up) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kFlushPatience,
                    [&] { return flushed_through_ >= sequence || gives_up(); });
  return flushed_through_ >= sequence;
}

void RocksWatch::OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) {
  errors_.fetch_add(1, std::memory_order_relaxed);
  const bool of_compaction = compacting && reason != rocksdb::BackgroundErrorReason::kWriteCallback;
  // Before the engine is told, for that one recovers at once.
  if (!(of_compaction && error->IsIOError())) stopped_.store(true, std::memory_order_release);
  // RocksDB tries a failed compaction again by itself, and nobody waits for it. After a failed
  // flush it would take writes until memory is full, and then block them.
  if (!(reason == rocksdb::BackgroundErrorReason::kCompaction && error->IsIOError())) {
    const std::lock_guard lock(mutex_);
    if (engine_ != nullptr) {
      engine_->degrade(*error);
    } else if (early_.ok()) {
      early_ = *error;
    }
    changed_.notify_all();
  }
  if (!error->IsIOError()) return;
  if (of_compaction) {
    // See "Lost flushes" at RocksWatch.
    *error = rocksdb::Status::OK();
  } else if (error->severity() == rocksdb::Status::Severity::kFatalError) {
    // RocksDB would never resume. It calls an error fatal when it comes from its own file buffers:
    // they refuse to go on after an error below them that was not fatal.
    *error = rocksdb::Status(*error, rocksdb::Status::Severity::kHardError);
  }
}

void RocksWatch::OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                                      bool* auto_recovery) {
  *auto_recovery = false;
}

void RocksWatch::attach(RocksEngine* engine) {
  const std::lock_guard lock(mutex_);
  engine_ = engine;
  if (engine_ != nullptr && !early_.ok()) engine_->degrade(early_);
}

RocksEngine::RocksEngine(Parts parts, std::unique_ptr<rocksdb::DB> db)
    : parts_(std::move(parts)), db_(std::move(db)) {
  // What opening replayed from the log is in table files by now.
  durable_through_ = db_->GetLatestSequenceNumber();
  parts_.watch->note_flushed(durable_through_);
  parts_.watch->attach(this);
}

RocksEngine::~RocksEngine() {
  parts_.watch->attach(nullptr);
  db_.reset();
}

Status RocksEngine::get(std::string_view key, ReadTier tier, std::string* value) {
  std::optional<PageCacheOnly> page_cache_only;
  if (tier == ReadTier::kMemory) page_cache_only.emplace();
  rocksdb::PinnableSlice slice(value);
  const rocksdb::Status status = db_->Get(read_options_, db_->DefaultColumnFamily(), key, &slice);
  if (status.ok()) {
    // A row from a memtable was copied into `value` already; one from a block is pinned there.
    if (slice.IsPinned()) value->assign(slice.data(), slice.size());
    return {};
  }
  if (page_cache_only && page_cache_only->would_have_waited()) return not_in_memory();
  if (status.IsNotFound()) return not_found();
  return from_rocks(status);
}

std::unique_ptr<EngineBatch> RocksEngine::new_batch() { return std::make_unique<RocksBatch>(); }

Status RocksEngine::write(EngineBatch& batch) {
  const std::shared_lock gate(gate_);
  if (degraded()) return health();
  auto& rocks = static_cast<RocksBatch&>(batch);
  if (!rocks.status().ok()) return from_rocks(rocks.status());
  if (rocks.empty()) return {};
  add_claim(durable_through_.load(std::memory_order_relaxed), &rocks.batch());
  set_insertion_hints(static_cast<size_t>(rocks.batch().Count()));
  const rocksdb::Status status = db_->Write(write_options_, &rocks.batch());
  // The batch is applied, but it or one before it may not be in the log.
  if (parts_.files->log_torn()) degrade(parts_.files->log_failure());
  if (!status.ok()) degrade(status);
  return from_rocks(status);
}

Status RocksEngine::sync() {
  const std::shared_lock gate(gate_);
  if (degraded()) return health();
  const uint64_t covered = db_->GetLatestSequenceNumber();
  const rocksdb::Status status = parts_.files->sync_logs();
  if (!status.ok()) {
    degrade(status);
    return from_rocks(status);
  }
  uint64_t seen = durable_through_.load(std::memory_order_relaxed);
  while (seen < covered && !durable_through_.compare_exchange_weak(seen, covered)) {
  }
  return {};
}

Status RocksEngine::health() const {
  if (!degraded()) return {};
  const std::lock_guard lock(health_mutex_);
  return health_;
}

void RocksEngine::degrade(const rocksdb::Status& cause) {
  const std::lock_guard lock(health_mutex_);
  ++failures_;
  if (degraded()) return;
  health_ = from_rocks(cause);
  degraded_.store(true, std::memory_order_release);
}

Status RocksEngine::recover() {
  const std::lock_guard recovery(recovery_mutex_);
  if (!degraded()) return {};
  // Nobody is in write() or sync() after this, and nobody gets past their first lines.
  std::unique_lock(gate_).unlock();
  // RocksDB tells of an error before it takes note of it itself: a flush that is asked for in
  // between is accepted, and doesn't begin before it resumes.
  rocksdb::Status status = parts_.watch->stopped() ? resume() : rocksdb::Status::OK();
  if (status.ok()) status = move_to_new_files();
  // A flush and a compaction may have failed together; the first attempt can then end with the old
  // error of the one that it didn't try again.
  for (int attempt = 0; !status.ok() && attempt < kResumeAttempts; ++attempt) {
    status = resume();
    if (status.ok()) status = move_to_new_files();
  }
  return from_rocks(status);
}

// DB::Resume() waits until nothing runs in the background, while it lets a compaction that failed
// begin again and again, for which there may be no room for long. The pause ends that compaction,
// and RocksDB begins no other until it has resumed.
rocksdb::Status RocksEngine::resume() {
  rocksdb::Status status = db_->PauseBackgroundWork();
  if (status.ok()) status = db_->ContinueBackgroundWork();
  if (!status.ok()) return status;
  parts_.watch->note_resumption();
  return db_->Resume();
}

rocksdb::Status RocksEngine::move_to_new_files() {
  const uint64_t failures = failures_so_far();
  std::unique_ptr<rocksdb::LogFile> failed;
  rocksdb::Status status = db_->GetCurrentWalFile(&failed);
  if (status.ok()) status = leave_log_behind(*failed);
  // After an error of the manifest RocksDB keeps all files, because it doesn't know which of them
  // the manifest on the disk names; and after one of a compaction it goes on doing so. The flush
  // that succeeded has begun a new manifest.
  if (status.ok() && failures_so_far() == failures) {
    status = db_->EnableFileDeletions(/*force=*/true);
  }
  if (!status.ok()) return status;
  const std::lock_guard lock(health_mutex_);
  if (failures_ != failures) return rocksdb::Status::Aborted("the disk failed again meanwhile");
  recoveries_.fetch_add(1, std::memory_order_relaxed);
  durable_through_ = db_->GetLatestSequenceNumber();
  health_ = Status();
  degraded_.store(false, std::memory_order_release);
  return status;
}

uint64_t RocksEngine::failures_so_far() const {
  const std::lock_guard lock(health_mutex_);
  return failures_;
}

// RocksDB begins a new log when it switches memtables, and it does so only if something was written
// to both: a record makes sure of that, whether or not the old log still takes it. The flush makes
// everything before it durable in table files, so that it doesn't matter any more what is in the
// old log.
rocksdb::Status RocksEngine::leave_log_behind(const rocksdb::LogFile& failed) {
  const std::string key = meta_key(kRecoveriesMeta);
  std::string count;
  rocksdb::Status status = db_->Get(read_options_, key, &count);
  if (!status.ok() && !status.IsNotFound()) return status;
  const uint64_t before = count.size() == sizeof(uint64_t) ? load_le<uint64_t>(count.data()) : 0;
  count.clear();
  put_fixed64_le(&count, before + 1);
  status = db_->Put(write_options_, key, count);
  if (!status.ok()) return status;
  status = flush_memtables();
  if (!status.ok()) return status;

  std::unique_ptr<rocksdb::LogFile> current;
  status = db_->GetCurrentWalFile(&current);
  if (!status.ok()) return status;
  if (current->LogNumber() <= failed.LogNumber()) {
    return rocksdb::Status::Aborted("the failed log is still in use", failed.PathName());
  }
  parts_.files->abandon_logs_below(current->LogNumber());
  return status;
}

// Once it has resumed after an error, DB::Flush() of RocksDB 7.8 returns before the flush has
// begun.
rocksdb::Status RocksEngine::flush_memtables() {
  const uint64_t failures = failures_so_far();
  const uint64_t last = db_->GetLatestSequenceNumber();
  rocksdb::FlushOptions now;
  now.allow_write_stall = true;
  const rocksdb::Status status = db_->Flush(now);
  if (!status.ok()) return status;
  if (!parts_.watch->wait_flushed(last, [&] { return failures_so_far() != failures; })) {
    return rocksdb::Status::Aborted("a flush has failed or takes long");
  }
  return status;
}

std::unique_ptr<EngineSnapshot> RocksEngine::snapshot() {
  return std::make_unique<RocksSnapshot>(*db_);
}

std::unique_ptr<EngineIterator> RocksEngine::iterate(std::string lower, std::string upper,
                                                     const EngineSnapshot* snapshot) {
  const rocksdb::Snapshot* at =
      snapshot == nullptr ? nullptr : static_cast<const RocksSnapshot*>(snapshot)->get();
  return std::make_unique<RocksIterator>(*db_, std::move(lower), std::move(upper), at);
}

Status RocksEngine::checkpoint(const std::string& dir) {
  std::error_code error;
  if (std::filesystem::exists(dir, error)) return Status::already_exists(dir + " exists");
  rocksdb::Checkpoint* made = nullptr;
  rocksdb::Status status = rocksdb::Checkpoint::Create(db_.get(), &made);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  if (status.ok()) status = checkpoint->CreateCheckpoint(dir);
  return from_rocks(status);
}

Status RocksEngine::flush() {
  if (degraded()) return health();
  Status flushed = from_rocks(flush_memtables());
  return flushed.ok() || !degraded() ? flushed : health();
}

Status RocksEngine::compact(std::string_view lower, std::string_view upper) {
  if (degraded()) return health();
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  // Rows of the last level are rewritten too, or the dead among them would stay.
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  const Slice from(lower);
  const Slice to(upper);
  return from_rocks(
      db_->CompactRange(options, lower.empty() ? nullptr : &from, upper.empty() ? nullptr : &to));
}

uint64_t RocksEngine::property(const std::string& name) const {
  uint64_t value = 0;
  return db_->GetIntProperty(name, &value) ? value : 0;
}

std::vector<uint64_t> RocksEngine::sizes(const std::vector<std::string>& bounds) const {
  if (bounds.size() < 2) return {};
  std::vector<rocksdb::Range> ranges;
  for (size_t i = 0; i + 1 < bounds.size(); ++i) ranges.emplace_back(bounds[i], bounds[i + 1]);
  std::vector<uint64_t> sizes(ranges.size());
  rocksdb::SizeApproximationOptions options;
  options.include_memtables = true;
  const rocksdb::Status asked =
      db_->GetApproximateSizes(options, db_->DefaultColumnFamily(), ranges.data(),
                               static_cast<int>(ranges.size()), sizes.data());
  if (!asked.ok()) sizes.assign(sizes.size(), 0);
  return sizes;
}

EngineStats RocksEngine::stats() const {
  using Properties = rocksdb::DB::Properties;
  EngineStats stats;
  stats.live_bytes = property(Properties::kEstimateLiveDataSize);
  stats.disk_bytes = property(Properties::kTotalSstFilesSize);
  stats.memtable_bytes = property(Properties::kSizeAllMemTables);
  stats.block_cache_bytes = property(Properties::kBlockCacheUsage);
  stats.block_cache_capacity = property(Properties::kBlockCacheCapacity);
  stats.table_reader_bytes = property(Properties::kEstimateTableReadersMem);
  stats.pending_compaction_bytes = property(Properties::kEstimatePendingCompactionBytes);
  stats.write_stalled = property(Properties::kIsWriteStopped) != 0 ||
                        property(Properties::kActualDelayedWriteRate) != 0;
  std::string levels;
  for (int level = 0; level < db_->NumberLevels(); ++level) {
    std::string files;
    db_->GetProperty(Properties::kNumFilesAtLevelPrefix + std::to_string(level), &files);
    stats.files += std::strtoull(files.c_str(), nullptr, 10);
    levels += (level == 0 ? "" : ",") + files;
  }
  const auto add = [&stats](const char* name, std::string value) {
    stats.more.emplace_back(name, std::move(value));
  };
  add("rocksdb_files_per_level", levels);
  add("rocksdb_estimated_keys", std::to_string(property(Properties::kEstimateNumKeys)));
  add("rocksdb_running_compactions", std::to_string(property(Properties::kNumRunningCompactions)));
  add("rocksdb_running_flushes", std::to_string(property(Properties::kNumRunningFlushes)));
  add("rocksdb_immutable_memtables", std::to_string(property(Properties::kNumImmutableMemTable)));
  add("rocksdb_background_errors", std::to_string(parts_.watch->background_errors()));
  add("rocksdb_recoveries", std::to_string(recoveries_.load(std::memory_order_relaxed)));
  add("rocksdb_unsynced_tail_dropped_at_start", parts_.dropped_tail ? "1" : "0");
  return stats;
}

}  // namespace syntropy
