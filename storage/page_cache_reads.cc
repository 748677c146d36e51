#include "storage/page_cache_reads.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace syntropy {

using rocksdb::FileOptions;
using rocksdb::FSRandomAccessFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

namespace {

enum class Patience { kWaits, kHasNotWaited, kWouldHaveWaited };
thread_local Patience patience = Patience::kWaits;

IOStatus would_wait() {
  patience = Patience::kWouldHaveWaited;
  return IOStatus::Aborted("not in the page cache");
}

class Descriptor {
 public:
  explicit Descriptor(const std::string& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  // Whether all `bytes` were there without waiting.
  bool read(uint64_t offset, size_t bytes, char* out) const {
    while (fd_ >= 0 && bytes > 0) {
      iovec part{out, bytes};
      const ssize_t got = preadv2(fd_, &part, 1, static_cast<off_t>(offset), RWF_NOWAIT);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;  // EAGAIN; or EOPNOTSUPP: the file system can't tell
      offset += static_cast<uint64_t>(got);
      out += got;
      bytes -= static_cast<size_t>(got);
    }
    return bytes == 0;
  }

 private:
  const int fd_;  // -1: nothing is read without waiting
};

class File final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  File(std::unique_ptr<FSRandomAccessFile>&& file, const std::string& path)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), descriptor_(path) {}

  IOStatus Read(uint64_t offset, size_t bytes, const IOOptions& options, Slice* result,
                char* scratch, IODebugContext* dbg) const override {
    if (patience == Patience::kWaits) {
      return target()->Read(offset, bytes, options, result, scratch, dbg);
    }
    if (!descriptor_.read(offset, bytes, scratch)) return would_wait();
    *result = Slice(scratch, bytes);
    return IOStatus::OK();
  }

 private:
  const Descriptor descriptor_;
};

}  // namespace

PageCacheOnly::PageCacheOnly() { patience = Patience::kHasNotWaited; }

PageCacheOnly::~PageCacheOnly() { patience = Patience::kWaits; }

bool PageCacheOnly::would_have_waited() const { return patience == Patience::kWouldHaveWaited; }

PageCacheReads::PageCacheReads(const std::shared_ptr<rocksdb::FileSystem>& base)
    : FileSystemWrapper(base) {}

IOStatus PageCacheReads::NewRandomAccessFile(const std::string& path, const FileOptions& options,
                                             std::unique_ptr<FSRandomAccessFile>* file,
                                             IODebugContext* dbg) {
  if (patience != Patience::kWaits) return would_wait();
  IOStatus status = target()->NewRandomAccessFile(path, options, file, dbg);
  if (status.ok()) *file = std::make_unique<File>(std::move(*file), path);
  return status;
}

}  // namespace syntropy
