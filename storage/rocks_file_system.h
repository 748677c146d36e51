// RecoverableFileSystem: a layer under RocksDB that makes every failed write survivable.
//
// RocksDB stops for good at most write errors: it can't know whether the disk will be well again.
// Our engine decides that itself (Engine::recover), so this layer
//   1. marks every error of writing, syncing, creating or renaming as retryable, after which
//      DB::Resume() may go on with new files. A full disk is told by its text (see
//      no_space_text()), not by RocksDB's own code, with which RocksDB would start to poll the disk
//      by itself;
//   2. never lets a log that failed be taken for good again. A log whose sync failed refuses all
//      further syncs: the kernel may have dropped the pages and report success next time. A log
//      whose append failed may end in half a record; what RocksDB still has in its buffer for it is
//      swallowed, because behind half a record it could not be read back. RocksEngine::recover()
//      makes RocksDB begin a new log before anything else is written.
//
// For files of storage/ and tests only: RocksDB stays out of other headers.
//
// Thread safety: as rocksdb::FileSystem; a log is appended to by one thread while another syncs it.
#pragma once

#include <rocksdb/file_system.h>

#include <memory>
#include <string>
#include <string_view>

namespace syntropy {

/// A file system over `base` that behaves as described above.
std::shared_ptr<rocksdb::FileSystem> make_recoverable_file_system(
    std::shared_ptr<rocksdb::FileSystem> base);

/// The text by which an error of the layer says that the disk is full.
std::string_view no_space_text();

}  // namespace syntropy
