// RocksSalvage: makes a store that opens of a directory whose store doesn't, because files of it
// are missing or cannot be read. What these held is lost.
//
//   find_damage()    reads all; changes nothing
//   begin()          sets the mark; moves what cannot be read to lost/; RocksDB lists anew what is
//                    left (rocksdb::RepairDB); all of it is merged into one version of each record
//   engine()         for the caller, to make consistent what is there (storage/derived_records.h)
//   finish()         durable; the mark goes
//
// RepairDB knows nothing of levels: the files it lists overlap, and a read of one key would take
// the first it finds. So everything is compacted before anything is read. The newest version that
// is left of each record prevails; where it was lost, an older one comes back, or one that had been
// deleted.
//
// The mark is a file of the directory. While it lies there nobody else opens the store
// (storage/rocks_open.cc), so that one whose salvage ended halfway isn't taken for sound; begin()
// starts over.
//
// Needs as much room on the disk as the store has.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "storage/base/status.h"
#include "storage/engine.h"

namespace syntropy {

class RocksSalvage {
 public:
  /// What keeps the store in `dir` from being sound: at least one line, each for a person, naming
  /// a file where one is known. None: it is sound. Damage of the log alone is for WalRecovery, and
  /// is an error here. Errors:
  ///   kNotFound         there is no store
  ///   kUnavailable      another process has it open
  ///   kInvalidArgument  only the log is damaged
  /// `progress`, which may be empty, is called with the bytes of table files read, and of all.
  static Result<std::vector<std::string>> find_damage(
      const std::string& dir, const std::function<void(uint64_t, uint64_t)>& progress = {});

  /// Errors:
  ///   kUnavailable      another process has the store open; nothing was changed
  ///   kInvalidArgument  what is left is not a store of ours
  ///   kCorruption, kIoError, kNoSpace: the mark stays; call it again
  static Result<std::unique_ptr<RocksSalvage>> begin(const std::string& dir);
  /// Without finish(): as if the process had died.
  ~RocksSalvage();
  RocksSalvage(const RocksSalvage&) = delete;
  RocksSalvage& operator=(const RocksSalvage&) = delete;

  Engine& engine() { return *engine_; }

  struct LostFile {
    std::string path;  // where it lies now
    uint64_t bytes = 0;
  };
  /// Table files that could not be read, of this salvage and former ones; not those that were
  /// missing.
  const std::vector<LostFile>& lost_files() const { return lost_files_; }

  /// Makes everything durable. The last call.
  Status finish();

 private:
  explicit RocksSalvage(std::string dir) : dir_(std::move(dir)) {}
  Status find_lost_files(const std::set<std::string>& tables);

  const std::string dir_;
  std::vector<LostFile> lost_files_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace syntropy
