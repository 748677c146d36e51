// RdbImport: writes the strings of a Redis dump (server/resp/rdb_reader.h) to a server.
//
// A dump is read twice: survey() finds out whether it is sound and what is in it, before anything
// is written; then run() writes. What isn't a string has no place here yet; it is counted by type,
// and whoever imports has to say that it may be left out.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <map>
#include <string>
#include <vector>

#include "server/resp/rdb_reader.h"
#include "storage/base/status.h"
#include "tools/cli/key_server.h"

namespace syntropy {

struct RdbSurvey {
  uint64_t strings = 0;
  uint64_t expired = 0;                    // of these
  std::map<std::string, uint64_t> others;  // by type: what can't be imported
  std::map<uint32_t, uint64_t> databases;  // strings of each that has any
};

struct RdbImportOptions {
  bool replace = false;  // keys that are there already; else these are left
  int64_t now_ms = 0;    // Unix time: what has expired by then isn't written
};

struct RdbImportCounts {
  uint64_t written = 0;
  uint64_t kept = 0;  // were there already
  uint64_t expired = 0;
  uint64_t left_out = 0;  // not strings
  uint64_t failed = 0;
  std::vector<std::string> failures;  // why, the first of them, with their keys
};

class RdbImport {
 public:
  /// Longest key or value that is taken, as a node's `proto-max-bulk-len` is by default.
  static constexpr uint64_t kMostBytes = uint64_t{512} << 20;

  /// The server's database of that number, open as long as the import.
  using Databases = std::function<Result<KeyServer*>(uint32_t database)>;
  /// Is told how many bytes of the dump have been read.
  using Progress = std::function<void(uint64_t bytes)>;

  /// The errors of RdbReader; kCorruption also when the dump ends too early.
  static Result<RdbSurvey> survey(std::istream& dump, int64_t now_ms, const Progress& progress);

  RdbImport(const RdbImportOptions& options, Databases databases)
      : options_(options), databases_(std::move(databases)) {}

  /// As survey(), and the errors of the server; a key that it refuses is counted.
  Status run(std::istream& dump, const Progress& progress);
  const RdbImportCounts& counts() const { return counts_; }

 private:
  void take(const RdbReader::Entry& entry);
  Status write_batch();

  const RdbImportOptions options_;
  const Databases databases_;
  RdbImportCounts counts_;
  uint32_t database_ = 0;  // of the batch
  std::vector<KeyCopy> batch_;
  uint64_t batch_bytes_ = 0;
};

}  // namespace syntropy
