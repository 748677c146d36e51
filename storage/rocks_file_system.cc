#include "storage/rocks_file_system.h"

#include <atomic>
#include <mutex>
#include <utility>

namespace syntropy {
namespace {

using rocksdb::DataVerificationInfo;
using rocksdb::FileOptions;
using rocksdb::FSDirectory;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus recoverable(IOStatus status) {
  if (status.ok() || !(status.IsIOError() || status.IsNoSpace())) return status;
  IOStatus marked = IOStatus::IOError(status.ToString());
  if (status.IsNoSpace()) marked = IOStatus::IOError(Slice(no_space_text()), status.ToString());
  marked.SetRetryable(true);
  marked.SetScope(IOStatus::kIOErrorScopeFileSystem);
  return marked;
}

bool is_log(std::string_view path) { return path.ends_with(".log"); }

class RecoverableFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  explicit RecoverableFile(std::unique_ptr<FSWritableFile>&& file)
      : FSWritableFileOwnerWrapper(std::move(file)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* dbg) override {
    return recoverable(FSWritableFileWrapper::Append(data, options, dbg));
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const DataVerificationInfo& info,
                  IODebugContext* dbg) override {
    return recoverable(FSWritableFileWrapper::Append(data, options, info, dbg));
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& options,
                            IODebugContext* dbg) override {
    return recoverable(FSWritableFileWrapper::PositionedAppend(data, offset, options, dbg));
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& options,
                            const DataVerificationInfo& info, IODebugContext* dbg) override {
    return recoverable(FSWritableFileWrapper::PositionedAppend(data, offset, options, info, dbg));
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* dbg) override {
    return recoverable(FSWritableFileWrapper::Truncate(size, options, dbg));
  }
  IOStatus Close(const IOOptions& options, IODebugContext* dbg) override {
    return recoverable(FSWritableFileWrapper::Close(options, dbg));
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* dbg) override {
    return recoverable(FSWritableFileWrapper::Flush(options, dbg));
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* dbg) override {
    return recoverable(FSWritableFileWrapper::Sync(options, dbg));
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* dbg) override {
    return recoverable(FSWritableFileWrapper::Fsync(options, dbg));
  }
  IOStatus RangeSync(uint64_t offset, uint64_t bytes, const IOOptions& options,
                     IODebugContext* dbg) override {
    return recoverable(FSWritableFileWrapper::RangeSync(offset, bytes, options, dbg));
  }
};

class RecoverableLog final : public RecoverableFile {
 public:
  using RecoverableFile::RecoverableFile;

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* dbg) override {
    if (torn_) return IOStatus::OK();
    return note_append(RecoverableFile::Append(data, options, dbg));
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const DataVerificationInfo& info,
                  IODebugContext* dbg) override {
    if (torn_) return IOStatus::OK();
    return note_append(RecoverableFile::Append(data, options, info, dbg));
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* dbg) override {
    if (torn_) return IOStatus::OK();
    return note_append(RecoverableFile::Flush(options, dbg));
  }
  IOStatus Close(const IOOptions& options, IODebugContext* dbg) override {
    const IOStatus status = RecoverableFile::Close(options, dbg);
    return torn_ ? IOStatus::OK() : status;
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* dbg) override {
    return sync_once([&] { return RecoverableFile::Sync(options, dbg); });
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* dbg) override {
    return sync_once([&] { return RecoverableFile::Fsync(options, dbg); });
  }

 private:
  IOStatus note_append(IOStatus status) {
    if (!status.ok()) {
      torn_ = true;
      remember(status);
    }
    return status;
  }

  template <class SyncFunction>
  IOStatus sync_once(SyncFunction sync) {
    {
      const std::lock_guard lock(mutex_);
      if (!failure_.ok()) return failure_;
    }
    IOStatus status = sync();
    if (!status.ok()) remember(status);
    // A sync that began before another one failed may have been given the other's lost pages.
    const std::lock_guard lock(mutex_);
    return failure_;
  }

  void remember(const IOStatus& status) {
    const std::lock_guard lock(mutex_);
    if (failure_.ok()) failure_ = status;
  }

  std::atomic<bool> torn_{false};
  std::mutex mutex_;  // guards failure_
  IOStatus failure_;  // the first failed append or sync
};

class RecoverableDirectory final : public rocksdb::FSDirectoryWrapper {
 public:
  explicit RecoverableDirectory(std::unique_ptr<FSDirectory>&& directory)
      : FSDirectoryWrapper(std::move(directory)) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* dbg) override {
    return recoverable(FSDirectoryWrapper::Fsync(options, dbg));
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* dbg,
                               const rocksdb::DirFsyncOptions& which) override {
    return recoverable(FSDirectoryWrapper::FsyncWithDirOptions(options, dbg, which));
  }
};

class RecoverableFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit RecoverableFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base)
      : FileSystemWrapper(base) {}

  const char* Name() const override { return "SyntropyRecoverable"; }

  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<FSWritableFile>* file, IODebugContext* dbg) override {
    return wrap(target()->NewWritableFile(path, options, file, dbg), path, file);
  }
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions& options,
                              std::unique_ptr<FSWritableFile>* file, IODebugContext* dbg) override {
    return wrap(target()->ReopenWritableFile(path, options, file, dbg), path, file);
  }
  IOStatus ReuseWritableFile(const std::string& path, const std::string& old_path,
                             const FileOptions& options, std::unique_ptr<FSWritableFile>* file,
                             IODebugContext* dbg) override {
    return wrap(target()->ReuseWritableFile(path, old_path, options, file, dbg), path, file);
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions& options,
                        std::unique_ptr<FSDirectory>* directory, IODebugContext* dbg) override {
    IOStatus status = recoverable(target()->NewDirectory(path, options, directory, dbg));
    if (status.ok()) *directory = std::make_unique<RecoverableDirectory>(std::move(*directory));
    return status;
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* dbg) override {
    return recoverable(target()->RenameFile(from, to, options, dbg));
  }
  IOStatus Truncate(const std::string& path, size_t size, const IOOptions& options,
                    IODebugContext* dbg) override {
    return recoverable(target()->Truncate(path, size, options, dbg));
  }

 private:
  static IOStatus wrap(IOStatus status, const std::string& path,
                       std::unique_ptr<FSWritableFile>* file) {
    if (!status.ok()) return recoverable(std::move(status));
    if (is_log(path)) {
      *file = std::make_unique<RecoverableLog>(std::move(*file));
    } else {
      *file = std::make_unique<RecoverableFile>(std::move(*file));
    }
    return status;
  }
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> make_recoverable_file_system(
    std::shared_ptr<rocksdb::FileSystem> base) {
  return std::make_shared<RecoverableFileSystem>(base);
}

std::string_view no_space_text() { return "the disk is full"; }

}  // namespace syntropy
