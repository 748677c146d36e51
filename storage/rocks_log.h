// RocksLog: RocksDB's own log, in the file LOG of the data directory, of bounded size. It also
// remembers what RocksDB complained about, because that names the damaged file where the Status of
// a failed opening doesn't.
//
// For files of storage/ and tests only: RocksDB stays out of other headers.
//
// Thread safety: all functions may be called from any thread.
#pragma once

#include <rocksdb/env.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace syntropy {

class RocksLog final : public rocksdb::Logger {
 public:
  /// `file` takes the lines; null: none does.
  explicit RocksLog(std::shared_ptr<rocksdb::Logger> file);
  ~RocksLog() override;

  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override;
  void Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) override;
  void LogHeader(const char* format, va_list arguments) override;

  /// Warnings and errors so far; the last 64 of them.
  std::vector<std::string> complaints() const;
  void forget_complaints();

  /// Called, within the logging call, with each complaint. Empty: none.
  using Listener = std::function<void(std::string_view complaint)>;
  void listen(Listener listener);

 protected:
  rocksdb::Status CloseImpl() override;

 private:
  const std::shared_ptr<rocksdb::Logger> file_;
  mutable std::mutex mutex_;  // guards all below
  std::vector<std::string> complaints_;
  Listener listener_;
};

/// The first path of a log, table or manifest file in `text`; empty when there is none.
std::string_view find_store_file(std::string_view text);

}  // namespace syntropy
