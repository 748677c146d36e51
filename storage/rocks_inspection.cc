#include "storage/rocks_inspection.h"

#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <algorithm>
#include <utility>

#include "storage/rocks_engine_impl.h"
#include "storage/rocks_open.h"
#include "storage/rocks_setup.h"
#include "storage/salvage_mark.h"
#include "storage/wal_audit.h"

namespace syntropy {
namespace {

constexpr uint64_t kCacheBytes = uint64_t{32} << 20;
constexpr size_t kReadAheadBytes = size_t{2} << 20;
// Not "all": RocksDB would then open a store of one level in a form that has no iterators.
constexpr int kOpenFiles = 256;

/// RocksDB opens a log file of its own in the directory unless it is given one.
class NoLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

Result<rocksdb::Options> inspection_options(const std::string& dir) {
  RocksOptions ours;
  ours.dir = dir;
  ours.block_cache_bytes = kCacheBytes;
  ours.max_open_files = kOpenFiles;
  Result<rocksdb::Options> options = rocks_setup(ours);
  if (!options.ok()) return options;
  options->create_if_missing = false;
  options->wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options->info_log = std::make_shared<NoLog>();
  return options;
}

Result<std::unique_ptr<rocksdb::DB>> open_read_only(const rocksdb::Options& options,
                                                    const std::string& dir) {
  rocksdb::DB* made = nullptr;
  const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(options, dir, &made);
  if (status.ok()) return std::unique_ptr<rocksdb::DB>(made);
  return explain_open(status, dir);
}

}  // namespace

/// The store's lock, where it has a lock file.
class RocksInspection::Lock {
 public:
  ~Lock() {
    if (file_ != nullptr) (void)rocksdb::Env::Default()->UnlockFile(file_);
  }

  Status take(const std::string& dir) {
    rocksdb::Env& env = *rocksdb::Env::Default();
    const std::string path = dir + "/LOCK";
    if (!env.FileExists(path).ok()) return {};
    const rocksdb::Status status = env.LockFile(path, &file_);
    if (status.ok()) return {};
    file_ = nullptr;
    return Status::unavailable(dir + " is in use by another process, or may not be locked (" +
                               status.ToString() + "); stop the node, or check a snapshot of it");
  }

 private:
  rocksdb::FileLock* file_ = nullptr;
};

RocksInspection::RocksInspection() : lock_(std::make_unique<Lock>()) {}
RocksInspection::~RocksInspection() = default;

Result<std::unique_ptr<RocksInspection>> RocksInspection::open(const std::string& dir) {
  rocksdb::Env& env = *rocksdb::Env::Default();
  std::vector<std::string> names;
  if (!env.GetChildren(dir, &names).ok()) {
    return Status::not_found("there is no directory " + dir + ", or it cannot be read");
  }
  std::unique_ptr<RocksInspection> inspection(new RocksInspection());
  const Status locked = inspection->lock_->take(dir);
  if (!locked.ok()) return locked;
  const Status marked = check_salvage_mark(env, dir);
  if (!marked.ok()) return marked;
  if (!env.FileExists(dir + "/CURRENT").ok()) {
    const bool was_store = std::any_of(names.begin(), names.end(), [](const std::string& name) {
      return name.ends_with(".sst") || name.ends_with(".log");
    });
    if (!was_store) return Status::not_found("there is no store in " + dir);
    return Status::corruption(dir +
                              "/CURRENT is missing, and its other files say that there was "
                              "a store");
  }

  Result<rocksdb::Options> options = inspection_options(dir);
  if (!options.ok()) return options.status();
  LogNumberFilter numbers;
  options->wal_filter = &numbers;
  Result<std::unique_ptr<rocksdb::DB>> db = open_read_only(*options, dir);
  if (!db.ok()) return db.status();
  db->reset();
  const Status judged = inspection->judge_log(dir, numbers.first_log());
  if (!judged.ok()) return judged;

  PrefixFilter keep_prefix;
  options->wal_filter = &keep_prefix;
  RocksEngine::Parts parts;
  parts.watch = std::make_shared<RocksWatch>();
  db = open_read_only(*options, dir);
  if (!db.ok()) return db.status();
  std::vector<rocksdb::LiveFileMetaData> files;
  (*db)->GetLiveFilesMetaData(&files);
  for (const rocksdb::LiveFileMetaData& file : files) {
    inspection->table_files_.push_back({file.db_path + file.name, file.size});
  }
  std::sort(inspection->table_files_.begin(), inspection->table_files_.end(),
            [](const File& a, const File& b) { return a.path < b.path; });
  inspection->engine_ = std::make_unique<RocksEngine>(std::move(parts), *std::move(db));
  return inspection;
}

Status RocksInspection::judge_log(const std::string& dir, uint64_t first_log) {
  Result<std::vector<std::string>> logs = list_logs(*rocksdb::Env::Default(), dir, first_log);
  if (!logs.ok()) return logs.status();
  Result<WalSurvey> survey = survey_wal(*rocksdb::Env::Default(), *logs);
  if (!survey.ok()) return survey.status();
  log_.files = logs->size();
  log_.records = survey->records;
  log_.lost_tail = survey->damaged && !survey->lost_durable;
  if (survey->lost_durable) {
    log_.damage = Status::corruption("the write-ahead log " + survey->damaged_file +
                                     " is damaged: writes that had been synced cannot be read");
  }
  return {};
}

Status RocksInspection::verify(const File& table_file) const {
  Result<rocksdb::Options> options = inspection_options({});
  if (!options.ok()) return options.status();
  rocksdb::ReadOptions reading;
  reading.readahead_size = kReadAheadBytes;
  const rocksdb::Status status =
      rocksdb::VerifySstFileChecksum(*options, rocksdb::EnvOptions(), reading, table_file.path);
  if (status.ok()) return {};
  return {from_rocks(status).code(), table_file.path + ": " + status.ToString()};
}

}  // namespace syntropy
