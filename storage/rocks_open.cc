#include "storage/rocks_open.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "storage/base/coding.h"
#include "storage/local_keys.h"
#include "storage/page_cache_reads.h"
#include "storage/rocks_engine.h"
#include "storage/rocks_engine_impl.h"
#include "storage/rocks_file_system.h"
#include "storage/rocks_setup.h"
#include "storage/salvage_mark.h"
#include "storage/wal_audit.h"

namespace syntropy {
namespace {

std::string advice(const std::string& dir) {
  return "Run 'syntropy salvage " + dir +
         "', which keeps what is left, or restore the directory from a snapshot; a node that has "
         "replicas gets back from them what it has lost";
}

// The first path of a store's file in `text`; empty when there is none.
std::string find_store_file(std::string_view text) {
  constexpr std::string_view kAround = " \t\n:;,()[]'\"";
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find_first_of(kAround, begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    const std::string_view name = word.substr(word.rfind('/') + 1);
    if (name.size() < word.size()) {
      // RocksDB looks for a missing table file under its name of old before it complains.
      if (name.ends_with(".ldb")) return std::string(word.substr(0, word.size() - 4)) + ".sst";
      if (name.ends_with(".log") || name.ends_with(".sst") || name.starts_with("MANIFEST-") ||
          name == "CURRENT") {
        return std::string(word);
      }
    }
    begin = end + 1;
  }
  return {};
}

// As explain_open(), with what can be done.
Status refuse_open(const rocksdb::Status& status, const std::string& dir) {
  const Status why = explain_open(status, dir);
  if (!why.is(StatusCode::kCorruption)) return why;
  return Status::corruption(std::string(why.message()) + ". " + advice(dir));
}

}  // namespace

Status explain_open(const rocksdb::Status& status, const std::string& dir) {
  const std::string text = status.ToString();
  const bool damage = status.IsCorruption() || status.IsPathNotFound() || status.IsNotFound();
  if (!damage) return {from_rocks(status).code(), "cannot open " + dir + ": " + text};
  std::string file = find_store_file(text);
  if (!file.empty() && !rocksdb::Env::Default()->FileExists(file).ok()) {
    return Status::corruption(file + " is missing");
  }
  if (file.empty()) file = "a file of " + dir;
  return Status::corruption(file + " is damaged or missing (" + text + ")");
}

namespace {

// Opens the store, after judging its log.
class Opening {
 public:
  Opening(const RocksOptions& options, rocksdb::Options rocks)
      : ours_(options), rocks_(std::move(rocks)) {}

  Result<std::unique_ptr<rocksdb::DB>> open() {
    const bool exists = rocks_.env->FileExists(ours_.dir + "/CURRENT").ok();
    if (exists && ours_.wal_recovery == WalRecovery::kStrict) {
      const Status judged = judge_log();
      if (!judged.ok()) return judged;
    }
    PrefixFilter keep_prefix;
    rocks_.wal_filter = &keep_prefix;
    rocks_.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    rocksdb::DB* made = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(rocks_, ours_.dir, &made);
    if (!status.ok()) return refuse_open(status, ours_.dir);
    return std::unique_ptr<rocksdb::DB>(made);
  }

  bool dropped_tail() const { return survey_.damaged; }

 private:
  // Refuses a log that has lost what was durable.
  Status judge_log() {
    LogNumberFilter numbers;
    rocksdb::Options reading = rocks_;
    reading.wal_filter = &numbers;
    reading.listeners.clear();
    reading.max_open_files = 64;  // it doesn't read tables, so it needn't open them all
    rocksdb::DB* made = nullptr;
    const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(reading, ours_.dir, &made);
    delete made;
    if (!status.ok()) return refuse_open(status, ours_.dir);
    Result<std::vector<std::string>> logs = list_logs(*rocks_.env, ours_.dir, numbers.first_log());
    if (!logs.ok()) return logs.status();
    Result<WalSurvey> survey = survey_wal(*rocks_.env, *logs);
    if (!survey.ok()) return survey.status();
    survey_ = *std::move(survey);
    if (!survey_.lost_durable) return {};
    return Status::corruption(
        "the write-ahead log " + survey_.damaged_file +
        " is damaged: writes that had been synced cannot be read. Restore the directory from a "
        "snapshot, or start with --wal-recovery salvage to keep what was written before the damage "
        "and drop all that came after it");
  }

  const RocksOptions& ours_;
  rocksdb::Options rocks_;
  WalSurvey survey_;
};

// A running process keeps the lock, and its LOG must not be moved away under it.
Status check_lock(rocksdb::Env& env, const std::string& dir) {
  rocksdb::FileLock* lock = nullptr;
  const rocksdb::Status status = env.LockFile(dir + "/LOCK", &lock);
  if (!status.ok()) {
    return Status::unavailable("the data directory " + dir + " is in use by another process (" +
                               status.ToString() + ")");
  }
  return from_rocks(env.UnlockFile(lock));
}

// RocksDB takes a directory without CURRENT for a new one, and clears it of what it doesn't know.
Status check_current(rocksdb::Env& env, const std::string& dir) {
  if (env.FileExists(dir + "/CURRENT").ok()) return {};
  std::vector<std::string> names;
  const rocksdb::Status status = env.GetChildren(dir, &names);
  if (!status.ok()) return from_rocks(status);
  for (const std::string& name : names) {
    if (name.ends_with(".sst") || name.ends_with(".log")) {
      return Status::corruption(dir + "/CURRENT is missing, and " + name +
                                " says that there was a store. " + advice(dir));
    }
  }
  return {};
}

// The mark of a salvage.
enum class Mark { kRefused, kTaken };

// Makes the directory, checks what can be checked before RocksDB sees it, and opens its LOG.
Result<std::shared_ptr<rocksdb::Logger>> prepare_directory(const rocksdb::Options& rocks,
                                                           const std::string& dir, Mark mark) {
  const rocksdb::Status made = rocks.env->CreateDirIfMissing(dir);
  if (!made.ok()) {
    const Status ours = from_rocks(made);
    return Status(ours.code(), "cannot make the data directory " + dir + ": " + made.ToString());
  }
  Status status = check_lock(*rocks.env, dir);
  if (status.ok() && mark == Mark::kRefused) status = check_salvage_mark(*rocks.env, dir);
  if (status.ok()) status = check_current(*rocks.env, dir);
  if (!status.ok()) return status;
  std::shared_ptr<rocksdb::Logger> log;
  const rocksdb::Status logging = rocksdb::CreateLoggerFromOptions(dir, rocks, &log);
  if (!logging.ok()) {
    return Status(from_rocks(logging).code(),
                  "cannot write " + dir + "/LOG: " + logging.ToString());
  }
  return log;
}

// Checks the store's format number, or writes it into a new store.
Status check_format(rocksdb::DB& db, const std::string& dir) {
  const std::string key = meta_key("format");
  std::string value;
  rocksdb::Status status = db.Get(rocksdb::ReadOptions(), key, &value);
  if (status.ok()) {
    ByteReader reader(value);
    uint32_t format = 0;
    if (!reader.read_fixed32_le(&format) || !reader.at_end()) {
      return Status::corruption("the format number of the store in " + dir + " is ill-formed");
    }
    if (format > kStoreFormat) {
      return Status::invalid_argument("the store in " + dir + " has format " +
                                      std::to_string(format) + ", and this version reads up to " +
                                      std::to_string(kStoreFormat) +
                                      ": it was written by a newer version; start that one");
    }
    return {};
  }
  if (!status.IsNotFound()) return from_rocks(status);

  const std::unique_ptr<rocksdb::Iterator> any(db.NewIterator(rocksdb::ReadOptions()));
  any->SeekToFirst();
  if (any->Valid()) {
    return Status::invalid_argument(dir + " holds a RocksDB database that is not Syntropy's");
  }
  if (!any->status().ok()) return from_rocks(any->status());
  value.clear();
  put_fixed32_le(&value, kStoreFormat);
  rocksdb::WriteOptions synced;
  synced.sync = true;
  return from_rocks(db.Put(synced, key, value));
}

Result<std::unique_ptr<Engine>> open_on(const RocksOptions& options, const PurgeFilter* purge,
                                        const std::shared_ptr<rocksdb::FileSystem>& file_system,
                                        Mark mark) {
  Status status = validate(options);
  if (!status.ok()) return status;
  Result<rocksdb::Options> rocks = rocks_setup(options);
  if (!rocks.ok()) return rocks.status();

  RocksEngine::Parts parts;
  parts.files = std::make_shared<RecoverableFileSystem>(
      std::make_shared<PageCacheReads>(file_system), options.dir);
  parts.env = rocksdb::NewCompositeEnv(parts.files);
  rocks->env = parts.env.get();
  Result<std::shared_ptr<rocksdb::Logger>> file = prepare_directory(*rocks, options.dir, mark);
  if (!file.ok()) return file.status();
  rocks->info_log = *std::move(file);
  parts.watch = std::make_shared<RocksWatch>();
  rocks->listeners.push_back(parts.watch);
  if (purge != nullptr) {
    parts.purge = std::make_unique<PurgeAdapter>(purge);
    rocks->compaction_filter = parts.purge.get();
  }

  Opening opening(options, std::move(*rocks));
  Result<std::unique_ptr<rocksdb::DB>> db = opening.open();
  if (!db.ok()) return db.status();
  parts.dropped_tail = opening.dropped_tail();
  status = check_format(**db, options.dir);
  if (!status.ok()) return status;
  return std::unique_ptr<Engine>(std::make_unique<RocksEngine>(std::move(parts), *std::move(db)));
}

}  // namespace

Result<std::unique_ptr<Engine>> open_rocks_engine_on(
    const RocksOptions& options, const PurgeFilter* purge,
    std::shared_ptr<rocksdb::FileSystem> file_system) {
  return open_on(options, purge, file_system, Mark::kRefused);
}

Result<std::unique_ptr<Engine>> open_marked_rocks_engine(const RocksOptions& options) {
  return open_on(options, nullptr, rocksdb::FileSystem::Default(), Mark::kTaken);
}

Result<std::unique_ptr<Engine>> open_rocks_engine(const RocksOptions& options,
                                                  const PurgeFilter* purge) {
  return open_rocks_engine_on(options, purge, rocksdb::FileSystem::Default());
}

}  // namespace syntropy
