// The mark of a directory whose salvage (storage/rocks_salvage.h) has begun and not ended.
//
// For files of storage/ and tests only: RocksDB stays out of other headers.
//
// Thread safety: any thread.
#pragma once

#include <rocksdb/env.h>

#include <string>

#include "storage/base/status.h"

namespace syntropy {

inline std::string salvage_mark(const std::string& dir) { return dir + "/SALVAGE"; }

/// Ok when there is no mark; else kCorruption saying what to do.
inline Status check_salvage_mark(rocksdb::Env& env, const std::string& dir) {
  if (!env.FileExists(salvage_mark(dir)).ok()) return {};
  return Status::corruption("the salvage of " + dir + " was begun and has not ended (" +
                            salvage_mark(dir) + "): run 'syntropy salvage " + dir + "' again");
}

}  // namespace syntropy
