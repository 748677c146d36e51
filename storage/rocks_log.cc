#include "storage/rocks_log.h"

#include <cstdarg>
#include <cstdio>
#include <utility>

namespace syntropy {
namespace {

constexpr size_t kComplaintsKept = 64;
constexpr size_t kComplaintBytes = 1024;

}  // namespace

RocksLog::RocksLog(std::shared_ptr<rocksdb::Logger> file) : file_(std::move(file)) {
  if (file_) SetInfoLogLevel(file_->GetInfoLogLevel());
}

RocksLog::~RocksLog() = default;

void RocksLog::Logv(const char* format, va_list arguments) {
  Logv(rocksdb::InfoLogLevel::INFO_LEVEL, format, arguments);
}

void RocksLog::Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) {
  if (level >= rocksdb::InfoLogLevel::WARN_LEVEL && level < rocksdb::InfoLogLevel::HEADER_LEVEL) {
    va_list copy;
    va_copy(copy, arguments);
    char text[kComplaintBytes];
    std::vsnprintf(text, sizeof(text), format, copy);
    va_end(copy);
    const std::lock_guard lock(mutex_);
    if (complaints_.size() == kComplaintsKept) complaints_.erase(complaints_.begin());
    complaints_.emplace_back(text);
    if (listener_) listener_(complaints_.back());
  }
  if (file_) file_->Logv(level, format, arguments);
}

void RocksLog::LogHeader(const char* format, va_list arguments) {
  if (file_) file_->LogHeader(format, arguments);
}

std::vector<std::string> RocksLog::complaints() const {
  const std::lock_guard lock(mutex_);
  return complaints_;
}

void RocksLog::forget_complaints() {
  const std::lock_guard lock(mutex_);
  complaints_.clear();
}

void RocksLog::listen(Listener listener) {
  const std::lock_guard lock(mutex_);
  listener_ = std::move(listener);
}

rocksdb::Status RocksLog::CloseImpl() { return rocksdb::Status::OK(); }

std::string_view find_store_file(std::string_view text) {
  constexpr std::string_view kAround = " \t\n:;,()[]'\"";
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find_first_of(kAround, begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    const size_t slash = word.rfind('/');
    if (slash != std::string_view::npos) {
      const std::string_view name = word.substr(slash + 1);
      const bool store_file = name.ends_with(".log") || name.ends_with(".sst") ||
                              name.starts_with("MANIFEST-") || name == "CURRENT" ||
                              name == "IDENTITY";
      if (store_file) return word;
    }
    begin = end + 1;
  }
  return {};
}

}  // namespace syntropy
