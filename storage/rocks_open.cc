#include "storage/rocks_open.h"

#include <algorithm>
#include <utility>

#include "storage/base/coding.h"
#include "storage/local_keys.h"
#include "storage/rocks_engine.h"
#include "storage/rocks_engine_impl.h"
#include "storage/rocks_file_system.h"
#include "storage/rocks_setup.h"
#include "storage/wal_audit.h"

namespace syntropy {
namespace {

constexpr char kAdvice[] =
    "Restore the directory from a checkpoint, or empty it and let a replica fill it again";

// Opens the store, in as many attempts as it takes to judge its log.
class Opening {
 public:
  Opening(const RocksOptions& options, rocksdb::Options rocks, RocksEngine::Parts* parts)
      : ours_(options), rocks_(std::move(rocks)), parts_(parts) {}

  Result<std::unique_ptr<rocksdb::DB>> open() {
    const bool strict = ours_.wal_recovery == WalRecovery::kStrict;
    rocksdb::Status status =
        strict ? attempt(WalAudit::Mode::kExpectWhole) : attempt(WalAudit::Mode::kKeepPrefix);
    if (strict && status.IsCorruption() && log_is_to_blame()) {
      if (survey_.lost_synced()) return refuse_log();
      parts_->dropped_tail_of = survey_.damaged_file();
      status = attempt(WalAudit::Mode::kKeepPrefix);
    }
    if (!status.ok()) return explain(status);
    return std::move(db_);
  }

 private:
  rocksdb::Status attempt(WalAudit::Mode mode) {
    WalAudit audit(mode);
    rocks_.wal_filter = &audit;
    rocks_.wal_recovery_mode = mode == WalAudit::Mode::kExpectWhole
                                   ? rocksdb::WALRecoveryMode::kAbsoluteConsistency
                                   : rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    parts_->log->forget_complaints();
    rocksdb::DB* made = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(rocks_, ours_.dir, &made);
    db_.reset(made);
    return status;
  }

  // Reads the whole log without applying it. If that succeeds, all else in the store is well, and
  // it was the log that failed the opening.
  bool log_is_to_blame() {
    first_complaints_ = parts_->log->complaints();
    rocksdb::Options reading = rocks_;
    reading.wal_filter = &survey_;
    reading.wal_recovery_mode = rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;
    reading.listeners.clear();
    parts_->log->listen([this](std::string_view complaint) {
      const std::string_view file = find_store_file(complaint);
      if (file.ends_with(".log")) survey_.note_unreadable(file);
    });
    rocksdb::DB* made = nullptr;
    const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(reading, ours_.dir, &made);
    parts_->log->listen({});
    delete made;
    return status.ok();
  }

  Status refuse_log() const {
    return Status::corruption(
        "the write-ahead log " + survey_.damaged_file() +
        " is damaged: writes that had been synced cannot be read, and later ones can. " + kAdvice +
        "; or start with --wal-recovery salvage to keep what was written before the damage and "
        "drop all that came after it");
  }

  Status explain(const rocksdb::Status& status) const {
    const std::string text = status.ToString();
    if (text.find("/LOCK") != std::string::npos || text.find("lock ") != std::string::npos) {
      return Status::unavailable("the data directory " + ours_.dir +
                                 " is in use by another process (" + text + ")");
    }
    const Status ours = from_rocks(status);
    if (!damage(status)) return {ours.code(), "cannot open " + ours_.dir + ": " + text};
    std::string file(find_store_file(text));
    for (const std::string& complaint : parts_->log->complaints()) {
      if (file.empty()) file = find_store_file(complaint);
    }
    if (file.empty()) file = "a file of " + ours_.dir;
    return Status::corruption(file + " is damaged or missing (" + text + "). " + kAdvice);
  }

  static bool damage(const rocksdb::Status& status) {
    return status.IsCorruption() || status.IsPathNotFound() || status.IsNotFound();
  }

  const RocksOptions& ours_;
  rocksdb::Options rocks_;
  RocksEngine::Parts* const parts_;
  WalAudit survey_{WalAudit::Mode::kSurvey};
  std::vector<std::string> first_complaints_;
  std::unique_ptr<rocksdb::DB> db_;
};

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

}  // namespace

Result<std::unique_ptr<Engine>> open_rocks_engine_on(
    const RocksOptions& options, const PurgeFilter* purge,
    std::shared_ptr<rocksdb::FileSystem> file_system) {
  Status status = validate(options);
  if (!status.ok()) return status;
  Result<rocksdb::Options> rocks = rocks_setup(options);
  if (!rocks.ok()) return rocks.status();

  RocksEngine::Parts parts;
  parts.env = rocksdb::NewCompositeEnv(make_recoverable_file_system(std::move(file_system)));
  rocks->env = parts.env.get();
  rocksdb::Status made = parts.env->CreateDirIfMissing(options.dir);
  std::shared_ptr<rocksdb::Logger> file;
  if (made.ok()) made = rocksdb::CreateLoggerFromOptions(options.dir, *rocks, &file);
  if (!made.ok()) {
    const Status ours = from_rocks(made);
    return Status(ours.code(), "cannot use the data directory " + options.dir + ": " +
                                   std::string(ours.message()));
  }
  parts.log = std::make_shared<RocksLog>(std::move(file));
  rocks->info_log = parts.log;
  parts.watch = std::make_shared<RocksWatch>();
  rocks->listeners.push_back(parts.watch);
  if (purge != nullptr) {
    parts.purge = std::make_unique<PurgeAdapter>(purge);
    rocks->compaction_filter = parts.purge.get();
  }

  Result<std::unique_ptr<rocksdb::DB>> db = Opening(options, std::move(*rocks), &parts).open();
  if (!db.ok()) return db.status();
  status = check_format(**db, options.dir);
  if (!status.ok()) return status;
  return std::unique_ptr<Engine>(std::make_unique<RocksEngine>(std::move(parts), *std::move(db)));
}

Result<std::unique_ptr<Engine>> open_rocks_engine(const RocksOptions& options,
                                                  const PurgeFilter* purge) {
  return open_rocks_engine_on(options, purge, rocksdb::FileSystem::Default());
}

}  // namespace syntropy
