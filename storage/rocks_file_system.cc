#include "storage/rocks_file_system.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <utility>

namespace syntropy {

using rocksdb::DataVerificationInfo;
using rocksdb::FileOptions;
using rocksdb::FSDirectory;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// What is known of a log. The file goes away before the state does.
struct LogState {
  LogState(std::string log_path, uint64_t log_number, FSWritableFile* log_file)
      : path(std::move(log_path)), number(log_number), file(log_file) {}

  const std::string path;
  const uint64_t number;
  std::atomic<uint64_t> appended{0};  // bytes
  std::atomic<bool> torn{false};      // an append failed

  std::mutex mutex;          // guards all below; held while the file is synced or closed
  FSWritableFile* file;      // null once RocksDB has closed it: its rows are in table files
  uint64_t synced = 0;       // bytes
  bool name_synced = false;  // the directory knows of it
  bool abandoned = false;
  IOStatus failure;  // the first failed append or sync
};

namespace {

IOStatus plain(IOStatus status) {
  if (status.ok() || !(status.IsIOError() || status.IsNoSpace())) return status;
  if (status.IsNoSpace()) return IOStatus::IOError(Slice(no_space_text()), status.ToString());
  return IOStatus::IOError(status.ToString());
}

constexpr std::string_view kDiary = "LOG";

std::string_view without_slashes(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path;
}

// The number in the name of a log file; 0 for other files.
uint64_t log_number(std::string_view name) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  const std::string_view rest(end, static_cast<size_t>(name.data() + name.size() - end));
  return error == std::errc() && rest == ".log" ? number : 0;
}

}  // namespace

std::string_view no_space_text() { return "the disk is full"; }

class RecoverableFileSystem::File : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  explicit File(std::unique_ptr<FSWritableFile>&& file)
      : FSWritableFileOwnerWrapper(std::move(file)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* dbg) override {
    return plain(target()->Append(data, options, dbg));
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const DataVerificationInfo& info,
                  IODebugContext* dbg) override {
    return plain(target()->Append(data, options, info, dbg));
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& options,
                            IODebugContext* dbg) override {
    return plain(target()->PositionedAppend(data, offset, options, dbg));
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& options,
                            const DataVerificationInfo& info, IODebugContext* dbg) override {
    return plain(target()->PositionedAppend(data, offset, options, info, dbg));
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* dbg) override {
    return plain(target()->Truncate(size, options, dbg));
  }
  IOStatus Close(const IOOptions& options, IODebugContext* dbg) override {
    return plain(target()->Close(options, dbg));
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* dbg) override {
    return plain(target()->Flush(options, dbg));
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* dbg) override {
    return plain(target()->Sync(options, dbg));
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* dbg) override {
    return plain(target()->Fsync(options, dbg));
  }
  IOStatus RangeSync(uint64_t offset, uint64_t bytes, const IOOptions& options,
                     IODebugContext* dbg) override {
    return plain(target()->RangeSync(offset, bytes, options, dbg));
  }
};

class RecoverableFileSystem::Log final : public File {
 public:
  Log(RecoverableFileSystem& owner, std::unique_ptr<FSWritableFile>&& file,
      std::shared_ptr<LogState> state)
      : File(std::move(file)), owner_(owner), state_(std::move(state)) {}
  ~Log() override { forget_file(); }

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* dbg) override {
    if (state_->torn) return IOStatus::OK();
    return keep(File::Append(data, options, dbg), data.size());
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const DataVerificationInfo& info,
                  IODebugContext* dbg) override {
    if (state_->torn) return IOStatus::OK();
    return keep(File::Append(data, options, info, dbg), data.size());
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* dbg) override {
    if (state_->torn) return IOStatus::OK();
    return keep(File::Flush(options, dbg), 0);
  }
  // The two that follow are for the writes that opening makes, before there is anybody to ask
  // log_torn(): they must not seem to have worked.
  IOStatus Sync(const IOOptions& options, IODebugContext* dbg) override {
    return state_->torn ? owner_.log_failure() : File::Sync(options, dbg);
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* dbg) override {
    return state_->torn ? owner_.log_failure() : File::Fsync(options, dbg);
  }
  IOStatus Close(const IOOptions& options, IODebugContext* dbg) override {
    forget_file();
    // RocksDB closes a log once its rows are in table files, or at its own end.
    File::Close(options, dbg).PermitUncheckedError();
    return IOStatus::OK();
  }

 private:
  // Says that an append has worked, whether or not it has.
  IOStatus keep(const IOStatus& appended, uint64_t bytes) {
    state_->appended.fetch_add(bytes);
    if (!appended.ok()) {
      state_->torn = true;
      {
        const std::lock_guard lock(state_->mutex);
        if (state_->failure.ok()) state_->failure = appended;
      }
      owner_.note_torn(appended);
    }
    return IOStatus::OK();
  }

  void forget_file() {
    const std::lock_guard lock(state_->mutex);
    state_->file = nullptr;
  }

  RecoverableFileSystem& owner_;
  const std::shared_ptr<LogState> state_;
};

// Takes everything, and keeps what the disk has room for.
class RecoverableFileSystem::Diary final : public FSWritableFile {
 public:
  /// `file` may be null: nothing is kept.
  explicit Diary(std::unique_ptr<FSWritableFile>&& file) : file_(std::move(file)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* dbg) override {
    return taken(file_ ? file_->Append(data, options, dbg) : IOStatus::OK());
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const DataVerificationInfo&,
                  IODebugContext* dbg) override {
    return Append(data, options, dbg);
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* dbg) override {
    return taken(file_ ? file_->Flush(options, dbg) : IOStatus::OK());
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* dbg) override {
    return taken(file_ ? file_->Sync(options, dbg) : IOStatus::OK());
  }
  IOStatus Close(const IOOptions& options, IODebugContext* dbg) override {
    return taken(file_ ? file_->Close(options, dbg) : IOStatus::OK());
  }

 private:
  static IOStatus taken(const IOStatus& status) {
    status.PermitUncheckedError();
    return IOStatus::OK();
  }

  const std::unique_ptr<FSWritableFile> file_;
};

class RecoverableFileSystem::Directory final : public rocksdb::FSDirectoryWrapper {
 public:
  explicit Directory(std::unique_ptr<FSDirectory>&& directory)
      : FSDirectoryWrapper(std::move(directory)) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* dbg) override {
    return plain(FSDirectoryWrapper::Fsync(options, dbg));
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* dbg,
                               const rocksdb::DirFsyncOptions& which) override {
    return plain(FSDirectoryWrapper::FsyncWithDirOptions(options, dbg, which));
  }
};

RecoverableFileSystem::RecoverableFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base,
                                             std::string_view dir)
    : FileSystemWrapper(base), dir_(without_slashes(dir)) {}

RecoverableFileSystem::~RecoverableFileSystem() = default;

IOStatus RecoverableFileSystem::sync_logs() {
  // Noted before waiting for a sync that is under way: it may turn out to have covered this.
  std::vector<std::pair<std::shared_ptr<LogState>, uint64_t>> wanted;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& log : logs_) wanted.emplace_back(log, log->appended.load());
  }
  const std::lock_guard one_at_a_time(sync_mutex_);
  for (const auto& [log, size] : wanted) {
    const std::lock_guard lock(log->mutex);
    if (log->file == nullptr || log->abandoned) continue;
    if (!log->failure.ok()) return log->failure;
    if (log->synced >= size && log->name_synced) continue;
    const uint64_t covered = log->appended.load();
    IOStatus status = plain(log->file->Sync(IOOptions(), nullptr));
    if (status.ok() && !log->name_synced) status = sync_name(log->path);
    if (!status.ok()) return log->failure = status;
    log->synced = covered;
    log->name_synced = true;
  }
  return IOStatus::OK();
}

IOStatus RecoverableFileSystem::log_failure() {
  const std::lock_guard lock(mutex_);
  return log_failure_;
}

void RecoverableFileSystem::note_torn(const IOStatus& failure) {
  const std::lock_guard lock(mutex_);
  if (log_failure_.ok()) log_failure_ = failure;
  log_torn_.store(true, std::memory_order_release);
}

void RecoverableFileSystem::abandon_logs_below(uint64_t number) {
  const std::lock_guard lock(mutex_);
  bool torn = false;
  for (const auto& log : logs_) {
    const std::lock_guard log_lock(log->mutex);
    if (log->number < number) {
      log->abandoned = true;
    } else {
      torn = torn || log->torn;
    }
  }
  if (torn) return;
  log_failure_ = IOStatus::OK();
  log_torn_.store(false, std::memory_order_release);
}

IOStatus RecoverableFileSystem::NewWritableFile(const std::string& path, const FileOptions& options,
                                                std::unique_ptr<FSWritableFile>* file,
                                                IODebugContext* dbg) {
  return wrap(target()->NewWritableFile(path, options, file, dbg), path, file);
}

IOStatus RecoverableFileSystem::ReopenWritableFile(const std::string& path,
                                                   const FileOptions& options,
                                                   std::unique_ptr<FSWritableFile>* file,
                                                   IODebugContext* dbg) {
  return wrap(target()->ReopenWritableFile(path, options, file, dbg), path, file);
}

// The wrapper's would leave this layer out.
IOStatus RecoverableFileSystem::NewLogger(const std::string& path, const IOOptions& options,
                                          std::shared_ptr<rocksdb::Logger>* logger,
                                          IODebugContext* dbg) {
  return FileSystem::NewLogger(path, options, logger, dbg);
}

IOStatus RecoverableFileSystem::NewDirectory(const std::string& path, const IOOptions& options,
                                             std::unique_ptr<FSDirectory>* directory,
                                             IODebugContext* dbg) {
  IOStatus status = plain(target()->NewDirectory(path, options, directory, dbg));
  if (status.ok()) *directory = std::make_unique<Directory>(std::move(*directory));
  return status;
}

IOStatus RecoverableFileSystem::RenameFile(const std::string& from, const std::string& to,
                                           const IOOptions& options, IODebugContext* dbg) {
  return plain(target()->RenameFile(from, to, options, dbg));
}

IOStatus RecoverableFileSystem::Truncate(const std::string& path, size_t size,
                                         const IOOptions& options, IODebugContext* dbg) {
  return plain(target()->Truncate(path, size, options, dbg));
}

IOStatus RecoverableFileSystem::wrap(IOStatus status, const std::string& path,
                                     std::unique_ptr<FSWritableFile>* file) {
  const std::string_view name = name_in_store(path);
  // Once the store is open, RocksDB counts on a new diary when one is full.
  if (name == kDiary && (status.ok() || has_diary_)) {
    *file = std::make_unique<Diary>(status.ok() ? std::move(*file) : nullptr);
    has_diary_ = true;
    return IOStatus::OK();
  }
  if (!status.ok()) return plain(std::move(status));
  const uint64_t number = log_number(name);
  if (number == 0) {
    *file = std::make_unique<File>(std::move(*file));
    return status;
  }
  auto state = std::make_shared<LogState>(path, number, file->get());
  *file = std::make_unique<Log>(*this, std::move(*file), state);
  const std::lock_guard lock(mutex_);
  std::erase_if(logs_, [](const auto& log) {
    const std::lock_guard log_lock(log->mutex);
    return log->file == nullptr;
  });
  logs_.push_back(std::move(state));
  return status;
}

// The name of a file of the store; empty for files elsewhere.
std::string_view RecoverableFileSystem::name_in_store(std::string_view path) const {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos || without_slashes(path.substr(0, slash)) != dir_) return {};
  return path.substr(slash + 1);
}

IOStatus RecoverableFileSystem::sync_name(const std::string& path) {
  std::unique_ptr<FSDirectory> directory;
  const std::string parent = path.substr(0, path.rfind('/'));
  IOStatus status = NewDirectory(parent, IOOptions(), &directory, nullptr);
  if (status.ok()) {
    const rocksdb::DirFsyncOptions new_file(rocksdb::DirFsyncOptions::FsyncReason::kNewFileSynced);
    status = directory->FsyncWithDirOptions(IOOptions(), nullptr, new_file);
  }
  return status;
}

}  // namespace syntropy
