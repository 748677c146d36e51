#include "storage/rocks_salvage.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "storage/base/coding.h"
#include "storage/local_keys.h"
#include "storage/rocks_engine.h"
#include "storage/rocks_inspection.h"
#include "storage/rocks_open.h"
#include "storage/rocks_setup.h"
#include "storage/row.h"
#include "storage/salvage_mark.h"

namespace syntropy {
namespace {

constexpr uint64_t kCacheBytes = uint64_t{32} << 20;

rocksdb::Env& disk() { return *rocksdb::Env::Default(); }

RocksOptions options_for(const std::string& dir) {
  RocksOptions options;
  options.dir = dir;
  options.block_cache_bytes = kCacheBytes;
  return options;
}

/// The names of table files, those that were moved away before among them.
std::set<std::string> tables_of(const std::string& dir) {
  std::set<std::string> tables;
  for (const std::string& place : {dir, dir + "/lost"}) {
    std::vector<std::string> names;
    if (!disk().GetChildren(place, &names).ok()) continue;
    std::copy_if(names.begin(), names.end(), std::inserter(tables, tables.end()),
                 [](const std::string& name) { return name.ends_with(".sst"); });
  }
  return tables;
}

/// Durable, as what is done under it will be.
Status set_mark(const std::string& dir) {
  rocksdb::Status status =
      rocksdb::WriteStringToFile(&disk(), "see 'syntropy salvage --help'\n", salvage_mark(dir),
                                 /*should_sync=*/true);
  std::unique_ptr<rocksdb::Directory> parent;
  if (status.ok()) status = disk().NewDirectory(dir, &parent);
  if (status.ok()) status = parent->Fsync();
  return from_rocks(status);
}

Status check_lock(const std::string& dir) {
  rocksdb::FileLock* lock = nullptr;
  const rocksdb::Status status = disk().LockFile(dir + "/LOCK", &lock);
  if (status.ok()) return from_rocks(disk().UnlockFile(lock));
  return Status::unavailable(dir + " is in use by another process, or may not be locked (" +
                             status.ToString() + "); stop the node first");
}

/// What is left is a store of ours, though its format number may be lost.
Status check_format(rocksdb::DB& db, const std::string& dir) {
  std::string value;
  const rocksdb::Status read = db.Get(rocksdb::ReadOptions(), meta_key("format"), &value);
  if (!read.IsNotFound()) return from_rocks(read);  // judged when the store is opened
  const std::unique_ptr<rocksdb::Iterator> at(db.NewIterator(rocksdb::ReadOptions()));
  at->SeekToFirst();
  if (at->Valid()) {
    const std::string_view key = at->key().ToStringView();
    const bool local = key.starts_with(kMetaPrefix) || key.starts_with(kExpiryPrefix);
    if (!local && !decode_row_key(key).ok()) {
      return Status::invalid_argument(dir + " holds a RocksDB database that is not Syntropy's");
    }
  }
  if (!at->status().ok()) return from_rocks(at->status());
  put_fixed32_le(&value, kStoreFormat);
  return from_rocks(db.Put(rocksdb::WriteOptions(), meta_key("format"), value));
}

/// Lists anew what is left, and merges it.
Status rebuild(const std::string& dir) {
  Result<rocksdb::Options> options = rocks_setup(options_for(dir));
  if (!options.ok()) return options.status();
  // The files come from several levels, and are all taken for some of the first.
  options->force_consistency_checks = false;
  options->disable_auto_compactions = true;
  rocksdb::Status status = rocksdb::RepairDB(dir, *options);
  if (!status.ok()) return from_rocks(status);

  options->create_if_missing = false;
  rocksdb::DB* made = nullptr;
  status = rocksdb::DB::Open(*options, dir, &made);
  const std::unique_ptr<rocksdb::DB> db(made);
  if (!status.ok()) return explain_open(status, dir);
  rocksdb::CompactRangeOptions compaction;
  compaction.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  status = db->CompactRange(compaction, nullptr, nullptr);
  if (!status.ok()) return from_rocks(status);
  const Status ours = check_format(*db, dir);
  if (!ours.ok()) return ours;
  return from_rocks(db->Close());
}

}  // namespace

Result<std::vector<std::string>> RocksSalvage::find_damage(
    const std::string& dir, const std::function<void(uint64_t, uint64_t)>& progress) {
  std::vector<std::string> damage;
  const Result<std::unique_ptr<RocksInspection>> store = RocksInspection::open(dir);
  if (!store.ok()) {
    if (!store.status().is(StatusCode::kCorruption)) return store.status();
    damage.emplace_back(store.status().message());
    return damage;
  }
  uint64_t read = 0, all = 0;
  for (const RocksInspection::File& file : (*store)->table_files()) all += file.bytes;
  for (const RocksInspection::File& file : (*store)->table_files()) {
    if (progress) progress(read, all);
    read += file.bytes;
    const Status sound = (*store)->verify(file);
    if (!sound.ok()) damage.emplace_back(sound.message());
  }
  const Status& log = (*store)->log().damage;
  if (damage.empty() && !log.ok()) {
    return Status::invalid_argument(std::string(log.message()) +
                                    ". All else is sound: start the node with --wal-recovery "
                                    "salvage, which keeps what was written before the damage");
  }
  return damage;
}

Result<std::unique_ptr<RocksSalvage>> RocksSalvage::begin(const std::string& dir) {
  Status status = check_lock(dir);
  const std::set<std::string> tables = tables_of(dir);
  if (status.ok()) status = set_mark(dir);
  if (status.ok()) status = rebuild(dir);
  if (!status.ok()) return status;
  std::unique_ptr<RocksSalvage> salvage(new RocksSalvage(dir));
  status = salvage->find_lost_files(tables);
  if (!status.ok()) return status;
  Result<std::unique_ptr<Engine>> engine = open_marked_rocks_engine(options_for(dir));
  if (!engine.ok()) return engine.status();
  salvage->engine_ = std::move(*engine);
  return salvage;
}

RocksSalvage::~RocksSalvage() = default;

Status RocksSalvage::find_lost_files(const std::set<std::string>& tables) {
  const std::string lost = dir_ + "/lost";
  std::vector<std::string> names;
  const rocksdb::Status status = disk().GetChildren(lost, &names);
  if (status.IsNotFound()) return {};
  if (!status.ok()) return from_rocks(status);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    // Logs were read, what listed the files is obsolete, and RepairDB moves what it has begun
    // itself.
    if (!tables.contains(name)) continue;
    LostFile file{lost + "/" + name, 0};
    (void)disk().GetFileSize(file.path, &file.bytes);
    lost_files_.push_back(std::move(file));
  }
  return {};
}

Status RocksSalvage::finish() {
  Status status = engine_->sync();
  if (status.ok()) status = engine_->flush();
  if (status.ok()) status = engine_->health();
  if (!status.ok()) return status;
  engine_.reset();
  return from_rocks(disk().DeleteFile(salvage_mark(dir_)));
}

}  // namespace syntropy
