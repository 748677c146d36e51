#include "tests/support/fault_file_system.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

namespace syntropy::testing {
namespace {

namespace fs = std::filesystem;
using rocksdb::FileOptions;
using rocksdb::FSDirectory;
using rocksdb::FSRandomAccessFile;
using rocksdb::FSSequentialFile;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

constexpr uint64_t kPageBytes = 4096;

std::string parent_of(const std::string& path) { return fs::path(path).parent_path().string(); }

// Pages [from, to) of the file get zeros where `random` says so.
void punch_holes(const std::string& path, uint64_t from, uint64_t to, Random& random) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const std::string zeros(kPageBytes, '\0');
  for (uint64_t page = from / kPageBytes; page * kPageBytes < to; ++page) {
    if (random.one_in(2)) continue;
    const uint64_t begin = std::max(from, page * kPageBytes);
    const uint64_t end = std::min(to, (page + 1) * kPageBytes);
    file.seekp(static_cast<std::streamoff>(begin));
    file.write(zeros.data(), static_cast<std::streamsize>(end - begin));
  }
}

}  // namespace

FileKind file_kind(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  if (name.ends_with(".log")) return FileKind::kLog;
  if (name.ends_with(".sst")) return FileKind::kTable;
  if (name.starts_with("MANIFEST-")) return FileKind::kManifest;
  return FileKind::kOther;
}

class FaultFileSystem::SequentialFile final : public FSSequentialFile {
 public:
  SequentialFile(FaultFileSystem& owner, std::string path, std::unique_ptr<FSSequentialFile> file)
      : owner_(owner), path_(std::move(path)), file_(std::move(file)) {}
  IOStatus Read(size_t size, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* dbg) override {
    IOStatus status = owner_.check(FileOperation::kRead, path_);
    return status.ok() ? file_->Read(size, options, result, scratch, dbg) : status;
  }
  IOStatus Skip(uint64_t size) override { return file_->Skip(size); }

 private:
  FaultFileSystem& owner_;
  const std::string path_;
  const std::unique_ptr<FSSequentialFile> file_;
};

class FaultFileSystem::RandomAccessFile final : public FSRandomAccessFile {
 public:
  RandomAccessFile(FaultFileSystem& owner, std::string path,
                   std::unique_ptr<FSRandomAccessFile> file)
      : owner_(owner), path_(std::move(path)), file_(std::move(file)) {}
  IOStatus Read(uint64_t offset, size_t size, const IOOptions& options, Slice* result,
                char* scratch, IODebugContext* dbg) const override {
    IOStatus status = owner_.check(FileOperation::kRead, path_);
    return status.ok() ? file_->Read(offset, size, options, result, scratch, dbg) : status;
  }
  size_t GetUniqueId(char* id, size_t size) const override { return file_->GetUniqueId(id, size); }

 private:
  FaultFileSystem& owner_;
  const std::string path_;
  const std::unique_ptr<FSRandomAccessFile> file_;
};

class FaultFileSystem::WritableFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  WritableFile(FaultFileSystem& owner, std::string path, std::unique_ptr<FSWritableFile> file,
               uint64_t size)
      : FSWritableFileOwnerWrapper(std::move(file)),
        owner_(owner),
        path_(std::move(path)),
        size_(size) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* dbg) override {
    Fault fault{};
    const IOStatus refused = owner_.check(FileOperation::kAppend, path_, &fault);
    if (!refused.ok() && fault != Fault::kPartialWrite) return refused;
    const Slice written(data.data(), refused.ok() ? data.size() : data.size() / 2);
    IOStatus status = target()->Append(written, options, dbg);
    if (status.ok()) {
      size_.fetch_add(written.size());
      owner_.note_append(path_, written.size());
    }
    return refused.ok() ? status : refused;
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* dbg) override {
    return Append(data, options, dbg);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* dbg) override {
    return sync([&] { return target()->Sync(options, dbg); });
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* dbg) override {
    return sync([&] { return target()->Fsync(options, dbg); });
  }

 private:
  template <class SyncFunction>
  IOStatus sync(SyncFunction really) {
    IOStatus status = owner_.check(FileOperation::kSync, path_);
    const uint64_t covered = size_.load();
    if (status.ok()) status = really();
    if (status.ok()) owner_.note_sync(path_, covered);
    return status;
  }

  FaultFileSystem& owner_;
  const std::string path_;
  std::atomic<uint64_t> size_;
};

class FaultFileSystem::Directory final : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(FaultFileSystem& owner, std::string path, std::unique_ptr<FSDirectory> directory)
      : FSDirectoryWrapper(std::move(directory)), owner_(owner), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* dbg) override {
    return sync([&] { return FSDirectoryWrapper::Fsync(options, dbg); });
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* dbg,
                               const rocksdb::DirFsyncOptions& which) override {
    return sync([&] { return FSDirectoryWrapper::FsyncWithDirOptions(options, dbg, which); });
  }

 private:
  template <class SyncFunction>
  IOStatus sync(SyncFunction really) {
    IOStatus status = owner_.check(FileOperation::kDirectorySync, path_);
    if (status.ok()) status = really();
    if (status.ok()) owner_.sync_names(path_);
    return status;
  }

  FaultFileSystem& owner_;
  const std::string path_;
};

FaultFileSystem::FaultFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {
  std::string made = (fs::temp_directory_path() / "fault-limbo-XXXXXX").string();
  if (::mkdtemp(made.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), "mkdtemp");
  }
  limbo_ = made;
}

FaultFileSystem::~FaultFileSystem() {
  std::error_code ignored;
  fs::remove_all(limbo_, ignored);
}

void FaultFileSystem::fail(FileOperation operation, FileKind kind, Fault fault, uint64_t after) {
  const std::lock_guard lock(mutex_);
  rules_.push_back({operation, kind, fault, after});
}

void FaultFileSystem::heal() {
  const std::lock_guard lock(mutex_);
  rules_.clear();
}

uint64_t FaultFileSystem::failures() const {
  const std::lock_guard lock(mutex_);
  return failures_;
}

void FaultFileSystem::power_off() {
  const std::lock_guard lock(mutex_);
  off_ = true;
}

void FaultFileSystem::power_off_after(FileKind kind, uint64_t appends) {
  const std::lock_guard lock(mutex_);
  fuse_kind_ = kind;
  fuse_ = appends;
}

void FaultFileSystem::lose_unsynced(Tail tail, Random& random) {
  const std::lock_guard lock(mutex_);
  undo_names();
  cut_contents(tail, random);
  rules_.clear();
  fuse_ = 0;
  off_ = false;
}

uint64_t FaultFileSystem::syncs(FileKind kind) const {
  const std::lock_guard lock(mutex_);
  const auto found = syncs_.find(kind);
  return found == syncs_.end() ? 0 : found->second;
}

IOStatus FaultFileSystem::NewSequentialFile(const std::string& path, const FileOptions& options,
                                            std::unique_ptr<FSSequentialFile>* file,
                                            IODebugContext* dbg) {
  IOStatus status = check(FileOperation::kRead, path);
  if (status.ok()) status = target()->NewSequentialFile(path, options, file, dbg);
  if (status.ok()) *file = std::make_unique<SequentialFile>(*this, path, std::move(*file));
  return status;
}

IOStatus FaultFileSystem::NewRandomAccessFile(const std::string& path, const FileOptions& options,
                                              std::unique_ptr<FSRandomAccessFile>* file,
                                              IODebugContext* dbg) {
  IOStatus status = check(FileOperation::kRead, path);
  if (status.ok()) status = target()->NewRandomAccessFile(path, options, file, dbg);
  if (status.ok()) *file = std::make_unique<RandomAccessFile>(*this, path, std::move(*file));
  return status;
}

IOStatus FaultFileSystem::NewWritableFile(const std::string& path, const FileOptions& options,
                                          std::unique_ptr<FSWritableFile>* file,
                                          IODebugContext* dbg) {
  IOStatus status = check(FileOperation::kCreate, path);
  if (!status.ok()) return status;
  {
    const std::lock_guard lock(mutex_);
    const std::string kept = fs::exists(path) ? keep(path) : std::string();
    name_changes_.push_back({path, {}, kept});
    contents_[path] = Content{};
  }
  status = target()->NewWritableFile(path, options, file, dbg);
  if (status.ok()) *file = std::make_unique<WritableFile>(*this, path, std::move(*file), 0);
  return status;
}

IOStatus FaultFileSystem::ReopenWritableFile(const std::string& path, const FileOptions& options,
                                             std::unique_ptr<FSWritableFile>* file,
                                             IODebugContext* dbg) {
  IOStatus status = check(FileOperation::kCreate, path);
  if (status.ok()) status = target()->ReopenWritableFile(path, options, file, dbg);
  if (!status.ok()) return status;
  const uint64_t size = fs::file_size(path);
  {
    const std::lock_guard lock(mutex_);
    contents_.try_emplace(path, Content{size, size});
  }
  *file = std::make_unique<WritableFile>(*this, path, std::move(*file), size);
  return status;
}

IOStatus FaultFileSystem::NewDirectory(const std::string& path, const IOOptions& options,
                                       std::unique_ptr<FSDirectory>* directory,
                                       IODebugContext* dbg) {
  IOStatus status = target()->NewDirectory(path, options, directory, dbg);
  if (status.ok()) *directory = std::make_unique<Directory>(*this, path, std::move(*directory));
  return status;
}

IOStatus FaultFileSystem::DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) {
  const std::lock_guard lock(mutex_);
  if (off_) return IOStatus::IOError("the power is off", path);
  if (!fs::exists(path)) return IOStatus::PathNotFound(path);
  name_changes_.push_back({path, {}, keep(path)});
  return IOStatus::OK();
}

IOStatus FaultFileSystem::RenameFile(const std::string& from, const std::string& to,
                                     const IOOptions& options, IODebugContext* dbg) {
  IOStatus status = check(FileOperation::kRename, to);
  if (!status.ok()) return status;
  const std::lock_guard lock(mutex_);
  const std::string kept = fs::exists(to) ? keep(to) : std::string();
  status = target()->RenameFile(from, to, options, dbg);
  if (!status.ok()) return status;
  name_changes_.push_back({to, from, kept});
  const auto content = contents_.find(from);
  if (content != contents_.end()) {
    contents_[to] = content->second;
    contents_.erase(content);
  } else {
    contents_.erase(to);
  }
  return status;
}

IOStatus FaultFileSystem::LinkFile(const std::string& from, const std::string& to,
                                   const IOOptions& options, IODebugContext* dbg) {
  IOStatus status = check(FileOperation::kCreate, to);
  if (!status.ok()) return status;
  status = target()->LinkFile(from, to, options, dbg);
  const std::lock_guard lock(mutex_);
  if (status.ok()) name_changes_.push_back({to, {}, {}});
  return status;
}

IOStatus FaultFileSystem::check(FileOperation operation, const std::string& path, Fault* fault) {
  const std::lock_guard lock(mutex_);
  if (off_) {
    // Half a write would be a write.
    if (fault != nullptr) *fault = Fault::kIoError;
    return IOStatus::IOError("the power is off", path);
  }
  const FileKind kind = file_kind(path);
  for (Rule& rule : rules_) {
    if (rule.operation != operation || (rule.kind != kind && rule.kind != FileKind::kAny)) continue;
    if (rule.spared > 0) {
      --rule.spared;
      continue;
    }
    ++failures_;
    if (fault != nullptr) *fault = rule.fault;
    if (rule.fault == Fault::kNoSpace) return IOStatus::NoSpace("injected: no space", path);
    return IOStatus::IOError("injected: input/output error", path);
  }
  return IOStatus::OK();
}

void FaultFileSystem::note_append(const std::string& path, uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  contents_[path].size += bytes;
  if (fuse_ > 0 && file_kind(path) == fuse_kind_ && --fuse_ == 0) off_ = true;
}

void FaultFileSystem::note_sync(const std::string& path, uint64_t size) {
  const std::lock_guard lock(mutex_);
  ++syncs_[file_kind(path)];
  const auto content = contents_.find(path);  // absent when renamed or deleted meanwhile
  if (content != contents_.end()) content->second.synced = std::max(content->second.synced, size);
}

void FaultFileSystem::sync_names(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  const std::string wanted = fs::path(directory).lexically_normal().string();
  std::erase_if(name_changes_, [&](const NameChange& change) {
    const std::string parent = fs::path(parent_of(change.path)).lexically_normal().string();
    if (parent != wanted && parent + "/" != wanted) return false;
    if (!change.kept.empty()) fs::remove(change.kept);
    return true;
  });
}

// Takes the file out of sight, with what is known of its content.
std::string FaultFileSystem::keep(const std::string& path) {
  const std::string kept = limbo_ + "/" + std::to_string(kept_count_++);
  std::error_code error;
  fs::rename(path, kept, error);
  if (error) {  // another device
    fs::copy_file(path, kept);
    fs::remove(path);
  }
  const auto content = contents_.find(path);
  if (content != contents_.end()) {
    contents_[kept] = content->second;
    contents_.erase(content);
  }
  return kept;
}

void FaultFileSystem::undo_names() {
  const auto move = [this](const std::string& from, const std::string& to) {
    std::error_code error;
    fs::rename(from, to, error);
    if (error) {
      fs::copy_file(from, to);
      fs::remove(from);
    }
    const auto content = contents_.find(from);
    if (content == contents_.end()) return;
    contents_[to] = content->second;
    contents_.erase(content);
  };
  for (auto change = name_changes_.rbegin(); change != name_changes_.rend(); ++change) {
    if (!change->moved_from.empty()) {
      if (fs::exists(change->path)) move(change->path, change->moved_from);
    } else if (fs::exists(change->path)) {
      fs::remove(change->path);
      contents_.erase(change->path);
    }
    if (!change->kept.empty()) move(change->kept, change->path);
  }
  name_changes_.clear();
}

void FaultFileSystem::cut_contents(Tail tail, Random& random) {
  for (auto& [path, content] : contents_) {
    if (!fs::exists(path) || content.size <= content.synced) continue;
    const uint64_t unsynced = content.size - content.synced;
    const uint64_t left = tail == Tail::kNone ? 0 : random.below(unsynced + 1);
    fs::resize_file(path, content.synced + left);
    if (tail == Tail::kHoles) punch_holes(path, content.synced, content.synced + left, random);
    content.size = content.synced = content.synced + left;
  }
}

}  // namespace syntropy::testing
