// FaultFileSystem: a file system under RocksDB that can fail and can lose power.
//
// It passes everything on to a real one and keeps, for what goes through it, the state that a disk
// would be left in if the power went now:
//   - of each file the bytes up to the last sync of it, and nothing of those after it (or, as the
//     caller wishes, some of them: disks may have written any part);
//   - a new, renamed or deleted name only if its directory was synced since.
//
// Faults: fail() makes chosen operations on chosen files return an error until heal().
//
// Use: open the engine on it; work; power_off() (from then on every operation fails, so that the
// engine can be destroyed without leaving traces); destroy the engine; lose_unsynced(); open anew.
//
// Thread safety: all functions may be called from any thread.
#pragma once

#include <rocksdb/file_system.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/random.h"

namespace syntropy::testing {

enum class FileKind { kLog, kTable, kManifest, kOther, kAny };
enum class FileOperation { kCreate, kAppend, kSync, kRead, kRename, kDirectorySync };
enum class Fault {
  kIoError,       // EIO, nothing was done
  kNoSpace,       // ENOSPC, nothing was done
  kPartialWrite,  // EIO after half of the bytes were appended
};

class FaultFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  FaultFileSystem();
  ~FaultFileSystem() override;
  const char* Name() const override { return "SyntropyFault"; }

  // --- faults ------------------------------------------------------------------------------------

  /// From the (`after` + 1)-th on, `operation`s on files of `kind` fail.
  void fail(FileOperation operation, FileKind kind, Fault fault, uint64_t after = 0);
  /// No faults any more.
  void heal();
  /// Operations that failed because of fail().
  uint64_t failures() const;

  // --- power -------------------------------------------------------------------------------------

  /// How much of what was not synced survives lose_unsynced().
  enum class Tail {
    kNone,
    kPrefix,  // of each file a random prefix of its unsynced bytes
    kHoles,   // of each file a random part, 4 KiB pages of zeros in place of the others
  };

  /// Every operation from now on fails and changes nothing.
  void power_off();
  /// power_off(), right after so many more appends to files of `kind`.
  void power_off_after(FileKind kind, uint64_t appends);
  /// Puts the real files into the state that the loss of power leaves, and switches power on.
  void lose_unsynced(Tail tail, Random& random);

  // --- figures -----------------------------------------------------------------------------------

  uint64_t syncs(FileKind kind) const;

  // --- rocksdb::FileSystem -----------------------------------------------------------------------

  using IODebugContext = rocksdb::IODebugContext;
  using IOOptions = rocksdb::IOOptions;
  using IOStatus = rocksdb::IOStatus;

  IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                             std::unique_ptr<rocksdb::FSSequentialFile>* file,
                             IODebugContext* dbg) override;
  IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& options,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                               IODebugContext* dbg) override;
  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file,
                           IODebugContext* dbg) override;
  IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                              std::unique_ptr<rocksdb::FSWritableFile>* file,
                              IODebugContext* dbg) override;
  IOStatus NewDirectory(const std::string& path, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* directory,
                        IODebugContext* dbg) override;
  IOStatus DeleteFile(const std::string& path, const IOOptions& options,
                      IODebugContext* dbg) override;
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* dbg) override;
  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions& options,
                    IODebugContext* dbg) override;

 private:
  class SequentialFile;
  class RandomAccessFile;
  class WritableFile;
  class Directory;
  friend class SequentialFile;
  friend class RandomAccessFile;
  friend class WritableFile;
  friend class Directory;

  struct Rule {
    FileOperation operation;
    FileKind kind;
    Fault fault;
    uint64_t spared;  // operations that still succeed
  };
  // A change of a directory that it has not synced. `kept` is where the file that a name stood for
  // before waits for the sync; empty: there was none.
  struct NameChange {
    std::string path;
    std::string moved_from;  // the other name of a rename; empty otherwise
    std::string kept;
  };
  struct Content {
    uint64_t size = 0;
    uint64_t synced = 0;
  };

  /// Ok, or the error that the operation shall meet. `fault`, when asked for, says which.
  IOStatus check(FileOperation operation, const std::string& path, Fault* fault = nullptr);
  void note_append(const std::string& path, uint64_t bytes);
  void note_sync(const std::string& path, uint64_t size);
  void sync_names(const std::string& directory);
  std::string keep(const std::string& path);
  void undo_names();
  void cut_contents(Tail tail, Random& random);

  mutable std::mutex mutex_;  // guards all below
  std::vector<Rule> rules_;
  std::map<std::string, Content> contents_;
  std::vector<NameChange> name_changes_;  // in the order in which they were made
  std::map<FileKind, uint64_t> syncs_;
  std::string limbo_;  // directory of the files kept for undo_names()
  uint64_t kept_count_ = 0;
  uint64_t failures_ = 0;
  bool off_ = false;
  FileKind fuse_kind_ = FileKind::kAny;
  uint64_t fuse_ = 0;  // appends of that kind until the power goes; 0: it doesn't
};

/// What a file of a RocksDB directory is, by its name.
FileKind file_kind(std::string_view path);

}  // namespace syntropy::testing
