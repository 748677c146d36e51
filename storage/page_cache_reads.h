// PageCacheReads: a layer under RocksDB that lets a thread read table files from the kernel's page
// cache only.
//
// A read that has to wait for the disk stalls whoever does it, for milliseconds; one from the page
// cache costs less than handing it to another thread. So an I/O thread reads what the page
// cache holds by itself, and leaves the rest to others. Linux: preadv2(2) with RWF_NOWAIT.
//
// A file is opened a second time for it, because RocksDB doesn't tell its descriptors.
//
// For files of storage/ and tests only: RocksDB stays out of other headers.
//
// Thread safety: all functions may be called from any thread at any time.
#pragma once

#include <rocksdb/file_system.h>

#include <memory>
#include <string>

namespace syntropy {

/// While it lives, this thread's reads of table files fail where the page cache doesn't hold what
/// they ask for. Doesn't nest.
class PageCacheOnly {
 public:
  PageCacheOnly();
  ~PageCacheOnly();
  PageCacheOnly(const PageCacheOnly&) = delete;
  PageCacheOnly& operator=(const PageCacheOnly&) = delete;

  /// Whether a read of this thread ended so since this began: what RocksDB says of it may be
  /// another error, or none where it could do without the block.
  bool would_have_waited() const;
};

class PageCacheReads final : public rocksdb::FileSystemWrapper {
 public:
  explicit PageCacheReads(const std::shared_ptr<rocksdb::FileSystem>& base);

  const char* Name() const override { return "SyntropyPageCacheReads"; }
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* dbg) override;
};

}  // namespace syntropy
